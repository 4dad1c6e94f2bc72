use std::io::Write;

use backup_archive::decrypt_to;
use backup_core::{Entry, EntryPath, JobControl, PipelineError, Receipt, Step};

use super::file::{ArchivedFile, find, lacking, unwritable};
use super::{Repository, unwatched};
use crate::bridge::{BlobSource, blocking};

/// The part of an archive that holds the files.
const FILES_PART: &str = "files";

impl Repository {
    /// Whether the files of a backup hold something at each of these paths; found through the index. A restore learns of one
    /// that is not there only at its end.
    ///
    /// # Errors
    /// `NotFound` for the first of which they hold nothing.
    pub async fn check_paths(&self, receipt: &Receipt, paths: &[EntryPath]) -> Result<(), PipelineError> {
        let archive = self.open_alone(receipt, &unwatched()).await?;
        let paths = paths.to_vec();
        let lacking = blocking(move || lacking(&archive, FILES_PART, &paths)).await?;
        match lacking.into_iter().next() {
            Some((path, hint)) => Err(PipelineError::not_found(
                format!("the backup's files do not hold '{path}'"),
                hint,
            )),
            None => Ok(()),
        }
    }

    /// One entry of a part, found through the index.
    ///
    /// # Errors
    /// `NotFound` where the backup does not hold it.
    pub async fn entry(&self, receipt: &Receipt, part: &str, path: &EntryPath) -> Result<Entry, PipelineError> {
        let archive = self.open_alone(receipt, &unwatched()).await?;
        let (part, path) = (part.to_owned(), path.clone());
        blocking(move || find(&archive, &part, &path)).await
    }

    /// One entry of a part, ready to be read; of a hard link the file that it is another name of.
    ///
    /// # Errors
    /// `NotFound` where the backup does not hold it.
    pub async fn file(
        &self,
        receipt: &Receipt,
        part: &str,
        path: &EntryPath,
        job: &JobControl,
    ) -> Result<ArchivedFile, PipelineError> {
        self.open_chain(receipt, job).await?.file(part, path).await
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
        out: impl Write + Send + 'static,
        job: &JobControl,
    ) -> Result<Entry, PipelineError> {
        let file = self.file(receipt, part, path, job).await?;
        let entry = file.entry().clone();
        file.write_to(out).await?;
        Ok(entry)
    }

    /// Writes the plain archive (`.tar.gz` or `.tar.zst`), as it is stored, into `out`. The whole stored file is checked before the first
    /// byte is written, and as it is read again for that.
    ///
    /// # Errors
    /// `Integrity` where the file is not the one that was written; where it was changed in between, `out` is cut short.
    pub async fn decrypt(
        &self,
        receipt: &Receipt,
        mut out: impl Write + Send + 'static,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        // What it builds on stands elsewhere.
        let archive = self.open_alone(receipt, job).await?;
        let source = BlobSource::open(self.storage().clone(), &receipt.storage_path, job.clone()).await?;
        let seal = receipt.archive.clone();
        let (keys, job) = (self.keys().clone(), job.clone());
        job.begin(Step::Verify, receipt.size_bytes * 2);
        blocking(move || {
            archive.verify_stored(&job)?;
            let key = keys.require(&seal.key_fingerprint, "the archive")?;
            decrypt_to(&source, key, &seal, &mut out, &job)?;
            out.flush().map_err(unwritable)
        })
        .await
    }
}
