use std::sync::Arc;

use backup_archive::{Amount, ArchiveReader, BaseName};
use backup_core::{BackupId, EntryKind, EntryPath, JobControl, PipelineError, Receipt};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Repository;
use super::file::{ArchivedFile, amount, find, lacking};
use crate::bridge::{BlobSource, blocking};

/// Bases that are opened at once.
const OPENED: usize = 8;

/// A backup's archive with all that it builds on, opened.
pub(crate) struct Chain {
    /// The archive, which reads through its bases.
    pub(crate) archive: Arc<ArchiveReader>,
    /// What it builds on, the backup that it was built on first.
    pub(crate) bases: Vec<Receipt>,
    /// The archives of these, each by itself.
    archives: Vec<ArchiveReader>,
}

/// What is wrong with a backup, and which one of its chain is at fault.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The backup that was asked for.
    pub(crate) of: BackupId,
    /// Itself, or one that it builds on.
    pub(crate) at: BackupId,
    pub(crate) error: PipelineError,
}

impl Fault {
    /// Whether it is the stored bytes that are not what was written, or not there: nothing that can pass by itself.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(
            self.error,
            PipelineError::Integrity { .. } | PipelineError::NotFound { .. }
        )
    }
}

impl From<Fault> for PipelineError {
    fn from(fault: Fault) -> Self {
        if fault.at == fault.of || !fault.is_broken() {
            return fault.error;
        }
        let (of, at) = (fault.of, fault.at);
        Self::integrity(
            format!("backup {of} builds on backup {at}, which is gone or not what was written"),
            format!("Use a backup that does not build on {at}."),
        )
        .because(fault.error)
    }
}

impl Repository {
    /// Opens the archive of a receipt and all that it builds on, each by its own receipt. Errors that tell of the storage
    /// or the key are as [`Self::open`] gives them.
    pub(crate) async fn open_chain(&self, receipt: &Receipt, job: &JobControl) -> Result<Chain, Fault> {
        let fault = |at, error| Fault {
            of: receipt.id,
            at,
            error,
        };
        let top = self.open_alone(receipt, job).await;
        let top = top.map_err(|error| fault(receipt.id, error))?;
        let names = top.bases();
        if names.first().map(|name| BackupId::from_bytes(name.archive_id)) != receipt.base_id {
            let error = PipelineError::integrity(
                format!(
                    "the receipt of backup {} and its archive do not build on the same",
                    receipt.id
                ),
                "Its receipt was exchanged with another; use another backup.",
            );
            return Err(fault(receipt.id, error));
        }
        let opened: Vec<(Receipt, ArchiveReader)> = stream::iter(names)
            .map(async |name| {
                let id = BackupId::from_bytes(name.archive_id);
                self.open_base(&name, job).await.map_err(|error| fault(id, error))
            })
            .buffered(OPENED)
            .try_collect()
            .await?;
        let (bases, archives): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let archive = top.attach(&archives).map_err(|error| fault(receipt.id, error))?;
        Ok(Chain {
            archive: Arc::new(archive),
            bases,
            archives,
        })
    }

    /// Opens exactly the archive that `name` names.
    async fn open_base(&self, name: &BaseName, job: &JobControl) -> Result<(Receipt, ArchiveReader), PipelineError> {
        let receipt = self.find(BackupId::from_bytes(name.archive_id)).await?;
        if receipt.archive.index_hmac != name.index_hmac {
            return Err(PipelineError::integrity(
                format!("the archive of backup {} is not the one that was built on", receipt.id),
                "It was exchanged in the storage; put the right one back.",
            ));
        }
        let archive = self.open_alone(&receipt, job).await?;
        Ok((receipt, archive))
    }

    /// Opens an archive without what it builds on: enough to check what is stored of it, and to see what it holds.
    pub(super) async fn open_alone(&self, receipt: &Receipt, job: &JobControl) -> Result<ArchiveReader, PipelineError> {
        let source = BlobSource::open(self.storage.clone(), &receipt.storage_path, job.clone()).await?;
        let (keys, seal, id) = (self.keys.clone(), receipt.archive.clone(), *receipt.id.as_bytes());
        blocking(move || ArchiveReader::open(Arc::new(source), &keys, &seal, id)).await
    }
}

impl Chain {
    /// Bytes that are stored of the whole chain, whose last archive `receipt` is of.
    pub(crate) fn stored_bytes(&self, receipt: &Receipt) -> u64 {
        receipt.size_bytes + self.bases.iter().map(|base| base.size_bytes).sum::<u64>()
    }

    /// One entry of a part, ready to be read; of a hard link the file that it is another name of.
    ///
    /// # Errors
    /// `NotFound` where the backup does not hold it.
    pub(crate) async fn file(&self, part: &str, path: &EntryPath) -> Result<ArchivedFile, PipelineError> {
        let archive = self.archive.clone();
        let (part, path) = (part.to_owned(), path.clone());
        blocking(move || {
            let mut entry = find(&archive, &part, &path)?;
            if let EntryKind::HardLink { target } = &entry.kind {
                entry = find(&archive, &part, target)?;
            }
            Ok(ArchivedFile { archive, part, entry })
        })
        .await
    }

    /// Those of these paths of a part of which the backup holds nothing, each with a hint.
    pub(crate) async fn lacking(
        &self,
        part: &str,
        paths: &[EntryPath],
    ) -> Result<Vec<(EntryPath, String)>, PipelineError> {
        let archive = self.archive.clone();
        let (part, paths) = (part.to_owned(), paths.to_vec());
        blocking(move || lacking(&archive, &part, &paths)).await
    }

    /// How much the backup holds at these paths of a part; `None` where that is too much to be counted while somebody waits.
    pub(crate) async fn amount(&self, part: &str, paths: &[EntryPath]) -> Result<Option<Amount>, PipelineError> {
        let archive = self.archive.clone();
        let (part, paths) = (part.to_owned(), paths.to_vec());
        blocking(move || amount(&archive, &part, paths)).await
    }

    /// Reads every stored byte of the chain and compares it with what was written, the oldest archive first. To be called
    /// on a blocking thread.
    pub(crate) fn verify_stored(&self, receipt: &Receipt, job: &JobControl) -> Result<(), Fault> {
        let of = receipt.id;
        for (base, archive) in self.bases.iter().zip(&self.archives).rev() {
            let stored = archive.verify_stored(job);
            stored.map_err(|error| Fault { of, at: base.id, error })?;
        }
        self.archive
            .verify_stored(job)
            .map_err(|error| Fault { of, at: of, error })
    }
}
