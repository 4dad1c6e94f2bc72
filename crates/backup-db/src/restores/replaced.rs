//! What a restore in mode REPLACE puts beside and keeps: how far it is, and how it ends.

use std::collections::HashSet;

use backup_core::restore::{Replacement, ReplacementStage, RestoreAction, RestoreRecord};
use backup_core::{BackupId, JobStatus, NewBackup, RestoreId, UserId};
use chrono::TimeDelta;
use diesel::prelude::*;

use super::{New, RestoreRow, find, insert};
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::jobs::Lease;
use crate::leases::restore_jobs;
use crate::schema::restore_records;
use crate::store::Tx;
use crate::types::{json, word};
use crate::{Error, Store};

/// How long after an attempt to remove something the next one is made by itself.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// As [`AGAIN`], of what stands beside for longer than this: its server may be gone for good.
const RARELY: TimeDelta = TimeDelta::days(1);

impl Store {
    /// Asks for the PRE_RESTORE backup of a restore and lets the restore wait for its end, whatever that is. The attempt does
    /// not count.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] where the job is no longer this worker's: no backup is asked for then.
    pub async fn wait_for_safety_backup(&self, lease: &Lease, new: NewBackup) -> Result<(), Error> {
        let lease = lease.clone();
        self.write("wait_for_safety_backup", move |tx| {
            restore_jobs::held(tx, &lease)?;
            crate::backups::insert(tx, &new)?;
            diesel::update(restore_records::table.filter(restore_records::id.eq(&lease.id)))
                .set(restore_records::safety_backup_id.eq(new.id.to_string()))
                .execute(tx.db)?;
            restore_jobs::put_back(tx, &lease, None, None)
        })
        .await
    }

    /// Writes down what a restore puts where and how far it is, before it goes on: whoever takes the job over finds its way
    /// by it. `false`: it has been asked to stop, and does not go on to [`ReplacementStage::Swapping`]; nothing was changed.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]; [`Error::PlaceTaken`] where another restore is at work on the same database or folder, or keeps
    /// what it replaced there.
    pub async fn set_replacement(&self, lease: &Lease, replacement: &Replacement) -> Result<bool, Error> {
        let (lease, replacement) = (lease.clone(), replacement.clone());
        self.write("set_replacement", move |tx| {
            let row = restore_jobs::held(tx, &lease)?;
            if replacement.stage == ReplacementStage::Swapping && row.cancel_requested {
                return Ok(false);
            }
            if replacement.stage == ReplacementStage::Beside
                && let Some(other) = who_has(tx, &row, &replacement)?
            {
                return Err(Error::PlaceTaken(other).into());
            }
            write(tx, row.id.0, Some(&replacement))?;
            Ok(true)
        })
        .await
    }

    /// Forgets what a restore was to put where, once nothing of it stands beside any more.
    ///
    /// # Errors
    /// [`Error::LeaseLost`].
    pub async fn forget_replacement(&self, lease: &Lease) -> Result<(), Error> {
        let lease = lease.clone();
        self.write("forget_replacement", move |tx| {
            let row = restore_jobs::held(tx, &lease)?;
            write(tx, row.id.0, None)
        })
        .await
    }

    /// Asks for the end of what a restore replaced: `RollBack` puts it back, `Discard` removes it for good. A job like a
    /// restore, with a record of its own.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such restore; [`Error::NothingKept`] where it keeps nothing, or that is being
    /// ended already.
    pub async fn end_replacement(
        &self,
        of: RestoreId,
        action: RestoreAction,
        created_by: Option<UserId>,
    ) -> Result<RestoreRecord, Error> {
        self.write("end_replacement", move |tx| {
            let row = find(tx, of)?.ok_or_else(|| Error::not_found("restore", &of))?;
            let stage = row.replacement.as_ref().map(|replacement| replacement.0.stage);
            let may_be = match action {
                // What is removed in part is no state to go back to. An exchange that could not be finished is taken back.
                RestoreAction::RollBack => {
                    row.kept_until.is_some() && stage == Some(ReplacementStage::Kept)
                        || row.status.0 == JobStatus::Failed && stage == Some(ReplacementStage::Swapping)
                }
                _ => row.kept_until.is_some(),
            };
            if !may_be || is_being_ended(tx, of)? {
                return Err(Error::NothingKept(of).into());
            }
            end(tx, row, action, created_by)
        })
        .await
    }

    /// Asks for the removal of what restores replaced and have kept for long enough, and of what those left beside that are
    /// over and could not remove it themselves, such as from a server that was away. As long as retention does not believe
    /// the clock, nothing is: what is kept for hours would go with the first day that it is believed. What could not be
    /// removed is asked for again after an hour, or a day where it has stood beside for longer; what somebody has tried to put
    /// back is left to people. Gives back the restores whose it is.
    pub async fn discard_expired(&self) -> Result<Vec<RestoreId>, Error> {
        self.write("discard_expired", move |tx| {
            let now = crate::retention::believed(tx)?;
            if now < tx.now {
                return Ok(Vec::new());
            }
            let rows: Vec<RestoreRow> = restore_records::table
                .filter(restore_records::kept_until.le(now.naive_utc()))
                .order(restore_records::kept_until)
                .select(RestoreRow::as_select())
                .load(tx.db)?;
            let mut discarded = Vec::new();
            for row in rows.into_iter().chain(left_beside(tx)?) {
                let id = row.id.0;
                let stands_long = row.kept_until.is_none() && row.completed_at.is_some_and(|at| now - at.0 > RARELY);
                let pause = if stands_long { RARELY } else { AGAIN };
                if !is_being_ended(tx, id)? && !is_half_back(tx, id)? && !was_tried_since(tx, id, now - pause)? {
                    end(tx, row, RestoreAction::Discard, None)?;
                    discarded.push(id);
                }
            }
            Ok(discarded)
        })
        .await
    }
}

fn write(tx: &mut Tx<'_>, id: RestoreId, replacement: Option<&Replacement>) -> TxResult<()> {
    let kept_until = replacement.and_then(|replacement| replacement.kept_until);
    diesel::update(restore_records::table.filter(restore_records::id.eq(id.to_string())))
        .set((
            restore_records::replacement.eq(replacement.map(json).transpose()?),
            restore_records::kept_until.eq(kept_until.map(|at| at.naive_utc())),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Restore, &id)
}

/// A restore has come to its end and left this.
pub(crate) fn completed(tx: &mut Tx<'_>, row: &RestoreRow, replacement: Option<&Replacement>) -> TxResult<()> {
    let stage = match row.action.0 {
        RestoreAction::Restore => return write(tx, row.id.0, replacement),
        RestoreAction::RollBack => ReplacementStage::RolledBack,
        RestoreAction::Discard => ReplacementStage::Discarded,
    };
    let Some(of) = &row.of_restore_id else { return Ok(()) };
    let Some(mut kept) = find(tx, of.0)?.and_then(|of| of.replacement) else {
        return Ok(());
    };
    if kept.0.stage == ReplacementStage::Beside {
        return write(tx, of.0, None);
    }
    kept.0.stage = stage;
    kept.0.kept_until = None;
    write(tx, of.0, Some(&kept.0))
}

/// The restores that are over and whose rows still say that they make something beside: none of it has ever been in use.
fn left_beside(tx: &mut Tx<'_>) -> TxResult<Vec<RestoreRow>> {
    let over = [JobStatus::Failed, JobStatus::Cancelled].map(JobStatus::as_str);
    let mut rows: Vec<RestoreRow> = restore_records::table
        .filter(restore_records::action.eq(RestoreAction::Restore.as_str()))
        .filter(restore_records::status.eq_any(over))
        .filter(restore_records::replacement.is_not_null())
        .order((restore_records::created_at, restore_records::id))
        .select(RestoreRow::as_select())
        .load(tx.db)?;
    rows.retain(|row| {
        let stage = row.replacement.as_ref().map(|replacement| replacement.0.stage);
        stage == Some(ReplacementStage::Beside)
    });
    Ok(rows)
}

fn is_being_ended(tx: &mut Tx<'_>, of: RestoreId) -> TxResult<bool> {
    let active: i64 = restore_records::table
        .filter(restore_records::of_restore_id.eq(of.to_string()))
        .filter(restore_records::status.eq_any([JobStatus::Pending.as_str(), JobStatus::InProgress.as_str()]))
        .count()
        .get_result(tx.db)?;
    Ok(active > 0)
}

/// Whether somebody has begun to roll it back, and that did not work.
fn is_half_back(tx: &mut Tx<'_>, of: RestoreId) -> TxResult<bool> {
    let failed: i64 = restore_records::table
        .filter(restore_records::of_restore_id.eq(of.to_string()))
        .filter(restore_records::action.eq(RestoreAction::RollBack.as_str()))
        .filter(restore_records::status.ne(JobStatus::Completed.as_str()))
        .count()
        .get_result(tx.db)?;
    Ok(failed > 0)
}

/// Another restore that makes something for the same database or folder of the same configuration, or keeps what it
/// replaced there.
fn who_has(tx: &mut Tx<'_>, row: &RestoreRow, replacement: &Replacement) -> TxResult<Option<RestoreId>> {
    let rows: Vec<RestoreRow> = restore_records::table
        .filter(restore_records::id.ne(row.id.0.to_string()))
        .filter(restore_records::action.eq(RestoreAction::Restore.as_str()))
        .filter(restore_records::replacement.is_not_null())
        .filter(
            restore_records::kept_until
                .is_not_null()
                .or(restore_records::status.eq_any([JobStatus::Pending.as_str(), JobStatus::InProgress.as_str()])),
        )
        .select(RestoreRow::as_select())
        .load(tx.db)?;
    let database = replacement.database.as_ref().map(|names| &names.live);
    let files = replacement.files.as_ref().map(|names| &names.live);
    let same = |other: &RestoreRow| {
        let Some(theirs) = other.replacement.as_ref().map(|theirs| &theirs.0) else {
            return false;
        };
        let their_database = theirs.database.as_ref().map(|names| &names.live);
        let their_files = theirs.files.as_ref().map(|names| &names.live);
        other.config_key == row.config_key && database.is_some() && database == their_database
            || files.is_some() && files == their_files
    };
    Ok(rows.iter().find(|other| same(other)).map(|other| other.id.0))
}

/// The PRE_RESTORE backups of restores that are not over, or could still be put back.
pub(crate) fn holding_safety(tx: &mut Tx<'_>) -> TxResult<HashSet<BackupId>> {
    let undecided = [JobStatus::Pending, JobStatus::InProgress, JobStatus::Failed].map(JobStatus::as_str);
    let rows: Vec<RestoreRow> = restore_records::table
        .filter(restore_records::safety_backup_id.is_not_null())
        .filter(
            restore_records::kept_until
                .is_not_null()
                .or(restore_records::status.eq_any(undecided)),
        )
        .select(RestoreRow::as_select())
        .load(tx.db)?;
    let holds = |row: &RestoreRow| {
        let stage = row.replacement.as_ref().map(|replacement| replacement.0.stage);
        row.status.0.is_active() || row.kept_until.is_some() || stage == Some(ReplacementStage::Swapping)
    };
    Ok(rows
        .into_iter()
        .filter(holds)
        .filter_map(|row| word(row.safety_backup_id))
        .collect())
}

fn was_tried_since(tx: &mut Tx<'_>, of: RestoreId, since: chrono::DateTime<chrono::Utc>) -> TxResult<bool> {
    let tried: i64 = restore_records::table
        .filter(restore_records::of_restore_id.eq(of.to_string()))
        .filter(restore_records::created_at.gt(since.naive_utc()))
        .count()
        .get_result(tx.db)?;
    Ok(tried > 0)
}

fn end(tx: &mut Tx<'_>, row: RestoreRow, action: RestoreAction, created_by: Option<UserId>) -> TxResult<RestoreRecord> {
    let of = RestoreRecord::from(row);
    if action == RestoreAction::Discard
        && let Some(kept) = &of.replacement
        && kept.stage != ReplacementStage::Beside
    {
        let discarding = Replacement {
            stage: ReplacementStage::Discarding,
            ..kept.clone()
        };
        write(tx, of.id, Some(&discarding))?;
    }
    let id = tx.id()?;
    let row = insert(
        tx,
        &New {
            id,
            backup_id: of.backup_id,
            config_key: &of.config_key,
            options: &of.options,
            created_by,
            action,
            of: Some(of.id),
            replacement: of.replacement.as_ref(),
        },
    )?;
    Ok(row.into())
}

/// Whether a restore may still be stopped: half an exchange is not left so, nor half of the end of one.
pub(crate) fn may_cancel(tx: &mut Tx<'_>, id: &str) -> TxResult<()> {
    let Some(row) = restore_jobs::row(tx, id)? else {
        return Ok(());
    };
    let is_swapping = row
        .replacement
        .as_ref()
        .is_some_and(|replacement| replacement.0.stage == ReplacementStage::Swapping);
    if row.status.0.is_active() && (is_swapping || row.action.0 != RestoreAction::Restore) {
        return Err(Error::WrongState {
            what: "restore",
            id: id.to_owned(),
            status: row.status.0,
        }
        .into());
    }
    Ok(())
}
