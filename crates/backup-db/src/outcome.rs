//! What the end of a backup or verification means beyond its own row: for the totals, the schedule, the alerts and the
//! messages. Part of the transaction that ends the job, so that none of it is ever forgotten or said twice.

use backup_core::alert::{AlertKind, AlertSeverity, CONFIG_DETAIL, NewAlert};
use backup_core::notification::{BackupReport, Report};
use backup_core::{Backup, BackupId, BackupType, JobStatus, VerifyLevel};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::alerts::{is_older, open, raise, resolve};
use crate::audit::BACKUP_CANCEL;
use crate::error::TxResult;
use crate::notifications::enqueue;
use crate::schedules::{ScheduleRow, find};
use crate::schema::{backup_schedules, backups};
use crate::store::Tx;
use crate::verifications::{self, NewVerification, VerificationRow};

/// A backup has ended: every one passes here once, whoever ends it and however; but for those that are adopted.
pub(crate) fn told(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<()> {
    crate::metric_totals::ended(tx, backup)?;
    let schedule = schedule_of(tx, backup)?;
    let mut cancelled_by = None;
    let mut problem = None;
    match backup.status {
        JobStatus::Completed => {
            problem = succeeded(tx, backup)?;
            // Only of what has just been made: a rebuilt catalog brings back many at once.
            if let Some(schedule) = &schedule {
                drill(tx, backup, schedule)?;
                crate::consolidations::ask_where_due(tx, backup, schedule)?;
            }
        }
        JobStatus::Failed => failed(tx, backup, schedule.as_ref())?,
        JobStatus::Cancelled => {
            // Of what was asked for by hand, whoever cancelled it knows. What a schedule asks for is awaited by others, who
            // would hear of nothing, however often it is cancelled.
            let Some(schedule) = schedule.as_ref().filter(|_| backup.consolidated_from.is_none()) else {
                return Ok(());
            };
            cancelled_by = crate::audit::last_by(tx, BACKUP_CANCEL, &backup.id.to_string())?;
            cancelled(tx, backup, schedule, cancelled_by.as_deref())?;
        }
        JobStatus::Pending | JobStatus::InProgress => return Ok(()),
    }
    if backup.consolidated_from.is_some() {
        // Nothing new is saved by it; that it failed is told by its alert.
        return Ok(());
    }
    let mut report = report(tx, backup, schedule.as_ref());
    if backup.status == JobStatus::Cancelled {
        report.is_cancelled = true;
        report.error = Some(format!("it {}", was_cancelled(cancelled_by.as_deref())));
        report.cancelled_by = cancelled_by;
    }
    if let Some(problem) = problem {
        report.is_good = false;
        report.error = Some(format!("it cannot be restored: {problem}"));
    }
    enqueue(tx, &backup.config_key, &Report::Backup(report))
}

/// A backup has come to be: where it is good, its schedule's last failure is over. Returns why it cannot be restored, where
/// that is known already.
pub(crate) fn succeeded(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<Option<String>> {
    let ended = backup.completed_at.unwrap_or(tx.now);
    let problem = crate::chains::inherit(tx, backup)?;
    let is_good = problem.is_none();
    // What is made of another saves nothing new: it makes up for no backup that failed. Nor does what cannot be restored.
    let is_new = is_good && backup.consolidated_from.is_none();
    if is_new {
        over(tx, AlertKind::BackupFailed, backup, ended)?;
        crate::chains::mended(tx, &backup.config_key, backup.source, ended)?;
    }
    if is_good && backup.backup_type == BackupType::Full {
        over(tx, AlertKind::ConsolidationFailed, backup, ended)?;
    }
    let Some(schedule) = schedule_of(tx, backup)? else {
        crate::safety::date(tx, backup)?;
        return Ok(problem);
    };
    if !crate::retention::stays(backup.trigger, backup.consolidated_from) {
        let expires_at = backup.created_at + TimeDelta::days(schedule.retention_days);
        diesel::update(backups::table.filter(backups::id.eq(backup.id.to_string())))
            .set(backups::expires_at.eq(expires_at.naive_utc()))
            .execute(tx.db)?;
    }
    if !is_new {
        return Ok(problem);
    }
    let ended_at = ended.naive_utc();
    diesel::update(
        backup_schedules::table
            .filter(backup_schedules::id.eq(schedule.id.0.to_string()))
            .filter(
                backup_schedules::last_success_at
                    .is_null()
                    .or(backup_schedules::last_success_at.lt(ended_at))
                    // A clock that was ahead must not make a schedule look healthy for ever.
                    .or(backup_schedules::last_success_at.gt(tx.now.naive_utc())),
            ),
    )
    .set(backup_schedules::last_success_at.eq(ended_at))
    .execute(tx.db)?;
    Ok(problem)
}

/// Ends the alert of a failure before `ended`: a backup that was found again may be older than it.
fn over(tx: &mut Tx<'_>, kind: AlertKind, backup: &Backup, ended: DateTime<Utc>) -> TxResult<()> {
    let failure = open(tx, kind, &subject(backup))?;
    if failure.is_some_and(|alert| is_older(tx, &alert, ended)) {
        resolve(tx, kind, &subject(backup))?;
    }
    Ok(())
}

/// Hands a schedule's new backup over to be verified, where it is the turn of one.
fn drill(tx: &mut Tx<'_>, backup: &Backup, schedule: &ScheduleRow) -> TxResult<()> {
    let last = schedule.last_verify_asked_at.map(|at| at.0);
    let policy = schedule.verification();
    if !policy.takes(backup.id, last, tx.now) {
        return Ok(());
    }
    let new = NewVerification {
        id: tx.id()?,
        backup_id: backup.id,
        level: policy.level,
        created_by: None,
    };
    verifications::insert(tx, &new)?;
    diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.0.to_string())))
        .set(backup_schedules::last_verify_asked_at.eq(tx.now.naive_utc()))
        .execute(tx.db)?;
    Ok(())
}

fn failed(tx: &mut Tx<'_>, backup: &Backup, schedule: Option<&ScheduleRow>) -> TxResult<()> {
    let error = backup.error_message.as_deref().unwrap_or_default();
    let name = &backup.name;
    let (kind, severity, message) = match backup.consolidated_from {
        None => (
            AlertKind::BackupFailed,
            AlertSeverity::Critical,
            format!("backup {name} failed: {error}"),
        ),
        // The chain that it was to be made of is as good as before, or an alert of its own tells.
        Some(of) => (
            AlertKind::ConsolidationFailed,
            AlertSeverity::Warning,
            format!("no full backup could be made of backup {of}: {error}"),
        ),
    };
    let mut alert = NewAlert::new(kind, subject(backup), message)
        .severity(severity)
        .with(CONFIG_DETAIL, &backup.config_key)
        .with("backup", &backup.name)
        .with("error", error);
    if let Some(schedule) = schedule {
        alert = alert.with("schedule", &schedule.name);
    }
    raise(tx, &alert)?;
    Ok(())
}

/// A schedule's backup was cancelled. A failure before it is no less bad for that.
fn cancelled(tx: &mut Tx<'_>, backup: &Backup, schedule: &ScheduleRow, by: Option<&str>) -> TxResult<()> {
    let before = open(tx, AlertKind::BackupFailed, &subject(backup))?;
    let severity = before.map_or(AlertSeverity::Warning, |alert| alert.severity);
    let message = format!("backup {} {}", backup.name, was_cancelled(by));
    let mut alert = NewAlert::new(AlertKind::BackupFailed, subject(backup), message)
        .severity(severity)
        .with(CONFIG_DETAIL, &backup.config_key)
        .with("backup", &backup.name)
        .with("schedule", &schedule.name);
    if let Some(by) = by {
        alert = alert.with("by", by);
    }
    raise(tx, &alert)?;
    Ok(())
}

fn was_cancelled(by: Option<&str>) -> String {
    by.map_or_else(|| "was cancelled".to_owned(), |by| format!("was cancelled by {by}"))
}

/// A verification ran to its end and found nothing wrong.
pub(crate) fn verified(tx: &mut Tx<'_>, row: &VerificationRow) -> TxResult<()> {
    let id = row.backup_id.0;
    let Some(backup) = crate::backups::find(tx, id)? else {
        return Ok(());
    };
    // All of it was read, whatever was missed before.
    diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
        .set(backups::missing.eq(None::<String>))
        .execute(tx.db)?;
    if backup.found_broken_at().is_some_and(|level| level > row.level.0) {
        return Ok(());
    }
    crate::chains::mark(tx, id, row.level.0, None)?;
    resolve(tx, AlertKind::VerificationFailed, &id.to_string())?;
    passed(tx, &backup.into(), row)
}

/// A verification ran to its end, and found this; `in_base` names the backup that it found it in, where that is one which
/// the verified one builds on.
pub(crate) fn found_broken(
    tx: &mut Tx<'_>,
    row: &VerificationRow,
    problem: &str,
    in_base: Option<BackupId>,
) -> TxResult<()> {
    let id = row.backup_id.0;
    let Some(backup) = crate::backups::find(tx, id)? else {
        return Ok(());
    };
    // What is wrong with a base is wrong with its stored bytes.
    let level = if in_base.is_some() {
        VerifyLevel::Checksum
    } else {
        row.level.0
    };
    crate::chains::mark(tx, id, level, Some(problem))?;
    tell_broken(tx, &backup, problem)?;
    match in_base {
        Some(base) => {
            let how = crate::chains::Finding::Read(VerifyLevel::Checksum);
            crate::chains::condemn(tx, base, how, problem)
        }
        None => crate::chains::found_broken(tx, &backup, row.level.0, problem),
    }
}

/// A verification ran to its end, and found that this backup, the verified one or one that it builds on, is not in the storage.
pub(crate) fn found_missing(tx: &mut Tx<'_>, row: &VerificationRow, problem: &str, at: BackupId) -> TxResult<()> {
    let id = row.backup_id.0;
    let Some(backup) = crate::backups::find(tx, id)? else {
        return Ok(());
    };
    tell_broken(tx, &backup, problem)?;
    // Of what the catalog does not know, nothing can be said.
    let is_known = crate::backups::find(tx, at)?.is_some_and(|row| row.status.0 == JobStatus::Completed);
    crate::chains::miss(tx, if is_known { at } else { id }, problem)
}

fn tell_broken(tx: &mut Tx<'_>, backup: &crate::backups::BackupRow, problem: &str) -> TxResult<()> {
    let alert = NewAlert::new(
        AlertKind::VerificationFailed,
        backup.id.0,
        format!("backup {} cannot be restored as it is: {problem}", backup.name),
    )
    .severity(AlertSeverity::Critical)
    .with(CONFIG_DETAIL, &backup.config_key)
    .with("backup", &backup.name)
    .with("error", problem);
    raise(tx, &alert)?;
    Ok(())
}

/// A verification could not run to its end. Where its backup's schedule had asked for it, its turn is not used up: the next
/// backup is verified.
pub(crate) fn not_verified(tx: &mut Tx<'_>, row: &VerificationRow) -> TxResult<()> {
    if row.created_by.is_some() {
        return Ok(());
    }
    let Some(backup) = crate::backups::find(tx, row.backup_id.0)? else {
        return Ok(());
    };
    if let Some(schedule) = schedule_of(tx, &backup.into())? {
        diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.0.to_string())))
            .set(backup_schedules::last_verify_asked_at.eq(None::<NaiveDateTime>))
            .execute(tx.db)?;
    }
    Ok(())
}

/// Remembers on its schedule that a backup was found good, as thoroughly as the schedule wants it.
fn passed(tx: &mut Tx<'_>, backup: &Backup, row: &VerificationRow) -> TxResult<()> {
    if let Some(schedule) = schedule_of(tx, backup)?
        && row.level.0 >= schedule.verification().level
    {
        diesel::update(backup_schedules::table.filter(backup_schedules::id.eq(schedule.id.0.to_string())))
            .set(backup_schedules::last_verify_passed_at.eq(tx.now.naive_utc()))
            .execute(tx.db)?;
    }
    Ok(())
}

/// What failures of a backup are counted by: its schedule, or all that was asked for by hand in its configuration.
fn subject(backup: &Backup) -> String {
    match backup.schedule_id {
        Some(id) => id.to_string(),
        None => backup.config_key.clone(),
    }
}

fn schedule_of(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<Option<ScheduleRow>> {
    backup.schedule_id.map_or(Ok(None), |id| find(tx, id))
}

fn report(tx: &Tx<'_>, backup: &Backup, schedule: Option<&ScheduleRow>) -> BackupReport {
    BackupReport {
        id: backup.id,
        name: backup.name.clone(),
        backup_type: backup.backup_type,
        source: backup.source,
        is_good: backup.status == JobStatus::Completed,
        size_bytes: backup.size_bytes,
        source_bytes: backup.source_bytes,
        started_at: backup.started_at,
        completed_at: backup.completed_at.unwrap_or(tx.now),
        error: backup.error_message.clone(),
        is_cancelled: false,
        cancelled_by: None,
        warnings: u32::try_from(backup.warnings.len()).unwrap_or(u32::MAX),
        schedule: schedule.map(|schedule| schedule.name.clone()),
        next_run_at: schedule.and_then(|schedule| schedule.next_run_at).map(|at| at.0),
    }
}
