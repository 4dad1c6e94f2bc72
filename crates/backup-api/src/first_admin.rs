//! The first administrator of a catalog that has nobody.

use backup_core::user::Role;
use backup_core::{IdGenerator, Random};
use backup_db::{NewUser, Store};
use secrecy::SecretString;

use crate::auth::account::{UnfitAccount, check_email, check_password, name_from_email};
use crate::auth::password::{HashError, hash_password};

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

/// Creates the first ADMIN where nobody who can log in is one: on a new catalog, and on one that was rebuilt, whose people
/// came back without a password. Many processes may do so at once. Returns whether it did.
///
/// # Errors
/// As [`AdminError`] says; nothing was created.
pub async fn create_first_admin(
    store: &Store,
    admin: &FirstAdmin,
    ids: &IdGenerator,
    random: &dyn Random,
) -> Result<bool, AdminError> {
    let mut users = store.list_users().await?.into_iter();
    if users.any(|user| user.is_active && user.role == Role::Admin) {
        return Ok(false);
    }
    let email = check_email(&admin.email).map_err(|error| unfit("BACKUP_ADMIN_EMAIL", &error))?;
    check_password(&admin.password).map_err(|error| unfit("BACKUP_ADMIN_PASSWORD", &error))?;
    let new = NewUser {
        id: ids.next()?,
        display_name: name_from_email(&email),
        email,
        role: Role::Admin,
        password_hash: Some(hash_password(&admin.password, random)?),
        oidc_subject: None,
    };
    Ok(store.create_first_admin(new).await?.is_some())
}

fn unfit(variable: &str, error: &UnfitAccount) -> AdminError {
    AdminError::Unfit(format!("{variable} cannot be used: {error} (HINT: Set it to another.)"))
}
