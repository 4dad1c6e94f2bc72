//! Who asks, and whether they may. Every route names its [`Access`]; the middleware [`authorise`] enforces it before the
//! handler or the body's reader runs, and leaves the [`Caller`] with the request.

pub(crate) mod account;
mod address;
mod caller;
mod login;
pub(crate) mod network;
mod origin;
pub(crate) mod password;
pub(crate) mod secret;

pub(crate) use address::{address_of, is_secure};
pub(crate) use caller::{Caller, Who};
pub(crate) use login::{Attempt, COOKIE, begin_session, cleared_cookie, log_in, log_out, session_of};
pub(crate) use password::Passwords;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use backup_core::user::{Role, TokenScope};

use crate::app::Api;
use crate::error::{ApiError, ApiResult};
use crate::http::middleware::to_the_end;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing.
    Public,
    /// To be known: any person, any token.
    Read,
    /// To start and cancel jobs: an ADMIN, or a token of scope OPERATE or ADMIN.
    Operate,
    /// Everything else: an ADMIN, or a token of scope ADMIN.
    Admin,
}

impl Access {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "PUBLIC",
            Self::Read => "READ",
            Self::Operate => "OPERATE",
            Self::Admin => "ADMIN",
        }
    }
}

impl From<Role> for Access {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::Admin,
            Role::Viewer => Self::Read,
        }
    }
}

impl From<TokenScope> for Access {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Read => Self::Read,
            TokenScope::Operate => Self::Operate,
            TokenScope::Admin => Self::Admin,
        }
    }
}

/// Lets a request pass that may: 401 for nobody, 403 for somebody who may not or whose browser sends it from another site.
pub(crate) async fn authorise<B: MessageBody + 'static>(
    access: Access,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if let Err(error) = check(access, &request).await {
        return Ok(request.error_response(error).map_into_right_body());
    }
    let only_reads = request.method().is_safe();
    let answer = next.call(request);
    // An act goes on where its connection breaks: between a change and its row in the audit log nobody slips away. What only
    // reads ends with its caller, and so does what nobody known asks for, who could leave any number of them behind.
    let response = if only_reads || access == Access::Public {
        answer.await?
    } else {
        to_the_end(answer).await??
    };
    Ok(response.map_into_left_body())
}

async fn check(access: Access, request: &ServiceRequest) -> ApiResult<()> {
    let api = request
        .app_data::<web::Data<Api>>()
        .ok_or_else(|| ApiError::internal("the application has no state"))?
        .clone();
    // A token is no cookie: no browser sends it on behalf of another site.
    if !secret::has_authorization(request.headers()) {
        origin::check(request.request(), &api.settings)?;
    }
    if access == Access::Public {
        return Ok(());
    }
    let caller = Caller::of(request.request(), &api)
        .await?
        .ok_or_else(ApiError::unauthorized)?;
    if caller.access() < access {
        return Err(ApiError::forbidden());
    }
    request.extensions_mut().insert(caller);
    Ok(())
}
