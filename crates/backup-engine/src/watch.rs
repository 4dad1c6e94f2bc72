//! Watching: what is the case now becomes an alert, and an alert of what no longer is, is resolved. What happens at one
//! moment (a backup fails, a schedule fires late) is told where it happens, in the catalog.

mod rules;

use std::collections::HashMap;
use std::time::Duration;

use backup_core::alert::{AlertKind, CONFIG_DETAIL, NewAlert};
use backup_db::Error as CatalogError;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::time::timeout;

use crate::engine::Engine;
use crate::error::Error;
use crate::places::Place;

/// How long after its instant a schedule is expected to have fired.
const OVERDUE: TimeDelta = TimeDelta::minutes(5);
/// Overdue schedules that are alerts of their own.
const OVERDUE_SHOWN: u32 = 100;
/// How often a storage may fail to answer before it is an alert.
const STORAGE_FAILURES: u32 = 2;
/// How long a storage has to answer.
const STORAGE_PATIENCE: Duration = Duration::from_secs(30);
/// An outage of the catalog shorter than this is not worth telling.
const OUTAGE: TimeDelta = TimeDelta::seconds(30);
/// What is slow to look at is looked at this often.
const SLOW_EVERY: TimeDelta = TimeDelta::hours(1);

/// Looks at everything again and again. What it keeps is lost when it ends, and only delays an alert.
pub struct Watch {
    engine: Engine,
    /// How often in a row each configuration's storage did not answer.
    silent: HashMap<String, u32>,
    /// Since when the catalog does not answer.
    away_since: Option<DateTime<Utc>>,
    looked_slowly_at: Option<DateTime<Utc>>,
}

impl Watch {
    /// Nothing has been looked at yet.
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            silent: HashMap::new(),
            away_since: None,
            looked_slowly_at: None,
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// The first thing that could not be looked at.
    pub async fn look(&mut self) -> Result<(), Error> {
        let now = self.engine.clock.now();
        let looked = self.look_at_all(now).await;
        match &looked {
            Err(Error::Catalog(CatalogError::Unavailable { .. })) => {
                self.away_since.get_or_insert(now);
            }
            _ => {
                if let Some(since) = self.away_since.take().filter(|since| now - *since >= OUTAGE) {
                    self.tell_of_outage(since, now).await?;
                }
            }
        }
        looked
    }

    async fn look_at_all(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        self.look_at_schedules().await?;
        self.look_at_usage().await?;
        self.look_at_verifications(now).await?;
        let places = self.engine.places().await?;
        self.look_at_storages(&places).await?;
        if self
            .looked_slowly_at
            .is_none_or(|at| now - at >= SLOW_EVERY || now < at)
        {
            self.look_at_keys(&places).await?;
            self.looked_slowly_at = Some(now);
        }
        Ok(())
    }

    /// Schedules that nobody fires. They are resolved where they fire on time again.
    async fn look_at_schedules(&self) -> Result<(), Error> {
        let (overdue, _) = self.engine.store.overdue_schedules(OVERDUE, OVERDUE_SHOWN).await?;
        for schedule in overdue {
            if let Some(since) = schedule.next_run_at {
                self.engine
                    .store
                    .raise_alert(NewAlert::schedule_missed(&schedule, since, 1))
                    .await?;
            }
        }
        Ok(())
    }

    async fn look_at_usage(&self) -> Result<(), Error> {
        let store = &self.engine.store;
        let configs = store.list_configs().await?;
        let usage = store.usage_by_config().await?;
        let full = rules::usage(&configs, &usage, self.engine.settings.quota_bytes);
        Ok(store.settle_alerts(AlertKind::StorageUsage, full, |_| true).await?)
    }

    async fn look_at_verifications(&self, now: DateTime<Utc>) -> Result<(), Error> {
        let store = &self.engine.store;
        let configs = store.list_configs().await?;
        let mut ages = Vec::new();
        for key in rules::keys(&configs) {
            ages.push((key.to_owned(), store.verification_age(key).await?));
        }
        let overdue = rules::verifications(&configs, &ages, now);
        Ok(store
            .settle_alerts(AlertKind::VerificationOverdue, overdue, |_| true)
            .await?)
    }

    async fn look_at_storages(
        &mut self,
        places: &[(String, Result<Place, backup_core::PipelineError>)],
    ) -> Result<(), Error> {
        let mut unreachable = Vec::new();
        for (key, place) in places {
            let error = match place {
                Ok(place) => match timeout(STORAGE_PATIENCE, place.storage.check()).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(backup_core::PipelineError::from(error).full_text()),
                    Err(_) => Some(format!("it does not answer within {} s", STORAGE_PATIENCE.as_secs())),
                },
                Err(error) => Some(error.full_text()),
            };
            let Some(error) = error else {
                self.silent.remove(key);
                continue;
            };
            let failures = self.silent.entry(key.clone()).or_default();
            *failures += 1;
            if *failures >= STORAGE_FAILURES {
                unreachable.push(rules::unreachable(key, &error));
            }
        }
        // One that has failed for the first time is neither raised nor resolved.
        let silent = self.silent.clone();
        let settled = self
            .engine
            .store
            .settle_alerts(AlertKind::StorageUnreachable, unreachable, move |alert| {
                !silent.contains_key(&alert.subject)
            });
        Ok(settled.await?)
    }

    async fn look_at_keys(&self, places: &[(String, Result<Place, backup_core::PipelineError>)]) -> Result<(), Error> {
        let uses = self.engine.store.keys_in_use().await?;
        let missing = rules::missing_keys(&uses, |config_key, fingerprint| {
            let place = places.iter().find(|(key, _)| key == config_key);
            match place {
                Some((_, Ok(place))) => Some(place.keys.find(fingerprint).is_some()),
                // Its storage may be away, or its secrets under another seal: that is an alert of its own.
                _ => None,
            }
        });
        Ok(self
            .engine
            .store
            .settle_alerts(AlertKind::KeyMissing, missing, |_| true)
            .await?)
    }

    /// The catalog could not be told while it was away.
    async fn tell_of_outage(&self, since: DateTime<Utc>, until: DateTime<Utc>) -> Result<(), Error> {
        let moment = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!("the catalog did not answer from {} to {}", moment(since), moment(until));
        let alert = NewAlert::new(AlertKind::CatalogUnreachable, "", message)
            .with("since", moment(since))
            .with("until", moment(until));
        self.engine.store.raise_alert(alert).await?;
        self.engine
            .store
            .resolve_alert(AlertKind::CatalogUnreachable, "")
            .await?;
        Ok(())
    }
}

/// Tells of backups in a storage that the catalog does not know.
pub(crate) async fn tell_of_orphans(engine: &Engine, judged: &[String], found: &[(String, u64)]) -> Result<(), Error> {
    let alerts = found.iter().filter(|(_, count)| *count > 0).map(|(config_key, count)| {
        let message =
            format!("the storage of configuration {config_key} holds {count} backups that the catalog does not know");
        NewAlert::new(AlertKind::OrphansFound, config_key, message)
            .with(CONFIG_DETAIL, config_key)
            .with("count", count)
    });
    let judged = judged.to_vec();
    let settled = engine
        .store
        .settle_alerts(AlertKind::OrphansFound, alerts.collect(), move |alert| {
            judged.contains(&alert.subject)
        });
    Ok(settled.await?)
}
