//! Whether a database can be backed up with the rights at hand.

use backup_core::{JobControl, PipelineError};

use super::psql::Session;
use super::{DatabaseSettings, DatabaseSource, shown};
use crate::Error;

/// What an attempt to log in found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseAccess {
    /// The server's version, as it calls itself.
    pub server_version: String,
    /// Version of the `pg_dump` that would read it.
    pub dump_version: String,
    /// Bytes that a dump is expected to have.
    pub estimated_bytes: u64,
}

/// What `pg_dump` would have to read and may not: no right to it, or rows that a policy hides.
const UNREADABLE: &str = "SELECT to_json(format('%I.%I', n.nspname, c.relname)) \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass \
        AND d.objid = c.oid AND d.deptype = 'e') \
    AND CASE WHEN c.relkind IN ('r', 'p', 'm') THEN \
            NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_table_privilege(c.oid, 'SELECT') OR row_security_active(c.oid) \
        WHEN c.relkind = 'S' THEN \
            NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_sequence_privilege(c.oid, 'SELECT') \
        ELSE false END \
    ORDER BY n.nspname, c.relname";

impl DatabaseSource {
    /// Logs in, compares versions, and asks for the right to read every table and sequence. Changes nothing.
    ///
    /// # Errors
    /// `Unavailable` or `Refused`, with what is wrong and what to do.
    pub fn check_access(&self, job: &JobControl) -> Result<DatabaseAccess, PipelineError> {
        let estimated_bytes = self.check_and_estimate(job)?;
        Ok(access(&self.settings, estimated_bytes, job)?)
    }
}

fn access(settings: &DatabaseSettings, estimated_bytes: u64, job: &JobControl) -> Result<DatabaseAccess, Error> {
    let mut session = Session::open(settings, &settings.name, job)?;
    let unreadable: Vec<String> = session.query(UNREADABLE)?;
    if !unreadable.is_empty() {
        return Err(Error::refused(
            format!(
                "the user may not read all of {}: {}",
                settings.describe(),
                shown(&unreadable)
            ),
            "Give the user the rights that are missing (to read everything: pg_read_all_data and BYPASSRLS), or use the owner.",
        ));
    }
    Ok(DatabaseAccess {
        server_version: session.query_one("SELECT to_json(current_setting('server_version'))")?,
        dump_version: settings.program_version("pg_dump", job)?.0,
        estimated_bytes,
    })
}
