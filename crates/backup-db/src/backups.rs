//! Backups: their rows, making one, reading one, protecting one, and what builds on what.

use std::collections::{HashMap, HashSet};

use backup_core::list::BackupSummary;
use backup_core::{
    Backup, BackupContents, BackupId, BackupSource, BackupTrigger, BackupType, JobStatus, NewBackup, ScheduleId, Step,
    UserId, VerifyLevel, Warning,
};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::pool::Db;
use crate::schema::{backup_schedules, backups, users};
use crate::store::Tx;
use crate::types::{Json, Time, Word, count, small, time, word};
use crate::{Error, Store};

mod rows;

pub(crate) use rows::{adopt, insert, insert_row, insert_untold, rename};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = backups)]
pub(crate) struct BackupRow {
    pub(crate) id: Word<BackupId>,
    pub(crate) config_key: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) backup_type: Word<BackupType>,
    pub(crate) source: Word<BackupSource>,
    pub(crate) trigger: Word<BackupTrigger>,
    pub(crate) status: Word<JobStatus>,
    pub(crate) progress: i32,
    pub(crate) current_step: Word<Step>,
    pub(crate) error_message: Option<String>,
    pub(crate) started_at: Option<Time>,
    pub(crate) completed_at: Option<Time>,
    pub(crate) created_at: Time,
    pub(crate) created_by: Option<Word<UserId>>,
    pub(crate) attempts: i32,
    pub(crate) cancel_requested: bool,
    pub(crate) storage_path: Option<String>,
    pub(crate) size_bytes: Option<i64>,
    pub(crate) source_bytes: Option<i64>,
    pub(crate) checksum: Option<String>,
    pub(crate) key_fingerprint: Option<String>,
    pub(crate) contents: Option<Json<BackupContents>>,
    pub(crate) warnings: Json<Vec<Warning>>,
    pub(crate) base_id: Option<Word<BackupId>>,
    pub(crate) protected: bool,
    pub(crate) verified_at: Option<Time>,
    pub(crate) verify_level: Option<Word<VerifyLevel>>,
    pub(crate) verify_error: Option<String>,
    pub(crate) expires_at: Option<Time>,
    pub(crate) schedule_id: Option<Word<ScheduleId>>,
    pub(crate) deleting: bool,
    pub(crate) lease_token: Option<String>,
    pub(crate) lease_expires_at: Option<Time>,
    pub(crate) consolidated_from: Option<Word<BackupId>>,
    /// What the storage was found to lack of it, or of one that it builds on.
    pub(crate) missing: Option<String>,
}

impl BackupRow {
    /// Why it cannot be restored, as far as the catalog knows.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.verify_error.as_deref().or(self.missing.as_deref())
    }

    /// How thorough the verification was that found it broken, as long as none as thorough has found it good.
    pub(crate) fn found_broken_at(&self) -> Option<VerifyLevel> {
        let level = self.verify_level.as_ref().map(|level| level.0);
        self.verify_error.as_ref().and(level)
    }
}

impl From<BackupRow> for Backup {
    fn from(row: BackupRow) -> Self {
        Self {
            id: row.id.0,
            config_key: row.config_key,
            name: row.name,
            description: row.description,
            backup_type: row.backup_type.0,
            source: row.source.0,
            trigger: row.trigger.0,
            status: row.status.0,
            progress: u8::try_from(row.progress).unwrap_or(0),
            current_step: row.current_step.0,
            error_message: row.error_message,
            storage_path: row.storage_path,
            size_bytes: row.size_bytes.map(count),
            source_bytes: row.source_bytes.map(count),
            checksum: row.checksum,
            key_fingerprint: row.key_fingerprint,
            contents: row.contents.map(|contents| contents.0),
            warnings: row.warnings.0,
            base_id: word(row.base_id),
            consolidated_from: word(row.consolidated_from),
            protected: row.protected,
            verified_at: time(row.verified_at),
            verify_level: word(row.verify_level),
            verify_error: row.verify_error.or(row.missing),
            started_at: time(row.started_at),
            completed_at: time(row.completed_at),
            expires_at: time(row.expires_at),
            created_at: row.created_at.0,
            created_by: word(row.created_by),
            schedule_id: word(row.schedule_id),
            attempts: small(row.attempts.into()),
            cancel_requested: row.cancel_requested,
            deleting: row.deleting,
        }
    }
}

/// No chain has more links, whatever its settings: a ring of rows would never end.
const LONGEST_CHAIN: usize = 1000;

impl Store {
    /// Asks for a backup: a PENDING row, which the next free worker takes up.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] where the identifier is taken.
    pub async fn create_backup(&self, new: NewBackup) -> Result<Backup, Error> {
        self.write("create_backup", move |tx| {
            if find(tx, new.id)?.is_some() {
                return Err(Error::AlreadyExists {
                    what: "backup",
                    name: new.id.to_string(),
                }
                .into());
            }
            if !crate::configs::exists(tx, &new.config_key)? {
                return Err(Error::not_found("configuration", &new.config_key).into());
            }
            insert(tx, &new)
        })
        .await
    }

    /// A backup with the names of what it refers to. One that is being deleted is given too, with `deleting` set.
    pub async fn get_backup(&self, id: BackupId) -> Result<Option<BackupSummary>, Error> {
        self.read("get_backup", move |tx| Ok(summaries(tx, &[id.to_string()])?.pop()))
            .await
    }

    /// Those of `ids` of which the catalog holds no row at all, in their order.
    pub async fn unknown_backups(&self, ids: &[BackupId]) -> Result<Vec<BackupId>, Error> {
        let ids = ids.to_vec();
        self.read("unknown_backups", move |tx| {
            let known: Vec<Word<BackupId>> = backups::table
                .filter(backups::id.eq_any(ids.iter().map(ToString::to_string)))
                .select(backups::id)
                .load(tx.db)?;
            let known: HashSet<BackupId> = known.into_iter().map(|id| id.0).collect();
            Ok(ids.iter().copied().filter(|id| !known.contains(id)).collect())
        })
        .await
    }

    /// Sets or lifts a backup's protection against deletion and expiry.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, or it is being deleted already.
    pub async fn set_protected(&self, id: BackupId, protected: bool) -> Result<Backup, Error> {
        self.write("set_protected", move |tx| {
            let mut row = present(tx, id)?;
            diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
                .set(backups::protected.eq(protected))
                .execute(tx.db)?;
            row.protected = protected;
            append(tx, EventKind::Backup, &id)?;
            Ok(row.into())
        })
        .await
    }

    /// All that this backup builds on: its base first, the full backup last. Fewer where one of them is gone.
    pub async fn bases(&self, id: BackupId) -> Result<Vec<Backup>, Error> {
        self.read("bases", move |tx| {
            let mut bases: Vec<Backup> = Vec::new();
            let mut next = find(tx, id)?.and_then(|row| word(row.base_id));
            while let Some(base) = next.filter(|_| bases.len() < LONGEST_CHAIN) {
                let Some(row) = find(tx, base)? else { break };
                next = word(row.base_id);
                bases.push(row.into());
            }
            Ok(bases)
        })
        .await
    }

    /// The backups that build directly on this one, wait, run or are COMPLETED, and are not being deleted; oldest first.
    pub async fn dependents(&self, id: BackupId) -> Result<Vec<Backup>, Error> {
        self.read("dependents", move |tx| {
            let rows = direct_dependents(tx, id)?;
            Ok(rows.into_iter().filter(|row| !row.deleting).map(Into::into).collect())
        })
        .await
    }

    /// The newest COMPLETED backup of this configuration and source, of one type or of any: what the next one builds on.
    pub async fn newest_completed(
        &self,
        config_key: &str,
        source: BackupSource,
        backup_type: Option<BackupType>,
    ) -> Result<Option<Backup>, Error> {
        let config_key = config_key.to_owned();
        self.read("newest_completed", move |tx| {
            let mut query = backups::table
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .filter(backups::deleting.eq(false))
                .filter(backups::config_key.eq(&config_key))
                .filter(backups::source.eq(source.as_str()))
                .order((backups::created_at.desc(), backups::id.desc()))
                .select(BackupRow::as_select())
                .into_boxed();
            if let Some(backup_type) = backup_type {
                query = query.filter(backups::backup_type.eq(backup_type.as_str()));
            }
            Ok(query.first(tx.db).optional()?.map(Into::into))
        })
        .await
    }
}

pub(crate) fn find(tx: &mut Tx<'_>, id: BackupId) -> TxResult<Option<BackupRow>> {
    Ok(backups::table
        .filter(backups::id.eq(id.to_string()))
        .select(BackupRow::as_select())
        .first(tx.db)
        .optional()?)
}

/// A backup that is there and not being deleted.
pub(crate) fn present(tx: &mut Tx<'_>, id: BackupId) -> TxResult<BackupRow> {
    let row = find(tx, id)?.filter(|row| !row.deleting);
    Ok(row.ok_or_else(|| Error::not_found("backup", &id))?)
}

/// A backup that can be restored, checked and built upon.
pub(crate) fn completed(tx: &mut Tx<'_>, id: BackupId) -> TxResult<BackupRow> {
    let row = present(tx, id)?;
    if row.status.0 != JobStatus::Completed {
        return Err(Error::WrongState {
            what: "backup",
            id: id.to_string(),
            status: row.status.0,
        }
        .into());
    }
    Ok(row)
}

pub(crate) fn direct_dependents(tx: &mut Tx<'_>, id: BackupId) -> TxResult<Vec<BackupRow>> {
    let living = [JobStatus::Pending, JobStatus::InProgress, JobStatus::Completed].map(JobStatus::as_str);
    Ok(backups::table
        .filter(backups::base_id.eq(id.to_string()))
        .filter(backups::status.eq_any(living))
        .order((backups::created_at, backups::id))
        .select(BackupRow::as_select())
        .load(tx.db)?)
}

/// The backups of these identifiers that are there, in the same order, with the names of what they refer to.
pub(crate) fn summaries(tx: &mut Tx<'_>, ids: &[String]) -> TxResult<Vec<BackupSummary>> {
    let rows = named(tx.db, ids)?;
    let mut found: HashMap<String, BackupSummary> = rows
        .into_iter()
        .map(|(row, created_by_name, schedule_name)| {
            let summary = BackupSummary {
                backup: row.into(),
                created_by_name,
                schedule_name,
            };
            (summary.backup.id.to_string(), summary)
        })
        .collect();
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// A row, the name of who asked for it, and that of its schedule.
type Named = (BackupRow, Option<String>, Option<String>);

/// The rows of these identifiers, in any order, by statements that are prepared once: SQLite has no list for a parameter,
/// and asking it twenty times takes less than one statement that is prepared anew.
fn named(db: &mut Db, ids: &[String]) -> TxResult<Vec<Named>> {
    macro_rules! named {
        ($filter:expr) => {
            backups::table
                .left_join(users::table.on(users::id.nullable().eq(backups::created_by)))
                .left_join(backup_schedules::table.on(backup_schedules::id.nullable().eq(backups::schedule_id)))
                .filter($filter)
                .select((
                    BackupRow::as_select(),
                    users::display_name.nullable(),
                    backup_schedules::name.nullable(),
                ))
        };
    }
    match db {
        Db::Pg(connection) => Ok(named!(backups::id.eq_any(ids)).load(connection)?),
        Db::Sqlite(connection) => {
            let mut rows = Vec::with_capacity(ids.len());
            for id in ids {
                rows.extend(named!(backups::id.eq(id)).load::<Named>(connection)?);
            }
            Ok(rows)
        }
    }
}
