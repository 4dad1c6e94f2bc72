//! The audit log on the wire.

use std::collections::HashMap;

use backup_core::user::{AuditEntry, User};
use backup_core::{AuditId, UserId};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A page of the audit log.
#[derive(Debug, Serialize)]
pub(crate) struct AuditListBody {
    pub(crate) entries: Vec<AuditBody>,
    pub(crate) total: u64,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Who did what to what, when, from where.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditBody {
    id: AuditId,
    at: DateTime<Utc>,
    user_id: Option<UserId>,
    user: Option<Person>,
    action: String,
    resource_type: String,
    resource_id: Option<String>,
    description: String,
    address: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    email: String,
    display_name: String,
}

impl AuditBody {
    /// `people`: who is still there.
    pub(crate) fn new(entry: AuditEntry, people: &HashMap<UserId, User>) -> Self {
        let user = entry.user_id.and_then(|id| people.get(&id)).map(|user| Person {
            email: user.email.clone(),
            display_name: user.display_name.clone(),
        });
        Self {
            id: entry.id,
            at: entry.at,
            user_id: entry.user_id,
            user,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            description: entry.description,
            address: entry.address,
        }
    }
}
