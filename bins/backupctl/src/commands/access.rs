use std::sync::Arc;

use backup_api::{UnfitAccount, check_email, check_password, hash_password, hash_secret, name_from_email, new_token};
use backup_core::user::{Role, TokenScope};
use backup_core::{Clock, IdGenerator, OsRandom, SystemClock};
use backup_db::{NewAuditEntry, NewUser};
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::cli::Settings;
use crate::context::existing_catalog;
use crate::exit::Failure;
use crate::{output, password};

/// Adds a person who may log in, or lets one in again whom a rebuilt catalog brought back.
pub(crate) async fn add_user(
    settings: &Settings,
    email: &str,
    name: Option<String>,
    role: Role,
    password: Option<SecretString>,
) -> Result<(), Failure> {
    let unfit = |error: UnfitAccount| Failure::usage(error.to_string());
    let email = check_email(email).map_err(unfit)?;
    let password = match password {
        Some(password) => password,
        None => password::read(&email)?,
    };
    check_password(&password).map_err(unfit)?;
    let hash = hash_password(&password, &OsRandom).map_err(|error| Failure::failed(error.to_string()))?;
    let ids = IdGenerator::new(Arc::new(SystemClock), Arc::new(OsRandom));
    let new = NewUser {
        id: ids.next().map_err(|error| no_randomness(&error))?,
        display_name: name.unwrap_or_else(|| name_from_email(&email)),
        email,
        role,
        password_hash: Some(hash),
        oidc_subject: None,
    };
    let store = existing_catalog(settings).await?;
    let user = store.create_or_revive_user(new).await?;
    let act = act("USER_CREATE", "User", &user.id, &format!("創建使用者: {}", user.email));
    store.append_audit(act).await?;
    if settings.json {
        return output::json(&json!({
            "id": user.id, "email": user.email, "displayName": user.display_name, "role": user.role,
            "catalog": store.describe(),
        }));
    }
    output::line(&format!(
        "{} may log in as {} by the catalog {}",
        user.email,
        user.role,
        store.describe()
    ))
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
    let store = existing_catalog(settings).await?;
    let token = store
        .create_token(name, &hash_secret(&secret), scope, None, expires_at)
        .await?;
    let act = act(
        "TOKEN_CREATE",
        "ApiToken",
        &token.id,
        &format!("創建權杖: {}", token.name),
    );
    store.append_audit(act).await?;
    if settings.json {
        return output::json(&json!({
            "id": token.id, "name": token.name, "scope": token.scope,
            "expiresAt": token.expires_at, "token": secret.expose_secret(), "catalog": store.describe(),
        }));
    }
    // Apart from the secret, which a script takes from stdout.
    output::message(&format!("the token is in the catalog {}", store.describe()));
    output::line(secret.expose_secret())
}

/// What the audit log says of an act of nobody who is logged in.
fn act(action: &str, resource_type: &str, id: &impl ToString, description: &str) -> NewAuditEntry {
    NewAuditEntry {
        user_id: None,
        action: action.to_owned(),
        resource_type: resource_type.to_owned(),
        resource_id: Some(id.to_string()),
        description: format!("{description} (backupctl)"),
        address: None,
    }
}

fn no_randomness(error: &std::io::Error) -> Failure {
    Failure::failed(format!("the system's randomness cannot be read: {error}"))
}
