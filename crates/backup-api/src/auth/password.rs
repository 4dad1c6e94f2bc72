//! Passwords: Argon2id (RFC 9106), never more than a few at once, and the same work whether or not the person exists.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use backup_core::Random;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, ApiResult};

/// Each hash takes 19 MiB.
const AT_ONCE: usize = 2;

/// The password cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

/// The hash of a new password, as a PHC string. Takes some 30 ms of a core and 19 MiB.
pub fn hash_password(password: &SecretString, random: &dyn Random) -> Result<String, HashError> {
    let mut salt = [0; 16];
    random.fill(&mut salt).map_err(|error| HashError(error.to_string()))?;
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
        .map_err(|error| HashError(error.to_string()))?;
    Ok(hash.to_string())
}

fn verify(password: &SecretString, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.expose_secret().as_bytes(), &hash)
            .is_ok()
    })
}

/// The hash of no password: compared where there is no person, so that the answer takes as long.
static NOBODY: LazyLock<Option<String>> = LazyLock::new(|| {
    let hash: PasswordHash = Argon2::default().hash_password_with_salt(b"", &[0; 16]).ok()?;
    Some(hash.to_string())
});

/// Hashes and compares passwords off the threads that serve requests, a few at once.
#[derive(Debug, Clone)]
pub(crate) struct Passwords(Arc<Semaphore>);

/// The right to hash or compare one password, and whoever else waits for it.
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
}

impl Default for Passwords {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Passwords {
    /// Waits for a turn. What is decided about the caller while it is held, such as that it has tried too often, no
    /// crowd of requests at once gets around.
    pub(crate) async fn turn(&self) -> ApiResult<Turn> {
        let permit = self.0.clone().acquire_owned().await.map_err(ApiError::internal)?;
        Ok(Turn { _permit: permit })
    }
}

impl Turn {
    /// The hash of a new password.
    pub(crate) async fn hash(self, password: SecretString, random: Arc<dyn Random>) -> ApiResult<String> {
        let work = tokio::task::spawn_blocking(move || {
            let _turn = self;
            hash_password(&password, &*random)
        });
        work.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    }

    /// Whether `password` is the one of `hash`; never where there is no hash, after the same work.
    pub(crate) async fn matches(self, password: SecretString, hash: Option<String>) -> ApiResult<(Self, bool)> {
        // The turn goes along: where the caller is gone in the meantime, it ends with the work.
        let work = tokio::task::spawn_blocking(move || {
            let matches = if let Some(hash) = hash {
                verify(&password, &hash)
            } else {
                NOBODY.as_deref().map(|hash| verify(&password, hash));
                false
            };
            (self, matches)
        });
        work.await.map_err(ApiError::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup_core::OsRandom;

    #[test]
    fn a_hash_is_argon2id_and_only_its_password_matches() {
        let hash = hash_password(&"正確的密碼".into(), &OsRandom).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify(&"正確的密碼".into(), &hash));
        assert!(!verify(&"正確的密碼 ".into(), &hash));
        assert!(!verify(&"x".into(), "not a hash"));
    }

    #[tokio::test]
    async fn nobody_has_no_password() {
        let turn = Passwords::default().turn().await.unwrap();
        assert!(!turn.matches("".into(), None).await.unwrap().1);
    }
}
