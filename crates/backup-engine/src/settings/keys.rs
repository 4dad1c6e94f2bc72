use backup_archive::{ArchiveKey, Keyring};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{SettingsError, given};

/// The passphrases of the archives.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Encryption")]
pub struct KeyArgs {
    /// Passphrase of the archives; required
    #[arg(
        long = "backup-encryption-key",
        env = "BACKUP_ENCRYPTION_KEY",
        value_name = "PASSPHRASE",
        hide_env_values = true
    )]
    pub current: Option<SecretString>,

    /// Older passphrases, comma-separated, which can still open what they closed
    #[arg(
        long = "backup-encryption-key-previous",
        env = "BACKUP_ENCRYPTION_KEY_PREVIOUS",
        value_name = "PASSPHRASES",
        hide_env_values = true
    )]
    pub previous: Option<SecretString>,
}

impl KeyArgs {
    /// Whether a passphrase is given: to be asked before anything else is started.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.required().map(|_| ())
    }

    /// Derives the keys. Slow on purpose (scrypt, some 50 ms a passphrase) and once in a process.
    pub fn keyring(&self) -> Result<Keyring, SettingsError> {
        let derive = |passphrase: &SecretString| {
            ArchiveKey::from_passphrase(passphrase).map_err(|error| {
                SettingsError::new(
                    format!("no key can be made from the passphrase: {error}"),
                    "Check BACKUP_ENCRYPTION_KEY and BACKUP_ENCRYPTION_KEY_PREVIOUS.",
                )
            })
        };
        let current = derive(self.required()?)?;
        let previous = self
            .passphrases()
            .iter()
            .skip(1)
            .map(derive)
            .collect::<Result<_, _>>()?;
        Ok(Keyring::new(current, previous))
    }

    /// The passphrases themselves, the current one first, in the order of [`Self::keyring`]'s keys.
    pub fn passphrases(&self) -> Vec<SecretString> {
        let current = given(self.current.as_ref()).cloned();
        let previous = given(self.previous.as_ref()).map(|list| list.expose_secret().split(','));
        current
            .into_iter()
            .chain(
                previous
                    .into_iter()
                    .flatten()
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .map(SecretString::from),
            )
            .collect()
    }

    fn required(&self) -> Result<&SecretString, SettingsError> {
        given(self.current.as_ref()).ok_or_else(|| {
            SettingsError::new(
                "BACKUP_ENCRYPTION_KEY is not set",
                "Set it to the passphrase of your archives; a new one can be made with 'openssl rand -base64 32'. \
                 Keep a copy off this machine: without it no backup can be opened.",
            )
        })
    }
}
