//! Where a storage URL leads.

use url::Url;

use crate::connection_string::{account_name, http_url};
use crate::error::{At, Error};
use crate::path;
use crate::settings::StorageSettings;

pub(super) const ACCEPTED: &str =
    "Use file://PATH, az://CONTAINER/PREFIX?account=NAME&endpoint=URL, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX.";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    Azure,
    S3,
    Gcs,
}

/// Where the URL leads.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) provider: Provider,
    pub(super) bucket: String,
    pub(super) prefix: String,
    pub(super) account: Option<String>,
    pub(super) endpoint: Option<String>,
}

impl Place {
    pub(super) fn of(settings: &StorageSettings) -> Result<Self, Error> {
        let at = At::whole("storage URL", "use");
        if settings.connection_string.is_some() && !settings.url.starts_with("az://") {
            if settings.url.starts_with("s3://") || settings.url.starts_with("gs://") {
                return Err(at.refused(
                    "both an Azure connection string and another provider's URL are given",
                    "Remove AZURE_STORAGE_CONNECTION_STRING, or the BACKUP_STORAGE_URL.",
                ));
            }
            return Ok(Self {
                provider: Provider::Azure,
                bucket: container_name(at, &settings.container)?,
                prefix: String::new(),
                account: None,
                endpoint: None,
            });
        }
        let url = Url::parse(&settings.url).map_err(|error| at.refused(error, ACCEPTED))?;
        let provider = match url.scheme() {
            "az" => Provider::Azure,
            "s3" => Provider::S3,
            "gs" => Provider::Gcs,
            other => return Err(at.refused(format_args!("the scheme {other}:// is not known"), ACCEPTED)),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(at.refused(
                "it holds a user or a password",
                "Give credentials by the environment, never in the URL.",
            ));
        }
        let bucket = match (url.host_str().unwrap_or_default(), provider) {
            ("", Provider::Azure) => container_name(at, &settings.container)?,
            ("", _) => return Err(at.refused("it names no bucket", ACCEPTED)),
            (host, Provider::Azure) => container_name(at, host)?,
            (host, _) => host.to_owned(),
        };
        let prefix = url.path().trim_matches('/');
        if !prefix.is_empty() {
            path::check(at, prefix)?;
        }
        let mut place = Self {
            provider,
            bucket,
            prefix: if prefix.is_empty() {
                String::new()
            } else {
                format!("{prefix}/")
            },
            account: None,
            endpoint: None,
        };
        for (name, value) in url.query_pairs() {
            let (slot, read) = match (name.as_ref(), provider) {
                ("account", Provider::Azure) => (&mut place.account, account_name("account", &value)),
                ("endpoint", Provider::Azure) => (&mut place.endpoint, http_url("endpoint", &value)),
                _ => return Err(at.refused("it has a parameter that is not known", ACCEPTED)),
            };
            let value = read.map_err(|reason| at.refused(reason, ACCEPTED))?;
            if slot.replace(value).is_some() {
                return Err(at.refused(format_args!("{name} is given twice"), ACCEPTED));
            }
        }
        Ok(place)
    }

    pub(super) fn below(&self) -> String {
        match self.prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!(" below {prefix}"),
        }
    }
}

fn container_name(at: At<'_>, name: &str) -> Result<String, Error> {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let ends = name.starts_with('-') || name.ends_with('-') || name.contains("--");
    if (3..=63).contains(&name.len()) && plain && !ends {
        return Ok(name.to_owned());
    }
    Err(at.refused(
        format_args!("'{name}' is no name for an Azure container"),
        "Use 3 to 63 lower-case letters, digits and single hyphens.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Place, Error> {
        Place::of(&StorageSettings::new(url))
    }

    #[test]
    fn an_account_is_a_name_and_no_piece_of_an_address() {
        for name in [
            "evil.example/x",
            "evil.example%2Fx",
            "evil.example%23",
            "evil.example?x",
            "a@evil.example",
            "evil.example:443",
            "",
        ] {
            let error = of(&format!("az://backups?account={name}")).unwrap_err().to_string();
            assert!(error.contains("account is not made of"), "{name}: {error}");
        }
        let place = of("az://backups?account=acct&endpoint=https://box.example/").unwrap();
        assert_eq!(
            (place.account.as_deref(), place.endpoint.as_deref()),
            (Some("acct"), Some("https://box.example"))
        );
    }

    #[test]
    fn a_parameter_that_is_given_twice_is_refused() {
        for (query, name) in [
            ("account=a&account=b", "account"),
            (
                "endpoint=https://good.example&endpoint=https://evil.example",
                "endpoint",
            ),
            (
                "endpoint=https://good.example&end%70oint=https://good.example",
                "endpoint",
            ),
        ] {
            let error = of(&format!("az://backups?{query}")).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is given twice")), "{error}");
        }
    }
}
