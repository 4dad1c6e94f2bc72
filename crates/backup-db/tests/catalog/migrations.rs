//! The two schemas are one, and go both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use backup_tests::postgres::Postgres;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};
use diesel_migrations::{FileBasedMigrations, MigrationHarness};

/// Table and column, and whether it may be null.
type Columns = BTreeMap<(String, String), bool>;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    #[diesel(column_name = column_name)]
    name: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(name)
}

fn names(database: &str) -> BTreeSet<String> {
    let folder = std::fs::read_dir(folder(database)).unwrap();
    folder
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn columns(rows: Vec<Column>) -> Columns {
    rows.into_iter()
        .map(|row| ((row.table_name, row.name), row.nullable))
        .collect()
}

/// What the search is found by on SQLite alone is left out; the program asks it in SQL.
fn sqlite_columns(connection: &mut SqliteConnection) -> Columns {
    let query = "SELECT t.name AS table_name, c.name AS column_name, c.\"notnull\" = 0 AS nullable \
                 FROM sqlite_master t, pragma_table_info(t.name) c \
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '__diesel_schema_migrations' \
                 AND t.name NOT LIKE 'backup_grams%'";
    columns(diesel::sql_query(query).load(connection).unwrap())
}

fn postgres_columns(connection: &mut PgConnection) -> Columns {
    let query = "SELECT table_name::text, column_name::text, is_nullable = 'YES' AS nullable \
                 FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name <> '__diesel_schema_migrations'";
    columns(diesel::sql_query(query).load(connection).unwrap())
}

/// The columns as `schema.rs` declares them.
fn declared() -> Columns {
    let mut columns = Columns::new();
    let mut table = String::new();
    for line in include_str!("../../src/schema.rs").lines().map(str::trim) {
        if let Some((name, kind)) = line.split_once(" -> ") {
            columns.insert((table.clone(), name.to_owned()), kind.starts_with("Nullable"));
        } else if let Some((name, _)) = line.split_once(" (") {
            name.clone_into(&mut table);
        }
    }
    columns
}

#[test]
fn both_databases_have_the_same_migrations() {
    assert_eq!(names("sqlite"), names("postgres"));
    // Which ones are done is remembered by what stands before the underscore: of two that share it, one is never done.
    let versions: BTreeSet<String> = names("sqlite")
        .iter()
        .filter_map(|name| Some(name.split_once('_')?.0.to_owned()))
        .collect();
    assert_eq!(versions.len(), names("sqlite").len(), "two migrations have one version");
    for name in names("sqlite") {
        for file in ["up.sql", "down.sql"] {
            assert!(
                folder("sqlite").join(&name).join(file).exists() && folder("postgres").join(&name).join(file).exists()
            );
        }
    }
}

#[test]
fn both_databases_have_the_columns_that_the_program_declares_and_migrate_back_and_forth() {
    let declared = declared();
    assert!(declared.len() > 100, "schema.rs was not understood");
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut sqlite = SqliteConnection::establish(file.path().to_str().unwrap()).unwrap();
    let migrations = FileBasedMigrations::from_path(folder("sqlite")).unwrap();
    for _ in 0..2 {
        sqlite.run_pending_migrations(migrations.clone()).unwrap();
        assert_eq!(sqlite_columns(&mut sqlite), declared);
        sqlite.revert_all_migrations(migrations.clone()).unwrap();
        assert!(sqlite_columns(&mut sqlite).is_empty(), "something is left behind");
    }
    let database = Postgres::shared().create_database("migrations");
    let mut postgres = PgConnection::establish(&database.url()).unwrap();
    let migrations = FileBasedMigrations::from_path(folder("postgres")).unwrap();
    for _ in 0..2 {
        postgres.run_pending_migrations(migrations.clone()).unwrap();
        assert_eq!(postgres_columns(&mut postgres), declared);
        postgres.revert_all_migrations(migrations.clone()).unwrap();
        assert!(postgres_columns(&mut postgres).is_empty(), "something is left behind");
        let functions = database.psql(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname <> 'diesel_manage_updated_at' AND proname <> 'diesel_set_updated_at'",
        );
        assert_eq!(functions.trim(), "0");
    }
}
