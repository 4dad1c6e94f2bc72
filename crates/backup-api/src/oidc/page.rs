//! The page that a person sees for a moment after logging in.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_LANGUAGE;

use super::log_in::LoggedIn;
use crate::language::Language;

/// Sends the browser on to the page it wanted.
///
/// Not by a redirect: this request came from the provider's site, and a browser counts the redirects of a navigation as
/// part of it. It would leave the session's `SameSite=Strict` cookie out, and the console would ask for a log-in again. A
/// page of ours that refreshes itself begins a new navigation, and that one comes from our own site. It needs no script,
/// which the content security policy forbids.
pub(crate) fn entrance(done: LoggedIn, language: Language) -> HttpResponse {
    let target = escape(&done.return_to);
    let text = escape(&language.say("oidc_done", &[]));
    let tag = language.tag();
    let page = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"refresh\" content=\"0;url={target}\">\n<title>{text}</title>\n\
         <p><a href=\"{target}\">{text}</a></p>\n</html>\n"
    );
    let mut response = HttpResponse::Ok();
    for cookie in done.cookies {
        response.cookie(cookie);
    }
    response
        .insert_header((CONTENT_LANGUAGE, tag))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
