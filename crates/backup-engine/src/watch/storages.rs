//! Whether each configuration's storage answers.

use std::collections::HashMap;
use std::time::Duration;

use backup_core::PipelineError;
use backup_core::alert::AlertKind;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Places, rules};
use crate::engine::Engine;
use crate::error::Error;

/// How often in a row a storage may fail to answer before it is an alert.
const FAILURES: u32 = 2;
/// How long a storage has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

type Answer = Result<(), String>;

#[derive(Default)]
pub(super) struct Storages {
    /// How often in a row each configuration's storage did not answer.
    silent: HashMap<String, u32>,
    /// Questions that have not been answered: each holds a thread, so there is one for each storage at the most.
    asked: HashMap<String, JoinHandle<Answer>>,
}

impl Storages {
    pub(super) async fn look(&mut self, engine: &Engine, places: &Places) -> Result<(), Error> {
        let is_there = |key: &String| places.iter().any(|(there, _)| there == key);
        self.silent.retain(|key, _| is_there(key));
        let mut unreachable = Vec::new();
        for (key, place) in places {
            let answer = match place {
                Ok(place) => {
                    let storage = place.storage.clone();
                    let ask = || async move {
                        let checked = storage.check().await;
                        checked.map_err(|error| PipelineError::from(error).full_text())
                    };
                    self.ask(key, ask).await
                }
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
        // One that has failed for the first time is neither raised nor resolved; one that was found empty answers all the same.
        let silent = self.silent.clone();
        let there: Vec<String> = places.iter().map(|(key, _)| key.clone()).collect();
        let settled = engine
            .store
            .settle_alerts(AlertKind::StorageUnreachable, unreachable, move |alert| {
                let is_another_matter = rules::tells_of_empty(alert) && there.contains(&alert.subject);
                !is_another_matter && !silent.contains_key(&alert.subject)
            });
        Ok(settled.await?)
    }

    async fn ask<F>(&mut self, key: &str, question: impl FnOnce() -> F) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let mut asked = match self.asked.remove(key) {
            Some(asked) => asked,
            None => tokio::spawn(question()),
        };
        match timeout(PATIENCE, &mut asked).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.asked.insert(key.to_owned(), asked);
                Err(format!("it does not answer within {} s", PATIENCE.as_secs()))
            }
        }
    }
}
