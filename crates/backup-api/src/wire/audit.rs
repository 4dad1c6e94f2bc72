//! The audit log on the wire.

use std::collections::HashMap;

use backup_core::user::{AuditEntry, User};
use backup_core::{AuditId, UserId};
use backup_db::AuditListOptions;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::http::params::{FromParams, Params};
use crate::openapi::types;

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditList)]
pub(crate) struct AuditListBody {
    pub(crate) entries: Vec<AuditBody>,
    pub(crate) total: u64,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Who did what to what, when, from where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(crate) struct AuditBody {
    #[schema(value_type = types::Id)]
    id: AuditId,
    at: DateTime<Utc>,
    /// `null`: the system, or nobody known.
    #[schema(value_type = Option<types::Id>)]
    user_id: Option<UserId>,
    user: Option<Person>,
    action: String,
    resource_type: String,
    resource_id: Option<String>,
    description: String,
    address: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
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

/// Which entries.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct AuditFilter {
    /// Only what this person did.
    #[param(value_type = Option<types::Id>)]
    user_id: Option<UserId>,
    /// Only this act, `BACKUP_DELETE` and the like.
    #[param(max_length = 200)]
    action: Option<String>,
    /// Only what was done to this kind of thing.
    #[param(max_length = 200)]
    resource_type: Option<String>,
    /// Only what was done to this one.
    #[param(max_length = 200)]
    resource_id: Option<String>,
    /// At or after this time, or on or after this day (UTC).
    #[param(schema_with = types::moment)]
    from: Option<DateTime<Utc>>,
    /// At or before this time, or on or before this day (UTC).
    #[param(schema_with = types::moment)]
    to: Option<DateTime<Utc>>,
}

/// The longest word that is filtered by.
const MAX_WORD: usize = 200;

impl FromParams for AuditFilter {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (from, to) = params.span("from", "to")?;
        Ok(Self {
            user_id: params.take_or("userId", "invalid_id")?,
            action: params.text("action", MAX_WORD)?,
            resource_type: params.text("resourceType", MAX_WORD)?,
            resource_id: params.text("resourceId", MAX_WORD)?,
            from,
            to,
        })
    }
}

impl From<AuditFilter> for AuditListOptions {
    fn from(filter: AuditFilter) -> Self {
        Self {
            user_id: filter.user_id,
            action: filter.action,
            resource_type: filter.resource_type,
            resource_id: filter.resource_id,
            from: filter.from,
            to: filter.to,
            ..Self::default()
        }
    }
}

/// Which entries, and which page of them.
#[derive(Debug)]
pub(crate) struct AuditQuery {
    pub(crate) filter: AuditFilter,
    pub(crate) page: AuditPageQuery,
}

/// Which page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AuditPageQuery {
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[param(value_type = Option<u64>, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    pub(crate) offset: u64,
}

impl FromParams for AuditPageQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (limit, offset) = params.page(50, 200)?;
        Ok(Self { limit, offset })
    }
}

impl FromParams for AuditQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            filter: AuditFilter::from_params(params)?,
            page: AuditPageQuery::from_params(params)?,
        })
    }
}
