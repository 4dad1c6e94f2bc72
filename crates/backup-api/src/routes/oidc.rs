//! Log-in through OpenID Connect: to the provider, and back.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::Api;
use crate::error::ApiResult;
use crate::http::params::Params;
use crate::language::Language;
use crate::oidc::{Answer, begin, entrance, finish};

/// Characters of the page to return to; the flow's cookie holds it.
const MAX_RETURN_TO: usize = 512;

/// Characters of a code or of anything else that the provider sends.
const MAX_ANSWER: usize = 8192;

/// Sends the browser to the provider; `returnTo` is the page that it comes back to.
pub(crate) async fn begin_login(api: web::Data<Api>, request: HttpRequest) -> ApiResult {
    let mut params = Params::of(&request)?;
    let return_to = params.text("returnTo", MAX_RETURN_TO)?;
    params.end()?;
    let (url, cookie) = begin(&api, &request, return_to).await?;
    Ok(HttpResponse::Found()
        .cookie(cookie)
        .insert_header((LOCATION, url.as_str()))
        .finish())
}

/// Where the provider sends the browser: logs in and goes on to the page. Providers add parameters of their own, which do
/// not matter.
pub(crate) async fn finish_login(api: web::Data<Api>, request: HttpRequest, language: Language) -> ApiResult {
    let mut params = Params::of(&request)?;
    let answer = Answer {
        state: params.text("state", MAX_ANSWER)?,
        code: params.text("code", MAX_ANSWER)?,
        issuer: params.text("iss", MAX_ANSWER)?,
        error: params.text("error", MAX_ANSWER)?,
    };
    Ok(entrance(finish(&api, &request, answer).await?, language))
}
