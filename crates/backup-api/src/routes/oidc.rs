//! Log-in through OpenID Connect: to the provider, and back.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::IntoParams;

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::{FromParams, Params, Query};
use crate::language::Language;
use crate::oidc::{Answer, begin, entrance, finish};

/// Characters of the page to return to; the flow's cookie holds it.
const MAX_RETURN_TO: usize = 512;

/// Characters of a code, which some providers make long.
const MAX_CODE: usize = 4096;

/// Characters of anything else that the provider sends.
const MAX_WORD: usize = 256;

/// Where the browser comes back to.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct LoginQuery {
    /// The page of the console to come back to.
    #[param(max_length = 512)]
    return_to: Option<String>,
}

impl FromParams for LoginQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            return_to: params.text("returnTo", MAX_RETURN_TO)?,
        })
    }
}

/// Sends the browser to the provider.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/login",
    params(LoginQuery),
    responses(
        (status = 302, description = "To the provider.", headers(
            ("Location" = String, description = "The provider's page."),
            ("Set-Cookie" = String, description = "The log-in under way."),
        )),
        (status = 404, description = "`oidc_not_configured`"),
        (status = 503, description = "`oidc_unavailable`: the provider does not answer."),
    )
)]
pub(crate) async fn begin_login(api: web::Data<Api>, request: HttpRequest, query: Query<LoginQuery>) -> ApiResult {
    let (url, cookie) = begin(&api, &request, query.0.return_to).await?;
    Ok(HttpResponse::Found()
        .cookie(cookie)
        .insert_header((LOCATION, url.as_str()))
        .finish())
}

/// What the provider says.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    /// Which log-in it answers.
    #[param(max_length = 256)]
    state: Option<String>,
    /// What the identity is fetched with.
    #[param(max_length = 4096)]
    code: Option<String>,
    /// Who answers.
    #[param(max_length = 256)]
    iss: Option<String>,
    /// Why there is no identity.
    #[param(max_length = 256)]
    error: Option<String>,
}

impl FromParams for CallbackQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            state: params.text("state", MAX_WORD)?,
            code: params.text("code", MAX_CODE)?,
            iss: params.text("iss", MAX_WORD)?,
            error: params.text("error", MAX_WORD)?,
        })
    }
}

/// Where the provider sends the browser: logs in and goes on to the page. Providers add parameters of their own, which do
/// not matter.
#[utoipa::path(
    get,
    path = "/api/auth/oidc/callback",
    params(CallbackQuery),
    responses(
        (status = 200, body = String, content_type = "text/html", description = "A page that goes on to the console.", headers(
            ("Set-Cookie" = String, description = "The session."),
        )),
        (status = 400, description = "`oidc_expired`: the log-in was begun elsewhere, or too long ago."),
        (status = 401, description = "`oidc_refused`: the provider, or we, refuse this person."),
        (status = 404, description = "`oidc_not_configured`"),
        (status = 429, description = "`too_many_logins`: wait as long as `Retry-After` says."),
        (status = 503, description = "`oidc_unavailable`: the provider does not answer."),
    )
)]
pub(crate) async fn finish_login(api: web::Data<Api>, request: HttpRequest, language: Language) -> ApiResult {
    let query = CallbackQuery::from_params(&mut Params::read(request.query_string())?)?;
    let answer = Answer {
        state: query.state,
        code: query.code,
        issuer: query.iss,
        error: query.error,
    };
    Ok(entrance(finish(&api, &request, answer).await?, language))
}
