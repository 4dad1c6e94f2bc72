//! The audit log: who did what to what, when, from where. Append-only; the database itself refuses anything else.

use std::collections::{BTreeSet, HashMap};

use backup_core::user::{AuditEntry, User};
use backup_core::{AuditId, UserId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::schema::{audit_log, users};
use crate::store::Tx;
use crate::types::{Time, Word, big, count, word};
use crate::users::UserRow;
use crate::{Error, Store};

/// The action of who cancels a backup: what is told of a schedule's backup that was cancelled names them.
pub const BACKUP_CANCEL: &str = "BACKUP_CANCEL";

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
    /// How many to pass over; only for a page.
    pub offset: u64,
}

/// Where a walk through the audit log stands: behind this entry.
pub type AuditPlace = (DateTime<Utc>, AuditId);

/// Some entries of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditBatch {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Who did it, of those who are still there.
    pub people: HashMap<UserId, User>,
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The page.
    pub entries: Vec<AuditEntry>,
    /// Who did it, of those who are still there.
    pub people: HashMap<UserId, User>,
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

macro_rules! filtered {
    ($query:expr, $options:expr) => {{
        let mut query = $query.into_boxed();
        if let Some(user_id) = $options.user_id {
            query = query.filter(audit_log::user_id.eq(user_id.to_string()));
        }
        if let Some(action) = &$options.action {
            query = query.filter(audit_log::action.eq(action));
        }
        if let Some(resource_type) = &$options.resource_type {
            query = query.filter(audit_log::resource_type.eq(resource_type));
        }
        if let Some(resource_id) = &$options.resource_id {
            query = query.filter(audit_log::resource_id.eq(resource_id));
        }
        if let Some(from) = $options.from {
            query = query.filter(audit_log::at.ge(from.naive_utc()));
        }
        if let Some(to) = $options.to {
            query = query.filter(audit_log::at.le(to.naive_utc()));
        }
        query
    }};
}

impl Store {
    /// Writes an entry.
    pub async fn append_audit(&self, new: NewAuditEntry) -> Result<AuditEntry, Error> {
        self.write("append_audit", move |tx| insert(tx, &new)).await
    }

    /// One page of the audit log, newest first.
    pub async fn list_audit(&self, options: &AuditListOptions) -> Result<AuditPage, Error> {
        let options = options.clone();
        self.read("list_audit", move |tx| {
            let total: i64 =
                filtered!(audit_log::table.select(diesel::dsl::count_star()), options).get_result(tx.db)?;
            let rows: Vec<AuditRow> = filtered!(audit_log::table.select(AuditRow::as_select()), options)
                .order((audit_log::at.desc(), audit_log::id.desc()))
                .limit(i64::from(options.limit))
                .offset(big(options.offset))
                .load(tx.db)?;
            let AuditBatch { entries, people } = batch(tx, rows)?;
            Ok(AuditPage {
                entries,
                people,
                total: count(total),
            })
        })
        .await
    }

    /// The next entries of a walk through the audit log, newest first, from behind `after`; none at its end. It does not
    /// grow slower on the way, and what is appended meanwhile is not met.
    pub async fn walk_audit(&self, options: &AuditListOptions, after: Option<AuditPlace>) -> Result<AuditBatch, Error> {
        let options = options.clone();
        self.read("walk_audit", move |tx| {
            let mut query = filtered!(audit_log::table.select(AuditRow::as_select()), options)
                .order((audit_log::at.desc(), audit_log::id.desc()))
                .limit(i64::from(options.limit));
            if let Some((at, id)) = after {
                let at = at.naive_utc();
                // The first condition alone says where to begin in an index.
                query = query
                    .filter(audit_log::at.le(at))
                    .filter(audit_log::at.lt(at).or(audit_log::id.lt(id.to_string())));
            }
            let rows: Vec<AuditRow> = query.load(tx.db)?;
            batch(tx, rows)
        })
        .await
    }
}

pub(crate) fn insert(tx: &mut Tx<'_>, new: &NewAuditEntry) -> TxResult<AuditEntry> {
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
}

/// The name of who did this last to that thing; `None` where nobody is known.
pub(crate) fn last_by(tx: &mut Tx<'_>, action: &str, resource_id: &str) -> TxResult<Option<String>> {
    let name: Option<Option<String>> = audit_log::table
        .left_join(users::table.on(users::id.nullable().eq(audit_log::user_id)))
        .filter(audit_log::resource_id.eq(resource_id))
        .filter(audit_log::action.eq(action))
        .order((audit_log::at.desc(), audit_log::id.desc()))
        .select(users::display_name.nullable())
        .first(tx.db)
        .optional()?;
    Ok(name.flatten())
}

fn batch(tx: &mut Tx<'_>, rows: Vec<AuditRow>) -> TxResult<AuditBatch> {
    let entries: Vec<AuditEntry> = rows.into_iter().map(Into::into).collect();
    let ids: BTreeSet<String> = entries
        .iter()
        .filter_map(|entry| entry.user_id.map(|id| id.to_string()))
        .collect();
    let rows: Vec<UserRow> = users::table
        .filter(users::id.eq_any(ids))
        .select(UserRow::as_select())
        .load(tx.db)?;
    let people = rows.into_iter().map(User::from).map(|user| (user.id, user)).collect();
    Ok(AuditBatch { entries, people })
}
