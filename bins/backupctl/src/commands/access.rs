use std::io::Read;
use std::sync::Arc;

use backup_api::{MIN_PASSWORD, hash_password, hash_secret, new_token};
use backup_core::user::{Role, TokenScope};
use backup_core::{Clock, IdGenerator, OsRandom, SystemClock};
use backup_db::NewUser;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::cli::Settings;
use crate::context::catalog;
use crate::exit::Failure;
use crate::output;

/// Longest password that is read from stdin, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// Adds a person who may log in.
pub(crate) async fn add_user(
    settings: &Settings,
    email: &str,
    name: Option<String>,
    role: Role,
    password: Option<SecretString>,
) -> Result<(), Failure> {
    if !email.contains('@') {
        return Err(Failure::usage(format!("'{email}' is not an e-mail address")));
    }
    let password = match password {
        Some(password) => password,
        None => from_stdin()?,
    };
    if password.expose_secret().chars().count() < MIN_PASSWORD {
        return Err(Failure::usage(format!(
            "a password has at least {MIN_PASSWORD} characters"
        )));
    }
    let hash = hash_password(&password, &OsRandom).map_err(|error| Failure::failed(error.to_string()))?;
    let ids = IdGenerator::new(Arc::new(SystemClock), Arc::new(OsRandom));
    let new = NewUser {
        id: ids.next().map_err(|error| no_randomness(&error))?,
        email: email.to_owned(),
        display_name: name.unwrap_or_else(|| email.to_owned()),
        role,
        password_hash: Some(hash),
        oidc_subject: None,
    };
    let user = catalog(settings).await?.create_user(new).await?;
    if settings.json {
        return output::json(&json!({
            "id": user.id, "email": user.email, "displayName": user.display_name, "role": user.role,
        }));
    }
    output::line(&format!("{} may log in as {}", user.email, user.role))
}

/// Makes an API token; its secret is shown this once.
pub(crate) async fn create_token(
    settings: &Settings,
    name: &str,
    scope: TokenScope,
    expires_days: Option<u16>,
) -> Result<(), Failure> {
    let secret = new_token(&OsRandom).map_err(|error| no_randomness(&error))?;
    let expires_at = expires_days.map(|days| SystemClock.now() + TimeDelta::days(days.into()));
    let token = catalog(settings)
        .await?
        .create_token(name, &hash_secret(&secret), scope, None, expires_at)
        .await?;
    if settings.json {
        return output::json(&json!({
            "id": token.id, "name": token.name, "scope": token.scope,
            "expiresAt": token.expires_at, "token": secret.expose_secret(),
        }));
    }
    output::line(secret.expose_secret())
}

/// The first line of stdin.
fn from_stdin() -> Result<SecretString, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .take(MAX_PASSWORD)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("the password cannot be read from stdin: {error}")))?;
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

fn no_randomness(error: &std::io::Error) -> Failure {
    Failure::failed(format!("the system's randomness cannot be read: {error}"))
}
