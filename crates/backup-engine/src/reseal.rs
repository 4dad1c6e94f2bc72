//! Changing the master passphrase: the secrets of the catalog come under the seal of the new one.

use backup_archive::Keyring;
use backup_core::config::BackupConfig;
use backup_core::{PipelineError, Random};
use backup_db::{Error as CatalogError, Store};
use secrecy::ExposeSecret;

use crate::error::Error;

/// How often a configuration that is changed meanwhile is looked at again.
const TRIES: u32 = 5;

/// What came under a new seal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Secrets that are sealed anew.
    pub secrets: u64,
    /// Secrets that the current passphrase had sealed already.
    pub current: u64,
    /// Configurations with secrets that none of the passphrases opens; those secrets are left as they were.
    pub unopened: Vec<String>,
}

/// Puts every secret of the catalog under the seal of the current key. Killed half-way, the rest is still sealed with the
/// previous key, which opens it; run again it goes on from there.
///
/// # Errors
/// `Catalog`; `Pipeline` where the randomness cannot be read.
pub async fn reseal(store: &Store, keys: &Keyring, random: &dyn Random) -> Result<Resealed, Error> {
    let mut done = Resealed::default();
    for config in store.list_configs().await? {
        let mut now = Some(config);
        for _ in 0..TRIES {
            let Some(config) = now.take() else { break };
            let mut counted = done.clone();
            let changed = reseal_one(config.clone(), keys, random, &mut counted)?;
            match store.replace_config(Some(&config), &changed, false).await {
                Ok(_) => done = counted,
                Err(CatalogError::Changed { .. }) => now = store.get_config(&config.key).await?,
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(config) = now {
            return Err(CatalogError::Changed {
                what: "configuration",
                id: config.key,
            }
            .into());
        }
    }
    Ok(done)
}

fn reseal_one(
    config: BackupConfig,
    keys: &Keyring,
    random: &dyn Random,
    done: &mut Resealed,
) -> Result<BackupConfig, PipelineError> {
    let mut changed = config;
    let (mut secrets, mut current, mut lost) = (0, 0, false);
    for secret in changed.secrets_mut() {
        if keys.current().unseal(&secret.0).is_ok() {
            current += 1;
            continue;
        }
        let Ok(plain) = keys.unseal(&secret.0) else {
            lost = true;
            continue;
        };
        secret.0 = keys.current().seal(plain.expose_secret().as_bytes(), random)?;
        secrets += 1;
    }
    if lost {
        done.unopened.push(changed.key.clone());
    }
    done.secrets += secrets;
    done.current += current;
    Ok(changed)
}
