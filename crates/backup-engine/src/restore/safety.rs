//! The PRE_RESTORE backup: made of what gives way, before it does.

use backup_core::restore::{PlannedPart, RestorePart, RestorePlan, RestoreRecord};
use backup_core::{BackupSource, BackupTrigger, BackupType, JobStatus, LogLevel, NewBackup, PipelineError};
use chrono::{DateTime, TimeDelta, Utc};

use super::way::Way;
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// How old the first one may be once the restore goes on, which is within seconds where nothing holds it back.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// Nothing where it is made or not wanted.
///
/// # Errors
/// `Waits` where it has just been asked for, also where the one that was made is too old by now; `Failed` where it did not
/// come to be.
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
        return ask(engine, held, record, way, plan).await;
    };
    let backup = held
        .tell(|| engine.store.get_backup(id))
        .await
        .map_err(JobError::catalog)?
        .map(|summary| summary.backup);
    let came_to = match &backup {
        Some(backup) if backup.status == JobStatus::Completed && !backup.deleting => {
            let began = record.started_at.unwrap_or(record.created_at);
            let ended = backup.completed_at.unwrap_or(backup.created_at);
            if is_stale(began, backup.created_at, ended, engine.clock.now()) {
                let text =
                    format!("backup {id} of what is to be replaced is not of today's state: another one is made");
                held.note(LogLevel::Warning, text).await;
                return ask(engine, held, record, way, plan).await;
            }
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

/// Asks for the backup, and lets the restore wait for its end.
async fn ask(
    engine: &Engine,
    held: &HeldLease,
    record: &RestoreRecord,
    way: &Way,
    plan: &RestorePlan,
) -> Result<(), JobError> {
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
    Err(JobError::Waits)
}

/// Whether a backup that ended at `ended` no longer saves what gives way now: the system was paused since, or the attempt
/// before took long. By a clock that was put back it may have ended in the future, and is of an unknown age.
///
/// It may be older the longer the restore had waited, since `began`, when it was `asked` for: so where each one is too old
/// again, such as under a queue of hours or by clocks that contradict each other, there is an end to it.
fn is_stale(began: DateTime<Utc>, asked: DateTime<Utc>, ended: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - ended).abs() > FRESH.max(asked - began)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    #[test]
    fn a_backup_from_before_a_pause_is_no_safety_backup() {
        let ended = at(5);
        assert!(!is_stale(at(0), at(0), ended, ended + TimeDelta::minutes(59)));
        assert!(is_stale(at(0), at(0), ended, ended + TimeDelta::minutes(61)));
        assert!(is_stale(at(0), at(0), ended, ended + TimeDelta::days(3)));
        // The clock was put back meanwhile.
        assert!(is_stale(at(0), at(0), ended, at(3)));
    }

    #[test]
    fn backups_that_are_always_late_come_to_an_end() {
        // How far the clock of whoever makes them is off, and how long the queue is then.
        for (off, queue) in [(0, 9), (7, 0), (-7, 0), (-7, 9)] {
            let (mut now, mut made) = (1, 1);
            let mut asked = at(0);
            while is_stale(at(0), asked, at(now + off), at(now + queue)) {
                now += queue;
                asked = at(now);
                now += 1;
                made += 1;
            }
            assert!(made < 12, "{made} by {off} and {queue}");
        }
    }
}
