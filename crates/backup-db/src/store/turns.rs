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
