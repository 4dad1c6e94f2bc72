//! Every route: its method, its path, what it asks of its caller, and its handler. One table, so that nothing is reachable
//! that is not listed here, and a test can try every route as every caller.
//!
//! A new route is a line of this table and a handler with `#[utoipa::path]`, which names the method, the path, and what is
//! its own: its query, its body, its good answers, its refusals beyond the common ones (`openapi/common.rs`). The types it
//! reads and answers are wire types that derive `ToSchema` or `IntoParams`; `openapi/agreement.rs` takes a line for each
//! body and query. Then `docs/openapi.json` is renewed, as the test that compares it says.

pub(crate) mod alerts;
pub(crate) mod audit_log;
pub(crate) mod auth;
pub(crate) mod backups;
pub(crate) mod config;
#[cfg(feature = "console")]
pub(crate) mod console;
pub(crate) mod contents;
pub(crate) mod cron;
pub(crate) mod docs;
pub(crate) mod download;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod oidc;
pub(crate) mod orphans;
pub(crate) mod restores;
pub(crate) mod retention;
pub(crate) mod schedules;
pub(crate) mod status;
pub(crate) mod system;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod users;

use std::future::ready;

use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::{Handler, Responder, Route, web};
use utoipa::OpenApi;

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

/// Declares [`endpoints`] and [`Documented`], so that what is reachable is documented.
macro_rules! routes {
    ($($method:ident $path:literal $access:ident $module:ident::$handler:ident,)+) => {
        /// Every route of the API.
        pub fn endpoints() -> Vec<Endpoint> {
            vec![$(endpoint(Method::$method, $path, Access::$access, $module::$handler),)+]
        }

        /// What the handlers say of themselves.
        #[derive(OpenApi)]
        #[openapi(paths($($module::$handler),+))]
        pub(crate) struct Documented;
    };
}

// The order matters where a fixed segment and `{id}` meet: the fixed one comes first. Lines of one path stand together.
routes! {
    GET    "/healthz"                        Public  health::get_health,
    GET    "/readyz"                         Public  health::get_readiness,
    GET    "/metrics"                        Public  health::get_metrics,
    GET    "/api/openapi.json"               Public  docs::get_openapi,
    GET    "/api/docs"                       Public  docs::get_docs,
    POST   "/api/auth/login"                 Public  auth::create_session,
    POST   "/api/auth/logout"                Public  auth::delete_session,
    GET    "/api/auth/me"                    Read    auth::get_me,
    GET    "/api/auth/methods"               Public  auth::get_methods,
    GET    "/api/auth/oidc/login"            Public  oidc::begin_login,
    GET    "/api/auth/oidc/callback"         Public  oidc::finish_login,
    GET    "/api/admin/users"                Admin   users::list_users,
    POST   "/api/admin/users"                Admin   users::create_user,
    PATCH  "/api/admin/users/{id}"           Admin   users::update_user,
    DELETE "/api/admin/users/{id}"           Admin   users::delete_user,
    GET    "/api/admin/tokens"               Admin   tokens::list_tokens,
    POST   "/api/admin/tokens"               Admin   tokens::create_token,
    DELETE "/api/admin/tokens/{id}"          Admin   tokens::delete_token,
    GET    "/api/admin/audit"                Admin   audit_log::list_audit,
    GET    "/api/admin/audit/export"         Admin   audit_log::export_audit,
    POST   "/api/admin/system/pause"         Admin   system::pause_system,
    POST   "/api/admin/system/resume"        Admin   system::resume_system,
    GET    "/api/admin/backup"               Read    backups::list_backups,
    POST   "/api/admin/backup"               Operate backups::create_backup,
    GET    "/api/admin/backup/status"        Read    status::get_status,
    GET    "/api/admin/backup/events"        Read    events::stream_events,
    GET    "/api/admin/backup/usage"         Read    usage::list_usage,
    GET    "/api/admin/backup/alerts"        Read    alerts::list_alerts,
    POST   "/api/admin/backup/alerts/{id}/acknowledge" Operate alerts::acknowledge_alert,
    GET    "/api/admin/backup/configs"       Read    config::list_configs,
    GET    "/api/admin/backup/config"        Read    config::get_config,
    PATCH  "/api/admin/backup/config"        Admin   config::change_config,
    DELETE "/api/admin/backup/config"        Admin   config::delete_config,
    POST   "/api/admin/backup/config/test"   Admin   config::test_config,
    GET    "/api/admin/backup/orphans"       Admin   orphans::list_orphans,
    DELETE "/api/admin/backup/orphans/{id}"  Admin   orphans::remove_orphan,
    POST   "/api/admin/backup/orphans/{id}/adopt" Admin orphans::adopt_orphan,
    GET    "/api/admin/backup/schedule"      Read    schedules::list_schedules,
    POST   "/api/admin/backup/schedule"      Admin   schedules::create_schedule,
    GET    "/api/admin/backup/schedule/presets" Read cron::list_presets,
    POST   "/api/admin/backup/schedule/preview" Read cron::preview_cron,
    GET    "/api/admin/backup/schedule/{id}" Read    schedules::get_schedule,
    PATCH  "/api/admin/backup/schedule/{id}" Admin   schedules::update_schedule,
    DELETE "/api/admin/backup/schedule/{id}" Admin   schedules::delete_schedule,
    POST   "/api/admin/backup/schedule/{id}/trigger" Operate schedules::trigger_schedule,
    POST   "/api/admin/backup/retention/preview" Read retention::preview_retention,
    GET    "/api/admin/backup/{id}"          Read    backups::get_backup,
    DELETE "/api/admin/backup/{id}"          Admin   backups::delete_backup,
    POST   "/api/admin/backup/{id}/cancel"   Operate jobs::cancel_backup,
    POST   "/api/admin/backup/{id}/protect"  Admin   backups::protect_backup,
    GET    "/api/admin/backup/{id}/download" Admin   download::download_backup,
    HEAD   "/api/admin/backup/{id}/download" Admin   download::head_download,
    GET    "/api/admin/backup/{id}/contents" Read    contents::list_contents,
    GET    "/api/admin/backup/{id}/contents/file" Admin contents::download_file,
    HEAD   "/api/admin/backup/{id}/contents/file" Admin contents::head_file,
    POST   "/api/admin/backup/{id}/verify"   Operate jobs::verify_backup,
    POST   "/api/admin/backup/{id}/consolidate" Operate jobs::consolidate_backup,
    POST   "/api/admin/backup/{id}/restore"  Admin   restores::create_restore,
    POST   "/api/admin/backup/{id}/restore/plan" Admin restores::plan_restore,
    GET    "/api/admin/restore"              Read    restores::list_restores,
    GET    "/api/admin/restore/{id}"         Read    restores::get_restore,
    POST   "/api/admin/restore/{id}/cancel"  Operate restores::cancel_restore,
    POST   "/api/admin/restore/{id}/rollback" Admin  restores::roll_back_restore,
    POST   "/api/admin/restore/{id}/confirm" Admin   restores::confirm_restore,
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
    #[cfg(feature = "console")]
    config.default_service(web::to(console::get_console));
    #[cfg(not(feature = "console"))]
    config.default_service(web::to(not_found));
}

pub(crate) async fn not_found() -> ApiResult {
    Err(ApiError::not_found("not_found"))
}

fn method_not_allowed(allowed: &str) -> ApiResult {
    let allowed = HeaderValue::from_str(allowed).map_err(ApiError::internal)?;
    Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").header(header::ALLOW, allowed))
}
