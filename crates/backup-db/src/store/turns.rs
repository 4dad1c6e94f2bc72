//! The turns of a call: a writer's, and that of a connection.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Inner;
use crate::error::Error;
use crate::pool::{self, unavailable};

pub(super) type Turn = Option<OwnedSemaphorePermit>;

/// A writer's turn and that of a connection, until somebody takes them.
pub(super) type Held = Mutex<Option<(Turn, Turn)>>;

/// The turns of a call. Its transaction takes them when it begins; where the caller goes before, they are free again at once:
/// it may be long until there is a thread to begin on.
pub(super) struct Turns(pub(super) Arc<Held>);

impl Turns {
    pub(super) fn new(writer: Turn, connection: Turn) -> Self {
        Self(Arc::new(Mutex::new(Some((writer, connection)))))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        drop(take(&self.0));
    }
}

pub(super) fn take(held: &Held) -> Option<(Turn, Turn)> {
    held.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Inner {
    /// A place in the queue: no more threads wait than there are connections.
    pub(super) async fn turn(&self, queue: &Arc<Semaphore>) -> Result<Turn, Error> {
        let patience = pool::WAIT * 3;
        match tokio::time::timeout(patience, queue.clone().acquire_owned()).await {
            Ok(turn) => Ok(turn.ok()),
            Err(_) => Err(unavailable(&self.target, "too many calls wait for it")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use backup_core::{Outage, SystemClock};

    use super::*;
    use crate::store::{Kind, Store};

    /// As a transaction does whose server is stopped, while its machine still takes what is sent.
    #[tokio::test]
    async fn a_call_that_hangs_is_given_up_and_keeps_its_turn_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("catalog.db").display());
        let store = Store::open(&url, Arc::new(SystemClock)).await.unwrap();
        let (over, hangs) = mpsc::channel::<()>();
        let hung = store.run_within(Duration::from_secs(1), "hang", Kind::Write, move |_| {
            let _it_goes_on = hangs.recv();
            Ok(())
        });
        let error = hung.await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert_eq!(error.outage(), Outage::Silent);
        assert_eq!(store.0.writers.available_permits(), 0, "others would hang beside it");
        store.ping().await.unwrap();
        drop(over);
        store.write("go on", |_| Ok(())).await.unwrap();
    }
}
