//! A FULL backup that is made of another one, from the storage alone: what it holds, and of which point in time, is that one's.

use std::sync::Arc;

use backup_archive::ByteSink;
use backup_core::{Backup, BackupId, LogLevel, PipelineError, Step, VerifyLevel};
use backup_storage::Upload;
use bytes::Bytes;

use super::write::{Written, into_upload, options};
use super::{Plan, base};
use crate::bridge::{UploadSink, blocking};
use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;
use crate::repository::{Fault, Repository};

/// Checks every stored byte of the backup `origin` and of all that it builds on, then writes what it holds into an upload, which
/// is complete and not yet committed. What is found missing or damaged is condemned in the catalog.
pub(super) async fn write(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    plan: &Plan,
    origin: BackupId,
) -> Result<(Upload, Written), JobError> {
    let job = held.job();
    let repository = plan.place.repository(engine);
    job.begin(Step::Preparing, 0);
    job.log(
        LogLevel::Info,
        format!("made of backup {origin} and of all that it builds on"),
    );
    let origin = match base::open(engine, held, &repository, origin).await? {
        Ok(origin) => Arc::new(origin),
        Err(fault) => return Err(failed(engine, held, &repository, fault).await),
    };
    engine.checkpoint(Checkpoint::BeforeFirstByte).await?;
    job.begin(Step::Verify, origin.chain.stored_bytes(&origin.receipt));
    let (checked, checking) = (origin.clone(), job.clone());
    let stored = blocking(move || Ok(checked.chain.verify_stored(&checked.receipt, &checking))).await?;
    if let Err(fault) = stored {
        return Err(failed(engine, held, &repository, fault).await);
    }
    // Of the point in time that it stands for: files that were touched since are not taken for unchanged.
    let options = options(engine, backup, plan, origin.receipt.started_at);
    let (keys, random, checkpoints) = (
        plan.place.keys.clone(),
        engine.random.clone(),
        engine.checkpoints.clone(),
    );
    let (copied, copying) = (origin.clone(), job.clone());
    let size = origin.receipt.contents.size_bytes();
    let written = into_upload(engine, job, plan, Some(size), move |sink| {
        let receipt = &copied.receipt;
        let sink = Watched {
            sink,
            checkpoints: Some(checkpoints),
        };
        let seal = copied
            .chain
            .copy(receipt, Box::new(sink), keys.current(), options, &*random, &copying)?;
        let mut warnings = receipt.warnings.clone();
        warnings.extend(copying.warnings());
        Ok(Written {
            seal,
            contents: receipt.contents.clone(),
            warnings,
            // As many as a full backup of then would have read.
            source_bytes: size,
        })
    });
    match written.await {
        // Every stored byte was right a moment ago: so it may be what they were put together to.
        Err(JobError::Failed(error @ PipelineError::Integrity { .. })) => {
            let level = VerifyLevel::Content;
            Err(base::examine(engine, held, &repository, &origin.receipt, level, error).await)
        }
        // All that it reads is in the storage.
        Err(JobError::Failed(error)) => Err(JobError::storage(error)),
        written => written,
    }
}

/// What is not there as it was written is condemned; there is nothing else to make the backup of.
async fn failed(engine: &Engine, held: &HeldLease, repository: &Repository, fault: Fault) -> JobError {
    if fault.is_broken()
        && let Err(error) = base::condemn(engine, held, repository, &fault).await
    {
        return error;
    }
    JobError::storage(fault.into())
}

/// The archive's end of the upload, which passes a checkpoint once, when the first bytes come.
struct Watched {
    sink: UploadSink,
    checkpoints: Option<Checkpoints>,
}

impl ByteSink for Watched {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        if let Some(checkpoints) = self.checkpoints.take() {
            checkpoints(Checkpoint::InChain)?;
        }
        self.sink.write(bytes)
    }
}
