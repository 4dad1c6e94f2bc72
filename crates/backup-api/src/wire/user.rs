//! People, sessions and tokens on the wire.

use backup_core::user::{ApiToken, Role, TokenScope, User};
use backup_core::{TokenId, UserId};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;

use crate::auth::account::{MAX_EMAIL, MAX_PASSWORD, check_email, check_password};
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
            .text("email", MAX_EMAIL)?
            .ok_or_else(|| ApiError::field("field_missing", "email", "it is required"))?;
        Ok(Self {
            email: email.to_lowercase(),
            password: take_password(fields)?,
        })
    }
}

fn take_password(fields: &mut Fields) -> ApiResult<SecretString> {
    optional_password(fields)?.ok_or_else(|| ApiError::field("field_missing", "password", "it is required"))
}

fn optional_password(fields: &mut Fields) -> ApiResult<Option<SecretString>> {
    // Not as a text: its refusal would quote a value of the wrong type.
    match fields.take::<serde_json::Value>("password", "field_invalid")? {
        None => Ok(None),
        Some(serde_json::Value::String(text)) if text.len() <= MAX_PASSWORD => Ok(Some(text.into())),
        Some(_) => Err(ApiError::field(
            "field_invalid",
            "password",
            format!("it must be a text of at most {MAX_PASSWORD} bytes"),
        )),
    }
}

fn new_password(fields: &mut Fields) -> ApiResult<Option<SecretString>> {
    let password = optional_password(fields)?;
    if let Some(password) = &password {
        check_password(password).map_err(|error| ApiError::field("account_password_invalid", "password", error))?;
    }
    Ok(password)
}

/// The longest name of a person, in characters.
const MAX_NAME: usize = 200;

/// What POST /users asks for.
#[derive(Debug)]
pub(crate) struct CreateUser {
    pub(crate) email: String,
    pub(crate) display_name: Option<String>,
    pub(crate) role: Role,
    pub(crate) password: Option<SecretString>,
    pub(crate) is_active: bool,
}

impl FromFields for CreateUser {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let email: String = fields.require("email", "field_invalid")?;
        Ok(Self {
            email: check_email(&email).map_err(|error| ApiError::field("account_email_invalid", "email", error))?,
            display_name: fields.text("displayName", MAX_NAME)?,
            role: fields.take("role", "invalid_role")?.unwrap_or(Role::Viewer),
            password: new_password(fields)?,
            is_active: fields.flag("isActive", true)?,
        })
    }
}

/// What PATCH /users/{id} asks for; `None` leaves what is there.
#[derive(Debug)]
pub(crate) struct UpdateUser {
    pub(crate) display_name: Option<String>,
    pub(crate) role: Option<Role>,
    pub(crate) password: Option<SecretString>,
    pub(crate) is_active: Option<bool>,
}

impl UpdateUser {
    /// The names of the fields that it gives, for the audit log.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let all = [
            (self.display_name.is_some(), "displayName"),
            (self.role.is_some(), "role"),
            (self.password.is_some(), "password"),
            (self.is_active.is_some(), "isActive"),
        ];
        all.into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, name)| name)
            .collect()
    }
}

impl FromFields for UpdateUser {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        if fields
            .given("email", |fields| {
                fields.take::<serde_json::Value>("email", "field_invalid")
            })?
            .is_some()
        {
            return Err(ApiError::field("field_invalid", "email", "it cannot be changed"));
        }
        Ok(Self {
            display_name: fields.given("displayName", |fields| fields.text("displayName", MAX_NAME))?,
            role: fields.given("role", |fields| fields.take("role", "invalid_role"))?,
            password: fields.given("password", new_password)?,
            is_active: fields.given("isActive", |fields| fields.take("isActive", "field_invalid"))?,
        })
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
