//! What surrounds every request: a request id, the access log, security headers, and errors in the caller's language.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, rt, web};
use backup_core::AuditId;
use backup_engine::Action;
use tracing::Instrument as _;

use crate::app::Api;
use crate::auth::{Caller, address_of, is_secure};
use crate::error::{ApiError, ApiResult};
use crate::language::Language;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost middleware.
pub(crate) async fn surround<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let language = Language::accepted(request.headers());
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else {
        return Err(ApiError::internal("the application has no state").into());
    };
    let id = request_id(request.headers(), &api);
    let address = address_of(request.request(), &api.settings);
    let secure = is_secure(request.request(), &api.settings);
    let (method, path) = (request.method().clone(), request.path().to_owned());

    let span = tracing::info_span!("request", request_id = id, method = method.as_str(), path);
    let response = next.call(request).instrument(span).await?.map_into_boxed_body();
    let mut response = in_language(response, language, &id);
    secure_headers(response.headers_mut(), secure);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }

    let who = response.request().extensions().get::<Caller>().map(Caller::label);
    tracing::info!(
        action = %Action::HttpRequest,
        request_id = id,
        method = method.as_str(),
        path,
        status = response.status().as_u16(),
        duration = began.elapsed().as_millis() as u64,
        address,
        who,
        "{method} {path} {}",
        response.status().as_u16(),
    );
    Ok(response)
}

/// Does `work` to its end in a task of its own, also where whoever waits for it goes away.
pub(crate) async fn to_the_end<T: 'static>(work: impl Future<Output = T> + 'static) -> ApiResult<T> {
    match rt::spawn(work.in_current_span()).await {
        Ok(done) => Ok(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(ApiError::internal(error)),
        },
    }
}

/// An error is logged, and said in the caller's language.
fn in_language(response: ServiceResponse<BoxBody>, language: Language, request_id: &str) -> ServiceResponse<BoxBody> {
    let Some(error) = response.response().error() else {
        return response;
    };
    let answer = match error.as_error::<ApiError>() {
        Some(error) => {
            error.log(request_id);
            error.response(language)
        }
        // The framework's own refusals, such as a path that is not UTF-8.
        None if response.status().is_client_error() => {
            ApiError::new(response.status(), "request_invalid").response(language)
        }
        None => {
            let error = ApiError::internal(error.to_string());
            error.log(request_id);
            error.response(language)
        }
    };
    response.into_response(answer)
}

fn secure_headers(headers: &mut HeaderMap, secure: bool) {
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language, Cookie, Authorization"),
    ] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if secure {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
}

/// The id that the caller or its proxy gave, where it is harmless in a log; else a new one.
fn request_id(headers: &HeaderMap, api: &Api) -> String {
    let given = headers
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=64).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        });
    match given {
        Some(id) => id.to_owned(),
        None => api.ids.next::<AuditId>().map(|id| id.to_string()).unwrap_or_default(),
    }
}
