//! Log-in, log-out, and who is logged in.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::Api;
use crate::auth::{Caller, Who, cleared_cookie, log_in, log_out};
use crate::error::ApiResult;
use crate::http::body::{Body, NoBody};
use crate::http::params::Query;
use crate::language::Language;
use crate::wire::MessageBody;
use crate::wire::user::{Credentials, LoggedIn, Me, Methods, TokenBody, UserBody};

/// Logs in; the answer sets the session cookie.
#[utoipa::path(
    post,
    path = "/api/auth/login",
    request_body = Credentials,
    responses(
        (status = 200, body = LoggedIn, headers(("Set-Cookie" = String, description = "The session."))),
        (status = 401, description = "`invalid_credentials`: a wrong password, an unknown or an inactive account."),
        (status = 429, description = "`too_many_logins`: wait as long as `Retry-After` says."),
        (status = 503, description = "`catalog_unavailable`."),
    )
)]
pub(crate) async fn create_session(
    api: web::Data<Api>,
    request: HttpRequest,
    body: Body<Credentials>,
    _: Query<()>,
) -> ApiResult {
    let (user, cookie) = log_in(&api, &request, body.0).await?;
    Ok(HttpResponse::Ok().cookie(cookie).json(LoggedIn {
        user: UserBody::from(user),
    }))
}

/// Logs out; without a session nothing happens.
#[utoipa::path(
    post,
    path = "/api/auth/logout",
    responses(
        (status = 200, body = MessageBody, headers(("Set-Cookie" = String, description = "Removes the session."))),
        (status = 503, description = "`catalog_unavailable`."),
    )
)]
pub(crate) async fn delete_session(
    api: web::Data<Api>,
    request: HttpRequest,
    language: Language,
    _: Query<()>,
    _: NoBody,
) -> ApiResult {
    log_out(&api, &request).await?;
    Ok(HttpResponse::Ok()
        .cookie(cleared_cookie(&api, &request))
        .json(MessageBody::new(language, "logged_out")))
}

/// The ways to log in.
#[utoipa::path(get, path = "/api/auth/methods", responses((status = 200, body = Methods)))]
pub(crate) async fn get_methods(api: web::Data<Api>, _: Query<()>) -> ApiResult {
    Ok(HttpResponse::Ok().json(Methods {
        password: true,
        oidc: api.oidc.is_some(),
    }))
}

/// Who asks: `user` for a person, `token` for a program.
#[utoipa::path(get, path = "/api/auth/me", responses((status = 200, body = Me)))]
pub(crate) async fn get_me(caller: Caller, _: Query<()>) -> ApiResult {
    Ok(HttpResponse::Ok().json(match caller.who {
        Who::Person { user, session } => Me {
            user: Some(UserBody::from(user)),
            expires_at: Some(session.expires_at),
            token: None,
        },
        Who::Program(token) => Me {
            token: Some(TokenBody::from(token)),
            ..Me::default()
        },
    }))
}
