//! Prometheus' text format, from the catalog. Every process on one catalog says the same.

use backup_core::JobStatus;
use backup_core::list::BackupListOptions;
use backup_db::{Error, Store};

/// What `/metrics` is.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The page; `quota_bytes` is what the backups may take up.
pub(crate) async fn page(store: &Store, quota_bytes: Option<u64>) -> Result<String, Error> {
    let overview = store.overview().await?;
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

    let mut page = Metrics(String::new());
    page.add("backup_total", "Backups that ended, well or not.", good + failed);
    page.add("backup_success", "Good backups.", good);
    page.add("backup_failed", "Failed backups.", failed);
    page.add("backup_queue_length", "Backups that wait for a worker.", pending);
    page.add("backup_running", "Backups that run.", running);
    if let Some(last) = overview.last_successful.map(|summary| summary.backup) {
        if let (Some(from), Some(to)) = (last.started_at, last.completed_at) {
            let seconds = (to - from).num_milliseconds() as f64 / 1000.0;
            page.add(
                "backup_duration_seconds",
                "How long the newest good backup took.",
                seconds,
            );
            let at = to.timestamp() as f64;
            page.add(
                "backup_last_success_timestamp_seconds",
                "When the newest good backup ended.",
                at,
            );
        }
        if let Some(size) = last.size_bytes {
            page.add(
                "backup_size_bytes",
                "Bytes that the newest good backup stores.",
                size as f64,
            );
        }
    }
    page.add(
        "backup_stored_bytes",
        "Bytes that all good backups store.",
        overview.usage.total_size_bytes as f64,
    );
    if let Some(percent) = overview.usage.percent_of(quota_bytes) {
        page.add("storage_usage_percent", "Percent of the quota in use.", percent);
    }
    Ok(page.0)
}

/// Lines of Prometheus' text format. All are gauges: a deleted backup is no longer counted.
struct Metrics(String);

impl Metrics {
    fn add(&mut self, name: &str, help: &str, value: f64) {
        for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " gauge\n", name, " "] {
            self.0.push_str(part);
        }
        self.0.push_str(&value.to_string());
        self.0.push('\n');
    }
}
