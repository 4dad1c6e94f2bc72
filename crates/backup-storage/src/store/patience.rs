//! How long a store is waited for, and on whose thread.

use std::sync::Arc;
use std::time::Duration;

use super::{Backend, BlobStore};
use crate::error::{At, Error};
use crate::folder::Folder;
use crate::stall::within;

impl BlobStore {
    /// The same store for whoever waits for an answer: where it is away, that is told within seconds, and no transfer tries
    /// for longer. A job, which should outlive an outage, and a long download use the store itself. A folder is the same: a
    /// disk that sleeps needs its time.
    pub fn impatient(&self) -> Self {
        let backend = match &self.backend {
            Backend::Folder(folder) => Backend::Folder(Arc::clone(folder)),
            Backend::Remote(remote) => Backend::Remote(Arc::new(remote.impatient())),
        };
        Self {
            backend,
            opening: self.opening.clone(),
        }
    }

    /// The same store for whoever asks one thing again and again, and waits no longer than it likes: what a folder is asked
    /// ends when its thread does, however long its disk hangs, so that another thread is asked for only then. A remote store is
    /// the same: what it is asked holds no thread.
    pub fn patient(&self) -> Self {
        let backend = match &self.backend {
            Backend::Folder(folder) => Backend::Folder(Arc::new(folder.patient())),
            Backend::Remote(remote) => Backend::Remote(Arc::clone(remote)),
        };
        Self {
            backend,
            opening: self.opening.clone(),
        }
    }

    pub(super) async fn in_folder<T: Send + 'static>(
        &self,
        folder: &Arc<Folder>,
        work: impl FnOnce(&Folder) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = Arc::clone(folder);
        blocking(At::whole(self.name(), USE), folder.stall_timeout(), move || {
            work(&folder)
        })
        .await
    }
}

/// What is done with a folder where nothing says it closer.
pub(super) const USE: &str = "use the disk";

/// Runs work on a thread that may block; an error where it takes longer than the store may be silent.
pub(crate) async fn blocking<T: Send + 'static>(
    at: At<'_>,
    stall_timeout: Duration,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    within(stall_timeout, at, async {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(at.failed(format_args!("the thread ended: {error}"), "")),
        }
    })
    .await
}
