use std::io::{self, Write};

use backup_archive::decrypt_to;
use backup_core::{Entry, EntryPath, JobControl, PipelineError, Receipt, Step};

use super::{Repository, unwatched};
use crate::bridge::{BlobSource, blocking};

impl Repository {
    /// What stands directly in `folder` of a part, in order, from after `after`, `limit` at the most; found through the
    /// index without reading the archive.
    pub async fn contents(
        &self,
        receipt: &Receipt,
        part: &str,
        folder: EntryPath,
        after: Option<EntryPath>,
        limit: usize,
    ) -> Result<Vec<Entry>, PipelineError> {
        let archive = self.open(receipt, &unwatched()).await?;
        let part = part.to_owned();
        blocking(move || archive.list(&part, &folder, after.as_ref(), limit)).await
    }

    /// One entry of a part, found through the index.
    ///
    /// # Errors
    /// `NotFound` where the backup does not hold it.
    pub async fn entry(&self, receipt: &Receipt, part: &str, path: &EntryPath) -> Result<Entry, PipelineError> {
        let archive = self.open(receipt, &unwatched()).await?;
        let (part, path) = (part.to_owned(), path.clone());
        blocking(move || archive.find(&part, &path)?.ok_or_else(|| no_entry(&part, &path))).await
    }

    /// Writes the content of one file into `out` by reading only the members that hold it. Every byte has been checked.
    ///
    /// # Errors
    /// `NotFound` where the backup does not hold it, `Refused` where it has no content, `Integrity`.
    pub async fn extract(
        &self,
        receipt: &Receipt,
        part: &str,
        path: &EntryPath,
        mut out: impl Write + Send + 'static,
        job: &JobControl,
    ) -> Result<Entry, PipelineError> {
        let archive = self.open(receipt, job).await?;
        let (part, path) = (part.to_owned(), path.clone());
        blocking(move || {
            let (entry, mut content) = archive.open_file(&part, &path)?.ok_or_else(|| no_entry(&part, &path))?;
            copy(&mut content, &mut out)?;
            Ok(entry)
        })
        .await
    }

    /// Writes the plain archive (`.tar.gz` or `.tar.zst`) into `out`. The whole stored file is checked before the first
    /// byte is written.
    ///
    /// # Errors
    /// `Integrity` where the file is not the one that was written.
    pub async fn decrypt(
        &self,
        receipt: &Receipt,
        mut out: impl Write + Send + 'static,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        let archive = self.open(receipt, job).await?;
        let source = BlobSource::open(self.storage().clone(), &receipt.storage_path, job.clone()).await?;
        let seal = receipt.archive.clone();
        let (keys, job) = (self.keys().clone(), job.clone());
        job.begin(Step::Verify, receipt.size_bytes * 2);
        blocking(move || {
            archive.verify_stored(&job)?;
            let key = keys.find(&seal.key_fingerprint).ok_or_else(|| {
                PipelineError::wrong_key(
                    format!("no key {} is at hand", seal.key_fingerprint),
                    "Set BACKUP_ENCRYPTION_KEY_PREVIOUS to the passphrase of that time.",
                )
            })?;
            decrypt_to(&source, key, seal.encrypted, &mut out, &job)?;
            out.flush().map_err(unwritable)
        })
        .await
    }
}

fn no_entry(part: &str, path: &EntryPath) -> PipelineError {
    PipelineError::not_found(
        format!("the backup does not hold '{part}/{path}'"),
        "'backupctl show ID' names its parts.",
    )
}

fn unwritable(error: io::Error) -> PipelineError {
    PipelineError::failed("the output cannot be written", "Check the disk's space and the rights.").because(error)
}

/// Copies to the end. An error of the reading side that holds a [`PipelineError`] keeps its kind.
pub(crate) fn copy(from: &mut dyn io::Read, to: &mut dyn Write) -> Result<u64, PipelineError> {
    let mut buffer = vec![0; 256 << 10];
    let mut total = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(from_io(error)),
        };
        to.write_all(&buffer[..count]).map_err(unwritable)?;
        total += count as u64;
    }
    to.flush().map_err(unwritable)?;
    Ok(total)
}

fn from_io(error: io::Error) -> PipelineError {
    error
        .downcast::<PipelineError>()
        .unwrap_or_else(|error| PipelineError::failed("the archive cannot be read", "").because(error))
}
