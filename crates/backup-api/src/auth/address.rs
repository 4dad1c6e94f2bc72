//! Where a request comes from, and whether it came by TLS.

use std::net::IpAddr;

use actix_web::HttpRequest;

use crate::app::ApiSettings;

/// The caller's address. Behind a reverse proxy (a public URL is set and the peer is on this machine, or it is named) it is
/// the last entry of `X-Forwarded-For`, the one that the proxy itself wrote. Anybody else would invent one.
pub(crate) fn address_of(request: &HttpRequest, settings: &ApiSettings) -> Option<String> {
    let peer = request.peer_addr()?.ip();
    let forwarded = || {
        let header = request.headers().get_all("x-forwarded-for").last()?.to_str().ok()?;
        header.rsplit(',').next()?.trim().parse::<IpAddr>().ok()
    };
    let is_here = settings.public_url.is_some() && peer.to_canonical().is_loopback();
    let behind_proxy = is_here || settings.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
    let address = if behind_proxy {
        forwarded().unwrap_or(peer)
    } else {
        peer
    };
    Some(address.to_canonical().to_string())
}

/// Whether the caller speaks TLS, to us or to the reverse proxy.
pub(crate) fn is_secure(request: &HttpRequest, settings: &ApiSettings) -> bool {
    let forwarded = request
        .headers()
        .get("x-forwarded-proto")
        .and_then(|value| value.to_str().ok());
    settings.public_url.as_ref().is_some_and(|url| url.scheme() == "https")
        || forwarded.is_some_and(|proto| proto.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn only_a_known_proxy_is_believed() {
        let behind = ApiSettings {
            public_url: Some("https://backup.example/".parse().unwrap()),
            trusted_proxies: vec!["10.0.0.0/24".parse().unwrap()],
            ..ApiSettings::default()
        };
        let ask = |peer: &str, settings| {
            let request = TestRequest::default()
                .peer_addr(peer.parse().unwrap())
                .insert_header(("X-Forwarded-For", "6.6.6.6, 8.8.8.8"));
            address_of(&request.to_http_request(), settings).unwrap()
        };
        assert_eq!(ask("127.0.0.1:1", &behind), "8.8.8.8");
        assert_eq!(ask("[::ffff:10.0.0.7]:1", &behind), "8.8.8.8");
        assert_eq!(ask("[::1]:1", &behind), "8.8.8.8");
        assert_eq!(ask("10.0.1.7:1", &behind), "10.0.1.7");
        assert_eq!(ask("9.9.9.9:1", &behind), "9.9.9.9");
        assert_eq!(ask("127.0.0.1:1", &ApiSettings::default()), "127.0.0.1");
    }
}
