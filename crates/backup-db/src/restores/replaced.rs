//! What a restore in mode REPLACE puts beside and keeps: how far it is, and how it ends.

use backup_core::restore::{Replacement, ReplacementStage, RestoreAction, RestoreRecord};
use backup_core::{JobStatus, NewBackup, RestoreId, UserId};
use chrono::TimeDelta;
use diesel::prelude::*;

use super::{New, RestoreRow, find, insert};
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::jobs::Lease;
use crate::leases::restore_jobs;
use crate::schema::restore_records;
use crate::store::Tx;
use crate::types::json;
use crate::{Error, Store};

/// How long after an attempt to remove what was kept the next one is made by itself.
const AGAIN: TimeDelta = TimeDelta::hours(1);

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
    /// [`Error::LeaseLost`].
    pub async fn set_replacement(&self, lease: &Lease, replacement: &Replacement) -> Result<bool, Error> {
        let (lease, replacement) = (lease.clone(), replacement.clone());
        self.write("set_replacement", move |tx| {
            let row = restore_jobs::held(tx, &lease)?;
            if replacement.stage == ReplacementStage::Swapping && row.cancel_requested {
                return Ok(false);
            }
            write(tx, row.id.0, Some(&replacement))?;
            Ok(true)
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
            if row.kept_until.is_none() || is_being_ended(tx, of)? {
                return Err(Error::NothingKept(of).into());
            }
            end(tx, row, action, created_by)
        })
        .await
    }

    /// Asks for the removal of what restores replaced and have kept for long enough; what could not be removed is asked for
    /// again after an hour. Gives back the restores that kept it.
    pub async fn discard_expired(&self) -> Result<Vec<RestoreId>, Error> {
        self.write("discard_expired", move |tx| {
            let rows: Vec<RestoreRow> = restore_records::table
                .filter(restore_records::kept_until.le(tx.now.naive_utc()))
                .order(restore_records::kept_until)
                .select(RestoreRow::as_select())
                .load(tx.db)?;
            let mut discarded = Vec::new();
            for row in rows {
                let id = row.id.0;
                if !is_being_ended(tx, id)? && !was_tried_since(tx, id, tx.now - AGAIN)? {
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
    kept.0.stage = stage;
    kept.0.kept_until = None;
    write(tx, of.0, Some(&kept.0))
}

fn is_being_ended(tx: &mut Tx<'_>, of: RestoreId) -> TxResult<bool> {
    let active: i64 = restore_records::table
        .filter(restore_records::of_restore_id.eq(of.to_string()))
        .filter(restore_records::status.eq_any([JobStatus::Pending.as_str(), JobStatus::InProgress.as_str()]))
        .count()
        .get_result(tx.db)?;
    Ok(active > 0)
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
