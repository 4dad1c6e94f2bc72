//! Live events.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::Api;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::events::listen;
use crate::http::params::Query;
use crate::language::Language;

/// A stream of server-sent events.
///
/// `backup`, `restore`, `schedule` and `alert`, each with the record as it is now (`Backup`, `Restore`, `Schedule`, `Alert`),
/// or `{"id": …, "deleted": true}`; `reset` where `Last-Event-ID` is too old to resume from. The stream does not end by
/// itself; a comment every few seconds shows that it is alive.
#[utoipa::path(
    get,
    path = "/api/admin/backup/events",
    params(("Last-Event-ID" = Option<u64>, Header, description = "Resume after the event with this id.",
        maximum = 9_223_372_036_854_775_807_i64)),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 429, description = "`too_many_streams`: 16 of this person, or 128 of all, are open."),
    )
)]
pub(crate) async fn stream_events(
    api: web::Data<Api>,
    caller: Caller,
    language: Language,
    request: HttpRequest,
    _: Query<()>,
) -> ApiResult {
    let last = request.headers().get("last-event-id").map(last_event_id).transpose()?;
    let frames = listen(api.into_inner(), caller, language, last).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        // Reverse proxies would gather the events otherwise.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(frames))
}

fn last_event_id(value: &HeaderValue) -> ApiResult<i64> {
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .filter(|seq| *seq >= 0)
        .ok_or_else(|| ApiError::field("parameter_invalid", "Last-Event-ID", "it is no event's id"))
}
