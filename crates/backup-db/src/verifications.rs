//! Verifications: their rows, asking for one, reading them.

use backup_core::restore::VerificationRecord;
use backup_core::{BackupId, JobStatus, Step, UserId, VerificationId, VerifyLevel};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::{backups, verifications};
use crate::store::Tx;
use crate::types::{Time, Word, small, time, word};
use crate::{Error, Store};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = verifications)]
pub(crate) struct VerificationRow {
    pub(crate) id: Word<VerificationId>,
    pub(crate) backup_id: Word<BackupId>,
    pub(crate) level: Word<VerifyLevel>,
    pub(crate) status: Word<JobStatus>,
    pub(crate) progress: i32,
    pub(crate) current_step: Word<Step>,
    error_message: Option<String>,
    pub(crate) started_at: Option<Time>,
    completed_at: Option<Time>,
    created_at: Time,
    pub(crate) created_by: Option<Word<UserId>>,
    pub(crate) attempts: i32,
    pub(crate) cancel_requested: bool,
    pub(crate) lease_token: Option<String>,
    pub(crate) config_key: String,
}

impl From<VerificationRow> for VerificationRecord {
    fn from(row: VerificationRow) -> Self {
        Self {
            id: row.id.0,
            backup_id: row.backup_id.0,
            level: row.level.0,
            status: row.status.0,
            progress: u8::try_from(row.progress).unwrap_or(0),
            current_step: row.current_step.0,
            error_message: row.error_message,
            started_at: time(row.started_at),
            completed_at: time(row.completed_at),
            created_at: row.created_at.0,
            created_by: word(row.created_by),
            attempts: small(row.attempts.into()),
            cancel_requested: row.cancel_requested,
        }
    }
}

/// What is asked for when a verification is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewVerification {
    /// Its identifier.
    pub id: VerificationId,
    /// The backup to check.
    pub backup_id: BackupId,
    /// How thoroughly.
    pub level: VerifyLevel,
    /// Who asks; `None`: the system.
    pub created_by: Option<UserId>,
}

impl Store {
    /// Asks for a check: a PENDING row, which the next free worker takes up. From now on the backup cannot be deleted
    /// until the check has ended.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the backup is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED.
    pub async fn create_verification(&self, new: NewVerification) -> Result<VerificationRecord, Error> {
        self.write("create_verification", move |tx| {
            let row = insert(tx, &new)?;
            Ok(row.into())
        })
        .await
    }

    /// A verification.
    pub async fn get_verification(&self, id: VerificationId) -> Result<Option<VerificationRecord>, Error> {
        self.read("get_verification", move |tx| {
            let row = verifications::table
                .filter(verifications::id.eq(id.to_string()))
                .select(VerificationRow::as_select())
                .first(tx.db)
                .optional()?;
            Ok(row.map(Into::into))
        })
        .await
    }

    /// The newest verifications of a backup.
    pub async fn verifications_of(&self, id: BackupId, limit: u32) -> Result<Vec<VerificationRecord>, Error> {
        self.read("verifications_of", move |tx| {
            let rows: Vec<VerificationRow> = verifications::table
                .filter(verifications::backup_id.eq(id.to_string()))
                .order((verifications::created_at.desc(), verifications::id.desc()))
                .limit(i64::from(limit))
                .select(VerificationRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }
}

/// Asks for a check, as part of a transaction.
pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewVerification) -> TxResult<VerificationRow> {
    let backup = crate::backups::completed(tx, new.backup_id)?;
    tx.adds_job = true;
    diesel::insert_into(verifications::table)
        .values((
            verifications::id.eq(new.id.to_string()),
            verifications::backup_id.eq(new.backup_id.to_string()),
            verifications::level.eq(new.level.as_str()),
            verifications::status.eq(JobStatus::Pending.as_str()),
            verifications::progress.eq(0),
            verifications::current_step.eq(Step::Queued.as_str()),
            verifications::created_at.eq(tx.now.naive_utc()),
            verifications::created_by.eq(new.created_by.map(|id| id.to_string())),
            verifications::attempts.eq(0),
            verifications::cancel_requested.eq(false),
            verifications::config_key.eq(&backup.config_key),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Backup, &new.backup_id)?;
    Ok(verifications::table
        .filter(verifications::id.eq(new.id.to_string()))
        .select(VerificationRow::as_select())
        .first(tx.db)?)
}

/// How long ago a configuration's backups were made and verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerificationAge {
    /// When its oldest good backup was asked for.
    pub oldest_backup: Option<DateTime<Utc>>,
    /// When a backup of it was last verified, whatever was found; never in the future.
    pub newest_verification: Option<DateTime<Utc>>,
}

impl Store {
    /// How long ago the backups of a configuration were made and verified.
    pub async fn verification_age(&self, config_key: &str) -> Result<VerificationAge, Error> {
        let config_key = config_key.to_owned();
        self.read("verification_age", move |tx| {
            let oldest: Option<Time> = backups::table
                .filter(backups::config_key.eq(&config_key))
                .filter(backups::status.eq(JobStatus::Completed.as_str()))
                .filter(backups::deleting.eq(false))
                .order((backups::created_at, backups::id))
                .select(backups::created_at)
                .first(tx.db)
                .optional()?;
            let verified: Option<Option<Time>> = backups::table
                .filter(backups::config_key.eq(&config_key))
                // What is in the future was a wrong clock's.
                .filter(backups::verified_at.le(tx.now.naive_utc()))
                .order(backups::verified_at.desc())
                .select(backups::verified_at)
                .first(tx.db)
                .optional()?;
            Ok(VerificationAge {
                oldest_backup: oldest.map(|at| at.0),
                newest_verification: time(verified.flatten()),
            })
        })
        .await
    }
}
