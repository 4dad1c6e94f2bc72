//! Restores: their rows, asking for one, reading them. The record of a restore outlives the backup.

use backup_core::restore::{Replacement, RestoreAction, RestoreMode, RestoreOptions, RestoreRecord};
use backup_core::{BackupId, JobStatus, RestoreId, Step, UserId, Warning};
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::restore_records;
use crate::store::Tx;
use crate::types::{Json, Time, Word, json, small, time, word};
use crate::verbatim::{Verbatim, verbatim};
use crate::{Error, Store};

mod replaced;

pub(crate) use replaced::{completed, holding_safety, may_cancel};

/// What the person is called who asked for a restore.
const CREATED_BY_NAME: &str = "(SELECT display_name FROM users WHERE users.id = restore_records.created_by)";

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = restore_records)]
pub(crate) struct RestoreRow {
    pub(crate) id: Word<RestoreId>,
    backup_id: Word<BackupId>,
    pub(crate) status: Word<JobStatus>,
    pub(crate) progress: i32,
    pub(crate) current_step: Word<Step>,
    error_message: Option<String>,
    pub(crate) started_at: Option<Time>,
    completed_at: Option<Time>,
    created_at: Time,
    created_by: Option<Word<UserId>>,
    #[diesel(select_expression = verbatim::<Nullable<Text>>(CREATED_BY_NAME))]
    #[diesel(select_expression_type = Verbatim<Nullable<Text>>)]
    created_by_name: Option<String>,
    pub(crate) attempts: i32,
    pub(crate) cancel_requested: bool,
    restore_database: bool,
    restore_files: bool,
    restore_config: bool,
    target_database: Option<String>,
    target_dir: Option<String>,
    mode: Word<RestoreMode>,
    paths: Json<Vec<String>>,
    tables: Json<Vec<String>>,
    safety_backup: bool,
    pub(crate) lease_token: Option<String>,
    pub(crate) action: Word<RestoreAction>,
    pub(crate) of_restore_id: Option<Word<RestoreId>>,
    pub(crate) config_key: String,
    safety_backup_id: Option<Word<BackupId>>,
    skip_owner: bool,
    keep_old_hours: i32,
    pub(crate) replacement: Option<Json<Replacement>>,
    pub(crate) kept_until: Option<Time>,
    warnings: Json<Vec<Warning>>,
    skip_tablespaces: bool,
}

impl From<RestoreRow> for RestoreRecord {
    fn from(row: RestoreRow) -> Self {
        Self {
            id: row.id.0,
            backup_id: row.backup_id.0,
            action: row.action.0,
            of_restore_id: word(row.of_restore_id),
            config_key: row.config_key,
            safety_backup_id: word(row.safety_backup_id),
            replacement: row.replacement.map(|replacement| replacement.0),
            warnings: row.warnings.0,
            status: row.status.0,
            progress: u8::try_from(row.progress).unwrap_or(0),
            current_step: row.current_step.0,
            error_message: row.error_message,
            options: RestoreOptions {
                restore_database: row.restore_database,
                restore_files: row.restore_files,
                restore_config: row.restore_config,
                target_database: row.target_database,
                target_dir: row.target_dir,
                mode: row.mode.0,
                paths: row.paths.0,
                tables: row.tables.0,
                safety_backup: row.safety_backup,
                skip_owner: row.skip_owner,
                skip_tablespaces: row.skip_tablespaces,
                keep_old_hours: small(row.keep_old_hours.into()),
            },
            started_at: time(row.started_at),
            completed_at: time(row.completed_at),
            created_at: row.created_at.0,
            created_by: word(row.created_by),
            created_by_name: row.created_by_name,
            attempts: small(row.attempts.into()),
            cancel_requested: row.cancel_requested,
        }
    }
}

/// What is asked for when a restore is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRestore {
    /// Its identifier.
    pub id: RestoreId,
    /// The backup to restore.
    pub backup_id: BackupId,
    /// What of it, and where to.
    pub options: RestoreOptions,
    /// Who asks; `None`: the system.
    pub created_by: Option<UserId>,
}

/// Which restores, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreListOptions {
    /// Only this backup's.
    pub backup_id: Option<BackupId>,
    /// Only this state.
    pub status: Option<JobStatus>,
    /// How many at the most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u64,
}

impl Store {
    /// Asks for a restore: a PENDING row, which the next free worker takes up. From now on the backup cannot be deleted
    /// until the restore has ended.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the backup is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED.
    pub async fn create_restore(&self, new: NewRestore) -> Result<RestoreRecord, Error> {
        self.write("create_restore", move |tx| {
            let backup = crate::backups::completed(tx, new.backup_id)?;
            let row = insert(
                tx,
                &New {
                    id: new.id,
                    backup_id: new.backup_id,
                    config_key: &backup.config_key,
                    options: &new.options,
                    created_by: new.created_by,
                    action: RestoreAction::Restore,
                    of: None,
                    replacement: None,
                },
            )?;
            Ok(row.into())
        })
        .await
    }

    /// A restore.
    pub async fn get_restore(&self, id: RestoreId) -> Result<Option<RestoreRecord>, Error> {
        self.read("get_restore", move |tx| Ok(find(tx, id)?.map(Into::into)))
            .await
    }

    /// Restores, newest first, and how many there are on all pages.
    pub async fn list_restores(&self, options: &RestoreListOptions) -> Result<(Vec<RestoreRecord>, u64), Error> {
        let options = options.clone();
        self.read("list_restores", move |tx| {
            macro_rules! filtered {
                ($query:expr) => {{
                    let mut query = $query.into_boxed();
                    if let Some(id) = options.backup_id {
                        query = query.filter(restore_records::backup_id.eq(id.to_string()));
                    }
                    if let Some(status) = options.status {
                        query = query.filter(restore_records::status.eq(status.as_str()));
                    }
                    query
                }};
            }
            let total: i64 = filtered!(restore_records::table.select(diesel::dsl::count_star())).get_result(tx.db)?;
            let rows: Vec<RestoreRow> = filtered!(restore_records::table.select(RestoreRow::as_select()))
                .order((restore_records::created_at.desc(), restore_records::id.desc()))
                .limit(i64::from(options.limit))
                .offset(crate::types::big(options.offset))
                .load(tx.db)?;
            Ok((rows.into_iter().map(Into::into).collect(), crate::types::count(total)))
        })
        .await
    }

    /// The newest restores of a backup.
    pub async fn restores_of(&self, id: BackupId, limit: u32) -> Result<Vec<RestoreRecord>, Error> {
        let options = RestoreListOptions {
            backup_id: Some(id),
            limit,
            ..RestoreListOptions::default()
        };
        self.list_restores(&options).await.map(|(restores, _)| restores)
    }
}

struct New<'a> {
    id: RestoreId,
    backup_id: BackupId,
    config_key: &'a str,
    options: &'a RestoreOptions,
    created_by: Option<UserId>,
    action: RestoreAction,
    of: Option<RestoreId>,
    replacement: Option<&'a Replacement>,
}

fn insert(tx: &mut Tx<'_>, new: &New<'_>) -> TxResult<RestoreRow> {
    let options = new.options;
    tx.adds_job = true;
    diesel::insert_into(restore_records::table)
        .values((
            (
                restore_records::id.eq(new.id.to_string()),
                restore_records::backup_id.eq(new.backup_id.to_string()),
                restore_records::config_key.eq(new.config_key),
                restore_records::status.eq(JobStatus::Pending.as_str()),
                restore_records::progress.eq(0),
                restore_records::current_step.eq(Step::Queued.as_str()),
                restore_records::created_at.eq(tx.now.naive_utc()),
                restore_records::created_by.eq(new.created_by.map(|id| id.to_string())),
                restore_records::attempts.eq(0),
                restore_records::cancel_requested.eq(false),
                restore_records::action.eq(new.action.as_str()),
                restore_records::of_restore_id.eq(new.of.map(|id| id.to_string())),
                restore_records::replacement.eq(new.replacement.map(json).transpose()?),
            ),
            (
                restore_records::restore_database.eq(options.restore_database),
                restore_records::restore_files.eq(options.restore_files),
                restore_records::restore_config.eq(options.restore_config),
                restore_records::target_database.eq(&options.target_database),
                restore_records::target_dir.eq(&options.target_dir),
                restore_records::mode.eq(options.mode.as_str()),
                restore_records::paths.eq(json(&options.paths)?),
                restore_records::tables.eq(json(&options.tables)?),
                restore_records::safety_backup.eq(options.safety_backup),
                restore_records::skip_owner.eq(options.skip_owner),
                restore_records::skip_tablespaces.eq(options.skip_tablespaces),
                restore_records::keep_old_hours.eq(i32::try_from(options.keep_old_hours).unwrap_or(i32::MAX)),
            ),
        ))
        .execute(tx.db)?;
    append(tx, EventKind::Restore, &new.id)?;
    find(tx, new.id)?.ok_or_else(|| Error::not_found("restore", &new.id).into())
}

fn find(tx: &mut Tx<'_>, id: RestoreId) -> TxResult<Option<RestoreRow>> {
    Ok(restore_records::table
        .filter(restore_records::id.eq(id.to_string()))
        .select(RestoreRow::as_select())
        .first(tx.db)
        .optional()?)
}
