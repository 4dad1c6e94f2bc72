use std::collections::{BTreeMap, HashSet};

use backup_core::alert::{AlertKind, AlertSeverity, CONFIG_DETAIL, NewAlert};
use backup_core::{Backup, BackupId, JobStatus, PipelineError};
use chrono::{DateTime, Utc};

use super::{Reconciled, Shelf, Stored, Unsettled};
use crate::engine::Engine;
use crate::error::Error;
use crate::watch::{tell_of_empty, tell_of_orphans, tell_of_unsettled};

impl Engine {
    /// Why nothing that is not on the shelf, as it was seen at that time, may be called lost; `None`: it may.
    pub(super) async fn doubt(
        &self,
        shelf: &Shelf,
        stored: &Stored,
        at: DateTime<Utc>,
    ) -> Result<Option<PipelineError>, Error> {
        if stored.receipts.is_empty() && stored.archives.is_empty() {
            let config_keys = &shelf.config_keys;
            self.why_not_empty(&shelf.place.storage, config_keys, at).await
        } else {
            Ok(None)
        }
    }
}

/// Raises an alert for each backup that is lost, once, and resolves those of backups that are back or gone for good; the
/// same for what the storages hold and the catalog does not know, and for what is unsettled there. Nothing is resolved for
/// configurations other than the `judged`, whose storage could not be looked at; and of their backups only what is `there` is
/// back.
pub(super) async fn tell(
    engine: &Engine,
    judged: &[String],
    found: &Reconciled,
    there: &HashSet<BackupId>,
    unsettled: &BTreeMap<String, Unsettled>,
) -> Result<(), Error> {
    let mut lost = Vec::new();
    for (ids, what) in [(&found.lost, "receipt"), (&found.damaged, "archive")] {
        for id in ids {
            let backup = find(engine, *id).await?;
            let astray = found.said_of(*id);
            let message = format!(
                "backup {id} cannot be restored: its {what} is no longer in the storage as it was written{astray}"
            );
            // Neither it nor what builds on it may look as if it could.
            if let Some(backup) = &backup
                && looks_good(engine, backup).await?
            {
                engine.store.miss_backup(*id, &message).await?;
            }
            let config_key = backup.map(|backup| backup.config_key);
            lost.push(
                NewAlert::new(AlertKind::BackupLost, id, message)
                    .severity(AlertSeverity::Critical)
                    .with(CONFIG_DETAIL, config_key.unwrap_or_default())
                    .with("backup", id)
                    .with("missing", what),
            );
        }
    }
    let mut over = Vec::new();
    for alert in engine.store.open_alerts(AlertKind::BackupLost).await? {
        let backup = match alert.subject.parse() {
            Ok(id) => find(engine, id).await?,
            Err(_) => None,
        };
        let is_over =
            |backup: Backup| judged.contains(&backup.config_key) && (backup.deleting || there.contains(&backup.id));
        if backup.is_none_or(is_over) {
            over.push(alert.subject);
        }
    }
    let settled = engine
        .store
        .settle_alerts(AlertKind::BackupLost, lost, move |alert| over.contains(&alert.subject));
    settled.await?;
    tell_of_empty(engine, judged, &found.empty).await?;
    tell_of_unsettled(engine, judged, unsettled).await?;
    tell_of_orphans(engine, judged, &found.unknown).await
}

/// Whether a lost backup looks as if it could be restored, or one that builds on it does: that one may have come to be since.
async fn looks_good(engine: &Engine, lost: &Backup) -> Result<bool, Error> {
    let is_good = |backup: &Backup| backup.status == JobStatus::Completed && backup.verify_error.is_none();
    Ok(is_good(lost) || engine.store.dependents(lost.id).await?.iter().any(is_good))
}

async fn find(engine: &Engine, id: BackupId) -> Result<Option<Backup>, Error> {
    Ok(engine.store.get_backup(id).await?.map(|summary| summary.backup))
}
