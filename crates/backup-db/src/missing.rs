//! What the storage was found to lack: said of a backup and of all that builds on it, and taken back once it is there again.
//! What a verification finds is written elsewhere, and never taken back here.

use std::collections::HashSet;

use backup_core::{BackupId, JobStatus};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::backups::{BackupRow, find};
use crate::chains;
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::backups;
use crate::store::Tx;
use crate::types::{Word, count, word};
use crate::{Error, Store};

impl Store {
    /// Says of a COMPLETED backup that the storage does not have it, as [`Self::condemn_backup`] says that it is damaged; an
    /// alert is raised where any other builds on it. It is over with [`Self::found_again`].
    pub async fn miss_backup(&self, id: BackupId, problem: &str) -> Result<(), Error> {
        let problem = problem.to_owned();
        self.write("miss_backup", move |tx| chains::miss(tx, id, &problem))
            .await
    }

    /// Takes back what was said of backups that were missed, in these configurations: of those that are `there`, with all that
    /// they build on, which is what was looked for in the storage and found as it was written. What nobody has looked for is not
    /// judged. Gives back which they are.
    pub async fn found_again(&self, config_keys: &[String], there: HashSet<BackupId>) -> Result<Vec<BackupId>, Error> {
        let keys = config_keys.to_vec();
        // Mostly nothing is missed: that should not queue up with the writers.
        let is_any = {
            let keys = keys.clone();
            self.read("find_missed", move |tx| Ok(!missed(tx, &keys)?.is_empty()))
                .await?
        };
        if !is_any {
            return Ok(Vec::new());
        }
        self.write("found_again", move |tx| {
            let mut whole = HashSet::new();
            let mut back = Vec::new();
            for Word(id) in missed(tx, &keys)? {
                let is_there = |link: &BackupRow| keys.contains(&link.config_key) && there.contains(&link.id.0);
                if !is_whole(tx, id, &mut whole, is_there)? {
                    continue;
                }
                diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
                    .set(backups::missing.eq(None::<String>))
                    .execute(tx.db)?;
                append(tx, EventKind::Backup, &id)?;
                if let Some(row) = find(tx, id)? {
                    chains::found_again(tx, &row)?;
                }
                back.push(id);
            }
            Ok(back)
        })
        .await
    }

    /// How many COMPLETED backups of these configurations had ended before then, and are not being deleted.
    pub async fn count_completed(&self, config_keys: &[String], before: DateTime<Utc>) -> Result<u64, Error> {
        let keys = config_keys.to_vec();
        self.read("count_completed", move |tx| {
            let rows: i64 = backups::table
                .filter(backups::config_key.eq_any(&keys))
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .filter(backups::deleting.eq(false))
                .filter(backups::completed_at.lt(before.naive_utc()))
                .count()
                .get_result(tx.db)?;
            Ok(count(rows))
        })
        .await
    }
}

/// Those that were missed, what others build on first.
fn missed(tx: &mut Tx<'_>, config_keys: &[String]) -> TxResult<Vec<Word<BackupId>>> {
    Ok(backups::table
        .filter(backups::missing.is_not_null())
        .filter(backups::config_key.eq_any(config_keys))
        .order((backups::created_at, backups::id))
        .select(backups::id)
        .load(tx.db)?)
}

/// Whether a backup and all that it builds on are there; those of which that is known are `whole`.
fn is_whole(
    tx: &mut Tx<'_>,
    id: BackupId,
    whole: &mut HashSet<BackupId>,
    is_there: impl Fn(&BackupRow) -> bool,
) -> TxResult<bool> {
    let mut chain = HashSet::new();
    let mut next = Some(id);
    // A circle cannot be, but must not hang anybody either.
    while let Some(id) = next.filter(|id| !whole.contains(id) && chain.insert(*id)) {
        let row = find(tx, id)?.filter(|row| row.status.0 == JobStatus::Completed && !row.deleting);
        match row {
            Some(row) if is_there(&row) => next = word(row.base_id),
            _ => return Ok(false),
        }
    }
    whole.extend(chain);
    Ok(true)
}
