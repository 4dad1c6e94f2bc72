//! Trying a configuration before it is trusted: its storage, its database, and whether its backups are still found.

use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::{JobControl, PipelineError};
use backup_notify::{Language, templates};
use backup_sources::{DatabaseAccess, DatabaseSource};
use backup_storage::BlobStore;

use crate::bridge::blocking;
use crate::engine::Engine;
use crate::places::names_storage;

/// How long a program of the database may be silent.
const SILENCE: Duration = Duration::from_secs(20);

impl Engine {
    /// Opens the storage that a configuration names, creating its folder or container where that is missing, and writes,
    /// reads and deletes a small blob. Returns what the storage is called.
    ///
    /// # Errors
    /// What does not work, and what to do.
    pub async fn try_storage(&self, config: &BackupConfig) -> Result<String, PipelineError> {
        let storage = BlobStore::open(&self.storage_settings(config)?).await?;
        storage.probe().await?;
        Ok(storage.describe())
    }

    /// Logs in to the database that a configuration names, and asks for the rights that a dump needs.
    ///
    /// # Errors
    /// What does not work, and what to do.
    pub async fn try_database(&self, config: &BackupConfig) -> Result<DatabaseAccess, PipelineError> {
        let settings = self.database_settings(Some(config))?;
        if settings.name.is_empty() {
            return Err(PipelineError::refused(
                "no database is named",
                "Set DATABASE_NAME, or the configuration's databaseName.",
            ));
        }
        let job = JobControl::new(SILENCE);
        blocking(move || DatabaseSource::new(settings).check_access(&job)).await
    }

    /// Sends a message to every address of a configuration, which only says that it arrives. `installation` is the address
    /// that people use.
    ///
    /// # Errors
    /// What does not work, and what to do.
    pub async fn try_notification(
        &self,
        config: &BackupConfig,
        language: Language,
        installation: Option<&str>,
    ) -> Result<(), PipelineError> {
        let Some(mailer) = &self.mailer else {
            return Err(PipelineError::refused(
                "no mail server is set up",
                "Set SMTP_URL and SMTP_FROM.",
            ));
        };
        if config.notification_emails.is_empty() {
            return Err(PipelineError::refused(
                "nobody is to be notified",
                "Set the configuration's notificationEmails.",
            ));
        }
        let message = templates::test(language, installation, self.clock.now());
        let sent = mailer.send(&config.notification_emails, &message).await;
        sent.map_err(|error| PipelineError::refused(error.message(), error.hint()).because(error))
    }

    /// Whether backups that were stored under `from` are found under `to`. Asks no storage.
    ///
    /// # Errors
    /// `Refused` where `to` cannot work.
    pub fn is_same_storage(&self, from: Option<&BackupConfig>, to: &BackupConfig) -> Result<bool, PipelineError> {
        Ok(self.storage_name(Some(to))? == self.storage_name(from)?)
    }

    /// What a configuration's storage is called. Asks no storage.
    ///
    /// # Errors
    /// `Refused` where its settings cannot work.
    pub fn storage_name(&self, config: Option<&BackupConfig>) -> Result<String, PipelineError> {
        match config.filter(|config| names_storage(config)) {
            Some(config) => Ok(BlobStore::locate(&self.storage_settings(config)?)?),
            None => Ok(self.storage.describe()),
        }
    }
}
