//! Changes a database in every way that applications and their migrations do.

use super::{Database, quoted};
use crate::dice::Dice;

/// Does one thing at random to the schema `app` of the database and gives the SQL it took: rows are updated, inserted and
/// removed, scattered and in ranges; tables come, go, change their columns and are written anew in another order; large
/// objects, sequences, indexes and views too.
pub fn change(database: &Database, dice: &mut Dice) -> String {
    let tables = database.psql(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'app' AND column_name = 'note' ORDER BY 1",
    );
    let tables: Vec<&str> = tables.lines().collect();
    let new = format!(
        "app.{}",
        quoted(&format!("{} {}", dice.of(&["a", "t", "zz"]), dice.below(1_000_000)))
    );
    let sql = if tables.is_empty() {
        create(&new, dice)
    } else {
        let table = format!("app.{}", quoted(dice.of(&tables)));
        let may_go = tables.len() > 2;
        act(&table, &new, may_go, database, dice)
    };
    // Whatever is random in it comes again.
    let seed = dice.below(1000) as f64 / 1000.0;
    database.psql(&format!("SELECT setseed({seed}) \\g /dev/null\n{sql}"));
    sql
}

fn act(table: &str, new: &str, may_go: bool, database: &Database, dice: &mut Dice) -> String {
    let number = dice.below(1_000_000);
    let from = dice.below(6000);
    let length = dice.of(&[1, 50, 1000]);
    match dice.below(22) {
        0..=3 => {
            let share = dice.of(&["0.001", "0.01", "0.05", "0.5"]);
            format!("UPDATE {table} SET note = md5(note || '{number}') WHERE random() < {share}")
        }
        4..=6 => format!(
            "UPDATE {table} SET note = 'range ' || id || md5('{number}') WHERE id BETWEEN {from} AND {}",
            from + length
        ),
        7 => format!("DELETE FROM {table} WHERE id BETWEEN {from} AND {}", from + length),
        8 => format!("DELETE FROM {table} WHERE random() < {}", dice.of(&["0.01", "0.3"])),
        9..=11 => format!(
            "INSERT INTO {table} (id, note) SELECT i + (SELECT coalesce(max(id), 0) FROM {table}), md5(i::text || '{number}') \
             FROM generate_series(1, {}) i",
            dice.of(&[1, 100, 3000])
        ),
        12 | 13 => create(new, dice),
        14 => format!("CREATE TABLE {new} AS TABLE {table}"),
        15 if may_go => format!("DROP TABLE {table} CASCADE"),
        15 => format!("TRUNCATE {table}"),
        16 => alter(table, number, database, dice),
        17 => format!("ALTER TABLE {table} RENAME TO {}", new.trim_start_matches("app.")),
        // The same rows in another order, or packed.
        18 => {
            let order = dice.of(&["note, id", "id", "id DESC"]);
            format!(
                "CREATE TEMP TABLE aside AS SELECT id, note FROM {table}; TRUNCATE {table}; \
                 INSERT INTO {table} (id, note) SELECT id, note FROM aside ORDER BY {order}"
            )
        }
        19 => format!("VACUUM FULL {table}"),
        20 => {
            let object = 700_000 + dice.below(4);
            let bytes = format!(
                "convert_to(repeat(md5('{number}'), {}), 'UTF8')",
                dice.of(&[1, 900, 20_000])
            );
            format!(
                "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = {object}; \
                 SELECT lo_from_bytea({object}, {bytes})"
            )
        }
        _ => match dice.below(4) {
            0 => format!("CREATE INDEX ON {table} (md5(note))"),
            1 => format!(
                "CREATE OR REPLACE VIEW app.view_{} AS SELECT count(*) FROM {table}",
                dice.below(3)
            ),
            2 => format!(
                "CREATE SEQUENCE IF NOT EXISTS app.numbers; SELECT setval('app.numbers', {})",
                number + 1
            ),
            _ => format!("COMMENT ON TABLE {table} IS 'comment {number}'"),
        },
    }
}

fn create(new: &str, dice: &mut Dice) -> String {
    let (rows, wide) = dice.of(&[(0, 1), (10, 1), (3000, 1), (15_000, 1), (800, 20), (40, 2000)]);
    let salt = dice.below(1_000_000);
    format!(
        "CREATE TABLE {new} (id bigint PRIMARY KEY, note text NOT NULL, at timestamptz DEFAULT '2020-02-02 02:02:02+00'); \
         INSERT INTO {new} SELECT i, (SELECT string_agg(md5({salt} || '-' || i || '-' || j), '') FROM generate_series(1, {wide}) j) \
         FROM generate_series(1, {rows}) i"
    )
}

fn alter(table: &str, number: u64, database: &Database, dice: &mut Dice) -> String {
    let added = database.psql(&format!(
        "SELECT attname FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attname LIKE 'c\\_%' ORDER BY 1 LIMIT 1"
    ));
    match dice.below(4) {
        0 if !added.is_empty() => format!("ALTER TABLE {table} DROP COLUMN {added}"),
        1 => format!("ALTER TABLE {table} ADD COLUMN c_{number} text DEFAULT md5('{number}')"),
        2 => format!("ALTER TABLE {table} ADD COLUMN c_{number} int DEFAULT {number} NOT NULL"),
        _ => format!("ALTER TABLE {table} ALTER id TYPE numeric"),
    }
}
