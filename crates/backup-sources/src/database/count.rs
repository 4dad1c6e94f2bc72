//! How many rows each table has: `tables.json`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::psql::Session;
use crate::Error;

/// What the dump holds, counted in the dump's own snapshot.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tables {
    /// Every table, view and the like, sorted by schema and name.
    pub(super) tables: Vec<Table>,
    /// How many large objects.
    pub(super) large_objects: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    /// `pg_class.relkind`: `r` table, `p` partitioned, `v` view, `m` materialised view, `f` foreign, `S` sequence.
    pub(super) kind: String,
    /// Rows of its own, without those of tables that inherit from it; `None` where none are its own, where a query makes
    /// them, where they belong to an extension, or where they could not be counted.
    pub(super) rows: Option<u64>,
}

impl Table {
    /// `schema.name`.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Tables whose rows are counted: plain ones only. `p`, `f`, `v`, `m` and `S` have none of their own, an extension's tables
/// are filled by the extension, and a standby has no rows of unlogged tables.
const COUNTED: &str = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT (c.relpersistence = 'u' AND pg_is_in_recovery())
    AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
        AND e.objsubid = 0 AND e.deptype = 'e')";

/// The tables that this session holds a lock on.
const LOCKED: &str = "SELECT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
    AND mode = 'AccessShareLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// What was counted beside a dump.
pub(super) struct Counted {
    pub(super) tables: Tables,
    /// Tables that could not be counted: an application waits for the dump to change their form, or somebody has an index of
    /// theirs locked.
    pub(super) missed: Vec<String>,
}

/// Statements about each table, made by the server. `{statements}` are they, as columns, and `{counted}` is a query for the
/// numbers of the tables that are counted.
const TABLES: &str = "SELECT {statements}
    FROM (SELECT n.nspname, c.relname, c.relkind, c.oid IN ({counted}) AS is_counted
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema') AS t
    ORDER BY nspname COLLATE \"C\", relname COLLATE \"C\"";

/// One that counts and says it.
const AT_ONCE: &str =
    "format('SELECT json_build_object(''schema'', %L::text, ''name'', %L::text, ''kind'', %L::text, ''rows'', %s)%s',
        nspname, relname, relkind, CASE WHEN is_counted THEN 'count(*)' ELSE 'NULL' END,
        CASE WHEN is_counted THEN format(' FROM ONLY %I.%I', nspname, relname) END)";

/// One that counts, and gives up where it would wait for long: whoever makes an index anew has it locked until that is done. And
/// one that says what came of it, by way of a setting, since the first can say nothing.
const WITHOUT_WAITING: &str = "CASE WHEN is_counted THEN format('DO %L', format('DECLARE counted bigint; BEGIN
            PERFORM set_config(''lock_timeout'', ''10s'', true);
            BEGIN EXECUTE %L INTO counted; EXCEPTION WHEN lock_not_available THEN NULL; END;
            PERFORM set_config(''backup_sources.rows'', coalesce(counted::text, ''''), true);
        END', format('SELECT count(*) FROM ONLY %I.%I', nspname, relname))) END,
    format('SELECT json_build_object(''schema'', %L::text, ''name'', %L::text, ''kind'', %L::text, ''rows'', %s)',
        nspname, relname, relkind,
        CASE WHEN is_counted THEN 'nullif(current_setting(''backup_sources.rows''), '''')::bigint' ELSE 'NULL' END)";

/// One more in a transaction, behind each count: it gives back the locks that were taken since [`BEFORE`]. A count locks every
/// index of its table. Kept until the end, they would fill the server's table of locks where there are thousands, and hold up
/// for hours whoever makes one of them anew, and the application behind.
const GIVE_BACK: &str = "'ROLLBACK TO SAVEPOINT counting'";

/// The tables that somebody emptied or wrote anew since the transaction's snapshot: for `TRUNCATE` and the like there are no
/// snapshots, so that a dump has neither the rows from before, which are gone, nor those from after, which are too new for it
/// (<https://www.postgresql.org/docs/current/mvcc-caveats.html>). A query is shown the file of the snapshot's time, the function
/// that of now.
const REWRITTEN: &str = "SELECT to_json(format('%s.%s', n.nspname, c.relname))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND pg_relation_filenode(c.oid) <> c.relfilenode ORDER BY n.nspname, c.relname";

/// Locks from before stay.
const BEFORE: &str = "SAVEPOINT counting";

/// A session hears of what has changed meanwhile with a lock that is new to its transaction. Nothing else locks this table.
const NEWS: &str = "LOCK TABLE pg_catalog.pg_am IN ACCESS SHARE MODE";

/// The tables that somebody emptied or wrote anew since the transaction's snapshot, as of now. To be asked once in a
/// transaction: where a dump has its locks nobody can do it any more.
pub(super) fn rewritten(session: &mut Session) -> Result<Vec<String>, Error> {
    session.execute(NEWS)?;
    session.query(REWRITTEN)
}

/// Counts every table of the session's database, one at a time and each by itself: not within a transaction.
pub(super) fn count_tables(session: &mut Session) -> Result<Tables, Error> {
    count(session, COUNTED, AT_ONCE)
}

/// Counts the tables in the session's transaction, while a dump holds its locks on them.
///
/// All are locked at once and without waiting: whoever waited behind such an application would wait for the dump's end,
/// and then count another table than was dumped.
pub(super) fn count_beside_dump(session: &mut Session) -> Result<Counted, Error> {
    let can_lock: bool = session.query_one(
        "SELECT to_json(coalesce(bool_or(has_language_privilege(oid, 'USAGE')), false))
         FROM pg_language WHERE lanname = 'plpgsql'",
    )?;
    if !can_lock {
        session.execute(BEFORE)?;
        let tables = count(session, COUNTED, &format!("{AT_ONCE}, {GIVE_BACK}"))?;
        return Ok(Counted {
            tables,
            missed: Vec::new(),
        });
    }
    session.execute(&format!(
        "DO $lock$ DECLARE wanted regclass; BEGIN FOR wanted IN {COUNTED} LOOP
            BEGIN EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT', wanted);
            EXCEPTION WHEN lock_not_available THEN NULL; END;
        END LOOP; END $lock$"
    ))?;
    let wanted: Vec<(String, String)> = session.query(&format!(
        "SELECT json_build_array(n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid IN ({COUNTED})"
    ))?;
    session.execute(BEFORE)?;
    let counted = format!("{COUNTED} INTERSECT {LOCKED}");
    let tables = count(session, &counted, &format!("{WITHOUT_WAITING}, {GIVE_BACK}"))?;
    Ok(Counted {
        missed: missed(&tables, wanted),
        tables,
    })
}

/// Those of the `wanted` tables, given by schema and name, that were not counted.
fn missed(tables: &Tables, wanted: Vec<(String, String)>) -> Vec<String> {
    let wanted: BTreeSet<(String, String)> = wanted.into_iter().collect();
    let uncounted = tables.tables.iter().filter(|table| table.rows.is_none());
    uncounted
        .filter(|table| wanted.contains(&(table.schema.clone(), table.name.clone())))
        .map(Table::full_name)
        .collect()
}

fn count(session: &mut Session, counted: &str, statements: &str) -> Result<Tables, Error> {
    let sql = TABLES.replace("{statements}", statements).replace("{counted}", counted);
    let mut tables = Vec::new();
    session.query_generated(&sql, &mut |table: Table| tables.push(table))?;
    let large_objects = session.query_one("SELECT count(*) FROM pg_largeobject_metadata")?;
    Ok(Tables { tables, large_objects })
}
