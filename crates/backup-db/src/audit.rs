//! The audit log: who did what to what, when, from where. Append-only; the database itself refuses anything else.

use backup_core::user::AuditEntry;
use backup_core::{AuditId, UserId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::schema::audit_log;
use crate::types::{Time, Word, big, count, word};
use crate::{Error, Store};

/// What is written into the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuditEntry {
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

/// Which entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditListOptions {
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this action.
    pub action: Option<String>,
    /// Only this kind of thing.
    pub resource_type: Option<String>,
    /// Only this thing.
    pub resource_id: Option<String>,
    /// At or after.
    pub from: Option<DateTime<Utc>>,
    /// At or before.
    pub to: Option<DateTime<Utc>>,
    /// How many at the most.
    pub limit: u32,
    /// How many to pass over.
    pub offset: u64,
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The page.
    pub entries: Vec<AuditEntry>,
    /// How many there are on all pages.
    pub total: u64,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct AuditRow {
    id: Word<AuditId>,
    at: Time,
    user_id: Option<Word<UserId>>,
    action: String,
    resource_type: String,
    resource_id: Option<String>,
    description: String,
    address: Option<String>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        Self {
            id: row.id.0,
            at: row.at.0,
            user_id: word(row.user_id),
            action: row.action,
            resource_type: row.resource_type,
            resource_id: row.resource_id,
            description: row.description,
            address: row.address,
        }
    }
}

impl Store {
    /// Writes an entry.
    pub async fn append_audit(&self, new: NewAuditEntry) -> Result<AuditEntry, Error> {
        self.write("append_audit", move |tx| {
            let entry = AuditEntry {
                id: tx.id()?,
                at: tx.now,
                user_id: new.user_id,
                action: new.action.clone(),
                resource_type: new.resource_type.clone(),
                resource_id: new.resource_id.clone(),
                description: new.description.clone(),
                address: new.address.clone(),
            };
            diesel::insert_into(audit_log::table)
                .values((
                    audit_log::id.eq(entry.id.to_string()),
                    audit_log::at.eq(tx.now.naive_utc()),
                    audit_log::user_id.eq(entry.user_id.map(|id| id.to_string())),
                    audit_log::action.eq(&entry.action),
                    audit_log::resource_type.eq(&entry.resource_type),
                    audit_log::resource_id.eq(&entry.resource_id),
                    audit_log::description.eq(&entry.description),
                    audit_log::address.eq(&entry.address),
                ))
                .execute(tx.db)?;
            Ok(entry)
        })
        .await
    }

    /// One page of the audit log, newest first.
    pub async fn list_audit(&self, options: &AuditListOptions) -> Result<AuditPage, Error> {
        let options = options.clone();
        self.read("list_audit", move |tx| {
            macro_rules! filtered {
                ($query:expr) => {{
                    let mut query = $query.into_boxed();
                    if let Some(user_id) = options.user_id {
                        query = query.filter(audit_log::user_id.eq(user_id.to_string()));
                    }
                    if let Some(action) = &options.action {
                        query = query.filter(audit_log::action.eq(action));
                    }
                    if let Some(resource_type) = &options.resource_type {
                        query = query.filter(audit_log::resource_type.eq(resource_type));
                    }
                    if let Some(resource_id) = &options.resource_id {
                        query = query.filter(audit_log::resource_id.eq(resource_id));
                    }
                    if let Some(from) = options.from {
                        query = query.filter(audit_log::at.ge(from.naive_utc()));
                    }
                    if let Some(to) = options.to {
                        query = query.filter(audit_log::at.le(to.naive_utc()));
                    }
                    query
                }};
            }
            let total: i64 = filtered!(audit_log::table.select(diesel::dsl::count_star())).get_result(tx.db)?;
            let rows: Vec<AuditRow> = filtered!(audit_log::table.select(AuditRow::as_select()))
                .order((audit_log::at.desc(), audit_log::id.desc()))
                .limit(i64::from(options.limit))
                .offset(big(options.offset))
                .load(tx.db)?;
            Ok(AuditPage {
                entries: rows.into_iter().map(Into::into).collect(),
                total: count(total),
            })
        })
        .await
    }
}
