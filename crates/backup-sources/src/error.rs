//! Why a source or a target could not do its work.
//!
//! Policy: functions of this crate return [`Error`]; it becomes a [`PipelineError`] where it crosses the pipeline traits.
//! Messages are lower case without a full stop, hints are sentences. Output of child processes is scrubbed of the
//! password before it gets here, so no variant can hold a secret.

use std::io;
use std::path::PathBuf;

use backup_core::PipelineError;
use backup_core::restore::Refusal;

/// Why a source or a target could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached or does not answer; trying again later may help.
    #[error("{message}")]
    Unavailable {
        /// What was tried and what came of it.
        message: String,
        /// What a person should do.
        hint: String,
    },
    /// It cannot work as it is set up; a person has to act.
    #[error("{message}")]
    Refused {
        /// What was found.
        message: String,
        /// What a person should do.
        hint: String,
    },
    /// What came out of the archive, or what a restore made of it, is not what the backup recorded.
    #[error("{message}")]
    Mismatch {
        /// What was found.
        message: String,
        /// What a person should do.
        hint: String,
    },
    /// A program or the server ended the work with an error of its own.
    #[error("{message}")]
    Failed {
        /// What failed, and the program's own words.
        message: String,
        /// What a person should do; empty where there is nothing to say.
        hint: String,
    },
    /// The server refused what a dump holds, for a reason that lies in the dump as far as one can tell.
    #[error("{message}")]
    Unrestorable {
        /// The program's own words.
        message: String,
        /// What a person should do.
        hint: String,
    },
    /// The file system refused something.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, a verb phrase.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The archive, the storage or the job control ended it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl Error {
    pub(crate) fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unavailable {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn mismatch(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Mismatch {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source: source.into(),
        }
    }

    /// An error of reading an entry's content: the archive's own error where it holds one.
    pub(crate) fn content(path: impl Into<PathBuf>, error: io::Error) -> Self {
        match error.downcast::<PipelineError>() {
            Ok(pipeline) => Self::Pipeline(pipeline),
            Err(error) => Self::io("read the archived content of", path, error),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.message, refusal.hint)
    }
}

impl From<Error> for PipelineError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unavailable { message, hint } => Self::unavailable(message, hint),
            Error::Refused { message, hint } => Self::refused(message, hint),
            Error::Mismatch { message, hint } => Self::integrity(message, hint),
            Error::Failed { message, hint } | Error::Unrestorable { message, hint } => Self::failed(message, hint),
            Error::Pipeline(error) => error,
            Error::Io { ref source, .. } => {
                let hint = io_hint(source);
                let message = format!("{error}: {source}");
                let made = match source.kind() {
                    io::ErrorKind::PermissionDenied
                    | io::ErrorKind::StorageFull
                    | io::ErrorKind::ReadOnlyFilesystem => Self::refused(message, hint),
                    _ => Self::failed(message, hint),
                };
                made.because(error)
            }
        }
    }
}

fn io_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "Give the user that this program runs as the rights to it.",
        io::ErrorKind::StorageFull => "Make room on the disk.",
        io::ErrorKind::ReadOnlyFilesystem => "Choose a place that can be written.",
        _ => "",
    }
}
