//! The web console: its assets, and its page at every address that a browser may be sent to.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use backup_console::{Asset, asset, page};

use super::not_found;
use crate::app::Api;
use crate::error::ApiResult;

/// Scripts come from here alone. Styles may stand in the page: the components set sizes and colours that way.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// Addresses that are never the page's: what is not there is told to programs as such.
const NOT_PAGES: &[&str] = &["api", "assets"];

/// An asset; to a browser that opens anything else below our path, the page, which knows what to show.
pub(crate) async fn get_console(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return not_found().await;
    }
    let base = &api.settings.base_path;
    let path = request.path().strip_prefix(base.as_str()).unwrap_or_default();
    let path = path.trim_start_matches('/');
    if let Some(asset) = asset(path) {
        return Ok(asset_response(&request, asset));
    }
    let wants_page = path.is_empty() || accepts(request.headers(), header::ACCEPT, "text/html");
    if !wants_page || path.split('/').next().is_some_and(|first| NOT_PAGES.contains(&first)) {
        return not_found().await;
    }
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::VARY, "Accept"))
        .body(page(base)))
}

fn asset_response(request: &HttpRequest, asset: &'static Asset) -> HttpResponse {
    let (encoding, bytes) = [("br", asset.brotli), ("gzip", asset.gzip)]
        .into_iter()
        .filter(|(name, _)| accepts(request.headers(), header::ACCEPT_ENCODING, name))
        .find_map(|(name, bytes)| Some((Some(name), bytes?)))
        .unwrap_or((None, asset.bytes));
    let tag = format!("\"{}-{}\"", asset.tag, encoding.unwrap_or("plain"));
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    let is_known = known
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.contains(&tag));

    let mut response = HttpResponse::build(if is_known {
        StatusCode::NOT_MODIFIED
    } else {
        StatusCode::OK
    });
    response
        .insert_header((header::ETAG, tag))
        .insert_header((header::VARY, "Accept-Encoding"))
        .insert_header((
            header::CACHE_CONTROL,
            HeaderValue::from_static(if asset.is_immutable() {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            }),
        ));
    if is_known {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    response
        .insert_header((header::CONTENT_TYPE, asset.content_type))
        .body(bytes)
}

/// Whether a list of what is acceptable names this, and not to say that it is not.
fn accepts(headers: &HeaderMap, name: header::HeaderName, wanted: &str) -> bool {
    let lists = headers.get_all(name).filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
            && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
