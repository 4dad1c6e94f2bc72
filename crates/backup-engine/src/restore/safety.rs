//! The PRE_RESTORE backup: made of what gives way, before it does.

use backup_core::restore::{PlannedPart, RestorePart, RestorePlan, RestoreRecord};
use backup_core::{BackupSource, BackupTrigger, BackupType, JobStatus, LogLevel, NewBackup, PipelineError};

use super::way::Way;
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// Nothing where it is made or not wanted.
///
/// # Errors
/// `Waits` where it has just been asked for; `Failed` where it did not come to be.
pub(super) async fn make(
    engine: &Engine,
    held: &HeldLease,
    record: &RestoreRecord,
    way: &Way,
    plan: &RestorePlan,
) -> Result<(), JobError> {
    if !plan.makes_safety_backup {
        return Ok(());
    }
    let Some(id) = record.safety_backup_id else {
        let new = NewBackup {
            id: engine.new_id()?,
            config_key: record.config_key.clone(),
            backup_type: BackupType::Full,
            source: source(way, plan),
            trigger: BackupTrigger::PreRestore,
            description: Some(format!("恢復前自動備份: {}", record.id)),
            created_by: record.created_by,
            schedule_id: None,
        };
        let text = format!("waits for backup {}, which is made of what is to be replaced", new.id);
        held.note(LogLevel::Info, text).await;
        held.tell(|| engine.store.wait_for_safety_backup(held.lease(), new.clone()))
            .await
            .map_err(JobError::catalog)?;
        return Err(JobError::Waits);
    };
    let backup = held
        .tell(|| engine.store.get_backup(id))
        .await
        .map_err(JobError::catalog)?
        .map(|summary| summary.backup);
    let came_to = match &backup {
        Some(backup) if backup.status == JobStatus::Completed && !backup.deleting => {
            held.job().log(
                LogLevel::Info,
                format!("backup {id} of what is to be replaced is there"),
            );
            return Ok(());
        }
        Some(backup) => match &backup.error_message {
            Some(message) => format!("{}: {message}", backup.status),
            None => backup.status.to_string(),
        },
        None => "gone".to_owned(),
    };
    Err(JobError::Failed(PipelineError::refused(
        format!("the backup that is made before anything is replaced, {id}, is {came_to}"),
        "Find out why, then ask for the restore again; or restore without it (safetyBackup: false).",
    )))
}

/// What of the configuration gives way.
fn source(way: &Way, plan: &RestorePlan) -> BackupSource {
    let replaced = |part: RestorePart| {
        let gives_way = |planned: &PlannedPart| planned.part == part && planned.replaces.is_some();
        plan.parts.iter().any(gives_way)
    };
    let database = way.database.as_ref().is_some_and(|database| database.is_configured);
    let files = way.files.as_ref().is_some_and(|files| files.is_configured);
    match (
        database && replaced(RestorePart::Database),
        files && replaced(RestorePart::Files),
    ) {
        (true, true) => BackupSource::FullSystem,
        (true, false) => BackupSource::Database,
        (false, _) => BackupSource::Files,
    }
}
