//! Log-in, log-out, and who is logged in.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app::Api;
use crate::auth::{Caller, Who, cleared_cookie, log_in, log_out};
use crate::error::ApiResult;
use crate::http::body::Body;
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::user::{Credentials, TokenBody, UserBody};

/// Logs in; the answer sets the session cookie.
pub(crate) async fn create_session(api: web::Data<Api>, request: HttpRequest, body: Body<Credentials>) -> ApiResult {
    let (user, cookie) = log_in(&api, &request, body.0).await?;
    Ok(HttpResponse::Ok()
        .cookie(cookie)
        .json(json!({ "user": UserBody::from(user) })))
}

/// Logs out; without a session nothing happens.
pub(crate) async fn delete_session(api: web::Data<Api>, request: HttpRequest, language: Language) -> ApiResult {
    log_out(&api, &request).await?;
    Ok(HttpResponse::Ok()
        .cookie(cleared_cookie(&api, &request))
        .json(MessageBody::new(language, "logged_out")))
}

/// The ways to log in.
pub(crate) async fn get_methods(api: web::Data<Api>) -> ApiResult {
    Ok(HttpResponse::Ok().json(json!({ "password": true, "oidc": api.oidc.is_some() })))
}

/// Who asks: `user` for a person, `token` for a program.
pub(crate) async fn get_me(caller: Caller) -> ApiResult {
    Ok(HttpResponse::Ok().json(match caller.who {
        Who::Person { user, session } => json!({ "user": UserBody::from(user), "expiresAt": session.expires_at }),
        Who::Program(token) => json!({ "user": null, "token": TokenBody::from(token) }),
    }))
}
