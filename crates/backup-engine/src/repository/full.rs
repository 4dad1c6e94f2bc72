use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use backup_archive::{ArchiveWriter, ByteSink, WriterOptions};
use backup_core::receipt::{archive_path, receipt_path};
use backup_core::{
    ArchiveSeal, BackupId, BackupType, Clock, IdGenerator, JobControl, ManualClock, PipelineError, Random, Receipt,
    Step,
};
use backup_storage::Upload;
use bytes::Bytes;

use super::Repository;
use super::file::unwritable;
use crate::backup::remove_all;
use crate::bridge::{abort, blocking, cancelled, start_upload};
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
        self.copy(receipt, receipt.id, encrypt, sink, options, job).await?;
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
        // By its time it stands beside the one that it is made of.
        let then = Arc::new(ManualClock::new(receipt.created_at));
        let id: BackupId = IdGenerator::new(then, options.random.clone())
            .next()
            .map_err(|error| PipelineError::failed("the system's randomness cannot be read", "").because(error))?;
        let (codec, encrypted) = (receipt.archive.codec, receipt.archive.encrypted);
        let path = archive_path(id, receipt.started_at, codec, encrypted);
        let receipt_path = receipt_path(id, receipt.started_at);
        let expected = Some(receipt.source_bytes);
        let (sink, transfer) = start_upload(
            self.storage.upload_sized(&path, expected).await?,
            job.clone(),
            None,
            None,
        );
        let copied = self.copy(receipt, id, encrypted, Box::new(sink), options, job).await;
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
            description: Some(described(receipt)),
            backup_type: BackupType::Full,
            size_bytes: seal.size_bytes,
            checksum: seal.sha256.clone(),
            completed_at: options.clock.now(),
            storage_path: path.clone(),
            base_id: None,
            archive: seal,
            mac: String::new(),
            ..receipt.clone()
        };
        let put = self.put(upload, &mut full, &receipt_path, job).await;
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
        job: &JobControl,
    ) -> Result<(), PipelineError> {
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
        let file = receipts::sign(full, self.keys.current())?;
        Ok(self.storage.put_receipt(receipt_path, file).await?)
    }

    /// Writes all that the backup holds into an archive that builds on nothing.
    async fn copy(
        &self,
        receipt: &Receipt,
        id: BackupId,
        encrypt: bool,
        sink: Box<dyn ByteSink>,
        options: &FullOptions,
        job: &JobControl,
    ) -> Result<ArchiveSeal, PipelineError> {
        let chain = self.open_chain(receipt, job).await?;
        let writer = WriterOptions {
            codec: receipt.archive.codec,
            encrypt,
            archive_id: *id.as_bytes(),
            workers: options.compressors,
            // Of the point in time that it stands for: files that were touched since are not taken for unchanged.
            created_at_secs: receipt.started_at.timestamp(),
        };
        let (keys, random) = (self.keys.clone(), options.random.clone());
        let (receipt, job) = (receipt.clone(), job.clone());
        blocking(move || {
            job.begin(Step::Verify, chain.stored_bytes(&receipt));
            chain.verify_stored(&receipt, &job)?;
            job.begin(Step::Archive, receipt.contents.size_bytes());
            let mut archive = ArchiveWriter::create(sink, keys.current(), writer, &*random)?;
            chain.archive.copy_to(&mut archive, &job)?;
            archive.finish()
        })
        .await
    }
}

fn described(receipt: &Receipt) -> String {
    let made = format!("consolidated from backup {}", receipt.id);
    match &receipt.description {
        Some(description) => format!("{description} ({made})"),
        None => made,
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
