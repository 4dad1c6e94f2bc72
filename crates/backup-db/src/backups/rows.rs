//! Making rows of backups: of those that are asked for, and of those that are found in a storage.

use backup_core::backup::backup_name;
use backup_core::{Backup, BackupId, BackupType, JobStatus, NewBackup, Receipt, ScheduleId, Step};
use diesel::prelude::*;

use super::{BackupRow, find, present};
use crate::Error;
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::finish::{CompletedBackup, write_results};
use crate::schema::{backup_schedules, backups};
use crate::store::Tx;

pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewBackup) -> TxResult<Backup> {
    append(tx, EventKind::Backup, &new.id)?;
    insert_untold(tx, new)
}

/// [`insert`], where the caller appends the event.
pub(crate) fn insert_untold(tx: &mut Tx<'_>, new: &NewBackup) -> TxResult<Backup> {
    let name = backup_name(new.source, new.backup_type, tx.now);
    Ok(insert_row(tx, new, &name, tx.now)?.into())
}

/// A row that waits, of a backup of this name and time.
pub(crate) fn insert_row(
    tx: &mut Tx<'_>,
    new: &NewBackup,
    name: &str,
    created_at: chrono::DateTime<chrono::Utc>,
) -> TxResult<BackupRow> {
    tx.adds_job = true;
    diesel::insert_into(backups::table)
        .values((
            (
                backups::id.eq(new.id.to_string()),
                backups::config_key.eq(&new.config_key),
                backups::name.eq(name),
                backups::description.eq(&new.description),
                backups::backup_type.eq(new.backup_type.as_str()),
                backups::source.eq(new.source.as_str()),
                backups::trigger.eq(new.trigger.as_str()),
                backups::status.eq(JobStatus::Pending.as_str()),
                backups::progress.eq(0),
                backups::current_step.eq(Step::Queued.as_str()),
            ),
            (
                backups::created_at.eq(created_at.naive_utc()),
                backups::created_by.eq(new.created_by.map(|id| id.to_string())),
                backups::schedule_id.eq(new.schedule_id.map(|id| id.to_string())),
                backups::attempts.eq(0),
                backups::cancel_requested.eq(false),
                backups::warnings.eq("[]"),
                backups::protected.eq(false),
                backups::deleting.eq(false),
                backups::search_text.eq(search_text(new.id, name, new.description.as_deref())),
            ),
        ))
        .execute(tx.db)?;
    find(tx, new.id)?.ok_or_else(|| Error::not_found("backup", &new.id).into())
}

/// Names a backup by the type that it was made.
pub(crate) fn rename(tx: &mut Tx<'_>, row: &BackupRow, made: BackupType) -> TxResult<()> {
    let name = backup_name(row.source.0, made, row.created_at.0);
    let text = search_text(row.id.0, &name, row.description.as_deref());
    diesel::update(backups::table.filter(backups::id.eq(row.id.0.to_string())))
        .set((backups::name.eq(name), backups::search_text.eq(text)))
        .execute(tx.db)?;
    Ok(())
}

/// What a list's query is looked for in: lower case, since the databases compare in different ways.
fn search_text(id: BackupId, name: &str, description: Option<&str>) -> String {
    format!("{name}\n{id}\n{}", description.unwrap_or("")).to_lowercase()
}

/// See [`crate::Store::adopt_backup`].
pub(crate) fn adopt(tx: &mut Tx<'_>, receipt: &Receipt) -> TxResult<Backup> {
    let id = receipt.id;
    // One that had ended was counted then, and one that the catalog does not know was not made here.
    let ends_now = if let Some(row) = find(tx, id)? {
        let held = row.status.0 == JobStatus::InProgress && row.lease_expires_at.is_some_and(|at| at.0 > tx.now);
        if held || row.deleting || row.status.0 == JobStatus::Completed {
            return Ok(row.into());
        }
        row.status.0.is_active()
    } else {
        let new = NewBackup {
            id,
            config_key: receipt.config_key.clone(),
            backup_type: receipt.backup_type,
            source: receipt.source,
            trigger: receipt.trigger,
            description: receipt.description.clone(),
            created_by: None,
            schedule_id: known_schedule(tx, receipt.schedule_id)?,
        };
        insert_row(tx, &new, &receipt.name, receipt.created_at)?;
        crate::rebuild::protect_unseen(tx, id)?;
        false
    };
    let text = id.to_string();
    write_results(tx, &text, &CompletedBackup::from(receipt))?;
    // A lease that ran out is void from here on: its token goes.
    diesel::update(backups::table.filter(backups::id.eq(&text)))
        .set((
            backups::status.eq(JobStatus::Completed.as_str()),
            backups::progress.eq(100),
            backups::current_step.eq(Step::Finished.as_str()),
            backups::error_message.eq(None::<String>),
            backups::started_at.eq(receipt.started_at.naive_utc()),
            backups::completed_at.eq(receipt.completed_at.naive_utc()),
            backups::run_after.eq(None::<chrono::NaiveDateTime>),
            backups::lease_token.eq(None::<String>),
            backups::lease_expires_at.eq(None::<chrono::NaiveDateTime>),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Backup, &id)?;
    let backup: Backup = present(tx, id)?.into();
    if ends_now {
        crate::metric_totals::ended(tx, &backup)?;
    }
    crate::outcome::succeeded(tx, &backup)?;
    Ok(present(tx, id)?.into())
}

fn known_schedule(tx: &mut Tx<'_>, id: Option<ScheduleId>) -> TxResult<Option<ScheduleId>> {
    let Some(id) = id else { return Ok(None) };
    let rows: i64 = backup_schedules::table
        .filter(backup_schedules::id.eq(id.to_string()))
        .count()
        .get_result(tx.db)?;
    Ok((rows > 0).then_some(id))
}
