//! Deleting backups, in two phases: a tombstone first, then receipt and blob in storage, then the row. Each step can be
//! repeated; a tombstone that a crash left behind is found by [`Store::deleting`].

use std::collections::{HashMap, HashSet};

use backup_core::{AlertKind, Backup, BackupId, JobStatus};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::backups::{BackupRow, direct_dependents, find};
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::{backups, restore_records, verifications};
use crate::store::Tx;
use crate::{Error, Store, readings};

impl Store {
    /// Puts a tombstone on a backup, and with `cascade` on all that build on it, so that nobody sees, restores or builds
    /// on them any more. Gives back what is to be removed from storage, in that order: dependents first, so that there is
    /// never a backup whose base is gone. Asking again gives the same again.
    ///
    /// # Errors
    /// [`Error::NotFound`]; and where one of them may not go, with nothing changed: [`Error::Running`],
    /// [`Error::Protected`], [`Error::InUse`], [`Error::HasDependents`].
    pub async fn begin_delete(&self, id: BackupId, cascade: bool) -> Result<Vec<Backup>, Error> {
        self.write("begin_delete", move |tx| {
            let target = find(tx, id)?.ok_or_else(|| Error::not_found("backup", &id))?;
            let plan = with_dependents(tx, target)?;
            let dependents: Vec<BackupId> = plan
                .iter()
                .filter(|row| row.id.0 != id && !row.deleting)
                .map(|row| row.id.0)
                .collect();
            // What is wrong with the backup itself is said first: it stands whatever is done about the others.
            if let Some(target) = plan.last() {
                removable(tx, target)?;
            }
            if !cascade && !dependents.is_empty() {
                return Err(Error::HasDependents { id, dependents }.into());
            }
            for row in plan.iter().filter(|row| !row.deleting) {
                removable(tx, row)?;
                diesel::update(backups::table.filter(backups::id.eq(row.id.0.to_string())))
                    .set(backups::deleting.eq(true))
                    .execute(tx.db)?;
                append(tx, EventKind::Backup, &row.id.0)?;
            }
            Ok(plan
                .into_iter()
                .map(|row| Backup {
                    deleting: true,
                    ..row.into()
                })
                .collect())
        })
        .await
    }

    /// Removes the row of a backup whose receipt and blob are gone. `false`: there was no tombstone of this identifier.
    pub async fn finish_delete(&self, id: BackupId) -> Result<bool, Error> {
        self.write("finish_delete", move |tx| {
            let rows = diesel::delete(
                backups::table
                    .filter(backups::id.eq(id.to_string()))
                    .filter(backups::deleting.eq(true)),
            )
            .execute(tx.db)?;
            if rows > 0 {
                // What a verification found wrong with it is nobody's business any more.
                crate::alerts::resolve(tx, AlertKind::VerificationFailed, &id.to_string())?;
                append(tx, EventKind::Backup, &id)?;
            }
            Ok(rows > 0)
        })
        .await
    }

    /// Records why the storage would not let go of a backup; its tombstone stays, so that it is tried again.
    pub async fn delete_failed(&self, id: BackupId, message: &str) -> Result<(), Error> {
        let message = message.to_owned();
        self.write("delete_failed", move |tx| {
            diesel::update(
                backups::table
                    .filter(backups::id.eq(id.to_string()))
                    .filter(backups::deleting.eq(true)),
            )
            .set(backups::error_message.eq(&message))
            .execute(tx.db)?;
            append(tx, EventKind::Backup, &id)
        })
        .await
    }

    /// Every backup with a tombstone, dependents before their bases: what a process that died left to be removed.
    pub async fn deleting(&self) -> Result<Vec<Backup>, Error> {
        self.read("deleting", |tx| {
            let rows: Vec<BackupRow> = backups::table
                .filter(sql::<Bool>("deleting"))
                .order((backups::created_at, backups::id))
                .select(BackupRow::as_select())
                .load(tx.db)?;
            Ok(dependents_first(rows.into_iter().map(Into::into).collect()))
        })
        .await
    }
}

/// The backup and everything that cannot be restored without it, dependents first and itself last.
fn with_dependents(tx: &mut Tx<'_>, target: BackupRow) -> TxResult<Vec<BackupRow>> {
    let mut found = vec![target];
    let mut seen: HashSet<BackupId> = found.iter().map(|row| row.id.0).collect();
    let mut next = 0;
    // Breadth first: whatever comes later builds on something that came before.
    while let Some(row) = found.get(next) {
        let dependents = direct_dependents(tx, row.id.0)?;
        found.extend(dependents.into_iter().filter(|row| seen.insert(row.id.0)));
        next += 1;
    }
    found.reverse();
    Ok(found)
}

/// Whether nothing is in the way of deleting this one, apart from those that build on it.
pub(crate) fn removable(tx: &mut Tx<'_>, row: &BackupRow) -> TxResult<()> {
    let id = row.id.0;
    if row.deleting {
        return Ok(());
    }
    if row.status.0.is_active() {
        return Err(Error::Running(id).into());
    }
    if row.protected {
        return Err(Error::Protected(id).into());
    }
    let active = [JobStatus::Pending.as_str(), JobStatus::InProgress.as_str()];
    let restores: Vec<String> = restore_records::table
        .filter(restore_records::backup_id.eq(id.to_string()))
        .filter(restore_records::status.eq_any(active))
        .select(restore_records::id)
        .load(tx.db)?;
    let checks: Vec<String> = verifications::table
        .filter(verifications::backup_id.eq(id.to_string()))
        .filter(verifications::status.eq_any(active))
        .select(verifications::id)
        .load(tx.db)?;
    let consolidations: Vec<String> = backups::table
        .filter(backups::consolidated_from.eq(id.to_string()))
        .filter(backups::status.eq_any(active))
        .select(backups::id)
        .load(tx.db)?;
    let jobs: Vec<String> = restores
        .into_iter()
        .map(|id| format!("restore {id}"))
        .chain(checks.into_iter().map(|id| format!("verification {id}")))
        .chain(consolidations.into_iter().map(|id| format!("consolidation {id}")))
        .chain(readings::of(tx, id)?.into_iter().map(|id| format!("download {id}")))
        .collect();
    if jobs.is_empty() {
        Ok(())
    } else {
        Err(Error::InUse { id, jobs }.into())
    }
}

fn dependents_first(mut backups: Vec<Backup>) -> Vec<Backup> {
    let bases: HashMap<BackupId, Option<BackupId>> = backups.iter().map(|backup| (backup.id, backup.base_id)).collect();
    backups.sort_by_cached_key(|backup| std::cmp::Reverse(depth(&bases, backup.id)));
    backups
}

/// How many of those in `bases`, which says on which each builds, this one cannot be restored without.
pub(crate) fn depth(bases: &HashMap<BackupId, Option<BackupId>>, id: BackupId) -> usize {
    let base_of = |id: BackupId| bases.get(&id).copied().flatten();
    let mut depth = 0usize;
    let mut base = base_of(id);
    // A circle cannot be, but must not hang anybody either.
    while let Some(next) = base.filter(|id| depth <= bases.len() && bases.contains_key(id)) {
        depth += 1;
        base = base_of(next);
    }
    depth
}
