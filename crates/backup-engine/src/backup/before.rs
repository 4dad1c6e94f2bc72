use backup_core::list::BackupListOptions;
use backup_core::{Backup, BackupSource, BackupTrigger, JobStatus};

use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// How many files the newest good backup of the same configuration has that was made of them; 0: there is none.
///
/// What is made before a restore replaces something does not count, and is not compared with anything: an empty folder may
/// be the very reason for the restore.
pub(super) async fn files(engine: &Engine, held: &HeldLease, backup: &Backup) -> Result<u64, JobError> {
    if backup.trigger == BackupTrigger::PreRestore {
        return Ok(0);
    }
    let mut newest: Option<Backup> = None;
    for source in [BackupSource::Files, BackupSource::FullSystem] {
        for trigger in [BackupTrigger::Scheduled, BackupTrigger::Manual] {
            let options = BackupListOptions {
                status: Some(JobStatus::Completed),
                source: Some(source),
                trigger: Some(trigger),
                config_key: Some(backup.config_key.clone()),
                limit: 1,
                ..BackupListOptions::default()
            };
            let page = held.tell(|| engine.store.list_backups(&options)).await;
            let found = page.map_err(JobError::catalog)?.backups.into_iter().next();
            let found = found.map(|summary| summary.backup);
            newest = newest.into_iter().chain(found).max_by_key(|found| found.created_at);
        }
    }
    let contents = newest.and_then(|newest| newest.contents?.files);
    Ok(contents.map_or(0, |files| files.file_count))
}
