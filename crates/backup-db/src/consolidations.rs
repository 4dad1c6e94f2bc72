//! FULL backups that are made of others, from the storage alone: a row of its own, dated as the backup that it is made of.

use std::collections::HashSet;

use backup_core::backup::full_name;
use backup_core::chain::is_consolidation_due;
use backup_core::{Backup, BackupId, BackupTrigger, BackupType, JobStatus, NewBackup, UserId};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::backups::{BackupRow, completed, find, insert_row};
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::firings::ACTIVE;
use crate::schedules::ScheduleRow;
use crate::schema::backups;
use crate::store::Tx;
use crate::types::{Word, small, word};
use crate::{Error, Store};

impl Store {
    /// Asks for a FULL backup, `id`, that is made of the COMPLETED backup `of`, which builds on others: a PENDING row, which
    /// the next free worker takes up. It belongs to the same configuration and schedule, and is dated as `of`; but it
    /// stays until somebody deletes it. Until it has ended, neither `of` nor what that builds on can be deleted.
    ///
    /// # Errors
    /// [`Error::NotFound`] where `of` is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED,
    /// [`Error::StandsAlone`] where it builds on nothing, [`Error::Damaged`] where it or something that it builds on is known
    /// not to be restorable, [`Error::BeingConsolidated`] where that has been asked for already.
    pub async fn consolidate_backup(
        &self,
        of: BackupId,
        id: BackupId,
        created_by: Option<UserId>,
    ) -> Result<Backup, Error> {
        self.write("consolidate_backup", move |tx| {
            let row = completed(tx, of)?;
            consolidable(tx, &row)?;
            ask(tx, row, id, BackupTrigger::Manual, created_by)
        })
        .await
    }
}

/// A schedule's backup has just been made: asks for a FULL one of it where the schedule's turn has come.
pub(crate) fn ask_where_due(tx: &mut Tx<'_>, backup: &Backup, schedule: &ScheduleRow) -> TxResult<()> {
    let (Some(every), Some(_)) = (schedule.consolidate_every, backup.base_id) else {
        return Ok(());
    };
    let links = crate::chains::links(tx, &backup.config_key, backup.source)?;
    if !is_consolidation_due(backup.id, &links, small(every)) || is_under_way(tx, backup)? {
        return Ok(());
    }
    let row = completed(tx, backup.id)?;
    let id = tx.id()?;
    ask(tx, row, id, BackupTrigger::Scheduled, None).map(drop)
}

/// Whether a FULL backup is being made of another one of the same source.
fn is_under_way(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<bool> {
    let rows: i64 = backups::table
        .filter(sql::<Bool>(ACTIVE))
        .filter(backups::consolidated_from.is_not_null())
        .filter(backups::config_key.eq(&backup.config_key))
        .filter(backups::source.eq(backup.source.as_str()))
        .count()
        .get_result(tx.db)?;
    Ok(rows > 0)
}

/// Whether a full backup can be made of it, as far as the catalog knows.
fn consolidable(tx: &mut Tx<'_>, row: &BackupRow) -> TxResult<()> {
    let id = row.id.0;
    let Some(base) = word(row.base_id) else {
        return Err(Error::StandsAlone(id).into());
    };
    let by: Option<Word<BackupId>> = backups::table
        .filter(backups::consolidated_from.eq(id.to_string()))
        .filter(backups::status.eq_any([JobStatus::Pending.as_str(), JobStatus::InProgress.as_str()]))
        .select(backups::id)
        .first(tx.db)
        .optional()?;
    if let Some(by) = by {
        return Err(Error::BeingConsolidated { id, by: by.0 }.into());
    }
    let damaged = |problem: String| Err(Error::Damaged { id, problem }.into());
    // What was found wrong with a base is said of all that builds on it, but for what the storage was found to lack.
    if let Some(problem) = row.problem() {
        return damaged(problem.to_owned());
    }
    let lost = crate::retention::lost(tx)?;
    let (mut at, mut base) = (id, Some(base));
    // A circle cannot be, but must not hang anybody either.
    let mut seen = HashSet::new();
    while seen.insert(at) {
        if lost.contains(&at.to_string()) {
            return damaged(format!("the storage no longer has backup {at}"));
        }
        let Some(next) = base else { break };
        match find(tx, next)?.filter(|row| row.status.0 == JobStatus::Completed && !row.deleting) {
            Some(row) => (at, base) = (next, word(row.base_id)),
            None => return damaged(format!("backup {next}, which it builds on, is gone")),
        }
    }
    Ok(())
}

fn ask(
    tx: &mut Tx<'_>,
    of: BackupRow,
    id: BackupId,
    trigger: BackupTrigger,
    created_by: Option<UserId>,
) -> TxResult<Backup> {
    let origin = of.id.0;
    let of: Backup = of.into();
    let new = NewBackup {
        id,
        config_key: of.config_key,
        backup_type: BackupType::Full,
        source: of.source,
        trigger,
        description: of.description,
        created_by,
        schedule_id: of.schedule_id,
    };
    let name = full_name(&of.name, of.source, of.backup_type, of.created_at);
    insert_row(tx, &new, &name, of.created_at)?;
    // It waits since now, whatever it is dated.
    diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
        .set((
            backups::consolidated_from.eq(origin.to_string()),
            backups::run_after.eq(tx.now.naive_utc()),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Backup, &id)?;
    let row = crate::backups::find(tx, id)?.ok_or_else(|| Error::not_found("backup", &id))?;
    Ok(row.into())
}
