//! A log-in under way: what the browser keeps between our redirect to the provider and the provider's back to us.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as CookieDuration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::HOST;
use backup_core::SessionId;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::{Api, ApiSettings};
use crate::auth::{is_secure, secret};
use crate::error::{ApiError, ApiResult};

const COOKIE: &str = "backup_oidc";

/// How long a person has at the provider.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

const CALLBACK: &str = "/api/auth/oidc/callback";

/// A log-in under way. Sealed with a key that all processes share: nobody reads or makes one, and any process takes up
/// what another began. Its unknown fields are refused, so that nothing else under that seal is taken for a flow.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Flow {
    /// Connects the provider's answer with this browser.
    pub(super) state: String,
    /// Connects the ID token with this flow.
    pub(super) nonce: String,
    /// Proves to the provider that who redeems the code is who asked for it (PKCE).
    pub(super) verifier: String,
    /// Where the provider sends the browser, as it was told.
    pub(super) redirect_uri: Url,
    /// The page to go to in the end, a path.
    pub(super) return_to: String,
    /// The session that the browser had. Its `SameSite=Strict` cookie does not come along with the callback.
    pub(super) session: Option<SessionId>,
    expires_at: DateTime<Utc>,
}

impl Flow {
    pub(super) fn new(
        api: &Api,
        request: &HttpRequest,
        return_to: Option<String>,
        session: Option<SessionId>,
    ) -> ApiResult<Self> {
        let root = root(request, &api.settings).ok_or_else(|| ApiError::bad_request("request_invalid"))?;
        let random = || secret::new_secret(&*api.random).map(|secret| secret.expose_secret().to_owned());
        let mut redirect_uri = root.clone();
        redirect_uri.set_path(&format!("{}{CALLBACK}", root.path().trim_end_matches('/')));
        Ok(Self {
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            redirect_uri,
            return_to: return_to.unwrap_or_else(|| root.path().to_owned()),
            session,
            expires_at: api.clock.now() + LIFETIME,
        })
    }

    /// The cookie that holds it.
    pub(super) fn seal(&self, api: &Api, request: &HttpRequest) -> ApiResult<Cookie<'static>> {
        let plain = serde_json::to_vec(self).map_err(ApiError::internal)?;
        let sealed = api.key.seal(&plain, &*api.random).map_err(ApiError::internal)?;
        Ok(self.cookie(api, request, sealed))
    }

    /// The flow that the request brings: ours, unchanged, and not older than it may be.
    pub(super) fn open(api: &Api, request: &HttpRequest) -> Option<Self> {
        let cookie = request.cookie(COOKIE)?;
        let plain = api.key.unseal(cookie.value()).ok()?;
        let flow: Self = serde_json::from_str(plain.expose_secret()).ok()?;
        (api.clock.now() < flow.expires_at).then_some(flow)
    }

    /// The cookie that removes it: one flow is good for one answer.
    pub(super) fn cleared(&self, api: &Api, request: &HttpRequest) -> Cookie<'static> {
        let mut cookie = self.cookie(api, request, String::new());
        cookie.make_removal();
        cookie
    }

    fn cookie(&self, api: &Api, request: &HttpRequest, value: String) -> Cookie<'static> {
        let path = self.redirect_uri.path();
        let folder = path.strip_suffix("/callback").unwrap_or(path).to_owned();
        Cookie::build(COOKIE, value)
            .path(folder)
            .http_only(true)
            // The provider's page leads to the callback, and a Strict cookie would not come along from there.
            .same_site(SameSite::Lax)
            .secure(is_secure(request, &api.settings))
            .max_age(CookieDuration::seconds(LIFETIME.num_seconds()))
            .finish()
    }
}

/// Where the console is for this browser, with a slash at the end: the public address, else the host that was asked. The
/// base path is added where the public address does not end in it already.
fn root(request: &HttpRequest, settings: &ApiSettings) -> Option<Url> {
    let mut root = if let Some(url) = &settings.public_url {
        url.clone()
    } else {
        let scheme = if is_secure(request, settings) { "https" } else { "http" };
        let host = request.headers().get(HOST)?.to_str().ok()?;
        let url = Url::parse(&format!("{scheme}://{host}/")).ok()?;
        let is_host_alone = url.path() == "/" && url.username().is_empty() && url.query().is_none();
        is_host_alone.then_some(url)?
    };
    let mut path = root.path().trim_end_matches('/').to_owned();
    if !path.ends_with(&settings.base_path) {
        path += &settings.base_path;
    }
    root.set_path(&format!("{path}/"));
    root.set_query(None);
    root.set_fragment(None);
    Some(root)
}

/// A page of ours to return to: an absolute path and nothing that a browser could take for another site.
pub(crate) fn return_path(text: String) -> ApiResult<String> {
    let base = Url::parse("http://console.invalid").map_err(ApiError::internal)?;
    let is_ours = text.starts_with('/')
        && !text.contains(['\\', '"', '<', '>'])
        && !text.chars().any(|char| char.is_control() || char.is_whitespace())
        && base.join(&text).is_ok_and(|url| url.origin() == base.origin());
    if is_ours {
        Ok(text)
    } else {
        Err(ApiError::field(
            "parameter_invalid",
            "returnTo",
            "it must be a path of this server",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_a_page_of_ours_is_returned_to() {
        for good in ["/", "/backups?status=FAILED&q=%E5%82%99", "/備份#x"] {
            assert!(return_path(good.to_owned()).is_ok(), "{good}");
        }
        for evil in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\"><script>",
        ] {
            assert!(return_path(evil.to_owned()).is_err(), "{evil}");
        }
    }

    #[test]
    fn the_root_is_what_people_use() {
        for (public, base, root_of) in [
            (None, "", Some("http://backup.example:8080/")),
            (None, "/b", Some("http://backup.example:8080/b/")),
            (Some("https://x.example"), "/b", Some("https://x.example/b/")),
            (Some("https://x.example/b/"), "/b", Some("https://x.example/b/")),
            (Some("https://x.example/a?q#f"), "", Some("https://x.example/a/")),
        ] {
            let settings = ApiSettings {
                base_path: base.to_owned(),
                public_url: public.map(|url: &str| url.parse().unwrap()),
                ..ApiSettings::default()
            };
            let request = TestRequest::get()
                .insert_header(("Host", "backup.example:8080"))
                .to_http_request();
            let root = root(&request, &settings);
            assert_eq!(root.as_ref().map(Url::as_str), root_of, "{public:?} {base}");
        }
        let strange = TestRequest::get().insert_header(("Host", "a/b")).to_http_request();
        assert_eq!(root(&strange, &ApiSettings::default()), None);
    }
}
