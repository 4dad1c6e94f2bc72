//! Whether each configuration's storage answers.

use std::collections::HashMap;
use std::time::Duration;

use backup_core::PipelineError;
use backup_core::alert::AlertKind;
use backup_storage::BlobStore;

use super::{Places, rules};
use crate::engine::Engine;
use crate::error::Error;
use crate::question::Question;

/// How often in a row a storage may fail to answer before it is an alert.
const FAILURES: u32 = 2;
/// How long a storage has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

type Answer = Result<(), String>;

#[derive(Default)]
pub(super) struct Storages {
    /// How often in a row each configuration's storage did not answer.
    silent: HashMap<String, u32>,
    /// What each storage is asked, also one that no configuration names any more: it may still hang, and be named again.
    asked: HashMap<String, Question<Answer>>,
}

impl Storages {
    pub(super) async fn look(&mut self, engine: &Engine, places: &Places) -> Result<(), Error> {
        let is_there = |key: &String| places.iter().any(|(there, _)| there == key);
        self.silent.retain(|key, _| is_there(key));
        let mut unreachable = Vec::new();
        for (key, place) in places {
            let answer = match place {
                Ok(place) => self.ask(&place.storage).await,
                Err(error) => Err(error.full_text()),
            };
            let Err(error) = answer else {
                self.silent.remove(key);
                continue;
            };
            let failures = self.silent.entry(key.clone()).or_default();
            *failures += 1;
            if *failures >= FAILURES {
                unreachable.push(rules::unreachable(key, &error));
            }
        }
        // One that has failed for the first time is neither raised nor resolved; what a reconciliation found in one that answers is
        // its to resolve.
        let silent = self.silent.clone();
        let there: Vec<String> = places.iter().map(|(key, _)| key.clone()).collect();
        let settled = engine
            .store
            .settle_alerts(AlertKind::StorageUnreachable, unreachable, move |alert| {
                let is_listed = rules::tells_of_empty(alert) || rules::tells_of_unsettled(alert);
                let is_another_matter = is_listed && there.contains(rules::config_of(alert));
                !is_another_matter && !silent.contains_key(&alert.subject)
            });
        Ok(settled.await?)
    }

    async fn ask(&mut self, storage: &BlobStore) -> Answer {
        let question = self.asked.entry(storage.describe()).or_default();
        let storage = storage.patient();
        let check = async move {
            let checked = storage.check().await;
            checked.map_err(|error| PipelineError::from(error).full_text())
        };
        question.ask(PATIENCE, check).await.flatten()
    }
}
