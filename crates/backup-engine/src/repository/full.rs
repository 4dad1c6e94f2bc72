use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use backup_archive::{ArchiveKey, ArchiveWriter, ByteSink, WriterOptions};
use backup_core::backup::full_name;
use backup_core::receipt::{archive_path, receipt_path};
use backup_core::{
    ArchiveSeal, BackupId, BackupTrigger, BackupType, Clock, IdGenerator, JobControl, ManualClock, PipelineError,
    Random, Receipt, Step,
};
use backup_storage::Upload;
use bytes::Bytes;
use chrono::TimeDelta;

use super::file::unwritable;
use super::{Chain, Repository};
use crate::backup::remove_all;
use crate::bridge::{abort, blocking, cancelled, start_upload};
use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::receipts;

/// What making an archive needs beside the backup.
#[derive(Clone)]
pub struct FullOptions {
    /// Threads that compress.
    pub compressors: usize,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for keys and identifiers.
    pub random: Arc<dyn Random>,
    /// Called at each checkpoint of a consolidation.
    pub checkpoints: Checkpoints,
}

impl FullOptions {
    /// For an archive `id` of what `receipt` stands for.
    fn writer(&self, receipt: &Receipt, id: BackupId, encrypt: bool) -> WriterOptions {
        WriterOptions {
            codec: receipt.archive.codec,
            encrypt,
            archive_id: *id.as_bytes(),
            workers: self.compressors,
            // Of the point in time that it stands for: files that were touched since are not taken for unchanged.
            created_at_secs: receipt.started_at.timestamp(),
        }
    }

    async fn checkpoint(&self, reached: Checkpoint) -> Result<(), PipelineError> {
        let checkpoints = self.checkpoints.clone();
        blocking(move || checkpoints(reached)).await
    }
}

impl Repository {
    /// Writes one archive that stands alone, and restores to the same as this backup, into `out`. Every stored byte of the
    /// chain is checked before the first one is written. The archive is compressed as the backup is, and encrypted where
    /// that is, with the current key; with `decrypted` it is not.
    ///
    /// # Errors
    /// `Integrity` where a stored file is not the one that was written.
    pub async fn write_full(
        &self,
        receipt: &Receipt,
        out: impl Write + Send + 'static,
        decrypted: bool,
        options: &FullOptions,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        let out = Arc::new(Mutex::new(out));
        let sink = Box::new(WriteSink(out.clone()));
        let encrypt = receipt.archive.encrypted && !decrypted;
        let chain = self.open_whole(receipt, job).await?;
        let writer = options.writer(receipt, receipt.id, encrypt);
        self.copy(chain, receipt, writer, sink, options, job).await?;
        blocking(move || {
            let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
            out.flush().map_err(unwritable)
        })
        .await
    }

    /// Makes a FULL backup of one that builds on others, from the storage alone: for the same point in time, with an
    /// identifier of its own. Broken off anywhere it leaves nothing that is listed; nothing that is there is changed.
    ///
    /// # Errors
    /// `Refused` where the backup is FULL already, `Integrity` where its chain is not what was written, `Unavailable`.
    pub async fn consolidate(
        &self,
        receipt: &Receipt,
        options: &FullOptions,
        job: &JobControl,
    ) -> Result<Receipt, PipelineError> {
        if receipt.base_id.is_none() {
            return Err(PipelineError::refused(
                format!("backup {} stands alone already", receipt.id),
                "Only what builds on another backup can be made into a full one.",
            ));
        }
        // By its time it stands beside the one that it is made of, and behind it.
        let then = Arc::new(ManualClock::new(receipt.created_at + TimeDelta::milliseconds(1)));
        let id: BackupId = IdGenerator::new(then, options.random.clone())
            .next()
            .map_err(|error| PipelineError::failed("the system's randomness cannot be read", "").because(error))?;
        let (codec, encrypted) = (receipt.archive.codec, receipt.archive.encrypted);
        let path = archive_path(id, receipt.started_at, codec, encrypted);
        let receipt_path = receipt_path(id, receipt.started_at);
        // Of a long chain this takes its time, in which an upload that gets no byte would pass for what a dead one left.
        let chain = self.open_whole(receipt, job).await?;
        options.checkpoint(Checkpoint::BeforeFirstByte).await?;
        let size = receipt.contents.size_bytes();
        let upload = self.storage.upload_sized(&path, Some(size)).await?;
        let (sink, transfer) = start_upload(upload, job.clone(), None, None);
        let sink = Box::new(Watched {
            sink,
            at: Some(Checkpoint::InChain),
            checkpoints: options.checkpoints.clone(),
        });
        let writer = options.writer(receipt, id, encrypted);
        let copied = self.copy(chain, receipt, writer, sink, options, job).await;
        let (upload, seal) = match (transfer.done().await, copied) {
            (Ok(upload), Ok(seal)) => (upload, seal),
            (Ok(upload), Err(error)) => {
                abort(upload).await;
                return Err(error);
            }
            (Err(storage), copied) => {
                // Where the storage failed the archive could only notice that nobody took its bytes.
                return Err(match copied {
                    Err(error @ PipelineError::Integrity { .. }) => error,
                    _ => storage,
                });
            }
        };
        let mut full = Receipt {
            id,
            name: full_name(&receipt.name, receipt.source, receipt.backup_type, receipt.created_at),
            backup_type: BackupType::Full,
            // No schedule has asked for it, so none lets it go.
            trigger: BackupTrigger::Manual,
            size_bytes: seal.size_bytes,
            // As many as a full backup of then would have read.
            source_bytes: size,
            checksum: seal.sha256.clone(),
            completed_at: options.clock.now(),
            storage_path: path.clone(),
            base_id: None,
            consolidated_from: Some(receipt.id),
            archive: seal,
            mac: String::new(),
            ..receipt.clone()
        };
        let put = self.put(upload, &mut full, &receipt_path, options, job).await;
        if put.is_err()
            && let Err(error) = remove_all(&self.storage, &path, &receipt_path).await
        {
            // Why it failed matters more; what is left is not listed, and removed by a reconciliation.
            tracing::warn!(
                action = %crate::logging::Action::StorageUnavailable, backup_id = %id, error = %error.full_text(),
                "what was made of backup {} could not be removed", receipt.id
            );
        }
        put.map(|()| full)
    }

    /// Makes the archive visible, then the backup.
    async fn put(
        &self,
        upload: Upload,
        full: &mut Receipt,
        receipt_path: &str,
        options: &FullOptions,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        options.checkpoint(Checkpoint::BeforeCommit).await?;
        let size = tokio::select! {
            size = upload.finish() => size?,
            () = cancelled(job) => return Err(PipelineError::Cancelled),
        };
        if size != full.size_bytes {
            return Err(PipelineError::integrity(
                format!("the storage took {size} bytes of {}", full.size_bytes),
                "Check the storage, then try again.",
            ));
        }
        options.checkpoint(Checkpoint::BeforeReceipt).await?;
        let file = receipts::sign(full, self.keys.current())?;
        self.storage.put_receipt(receipt_path, file).await?;
        // Whoever stood still before the receipt for very long may come back to an archive that was taken for a dead one's.
        if self.storage.size(&full.storage_path).await? != Some(full.size_bytes) {
            return Err(PipelineError::integrity(
                "the new archive was removed from the storage before its receipt stood beside it",
                "What it was made of is as it was: try again.",
            ));
        }
        options.checkpoint(Checkpoint::BeforeRow).await
    }

    /// Opens the backup with all that it builds on, and checks every stored byte of it.
    async fn open_whole(&self, receipt: &Receipt, job: &JobControl) -> Result<Chain, PipelineError> {
        let chain = self.open_chain(receipt, job).await?;
        let (receipt, job) = (receipt.clone(), job.clone());
        blocking(move || {
            job.begin(Step::Verify, chain.stored_bytes(&receipt));
            chain.verify_stored(&receipt, &job)?;
            Ok(chain)
        })
        .await
    }

    /// Writes all that the backup holds into an archive that builds on nothing.
    async fn copy(
        &self,
        chain: Chain,
        receipt: &Receipt,
        writer: WriterOptions,
        sink: Box<dyn ByteSink>,
        options: &FullOptions,
        job: &JobControl,
    ) -> Result<ArchiveSeal, PipelineError> {
        let (keys, random) = (self.keys.clone(), options.random.clone());
        let (receipt, job) = (receipt.clone(), job.clone());
        blocking(move || chain.copy(&receipt, sink, keys.current(), writer, &*random, &job)).await
    }
}

impl Chain {
    /// Writes all that the chain holds at its last archive, which `receipt` is of, into an archive that builds on nothing. To
    /// be called on a blocking thread.
    pub(crate) fn copy(
        &self,
        receipt: &Receipt,
        sink: Box<dyn ByteSink>,
        key: &ArchiveKey,
        options: WriterOptions,
        random: &dyn Random,
        job: &JobControl,
    ) -> Result<ArchiveSeal, PipelineError> {
        job.begin(Step::Archive, receipt.contents.size_bytes());
        let mut archive = ArchiveWriter::create(sink, key, options, random)?;
        self.archive.copy_to(&mut archive, job)?;
        archive.finish()
    }
}

/// An archive's bytes on their way to somebody's output.
struct WriteSink<W>(Arc<Mutex<W>>);

impl<W: Write + Send> ByteSink for WriteSink<W> {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&bytes).map_err(unwritable)
    }
}

/// An archive's bytes on their way to an upload, with a checkpoint behind the first of them.
struct Watched<S> {
    sink: S,
    at: Option<Checkpoint>,
    checkpoints: Checkpoints,
}

impl<S: ByteSink> ByteSink for Watched<S> {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.sink.write(bytes)?;
        self.at.take().map_or(Ok(()), |at| (self.checkpoints)(at))
    }
}
