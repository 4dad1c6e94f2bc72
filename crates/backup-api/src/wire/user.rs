//! People, sessions and tokens on the wire.

use backup_core::user::{ApiToken, Role, TokenScope, User};
use backup_core::{TokenId, UserId};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};

/// A person.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserBody {
    id: UserId,
    email: String,
    display_name: String,
    role: Role,
    is_active: bool,
    created_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            display_name: user.display_name,
            role: user.role,
            is_active: user.is_active,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
        }
    }
}

/// An API token, without its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenBody {
    id: TokenId,
    name: String,
    scope: TokenScope,
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiToken> for TokenBody {
    fn from(token: ApiToken) -> Self {
        Self {
            id: token.id,
            name: token.name,
            scope: token.scope,
            created_by: token.created_by,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        }
    }
}

/// An e-mail address and a password.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) email: String,
    pub(crate) password: SecretString,
}

impl FromFields for Credentials {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let email = fields
            .text("email", 254)?
            .ok_or_else(|| ApiError::field("field_missing", "email", "it is required"))?;
        Ok(Self {
            email: email.to_lowercase(),
            password: take_password(fields)?,
        })
    }
}

/// Longer ones are refused before they are hashed.
const MAX_PASSWORD: usize = 1024;

fn take_password(fields: &mut Fields) -> ApiResult<SecretString> {
    // Not through `Fields::require`: its refusal would quote a value of the wrong type.
    let password: serde_json::Value = fields.require("password", "field_invalid")?;
    match password {
        serde_json::Value::String(text) if text.len() <= MAX_PASSWORD => Ok(text.into()),
        _ => Err(ApiError::field(
            "field_invalid",
            "password",
            format!("it must be a text of at most {MAX_PASSWORD} bytes"),
        )),
    }
}

/// What POST /tokens asks for.
#[derive(Debug)]
pub(crate) struct CreateToken {
    pub(crate) name: String,
    pub(crate) scope: TokenScope,
    pub(crate) expires_at: Option<DateTime<Utc>>,
}

impl FromFields for CreateToken {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            name: fields
                .text("name", 200)?
                .ok_or_else(|| ApiError::field("field_missing", "name", "it is required"))?,
            scope: fields.take("scope", "invalid_scope")?.unwrap_or(TokenScope::Read),
            expires_at: fields.take("expiresAt", "field_invalid")?,
        })
    }
}
