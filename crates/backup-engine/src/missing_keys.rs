//! Whether the keys at hand are those of the backups that there are. A mistyped passphrase makes new backups as well as the
//! right one, and nobody would notice before the old ones are needed.

use std::fmt;

use backup_db::Store;

use crate::environment::Environment;
use crate::error::Error;
use crate::housekeeping::text;
use crate::logging::Action;

/// Keys that kept backups need, where none of the newest backups can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingKeys {
    /// Kept backups that need one of them.
    pub backups: u64,
    /// Their fingerprints.
    pub fingerprints: Vec<String>,
}

impl fmt::Display for MissingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "none of the keys at hand opens the newest backups: {} kept backups need others, {} (HINT: Correct \
             BACKUP_ENCRYPTION_KEY if it is mistyped: new backups are made with it as it is. If it was changed, put the older \
             passphrase in BACKUP_ENCRYPTION_KEY_PREVIOUS.)",
            self.backups,
            self.fingerprints.join(", ")
        )
    }
}

impl Environment {
    /// Looks at the keys beside the start, which neither waits for it nor fails by it: a key that is lost for good must not
    /// keep new backups from being made. What is found is told in the log; `KEY_MISSING` tells of it for as long as it is so.
    pub fn look_at_keys(&self, store: &Store) {
        let (environment, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            match environment.missing_keys(&store).await {
                Ok(None) => {}
                Ok(Some(missing)) => tracing::error!(
                    action = %Action::KeyMissing, backups = missing.backups,
                    fingerprints = missing.fingerprints.join(","), "{missing}"
                ),
                Err(error) => tracing::warn!(
                    action = %Action::CatalogUnavailable, error = %text(error),
                    "it cannot be seen whether the keys at hand open the newest backups"
                ),
            }
        });
    }

    /// What the keys at hand lack, where they open the newest backup of no configuration. One that opens is enough: what others
    /// lack is an alert.
    ///
    /// # Errors
    /// `Catalog`.
    pub async fn missing_keys(&self, store: &Store) -> Result<Option<MissingKeys>, Error> {
        let uses = store.keys_in_use().await?;
        let configs = store.list_configs().await?;
        let mut missing = MissingKeys {
            backups: 0,
            fingerprints: Vec::new(),
        };
        for used in uses {
            let config = configs.iter().find(|config| config.key == used.config_key);
            // Secrets that another passphrase sealed are no keys at hand.
            let keys = self.keys_of(config, &configs).await.ok();
            let opens = |fingerprint: &str| keys.as_ref().is_some_and(|keys| keys.find(fingerprint).is_some());
            let newest = store.newest_key(&used.config_key).await?;
            if newest.is_some_and(|fingerprint| opens(&fingerprint)) {
                return Ok(None);
            }
            if !opens(&used.fingerprint) {
                missing.backups += used.backups;
                missing.fingerprints.push(used.fingerprint);
            }
        }
        missing.fingerprints.sort_unstable();
        missing.fingerprints.dedup();
        Ok((missing.backups > 0).then_some(missing))
    }
}
