//! From a browser without a session to one with: there and back.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;
use actix_web::http::header::{self, HeaderValue};
use backup_core::user::{Role, User};
use backup_db::{OidcFound, OidcMatch, OidcPerson, OidcRefusal, OidcRole};
use backup_engine::Action;
use url::Url;

use super::flow::Flow;
use super::identity::Identity;
use super::provider::{Provider, one_word};
use super::{OidcError, return_path};
use crate::app::Api;
use crate::audit;
use crate::auth::{Attempt, address_of, begin_session, session_of};
use crate::error::{ApiError, ApiResult};

/// What the provider sent the browser back with.
pub(crate) struct Answer {
    pub(crate) state: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) error: Option<String>,
}

/// A person who is logged in.
pub(crate) struct LoggedIn {
    /// The page to go to.
    pub(crate) return_to: String,
    /// The session's cookie, and the one that removes the flow's.
    pub(crate) cookies: [Cookie<'static>; 2],
}

/// Begins a log-in: where to send the browser, and the cookie that it keeps meanwhile.
///
/// # Errors
/// 404 where OpenID Connect is not set up; 503 where the provider does not answer.
pub(crate) async fn begin(
    api: &Api,
    request: &HttpRequest,
    return_to: Option<String>,
) -> ApiResult<(Url, Cookie<'static>)> {
    let provider = provider(api)?;
    let return_to = return_to.map(return_path).transpose()?;
    let session = session_of(api, request).await?.map(|(session, _)| session.id);
    let flow = Flow::new(api, request, return_to, session)?;
    let url = provider.authorization_url(&flow).await?;
    Ok((url, flow.seal(api, request)?))
}

/// Ends a log-in with a new session; the one that the browser had when it began is over.
///
/// # Errors
/// 404 as above; 400 where the flow has run out or is none of ours; 401 where the person is not let in; 429 after too many
/// of these from one address; 503 where the provider does not answer: the same answer may be brought again then.
pub(crate) async fn finish(api: &Api, request: &HttpRequest, answer: Answer) -> ApiResult<LoggedIn> {
    let provider = provider(api)?;
    // Not counted and not audited: any page can make a browser come here, and must not lock its address out.
    let Some(flow) = Flow::open(api, request) else {
        return Err(OidcError::Expired("the browser brings no flow that holds").into());
    };
    // Nobody can say yet which account it is about: the address alone counts.
    let address = address_of(request, &api.settings).unwrap_or_default();
    let attempt = Attempt::by_address(api, &address).await?;
    match admit(api, request, provider, &flow, answer).await {
        Ok(user) => {
            if let Some(old) = flow.session {
                api.store.delete_session(old).await?;
            }
            let session = begin_session(api, request, &user, audit::log_in_by_oidc(&user)).await?;
            Ok(LoggedIn {
                cookies: [session, flow.cleared(api, request)],
                return_to: flow.return_to,
            })
        }
        Err(Failure::Api(error)) => Err(error),
        Err(Failure::Oidc(error @ OidcError::Unavailable(_))) => Err(error.into()),
        Err(Failure::Oidc(error)) => {
            attempt.failed().await?;
            audit::record_by(api, request, None, audit::oidc_login_failed(&error)).await?;
            tracing::warn!(action = %Action::LoginRefused, address, "{error}");
            let cleared = flow.cleared(api, request).to_string();
            let cleared = HeaderValue::from_str(&cleared).map_err(ApiError::internal)?;
            Err(ApiError::from(error).header(header::SET_COOKIE, cleared))
        }
    }
}

/// Why nobody was admitted: the log-in's fault, or ours.
enum Failure {
    Oidc(OidcError),
    Api(ApiError),
}

impl From<OidcError> for Failure {
    fn from(error: OidcError) -> Self {
        Self::Oidc(error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<backup_db::Error> for Failure {
    fn from(error: backup_db::Error) -> Self {
        Self::Api(error.into())
    }
}

fn provider(api: &Api) -> ApiResult<&Provider> {
    api.oidc
        .as_ref()
        .ok_or_else(|| ApiError::not_found("oidc_not_configured"))
}

async fn admit(
    api: &Api,
    request: &HttpRequest,
    provider: &Provider,
    flow: &Flow,
    answer: Answer,
) -> Result<User, Failure> {
    if answer.state.as_ref() != Some(&flow.state) {
        return Err(OidcError::Expired("the answer belongs to another log-in").into());
    }
    if answer.issuer.is_some_and(|issuer| !provider.is_issuer(&issuer)) {
        return Err(OidcError::Refused("the answer names another issuer".to_owned()).into());
    }
    if let Some(word) = answer.error.as_deref().map(one_word) {
        return Err(match word.as_str() {
            "server_error" | "temporarily_unavailable" => OidcError::Unavailable(format!("it says {word}")),
            _ => OidcError::Refused(format!("the provider says {word}")),
        }
        .into());
    }
    let code = answer
        .code
        .ok_or_else(|| OidcError::Refused("the provider sent no code".to_owned()))?;
    let identity = provider.identify(flow, code).await?;
    recognise(api, request, provider, identity).await
}

async fn recognise(api: &Api, request: &HttpRequest, provider: &Provider, identity: Identity) -> Result<User, Failure> {
    let role = provider.admin_group().map(|group| {
        let is_member = identity.groups.iter().flatten().any(|name| name == group);
        if is_member { Role::Admin } else { Role::Viewer }
    });
    let person = OidcPerson {
        display_name: identity.display_name(),
        subject: identity.subject,
        email: identity.email.clone(),
        email_is_verified: identity.email_is_verified,
        role,
    };
    let (user, found, role) = match api.store.match_oidc_person(person).await? {
        OidcMatch::User { user, found, role } => (user, found, role),
        OidcMatch::Refused(refusal) => {
            let email = identity.email.unwrap_or_default();
            let reason = match refusal {
                OidcRefusal::Inactive => format!("{email} may not log in"),
                OidcRefusal::EmailTaken => format!("{email} is another user's, and not proved to be the same person's"),
                OidcRefusal::NoEmail => "the provider tells no e-mail address".to_owned(),
            };
            return Err(OidcError::Refused(reason).into());
        }
    };
    match found {
        OidcFound::BySubject => {}
        OidcFound::ByEmail => audit::record_by(api, request, Some(user.id), audit::link_to_oidc(&user)).await?,
        OidcFound::Made => audit::record_by(api, request, Some(user.id), audit::create_by_oidc(&user)).await?,
    }
    match role {
        OidcRole::Kept => {}
        OidcRole::Changed => audit::record_by(api, request, Some(user.id), audit::change_role_by_oidc(&user)).await?,
        OidcRole::LastAdmin => tracing::warn!(
            action = %Action::Login,
            user_id = %user.id,
            "user {} is in no administrators' group any more and stays ADMIN, being the last one", user.id
        ),
    }
    Ok(user)
}
