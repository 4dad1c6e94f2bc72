use backup_archive::{ArchiveKey, Keyring};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{SettingsError, given};

/// What a file ends with is part of the passphrase, and nobody who types it sees that.
const AROUND_CURRENT: &str = "BACKUP_ENCRYPTION_KEY begins or ends with white space, which belongs to the passphrase (HINT: \
                              Mostly it is the line break at the end of a file. 'backupctl key sheet --with-passphrases' \
                              shows it. To be rid of it, change the passphrase, and keep this one as it is in \
                              BACKUP_ENCRYPTION_KEY_PREVIOUS.)";

const AROUND_PREVIOUS: &str = "BACKUP_ENCRYPTION_KEY_PREVIOUS has white space around a passphrase, which is tried with it and \
                               without (HINT: Leave it out where it does not belong to the passphrase.)";

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

    /// The passphrases themselves, the current one first, in the order of [`Self::keyring`]'s keys. An older one with white
    /// space around it stands there without and with it: whether it belongs to the passphrase or to the list, nobody can tell.
    pub fn passphrases(&self) -> Vec<SecretString> {
        let current = given(self.current.as_ref()).cloned();
        let previous = self.previous_entries().flat_map(|text| {
            let trimmed = text.trim();
            [Some(trimmed), Some(text).filter(|text| *text != trimmed)]
        });
        let previous = previous.flatten().map(SecretString::from);
        current.into_iter().chain(previous).collect()
    }

    /// What a person should be told at the start: that there is white space around a passphrase.
    pub fn warnings(&self) -> Vec<&'static str> {
        let has_around = |text: &str| text.trim() != text;
        let current = given(self.current.as_ref()).is_some_and(|text| has_around(text.expose_secret()));
        let previous = self.previous_entries().any(has_around);
        [(current, AROUND_CURRENT), (previous, AROUND_PREVIOUS)]
            .into_iter()
            .filter_map(|(is_so, warning)| is_so.then_some(warning))
            .collect()
    }

    /// The entries of the list as they stand there, without those that are blank.
    fn previous_entries(&self) -> impl Iterator<Item = &str> {
        let list = given(self.previous.as_ref()).map(|list| list.expose_secret().split(','));
        list.into_iter().flatten().filter(|text| !text.trim().is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn args(current: &str, previous: &str) -> KeyArgs {
        KeyArgs {
            current: Some(current.into()),
            previous: Some(previous.into()),
        }
    }

    #[test]
    fn an_older_passphrase_is_tried_with_the_white_space_around_it_and_without() {
        for (previous, expected) in [
            ("", &[][..]),
            (" ,\n,", &[][..]),
            ("old", &["old"][..]),
            ("two words,older", &["two words", "older"][..]),
            ("old\n", &["old", "old\n"][..]),
            ("old, older ,,oldest", &["old", "older", " older ", "oldest"][..]),
        ] {
            let args = args("now\n", previous);
            let passphrases = args.passphrases();
            let texts: Vec<&str> = passphrases.iter().map(ExposeSecret::expose_secret).collect();
            assert_eq!((texts[0], &texts[1..]), ("now\n", expected), "{previous:?}");
            let keys = args.keyring().unwrap();
            let keys: Vec<String> = keys.iter().map(ArchiveKey::fingerprint).collect();
            let own = |passphrase: &SecretString| ArchiveKey::from_passphrase(passphrase).unwrap().fingerprint();
            assert_eq!(
                keys,
                passphrases.iter().map(own).collect::<Vec<_>>(),
                "in step with the keys"
            );
        }
    }

    #[test]
    fn white_space_around_a_passphrase_is_told_of() {
        for (current, previous, expected) in [
            ("now", "", &[][..]),
            ("now and then", "two words,older", &[][..]),
            ("now\n", "", &[AROUND_CURRENT][..]),
            ("now", "old, older", &[AROUND_PREVIOUS][..]),
            (" now", "old\n", &[AROUND_CURRENT, AROUND_PREVIOUS][..]),
        ] {
            assert_eq!(args(current, previous).warnings(), expected, "{current:?} {previous:?}");
        }
    }
}
