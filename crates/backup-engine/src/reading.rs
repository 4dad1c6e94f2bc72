//! Reading a backup's file while nobody deletes it.

use std::time::Duration;

use backup_core::{BackupId, ReadingId};
use backup_db::{Error, Store};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::engine::Engine;
use crate::logging::Action;

/// How long a backup is held for a reader that is no longer heard of.
const HOLD: Duration = Duration::from_mins(2);
/// How often a reader says that it is there.
const BEAT: Duration = Duration::from_secs(30);

/// A backup that is being read: it is not deleted until this is dropped, or two minutes after the process died.
#[derive(Debug)]
pub struct Reading {
    store: Store,
    id: ReadingId,
    heart: JoinHandle<()>,
    ended: bool,
}

impl Reading {
    /// Ends it: when this returns, the backup may be deleted. Dropped, it ends soon after.
    pub async fn end(mut self) {
        self.heart.abort();
        match self.store.end_reading(self.id).await {
            Ok(()) => self.ended = true,
            Err(error) => tracing::debug!(%error, "the end of a reading could not be said"),
        }
    }
}

impl Engine {
    /// Begins to read a backup's file.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED.
    pub async fn begin_reading(&self, backup: BackupId) -> Result<Reading, Error> {
        let (store, id) = (self.store.clone(), self.store.begin_reading(backup, HOLD).await?);
        let heart = tokio::spawn(keep(store.clone(), id, backup));
        Ok(Reading {
            store,
            id,
            heart,
            ended: false,
        })
    }
}

async fn keep(store: Store, id: ReadingId, backup: BackupId) {
    loop {
        tokio::time::sleep(BEAT).await;
        match store.keep_reading(id, HOLD).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(action = %Action::LeaseLost, backup_id = %backup, "backup {backup} may be deleted while it is read");
                return;
            }
            // The hold outlives some beats.
            Err(error) => tracing::warn!(
                action = %Action::CatalogUnavailable, backup_id = %backup, %error,
                "that backup {backup} is being read could not be said again"
            ),
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.heart.abort();
        if self.ended {
            return;
        }
        let (store, id) = (self.store.clone(), self.id);
        // Outside of a runtime, and where this fails, it runs out.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = store.end_reading(id).await {
                    tracing::debug!(%error, "the end of a reading could not be said");
                }
            });
        }
    }
}
