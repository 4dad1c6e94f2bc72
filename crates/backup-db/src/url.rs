//! The catalog's URL: which database, and how it is named to people without its password.

use std::path::{Path, PathBuf};

use crate::Error;

const ACCEPTED: &str = "Give sqlite://PATH for the embedded catalog, or postgres://USER:PASSWORD@HOST[:PORT][,HOST…]/DATABASE \
                        (special characters percent-encoded) for a PostgreSQL server.";

/// Seconds that one host of a PostgreSQL catalog has to answer a connection.
const CONNECT_TIMEOUT_SECS: u32 = 3;

/// Where the catalog is.
#[derive(Clone)]
pub(crate) enum Target {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server, by a URL that libpq reads.
    Postgres(PostgresUrl),
}

/// A libpq URL. It holds a password, so it has no `Debug` of its own.
#[derive(Clone)]
pub(crate) struct PostgresUrl(String);

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() || path.ends_with('/') || path == ":memory:" {
                return Err(refused("sqlite://", "it names no file"));
            }
            // Absolute, so that SQLite can take no path for one of its own URIs, whatever it is called.
            let path = std::path::absolute(path).map_err(|error| Error::Refused {
                catalog: url.to_owned(),
                reason: error.to_string(),
                hint: ACCEPTED.to_owned(),
                source: Some(error.into()),
            })?;
            return Ok(Self::Sqlite(path));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(PostgresUrl(url.to_owned())));
        }
        // Nothing of what was given is repeated but its scheme: the rest may hold a password.
        let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
        let scheme: String = scheme.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
        Err(refused(&format!("{scheme}://…"), "its URL is none that is understood"))
    }
}

fn refused(catalog: &str, reason: &str) -> Error {
    Error::Refused {
        catalog: catalog.to_owned(),
        reason: reason.to_owned(),
        hint: ACCEPTED.to_owned(),
        source: None,
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", Path::display(path)),
            Self::Postgres(url) => f.write_str(&url.shown()),
        }
    }
}

impl PostgresUrl {
    /// The URL for libpq, with the time-outs that a server which went away needs, unless it names its own.
    pub(crate) fn for_libpq(&self) -> String {
        let mut url = self.0.clone();
        for (key, value) in [
            ("connect_timeout", CONNECT_TIMEOUT_SECS),
            ("tcp_user_timeout", 10_000),
            ("keepalives_idle", 10),
        ] {
            if !url.contains(&format!("{key}=")) {
                url.push(if url.contains('?') { '&' } else { '?' });
                url.extend([key, "=", &value.to_string()]);
            }
        }
        url
    }

    /// The URL with neither password nor parameters.
    fn shown(&self) -> String {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let rest = rest.split('?').next().unwrap_or("");
        let (user, place) = rest.rsplit_once('@').map_or(("", rest), |(user, place)| (user, place));
        let user = user.split(':').next().unwrap_or("");
        if user.is_empty() {
            format!("postgres://{place}")
        } else {
            format!("postgres://{user}@{place}")
        }
    }

    /// `message` without any piece of the password: whole, percent-decoded, or the quoted fragments that libpq repeats when
    /// an unescaped character made it take a part of the password for something else.
    pub(crate) fn redact(&self, message: &str) -> String {
        let secrets = self.secrets();
        let mut text = message.to_owned();
        for secret in &secrets {
            text = text.replace(secret.as_str(), "***");
        }
        let mut shown = String::with_capacity(text.len());
        for (index, piece) in text.split('"').enumerate() {
            if index > 0 {
                shown.push('"');
            }
            let quoted = index % 2 == 1 && !piece.is_empty();
            if quoted && secrets.iter().any(|secret| secret.contains(piece)) {
                shown.push_str("***");
            } else {
                shown.push_str(piece);
            }
        }
        shown
    }

    fn secrets(&self) -> Vec<String> {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let mut secrets = Vec::new();
        if let Some((user, _)) = rest.rsplit_once('@')
            && let Some((_, password)) = user.split_once(':')
        {
            secrets.push(password.to_owned());
        }
        for key in ["password=", "sslpassword="] {
            for (at, _) in rest.match_indices(key) {
                secrets.push(rest[at + key.len()..].split('&').next().unwrap_or("").to_owned());
            }
        }
        let decoded: Vec<String> = secrets.iter().map(|secret| percent_decoded(secret)).collect();
        secrets.extend(decoded);
        secrets.retain(|secret| !secret.is_empty());
        secrets
    }
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| tail.get(..2).and_then(|code| std::str::from_utf8(code).ok()))
            .flatten()
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(code) = code {
            bytes.push(code);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(url: &str) -> PostgresUrl {
        match Target::parse(url).unwrap() {
            Target::Postgres(url) => url,
            Target::Sqlite(_) => panic!("{url} is not a file"),
        }
    }

    #[test]
    fn an_unknown_url_is_refused_with_what_is_accepted_and_no_secret() {
        for url in [
            "mysql://root:hunter2@db/catalog",
            "hunter2",
            "",
            "sqlite://",
            "sqlite:///tmp/",
            "sqlite://:memory:",
        ] {
            let text = Target::parse(url).err().unwrap().to_string();
            assert!(text.contains("sqlite://PATH") && text.contains("postgres://"), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn several_hosts_pass_and_get_time_outs() {
        let url = postgres("postgres://u:p@a:1,b:2/c?target_session_attrs=read-write").for_libpq();
        assert!(
            url.starts_with("postgres://u:p@a:1,b:2/c?target_session_attrs=read-write&connect_timeout=3&"),
            "{url}"
        );
        assert!(
            !postgres("postgres://h/c?connect_timeout=9")
                .for_libpq()
                .contains("connect_timeout=3")
        );
    }

    #[test]
    fn what_people_see_never_holds_the_password() {
        let url = "postgres://app:s3cret%2Fx@db:5432/catalog?password=other";
        assert_eq!(
            Target::parse(url).unwrap().to_string(),
            "postgres://app@db:5432/catalog"
        );
        let seen = postgres(url).redact("with \"s3cret/x\", s3cret%2Fx and other: port \"cret\" of \"db\"");
        assert_eq!(seen, "with \"***\", *** and ***: port \"***\" of \"db\"");
    }
}
