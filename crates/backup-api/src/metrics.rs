//! Prometheus' text format, from the catalog. Every process on one catalog says the same.

mod family;

use backup_core::Backup;
use backup_core::config::total_quota;
use backup_core::usage::{ConfigUsage, Monitor, StatusOverview};
use backup_db::{EndedBackups, Error, JobKind, Store};
use chrono::{DateTime, Utc};

use family::Family;

/// What `/metrics` is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Schedules that are read at once.
const SCHEDULES_AT_ONCE: u32 = 100;

/// The page; `quota_bytes` is what the backups of a configuration may take up where it does not say.
pub(crate) async fn page(store: &Store, quota_bytes: Option<u64>) -> Result<String, Error> {
    let overview = store.overview().await?;
    let quota = total_quota(&store.list_configs().await?, quota_bytes);
    let mut page = Page(String::new());
    page.ended(&store.ended_backups().await?);
    page.jobs(store).await?;
    if let Some(last) = overview.last_successful.as_ref().map(|summary| &summary.backup) {
        page.newest(last);
    }
    let paused = f64::from(u8::from(overview.pause.is_some()));
    page.gauge("backup_system_paused", "Whether the whole system is paused.", paused);
    page.usage(&overview, quota, &store.usage_by_config().await?);
    page.schedules(store).await?;
    page.monitor(&store.monitor().await?);
    Ok(page.0)
}

struct Page(String);

impl Page {
    /// What ever came of the backups: counters, since the catalog takes nothing back of it.
    fn ended(&mut self, all: &[EndedBackups]) {
        let mut total = Family::counter("backup_total", "Backups that ended, however.");
        let mut success = Family::counter("backup_success", "Backups that ended well.");
        let mut failed = Family::counter("backup_failed", "Backups that failed.");
        let mut cancelled = Family::counter("backup_cancelled", "Backups that were cancelled.");
        let mut duration = Family::histogram("backup_duration_seconds", "How long good backups took.");
        let mut size = Family::histogram("backup_size_bytes", "Bytes that good backups store.");
        for one in all {
            let labels = [("config", one.config_key.as_str())];
            total.value(&labels, (one.completed + one.failed + one.cancelled) as f64);
            success.value(&labels, one.completed as f64);
            failed.value(&labels, one.failed as f64);
            cancelled.value(&labels, one.cancelled as f64);
            duration.values(&labels, &one.duration_millis, 1_000.0);
            size.values(&labels, &one.size_bytes, 1.0);
        }
        self.put([total, success, failed, cancelled, duration, size]);
    }

    async fn jobs(&mut self, store: &Store) -> Result<(), Error> {
        let mut waiting = Family::gauge("backup_queue_length", "Jobs that wait for a worker.");
        let mut running = Family::gauge("backup_running", "Jobs that run.");
        for kind in JobKind::ALL {
            let (waits, runs) = store.queue_length(*kind).await?;
            let labels = [("kind", kind.as_str())];
            waiting.value(&labels, waits as f64);
            running.value(&labels, runs as f64);
        }
        self.put([waiting, running]);
        Ok(())
    }

    fn newest(&mut self, last: &Backup) {
        let (from, to) = match last.consolidated_from {
            None => (last.started_at, last.completed_at),
            // What is made of another holds nothing newer than that did, however late it was made.
            Some(_) => (None, Some(last.created_at)),
        };
        if let (Some(from), Some(to)) = (from, to) {
            let seconds = (to - from).num_milliseconds() as f64 / 1000.0;
            self.gauge(
                "backup_last_duration_seconds",
                "How long the newest good backup took.",
                seconds,
            );
        }
        if let Some(to) = to {
            self.gauge(
                "backup_last_success_timestamp_seconds",
                "When the newest good backup ended.",
                seconds_of(to),
            );
        }
        if let Some(size) = last.size_bytes {
            let help = "Bytes that the newest good backup stores.";
            self.gauge("backup_last_size_bytes", help, size as f64);
        }
    }

    fn usage(&mut self, overview: &StatusOverview, quota: Option<u64>, configs: &[ConfigUsage]) {
        let all = overview.usage.total_size_bytes as f64;
        self.gauge("backup_stored_bytes", "Bytes that all good backups store.", all);
        let mut by_config = Family::gauge(
            "backup_config_stored_bytes",
            "Bytes that the good backups of a configuration store.",
        );
        for usage in configs {
            let labels = [("config", usage.config_key.as_str())];
            by_config.value(&labels, usage.total_size_bytes as f64);
        }
        self.put([by_config]);
        if let Some(percent) = overview.usage.percent_of(quota) {
            self.gauge("storage_usage_percent", "Percent of the quota in use.", percent);
        }
    }

    /// Tells of all schedules, however many: a page of them is in memory at a time, and of the others their lines.
    async fn schedules(&mut self, store: &Store) -> Result<(), Error> {
        let mut enabled = Family::gauge("backup_schedule_enabled", "Whether a schedule fires.");
        let mut last_success = Family::gauge(
            "backup_schedule_last_success_timestamp_seconds",
            "When the newest good backup of a schedule ended.",
        );
        let mut next_run = Family::gauge(
            "backup_schedule_next_run_timestamp_seconds",
            "When a schedule fires next.",
        );
        let mut interval = Family::gauge(
            "backup_schedule_interval_seconds",
            "How long it is from the next firing of a schedule to the one behind.",
        );
        let mut after = None;
        loop {
            let schedules = store.schedule_health(after, SCHEDULES_AT_ONCE).await?;
            let Some(last) = schedules.last() else { break };
            after = Some(last.id);
            for schedule in &schedules {
                let id = schedule.id.to_string();
                let labels = [("schedule", id.as_str()), ("name", schedule.name.as_str())];
                enabled.value(&labels, f64::from(u8::from(schedule.is_enabled)));
                if let Some(at) = schedule.last_success_at {
                    last_success.value(&labels, seconds_of(at));
                }
                if let Some(at) = schedule.next_run_at {
                    next_run.value(&labels, seconds_of(at));
                }
                if let Some(time) = schedule.interval {
                    interval.value(&labels, time.num_seconds() as f64);
                }
            }
        }
        self.put([enabled, last_success, next_run, interval]);
        Ok(())
    }

    fn monitor(&mut self, monitor: &Monitor) {
        self.gauge(
            "backup_schedules_enabled",
            "Schedules that fire.",
            monitor.enabled_schedules as f64,
        );
        self.gauge(
            "backup_verify_failed",
            "Backups whose last verification found something wrong, or that the storage was found to lack.",
            monitor.verify_failed as f64,
        );
        if let Some(at) = monitor.last_verified_at {
            self.gauge(
                "backup_last_verified_timestamp_seconds",
                "When a backup was last verified.",
                seconds_of(at),
            );
        }
        self.gauge(
            "backup_open_alerts",
            "Alerts that are open.",
            monitor.open_alerts as f64,
        );
    }

    /// The one value of a gauge.
    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        let mut family = Family::gauge(name, help);
        family.value(&[], value);
        self.put([family]);
    }

    fn put(&mut self, families: impl IntoIterator<Item = Family>) {
        for family in families {
            family.put_on(&mut self.0);
        }
    }
}

fn seconds_of(at: DateTime<Utc>) -> f64 {
    at.timestamp() as f64
}
