//! Proves that a backup's database can be restored, and that what comes out of it is what went in.
//!
//! The dump is restored into a scratch database while it is digested, the scratch database is dumped again, and the two
//! dumps are compared: see `docs/decisions/0004-drill-digests.md`.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use backup_core::{JobControl, PartReader, PipelineError, Step, Target, WarningCode};

use super::about::{About, Formats};
use super::dump::{DumpDigest, DumpSummary};
use super::server::hint_for;
use super::target::{BLOCK, Place};
use super::{DatabaseSettings, DatabaseTarget, DatabaseTargetOptions, PART, shown};
use crate::Error;

mod tee;

use tee::Tee;

/// How long dropping the scratch database may take.
const CLEANUP: Duration = Duration::from_mins(1);

/// How a database is restored to try it.
#[derive(Debug, Clone, Default)]
pub struct DatabaseDrillOptions {
    /// Make the roles that the server lacks, for a throw-away server: they stay there. Otherwise owners and grants are
    /// neither restored nor compared.
    pub create_roles: bool,
    /// As [`DatabaseTargetOptions::staging`].
    pub staging: Option<PathBuf>,
    /// As [`DatabaseTargetOptions::jobs`].
    pub jobs: usize,
}

/// A target that restores the database of a backup into a scratch database, compares it with the backup (every object by
/// name, the rows of every table, sequences, large objects) and drops it again, whatever came of it.
///
/// [`Target::restore`] gives `Integrity`, with the first differences, where the backup is at fault: it cannot be restored, or
/// gives something else than was backed up. `Refused` and `Unavailable` say that it could not be tried. Killed outright, a
/// drill leaves the scratch database: [`Self::clear`].
#[derive(Debug)]
pub struct DatabaseDrill {
    target: DatabaseTarget,
    compares_rights: bool,
}

impl DatabaseDrill {
    /// A drill in the database that `scratch` names, which must not exist.
    pub fn new(scratch: DatabaseSettings, options: DatabaseDrillOptions) -> Self {
        let compares_rights = options.create_roles;
        let mut target = DatabaseTarget::new(
            scratch,
            DatabaseTargetOptions {
                skip_owner: !compares_rights,
                skip_tablespaces: true,
                staging: options.staging,
                jobs: options.jobs,
                ..DatabaseTargetOptions::default()
            },
        );
        target.makes_roles = options.create_roles;
        target.is_scratch = true;
        Self {
            target,
            compares_rights,
        }
    }

    /// Drops the scratch database that a killed drill left, where there is one.
    ///
    /// # Errors
    /// `Unavailable`, `Refused` or `Failed` as the server says.
    pub fn clear(scratch: DatabaseSettings, job: &JobControl) -> Result<(), PipelineError> {
        let target = DatabaseTarget::new(scratch, DatabaseTargetOptions::default());
        Ok(target.drop_database(job)?)
    }

    fn settings(&self) -> &DatabaseSettings {
        &self.target.settings
    }

    fn must_be_missing(&self, job: &JobControl) -> Result<(), Error> {
        match self.target.look(job)? {
            Place::Missing => Ok(()),
            Place::Empty { .. } => Err(Error::refused(
                format!("the scratch database exists already: {}", self.settings().describe()),
                "Drop it, or name another one.",
            )),
        }
    }

    fn check_versions(&self, job: &JobControl) -> Result<(), Error> {
        let (version, major) = self.settings().program_version("pg_dump", job)?;
        let server: u32 = (self.target.maintenance(job)?).query_one("SELECT current_setting('server_version_num')")?;
        if server / 10_000 <= major {
            return Ok(());
        }
        Err(Error::refused(
            format!(
                "the server on {} has PostgreSQL {}, which is newer than pg_dump {version}",
                self.settings().address(),
                server / 10_000
            ),
            "Install the PostgreSQL client programs of the server's version or a newer one.",
        ))
    }

    fn prove(&self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), Error> {
        let mut tee = Tee::new(part);
        let about = self.target.run(&mut tee, job).map_err(|error| match error {
            Error::Unrestorable { message, .. } => Error::mismatch(
                format!("the backup's database cannot be restored: {message}"),
                "Do not rely on this backup: look at the cause, and make a new one.",
            ),
            error => error,
        })?;
        let before = tee.finish()?;
        let encoding = before.encoding.as_deref().unwrap_or(&about.encoding);
        let after = self.dump_again(&about, encoding, job)?;
        self.compare(&before, &after, about.formats.as_ref())
    }

    /// What is in the scratch database, dumped as the backup's was, and so in the same encoding.
    fn dump_again(&self, about: &About, encoding: &str, job: &JobControl) -> Result<DumpSummary, Error> {
        let settings = self.settings();
        let mut program = settings.program("pg_dump")?;
        program
            .command
            .args(["--format=custom", "--compress=0", "--no-password"]);
        program.command.arg(format!("--encoding={encoding}"));
        program
            .command
            .arg(format!("--dbname={}", settings.conninfo(&settings.name)));
        if let Some(formats) = &about.formats {
            program.command.env("PGTZ", &formats.time_zone);
            program.set_to("bytea_output", &formats.bytea_output);
        }
        let mut child = settings.spawn(program, job)?;
        child.close_stdin();
        let mut digest = DumpDigest::new();
        let mut buffer = vec![0; BLOCK];
        loop {
            job.check()?;
            match child.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => digest.push(&buffer[..length])?,
                Err(error) => return Err(Error::content("pg_dump", error)),
            }
        }
        let exit = child.finish()?;
        if let Some(error) = settings.lost(&exit) {
            return Err(error);
        }
        let hint = hint_for(&exit.stderr);
        exit.check(hint)?;
        digest.finish()
    }

    fn compare(&self, before: &DumpSummary, after: &DumpSummary, formats: Option<&Formats>) -> Result<(), Error> {
        let differences = before.differences(after, !self.compares_rights);
        if differences.is_empty() {
            return Ok(());
        }
        if formats.is_none() && differences.len() == before.tables_of_other_text(after) {
            return Err(Error::refused(
                format!(
                    "all rows were restored, and cannot be compared one by one, since this backup was made before backups \
                     recorded how times were written: {}",
                    shown(&differences)
                ),
                "Make a new backup, which can be compared.",
            ));
        }
        Err(Error::mismatch(
            format!(
                "the restored database differs from the one in the backup: {}",
                shown(&differences)
            ),
            "Do not rely on this backup: look at the cause, and make a new one.",
        ))
    }

    /// Happens even where the job was cancelled.
    fn drop_scratch(&self, job: &JobControl) {
        if let Err(error) = self.target.drop_database(&JobControl::new(CLEANUP)) {
            tracing::error!(%error, database = self.settings().name, "cannot drop a scratch database");
            let text = format!(
                "the scratch {} could not be dropped: {error}",
                self.settings().describe()
            );
            job.warn(WarningCode::Other, None, text);
        }
    }
}

impl Target for DatabaseDrill {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Database
    }

    fn prepare(&mut self, job: &JobControl) -> Result<(), PipelineError> {
        self.target.prepare(job)?;
        self.check_versions(job)?;
        Ok(self.must_be_missing(job)?)
    }

    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        self.must_be_missing(job)?;
        let result = self.prove(part, job);
        self.drop_scratch(job);
        Ok(result?)
    }
}
