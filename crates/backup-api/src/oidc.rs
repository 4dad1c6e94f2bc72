//! Log-in through OpenID Connect beside the local accounts: the code flow with PKCE.
//!
//! `/login` sends the browser to the provider and leaves a sealed `Flow` with it; `/callback` takes the flow back, has the
//! provider say who came (`Identity`), finds the user of that person in the catalog and begins a session. Only the
//! flow's cookie connects the two, so they may be answered by different processes.

mod flow;
mod http;
mod identity;
mod log_in;
mod page;
mod provider;

use openidconnect::IssuerUrl;
use secrecy::SecretString;
use url::{Host, Url};

pub(crate) use flow::return_path;
pub(crate) use log_in::{Answer, begin, finish};
pub(crate) use page::entrance;
pub(crate) use provider::Provider;

/// The provider, and who we are to it.
#[derive(Debug, Clone)]
pub struct OidcSettings {
    issuer: IssuerUrl,
    client_id: String,
    client_secret: SecretString,
    admin_group: Option<String>,
}

impl OidcSettings {
    /// The provider whose discovery document stands below `issuer_url`, spelt as the provider spells it: a slash at the end
    /// counts. With an `admin_group`, each log-in makes its members ADMIN and everybody else VIEWER; without one, new
    /// users are VIEWER and roles are not touched.
    ///
    /// # Errors
    /// What is wrong with the issuer: it is no address, or neither https nor on this machine.
    pub fn new(
        issuer_url: &str,
        client_id: String,
        client_secret: SecretString,
        admin_group: Option<String>,
    ) -> Result<Self, &'static str> {
        let issuer = IssuerUrl::new(issuer_url.to_owned()).map_err(|_| "is no address")?;
        if !is_safe(issuer.url()) {
            return Err("is neither https nor on this machine");
        }
        Ok(Self {
            issuer,
            client_id,
            client_secret,
            admin_group,
        })
    }
}

/// Why nobody was logged in. No variant holds a code, a token or more than a word of what the provider said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// The provider does not answer, or not as it should: trying again may help.
    #[error("the OpenID Connect provider cannot be used: {0}")]
    Unavailable(String),
    /// The browser's flow has run out, or is none of ours.
    #[error("the log-in by OpenID Connect has run out: {0}")]
    Expired(&'static str),
    /// The person is not let in.
    #[error("the log-in by OpenID Connect was refused: {0}")]
    Refused(String),
}

/// Whether secrets may be sent there: by TLS, or without leaving this machine.
fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_goes_over_an_open_line() {
        for (issuer, safe) in [
            ("https://id.example.org/realms/one", true),
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:3000/", true),
            ("http://localhost", true),
            ("http://id.example.org", false),
            ("http://localhost.example.org", false),
            ("ftp://127.0.0.1", false),
            ("id.example.org", false),
        ] {
            let settings = OidcSettings::new(issuer, "backup".to_owned(), "canary".into(), None);
            assert_eq!(settings.is_ok(), safe, "{issuer}");
            assert!(!format!("{settings:?}").contains("canary"));
        }
    }
}
