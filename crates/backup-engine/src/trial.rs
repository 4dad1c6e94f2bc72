//! Trying a configuration before it is trusted: its storage, its database, its files, and whether its backups are still
//! found.

use std::path::PathBuf;
use std::time::Duration;

use backup_core::config::BackupConfig;
use backup_core::notification::Webhook;
use backup_core::{IdGenerator, JobControl, NotificationId, PipelineError};
use backup_notify::{Error as NotifyError, Language, templates};
use backup_sources::{DatabaseAccess, DatabaseSource, FilesSource};
use backup_storage::BlobStore;
use futures_util::future::join_all;

use crate::bridge::blocking;
use crate::environment::Environment;
use crate::places::names_storage;

/// How long a program of the database may be silent.
const SILENCE: Duration = Duration::from_secs(20);

impl Environment {
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

    /// Looks whether the folder of uploaded files that a configuration names can be read. Returns its path.
    ///
    /// # Errors
    /// What does not work, and what to do.
    pub async fn try_files(&self, config: &BackupConfig) -> Result<PathBuf, PipelineError> {
        let folder = self.upload_dir(Some(config));
        let source = FilesSource::new(folder.clone());
        blocking(move || source.check_access()).await?;
        Ok(folder)
    }

    /// Sends a message to every address and every webhook of a configuration, which only says that it arrives.
    /// `installation` is the address that people use. Returns who was told.
    ///
    /// # Errors
    /// What does not work, and what to do; the others were told nevertheless.
    pub async fn try_notification(
        &self,
        config: &BackupConfig,
        language: Language,
        installation: Option<&str>,
    ) -> Result<Vec<String>, PipelineError> {
        let mut told = Vec::new();
        let mut problems = Vec::new();
        // Without webhooks, e-mail is the only way that there could be.
        if !config.notification_emails.is_empty() || config.webhooks.is_empty() {
            match self.try_mail(config, language, installation).await {
                Ok(()) => told.extend(config.notification_emails.iter().cloned()),
                Err(problem) => problems.push(problem),
            }
        }
        let tries = config.webhooks.iter().map(|hook| async move {
            let tried = self.try_webhook(hook, language, installation).await;
            (hook, tried)
        });
        for (hook, tried) in join_all(tries).await {
            match tried {
                Ok(()) => told.push(hook.name.clone()),
                Err(problem) => problems.push(problem),
            }
        }
        match problems.len() {
            0 => Ok(told),
            1 => Err(problems.remove(0)),
            _ => {
                let texts: Vec<String> = problems.iter().map(PipelineError::full_text).collect();
                Err(PipelineError::refused(texts.join("; "), ""))
            }
        }
    }

    async fn try_mail(
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
                "Set the configuration's notificationEmails or webhooks.",
            ));
        }
        let message = templates::test(language, installation, self.clock.now());
        let sent = mailer.send(&config.notification_emails, &message).await;
        sent.map_err(refused)
    }

    async fn try_webhook(
        &self,
        hook: &Webhook,
        language: Language,
        installation: Option<&str>,
    ) -> Result<(), PipelineError> {
        let settings = self.webhook_settings(hook)?;
        let ids = IdGenerator::new(self.clock.clone(), self.random.clone());
        let id: Result<NotificationId, _> = ids.next();
        let id = id.map_err(|error| PipelineError::failed("there is no randomness", "").because(error))?;
        let id = id.to_string();
        let webhooks = self.webhooks().map_err(refused)?;
        let sent = webhooks.send_test(&settings, &id, language, installation, self.clock.now());
        sent.await.map_err(refused)
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
        Ok(match config.filter(|config| names_storage(config)) {
            Some(config) => BlobStore::locate(&self.storage_settings(config)?)?,
            None => BlobStore::locate(&self.settings.storage)?,
        })
    }
}

fn refused(error: NotifyError) -> PipelineError {
    PipelineError::refused(error.message(), error.hint()).because(error)
}
