//! The audit log.

use std::collections::HashMap;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::UserId;
use backup_core::user::{AuditEntry, User};
use backup_db::{AuditBatch, AuditListOptions, AuditPlace, Store};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::params::Query;
use crate::wire::audit::{AuditBody, AuditFilter, AuditListBody, AuditPageQuery, AuditQuery};

/// Entries that an export holds in memory at once.
const BATCH: u32 = 1000;

/// A page of the audit log, newest first.
#[utoipa::path(
    get,
    path = "/api/admin/audit",
    params(AuditFilter, AuditPageQuery),
    responses((status = 200, body = AuditListBody))
)]
pub(crate) async fn list_audit(api: web::Data<Api>, query: Query<AuditQuery>) -> ApiResult {
    let AuditPageQuery { limit, offset } = query.0.page;
    let options = AuditListOptions {
        limit,
        offset,
        ..query.0.filter.into()
    };
    let page = api.store.list_audit(&options).await?;
    Ok(HttpResponse::Ok().json(AuditListBody {
        entries: bodies(page.entries, &page.people),
        total: page.total,
        limit,
        offset,
    }))
}

/// Every entry, newest first, one JSON object a line. Entries of the time after its beginning are not among them.
#[utoipa::path(
    get,
    path = "/api/admin/audit/export",
    params(AuditFilter),
    responses((status = 200, body = AuditBody, content_type = "application/x-ndjson", headers(
        ("Content-Disposition" = String, description = "A name for the file."),
    )))
)]
pub(crate) async fn export_audit(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<AuditFilter>,
) -> ApiResult {
    let options = AuditListOptions {
        limit: BATCH,
        ..query.0.into()
    };
    let walk = Walk {
        store: api.store.clone(),
        options,
        after: None,
        ended: false,
    };
    // Before any header: a catalog that is away is an answer, not a connection that breaks.
    let Some((first, walk)) = walk.next().await? else {
        return Err(ApiError::internal("a walk that has not begun has ended"));
    };
    audit::record(&api, &request, &caller, audit::export_audit()).await?;
    let rest = stream::try_unfold(walk, Walk::next);
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
        .streaming(stream::once(async { Ok(first) }).chain(rest)))
}

/// An export under way.
struct Walk {
    store: Store,
    options: AuditListOptions,
    after: Option<AuditPlace>,
    ended: bool,
}

impl Walk {
    /// The lines of the next entries, and the walk behind them.
    async fn next(mut self) -> ApiResult<Option<(Bytes, Self)>> {
        if self.ended {
            return Ok(None);
        }
        let AuditBatch { entries, people } = self.store.walk_audit(&self.options, self.after).await?;
        self.after = entries.last().map(|entry| (entry.at, entry.id));
        self.ended = entries.len() < BATCH as usize;
        let mut lines = Vec::new();
        for body in bodies(entries, &people) {
            serde_json::to_writer(&mut lines, &body).map_err(ApiError::internal)?;
            lines.push(b'\n');
        }
        Ok(Some((lines.into(), self)))
    }
}

fn bodies(entries: Vec<AuditEntry>, people: &HashMap<UserId, User>) -> Vec<AuditBody> {
    entries.into_iter().map(|entry| AuditBody::new(entry, people)).collect()
}
