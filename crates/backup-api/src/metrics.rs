//! Prometheus' text format, from the catalog. Every process on one catalog says the same.

use std::fmt::Write as _;

use backup_core::config::total_quota;
use backup_core::list::BackupListOptions;
use backup_core::usage::{ConfigUsage, Monitor, StatusOverview};
use backup_core::{Backup, JobStatus};
use backup_db::{Error, Store};
use chrono::{DateTime, Utc};

/// What `/metrics` is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page; `quota_bytes` is what the backups of a configuration may take up where it does not say.
pub(crate) async fn page(store: &Store, quota_bytes: Option<u64>) -> Result<String, Error> {
    let overview = store.overview().await?;
    let quota = total_quota(&store.list_configs().await?, quota_bytes);
    let mut page = Metrics(String::new());
    page.counts(store).await?;
    if let Some(last) = overview.last_successful.as_ref().map(|summary| &summary.backup) {
        page.newest(last);
    }
    let paused = f64::from(u8::from(overview.pause.is_some()));
    page.add("backup_system_paused", "Whether the whole system is paused.", paused);
    page.usage(&overview, quota, &store.usage_by_config().await?);
    page.monitor(&store.monitor().await?);
    Ok(page.0)
}

/// Lines of Prometheus' text format. All are gauges: a deleted backup is no longer counted.
struct Metrics(String);

impl Metrics {
    async fn counts(&mut self, store: &Store) -> Result<(), Error> {
        let count = async |status| {
            let options = BackupListOptions {
                status: Some(status),
                limit: 1,
                ..BackupListOptions::default()
            };
            store.list_backups(&options).await.map(|page| page.total as f64)
        };
        let (good, failed) = (count(JobStatus::Completed).await?, count(JobStatus::Failed).await?);
        let (pending, running) = (count(JobStatus::Pending).await?, count(JobStatus::InProgress).await?);
        self.add("backup_total", "Backups that ended, well or not.", good + failed);
        self.add("backup_success", "Good backups.", good);
        self.add("backup_failed", "Failed backups.", failed);
        self.add("backup_queue_length", "Backups that wait for a worker.", pending);
        self.add("backup_running", "Backups that run.", running);
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
            self.add(
                "backup_duration_seconds",
                "How long the newest good backup took.",
                seconds,
            );
        }
        if let Some(to) = to {
            self.add(
                "backup_last_success_timestamp_seconds",
                "When the newest good backup ended.",
                seconds_of(to),
            );
        }
        if let Some(size) = last.size_bytes {
            let help = "Bytes that the newest good backup stores.";
            self.add("backup_size_bytes", help, size as f64);
        }
    }

    fn usage(&mut self, overview: &StatusOverview, quota: Option<u64>, configs: &[ConfigUsage]) {
        let all = overview.usage.total_size_bytes as f64;
        self.add("backup_stored_bytes", "Bytes that all good backups store.", all);
        let by_config = configs.iter().map(|usage| {
            (
                vec![("config", usage.config_key.as_str())],
                usage.total_size_bytes as f64,
            )
        });
        self.family(
            "backup_config_stored_bytes",
            "Bytes that the good backups of a configuration store.",
            by_config,
        );
        if let Some(percent) = overview.usage.percent_of(quota) {
            self.add("storage_usage_percent", "Percent of the quota in use.", percent);
        }
    }

    fn monitor(&mut self, monitor: &Monitor) {
        let schedules = || {
            monitor.schedules.iter().map(|schedule| {
                let labels = vec![("schedule", schedule.id.to_string()), ("name", schedule.name.clone())];
                (schedule, labels)
            })
        };
        self.family(
            "backup_schedule_enabled",
            "Whether a schedule fires.",
            schedules().map(|(schedule, labels)| (labels, f64::from(u8::from(schedule.is_enabled)))),
        );
        self.family(
            "backup_schedule_last_success_timestamp_seconds",
            "When the newest good backup of a schedule ended.",
            schedules().filter_map(|(schedule, labels)| Some((labels, seconds_of(schedule.last_success_at?)))),
        );
        self.family(
            "backup_schedule_next_run_timestamp_seconds",
            "When a schedule fires next.",
            schedules().filter_map(|(schedule, labels)| Some((labels, seconds_of(schedule.next_run_at?)))),
        );
        self.family(
            "backup_schedule_interval_seconds",
            "How long it is from the next firing of a schedule to the one behind.",
            schedules().filter_map(|(schedule, labels)| Some((labels, schedule.interval?.num_seconds() as f64))),
        );
        self.add(
            "backup_schedules_enabled",
            "Schedules that fire.",
            monitor.enabled_schedules as f64,
        );
        self.add(
            "backup_verify_failed",
            "Backups whose last verification found something wrong.",
            monitor.verify_failed as f64,
        );
        if let Some(at) = monitor.last_verified_at {
            self.add(
                "backup_last_verified_timestamp_seconds",
                "When a backup was last verified.",
                seconds_of(at),
            );
        }
        self.add(
            "backup_open_alerts",
            "Alerts that are open.",
            monitor.open_alerts as f64,
        );
    }

    fn add(&mut self, name: &str, help: &str, value: f64) {
        self.family::<&str>(name, help, std::iter::once((Vec::new(), value)));
    }

    /// Lines of one name; none where there are no values.
    fn family<T: AsRef<str>>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'static str, T)>, f64)>,
    ) {
        for (index, (labels, value)) in values.into_iter().enumerate() {
            if index == 0 {
                // Writing to a text cannot fail.
                let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} gauge\n");
            }
            self.0.push_str(name);
            for (number, (label, text)) in labels.iter().enumerate() {
                let open = if number == 0 { '{' } else { ',' };
                let _ = write!(self.0, "{open}{label}=\"{}\"", escape(text.as_ref()));
            }
            if !labels.is_empty() {
                self.0.push('}');
            }
            let _ = writeln!(self.0, " {value}");
        }
    }
}

fn seconds_of(at: DateTime<Utc>) -> f64 {
    at.timestamp() as f64
}

/// A label's value, as the format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
