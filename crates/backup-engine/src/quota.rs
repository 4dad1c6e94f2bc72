//! Whether a backup fits into the quota of its configuration, and the samples of what is in use.

use std::time::Duration;

use backup_core::config::{QuotaPolicy, total_quota};
use backup_core::{BackupSource, BackupType, PipelineError};
use backup_db::{Error as CatalogError, Store};

use crate::engine::Engine;
use crate::logging::Action;

/// How often the usage is sampled while nothing changes.
const EVERY: Duration = Duration::from_hours(1);

/// The room that the quota of a configuration leaves for its next backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that its good backups take up.
    pub used_bytes: u64,
    /// Bytes that the next one is expected to take: as many as the newest good one of its source and type; 0 where there
    /// is none.
    pub expected_bytes: u64,
    /// Bytes that all may take; `None`: no limit.
    pub quota_bytes: Option<u64>,
    /// What becomes of one that does not fit.
    pub policy: QuotaPolicy,
}

impl Room {
    /// Looks into the catalog. `environment` is the quota where the configuration does not say.
    pub async fn of(
        store: &Store,
        environment: Option<u64>,
        config_key: &str,
        source: BackupSource,
        backup_type: BackupType,
    ) -> Result<Self, CatalogError> {
        let config = store.get_config(config_key).await?;
        let usage = store.usage_by_config().await?;
        let used = usage.into_iter().find(|usage| usage.config_key == config_key);
        let newest = store.newest_completed(config_key, source, Some(backup_type)).await?;
        Ok(Self {
            used_bytes: used.map_or(0, |usage| usage.total_size_bytes),
            expected_bytes: newest.and_then(|backup| backup.size_bytes).unwrap_or(0),
            quota_bytes: match &config {
                Some(config) => config.quota_bytes(environment),
                None => environment,
            },
            policy: config.map_or(QuotaPolicy::Warn, |config| config.quota_policy),
        })
    }

    /// Bytes that are left; `None`: no limit.
    pub fn left(&self) -> Option<u64> {
        self.quota_bytes.map(|quota| quota.saturating_sub(self.used_bytes))
    }

    /// Whether the next backup is expected to fit. Where nothing is left it does not, however little is expected.
    pub fn fits(&self) -> bool {
        self.left().is_none_or(|left| left > 0 && self.expected_bytes <= left)
    }

    /// Whether a backup that does not fit is refused.
    pub fn refuses(&self) -> bool {
        self.policy == QuotaPolicy::Refuse
    }

    /// Bytes at which a running backup is ended; `None`: no limit.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.left().filter(|_| self.refuses())
    }

    /// How things stand, for people.
    pub(crate) fn describe(&self) -> String {
        format!(
            "the quota is {} bytes, {} are in use, and a backup is expected to take {}",
            self.quota_bytes.unwrap_or(u64::MAX),
            self.used_bytes,
            self.expected_bytes
        )
    }
}

/// The error of a backup that the quota refuses.
pub(crate) fn exceeded(reason: &str) -> PipelineError {
    PipelineError::refused(
        format!("the quota has no room for the backup: {reason}"),
        "Delete old backups, raise the quota, or let the configuration warn instead of refuse.",
    )
}

impl Engine {
    /// Samples the usage after a change. What fails is logged: the next sample is at hand.
    pub(crate) async fn sample_usage(&self) {
        let sampled = match self.quota_of_all().await {
            Ok(quota) => self.store.record_usage(quota).await.map(|_| ()),
            Err(error) => Err(error),
        };
        tell(sampled);
    }

    /// Samples the usage where the newest sample is an hour old.
    pub(crate) async fn sample_usage_if_due(&self) {
        let sampled = match self.quota_of_all().await {
            Ok(quota) => self.store.record_usage_if_due(quota, EVERY).await.map(|_| ()),
            Err(error) => Err(error),
        };
        tell(sampled);
    }

    async fn quota_of_all(&self) -> Result<Option<u64>, CatalogError> {
        let configs = self.store.list_configs().await?;
        Ok(total_quota(&configs, self.settings.quota_bytes))
    }
}

fn tell(sampled: Result<(), CatalogError>) {
    if let Err(error) = sampled {
        tracing::warn!(action = %Action::CatalogUnavailable, %error, "the usage could not be sampled");
    }
}
