use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;

use backup_core::percent;
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::Error;

const URL_HINT: &str =
    "Write SMTP_URL as smtp://USER:PASSWORD@HOST:PORT or smtps://…, special characters percent-encoded.";

/// When the connection is encrypted. Where it is, the server's certificate is always checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// From the first byte.
    Implicit,
    /// By STARTTLS; a server without it is refused.
    Required,
    /// By STARTTLS where the server offers it, else not at all.
    WhenOffered,
}

/// Which server takes the messages, and whose they are. `Debug` does not show the password.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Name or address of the server; an IPv6 address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// When the connection is encrypted.
    pub encryption: Encryption,
    /// User and password, where the server wants them.
    pub credentials: Option<(String, SecretString)>,
    /// The sender: in the header, and where servers send what cannot be delivered.
    pub from: Mailbox,
    /// PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl SmtpSettings {
    /// Reads `SMTP_URL` and `SMTP_FROM`. `smtps://` is encrypted from the first byte, on port 465. `smtp://` uses STARTTLS
    /// where it is offered, and insists on it before a password leaves this machine; the port is 587 with a user and 25
    /// without.
    ///
    /// # Errors
    /// [`Error::Refused`] where one of them cannot be read; the message does not repeat the URL.
    pub fn parse(url: &SecretString, from: &str, ca_file: Option<PathBuf>) -> Result<Self, Error> {
        let refuse = |what: &str| Error::refused(format!("SMTP_URL {what}"), URL_HINT);
        let parsed = Url::parse(url.expose_secret()).map_err(|_| refuse("cannot be read"))?;
        let implicit = match parsed.scheme() {
            "smtps" => true,
            "smtp" => false,
            _ => return Err(refuse("is neither smtp:// nor smtps://")),
        };
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() || parsed.fragment().is_some() {
            return Err(refuse("has something behind the server"));
        }
        let text = |encoded: &str| percent::decode(encoded).ok_or_else(|| refuse("has a bad percent-encoding"));
        let host = text(parsed.host_str().unwrap_or_default())?
            .trim_matches(['[', ']'])
            .to_owned();
        if host.is_empty() {
            return Err(refuse("names no server"));
        }
        let credentials = match (text(parsed.username())?, parsed.password().map(text).transpose()?) {
            (user, None) if user.is_empty() => None,
            (user, Some(password)) if !user.is_empty() && !password.is_empty() => Some((user, password.into())),
            _ => return Err(refuse("has only one of user and password")),
        };
        let encryption = match (&credentials, implicit) {
            (_, true) => Encryption::Implicit,
            (Some(_), false) if !is_loopback(&host) => Encryption::Required,
            _ => Encryption::WhenOffered,
        };
        let default_port = match (&credentials, implicit) {
            (_, true) => 465,
            (Some(_), false) => 587,
            (None, false) => 25,
        };
        let from = Mailbox::from_str(from).map_err(|_| {
            Error::refused(
                format!("SMTP_FROM '{from}' is no e-mail address"),
                "Set it to an address such as backup@example.org or Backup <backup@example.org>.",
            )
        })?;
        Ok(Self {
            host,
            port: parsed.port().unwrap_or(default_port),
            encryption,
            credentials,
            from,
            ca_file,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<SmtpSettings, Error> {
        SmtpSettings::parse(&SecretString::from(url), "備份 <backup@example.org>", None)
    }

    #[test]
    fn a_url_names_everything() {
        let settings = of("smtp://us%40er:p%2Fw%3A%E5%AF%86@mail.example:2525").unwrap();
        assert_eq!((settings.host.as_str(), settings.port), ("mail.example", 2525));
        let (user, password) = settings.credentials.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("us@er", "p/w:密"));
        assert_eq!(settings.from.email.to_string(), "backup@example.org");
        assert_eq!(settings.from.name.as_deref(), Some("備份"));
        assert!(!format!("{settings:?}").contains("p/w"), "{settings:?}");
        assert_eq!(of("smtp://[::1]:26/").unwrap().host, "::1");
    }

    #[test]
    fn ports_and_encryption_follow_from_what_is_given() {
        use Encryption::{Implicit, Required, WhenOffered};
        for (url, port, encryption) in [
            ("smtps://mail.example", 465, Implicit),
            ("smtps://u:p@mail.example", 465, Implicit),
            ("smtp://u:p@mail.example", 587, Required),
            ("smtp://u:p@192.0.2.1", 587, Required),
            ("smtp://mail.example", 25, WhenOffered),
            ("smtp://u:p@localhost", 587, WhenOffered),
            ("smtp://u:p@127.0.0.1", 587, WhenOffered),
            ("smtp://u:p@[::1]", 587, WhenOffered),
            ("smtp://u:p@localhost.example", 587, Required),
        ] {
            let settings = of(url).unwrap();
            assert_eq!((settings.port, settings.encryption), (port, encryption), "{url}");
        }
    }

    #[test]
    fn bad_settings_are_refused_without_the_password() {
        for url in [
            "hunter2",
            "https://u:hunter2@mail.example",
            "smtp://u:hunter2%zz@mail.example",
            "smtp://u:hunter2@mail.example/path",
            "smtp://u:hunter2@mail.example?tls=no",
            "smtp://u:25#hunter2@mail.example",
            "smtp://u:pa/hunter2@mail.example",
            "smtp://:hunter2@mail.example",
            "smtp://hunter2@mail.example",
            "smtp://u:hunter2@",
            "smtp:hunter2",
        ] {
            let error = of(url).unwrap_err();
            assert!(matches!(error, Error::Refused(_)), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        for from in [
            "",
            "backup",
            "a@example.org, b@example.org",
            "a@example.org\r\nBcc: b@example.org",
        ] {
            let error = SmtpSettings::parse(&SecretString::from("smtp://mail.example"), from, None);
            assert!(matches!(error, Err(Error::Refused(_))), "{from:?}");
        }
    }
}
