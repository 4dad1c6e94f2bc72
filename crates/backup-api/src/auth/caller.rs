//! Who asks.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use backup_core::UserId;
use backup_core::user::{ApiToken, Session, User};

use super::login::session_secret;
use super::{Access, secret};
use crate::app::Api;
use crate::error::{ApiError, ApiResult};

/// A known caller. Handlers take it as an argument; the middleware has made sure that it may.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) who: Who,
    /// What the catalog holds of the secret that was shown.
    secret_hash: String,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) enum Who {
    /// A person, by the cookie of a log-in.
    Person {
        /// Who.
        user: User,
        /// The log-in.
        session: Session,
    },
    /// A program, by an API token.
    Program(ApiToken),
}

impl Caller {
    /// Finds out who asks. An `Authorization` header counts alone: a wrong one is not made good by a cookie.
    pub(super) async fn of(request: &HttpRequest, api: &Api) -> ApiResult<Option<Self>> {
        if secret::has_authorization(request.headers()) {
            let Some(secret) = secret::bearer(request.headers()) else {
                return Ok(None);
            };
            let hash = secret::hash_secret(&secret);
            let token = api.store.use_token(&hash).await?;
            return Ok(token.map(|token| Self {
                who: Who::Program(token),
                secret_hash: hash,
            }));
        }
        let Some(secret) = session_secret(request) else {
            return Ok(None);
        };
        let hash = secret::hash_secret(&secret);
        let found = api.store.find_session(&hash).await?;
        Ok(found.map(|(session, user)| Self {
            who: Who::Person { user, session },
            secret_hash: hash,
        }))
    }

    /// What the caller may do.
    pub(crate) fn access(&self) -> Access {
        match &self.who {
            Who::Person { user, .. } => user.role.into(),
            Who::Program(token) => token.scope.into(),
        }
    }

    /// Whose doing it is: a token's acts are those of who made it.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        match &self.who {
            Who::Person { user, .. } => Some(user.id),
            Who::Program(token) => token.created_by,
        }
    }

    /// Whose share it takes of what each may have so much of: a token's is that of who made it.
    pub(crate) fn whose(&self) -> String {
        self.user_id()
            .map_or_else(|| self.label(), |user| format!("user:{user}"))
    }

    /// Who, in the access log.
    pub(crate) fn label(&self) -> String {
        match &self.who {
            Who::Person { user, .. } => format!("user:{}", user.id),
            Who::Program(token) => format!("token:{}", token.id),
        }
    }

    /// Whether the log-in or token still holds: asked again and again by streams that stay open.
    pub(crate) async fn is_still_valid(&self, api: &Api) -> ApiResult<bool> {
        Ok(match &self.who {
            Who::Person { .. } => api.store.find_session(&self.secret_hash).await?.is_some(),
            Who::Program(_) => api.store.use_token(&self.secret_hash).await?.is_some(),
        })
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<ApiResult<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(
            request
                .extensions()
                .get::<Self>()
                .cloned()
                .ok_or_else(ApiError::unauthorized),
        )
    }
}
