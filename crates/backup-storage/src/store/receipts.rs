//! Receipts in the store: with its receipt a backup exists.

use std::sync::Arc;

use backup_core::BackupId;
use bytes::Bytes;
use futures_util::future;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::{Backend, BlobInfo, BlobStore};
use crate::error::Error;
use crate::folder::Folder;
use crate::path;

/// Bytes of the largest receipt that is written and read: more than a database of 100,000 tables needs.
pub const MAX_RECEIPT_BYTES: u64 = 8 << 20;

impl BlobStore {
    /// Writes a receipt, durably, unless there is one: with it the backup exists. Writing the very same receipt again
    /// succeeds, so that one whose answer was lost can be repeated.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where another receipt stands there; it is left as it is. [`Error::Failed`] for one of more
    /// than [`MAX_RECEIPT_BYTES`], which nobody would read.
    pub async fn put_receipt(&self, path: &str, json: Bytes) -> Result<(), Error> {
        path::check(self.at("create", path), path)?;
        let size = json.len() as u64;
        if size > MAX_RECEIPT_BYTES {
            return Err(self.at("create", path).failed(
                format_args!("a receipt of {size} bytes is more than is ever read"),
                "Back up fewer tables or parts at once.",
            ));
        }
        let created = match self.used().await? {
            Backend::Folder(folder) => {
                let (path, json) = (path.to_owned(), json.clone());
                // The thread sees that nobody waits any more when this one is gone.
                let caller = Arc::new(());
                let seen = Arc::downgrade(&caller);
                let create = move |folder: &Folder| folder.create(&path, &json, || seen.strong_count() > 0);
                let created = self.in_folder(folder, create).await;
                drop(caller);
                created
            }
            Backend::Remote(remote) => remote.create(path, json.clone()).await,
        };
        let Err(Error::AlreadyExists(detail)) = created else {
            return created;
        };
        if self.get_receipt(path).await?.is_none_or(|found| found != json) {
            return Err(Error::AlreadyExists(detail));
        }
        match &self.backend {
            Backend::Folder(folder) => {
                let path = path.to_owned();
                self.in_folder(folder, move |folder| folder.make_durable(&path)).await
            }
            Backend::Remote(_) => Ok(()),
        }
    }

    /// The receipt's bytes; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for one of more than [`MAX_RECEIPT_BYTES`].
    pub async fn get_receipt(&self, path: &str) -> Result<Option<Bytes>, Error> {
        let Some(size) = self.size(path).await? else {
            return Ok(None);
        };
        if size > MAX_RECEIPT_BYTES {
            return Err(self.at("read", path).too_large(
                format_args!("a receipt of {size} bytes is none of ours"),
                "Look at what wrote this file, and move it away.",
            ));
        }
        match self.get(path, 0..size).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Paths of all receipts, `YYYY/MM-DD/ID.json`, in no promised order, page by page as the stream is read.
    pub fn receipts(&self) -> BoxStream<'static, Result<String, Error>> {
        let receipt = |info: BlobInfo| future::ready(Ok(path::is_receipt(&info.path).then_some(info.path)));
        self.list().try_filter_map(receipt).boxed()
    }

    /// Where the receipt of the backup `id` is; `None` where it has none. The days after the time that is in the
    /// identifier are tried first, then all receipts are listed.
    pub async fn find_receipt(&self, id: &str) -> Result<Option<String>, Error> {
        let Ok(id) = id.parse::<BackupId>() else {
            return Ok(None);
        };
        for path in path::likely_receipts(id) {
            if self.size(&path).await?.is_some() {
                return Ok(Some(path));
            }
        }
        let name = format!("{id}.json");
        let mut receipts = self.receipts();
        while let Some(path) = receipts.try_next().await? {
            if path::name_of(&path) == name {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}
