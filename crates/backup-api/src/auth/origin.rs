//! Writes that a browser sends on behalf of another site are refused, on top of `SameSite=Strict`.

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HOST, ORIGIN};
use url::Url;

use crate::app::ApiSettings;
use crate::error::{ApiError, ApiResult};

/// Refuses a write that another site's page sent. Programs send neither header and pass: they hold no cookie by accident.
pub(crate) fn check(request: &HttpRequest, settings: &ApiSettings) -> ApiResult<()> {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) || is_same_site(request, settings) {
        Ok(())
    } else {
        Err(ApiError::new(actix_web::http::StatusCode::FORBIDDEN, "cross_origin"))
    }
}

fn is_same_site(request: &HttpRequest, settings: &ApiSettings) -> bool {
    let header = |name| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap_or_default())
    };
    if let Some(site) = header("sec-fetch-site")
        && !["same-origin", "none"].contains(&site)
    {
        return false;
    }
    let Some(origin) = header(ORIGIN.as_str()) else {
        return true;
    };
    let Ok(origin) = Url::parse(origin) else { return false };
    if settings
        .public_url
        .as_ref()
        .is_some_and(|url| url.origin() == origin.origin())
    {
        return true;
    }
    // The scheme is not compared: behind a proxy that ends TLS, only the public URL knows it.
    let host = header(HOST.as_str()).and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    host.is_some_and(|host| host.origin() == origin.origin() && origin.origin().is_tuple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn another_sites_write_is_refused() {
        let settings = ApiSettings {
            public_url: Some("https://backup.example/x/".parse().unwrap()),
            ..ApiSettings::default()
        };
        for (headers, allowed) in [
            (vec![], true),
            (vec![("Origin", "http://localhost:8080")], true),
            (vec![("Origin", "https://backup.example")], true),
            (vec![("Sec-Fetch-Site", "same-origin")], true),
            (vec![("Sec-Fetch-Site", "same-site")], false),
            (
                vec![("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost:8080")],
                false,
            ),
            (vec![("Origin", "http://localhost:8081")], false),
            (vec![("Origin", "https://backup.example.evil.example")], false),
            (vec![("Origin", "null")], false),
        ] {
            let mut request = TestRequest::post().insert_header(("Host", "localhost:8080"));
            for header in &headers {
                request = request.insert_header(*header);
            }
            assert_eq!(
                check(&request.to_http_request(), &settings).is_ok(),
                allowed,
                "{headers:?}"
            );
        }
    }
}
