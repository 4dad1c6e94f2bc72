//! Watching: what is the case now becomes an alert, and an alert of what no longer is, is resolved. What happens at one
//! moment (a backup fails, a schedule fires late) is told where it happens, in the catalog.
//!
//! One process watches at a time: two that see different things, such as a network or a setting of their own, would raise
//! and resolve the same alert again and again.

mod messages;
mod rules;
mod storages;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use backup_core::alert::{AlertKind, CONFIG_DETAIL, NewAlert};
use backup_core::config::BackupConfig;
use backup_core::counted;
use backup_core::notification::Notification;
use backup_db::Error as CatalogError;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::engine::Engine;
use crate::error::Error;
use crate::places::{Place, config_keys};
use crate::reconcile::Unsettled;
pub(crate) use rules::clock_leapt;
use storages::Storages;

/// How long after its instant a schedule is expected to have fired.
const OVERDUE: TimeDelta = TimeDelta::minutes(5);
/// Overdue schedules that are alerts of their own.
const OVERDUE_SHOWN: u32 = 100;
/// Schedules that are looked at together.
const PAGE: u32 = 100;
/// An outage of the catalog shorter than this is not worth telling.
const OUTAGE: TimeDelta = TimeDelta::seconds(30);
/// What is slow to look at is looked at this often.
const SLOW_EVERY: TimeDelta = TimeDelta::hours(1);
/// What watching is called, as one process's turn.
pub(crate) const TURN_NAME: &str = "watch";
/// How long it is one process's turn to watch: longer than it takes to look once more.
const TURN: Duration = Duration::from_mins(5);

/// The configurations and their places, of those that could be had.
type Places = Vec<(String, Result<Place, backup_core::PipelineError>)>;

/// Looks at everything again and again. What it keeps is lost when it ends, and only delays an alert.
pub struct Watch {
    engine: Engine,
    name: String,
    storages: Storages,
    /// The ways by which a message waited for too long when they were last looked at.
    stuck: Vec<String>,
    /// Since when the catalog does not answer.
    away_since: Option<DateTime<Utc>>,
    looked_slowly_at: Option<DateTime<Utc>>,
}

impl Watch {
    /// Nothing has been looked at yet. `name` tells it from those of other processes.
    pub fn new(engine: Engine, name: impl Into<String>) -> Self {
        Self {
            engine,
            name: name.into(),
            storages: Storages::default(),
            stuck: Vec::new(),
            away_since: None,
            looked_slowly_at: None,
        }
    }

    /// Looks once, where it is this process's turn. What cannot be looked at does not keep the rest from it.
    ///
    /// # Errors
    /// The first thing that could not be looked at.
    pub async fn look(&mut self) -> Result<(), Error> {
        let now = self.engine.clock.now();
        let looked = self.look_in_turn(now).await;
        if matches!(looked, Err(Error::Catalog(CatalogError::Unavailable { .. }))) {
            self.away_since.get_or_insert(now);
        } else {
            if let Some(since) = self.away_since.filter(|since| now - *since >= OUTAGE) {
                self.tell_of_outage(since, now).await?;
            }
            // It may have gone again before it was told.
            self.away_since = None;
        }
        looked
    }

    async fn look_in_turn(&mut self, now: DateTime<Utc>) -> Result<(), Error> {
        if !self.engine.store.take_turn(TURN_NAME, &self.name, TURN).await? {
            return Ok(());
        }
        for id in self.engine.store.mend_times(self.engine.settings.lease).await? {
            tracing::warn!(
                action = %crate::logging::Action::ScheduleFired, schedule_id = %id,
                "a schedule had run or was changed in the future, or stood still: its next instant was reckoned anew"
            );
        }
        let configs = self.engine.store.list_configs().await?;
        let places = self.engine.places().await?;
        let looked = [
            self.look_at_schedules().await,
            self.look_at_usage(&configs).await,
            self.look_at_messages(&configs).await,
            self.storages.look(&self.engine, &places).await,
            self.look_slowly(&configs, &places, now).await,
        ];
        looked.into_iter().collect()
    }

    /// Schedules that nobody fires. They are resolved where they fire on time again.
    async fn look_at_schedules(&self) -> Result<(), Error> {
        let (overdue, _) = self.engine.store.overdue_schedules(OVERDUE, OVERDUE_SHOWN).await?;
        for schedule in overdue {
            if let Some(since) = schedule.next_run_at {
                let alert = NewAlert::schedule_missed(&schedule, since, 1);
                self.engine.store.raise_alert(alert).await?;
            }
        }
        Ok(())
    }

    async fn look_at_usage(&self, configs: &[BackupConfig]) -> Result<(), Error> {
        let store = &self.engine.store;
        let usage = store.usage_by_config().await?;
        let full = rules::usage(configs, &usage, self.engine.settings.quota_bytes);
        Ok(store.settle_alerts(AlertKind::StorageUsage, full, |_| true).await?)
    }

    /// That somebody could not be told is over once they are no longer to be told, or a message has gone out.
    async fn look_at_messages(&mut self, configs: &[BackupConfig]) -> Result<(), Error> {
        let store = &self.engine.store;
        let failed = store.open_alerts(AlertKind::NotificationFailed).await?;
        for subject in messages::unwanted(&failed, configs) {
            store.resolve_alert(AlertKind::NotificationFailed, &subject).await?;
        }
        let overdue = store.overdue_notifications().await?;
        for alert in messages::stuck(&overdue, &self.stuck, &failed, configs) {
            store.raise_alert(alert).await?;
        }
        self.stuck = overdue.iter().map(Notification::way).collect();
        Ok(())
    }

    /// What takes the catalog some time.
    async fn look_slowly(
        &mut self,
        configs: &[BackupConfig],
        places: &Places,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        if self
            .looked_slowly_at
            .is_some_and(|at| at <= now && now - at < SLOW_EVERY)
        {
            return Ok(());
        }
        self.look_at_verifications(configs, now).await?;
        self.look_at_keys(places).await?;
        self.looked_slowly_at = Some(now);
        Ok(())
    }

    async fn look_at_verifications(&self, configs: &[BackupConfig], now: DateTime<Utc>) -> Result<(), Error> {
        let store = &self.engine.store;
        let mut ages = Vec::new();
        for key in config_keys(configs) {
            ages.push((key.to_owned(), store.verification_age(key).await?));
        }
        let overdue = rules::verifications(configs, &ages, now);
        store
            .settle_alerts(AlertKind::VerificationOverdue, overdue, |_| true)
            .await?;
        let open = store.open_alerts(AlertKind::DrillOverdue).await?;
        let told: HashSet<String> = open.into_iter().map(|alert| alert.subject).collect();
        let (mut overdue, mut after) = (Vec::new(), None);
        loop {
            let drilled = store.drilled_schedules(after, PAGE).await?;
            let Some(last) = drilled.last() else { break };
            after = Some(last.id);
            overdue.extend(rules::drills(&drilled, &told, now));
        }
        let settled = store.settle_alerts(AlertKind::DrillOverdue, overdue, |_| true);
        Ok(settled.await?)
    }

    async fn look_at_keys(&self, places: &Places) -> Result<(), Error> {
        let uses = self.engine.store.keys_in_use().await?;
        let place_of = |config_key: &str| {
            let place = places.iter().find(|(key, _)| key == config_key);
            place.and_then(|(_, place)| place.as_ref().ok())
        };
        // Where a place cannot be had, its storage is away or its secrets are under another seal: alerts of their own.
        let missing = rules::missing_keys(&uses, |config_key, fingerprint| {
            place_of(config_key).map(|place| place.keys.find(fingerprint).is_some())
        });
        let judged: Vec<String> = places
            .iter()
            .filter(|(_, place)| place.is_ok())
            .map(|(key, _)| key.clone())
            .collect();
        let settled = self
            .engine
            .store
            .settle_alerts(AlertKind::KeyMissing, missing, move |alert| {
                alert.details.get(CONFIG_DETAIL).is_none_or(|key| judged.contains(key))
            });
        Ok(settled.await?)
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

/// Tells of storages that were found empty: `empty` has their configurations, and what is said of each. It is over for those
/// that were `judged`.
pub(crate) async fn tell_of_empty(engine: &Engine, judged: &[String], empty: &[(String, String)]) -> Result<(), Error> {
    let alerts = empty.iter().map(|(key, error)| rules::emptied(key, error)).collect();
    let judged = judged.to_vec();
    let settled = engine
        .store
        .settle_alerts(AlertKind::StorageUnreachable, alerts, move |alert| {
            rules::tells_of_empty(alert) && judged.contains(&alert.subject)
        });
    Ok(settled.await?)
}

/// Tells of storages that answer, with files or backups in them that a reconciliation could not settle. It is over for those
/// configurations that were `judged`.
pub(crate) async fn tell_of_unsettled(
    engine: &Engine,
    judged: &[String],
    unsettled: &BTreeMap<String, Unsettled>,
) -> Result<(), Error> {
    let alerts = unsettled.iter().map(|(key, files)| rules::unsettled(key, files));
    let judged = judged.to_vec();
    let settled = engine
        .store
        .settle_alerts(AlertKind::StorageUnreachable, alerts.collect(), move |alert| {
            rules::tells_of_unsettled(alert) && judged.contains(rules::config_of(alert))
        });
    Ok(settled.await?)
}

/// Tells of backups in a storage that the catalog does not know.
pub(crate) async fn tell_of_orphans(engine: &Engine, judged: &[String], found: &[(String, u64)]) -> Result<(), Error> {
    let alerts = found.iter().map(|(config_key, count)| {
        let backups = counted(*count, "backup", "backups");
        let message =
            format!("the storage of configuration {config_key} holds {backups} that the catalog does not know");
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
