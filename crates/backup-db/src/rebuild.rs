//! Filling an empty catalog with what the storage still knows. Begun, fed piece by piece and finished by whoever reads the
//! storage; broken off anywhere it is begun again, and nothing comes in twice. Until it is finished no backup expires.

use backup_core::config::{BackupConfig, SystemConfig};
use backup_core::schedule::Schedule;
use backup_core::user::User;
use backup_core::{BackupId, JobStatus, Receipt};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::audit::NewAuditEntry;
use crate::dialect::on_db;
use crate::error::TxResult;
use crate::schema::{
    backup_configs, backup_schedules, backups, protected_unseen, restore_records, system_configs, turns,
};
use crate::store::Tx;
use crate::types::{Time, Word};
use crate::{Error, Store, audit, configs, retention, schedules, users};

/// The row of `turns` that stands from the beginning of a rebuild to its end.
const MARK: &str = "catalog-rebuild";

/// What a configuration export brings back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedSettings {
    /// The configurations of the backups.
    pub configs: Vec<BackupConfig>,
    /// The configurations of the backed-up application.
    pub system_configs: Vec<SystemConfig>,
    /// The schedules, with their identifiers; each one's next instant is reckoned from now.
    pub schedules: Vec<Schedule>,
    /// The people; they come back without a password, and may not log in until somebody lets them.
    pub users: Vec<User>,
    /// The backups that were protected: each is again as soon as it comes back, now or by a later rebuild or adoption.
    pub protected: Vec<BackupId>,
}

impl Store {
    /// The backups that are protected, in the order in which they were asked for: no receipt says so, but a configuration
    /// export does. Those too that an export named and that are not back yet: else the next export would forget them.
    pub async fn protected_backups(&self) -> Result<Vec<BackupId>, Error> {
        self.read("protected_backups", |tx| {
            let rows: Vec<Word<BackupId>> = backups::table
                .filter(backups::protected.eq(true))
                .filter(backups::deleting.eq(false))
                .select(backups::id)
                .load(tx.db)?;
            let unseen: Vec<Word<BackupId>> = protected_unseen::table.select(protected_unseen::id).load(tx.db)?;
            let mut ids: Vec<BackupId> = rows.into_iter().chain(unseen).map(|id| id.0).collect();
            ids.sort_unstable();
            Ok(ids)
        })
        .await
    }

    /// Begins to rebuild the catalog, or goes on with a rebuild that was not finished, which is `true`. Users may be there:
    /// a server that was started on the empty catalog makes one.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] where it holds anything that was not brought in by a rebuild.
    pub async fn begin_rebuild(&self) -> Result<bool, Error> {
        let catalog = self.describe();
        self.write("begin_rebuild", move |tx| {
            if is_unfinished(tx)? {
                return Ok(true);
            }
            if let Some(holds) = holds(tx)? {
                let catalog = catalog.clone();
                return Err(Error::NotEmpty { catalog, holds }.into());
            }
            diesel::insert_into(turns::table)
                .values((
                    turns::name.eq(MARK),
                    turns::owner.eq(MARK),
                    turns::expires_at.eq(tx.now.naive_utc()),
                ))
                .execute(tx.db)?;
            Ok(false)
        })
        .await
    }

    /// Brings settings back, all at once; what is there already stays as it is.
    ///
    /// # Errors
    /// [`Error::Cron`] where a schedule's expression or zone cannot be read.
    pub async fn import_settings(&self, settings: ImportedSettings) -> Result<(), Error> {
        self.write("import_settings", move |tx| {
            for config in &settings.configs {
                if configs::find(tx, &config.key)?.is_none() {
                    configs::put(tx, config)?;
                }
            }
            let known: Vec<String> = system_configs::table.select(system_configs::key).load(tx.db)?;
            for config in settings
                .system_configs
                .iter()
                .filter(|config| !known.contains(&config.key))
            {
                configs::put_system(tx, config)?;
            }
            for schedule in &settings.schedules {
                if schedules::find(tx, schedule.id)?.is_none() {
                    schedules::insert(tx, schedule)?;
                }
            }
            for user in &settings.users {
                users::bring_back(tx, user)?;
            }
            for id in &settings.protected {
                if crate::backups::find(tx, *id)?.is_none() {
                    on_db!(tx.db, |connection| diesel::insert_into(protected_unseen::table)
                        .values(protected_unseen::id.eq(id.to_string()))
                        .on_conflict(protected_unseen::id)
                        .do_nothing()
                        .execute(connection))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Brings backups back, all of these at once, as [`Self::adopt_backup`] does, by their receipts, which have been
    /// authenticated: each is its schedule's again, where that is there, and protected, where the settings said so. Gives back
    /// how many there are now that were not before.
    pub async fn import_backups(&self, receipts: Vec<Receipt>) -> Result<u64, Error> {
        self.write("import_backups", move |tx| {
            let mut new = 0;
            for receipt in &receipts {
                if crate::backups::find(tx, receipt.id)?.is_some() {
                    continue;
                }
                crate::backups::adopt(tx, receipt)?;
                new += 1;
            }
            Ok(new)
        })
        .await
    }

    /// Ends a rebuild: says of each backup whose base was not brought back that it cannot be restored, writes it into the audit
    /// log, and lets retention go on from the time of the newest backup, as if the
    /// catalog had never been away. One that is ended already is left as it is. Where it is not whole, nothing expires until
    /// another one is.
    pub async fn finish_rebuild(&self, description: &str, is_whole: bool) -> Result<(), Error> {
        let description = description.to_owned();
        self.write("finish_rebuild", move |tx| {
            if !is_unfinished(tx)? {
                return Ok(());
            }
            if is_whole {
                diesel::delete(turns::table.filter(turns::name.eq(MARK))).execute(tx.db)?;
            }
            crate::chains::condemn_torn(tx)?;
            if let Some(newest) = newest(tx)? {
                // A clock that is wrong on the new machine must not make everything old at once.
                retention::believe(tx, newest.min(tx.now))?;
            }
            let entry = NewAuditEntry {
                user_id: None,
                action: "CATALOG_REBUILD".to_owned(),
                resource_type: "Catalog".to_owned(),
                resource_id: None,
                description: description.clone(),
                address: None,
            };
            audit::insert(tx, &entry).map(drop)
        })
        .await
    }
}

/// Whether a rebuild was begun and has not come to its end.
pub(crate) fn is_unfinished(tx: &mut Tx<'_>) -> TxResult<bool> {
    let marks: i64 = turns::table.filter(turns::name.eq(MARK)).count().get_result(tx.db)?;
    Ok(marks > 0)
}

/// What keeps a catalog from being empty.
fn holds(tx: &mut Tx<'_>) -> TxResult<Option<&'static str>> {
    macro_rules! any {
        ($table:ident, $key:ident) => {
            $table::table
                .select($table::$key)
                .first::<String>(tx.db)
                .optional()?
                .is_some()
        };
    }
    Ok(if any!(backups, id) {
        Some("backups")
    } else if any!(backup_schedules, id) {
        Some("schedules")
    } else if any!(backup_configs, key) || any!(system_configs, key) {
        Some("configurations")
    } else if any!(restore_records, id) {
        Some("restores")
    } else {
        None
    })
}

/// Protects a backup that has its row now, where an export said so before.
pub(crate) fn protect_unseen(tx: &mut Tx<'_>, id: BackupId) -> TxResult<()> {
    let id = id.to_string();
    let unseen = diesel::delete(protected_unseen::table.filter(protected_unseen::id.eq(&id))).execute(tx.db)?;
    if unseen > 0 {
        diesel::update(backups::table.filter(backups::id.eq(&id)))
            .set(backups::protected.eq(true))
            .execute(tx.db)?;
    }
    Ok(())
}

/// When the newest good backup ended.
fn newest(tx: &mut Tx<'_>) -> TxResult<Option<DateTime<Utc>>> {
    let newest: Option<Option<Time>> = backups::table
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .order(backups::created_at.desc())
        .select(backups::completed_at)
        .first(tx.db)
        .optional()?;
    Ok(newest.flatten().map(|at| at.0))
}
