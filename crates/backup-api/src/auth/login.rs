//! Log-in by e-mail address and password, and the session cookie.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use backup_core::user::{Session, User};
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
    per_account_and_address: 10,
    per_account: 50,
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
    let attempt = Attempt::at_account(api, &email, &address).await?;
    let known = api
        .store
        .find_user_by_email(&email)
        .await?
        .filter(|known| known.user.is_active);
    let (user, hash) = known.map(|known| (known.user, known.password_hash)).unzip();
    let (turn, matches) = turn.matches(password, hash.flatten()).await?;
    let Some(user) = user.filter(|_| matches) else {
        attempt.failed().await?;
        drop(turn);
        audit::record_by(api, request, None, audit::login_failed(&email)).await?;
        tracing::warn!(action = %Action::LoginRefused, address, "a log-in was refused");
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_credentials"));
    };
    drop(turn);

    api.store.clear_login_failures(&email).await?;
    let cookie = begin_session(api, request, &user, audit::log_in(&user)).await?;
    Ok((user, cookie))
}

/// A try to log in that may be made. Where it fails, it counts against the next ones.
pub(crate) struct Attempt<'a> {
    api: &'a Api,
    account: String,
    address: &'a str,
}

impl<'a> Attempt<'a> {
    async fn at_account(api: &'a Api, account: &str, address: &'a str) -> ApiResult<Self> {
        Self::within(api, account.to_owned(), address, LIMITS).await
    }

    /// A try of which it is not known whose account it is for.
    ///
    /// # Errors
    /// 429 where too many from this address failed.
    pub(crate) async fn by_address(api: &'a Api, address: &'a str) -> ApiResult<Self> {
        let limits = LoginLimits {
            per_account_and_address: LIMITS.per_address,
            per_account: LIMITS.per_address,
            ..LIMITS
        };
        Self::within(api, format!("|{address}"), address, limits).await
    }

    async fn within(api: &'a Api, account: String, address: &'a str, limits: LoginLimits) -> ApiResult<Self> {
        if let Some(wait) = api.store.too_many_logins(&account, address, limits).await? {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_logins")
                .header(header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        Ok(Self { api, account, address })
    }

    /// Records that it failed.
    pub(crate) async fn failed(self) -> ApiResult<()> {
        Ok(self.api.store.record_login_failure(&self.account, self.address).await?)
    }
}

/// The session that the request's cookie names, and whose it is.
pub(crate) async fn session_of(api: &Api, request: &HttpRequest) -> ApiResult<Option<(Session, User)>> {
    match session_secret(request) {
        Some(secret) => Ok(api.store.find_session(&secret::hash_secret(&secret)).await?),
        None => Ok(None),
    }
}

/// Begins a new session of somebody who is known now, and gives its cookie. The session that the request brought is over.
/// `act` is how the person logged in.
pub(crate) async fn begin_session(
    api: &Api,
    request: &HttpRequest,
    user: &User,
    act: audit::Act,
) -> ApiResult<Cookie<'static>> {
    if let Some((old, _)) = session_of(api, request).await? {
        api.store.delete_session(old.id).await?;
    }
    let secret = secret::new_secret(&*api.random)?;
    let expires_at = api.clock.now() + api.settings.session_lifetime;
    api.store
        .create_session(user.id, &secret::hash_secret(&secret), expires_at)
        .await?;
    api.store.record_login(user.id).await?;
    audit::record_by(api, request, Some(user.id), act).await?;
    let address = address_of(request, &api.settings);
    tracing::info!(action = %Action::Login, address, user_id = %user.id, "user {} logged in", user.id);
    Ok(session_cookie(api, request, secret.expose_secret().to_owned()))
}

/// Ends the request's session, where it has one.
pub(crate) async fn log_out(api: &Api, request: &HttpRequest) -> ApiResult<()> {
    if let Some((session, user)) = session_of(api, request).await? {
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
