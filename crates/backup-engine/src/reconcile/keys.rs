//! Which keys the backups need that a version made which did not write it down.

use backup_core::{BackupId, PipelineError};

use super::stored::beside;
use super::{Shelf, Trouble};
use crate::engine::Engine;
use crate::error::Error;
use crate::receipts;

/// Receipts whose keys are written down at once.
const BATCH: u32 = 200;

/// The end of an archive's name that needs a key.
const ENCRYPTED: &str = ".enc";

impl Engine {
    /// Writes down the keys that receipts name, so that one that is missing is told of. A receipt that none of the keys at hand
    /// made names its key all the same, and cannot be checked: an alert about a key that never was is the worst that comes of
    /// believing it.
    pub(super) async fn note_keys(&self, shelf: &Shelf, trouble: &mut Trouble) -> Result<(), Error> {
        for config_key in &shelf.config_keys {
            let mut after: Option<BackupId> = None;
            loop {
                let batch = self.store.without_key(config_key, after, BATCH).await?;
                let Some((last, _)) = batch.last() else { break };
                after = Some(*last);
                let mut keys = Vec::new();
                for (id, path) in batch.into_iter().filter(|(_, path)| path.ends_with(ENCRYPTED)) {
                    let receipt = beside(&path, id);
                    let key = key_of(shelf, &receipt).await.map_err(Error::from);
                    let key = trouble.of_one(config_key, &receipt, key)?.flatten();
                    keys.extend(key.map(|key| (id, key)));
                }
                self.store.note_keys(keys).await?;
            }
        }
        Ok(())
    }
}

/// The key of the receipt at this path; `None` where it is gone or damaged, which others tell of.
async fn key_of(shelf: &Shelf, path: &str) -> Result<Option<String>, PipelineError> {
    let Some(file) = shelf.place.storage.get_receipt(path).await? else {
        return Ok(None);
    };
    Ok(match receipts::open(path, &file, &shelf.place.keys) {
        Ok(receipt) => Some(receipt.archive.key_fingerprint),
        Err(PipelineError::WrongKey { .. }) => receipts::key_named(&file),
        Err(_) => None,
    })
}
