//! PRE_RESTORE backups, which belong to no schedule: how long they are kept, and letting them go.

use std::collections::HashSet;

use backup_core::{Backup, BackupSource, BackupTrigger, JobStatus};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::backups::{BackupRow, direct_dependents};
use crate::error::TxResult;
use crate::restores::holding_safety;
use crate::retention::{AT_ONCE, believed, expire, lost};
use crate::schema::backups;
use crate::store::Tx;
use crate::types::big;
use crate::{Error, Store};

/// How long a PRE_RESTORE backup is kept.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Why one goes, for the audit log.
const WHY: &str = "恢復前備份，已保留 30 天";

impl Store {
    /// Puts tombstones on the PRE_RESTORE backups whose time is over, as [`Self::expire_backups`] does for a schedule, by the
    /// same time. One that something builds on stays, or whose restore is not over or keeps what it replaced; and so does the
    /// newest good one of what it holds. Those that bear no date yet get one from now on. Gives back what is to be removed
    /// from storage.
    pub async fn expire_safety_backups(&self) -> Result<Vec<Backup>, Error> {
        // Most asks find nothing: those should not queue up with the writers.
        let is_any = self
            .read("find_expired_safety", |tx| {
                let now = believed(tx)?;
                Ok(!over(tx, now)?.is_empty() || undated(tx)? > 0)
            })
            .await?;
        if !is_any {
            return Ok(Vec::new());
        }
        self.write("expire_safety_backups", |tx| {
            // As for schedules: what is not known yet may be what keeps a backup.
            if crate::rebuild::is_unfinished(tx)? || crate::pause::is_on(tx)? {
                return Ok(Vec::new());
            }
            let now = believed(tx)?;
            diesel::update(
                backups::table
                    .filter(backups::trigger.eq(BackupTrigger::PreRestore.as_str()))
                    .filter(backups::status.eq(JobStatus::Completed.as_str()))
                    .filter(backups::schedule_id.is_null())
                    .filter(backups::expires_at.is_null()),
            )
            .set(backups::expires_at.eq((now + KEPT).naive_utc()))
            .execute(tx.db)?;
            let (held, lost) = (holding_safety(tx)?, lost(tx)?);
            let mut let_go = Vec::new();
            for row in over(tx, now)? {
                if let_go.len() == AT_ONCE {
                    break;
                }
                let is_needed = held.contains(&row.id.0)
                    || !direct_dependents(tx, row.id.0)?.is_empty()
                    || !is_outdone(tx, &row, &lost, now)?;
                if !is_needed {
                    let_go.extend(expire(tx, row, WHY)?);
                }
            }
            Ok(let_go)
        })
        .await
    }
}

/// Says when a good backup may go that no schedule lets go, where it is a PRE_RESTORE one: so long after it ended. One that
/// comes back from its receipt is kept anew, for whoever brought it back.
pub(crate) fn date(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<()> {
    if backup.trigger != BackupTrigger::PreRestore {
        return Ok(());
    }
    let since = backup.completed_at.map_or(tx.now, |ended| ended.max(tx.now));
    diesel::update(backups::table.filter(backups::id.eq(backup.id.to_string())))
        .set(backups::expires_at.eq((since + KEPT).naive_utc()))
        .execute(tx.db)?;
    Ok(())
}

/// Those whose time is over, the oldest first.
fn over(tx: &mut Tx<'_>, now: DateTime<Utc>) -> TxResult<Vec<BackupRow>> {
    Ok(backups::table
        .filter(backups::trigger.eq(BackupTrigger::PreRestore.as_str()))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::schedule_id.is_null())
        .filter(backups::deleting.eq(false))
        .filter(backups::protected.eq(false))
        .filter(backups::expires_at.le(now.naive_utc()))
        .order((backups::expires_at, backups::id))
        .select(BackupRow::as_select())
        .load(tx.db)?)
}

/// How many bear no date: made before there was one.
fn undated(tx: &mut Tx<'_>) -> TxResult<i64> {
    Ok(backups::table
        .filter(backups::trigger.eq(BackupTrigger::PreRestore.as_str()))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::schedule_id.is_null())
        .filter(backups::expires_at.is_null())
        .count()
        .get_result(tx.db)?)
}

/// Whether a newer good backup of its configuration holds the same: the last one that can be restored stays, whatever its age.
fn is_outdone(tx: &mut Tx<'_>, row: &BackupRow, lost: &HashSet<String>, now: DateTime<Utc>) -> TxResult<bool> {
    let made: NaiveDateTime = row.created_at.0.naive_utc();
    let sources = [row.source.0, BackupSource::FullSystem].map(BackupSource::as_str);
    let newer: Vec<String> = backups::table
        .filter(backups::config_key.eq(&row.config_key))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::deleting.eq(false))
        .filter(backups::source.eq_any(sources))
        .filter(backups::created_at.gt(made))
        .filter(backups::created_at.le(now.naive_utc()))
        .filter(backups::verify_error.is_null())
        .filter(backups::missing.is_null())
        .order((backups::created_at.desc(), backups::id.desc()))
        // One more than could all be lost.
        .limit(big(lost.len() as u64 + 1))
        .select(backups::id)
        .load(tx.db)?;
    Ok(newer.iter().any(|id| !lost.contains(id)))
}
