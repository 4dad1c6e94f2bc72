//! The restore job, and where a backup can be restored to.
//!
//! What is not there yet, or is to be replaced, is made whole beside its place under a name of its own, and takes its place
//! at the end by a rename. The order is what makes it safe to be killed between any two steps: names into the row, bytes,
//! `SWAPPING` into the row, database, files, end of the row. Before `SWAPPING` an attempt starts anew and removes what the
//! one before it left beside; from then on every attempt goes on with the exchange, each step of which may be repeated.

mod ending;
mod left;
mod plan;
mod safety;
mod swap;
mod way;

use std::path::PathBuf;

use backup_core::restore::{
    Replacement, ReplacementStage, RestoreAction, RestoreMode, RestoreOptions, RestorePlan, RestoreRecord,
};
use backup_core::{Backup, BackupId, EntryPath, IdGenerator, LogLevel, PipelineError, RestoreId, Target, Warning};
use backup_sources::{
    ConfigTarget, DatabaseSettings, DatabaseTarget, DatabaseTargetOptions, FilesTarget, FilesTargetOptions,
};

use crate::backup::place;
use crate::checkpoint::Checkpoint;
use crate::engine::Engine;
use crate::error::Error;
use crate::job::{JobError, given_up};
use crate::lease::{HeldLease, StopReason};
use way::Way;

/// The most connections that restore a database unless somebody asks for more. They are taken from the applications of the
/// server, which the disk seldom serves faster for more of them; a drill's throw-away server has 40.
const MAX_CONNECTIONS: usize = 8;

/// How many connections restore a database on a machine of so many cores, unless somebody says otherwise.
pub fn restore_connections(cores: usize) -> usize {
    cores.min(MAX_CONNECTIONS)
}

/// Where the parts of a backup are restored to; a part without a place is not restored.
#[derive(Debug, Clone, Default)]
pub struct RestoreInto {
    /// The database to create and fill; it must not exist or be empty.
    pub database: Option<DatabaseSettings>,
    /// Only these tables of the database; empty: all.
    pub tables: Vec<String>,
    /// Restore the database without owners and grants.
    pub skip_owner: bool,
    /// Restore everything into the database's own tablespace.
    pub skip_tablespaces: bool,
    /// A folder in which a large dump may be put down, to be restored by several connections at once; `None`: it is
    /// restored as it comes, by one.
    pub staging: Option<PathBuf>,
    /// How many connections then.
    pub jobs: usize,
    /// The folder for the files; it must not exist or be empty.
    pub files: Option<PathBuf>,
    /// Only these paths of the files; empty: all.
    pub paths: Vec<EntryPath>,
    /// The folder for the configuration; it must not exist or be empty.
    pub config: Option<PathBuf>,
}

impl RestoreInto {
    /// The targets, in the order in which a backup holds its parts.
    pub fn targets(self) -> Vec<Box<dyn Target>> {
        let mut targets: Vec<Box<dyn Target>> = Vec::new();
        if let Some(database) = self.database {
            let options = DatabaseTargetOptions {
                tables: self.tables,
                skip_owner: self.skip_owner,
                skip_tablespaces: self.skip_tablespaces,
                staging: self.staging,
                jobs: self.jobs,
                ..DatabaseTargetOptions::default()
            };
            targets.push(Box::new(DatabaseTarget::new(database, options)));
        }
        if let Some(folder) = self.files {
            let options = FilesTargetOptions { paths: self.paths };
            targets.push(Box::new(FilesTarget::new(folder, options)));
        }
        if let Some(folder) = self.config {
            targets.push(Box::new(ConfigTarget::new(folder)));
        }
        targets
    }
}

/// What a restore has come to.
#[derive(Debug)]
pub(crate) struct Done {
    /// What it put where and keeps.
    pub(crate) replacement: Option<Replacement>,
    /// Remarks made on the way.
    pub(crate) warnings: Vec<Warning>,
}

/// What is to be restored how, of a job or of a plan for one.
pub(crate) struct Order<'a> {
    id: RestoreId,
    /// What the names of this attempt are made of.
    attempt: RestoreId,
    backup_id: BackupId,
    options: &'a RestoreOptions,
}

impl Order<'_> {
    fn replaces(&self) -> bool {
        self.options.mode == RestoreMode::Replace
    }
}

impl Engine {
    /// What restoring `backup` with these options would do, and every reason against it. Reads the archive's index and looks
    /// at the places; changes nothing.
    ///
    /// # Errors
    /// `Catalog`; `Pipeline` where the backup or the options cannot be read. What a person can put right in the places is
    /// no error but stands in the plan.
    pub async fn plan_restore(&self, backup: &Backup, options: &RestoreOptions) -> Result<RestorePlan, Error> {
        let mut place = self.place(&backup.config_key).await?;
        // Somebody waits for the answer, and little is read for it.
        place.storage = place.storage.impatient();
        let repository = place.repository(self);
        let receipt = repository.find_known(backup).await?;
        let order = Order {
            id: self.new_id()?,
            attempt: self.new_id()?,
            backup_id: backup.id,
            options,
        };
        let way = Way::of(self, &place, &order, &receipt)?;
        let job = backup_core::JobControl::new(self.settings.stall_timeout);
        Ok(plan::make(self, &place, &order, &receipt, &way, &job).await?)
    }

    pub(crate) fn new_id<Id: From<uuid::Uuid>>(&self) -> Result<Id, PipelineError> {
        IdGenerator::new(self.clock.clone(), self.random.clone())
            .next()
            .map_err(|error| PipelineError::failed("the system's randomness cannot be read", "").because(error))
    }
}

/// Does what the record asks for. What comes back is final: the caller writes it into the row.
pub(crate) async fn run(
    engine: &Engine,
    held: &HeldLease,
    record: &RestoreRecord,
    exhausted: bool,
) -> Result<Done, JobError> {
    let key = config_key(engine, held, record).await?;
    let configs = held
        .tell(|| engine.store.list_configs())
        .await
        .map_err(JobError::catalog)?;
    let config = configs.iter().find(|config| config.key == key);
    if record.action != RestoreAction::Restore {
        if exhausted {
            return Err(JobError::Failed(given_up()));
        }
        return ending::run(engine, held, config, record).await;
    }
    match &record.replacement {
        // What is half exchanged is not left so, however often it was tried.
        Some(half) if half.stage == ReplacementStage::Swapping => {
            let text = "the attempt before had begun to exchange: it is finished";
            held.job().log(LogLevel::Info, text);
            return swap::finish(engine, held, config, record, half.clone()).await;
        }
        Some(left) => {
            swap::clear(engine, config, left).await.map_err(JobError::storage)?;
            held.tell(|| engine.store.forget_replacement(held.lease()))
                .await
                .map_err(JobError::catalog)?;
        }
        None => {}
    }
    if exhausted {
        return Err(JobError::Failed(given_up()));
    }
    held.job().check()?;
    let place = place(engine, held, &key).await?;
    let repository = place.repository(engine);
    let receipt = known_receipt(engine, held, &repository, record.backup_id).await?;
    let order = Order {
        id: record.id,
        // What an earlier attempt's worker may still be at work on has other names.
        attempt: engine.new_id()?,
        backup_id: record.backup_id,
        options: &record.options,
    };
    let mut way = Way::of(engine, &place, &order, &receipt)?;
    let job = held.job();
    let (mode, storage) = (record.options.mode, place.storage.describe());
    let text = format!(
        "restores backup {}, '{}' of {storage}, mode {mode}",
        receipt.id, receipt.storage_path
    );
    job.log(LogLevel::Info, text);
    let plan = plan::make(engine, &place, &order, &receipt, &way, job)
        .await
        .map_err(JobError::storage)?;
    left::check(&plan, held.lease().attempts)?;
    for warning in &plan.warnings {
        job.warn(backup_core::WarningCode::Other, None, warning);
    }
    safety::make(engine, held, record, &way, &plan).await?;
    way.settle(&record.options, job).await?;
    note(engine, held, &way, ReplacementStage::Beside).await?;
    way.clear(engine).await?;
    engine.checkpoint(Checkpoint::RestoreBegun).await?;
    let made = make(engine, held, &repository, &receipt, record, &mut way).await;
    match made {
        Ok(Some(replacement)) => swap::finish(engine, held, config, record, replacement).await,
        Ok(None) => Ok(Done {
            replacement: None,
            warnings: job.warnings(),
        }),
        Err(error) => {
            // What another worker holds now is not ours to remove.
            if matches!(error, JobError::LeaseLost) || held.owned().await.is_err() {
                return Err(error);
            }
            if let Err(problem) = clear(engine, held, &way).await {
                // Why it failed matters more; its row names what is left, which is removed later.
                tracing::warn!(
                    action = %crate::logging::Action::RestoreFailed, restore_id = %record.id, error = %problem.full_text(),
                    "what restore {} made beside could not be removed", record.id
                );
            }
            Err(left::told(error, &way.left_filled(engine, &record.options).await?))
        }
    }
}

/// Removes what this attempt made beside, then its names from the row.
async fn clear(engine: &Engine, held: &HeldLease, way: &Way) -> Result<(), PipelineError> {
    way.clear(engine).await?;
    held.tell(|| engine.store.forget_replacement(held.lease())).await?;
    Ok(())
}

/// Restores beside, up to the note that the exchange begins. `None`: there is nothing to exchange.
async fn make(
    engine: &Engine,
    held: &HeldLease,
    repository: &crate::Repository,
    receipt: &backup_core::Receipt,
    record: &RestoreRecord,
    way: &mut Way,
) -> Result<Option<Replacement>, JobError> {
    let job = held.job();
    repository
        .restore(receipt, way.targets(engine, &record.options), job)
        .await?;
    if let Some(config) = &way.config {
        // Of its settings none is put in force: what is right today is for people to tell.
        job.warn(
            backup_core::WarningCode::Other,
            Some(config.display().to_string()),
            "the configuration was restored into this folder of the machine that ran the restore: compare, and put in place what is needed",
        );
    }
    job.log(LogLevel::Info, "all that was asked for is restored");
    engine.checkpoint(Checkpoint::RestoreWhole).await?;
    if !way.exchanges() {
        return Ok(None);
    }
    way.identify(job).await?;
    if record.options.mode == RestoreMode::New && way.has_live() {
        return Err(JobError::Failed(PipelineError::refused(
            "what was to be made new has come to be in the meantime",
            "Restore to another name, or replace it.",
        )));
    }
    held.confirm().await?;
    note(engine, held, way, ReplacementStage::Swapping).await?;
    engine.checkpoint(Checkpoint::RestoreSwapping).await?;
    Ok(Some(way.replacement(ReplacementStage::Swapping)))
}

/// Writes down what stands where, unless somebody has asked for the job to stop.
async fn note(engine: &Engine, held: &HeldLease, way: &Way, stage: ReplacementStage) -> Result<(), JobError> {
    let replacement = way.replacement(stage);
    let goes_on = held
        .tell(|| engine.store.set_replacement(held.lease(), &replacement))
        .await
        .map_err(JobError::catalog)?;
    if goes_on {
        return Ok(());
    }
    held.stop(StopReason::Cancelled);
    Err(JobError::Stopped)
}

/// The receipt of the backup, as the catalog knows it.
async fn known_receipt(
    engine: &Engine,
    held: &HeldLease,
    repository: &crate::Repository,
    id: BackupId,
) -> Result<backup_core::Receipt, JobError> {
    let row = held
        .tell(|| engine.store.get_backup(id))
        .await
        .map_err(JobError::catalog)?;
    let Some(row) = row else {
        return Err(JobError::Failed(PipelineError::not_found(
            format!("the catalog has no backup {id} any more"),
            "Restore another one.",
        )));
    };
    repository.find_known(&row.backup).await.map_err(JobError::storage)
}

/// The configuration of the record's backup, which may be gone by now.
async fn config_key(engine: &Engine, held: &HeldLease, record: &RestoreRecord) -> Result<String, JobError> {
    if !record.config_key.is_empty() {
        return Ok(record.config_key.clone());
    }
    let backup = held
        .tell(|| engine.store.get_backup(record.backup_id))
        .await
        .map_err(JobError::catalog)?;
    Ok(backup.map_or_else(String::new, |summary| summary.backup.config_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_machine_leaves_connections_to_the_applications() {
        assert_eq!([1, 2, 8, 9, 128].map(restore_connections), [1, 2, 8, 8, 8]);
    }
}
