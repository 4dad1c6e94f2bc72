//! Every route: its method, its path, what it asks of its caller, and its handler. One table, so that nothing is reachable
//! that is not listed here, and a test can try every route as every caller.

pub(crate) mod auth;
pub(crate) mod backups;
pub(crate) mod download;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod oidc;
pub(crate) mod restores;
pub(crate) mod status;
pub(crate) mod tokens;
pub(crate) mod users;

use std::future::ready;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::{Handler, Responder, Route, web};

use crate::auth::{Access, authorise};
use crate::error::{ApiError, ApiResult};

/// A route of the API.
pub struct Endpoint {
    /// Its method.
    pub method: Method,
    /// Its path below the base path, with `{id}` for an identifier.
    pub path: &'static str,
    /// What it asks of its caller.
    pub access: Access,
    route: Route,
}

fn endpoint<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Endpoint
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = web::method(method.clone())
        .to(handler)
        .wrap(from_fn(move |request, next| authorise(access, request, next)));
    Endpoint {
        method,
        path,
        access,
        route,
    }
}

/// Every route of the API. The order matters where a fixed segment and `{id}` meet: the fixed one comes first.
pub fn endpoints() -> Vec<Endpoint> {
    use Access::{Admin, Operate, Public, Read};
    const GET: Method = Method::GET;
    const HEAD: Method = Method::HEAD;
    const POST: Method = Method::POST;
    const DELETE: Method = Method::DELETE;
    vec![
        endpoint(GET, "/healthz", Public, health::get_health),
        endpoint(GET, "/readyz", Public, health::get_readiness),
        endpoint(GET, "/metrics", Public, health::get_metrics),
        endpoint(POST, "/api/auth/login", Public, auth::create_session),
        endpoint(POST, "/api/auth/logout", Public, auth::delete_session),
        endpoint(GET, "/api/auth/me", Read, auth::get_me),
        endpoint(GET, "/api/auth/methods", Public, auth::get_methods),
        endpoint(GET, "/api/auth/oidc/login", Public, oidc::begin_login),
        endpoint(GET, "/api/auth/oidc/callback", Public, oidc::finish_login),
        endpoint(GET, "/api/admin/users", Admin, users::list_users),
        endpoint(GET, "/api/admin/tokens", Admin, tokens::list_tokens),
        endpoint(POST, "/api/admin/tokens", Admin, tokens::create_token),
        endpoint(DELETE, "/api/admin/tokens/{id}", Admin, tokens::delete_token),
        endpoint(GET, "/api/admin/backup", Read, backups::list_backups),
        endpoint(POST, "/api/admin/backup", Operate, backups::create_backup),
        endpoint(GET, "/api/admin/backup/status", Read, status::get_status),
        endpoint(GET, "/api/admin/backup/events", Read, events::stream_events),
        endpoint(GET, "/api/admin/backup/{id}", Read, backups::get_backup),
        endpoint(DELETE, "/api/admin/backup/{id}", Admin, backups::delete_backup),
        endpoint(POST, "/api/admin/backup/{id}/cancel", Operate, jobs::cancel_backup),
        endpoint(POST, "/api/admin/backup/{id}/protect", Admin, backups::protect_backup),
        endpoint(GET, "/api/admin/backup/{id}/download", Admin, download::download_backup),
        endpoint(
            HEAD,
            "/api/admin/backup/{id}/download",
            Admin,
            download::download_backup,
        ),
        endpoint(POST, "/api/admin/backup/{id}/verify", Operate, jobs::verify_backup),
        endpoint(POST, "/api/admin/backup/{id}/restore", Admin, restores::create_restore),
        endpoint(GET, "/api/admin/restore", Read, restores::list_restores),
        endpoint(GET, "/api/admin/restore/{id}", Read, restores::get_restore),
        endpoint(
            POST,
            "/api/admin/restore/{id}/cancel",
            Operate,
            restores::cancel_restore,
        ),
    ]
}

/// Adds every route to an application; what is none of them is a 404, and a wrong method a 405 that names the right ones.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    let mut rest = endpoints().into_iter().peekable();
    while let Some(first) = rest.next() {
        let path = first.path;
        let mut allowed = vec![first.method.to_string()];
        let mut resource = web::resource(path).route(first.route);
        while let Some(next) = rest.next_if(|next| next.path == path) {
            allowed.push(next.method.to_string());
            resource = resource.route(next.route);
        }
        let allowed = allowed.join(", ");
        config.service(resource.default_service(web::to(move || ready(method_not_allowed(&allowed)))));
    }
    config.default_service(web::to(not_found));
}

pub(crate) async fn not_found() -> ApiResult {
    Err(ApiError::not_found("not_found"))
}

fn method_not_allowed(allowed: &str) -> ApiResult {
    let allowed = HeaderValue::from_str(allowed).map_err(ApiError::internal)?;
    Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").header(header::ALLOW, allowed))
}
