use std::collections::HashMap;

use backup_core::{Backup, BackupId, PipelineError, Receipt};
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};

use super::{Repository, unknown};
use crate::receipts;

/// Receipts that are fetched at once while listing.
const FETCHES: usize = 16;

/// A receipt as it was found.
#[derive(Debug)]
pub enum ListedReceipt {
    /// It is ours and whole.
    Good(Box<Receipt>),
    /// It is damaged, exchanged, or made with a key that is not at hand. Never passed over in silence.
    Bad {
        /// Where it stands.
        path: String,
        /// What is wrong with it.
        error: PipelineError,
    },
}

impl Repository {
    /// Every receipt in the storage, in no particular order.
    pub fn receipts(&self) -> BoxStream<'_, Result<ListedReceipt, PipelineError>> {
        self.storage()
            .receipts()
            .map_err(PipelineError::from)
            .map_ok(move |path| self.read_receipt(path))
            .try_buffer_unordered(FETCHES)
            .try_filter_map(|listed| std::future::ready(Ok(listed)))
            .boxed()
    }

    /// Those of `receipts` whose archive is not in the storage in its full length; found by one listing, without reading.
    pub(super) async fn without_archive<'a>(&self, receipts: &'a [Receipt]) -> Result<Vec<&'a Receipt>, PipelineError> {
        let mut missing: HashMap<&str, &Receipt> = receipts
            .iter()
            .map(|receipt| (receipt.storage_path.as_str(), receipt))
            .collect();
        let mut blobs = self.storage().blobs();
        while let Some(blob) = blobs.try_next().await? {
            if missing
                .get(blob.path.as_str())
                .is_some_and(|receipt| receipt.size_bytes == blob.size)
            {
                missing.remove(blob.path.as_str());
            }
        }
        Ok(missing.into_values().collect())
    }

    /// Whether the archive of a receipt is there in its full length; found without reading it.
    ///
    /// # Errors
    /// `Integrity` where it is not, `Unavailable`.
    pub async fn check_length(&self, receipt: &Receipt) -> Result<(), PipelineError> {
        if self.storage().size(&receipt.storage_path).await? == Some(receipt.size_bytes) {
            return Ok(());
        }
        Err(PipelineError::integrity(
            format!(
                "the archive of backup {} is gone or not as long as its receipt says",
                receipt.id
            ),
            "It cannot be restored; remove it.",
        ))
    }

    /// `None`: deleted since it was listed.
    async fn read_receipt(&self, path: String) -> Result<Option<ListedReceipt>, PipelineError> {
        Ok(match self.receipt_at(&path).await {
            Ok(receipt) => receipt.map(|receipt| ListedReceipt::Good(Box::new(receipt))),
            Err(error @ (PipelineError::Integrity { .. } | PipelineError::WrongKey { .. })) => {
                Some(ListedReceipt::Bad { path, error })
            }
            Err(error) => return Err(error),
        })
    }

    /// The receipt at this path, authenticated; `None` where there is none.
    ///
    /// # Errors
    /// `Integrity` where it is damaged or exchanged, `WrongKey`, `Unavailable`.
    pub async fn receipt_at(&self, path: &str) -> Result<Option<Receipt>, PipelineError> {
        match self.storage().get_receipt(path).await? {
            Some(file) => receipts::open(path, &file, self.keys()).map(Some),
            None => Ok(None),
        }
    }

    /// The receipt of a backup.
    ///
    /// # Errors
    /// `NotFound`, `Integrity` where it is damaged or exchanged, `Unavailable`.
    pub async fn find(&self, id: BackupId) -> Result<Receipt, PipelineError> {
        let text = id.to_string();
        let Some(path) = self.storage().find_receipt(&text).await? else {
            return Err(unknown(self.storage(), &text));
        };
        self.receipt_at(&path)
            .await?
            .ok_or_else(|| unknown(self.storage(), &text))
    }

    /// The receipt of a backup that the catalog holds. A receipt is vouched for by any key at hand, one that was given up or
    /// another configuration's too; that it is the one that was written, only the catalog says.
    ///
    /// # Errors
    /// As [`Self::find`]; `Integrity` where the catalog knows another one.
    pub async fn find_known(&self, row: &Backup) -> Result<Receipt, PipelineError> {
        let receipt = self.find(row.id).await?;
        if agree(row, &receipt) {
            return Ok(receipt);
        }
        Err(PipelineError::integrity(
            format!(
                "the storage's receipt of backup {} is not the one that the catalog knows",
                row.id
            ),
            "It was exchanged in the storage; put the right one back.",
        ))
    }

    /// The receipt of the one backup whose identifier starts with `prefix`.
    ///
    /// # Errors
    /// As [`Self::find`]; `Refused` where several start with it.
    pub async fn find_prefix(&self, prefix: &str) -> Result<Receipt, PipelineError> {
        if let Ok(id) = prefix.parse() {
            return self.find(id).await;
        }
        let mut found = None;
        let mut paths = self.storage().receipts();
        while let Some(path) = paths.try_next().await? {
            let Some(id) = receipts::id_of(&path) else { continue };
            if id.to_string().starts_with(prefix) && found.replace(path).is_some() {
                return Err(PipelineError::refused(
                    format!("'{prefix}' is the beginning of several backups"),
                    "Give more of the identifier.",
                ));
            }
        }
        drop(paths);
        let missing = || unknown(self.storage(), prefix);
        self.receipt_at(&found.ok_or_else(missing)?).await?.ok_or_else(missing)
    }
}

fn agree(row: &Backup, receipt: &Receipt) -> bool {
    row.id == receipt.id
        && row.config_key == receipt.config_key
        && row.base_id == receipt.base_id
        && row.size_bytes == Some(receipt.size_bytes)
        && row.checksum.as_ref() == Some(&receipt.checksum)
        && row.storage_path.as_ref() == Some(&receipt.storage_path)
        // What is not encrypted needs no key, and the row names none.
        && row
            .key_fingerprint
            .as_ref()
            .is_none_or(|key| *key == receipt.archive.key_fingerprint)
}
