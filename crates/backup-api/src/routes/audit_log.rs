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
use crate::http::params::Params;
use crate::wire::audit::{AuditBody, AuditListBody};

/// Entries that an export holds in memory at once.
const BATCH: u32 = 1000;

/// The longest word that is filtered by.
const MAX_WORD: usize = 200;

/// A page of the audit log, newest first.
pub(crate) async fn list_audit(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    let mut params = Params::of(&request)?;
    let (limit, offset) = params.page(50, 200)?;
    let options = AuditListOptions {
        limit,
        offset,
        ..filters(params)?
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
pub(crate) async fn export_audit(api: web::Data<Api>, caller: Caller, request: HttpRequest) -> ApiResult {
    let options = AuditListOptions {
        limit: BATCH,
        ..filters(Params::of(&request)?)?
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

fn filters(mut params: Params) -> ApiResult<AuditListOptions> {
    let (from, to) = params.span("from", "to")?;
    let options = AuditListOptions {
        user_id: params.take_or("userId", "invalid_id")?,
        action: params.text("action", MAX_WORD)?,
        resource_type: params.text("resourceType", MAX_WORD)?,
        resource_id: params.text("resourceId", MAX_WORD)?,
        from,
        to,
        ..AuditListOptions::default()
    };
    params.end()?;
    Ok(options)
}
