//! The settings of the backups, and the configurations of the application that a CONFIG backup exports.

use backup_core::config::{BackupConfig, DEFAULT_CONFIG_KEY, QuotaPolicy, SealedSecret, SystemConfig};
use backup_core::notification::Webhook;
use backup_core::receipt::Codec;
use backup_core::{JobStatus, Language};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::dialect::on_db;
use crate::error::TxResult;
use crate::schema::{backup_configs, backup_counts, backup_schedules, backups, system_configs};
use crate::store::Tx;
use crate::types::{Json, Time, Word, json, small, word};
use crate::{Error, Store};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = backup_configs)]
struct ConfigRow {
    key: String,
    storage_url: Option<String>,
    storage_connection_string: Option<String>,
    container_name: Option<String>,
    database_host: Option<String>,
    database_port: Option<i32>,
    database_name: Option<String>,
    database_user: Option<String>,
    database_password: Option<String>,
    upload_dir: Option<String>,
    compression_enabled: bool,
    compression_algorithm: Option<Word<Codec>>,
    encryption_enabled: bool,
    encryption_key: Option<String>,
    previous_encryption_keys: Json<Vec<String>>,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: Json<Vec<String>>,
    quota_gigabytes: Option<i64>,
    quota_policy: Word<QuotaPolicy>,
    updated_at: Time,
    webhooks: Json<Vec<Webhook>>,
    notification_language: Word<Language>,
    usage_alert_percents: Json<Vec<u32>>,
    verify_within_days: Option<i32>,
    max_concurrent_jobs: Option<i32>,
}

impl From<ConfigRow> for BackupConfig {
    fn from(row: ConfigRow) -> Self {
        Self {
            key: row.key,
            storage_url: row.storage_url,
            storage_connection_string: row.storage_connection_string.map(SealedSecret),
            container_name: row.container_name,
            database_host: row.database_host,
            database_port: row.database_port.and_then(|port| u16::try_from(port).ok()),
            database_name: row.database_name,
            database_user: row.database_user,
            database_password: row.database_password.map(SealedSecret),
            upload_dir: row.upload_dir,
            compression_enabled: row.compression_enabled,
            compression_algorithm: word(row.compression_algorithm),
            encryption_enabled: row.encryption_enabled,
            encryption_key: row.encryption_key.map(SealedSecret),
            previous_encryption_keys: row.previous_encryption_keys.0.into_iter().map(SealedSecret).collect(),
            notify_on_success: row.notify_on_success,
            notify_on_failure: row.notify_on_failure,
            notification_emails: row.notification_emails.0,
            webhooks: row.webhooks.0,
            notification_language: row.notification_language.0,
            usage_alert_percents: row.usage_alert_percents.0,
            verify_within_days: row.verify_within_days.map(|days| small(days.into())),
            quota_gigabytes: row.quota_gigabytes.map(small),
            quota_policy: row.quota_policy.0,
            max_concurrent_jobs: row.max_concurrent_jobs.map(|jobs| small(jobs.into())),
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(Insertable, AsChangeset)]
// Nothing is a value of its own, never the column's default.
#[diesel(table_name = backup_configs, primary_key(key), treat_none_as_null = true, treat_none_as_default_value = false)]
struct ConfigColumns {
    key: String,
    storage_url: Option<String>,
    storage_connection_string: Option<String>,
    container_name: Option<String>,
    database_host: Option<String>,
    database_port: Option<i32>,
    database_name: Option<String>,
    database_user: Option<String>,
    database_password: Option<String>,
    upload_dir: Option<String>,
    compression_enabled: bool,
    compression_algorithm: Option<String>,
    encryption_enabled: bool,
    encryption_key: Option<String>,
    previous_encryption_keys: String,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: String,
    quota_gigabytes: Option<i64>,
    quota_policy: &'static str,
    updated_at: chrono::NaiveDateTime,
    webhooks: String,
    notification_language: &'static str,
    usage_alert_percents: String,
    verify_within_days: Option<i32>,
    max_concurrent_jobs: Option<i32>,
}

impl ConfigColumns {
    fn of(config: &BackupConfig, now: DateTime<Utc>) -> Result<Self, diesel::result::Error> {
        let secret = |secret: &Option<SealedSecret>| secret.as_ref().map(|secret| secret.0.clone());
        let previous: Vec<&str> = config
            .previous_encryption_keys
            .iter()
            .map(|secret| secret.0.as_str())
            .collect();
        Ok(Self {
            key: config.key.clone(),
            storage_url: config.storage_url.clone(),
            storage_connection_string: secret(&config.storage_connection_string),
            container_name: config.container_name.clone(),
            database_host: config.database_host.clone(),
            database_port: config.database_port.map(Into::into),
            database_name: config.database_name.clone(),
            database_user: config.database_user.clone(),
            database_password: secret(&config.database_password),
            upload_dir: config.upload_dir.clone(),
            compression_enabled: config.compression_enabled,
            compression_algorithm: config.compression_algorithm.map(|codec| codec.to_string()),
            encryption_enabled: config.encryption_enabled,
            encryption_key: secret(&config.encryption_key),
            previous_encryption_keys: json(&previous)?,
            notify_on_success: config.notify_on_success,
            notify_on_failure: config.notify_on_failure,
            notification_emails: json(&config.notification_emails)?,
            quota_gigabytes: config.quota_gigabytes.map(Into::into),
            quota_policy: config.quota_policy.as_str(),
            updated_at: now.naive_utc(),
            webhooks: json(&config.webhooks)?,
            notification_language: config.notification_language.as_str(),
            usage_alert_percents: json(&config.usage_alert_percents)?,
            verify_within_days: config.verify_within_days.and_then(|days| i32::try_from(days).ok()),
            max_concurrent_jobs: config.max_concurrent_jobs.and_then(|jobs| i32::try_from(jobs).ok()),
        })
    }
}

#[derive(Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = system_configs, primary_key(key), treat_none_as_null = true)]
struct SystemConfigRow {
    key: String,
    value: String,
    category: String,
    value_type: String,
    name: String,
    description: Option<String>,
    is_encrypted: bool,
}

impl Store {
    /// The configuration of this key, where one was ever put.
    pub async fn get_config(&self, key: &str) -> Result<Option<BackupConfig>, Error> {
        let key = key.to_owned();
        self.read("get_config", move |tx| find(tx, &key)).await
    }

    /// Every configuration, by key.
    pub async fn list_configs(&self) -> Result<Vec<BackupConfig>, Error> {
        self.read("list_configs", all).await
    }

    /// Puts a configuration in the place of the one of the same key, whatever that says now; its time of change is set to
    /// now.
    pub async fn put_config(&self, config: &BackupConfig) -> Result<BackupConfig, Error> {
        let config = config.clone();
        self.write("put_config", move |tx| put(tx, &config)).await
    }

    /// The same, where the configuration is still `from` (`None`: where there is none), so that two who change it at once
    /// do not undo each other. With `moves`, which says that its backups would no longer be found, only where it has none;
    /// where the connection string of `from` is lost, none that is good: what has failed meanwhile has left nothing anywhere.
    ///
    /// # Errors
    /// [`Error::Changed`] where it is another by now; [`Error::ConfigInUse`] where it has backups and moves.
    pub async fn replace_config(
        &self,
        from: Option<&BackupConfig>,
        config: &BackupConfig,
        moves: bool,
    ) -> Result<BackupConfig, Error> {
        let (from, config) = (from.cloned(), config.clone());
        self.write("replace_config", move |tx| {
            if find(tx, &config.key)? != from {
                return Err(Error::Changed {
                    what: "configuration",
                    id: config.key.clone(),
                }
                .into());
            }
            if moves {
                if from.as_ref().is_some_and(BackupConfig::has_lost_connection) {
                    refuse_completed(tx, &config.key)?;
                } else {
                    refuse_in_use(tx, &config.key)?;
                }
            }
            put(tx, &config)
        })
        .await
    }

    /// Removes a configuration that has neither backups nor schedules.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ConfigInUse`].
    pub async fn delete_config(&self, key: &str) -> Result<(), Error> {
        let key = key.to_owned();
        self.write("delete_config", move |tx| {
            refuse_in_use(tx, &key)?;
            let schedules: i64 = backup_schedules::table
                .filter(backup_schedules::config_key.eq(&key))
                .count()
                .get_result(tx.db)?;
            if schedules > 0 {
                return Err(Error::ConfigInUse { key: key.clone() }.into());
            }
            let rows = diesel::delete(backup_configs::table.filter(backup_configs::key.eq(&key))).execute(tx.db)?;
            if rows == 0 {
                return Err(Error::not_found("configuration", &key).into());
            }
            Ok(())
        })
        .await
    }

    /// Every configuration of the application, by key.
    pub async fn list_system_configs(&self) -> Result<Vec<SystemConfig>, Error> {
        self.read("list_system_configs", |tx| {
            let rows: Vec<SystemConfigRow> = system_configs::table
                .order(system_configs::key)
                .select(SystemConfigRow::as_select())
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .map(|row| SystemConfig {
                    key: row.key,
                    value: row.value,
                    category: row.category,
                    value_type: row.value_type,
                    name: row.name,
                    description: row.description,
                    is_encrypted: row.is_encrypted,
                })
                .collect())
        })
        .await
    }

    /// Puts a configuration of the application in the place of the one of the same key.
    pub async fn put_system_config(&self, config: SystemConfig) -> Result<(), Error> {
        self.write("put_system_config", move |tx| put_system(tx, &config)).await
    }

    /// Removes a configuration of the application. `false`: there was none.
    pub async fn delete_system_config(&self, key: &str) -> Result<bool, Error> {
        let key = key.to_owned();
        self.write("delete_system_config", move |tx| {
            Ok(diesel::delete(system_configs::table.filter(system_configs::key.eq(&key))).execute(tx.db)? > 0)
        })
        .await
    }
}

pub(crate) fn all(tx: &mut Tx<'_>) -> TxResult<Vec<BackupConfig>> {
    let rows: Vec<ConfigRow> = backup_configs::table
        .order(backup_configs::key)
        .select(ConfigRow::as_select())
        .load(tx.db)?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(crate) fn find(tx: &mut Tx<'_>, key: &str) -> TxResult<Option<BackupConfig>> {
    let row: Option<ConfigRow> = backup_configs::table
        .filter(backup_configs::key.eq(key))
        .select(ConfigRow::as_select())
        .first(tx.db)
        .optional()?;
    Ok(row.map(Into::into))
}

/// Whether backups may belong to a configuration of this key: the default one always is.
pub(crate) fn exists(tx: &mut Tx<'_>, key: &str) -> TxResult<bool> {
    Ok(key == DEFAULT_CONFIG_KEY || find(tx, key)?.is_some())
}

pub(crate) fn put_system(tx: &mut Tx<'_>, config: &SystemConfig) -> TxResult<()> {
    let row = || SystemConfigRow {
        key: config.key.clone(),
        value: config.value.clone(),
        category: config.category.clone(),
        value_type: config.value_type.clone(),
        name: config.name.clone(),
        description: config.description.clone(),
        is_encrypted: config.is_encrypted,
    };
    on_db!(tx.db, |connection| diesel::insert_into(system_configs::table)
        .values(row())
        .on_conflict(system_configs::key)
        .do_update()
        .set(row())
        .execute(connection))?;
    Ok(())
}

pub(crate) fn put(tx: &mut Tx<'_>, config: &BackupConfig) -> TxResult<BackupConfig> {
    let now = tx.now;
    on_db!(tx.db, |connection| diesel::insert_into(backup_configs::table)
        .values(ConfigColumns::of(config, now)?)
        .on_conflict(backup_configs::key)
        .do_update()
        .set(ConfigColumns::of(config, now)?)
        .execute(connection))?;
    Ok(BackupConfig {
        updated_at: now,
        ..config.clone()
    })
}

fn refuse_completed(tx: &mut Tx<'_>, key: &str) -> TxResult<()> {
    let completed: i64 = backups::table
        .filter(backups::config_key.eq(key))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .count()
        .get_result(tx.db)?;
    if completed > 0 {
        return Err(Error::ConfigInUse { key: key.to_owned() }.into());
    }
    Ok(())
}

fn refuse_in_use(tx: &mut Tx<'_>, key: &str) -> TxResult<()> {
    let counted: i64 = backup_counts::table
        .filter(backup_counts::config_key.eq(key))
        .filter(backup_counts::backups.gt(0))
        .count()
        .get_result(tx.db)?;
    // The counts leave out what is being deleted.
    let deleting: i64 = backups::table
        .filter(backups::deleting.eq(true))
        .filter(backups::config_key.eq(key))
        .count()
        .get_result(tx.db)?;
    if counted + deleting > 0 {
        return Err(Error::ConfigInUse { key: key.to_owned() }.into());
    }
    Ok(())
}
