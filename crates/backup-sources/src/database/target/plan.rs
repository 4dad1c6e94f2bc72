//! What a restore into a database would do, and everything that stands against it. Changes nothing.

use std::net::IpAddr;

use backup_core::restore::{PlannedPart, Refusal, RefusalCode, RestorePart, TargetPlan};
use backup_core::{JobControl, PipelineError};

use super::DatabaseTarget;
use super::place::Place;
use super::selection::{ALONE, Selection};
use crate::Error;
use crate::database::about::About;
use crate::database::psql::{Session, literal};
use crate::database::{ABOUT, DatabaseSettings, shown};

/// Whether the server knows a locale of the C library, as far as it can tell: spelled in whichever way.
const KNOWS_LOCALE: &str =
    "SELECT to_json(EXISTS (SELECT FROM (SELECT collcollate FROM pg_collation WHERE collprovider = 'c'
    UNION ALL SELECT datcollate FROM pg_database UNION ALL VALUES ('C'), ('POSIX')) AS known(locale)
    WHERE lower(replace(locale, '-', '')) = lower(replace({locale}, '-', ''))))";

impl DatabaseTarget {
    /// What a restore into this database would do, and every reason against it, not just the first. `about_json` is the
    /// archive's `database/about.json`, `needed_bytes` about what the database will take up (0: not known). A server that
    /// cannot be reached or logged in to is a reason too. Changes nothing, and may be repeated.
    ///
    /// # Errors
    /// `Integrity` where `about_json` cannot be read, `Refused` where the selection of tables is impossible, `Cancelled`,
    /// and `Failed` where the server answers with an error of its own.
    pub fn plan(&self, about_json: &[u8], needed_bytes: u64, job: &JobControl) -> Result<TargetPlan, PipelineError> {
        Ok(self.look_at_all(about_json, needed_bytes, job)?)
    }

    /// Whether the database is there and not empty, so that nothing may be restored into it.
    ///
    /// # Errors
    /// `Unavailable` or `Refused` where the server cannot be asked, and `Failed` where it answers with an error of its own.
    pub fn is_filled(&self, job: &JobControl) -> Result<bool, PipelineError> {
        let found = self.find(&mut self.maintenance(job)?, job)?;
        Ok(found.is_err_and(|refusal| refusal.code == RefusalCode::TargetNotEmpty))
    }

    fn look_at_all(&self, about_json: &[u8], needed_bytes: u64, job: &JobControl) -> Result<TargetPlan, Error> {
        let about: About = super::parse_bytes(about_json, ABOUT)?;
        let selection = Selection::of(&self.options.tables, Some(&about))?;
        let mut plan = TargetPlan {
            part: PlannedPart {
                part: RestorePart::Database,
                target: self.settings.describe(),
                replaces: None,
                needed_bytes,
                free_bytes: None,
            },
            warnings: Vec::new(),
            refusals: Vec::new(),
        };
        if let Err(error) = self.settings.program("psql") {
            plan.refusals.push(refusal_of(error, RefusalCode::ProgramOlder)?);
        } else {
            match self.maintenance(job) {
                Ok(mut server) => self.look_at_server(&about, &mut server, &mut plan, job)?,
                Err(error) => {
                    plan.refusals.push(unreachable(error)?);
                    plan.refusals.extend(self.program_older(&about, job)?);
                }
            }
        }
        if !selection.is_everything() {
            plan.warnings.push(ALONE.to_owned());
        }
        if needed_bytes == 0 {
            plan.warnings
                .push("how much room the database needs is not known".to_owned());
        }
        Ok(plan)
    }

    fn look_at_server(
        &self,
        about: &About,
        server: &mut Session,
        plan: &mut TargetPlan,
        job: &JobControl,
    ) -> Result<(), Error> {
        plan.refusals = self.refusals(about, server, job)?;
        let tablespace = self.tablespace(about, server)?;
        match self.find(server, job) {
            Ok(Ok(Place::Missing)) => {
                plan.warnings.extend(self.unknown_locale(about, server)?);
                plan.warnings.extend(self.other_tablespace(about, tablespace));
            }
            Ok(Ok(Place::Empty { found, .. })) => plan.warnings.extend(self.differences(about, &found)),
            Ok(Err(refusal)) => plan.refusals.push(refusal),
            Err(error) => plan.refusals.push(unreachable(error)?),
        }
        plan.warnings.extend(self.strangers(about, server)?);
        if !self.options.tables.is_empty() {
            plan.warnings.extend(self.unread_money(about, job)?);
        }
        plan.part.free_bytes = self.free_bytes(tablespace, server)?;
        if let Some(free) = plan.part.free_bytes
            && free < plan.part.needed_bytes
        {
            plan.refusals.push(Refusal::new(
                RefusalCode::NoSpace,
                format!(
                    "the server on {} has {free} bytes free, and the database needs about {}",
                    self.settings.address(),
                    plan.part.needed_bytes
                ),
                "Make room on the server's disk.",
            ));
        }
        Ok(())
    }

    /// Only a superuser gives things to whomever it likes.
    fn strangers(&self, about: &About, server: &mut Session) -> Result<Option<String>, Error> {
        if self.options.skip_owner {
            return Ok(None);
        }
        // Roles that are missing are a reason by themselves.
        let roles: Vec<String> = about.roles.iter().map(|role| literal(role)).collect();
        let strangers: Vec<String> = server.query(&format!(
            "SELECT to_json(rolname) FROM pg_roles WHERE rolname = ANY (ARRAY[{}]::text[])
             AND rolname !~ '^pg_' AND NOT pg_has_role(oid, 'MEMBER') ORDER BY rolname",
            roles.join(", ")
        ))?;
        Ok((!strangers.is_empty()).then(|| {
            format!(
                "the user is not a member of {}: the restore fails where they own something, unless owners are left out",
                shown(&strangers)
            )
        }))
    }

    fn unknown_locale(&self, about: &About, server: &mut Session) -> Result<Option<String>, Error> {
        let mut names = vec![&about.collate, &about.ctype];
        names.dedup();
        for name in names {
            if !server.query_one::<bool>(&KNOWS_LOCALE.replace("{locale}", &literal(name)))? {
                return Ok(Some(format!(
                    "the server on {} may not know the locale {name} of the backup: texts would sort by the server's own",
                    self.settings.address()
                )));
            }
        }
        Ok(None)
    }

    /// Bytes that are free where the server keeps the database, or will, where it is made in this tablespace; `None` where
    /// that cannot be seen from here.
    fn free_bytes(&self, tablespace: Option<&str>, server: &mut Session) -> Result<Option<u64>, Error> {
        if !is_here(&self.settings) {
            return Ok(None);
        }
        let folder: Option<String> = server.query_one(&folder_of(&self.settings.name, tablespace))?;
        let seen = folder.and_then(|folder| rustix::fs::statvfs(folder).ok());
        Ok(seen.map(|seen| seen.f_bavail.saturating_mul(seen.f_frsize)))
    }
}

/// Asks where the files of the database are, or will be, where it is made in this tablespace; null where the user may not see
/// it.
fn folder_of(database: &str, tablespace: Option<&str>) -> String {
    format!(
        "SELECT coalesce(to_json(CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN coalesce(
            (SELECT nullif(pg_tablespace_location(oid), '') FROM pg_tablespace WHERE oid = coalesce(
                (SELECT dattablespace FROM pg_database WHERE datname = {}),
                (SELECT oid FROM pg_tablespace WHERE spcname = {}))),
            current_setting('data_directory')) END), 'null')",
        literal(database),
        tablespace.map_or_else(|| "NULL".to_owned(), literal)
    )
}

/// Whether the server is on this machine. A forwarded port looks the same, but then its folder is hardly here too.
pub(super) fn is_here(settings: &DatabaseSettings) -> bool {
    let host = settings.host.trim_matches(['[', ']']);
    host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An error that kept us from looking, as a reason; what is wrong with the look itself stays an error.
pub(in crate::database) fn unreachable(error: Error) -> Result<Refusal, Error> {
    refusal_of(error, RefusalCode::TargetUnreachable)
}

fn refusal_of(error: Error, code: RefusalCode) -> Result<Refusal, Error> {
    match error {
        Error::Unavailable { message, hint } | Error::Refused { message, hint } => {
            Ok(Refusal::new(code, message, hint))
        }
        error => Err(error),
    }
}
