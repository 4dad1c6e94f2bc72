//! The one error of this crate. Its variants say what the caller can do; each names the store, the path and a hint, and
//! none ever holds a key or a signature.

use std::fmt;
use std::io;
use std::sync::Arc;

use backup_core::{Outage, PipelineError};

/// Shared, since several may be told of one failure.
pub(crate) type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why an operation on the storage failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such blob.
    #[error("{0}")]
    NotFound(#[source] Box<Detail>),
    /// The blob is there already, and it is never replaced.
    #[error("{0}")]
    AlreadyExists(#[source] Box<Detail>),
    /// The store cannot be reached or does not answer: trying again later may help.
    #[error("{0}")]
    Unavailable(#[source] Box<Detail>),
    /// The store no longer has what was uploaded so far: the whole upload must start again.
    #[error("{0}")]
    UploadLost(#[source] Box<Detail>),
    /// It cannot work as it is set up (settings, rights, a missing container): a person has to act.
    #[error("{0}")]
    Refused(#[source] Box<Detail>),
    /// The store is full. What was being written is gone again.
    #[error("{0}")]
    NoSpace(#[source] Box<Detail>),
    /// What stands there is larger than anything of ours: it is somebody else's, or was exchanged.
    #[error("{0}")]
    TooLarge(#[source] Box<Detail>),
    /// Anything else; the message names what failed.
    #[error("{0}")]
    Failed(#[source] Box<Detail>),
}

/// What all errors carry.
#[derive(Debug, Clone)]
pub struct Detail {
    store: String,
    path: Option<String>,
    message: String,
    hint: String,
    outage: Outage,
    source: Option<Cause>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, " (HINT: {})", self.hint)
        }
    }
}

impl std::error::Error for Detail {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl Error {
    /// What it carries.
    pub fn detail(&self) -> &Detail {
        match self {
            Self::NotFound(detail)
            | Self::AlreadyExists(detail)
            | Self::Unavailable(detail)
            | Self::UploadLost(detail)
            | Self::Refused(detail)
            | Self::NoSpace(detail)
            | Self::TooLarge(detail)
            | Self::Failed(detail) => detail,
        }
    }

    /// The store it happened in, as [`crate::BlobStore::describe`] says it.
    pub fn store(&self) -> &str {
        &self.detail().store
    }

    /// The blob it happened to, where it was one.
    pub fn path(&self) -> Option<&str> {
        self.detail().path.as_deref()
    }

    /// What a person should do, a sentence; empty where there is nothing to say.
    pub fn hint(&self) -> &str {
        &self.detail().hint
    }

    /// How the store is away, where that is what this tells.
    pub fn outage(&self) -> Outage {
        self.detail().outage
    }

    /// The same, of a store that is away like this.
    pub(crate) fn away(mut self, outage: Outage) -> Self {
        let (Self::NotFound(detail)
        | Self::AlreadyExists(detail)
        | Self::Unavailable(detail)
        | Self::UploadLost(detail)
        | Self::Refused(detail)
        | Self::NoSpace(detail)
        | Self::TooLarge(detail)
        | Self::Failed(detail)) = &mut self;
        detail.outage = outage;
        self
    }
}

impl From<Error> for PipelineError {
    fn from(error: Error) -> Self {
        let make = match &error {
            Error::NotFound(_) => Self::not_found,
            Error::Unavailable(_) | Error::UploadLost(_) => Self::unavailable,
            Error::Refused(_) | Error::NoSpace(_) => Self::refused,
            Error::TooLarge(_) => Self::integrity,
            Error::AlreadyExists(_) | Error::Failed(_) => Self::failed,
        };
        let (Error::NotFound(detail)
        | Error::AlreadyExists(detail)
        | Error::Unavailable(detail)
        | Error::UploadLost(detail)
        | Error::Refused(detail)
        | Error::NoSpace(detail)
        | Error::TooLarge(detail)
        | Error::Failed(detail)) = error;
        let converted: Self = make(detail.message, detail.hint);
        match detail.source {
            Some(source) => converted.because(source),
            None => converted,
        }
    }
}

/// What was being done where: the beginning of every message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) store: &'a str,
    pub(crate) path: Option<&'a str>,
    pub(crate) action: &'static str,
}

macro_rules! kinds {
    ($($function:ident => $variant:ident,)+) => {$(
        pub(crate) fn $function(self, reason: impl fmt::Display, hint: impl Into<String>) -> Error {
            Error::$variant(Box::new(self.detail(reason, hint.into(), None)))
        }
    )+};
}

impl<'a> At<'a> {
    pub(crate) fn new(store: &'a str, action: &'static str, path: &'a str) -> Self {
        Self {
            store,
            path: Some(path),
            action,
        }
    }

    pub(crate) fn whole(store: &'a str, action: &'static str) -> Self {
        Self {
            store,
            path: None,
            action,
        }
    }

    kinds! {
        not_found => NotFound,
        already_exists => AlreadyExists,
        unavailable => Unavailable,
        upload_lost => UploadLost,
        refused => Refused,
        no_space => NoSpace,
        too_large => TooLarge,
        failed => Failed,
    }

    fn detail(self, reason: impl fmt::Display, hint: String, source: Option<Cause>) -> Detail {
        let path = self.path.map(|path| format!(" {path}")).unwrap_or_default();
        Detail {
            store: self.store.to_owned(),
            path: self.path.map(str::to_owned),
            message: format!("{}: cannot {}{path}: {reason}", self.store, self.action),
            hint,
            outage: Outage::Failed,
            source,
        }
    }

    /// The error for what the file system said.
    pub(crate) fn io(self, error: io::Error) -> Error {
        use io::ErrorKind::{
            AlreadyExists, FileTooLarge, IsADirectory, NotADirectory, NotFound, PermissionDenied, QuotaExceeded,
            ReadOnlyFilesystem, StaleNetworkFileHandle, StorageFull, TimedOut,
        };
        let (make, hint): (fn(Box<Detail>) -> Error, &str) = match error.kind() {
            NotFound => (Error::NotFound, ""),
            AlreadyExists => (Error::AlreadyExists, "Blobs are never replaced: delete it first."),
            StorageFull | QuotaExceeded | FileTooLarge => (
                Error::NoSpace,
                "Free some space, raise the limit, or shorten the retention; what was being written is removed.",
            ),
            PermissionDenied => (
                Error::Refused,
                "Give the user that this program runs as the right to read and write this folder.",
            ),
            ReadOnlyFilesystem => (
                Error::Refused,
                "Mount the file system read-write, or choose another folder.",
            ),
            NotADirectory | IsADirectory => (
                Error::Refused,
                "Move away what stands in the way, or choose another folder.",
            ),
            TimedOut | StaleNetworkFileHandle => (Error::Unavailable, "Check that the disk or network share is there."),
            _ => (Error::Failed, "Check the disk and the system's log."),
        };
        let reason = reason_of(&error);
        make(Box::new(self.detail(reason, hint.to_owned(), Some(Arc::new(error)))))
    }
}

// The system's own words, without its "(os error 28)".
fn reason_of(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_space_and_keeps_hint_and_path() {
        let error = At::new("folder /x", "write", "2026/11-23/a.tar.gz").io(io::ErrorKind::StorageFull.into());
        assert!(matches!(error, Error::NoSpace(_)));
        assert_eq!(error.path(), Some("2026/11-23/a.tar.gz"));
        let text = PipelineError::from(error).to_string();
        assert!(
            text.starts_with("folder /x: cannot write 2026/11-23/a.tar.gz: no storage space"),
            "{text}"
        );
        assert!(text.contains("HINT: Free some space"), "{text}");
    }

    #[test]
    fn what_may_pass_is_told_from_what_a_person_must_settle() {
        let at = At::whole("folder /x", "list");
        assert!(matches!(
            at.unavailable("gone", "").into(),
            PipelineError::Unavailable { .. }
        ));
        assert!(matches!(
            at.upload_lost("gone", "").into(),
            PipelineError::Unavailable { .. }
        ));
        assert!(matches!(
            at.refused("no rights", "").into(),
            PipelineError::Refused { .. }
        ));
        assert!(matches!(
            at.not_found("gone", "").into(),
            PipelineError::NotFound { .. }
        ));
    }
}
