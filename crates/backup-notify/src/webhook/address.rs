//! A webhook's address, which is a secret: only its host is ever said.

use backup_core::percent;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::Error;

const HINT: &str = "Give the whole address as the receiver shows it, beginning with https:// or http://.";

/// Bytes that an address may have.
const MAX_URL: usize = 4096;

/// Pieces of the address that are shorter are no credentials, but words such as `hook`.
const MIN_SECRET: usize = 6;

/// An address that can be asked. It has no `Debug`.
pub(super) struct Address(Url);

/// Whether `url` is a web address: `http` or `https`, with a host.
///
/// # Errors
/// [`Error::Refused`], which does not repeat it.
pub fn check_url(url: &SecretString) -> Result<(), Error> {
    Address::parse(url).map(drop)
}

impl Address {
    pub(super) fn parse(url: &SecretString) -> Result<Self, Error> {
        let refuse = |what: &str| Error::refused(format!("the webhook's address {what}"), HINT);
        let url = url.expose_secret();
        if url.len() > MAX_URL {
            return Err(refuse("is too long"));
        }
        let mut url = Url::parse(url).map_err(|_| refuse("cannot be read"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("is neither http:// nor https://"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("names no host"));
        }
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// The host, which may be said.
    pub(super) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address itself.
    pub(super) fn url(&self) -> Url {
        self.0.clone()
    }

    /// The address under which a dead man's switch hears of something bad: `/fail` stands before the query.
    pub(super) fn fail(&self) -> Url {
        let mut url = self.url();
        // Cannot fail: http and https have a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push("fail");
        }
        url
    }

    /// Whether `text` holds a part of the address that may be a credential, in whatever form.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let url = &self.0;
        let queries = url.query().into_iter().flat_map(|query| query.split(['&', '=']));
        let parts = url.path().split('/').chain(queries);
        let parts = parts.chain([url.username(), url.password().unwrap_or_default()]);
        parts.filter(|part| part.len() >= MIN_SECRET).any(|part| {
            let decoded = percent::decode(part).unwrap_or_default().to_lowercase();
            text.contains(&part.to_lowercase()) || (!decoded.is_empty() && text.contains(&decoded))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Address, Error> {
        Address::parse(&SecretString::from(url))
    }

    #[test]
    fn only_web_addresses_are_taken_and_none_is_repeated() {
        for url in [
            "https://hooks.example/T0/B0/s3cr3tpart",
            "http://127.0.0.1:8080",
            "https://[::1]/x?y=z#f",
        ] {
            assert!(of(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "s3cr3tpart",
            "ftp://hooks.example/s3cr3tpart",
            "file:///s3cr3tpart",
            "https:///",
            "https://",
            "javascript:s3cr3tpart",
            "https://hooks.example:99999/s3cr3tpart",
            "https://ho st/s3cr3tpart",
        ] {
            let Err(error) = of(url) else { panic!("{url} is taken") };
            assert!(matches!(error, Error::Refused(_)), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error:?}");
        }
        assert!(check_url(&format!("https://a.example/{}", "a".repeat(MAX_URL)).into()).is_err());
    }

    #[test]
    fn a_failure_is_told_at_a_path_of_its_own() {
        for (url, fail) in [
            ("https://hc.example/uuid", "https://hc.example/uuid/fail"),
            ("https://hc.example/uuid/", "https://hc.example/uuid/fail"),
            ("https://hc.example", "https://hc.example/fail"),
            (
                "https://hc.example/k/slug?create=1#x",
                "https://hc.example/k/slug/fail?create=1",
            ),
        ] {
            assert_eq!(of(url).unwrap().fail().as_str(), fail);
        }
    }

    #[test]
    fn a_text_that_repeats_the_address_is_known() {
        let address = of("https://us%40er1:p%C3%A4ssword@a.example/hook/T0%2FSECRET?token=abcdef123").unwrap();
        for text in [
            "no /hook/t0%2fsecret",
            "T0/SECRET",
            "token abcdef123.",
            "PÄSSWORD",
            "for us@er1",
        ] {
            assert!(address.is_in(text), "{text}");
        }
        for text in ["hook not found", "token", "a.example"] {
            assert!(!address.is_in(text), "{text}");
        }
    }
}
