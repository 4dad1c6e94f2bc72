//! Where the backups of each configuration are: its storage, its keys, its database and its files. What a configuration
//! does not say, the environment says.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use backup_archive::{ArchiveKey, Keyring};
use backup_core::PipelineError;
use backup_core::config::{BackupConfig, DEFAULT_CONFIG_KEY, SealedSecret};
use backup_db::{StorageLimit, StorageName};
use backup_sources::DatabaseSettings;
use backup_storage::{BlobStore, StorageSettings};
use secrecy::SecretString;
use tokio::sync::Mutex;

use crate::bridge::blocking;
use crate::engine::Engine;
use crate::environment::Environment;
use crate::error::Error;
use crate::repository::Repository;

/// What is known of a configuration's storage and keys. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    /// The configuration, where the catalog holds one.
    pub config: Option<BackupConfig>,
    /// The storage.
    pub storage: BlobStore,
    /// The key of its new archives, and every other key that is at hand: archives are opened by the key that they name.
    pub keys: Keyring,
    /// Those of them that its own archives may have been made with.
    pub(crate) own_keys: Keyring,
}

/// What says which storage a configuration uses: URL, connection string under seal, container.
type StorageKey = (Option<String>, Option<String>, Option<String>);

/// The storages that are open and the keys that are derived, each as long as some configuration names it.
#[derive(Default)]
pub(crate) struct Places(Mutex<Known>);

#[derive(Default)]
struct Known {
    storages: HashMap<StorageKey, BlobStore>,
    /// By the sealed passphrase.
    keys: HashMap<String, ArchiveKey>,
}

impl Engine {
    /// The place of a configuration's backups. One that the catalog does not hold is as the environment says.
    ///
    /// # Errors
    /// `Catalog`; `Pipeline` where its storage cannot be opened or its secrets cannot be unsealed.
    pub async fn place(&self, config_key: &str) -> Result<Place, Error> {
        let configs = self.store.list_configs().await?;
        let config = configs.iter().find(|config| config.key == config_key);
        Ok(self.place_of(config, &configs).await?)
    }

    /// The backups at a configuration's place, as its storage alone knows them.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub async fn repository_of(&self, config_key: &str) -> Result<Repository, Error> {
        Ok(self.place(config_key).await?.repository(self))
    }

    /// The place of a configuration that need not be in the catalog, such as one that is to be tried.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub async fn place_of(&self, config: Option<&BackupConfig>, all: &[BackupConfig]) -> Result<Place, PipelineError> {
        let storage = match config {
            Some(config) if names_storage(config) => self.open_storage(config).await?,
            _ => self.storage.clone(),
        };
        Ok(Place {
            config: config.cloned(),
            storage,
            keys: self.keys_of(config, all).await?,
            own_keys: self.own_keys(config).await?,
        })
    }

    /// Every place, of which several may share a storage: that of the environment first, then each configuration's.
    pub(crate) async fn places(&self) -> Result<Vec<(String, Result<Place, PipelineError>)>, Error> {
        let configs = self.store.list_configs().await?;
        let mut places = Vec::with_capacity(configs.len() + 1);
        for key in config_keys(&configs) {
            let config = configs.iter().find(|config| config.key == key);
            places.push((key.to_owned(), self.place_of(config, &configs).await));
        }
        Ok(places)
    }

    /// The configurations whose backups are in this storage, as far as their settings can be read. Asks no storage.
    pub(crate) async fn sharing(&self, storage: &BlobStore) -> Result<Vec<String>, Error> {
        let configs = self.store.list_configs().await?;
        let name = storage.describe();
        let uses_it = |key: &&str| {
            let config = configs.iter().find(|config| config.key == **key);
            self.storage_name(config).is_ok_and(|of| of == name)
        };
        Ok(config_keys(&configs)
            .into_iter()
            .filter(uses_it)
            .map(str::to_owned)
            .collect())
    }

    /// How many jobs may run at once on one storage, where the settings say.
    pub(crate) fn storage_limit(&self) -> Option<StorageLimit> {
        let max_jobs = self.settings.storage_max_jobs?;
        let engine = self.clone();
        let name: StorageName = Arc::new(move |config| {
            // One that cannot be meant is nobody else's: its jobs fail by themselves.
            let unknown = || config.map_or_else(String::new, |config| config.key.clone());
            engine.storage_name(config).unwrap_or_else(|_| unknown())
        });
        Some(StorageLimit { max_jobs, name })
    }

    async fn open_storage(&self, config: &BackupConfig) -> Result<BlobStore, PipelineError> {
        let key = (
            config.storage_url.clone(),
            config.storage_connection_string.as_ref().map(|secret| secret.0.clone()),
            config.container_name.clone(),
        );
        if let Some(storage) = self.places.0.lock().await.storages.get(&key) {
            return Ok(storage.clone());
        }
        // Not under the lock: a storage that does not answer must not hold up the others.
        let storage = open_storage(&self.storage_settings(config)?).await?;
        self.places.0.lock().await.storages.insert(key, storage.clone());
        Ok(storage)
    }
}

impl Environment {
    /// Opens a secret of the catalog.
    ///
    /// # Errors
    /// `WrongKey` where none of the environment's passphrases sealed it; `Refused` where it is lost; `what` names it.
    pub fn unseal(&self, secret: &SealedSecret, what: &str) -> Result<SecretString, PipelineError> {
        if secret.is_lost() {
            return Err(PipelineError::refused(
                format!("the {what} of the configuration was lost with the former catalog, and is in no backup"),
                "Set it anew in the configuration.",
            ));
        }
        self.keys.unseal(&secret.0).map_err(|error| {
            PipelineError::wrong_key(
                format!("the {what} in the catalog was sealed with another passphrase"),
                "Set BACKUP_ENCRYPTION_KEY_PREVIOUS to the passphrase of that time, or set it anew in the configuration.",
            )
            .because(error)
        })
    }

    /// Puts a secret under the seal of the environment's passphrase.
    ///
    /// # Errors
    /// Where the randomness cannot be read.
    pub fn seal(&self, secret: &str) -> Result<SealedSecret, PipelineError> {
        let sealed = self.keys.current().seal(secret.as_bytes(), &*self.random)?;
        Ok(SealedSecret(sealed))
    }

    /// How to open the storage that a configuration names.
    ///
    /// # Errors
    /// As [`Self::unseal`]; `Refused` where the environment's credentials would go to an account or a server that the
    /// configuration chose.
    pub fn storage_settings(&self, config: &BackupConfig) -> Result<StorageSettings, PipelineError> {
        let secret = config.storage_connection_string.as_ref();
        let connection = secret.map(|secret| self.unseal(secret, "storage connection string"));
        storage_of(&self.settings.storage, config, connection.transpose()?)
    }

    /// How to reach the database that a configuration names.
    ///
    /// # Errors
    /// `WrongKey` as [`Self::unseal`].
    pub fn database_settings(&self, config: Option<&BackupConfig>) -> Result<DatabaseSettings, PipelineError> {
        let mut database = self.database_login(config);
        if let Some(secret) = config.and_then(|config| config.database_password.as_ref()) {
            database.password = Some(self.unseal(secret, "database password")?);
        }
        Ok(database)
    }

    /// The same but for a password of the configuration's own. The environment's is for the host, the port and the user that
    /// the environment names: a configuration cannot have it sent elsewhere.
    pub fn database_login(&self, config: Option<&BackupConfig>) -> DatabaseSettings {
        let mut database = self.settings.database.clone();
        let Some(config) = config else { return database };
        if let Some(host) = &config.database_host {
            database.host.clone_from(host);
        }
        if let Some(port) = config.database_port {
            database.port = port;
        }
        if let Some(name) = &config.database_name {
            database.name.clone_from(name);
        }
        if let Some(user) = &config.database_user {
            database.user = Some(user.clone());
        }
        if !is_same_login(&database, &self.settings.database) {
            database.password = None;
        }
        database
    }

    /// The tree of uploaded files of a configuration.
    pub fn upload_dir(&self, config: Option<&BackupConfig>) -> PathBuf {
        config
            .and_then(|config| config.upload_dir.as_ref())
            .map_or_else(|| self.settings.upload_dir.clone(), PathBuf::from)
    }

    /// The keys of a configuration: its own first, then whatever else is at hand.
    ///
    /// # Errors
    /// `WrongKey` where its own passphrase is sealed with another one than the environment's.
    pub async fn keys_of(&self, config: Option<&BackupConfig>, all: &[BackupConfig]) -> Result<Keyring, PipelineError> {
        let own = self.own_keys(config).await?;
        let mut others: Vec<ArchiveKey> = own.iter().skip(1).cloned().collect();
        for other in all {
            for secret in other.encryption_key.iter().chain(&other.previous_encryption_keys) {
                // What cannot be unsealed is the other configuration's own trouble.
                others.extend(self.derive(secret).await.ok());
            }
        }
        Ok(Keyring::new(own.current().clone(), others))
    }

    /// The keys that a configuration's archives are made with, and were: its own, and the environment's.
    async fn own_keys(&self, config: Option<&BackupConfig>) -> Result<Keyring, PipelineError> {
        let current = match config.and_then(|config| config.encryption_key.as_ref()) {
            Some(secret) => self.derive(secret).await?,
            None => self.keys.current().clone(),
        };
        let mut others = Vec::new();
        for secret in config.iter().flat_map(|config| &config.previous_encryption_keys) {
            match self.derive(secret).await {
                Ok(key) => others.push(key),
                // Nothing is made with it any more, and an alert tells of the archives that need it: a passphrase that is lost
                // for good must not keep new backups from being made.
                Err(PipelineError::WrongKey { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        others.extend(self.keys.iter().cloned());
        Ok(Keyring::new(current, others))
    }

    async fn derive(&self, secret: &SealedSecret) -> Result<ArchiveKey, PipelineError> {
        if let Some(key) = self.places.0.lock().await.keys.get(&secret.0) {
            return Ok(key.clone());
        }
        let passphrase = self.unseal(secret, "encryption key")?;
        let key = blocking(move || Ok(ArchiveKey::from_passphrase(&passphrase)?)).await?;
        self.places.0.lock().await.keys.insert(secret.0.clone(), key.clone());
        Ok(key)
    }
}

impl Place {
    /// The same as [`Engine::repository_of`] gives.
    pub(crate) fn repository(&self, engine: &Engine) -> Repository {
        self.repository_with(&self.keys, engine)
    }

    /// The same, which knows these keys alone.
    pub(crate) fn repository_with(&self, keys: &Keyring, engine: &Engine) -> Repository {
        Repository::new(
            self.storage.clone(),
            keys.clone(),
            engine.settings.database.programs.clone(),
        )
    }
}

/// Opens a storage that must be there. It is not made where it is missing: behind a folder there may be a disk that is not
/// mounted today.
///
/// # Errors
/// `Unavailable` where it is missing or does not answer, which says nothing of any backup; `Refused` for settings that cannot
/// work.
pub async fn open_storage(settings: &StorageSettings) -> Result<BlobStore, PipelineError> {
    let opened = BlobStore::open_existing(settings).await;
    opened.map_err(|error| of_the_whole(error.into()))
}

/// An error of a whole storage, not of one file in it: where it is missing, that says nothing of what was in it.
pub(crate) fn of_the_whole(error: PipelineError) -> PipelineError {
    match error {
        PipelineError::NotFound { message, hint, .. } => PipelineError::unavailable(message, hint),
        error => error,
    }
}

/// Whether a password of one is for the other.
pub fn is_same_login(one: &DatabaseSettings, other: &DatabaseSettings) -> bool {
    (&one.host, one.port, &one.user) == (&other.host, other.port, &other.user)
}

/// How to open the storage that a configuration names, with its own connection string where it has one; what it does not
/// say, the environment says.
///
/// # Errors
/// `Refused` where the environment's credentials would go to an account or a server that the configuration chose.
pub(crate) fn storage_of(
    environment: &StorageSettings,
    config: &BackupConfig,
    connection_string: Option<SecretString>,
) -> Result<StorageSettings, PipelineError> {
    let mut settings = environment.clone();
    if let Some(url) = &config.storage_url {
        settings.url.clone_from(url);
        // The environment's connection string would lead elsewhere.
        if !url.starts_with("az://") {
            settings.connection_string = None;
        }
    }
    if let Some(container) = &config.container_name {
        settings.container.clone_from(container);
    }
    if connection_string.is_some() {
        settings.connection_string = connection_string;
    } else if config.storage_url.is_some() && !BlobStore::keeps_credentials(&settings, environment)? {
        return Err(PipelineError::refused(
            "the storage URL leads to another account or endpoint than the environment names, and the configuration has no \
             connection string of its own",
            "Give the connection string of that account: the environment's credentials go only to the account that \
             AZURE_STORAGE_ACCOUNT_NAME or its own storage names.",
        ));
    }
    Ok(settings)
}

/// The keys of all configurations, the default one first.
pub(crate) fn config_keys(configs: &[BackupConfig]) -> Vec<&str> {
    let mut keys = vec![DEFAULT_CONFIG_KEY];
    keys.extend(
        configs
            .iter()
            .map(|config| config.key.as_str())
            .filter(|key| *key != DEFAULT_CONFIG_KEY),
    );
    keys
}

/// Whether a configuration has a storage of its own.
pub(crate) fn names_storage(config: &BackupConfig) -> bool {
    config.storage_url.is_some() || config.storage_connection_string.is_some() || config.container_name.is_some()
}

/// The shared cache of an engine and its clones.
pub(crate) fn cache() -> Arc<Places> {
    Arc::default()
}
