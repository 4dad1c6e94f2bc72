//! The settings of the backups, and the configurations of the application that a CONFIG backup exports.

use backup_core::config::{BackupConfig, SealedSecret, SystemConfig};
use backup_core::receipt::Codec;
use diesel::prelude::*;

use crate::dialect::on_db;
use crate::schema::{backup_configs, system_configs};
use crate::types::{Json, Time, Word, json, small, word};
use crate::{Error, Store};

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = backup_configs)]
struct ConfigRow {
    key: String,
    storage_connection_string: Option<String>,
    container_name: String,
    database_host: Option<String>,
    database_port: i32,
    database_name: Option<String>,
    compression_enabled: bool,
    compression_algorithm: Option<Word<Codec>>,
    encryption_enabled: bool,
    encryption_key: Option<String>,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: Json<Vec<String>>,
    quota_gigabytes: Option<i64>,
    updated_at: Time,
}

impl From<ConfigRow> for BackupConfig {
    fn from(row: ConfigRow) -> Self {
        Self {
            key: row.key,
            storage_connection_string: row.storage_connection_string.map(SealedSecret),
            container_name: row.container_name,
            database_host: row.database_host,
            database_port: u16::try_from(row.database_port).unwrap_or(0),
            database_name: row.database_name,
            compression_enabled: row.compression_enabled,
            compression_algorithm: word(row.compression_algorithm),
            encryption_enabled: row.encryption_enabled,
            encryption_key: row.encryption_key.map(SealedSecret),
            notify_on_success: row.notify_on_success,
            notify_on_failure: row.notify_on_failure,
            notification_emails: row.notification_emails.0,
            quota_gigabytes: row.quota_gigabytes.map(small),
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = backup_configs, primary_key(key), treat_none_as_null = true)]
struct ConfigColumns {
    key: String,
    storage_connection_string: Option<String>,
    container_name: String,
    database_host: Option<String>,
    database_port: i32,
    database_name: Option<String>,
    compression_enabled: bool,
    compression_algorithm: Option<String>,
    encryption_enabled: bool,
    encryption_key: Option<String>,
    notify_on_success: bool,
    notify_on_failure: bool,
    notification_emails: String,
    quota_gigabytes: Option<i64>,
    updated_at: chrono::NaiveDateTime,
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
        self.read("get_config", move |tx| {
            let row: Option<ConfigRow> = backup_configs::table
                .filter(backup_configs::key.eq(&key))
                .select(ConfigRow::as_select())
                .first(tx.db)
                .optional()?;
            Ok(row.map(Into::into))
        })
        .await
    }

    /// Every configuration, by key.
    pub async fn list_configs(&self) -> Result<Vec<BackupConfig>, Error> {
        self.read("list_configs", |tx| {
            let rows: Vec<ConfigRow> = backup_configs::table
                .order(backup_configs::key)
                .select(ConfigRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    /// Puts a configuration in the place of the one of the same key; its time of change is set to now.
    pub async fn put_config(&self, config: &BackupConfig) -> Result<BackupConfig, Error> {
        let config = config.clone();
        self.write("put_config", move |tx| {
            let columns = || -> Result<ConfigColumns, diesel::result::Error> {
                Ok(ConfigColumns {
                    key: config.key.clone(),
                    storage_connection_string: config.storage_connection_string.as_ref().map(|secret| secret.0.clone()),
                    container_name: config.container_name.clone(),
                    database_host: config.database_host.clone(),
                    database_port: config.database_port.into(),
                    database_name: config.database_name.clone(),
                    compression_enabled: config.compression_enabled,
                    compression_algorithm: config.compression_algorithm.map(|codec| codec.to_string()),
                    encryption_enabled: config.encryption_enabled,
                    encryption_key: config.encryption_key.as_ref().map(|secret| secret.0.clone()),
                    notify_on_success: config.notify_on_success,
                    notify_on_failure: config.notify_on_failure,
                    notification_emails: json(&config.notification_emails)?,
                    quota_gigabytes: config.quota_gigabytes.map(Into::into),
                    updated_at: tx.now.naive_utc(),
                })
            };
            on_db!(tx.db, |connection| diesel::insert_into(backup_configs::table)
                .values(columns()?)
                .on_conflict(backup_configs::key)
                .do_update()
                .set(columns()?)
                .execute(connection))?;
            Ok(BackupConfig {
                updated_at: tx.now,
                ..config.clone()
            })
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
        self.write("put_system_config", move |tx| {
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
        })
        .await
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
