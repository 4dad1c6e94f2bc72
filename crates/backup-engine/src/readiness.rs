//! Whether catalog and storage answer, for the probes of every process. Anybody may ask those: what they are told has neither
//! host nor path, which are in the log.

use std::fmt;
use std::time::Duration;

use backup_core::{Outage, PipelineError};
use backup_db::Store;
use backup_storage::BlobStore;
use tokio::time::timeout;

use crate::logging::Action;
use crate::question::Question;

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

/// Asks the storage of a process. Each thing is asked once at a time, however often somebody wants to know it: a disk that
/// hangs keeps one thread.
#[derive(Default)]
pub struct StorageProbe {
    check: Question<Result<(), Away>>,
    write: Question<Result<(), Away>>,
}

impl StorageProbe {
    /// Whether the storage is there and lets us look into it. Changes nothing.
    ///
    /// # Errors
    /// Within seconds, where it does not.
    pub async fn answers(&self, storage: &BlobStore) -> Result<(), Away> {
        let asked = storage.patient();
        ask(&self.check, storage, async move { asked.check().await }).await
    }

    /// Whether the storage takes what is written, gives it back and deletes it.
    ///
    /// # Errors
    /// Within seconds, where it does not.
    pub async fn works(&self, storage: &BlobStore) -> Result<(), Away> {
        let asked = storage.patient();
        ask(&self.write, storage, async move { asked.probe().await }).await
    }
}

async fn ask(
    question: &Question<Result<(), Away>>,
    storage: &BlobStore,
    answer: impl Future<Output = Result<(), backup_storage::Error>> + Send + 'static,
) -> Result<(), Away> {
    let kind = storage.kind();
    let away = move |outage| Away {
        what: "storage",
        kind,
        outage,
    };
    let told = async move {
        answer.await.map_err(|error| {
            let outage = error.outage();
            let text = PipelineError::from(error).full_text();
            tracing::warn!(action = %Action::StorageUnavailable, "not ready: {text}");
            away(outage)
        })
    };
    question.ask(PATIENCE, told).await.unwrap_or_else(|silence| {
        let storage = storage.describe();
        tracing::warn!(action = %Action::StorageUnavailable, "not ready: {storage}: {silence}");
        Err(away(Outage::Silent))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use backup_storage::StorageSettings;

    use super::*;

    #[tokio::test]
    async fn a_storage_that_hangs_is_asked_once_however_often_somebody_wants_to_know() {
        let folder = tempfile::tempdir().unwrap();
        let settings = StorageSettings::new(folder.path().display().to_string());
        let storage = BlobStore::open(&settings).await.unwrap();
        let (probe, asked) = (StorageProbe::default(), Arc::new(AtomicU32::new(0)));
        let hang = || {
            let asked = asked.clone();
            let hanging = async move {
                asked.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<Result<(), backup_storage::Error>>().await
            };
            ask(&probe.check, &storage, hanging)
        };
        let (first, second) = tokio::join!(hang(), hang());
        for told in [first, second] {
            assert_eq!(told.unwrap_err().to_string(), "the storage (folder) does not answer");
        }
        // Who no longer waits leaves it open too.
        assert!(timeout(Duration::from_millis(50), hang()).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // What it is asked besides is another question.
        probe.works(&storage).await.unwrap();
    }
}
