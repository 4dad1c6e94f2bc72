use backup_archive::Keyring;
use backup_core::receipt::receipt_path;
use backup_core::{Backup, JobControl, LogLevel, PipelineError, Receipt, VerifyLevel};

use super::commit::remove_own;
use crate::bridge::cancelled;
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;
use crate::logging::Action;
use crate::places::Place;
use crate::repository::Repository;

/// What an earlier attempt left: a whole backup, which is adopted, or something half-made, which is removed.
pub(super) async fn recover(
    engine: &Engine,
    held: &HeldLease,
    place: &Place,
    backup: &Backup,
    path: &str,
) -> Result<Option<Receipt>, JobError> {
    let receipt_path = receipt_path(backup.id, backup.started_at.unwrap_or(backup.created_at));
    let repository = place.repository_with(&attempt_key(&place.own_keys, backup), engine);
    let found = whole(&repository, path, &receipt_path, held.job()).await;
    if let Some(receipt) = found.map_err(JobError::storage)? {
        tracing::info!(
            action = %Action::BackupAdopted, backup_id = %backup.id,
            "backup {} was made whole by a worker that is gone; adopted", backup.id
        );
        held.job().log(
            LogLevel::Info,
            "the attempt before made it whole: archive and receipt are adopted",
        );
        return Ok(Some(receipt));
    }
    held.job()
        .log(LogLevel::Info, "what the attempt before left in the storage is removed");
    let removal = remove_own(engine, held, &place.storage, path, &receipt_path);
    tokio::select! {
        removed = removal => removed.map_err(JobError::storage)?,
        // A storage that does not answer holds up nobody who wants it to stop.
        () = cancelled(held.job()) => return Err(JobError::Stopped),
    }
    Ok(None)
}

/// The key that an attempt at this backup was made with, of its configuration's: the one that the row names, whether or not it
/// is encrypted, since it may have been changed after the attempt; else the current one. Whoever has another one, such as a leaked one that was rotated, must
/// not bring a backup to life that nobody asks for.
pub(crate) fn attempt_key(own: &Keyring, backup: &Backup) -> Keyring {
    let named = backup.key_fingerprint.as_deref().and_then(|key| own.find(key));
    Keyring::new(named.unwrap_or(own.current()).clone(), Vec::new())
}

/// The receipt, where it is authentic and the archive beside it is byte for byte the one it was written for: a worker that
/// had lost its lease may have put a receipt beside another's archive. What it builds on must be there too. A receipt that
/// none of the repository's keys made is an error: what it stands for may be a good backup, and is not ours to judge.
/// The one key is [`attempt_key`].
pub(crate) async fn whole(
    repository: &Repository,
    path: &str,
    receipt_path: &str,
    job: &JobControl,
) -> Result<Option<Receipt>, PipelineError> {
    let receipt = match repository.receipt_at(receipt_path).await {
        Ok(Some(receipt)) if receipt.storage_path == path => receipt,
        Ok(_) | Err(PipelineError::Integrity { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    match repository.verify_file(&receipt, VerifyLevel::Checksum, job).await {
        Ok(_) => Ok(Some(receipt)),
        Err(PipelineError::Integrity { .. } | PipelineError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
