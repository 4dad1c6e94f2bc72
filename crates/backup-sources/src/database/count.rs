//! How many rows each table has: `tables.json`.

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

/// One statement a table, made by the server. `{counted}` is a query for the numbers of those that are counted.
const TABLES: &str = "SELECT format(CASE WHEN c.oid IN ({counted})
    THEN 'SELECT json_build_object(''schema'', %L::text, ''name'', %L::text, ''kind'', %L::text, ''rows'', count(*)) \
          FROM ONLY %I.%I'
    ELSE 'SELECT json_build_object(''schema'', %L::text, ''name'', %L::text, ''kind'', %L::text, ''rows'', NULL)' END,
    n.nspname, c.relname, c.relkind, n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";

/// Counts every table of the session's database, one at a time.
pub(super) fn count_tables(session: &mut Session) -> Result<Tables, Error> {
    count(session, COUNTED)
}

/// Counts the tables while a dump holds its locks on them, and names those that could not be counted, since an application
/// waits for the dump to change their form.
///
/// All are locked at once and without waiting: whoever waited behind such an application would wait for the dump's end,
/// and then count another table than was dumped.
pub(super) fn count_beside_dump(session: &mut Session) -> Result<(Tables, Vec<String>), Error> {
    let can_lock: bool = session.query_one(
        "SELECT to_json(coalesce(bool_or(has_language_privilege(oid, 'USAGE')), false))
         FROM pg_language WHERE lanname = 'plpgsql'",
    )?;
    if !can_lock {
        return Ok((count_tables(session)?, Vec::new()));
    }
    session.execute(&format!(
        "DO $lock$ DECLARE wanted regclass; BEGIN FOR wanted IN {COUNTED} LOOP
            BEGIN EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE NOWAIT', wanted);
            EXCEPTION WHEN lock_not_available THEN NULL; END;
        END LOOP; END $lock$"
    ))?;
    let missed = session.query(&format!(
        "SELECT to_json(format('%s.%s', n.nspname, c.relname)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid IN ({COUNTED} EXCEPT {LOCKED}) ORDER BY n.nspname, c.relname"
    ))?;
    Ok((count(session, &format!("{COUNTED} INTERSECT {LOCKED}"))?, missed))
}

fn count(session: &mut Session, counted: &str) -> Result<Tables, Error> {
    let mut tables = Vec::new();
    session.query_generated(&TABLES.replace("{counted}", counted), &mut |table: Table| {
        tables.push(table);
    })?;
    let large_objects = session.query_one("SELECT count(*) FROM pg_largeobject_metadata")?;
    Ok(Tables { tables, large_objects })
}
