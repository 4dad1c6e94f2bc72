//! The first administrator of a catalog that has nobody.

use backup_core::user::Role;
use backup_core::{IdGenerator, Random};
use backup_db::{NewUser, Store};
use secrecy::{ExposeSecret, SecretString};

use crate::auth::password::{HashError, MIN_PASSWORD, hash_password};

/// Who is to be the first administrator.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// E-mail address to log in with.
    pub email: String,
    /// Password to log in with.
    pub password: SecretString,
}

/// Why there is no first administrator.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address or the password is unfit.
    #[error("{0}")]
    Unfit(String),
    /// The password cannot be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The randomness cannot be read.
    #[error("the system's randomness cannot be read")]
    Random(#[from] std::io::Error),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] backup_db::Error),
}

/// Creates the first ADMIN where the catalog has no user at all; many processes may do so at once. Returns whether it did.
///
/// # Errors
/// As [`AdminError`] says; nothing was created.
pub async fn create_first_admin(
    store: &Store,
    admin: &FirstAdmin,
    ids: &IdGenerator,
    random: &dyn Random,
) -> Result<bool, AdminError> {
    if !store.list_users().await?.is_empty() {
        return Ok(false);
    }
    let email = admin.email.trim().to_lowercase();
    if !email.contains('@') || email.len() > 254 {
        return Err(AdminError::Unfit(format!(
            "BACKUP_ADMIN_EMAIL '{email}' is no e-mail address (HINT: Set it to one, such as admin@example.org.)"
        )));
    }
    if admin.password.expose_secret().chars().count() < MIN_PASSWORD {
        return Err(AdminError::Unfit(format!(
            "BACKUP_ADMIN_PASSWORD is too short (HINT: Set it to at least {MIN_PASSWORD} characters.)"
        )));
    }
    let new = NewUser {
        id: ids.next()?,
        display_name: email.split('@').next().unwrap_or_default().to_owned(),
        email,
        role: Role::Admin,
        password_hash: Some(hash_password(&admin.password, random)?),
        oidc_subject: None,
    };
    Ok(store.create_first_admin(new).await?.is_some())
}
