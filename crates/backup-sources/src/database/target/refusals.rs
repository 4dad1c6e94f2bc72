//! Why a server cannot take a backup: looked for before the first byte, as it would else fail after hours.

use backup_core::JobControl;
use backup_core::restore::{Refusal, RefusalCode};

use super::DatabaseTarget;
use crate::Error;
use crate::database::about::About;
use crate::database::psql::{Session, literal};
use crate::database::shown;

impl DatabaseTarget {
    /// The first reason against the restore becomes the error.
    pub(super) fn check_server(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let refusals = self.refusals(about, &mut self.maintenance(job)?, job)?;
        refusals
            .into_iter()
            .next()
            .map_or(Ok(()), |refusal| Err(refusal.into()))
    }

    /// All reasons against the restore that lie in the server and the programs, not in the place.
    pub(super) fn refusals(
        &self,
        about: &About,
        server: &mut Session,
        job: &JobControl,
    ) -> Result<Vec<Refusal>, Error> {
        let found = [
            self.server_older(about, server)?,
            self.program_older(about, job)?,
            self.extensions_missing(about, server)?,
            self.roles_missing(about, server)?,
            self.locale_missing(about, job)?,
            self.read_only(server)?,
        ];
        Ok(found.into_iter().flatten().collect())
    }

    fn read_only(&self, server: &mut Session) -> Result<Option<Refusal>, Error> {
        let is_standby: bool = server.query_one("SELECT to_json(pg_is_in_recovery())")?;
        Ok(is_standby.then(|| {
            Refusal::new(
                RefusalCode::NotPermitted,
                format!(
                    "the server on {} is a standby, which takes no changes",
                    self.settings.address()
                ),
                "Restore to the primary server.",
            )
        }))
    }

    /// PostgreSQL promises that what was dumped goes into the same version and newer ones.
    fn server_older(&self, about: &About, server: &mut Session) -> Result<Option<Refusal>, Error> {
        let version: u32 = server.query_one("SELECT current_setting('server_version_num')")?;
        let (major, wanted) = (version / 10_000, about.server_version_num / 10_000);
        Ok((major < wanted).then(|| {
            Refusal::new(
                RefusalCode::ServerOlder,
                format!(
                    "the server on {} has PostgreSQL {major}, the backup was made from a newer one, {}",
                    self.settings.address(),
                    about.server_version
                ),
                format!("Restore to a server of version {wanted} or newer."),
            )
        }))
    }

    /// The same goes for the programs; needs no server.
    pub(super) fn program_older(&self, about: &About, job: &JobControl) -> Result<Option<Refusal>, Error> {
        let older = |message: String, hint: String| Some(Refusal::new(RefusalCode::ProgramOlder, message, hint));
        let (version, major) = match self.settings.program_version("pg_restore", job) {
            Ok(version) => version,
            Err(Error::Refused { message, hint }) => return Ok(older(message, hint)),
            Err(error) => return Err(error),
        };
        // Backups did not always tell it.
        let dumped: Option<u32> = about
            .dump_version
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .and_then(|text| text.parse().ok());
        Ok(match dumped {
            Some(dumped) if major < dumped => older(
                format!(
                    "pg_restore {version} is older than the pg_dump that made the backup, {}",
                    about.dump_version
                ),
                format!("Install the PostgreSQL client programs of version {dumped} or newer."),
            ),
            _ => None,
        })
    }

    fn extensions_missing(&self, about: &About, server: &mut Session) -> Result<Option<Refusal>, Error> {
        let names = about.extensions.iter().map(|extension| extension.name.as_str());
        let missing: Vec<String> = server.query(&missing_of(names, "SELECT name FROM pg_available_extensions"))?;
        Ok((!missing.is_empty()).then(|| {
            Refusal::new(
                RefusalCode::ExtensionsMissing,
                format!(
                    "the server on {} lacks extensions of the backup: {}",
                    self.settings.address(),
                    missing.join(", ")
                ),
                "Install the packages of these extensions on the server.",
            )
        }))
    }

    fn roles_missing(&self, about: &About, server: &mut Session) -> Result<Option<Refusal>, Error> {
        if self.options.skip_owner {
            return Ok(None);
        }
        let names = about.roles.iter().map(String::as_str);
        let missing: Vec<String> = server.query(&missing_of(names, "SELECT rolname FROM pg_roles"))?;
        Ok((!missing.is_empty()).then(|| {
            Refusal::new(
                RefusalCode::RolesMissing,
                format!(
                    "the server on {} lacks roles of the backup: {}",
                    self.settings.address(),
                    shown(&missing)
                ),
                "Create them (the backup's globals.sql does), or restore without owners and grants (skipOwner; --skip-owner of backupctl).",
            )
        }))
    }
}

/// A query for those of `names` that `known` does not give.
pub(super) fn missing_of<'a>(names: impl Iterator<Item = &'a str>, known: &str) -> String {
    let names: Vec<String> = names.map(literal).collect();
    format!(
        "SELECT to_json(name) FROM unnest(ARRAY[{}]::text[]) AS wanted(name) WHERE name NOT IN ({known}) ORDER BY name",
        names.join(", ")
    )
}
