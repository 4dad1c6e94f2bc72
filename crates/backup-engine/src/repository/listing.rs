use std::collections::HashMap;

use backup_core::{Backup, BackupId, PipelineError, Receipt};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::{Repository, unknown};
use crate::places::of_the_whole;
use crate::receipts;

/// Receipts that are fetched at once while listing.
const FETCHES: usize = 16;

/// So many that cannot be read, and none that can, are no longer the trouble of single files.
const WITHHELD: usize = 1000;

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
    /// It cannot be read, while others can: the disk fails there, or its rights or its tier do not let it. What it says, nobody
    /// knows: whoever must not miss a backup takes this for an error.
    Unreadable {
        /// Where it stands.
        path: String,
        /// Why it cannot be read.
        error: PipelineError,
    },
}

type Listed<'a> = BoxStream<'a, Result<ListedReceipt, PipelineError>>;

impl Repository {
    /// Every receipt in the storage, in no particular order. A storage that is away, or of which no receipt can be read, is an
    /// error.
    pub fn receipts(&self) -> BoxStream<'_, Result<ListedReceipt, PipelineError>> {
        let listed = self
            .storage()
            .receipts()
            .map_err(PipelineError::from)
            .map_ok(move |path| self.read_receipt(path))
            .try_buffer_unordered(FETCHES)
            .try_filter_map(|listed| std::future::ready(Ok(listed)));
        believed(listed.boxed())
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
            format!("Bring it back to '{}', or remove the backup.", receipt.storage_path),
        ))
    }

    /// `None`: deleted since it was listed.
    async fn read_receipt(&self, path: String) -> Result<Option<ListedReceipt>, PipelineError> {
        Ok(match self.receipt_at(&path).await {
            Ok(receipt) => receipt.map(|receipt| ListedReceipt::Good(Box::new(receipt))),
            Err(error @ (PipelineError::Integrity { .. } | PipelineError::WrongKey { .. })) => {
                Some(ListedReceipt::Bad { path, error })
            }
            Err(error) => {
                let error = self.of_one_file(error).await?;
                Some(ListedReceipt::Unreadable { path, error })
            }
        })
    }

    /// The same error, where it is the trouble of the one file that was read, and the storage still lets us look into it.
    ///
    /// # Errors
    /// What is not: a cancellation, a storage that is away.
    pub(crate) async fn of_one_file(&self, error: PipelineError) -> Result<PipelineError, PipelineError> {
        if matches!(error, PipelineError::Cancelled | PipelineError::Unavailable { .. }) {
            return Err(error);
        }
        self.storage().check().await?;
        Ok(error)
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
        let found = self.storage().find_receipt(&text).await;
        let Some(path) = found.map_err(|error| of_the_whole(error.into()))? else {
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

/// The same receipts; those that cannot be read wait until one could be. Where none can, the error is the storage's.
fn believed(listed: Listed<'_>) -> Listed<'_> {
    let waiting = Waiting {
        listed,
        unreadable: Vec::new(),
        is_any_read: false,
    };
    stream::try_unfold(waiting, |mut waiting| async move {
        let next = waiting.next().await?;
        Ok(next.map(|receipt| (receipt, waiting)))
    })
    .boxed()
}

struct Waiting<'a> {
    listed: Listed<'a>,
    /// Path and error of those that wait.
    unreadable: Vec<(String, PipelineError)>,
    is_any_read: bool,
}

impl Waiting<'_> {
    async fn next(&mut self) -> Result<Option<ListedReceipt>, PipelineError> {
        loop {
            if self.is_any_read
                && let Some((path, error)) = self.unreadable.pop()
            {
                return Ok(Some(ListedReceipt::Unreadable { path, error }));
            }
            match self.listed.try_next().await? {
                Some(ListedReceipt::Unreadable { path, error }) if !self.is_any_read => {
                    if self.unreadable.len() == WITHHELD {
                        return Err(error);
                    }
                    self.unreadable.push((path, error));
                }
                Some(receipt) => {
                    self.is_any_read = true;
                    return Ok(Some(receipt));
                }
                None => return self.unreadable.pop().map_or(Ok(None), |(_, error)| Err(error)),
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable(path: &str) -> ListedReceipt {
        ListedReceipt::Unreadable {
            path: path.to_owned(),
            error: PipelineError::refused(format!("cannot read {path}"), "Give the right to."),
        }
    }

    /// One that was read.
    fn bad() -> ListedReceipt {
        ListedReceipt::Bad {
            path: "bad".to_owned(),
            error: PipelineError::integrity("the receipt 'bad' is not JSON", ""),
        }
    }

    async fn told(listed: Vec<ListedReceipt>) -> Result<Vec<String>, PipelineError> {
        let listed = stream::iter(listed.into_iter().map(Ok)).boxed();
        let path = |receipt| match receipt {
            ListedReceipt::Bad { path, .. } | ListedReceipt::Unreadable { path, .. } => path,
            ListedReceipt::Good(receipt) => receipt.name,
        };
        let mut told: Vec<String> = believed(listed).map_ok(path).try_collect().await?;
        told.sort();
        Ok(told)
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_one_file_s_trouble_where_another_can() {
        assert_eq!(told(Vec::new()).await.unwrap(), Vec::<String>::new());
        for listed in [
            vec![unreadable("a"), bad(), unreadable("z")],
            vec![unreadable("z"), unreadable("a"), bad()],
            vec![bad(), unreadable("a"), unreadable("z")],
        ] {
            assert_eq!(told(listed).await.unwrap(), ["a", "bad", "z"]);
        }
    }

    #[tokio::test]
    async fn a_storage_of_which_nothing_can_be_read_is_an_error_with_its_hint() {
        let all = |count: usize| (0..count).map(|_| unreadable("a")).collect::<Vec<_>>();
        for count in [1, 2, WITHHELD + 1] {
            let error = told(all(count)).await.unwrap_err();
            assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains("HINT: Give the right to."), "{error}");
        }
    }
}
