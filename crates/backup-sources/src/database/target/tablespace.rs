//! The tablespace of the database itself, where whatever names no other is.

use backup_core::{JobControl, WarningCode};

use super::DatabaseTarget;
use crate::Error;
use crate::database::about::About;
use crate::database::psql::{Session, identifier, literal};

impl DatabaseTarget {
    /// The tablespace that the restored database should be in; `None`: wherever the server puts it.
    pub(super) fn wanted_tablespace<'a>(&self, about: &'a About) -> Option<&'a str> {
        about.tablespace.as_deref().filter(|_| !self.options.skip_tablespaces)
    }

    /// The same, where the server has it and the user may make a database in it.
    pub(super) fn tablespace<'a>(&self, about: &'a About, server: &mut Session) -> Result<Option<&'a str>, Error> {
        let Some(wanted) = self.wanted_tablespace(about) else {
            return Ok(None);
        };
        let is_usable: bool = server.query_one(&format!(
            "SELECT to_json(EXISTS (SELECT FROM pg_tablespace WHERE spcname = {} AND has_tablespace_privilege(oid, 'CREATE')))",
            literal(wanted)
        ))?;
        Ok(is_usable.then_some(wanted))
    }

    /// What is to be told where a new database is made in `used`, and not in the tablespace that it should be in.
    pub(super) fn other_tablespace(&self, about: &About, used: Option<&str>) -> Option<String> {
        let wanted = self.wanted_tablespace(about)?;
        (used != Some(wanted)).then(|| {
            format!(
                "the server on {} has no tablespace {wanted} in which the user may make the database: it goes where the \
                 server puts new ones",
                self.settings.address()
            )
        })
    }

    /// The part of `CREATE DATABASE` that says where the new database is put. What cannot be had is told.
    pub(super) fn tablespace_clause(
        &self,
        about: &About,
        server: &mut Session,
        job: &JobControl,
    ) -> Result<String, Error> {
        let used = self.tablespace(about, server)?;
        if let Some(text) = self.other_tablespace(about, used) {
            job.warn(WarningCode::Other, None, text);
        }
        Ok(used.map_or_else(String::new, |name| format!(" TABLESPACE {}", identifier(name))))
    }
}
