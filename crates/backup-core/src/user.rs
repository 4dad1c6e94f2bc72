//! Who may do what, and what was done.

use chrono::{DateTime, Utc};

use crate::{AuditId, SessionId, TokenId, UserId, text_enum};

text_enum! {
    /// What a person may do.
    pub enum Role {
        /// Everything.
        Admin => "ADMIN",
        /// Read, and change nothing.
        Viewer => "VIEWER",
    }
}

text_enum! {
    /// What an API token may do.
    pub enum TokenScope {
        /// Read.
        Read => "READ",
        /// Read, start and cancel jobs.
        Operate => "OPERATE",
        /// Everything.
        Admin => "ADMIN",
    }
}

/// A person who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// Lower-case e-mail address, unique.
    pub email: String,
    /// What the person is called.
    pub display_name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether the person may log in at all.
    pub is_active: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the person last logged in.
    pub last_login_at: Option<DateTime<Utc>>,
}

/// A log-in session. The secret itself is only in the cookie; the catalog holds its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// An API token. The secret is shown once; the catalog holds its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Its identifier.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scope: TokenScope,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it ends; `None`: never.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A row of the audit log: who did what to what, when, from where. Never changed, never removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its identifier.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who; `None`: the system.
    pub user_id: Option<UserId>,
    /// What was done, `BACKUP_DELETE` and the like.
    pub action: String,
    /// The kind of thing it was done to.
    pub resource_type: String,
    /// Which one.
    pub resource_id: Option<String>,
    /// One line for people.
    pub description: String,
    /// The address it came from.
    pub address: Option<String>,
}
