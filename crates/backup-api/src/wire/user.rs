//! People, sessions and tokens on the wire.

use backup_core::user::{ApiToken, Role, TokenScope, User};
use backup_core::{TokenId, UserId};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::account::{MAX_EMAIL, MAX_PASSWORD, check_email, check_password};
use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};
use crate::openapi::types;

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserBody {
    #[schema(value_type = types::Id)]
    id: UserId,
    /// In lower case.
    email: String,
    display_name: String,
    #[schema(value_type = types::Role)]
    role: Role,
    /// Whether the person may log in.
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
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token)]
pub(crate) struct TokenBody {
    #[schema(value_type = types::Id)]
    id: TokenId,
    /// What it is for.
    name: String,
    #[schema(value_type = types::TokenScope)]
    scope: TokenScope,
    /// The user who made it.
    #[schema(value_type = Option<types::Id>)]
    created_by: Option<UserId>,
    created_at: DateTime<Utc>,
    /// `null`: it does not expire.
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

/// The person who has logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    pub(crate) user: UserBody,
}

/// The ways to log in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Methods {
    /// By e-mail address and password.
    pub(crate) password: bool,
    /// Through OpenID Connect.
    pub(crate) oidc: bool,
}

/// Who asks.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Me {
    /// The person; `null` where a program asks.
    pub(crate) user: Option<UserBody>,
    /// When the person's log-in ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// The program's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<TokenBody>,
}

/// Every person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserList)]
pub(crate) struct UserListBody {
    pub(crate) users: Vec<UserBody>,
}

/// One person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    pub(crate) user: UserBody,
}

/// Every token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenList)]
pub(crate) struct TokenListBody {
    pub(crate) tokens: Vec<TokenBody>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    pub(crate) token: TokenBody,
    /// What `Authorization: Bearer` takes. Shown now and never again.
    pub(crate) secret: String,
}

/// An e-mail address and a password.
#[derive(Debug, ToSchema)]
pub(crate) struct Credentials {
    /// Upper and lower case are the same.
    #[schema(min_length = 1, max_length = 254)]
    pub(crate) email: String,
    #[schema(value_type = String, format = Password, max_length = 1024)]
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
        Some(serde_json::Value::String(text)) if text.chars().count() <= MAX_PASSWORD => Ok(Some(text.into())),
        Some(_) => Err(ApiError::field(
            "field_invalid",
            "password",
            format!("it must be a text of at most {MAX_PASSWORD} characters"),
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

/// An account to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateUser {
    /// Upper and lower case are the same.
    #[schema(
        max_length = 254,
        pattern = r"^[^@\s\u0000-\u001f\u007f-\u009f]+@[^@\s\u0000-\u001f\u007f-\u009f]+$"
    )]
    pub(crate) email: String,
    /// What the person is called; else what stands before the `@`.
    #[schema(max_length = 200)]
    pub(crate) display_name: Option<String>,
    #[schema(value_type = Option<types::Role>, default = "VIEWER")]
    pub(crate) role: Role,
    /// Without one the person logs in through OpenID Connect only.
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 1024)]
    pub(crate) password: Option<SecretString>,
    /// Whether the person may log in.
    #[schema(value_type = Option<bool>, default = true)]
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

/// Changes to an account; what is absent stays. The e-mail address is fixed.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct UpdateUser {
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) display_name: Option<String>,
    #[schema(value_type = Option<types::Role>)]
    pub(crate) role: Option<Role>,
    /// Ends the person's sessions, but for the one that it is set from.
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 1024)]
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
        Ok(Self {
            display_name: fields.given("displayName", |fields| fields.text("displayName", MAX_NAME))?,
            role: fields.given("role", |fields| fields.take("role", "invalid_role"))?,
            password: fields.given("password", new_password)?,
            is_active: fields.given("isActive", |fields| fields.take("isActive", "field_invalid"))?,
        })
    }
}

/// A token to be made.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CreateToken {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) name: String,
    #[schema(value_type = Option<types::TokenScope>, default = "READ")]
    pub(crate) scope: TokenScope,
    /// In the future, at most ten years ahead; without it the token does not expire.
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
