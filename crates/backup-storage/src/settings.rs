//! Which store, and how patient to be with it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// Everything that is needed to open a [`crate::BlobStore`].
#[derive(Clone)]
pub struct StorageSettings {
    /// `file://PATH` or a plain path; `az://CONTAINER/PREFIX?account=NAME&endpoint=URL`, `s3://BUCKET/PREFIX`,
    /// `gs://BUCKET/PREFIX`. The path after `file://` is taken as it is, relative ones too, without percent-decoding.
    pub url: String,
    /// An Azure connection string. When given, the store is Azure: the container of an `az://` URL, else
    /// [`Self::container`].
    pub connection_string: Option<SecretString>,
    /// Azure container where the URL names none.
    pub container: String,
    /// How long a transfer may be silent before it fails.
    pub stall_timeout: Duration,
    /// How long opening the store may go on trying, and how long it may be silent to whoever waits for an answer: when it is
    /// opened or probed, and through [`crate::BlobStore::impatient`]. What fails at once is tried again there for a quarter
    /// of that time.
    pub open_timeout: Duration,
    /// Bytes of an upload that may be on their way at once, beside the part that is being filled. Raise it for a store
    /// that is fast but far away. A part that is larger is on its way alone.
    pub upload_memory: usize,
    /// How many parts of an upload may be on their way at once; fewer are on a line that is too slow for so many.
    pub max_in_flight: usize,
    /// The provider's own settings by the names of its environment variables, in lower case (`aws_endpoint`,
    /// `azure_client_id`, `google_service_account`). They win over the environment, which is read as well.
    pub options: Vec<(String, SecretString)>,
}

impl StorageSettings {
    /// The store at `url`, with everything else at its default: container `backups`, 300 s of silence, 10 s to open,
    /// 16 MiB and 20 parts in flight.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connection_string: None,
            container: "backups".to_owned(),
            stall_timeout: Duration::from_mins(5),
            open_timeout: Duration::from_secs(10),
            upload_memory: 16 << 20,
            max_in_flight: 20,
            options: Vec::new(),
        }
    }

    /// The folder, where the store is one.
    pub fn folder(&self) -> Option<PathBuf> {
        if self.connection_string.is_some() {
            return None;
        }
        match self.url.strip_prefix("file://") {
            Some(path) => Some(path.into()),
            None => (!self.url.contains("://")).then(|| self.url.as_str().into()),
        }
    }
}

impl StorageSettings {
    /// The URL without what may stand in it and should not: a login before its host, parameters.
    fn bare_url(&self) -> String {
        let url = self.url.split('?').next().unwrap_or_default();
        match url.split_once("://") {
            Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default()),
            None => url.to_owned(),
        }
    }
}

// By hand: a URL may hold what it should not, a password above all.
impl fmt::Debug for StorageSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("StorageSettings")
            .field("url", &self.bare_url())
            .field("connection_string", &self.connection_string.as_ref().map(|_| "***"))
            .field("container", &self.container)
            .field("stall_timeout", &self.stall_timeout)
            .field("open_timeout", &self.open_timeout)
            .field("upload_memory", &self.upload_memory)
            .field("max_in_flight", &self.max_in_flight)
            .field("options", &options)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_should_not_hold_is_not_shown() {
        for (url, shown) in [
            ("az://user:pass/word@container/a", "az://container/a"),
            ("s3://bucket/a?secret=b", "s3://bucket/a"),
            ("/var/backups", "/var/backups"),
        ] {
            let debug = format!("{:?}", StorageSettings::new(url));
            assert!(debug.contains(&format!("url: \"{shown}\"")), "{debug}");
        }
    }
}
