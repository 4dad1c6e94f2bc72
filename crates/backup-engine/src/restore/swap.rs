//! The exchange: what was restored takes its place, database first, files at once after it.

use backup_core::config::BackupConfig;
use backup_core::restore::{Replacement, ReplacementStage, RestoreMode, RestoreRecord};
use backup_core::{JobControl, LogLevel, PipelineError};
use backup_sources::{DatabaseSwap, DatabaseSwapState, FolderSwap, FolderSwapState};
use chrono::TimeDelta;

use super::Done;
use crate::bridge::blocking;
use crate::checkpoint::Checkpoint;
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// Exchanges what has not been exchanged yet. A restore that has come so far is not stopped any more: it is finished, or,
/// where that is impossible, all of it is taken back.
pub(super) async fn finish(
    engine: &Engine,
    held: &HeldLease,
    config: Option<&BackupConfig>,
    record: &RestoreRecord,
    mut replacement: Replacement,
) -> Result<Done, JobError> {
    // The wish to stop comes too late.
    let job = JobControl::new(engine.settings.stall_timeout);
    let pair = Pair::of(engine, config, &replacement).map_err(JobError::Unfinished)?;
    // Whoever cannot ask the server knows of no reason to take anything back, and could not do it.
    if pair.has_exchanged_database(&job).await.map_err(JobError::Unfinished)? {
        note_use(engine, held, &mut replacement).await?;
    }
    held.owned().await?;
    match exchange(engine, &pair, &job).await {
        Ok(()) => {}
        Err(error @ PipelineError::Unavailable { .. }) => return Err(JobError::Unfinished(error)),
        Err(error) => return Err(take_back(engine, held, pair, replacement, error).await),
    }
    held.job().log(LogLevel::Info, "what was restored has taken its place");
    engine.checkpoint(Checkpoint::RestoreSwapped).await?;
    let has_old = replacement.database.as_ref().is_some_and(|database| database.had_live)
        || replacement.files.as_ref().is_some_and(|files| files.had_live);
    replacement.stage = ReplacementStage::Kept;
    replacement.kept_until = Some(engine.clock.now() + TimeDelta::hours(record.options.keep_old_hours.into()));
    let keeps = record.options.mode == RestoreMode::Replace && has_old;
    Ok(Done {
        replacement: keeps.then_some(replacement),
        warnings: held.job().warnings(),
    })
}

/// Writes down that the restored database is in use since an earlier attempt.
async fn note_use(engine: &Engine, held: &HeldLease, replacement: &mut Replacement) -> Result<(), JobError> {
    if let Some(database) = &mut replacement.database {
        database.was_used = true;
    }
    let noted: &Replacement = replacement;
    held.tell(|| engine.store.set_replacement(held.lease(), noted))
        .await
        .map_err(JobError::catalog)?;
    Ok(())
}

/// Removes what an attempt that did not come to the exchange left beside.
pub(super) async fn clear(
    engine: &Engine,
    config: Option<&BackupConfig>,
    left: &Replacement,
) -> Result<(), PipelineError> {
    let Pair { database, files } = Pair::of(engine, config, left)?;
    let job = JobControl::new(engine.settings.stall_timeout);
    blocking(move || {
        if let Some(database) = database {
            database.clear_beside(&job)?;
        }
        files.map_or(Ok(()), |mut files| files.clear_beside(&job))
    })
    .await
}

/// The two exchanges of a replacement.
#[derive(Clone)]
pub(super) struct Pair {
    database: Option<DatabaseSwap>,
    files: Option<FolderSwap>,
}

impl Pair {
    pub(super) fn of(
        engine: &Engine,
        config: Option<&BackupConfig>,
        replacement: &Replacement,
    ) -> Result<Self, PipelineError> {
        let database = match &replacement.database {
            Some(names) => Some(DatabaseSwap::new(engine.database_settings(config)?, names.clone())),
            None => None,
        };
        let files = replacement.files.clone().map(FolderSwap::new);
        Ok(Self { database, files })
    }

    /// Whether the restored database is in use.
    ///
    /// # Errors
    /// Where its server cannot be asked.
    async fn has_exchanged_database(&self, job: &JobControl) -> Result<bool, PipelineError> {
        let Some(database) = self.database.clone() else {
            return Ok(false);
        };
        let job = job.clone();
        let state = blocking(move || database.state(&job)).await?;
        Ok(matches!(state, DatabaseSwapState::Swapped { .. }))
    }

    /// Puts back what was there before, all of it or nothing: where the files stay those that were restored, so does the
    /// database, and both may be tried again.
    pub(super) async fn put_back(&self, job: &JobControl) -> Result<(), PipelineError> {
        let (Self { database, files }, job) = (self.clone(), job.clone());
        blocking(move || {
            // Where their volume is not mounted, the database does not change either.
            if let Some(files) = &files
                && files.state()? == FolderSwapState::Gone
            {
                files.put_back()?;
            }
            if let Some(database) = &database {
                database.put_back(&job)?;
            }
            let Some(files) = files else { return Ok(()) };
            let Err(error) = files.put_back() else { return Ok(()) };
            let are_restored = matches!(files.state(), Ok(FolderSwapState::Swapped | FolderSwapState::Alone));
            match database.filter(|_| are_restored).map(|database| database.swap(&job)) {
                None | Some(Ok(())) => Err(error),
                Some(Err(second)) => Err(PipelineError::failed(
                    format!(
                        "{error}; and the database, which was put back already, could not follow the files: {second}"
                    ),
                    "Put right what keeps the files from being put back, then roll the restore back again.",
                )
                .because(error)),
            }
        })
        .await
    }

    /// Puts back what was there before: first both, then what was restored goes. Goes on where it was interrupted.
    pub(super) async fn roll_back(self, job: &JobControl) -> Result<(), PipelineError> {
        let job = job.clone();
        blocking(move || {
            if let Some(database) = &self.database {
                database.put_back(&job)?;
            }
            if let Some(files) = &self.files {
                files.put_back()?;
            }
            if let Some(database) = &self.database {
                database.roll_back(&job)?;
            }
            self.files.map_or(Ok(()), |files| files.roll_back(&job))
        })
        .await
    }

    /// Removes what was there before. Goes on where it was interrupted.
    pub(super) async fn discard(self, job: &JobControl) -> Result<(), PipelineError> {
        let job = job.clone();
        blocking(move || {
            if let Some(database) = &self.database {
                database.discard_old(&job)?;
            }
            self.files.map_or(Ok(()), |files| files.discard_old(&job))
        })
        .await
    }
}

async fn exchange(engine: &Engine, pair: &Pair, job: &JobControl) -> Result<(), PipelineError> {
    let Pair { database, files } = pair.clone();
    if let Some(database) = database {
        let job = job.clone();
        blocking(move || database.swap(&job)).await?;
    }
    engine.checkpoint(Checkpoint::RestoreDatabaseSwapped).await?;
    match files {
        Some(files) => blocking(move || files.swap()).await,
        None => Ok(()),
    }
}

/// Old or new, never a mixture: what cannot be exchanged whole is not exchanged at all. A database that somebody may have
/// written to is kept for people to look at.
async fn take_back(
    engine: &Engine,
    held: &HeldLease,
    pair: Pair,
    mut replacement: Replacement,
    error: PipelineError,
) -> JobError {
    // A successor may have finished it meanwhile, and its work is not ours to undo.
    if let Err(lost) = held.owned().await {
        return lost.into();
    }
    let job = JobControl::new(engine.settings.stall_timeout);
    let text = format!(
        "it cannot be exchanged, so what was there before is put back: {}",
        error.full_text()
    );
    held.job().log(LogLevel::Warning, text);
    let used = replacement.database.as_ref().filter(|database| database.was_used);
    let kept = used.map(|database| database.beside.clone());
    let taken_back = match pair.put_back(&job).await {
        Ok(()) if kept.is_some() => Pair { database: None, ..pair }.roll_back(&job).await,
        Ok(()) => pair.roll_back(&job).await,
        Err(second) => Err(second),
    };
    match taken_back {
        Ok(()) => {}
        Err(PipelineError::Unavailable { .. }) => return JobError::Unfinished(error),
        Err(second) => {
            return JobError::Failed(
                PipelineError::failed(
                    format!("{error}; and what had been exchanged could not be put back: {second}"),
                    "Put right what keeps it from being exchanged, then roll the restore back.",
                )
                .because(error),
            );
        }
    }
    replacement.stage = ReplacementStage::RolledBack;
    let error = match kept {
        Some(name) => PipelineError::failed(
            format!(
                "{error}; what was there before is in use again, and the restored database, which was in use for a while, is kept \
                 as \"{name}\""
            ),
            "Take from it what was written meanwhile, then drop it by hand.",
        )
        .because(error),
        None => error,
    };
    match held
        .tell(|| engine.store.set_replacement(held.lease(), &replacement))
        .await
    {
        Ok(_) => JobError::Failed(error),
        Err(error) => JobError::catalog(error),
    }
}
