//! Log-in by e-mail address and password, and the session cookie.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use backup_core::user::User;
use backup_db::LoginLimits;
use backup_engine::Action;
use secrecy::{ExposeSecret, SecretString};

use super::{address_of, is_secure, secret};
use crate::app::Api;
use crate::audit;
use crate::error::{ApiError, ApiResult};
use crate::wire::user::Credentials;

/// The name of the session cookie.
pub(crate) const COOKIE: &str = "backup_session";

/// Failed log-ins that are too many.
const LIMITS: LoginLimits = LoginLimits {
    window: Duration::from_mins(15),
    per_account: 10,
    per_address: 50,
};

/// The secret of the request's session cookie.
pub(super) fn session_secret(request: &HttpRequest) -> Option<SecretString> {
    request.cookie(COOKIE).map(|cookie| SecretString::from(cookie.value()))
}

/// Logs a person in: a new session each time, and the one that the request brought is over.
///
/// # Errors
/// 401 for a wrong password, an unknown or an inactive account, all alike; 429 after too many.
pub(crate) async fn log_in(
    api: &Api,
    request: &HttpRequest,
    credentials: Credentials,
) -> ApiResult<(User, Cookie<'static>)> {
    let Credentials { email, password } = credentials;
    let address = address_of(request, &api.settings).unwrap_or_default();
    let turn = api.passwords.turn().await?;
    if let Some(wait) = api.store.too_many_logins(&email, &address, LIMITS).await? {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins")
            .header(header::RETRY_AFTER, HeaderValue::from(seconds)));
    }
    let known = api
        .store
        .find_user_by_email(&email)
        .await?
        .filter(|known| known.user.is_active);
    let (user, hash) = known.map(|known| (known.user, known.password_hash)).unzip();
    let (turn, matches) = turn.matches(password, hash.flatten()).await?;
    let Some(user) = user.filter(|_| matches) else {
        api.store.record_login_failure(&email, &address).await?;
        drop(turn);
        audit::record_by(api, request, None, audit::login_failed(&email)).await?;
        tracing::warn!(action = %Action::LoginRefused, address, "a log-in was refused");
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_credentials"));
    };
    drop(turn);

    if let Some(old) = session_secret(request)
        && let Some((old, _)) = api.store.find_session(&secret::hash_secret(&old)).await?
    {
        api.store.delete_session(old.id).await?;
    }
    let secret = secret::new_secret(&*api.random)?;
    let expires_at = api.clock.now() + api.settings.session_lifetime;
    api.store
        .create_session(user.id, &secret::hash_secret(&secret), expires_at)
        .await?;
    api.store.clear_login_failures(&email).await?;
    api.store.record_login(user.id).await?;
    audit::record_by(api, request, Some(user.id), audit::log_in(&user)).await?;
    tracing::info!(action = %Action::Login, address, user_id = %user.id, "user {} logged in", user.id);
    Ok((user, session_cookie(api, request, secret.expose_secret().to_owned())))
}

/// Ends the request's session, where it has one.
pub(crate) async fn log_out(api: &Api, request: &HttpRequest) -> ApiResult<()> {
    let Some(secret) = session_secret(request) else {
        return Ok(());
    };
    if let Some((session, user)) = api.store.find_session(&secret::hash_secret(&secret)).await? {
        api.store.delete_session(session.id).await?;
        audit::record_by(api, request, Some(user.id), audit::log_out(&user)).await?;
    }
    Ok(())
}

fn session_cookie(api: &Api, request: &HttpRequest, value: String) -> Cookie<'static> {
    let path = if api.settings.base_path.is_empty() {
        "/".to_owned()
    } else {
        api.settings.base_path.clone()
    };
    Cookie::build(COOKIE, value)
        .path(path)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(is_secure(request, &api.settings))
        .max_age(CookieDuration::seconds(api.settings.session_lifetime.as_secs() as i64))
        .finish()
}

/// The cookie that removes the session's.
pub(crate) fn cleared_cookie(api: &Api, request: &HttpRequest) -> Cookie<'static> {
    let mut cookie = session_cookie(api, request, String::new());
    cookie.make_removal();
    cookie
}
