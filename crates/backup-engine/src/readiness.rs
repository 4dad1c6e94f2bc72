//! Whether catalog and storage answer, for the probes of every process. Anybody may ask those: what they are told has neither
//! host nor path, which are in the log.

use std::fmt;
use std::time::Duration;

use backup_core::{Outage, PipelineError};
use backup_db::Store;
use backup_storage::BlobStore;
use tokio::time::timeout;

use crate::logging::Action;

/// How long each has to answer: longer than either goes on trying, so that it is known why it does not.
const PATIENCE: Duration = Duration::from_secs(5);

/// What does not answer, and how it is away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    what: &'static str,
    kind: &'static str,
    outage: Outage,
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} ({}) {}", self.what, self.kind, self.outage)
    }
}

/// Whether the catalog answers. Changes nothing.
///
/// # Errors
/// Within seconds, where it does not.
pub async fn catalog_answers(store: &Store) -> Result<(), Away> {
    let outage = match timeout(PATIENCE, store.ping()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => {
            let outage = error.outage();
            let text = PipelineError::from(error).full_text();
            tracing::warn!(action = %Action::CatalogUnavailable, "not ready: {text}");
            outage
        }
        Err(_) => {
            let (catalog, seconds) = (store.describe(), PATIENCE.as_secs());
            tracing::warn!(
                action = %Action::CatalogUnavailable,
                "not ready: the catalog {catalog} does not answer within {seconds} s"
            );
            Outage::Silent
        }
    };
    Err(Away {
        what: "catalog",
        kind: store.kind(),
        outage,
    })
}

/// Whether the storage is there and lets us look into it. Changes nothing.
///
/// # Errors
/// Within seconds, where it does not.
pub async fn storage_answers(storage: &BlobStore) -> Result<(), Away> {
    answered(storage, storage.check()).await
}

/// Whether the storage takes what is written, gives it back and deletes it.
///
/// # Errors
/// Within seconds, where it does not.
pub async fn storage_works(storage: &BlobStore) -> Result<(), Away> {
    answered(storage, storage.probe()).await
}

async fn answered(
    storage: &BlobStore,
    answer: impl Future<Output = Result<(), backup_storage::Error>>,
) -> Result<(), Away> {
    let outage = match timeout(PATIENCE, answer).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => {
            let outage = error.outage();
            let text = PipelineError::from(error).full_text();
            tracing::warn!(action = %Action::StorageUnavailable, "not ready: {text}");
            outage
        }
        Err(_) => {
            let (storage, seconds) = (storage.describe(), PATIENCE.as_secs());
            tracing::warn!(
                action = %Action::StorageUnavailable,
                "not ready: {storage} does not answer within {seconds} s"
            );
            Outage::Silent
        }
    };
    Err(Away {
        what: "storage",
        kind: storage.kind(),
        outage,
    })
}
