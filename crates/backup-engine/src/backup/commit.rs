use backup_core::receipt::RECEIPT_VERSION;
use backup_core::{Backup, JobStatus, LogLevel, PipelineError, Receipt};
use backup_storage::{BlobStore, Error as StorageError, Upload};
use bytes::Bytes;

use super::Plan;
use super::write::Written;
use crate::Checkpoint;
use crate::bridge::{abort, cancelled};
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;
use crate::receipts;

/// Makes the blob visible, then the backup: the receipt is what makes it exist. On an error the caller removes both.
pub(super) async fn commit(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    plan: &Plan,
    upload: Upload,
    written: Written,
) -> Result<Receipt, JobError> {
    engine.checkpoint(Checkpoint::BeforeCommit).await?;
    if let Err(error) = held.confirm().await {
        abort(upload).await;
        return Err(error.into());
    }
    // What a commit that is given up may still leave is a blob without a receipt, which the caller removes.
    let size = tokio::select! {
        size = upload.finish() => size.map_err(not_finished)?,
        () = cancelled(held.job()) => return Err(JobError::Stopped),
    };
    if size != written.seal.size_bytes {
        return Err(JobError::Failed(PipelineError::integrity(
            format!(
                "{} took {size} bytes of '{}', and {} were written",
                plan.place.storage.describe(),
                plan.path,
                written.seal.size_bytes
            ),
            "Check the storage, then start a new backup.",
        )));
    }
    let storage = plan.place.storage.describe();
    let text = format!("the archive is in {storage}: '{}', {size} bytes", plan.path);
    held.job().log(LogLevel::Info, text);
    engine.checkpoint(Checkpoint::BeforeReceipt).await?;
    held.confirm().await?;
    engine.checkpoint(Checkpoint::ReceiptConfirmed).await?;
    let mut receipt = receipt(engine, backup, plan, written);
    let file = receipts::sign(&mut receipt, plan.place.keys.current())?;
    put_receipt(engine, held, &plan.place.storage, &plan.receipt_path, file).await?;
    let text = format!("its receipt stands beside it: '{}'", plan.receipt_path);
    held.job().log(LogLevel::Info, text);
    engine.checkpoint(Checkpoint::BeforeRow).await?;
    Ok(receipt)
}

/// An archive that stands there already is that of a worker which had lost its lease: it is removed, and the next attempt
/// finds the place free.
fn not_finished(error: StorageError) -> JobError {
    match error {
        taken @ StorageError::AlreadyExists(_) => JobError::Again(taken.into()),
        error => JobError::storage(error.into()),
    }
}

fn receipt(engine: &Engine, backup: &Backup, plan: &Plan, written: Written) -> Receipt {
    Receipt {
        version: RECEIPT_VERSION,
        id: backup.id,
        name: plan.name(backup),
        description: backup.description.clone(),
        config_key: backup.config_key.clone(),
        backup_type: plan.backup_type(backup),
        source: backup.source,
        trigger: backup.trigger,
        status: JobStatus::Completed,
        size_bytes: written.seal.size_bytes,
        source_bytes: written.source_bytes,
        checksum: written.seal.sha256.clone(),
        created_at: backup.created_at,
        started_at: plan.started_at,
        completed_at: engine.clock.now(),
        storage_path: plan.path.clone(),
        base_id: plan.base.as_ref().map(|base| base.receipt.id),
        consolidated_from: backup.consolidated_from,
        schedule_id: backup.schedule_id,
        contents: written.contents,
        warnings: written.warnings,
        archive: written.seal,
        mac: String::new(),
    }
}

/// Puts the receipt, create-only. Another one that stands there is that of a worker which took the job over, or which had
/// lost it: it is left as it is. So is ours where this worker lost the job in the very moment: the new owner may have found
/// it beside our archive and adopted both. Where it has not, it finds the receipt in its own one's way, and removes it.
async fn put_receipt(
    engine: &Engine,
    held: &HeldLease,
    storage: &BlobStore,
    path: &str,
    file: Bytes,
) -> Result<(), JobError> {
    let mut put = storage.put_receipt(path, file.clone()).await;
    if put
        .as_ref()
        .is_err_and(|error| !matches!(error, StorageError::AlreadyExists(_)))
    {
        // Only its answer may be lost, or its name not yet durable: to be there is not enough, so the store is asked again.
        put = storage.put_receipt(path, file.clone()).await;
    }
    match put {
        Ok(()) => {}
        Err(taken @ StorageError::AlreadyExists(_)) => return Err(JobError::Again(taken.into())),
        Err(error) => return Err(JobError::storage(error.into())),
    }
    engine.checkpoint(Checkpoint::ReceiptPut).await?;
    Ok(held.owned().await?)
}

/// Removes whatever a backup has in the storage. The receipt goes first: a blob without a receipt is not listed, a receipt
/// without its blob would be. May be interrupted and repeated.
pub(crate) async fn remove_all(storage: &BlobStore, path: &str, receipt_path: &str) -> Result<(), PipelineError> {
    storage.delete(receipt_path).await?;
    storage.delete(path).await?;
    Ok(storage.discard_partial(path).await?)
}

/// [`remove_all`] of a job that this worker holds. The next worker writes to the same paths, so the catalog is asked before
/// each step, and a request under way is given up where the job is lost: what is left is the next worker's to remove.
///
/// # Errors
/// `Cancelled` where the job is lost.
pub(super) async fn remove_own(
    engine: &Engine,
    held: &HeldLease,
    storage: &BlobStore,
    path: &str,
    receipt_path: &str,
) -> Result<(), PipelineError> {
    let removal = async {
        still_own(engine, held).await?;
        storage.delete(receipt_path).await?;
        still_own(engine, held).await?;
        storage.delete(path).await?;
        still_own(engine, held).await?;
        storage.discard_partial(path).await?;
        Ok::<(), PipelineError>(())
    };
    tokio::select! {
        removed = removal => removed,
        () = held.until_lost() => Err(PipelineError::Cancelled),
    }
}

async fn still_own(engine: &Engine, held: &HeldLease) -> Result<(), PipelineError> {
    engine.checkpoint(Checkpoint::BeforeRemoval).await?;
    held.owned().await
}
