//! What can go wrong with keys, and the messages about archives that cannot be trusted.

use std::fmt::Display;
use std::io;

use backup_core::PipelineError;

/// Why a key could not be made or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The crypto library failed.
    #[error("the crypto library failed")]
    Crypto(#[from] openssl::error::ErrorStack),
    /// The system's randomness cannot be read, so nothing secret may be made.
    #[error("cannot read random bytes")]
    Random(#[source] io::Error),
    /// No key is made from an empty passphrase.
    #[error("the passphrase is empty (HINT: Set the encryption passphrase.)")]
    EmptyPassphrase,
    /// A sealed text does not open: damaged, or sealed under another key.
    #[error("the sealed text is damaged or was sealed with another key (HINT: Check the encryption passphrase.)")]
    Sealed,
}

impl From<Error> for PipelineError {
    fn from(error: Error) -> Self {
        match error {
            Error::Crypto(_) | Error::Random(_) => Self::failed(error.to_string(), "").because(error),
            Error::EmptyPassphrase => Self::refused("the passphrase is empty", "Set the encryption passphrase."),
            Error::Sealed => Self::integrity(
                "the sealed text is damaged or was sealed with another key",
                "Check the encryption passphrase.",
            ),
        }
    }
}

/// The crypto library failed while an archive was written or read.
pub(crate) fn crypto(error: openssl::error::ErrorStack) -> PipelineError {
    Error::Crypto(error).into()
}

/// Stored bytes are not what was written; `place` says where.
pub(crate) fn damaged(place: impl Display) -> PipelineError {
    PipelineError::integrity(
        format!("the archive is damaged: {place}"),
        "Do not use it; take another copy or another backup.",
    )
}

/// The stored file has not the length that its seal names.
pub(crate) fn wrong_size(found: u64, sealed: u64) -> PipelineError {
    let what = if found < sealed {
        "truncated"
    } else {
        "longer than it was written"
    };
    PipelineError::integrity(
        format!("the archive is {what}: it has {found} bytes, its receipt says {sealed}"),
        "Do not use it; take another copy or another backup.",
    )
}

/// The key that `what` was made with is not at hand.
pub(crate) fn wrong_key(what: &str, needed: &str, have: &str) -> PipelineError {
    // It may come from a file that nobody vouches for.
    let needed: String = needed.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    PipelineError::wrong_key(
        format!("{what} was made with another key, {needed}; at hand are {have}"),
        "Set BACKUP_ENCRYPTION_KEY, or BACKUP_ENCRYPTION_KEY_PREVIOUS, to the passphrase of that time.",
    )
}

/// The archive was made with another key than its seal says.
pub(crate) fn another_key(found: &str, sealed: &str) -> PipelineError {
    PipelineError::integrity(
        format!("the archive was made with key {found}, its receipt says {sealed}"),
        "The file or its receipt was swapped; put the right one back or use another backup.",
    )
}

/// The file is an archive, but not the one that was asked for.
pub(crate) fn another_archive(found: &[u8; 16], expected: &[u8; 16]) -> PipelineError {
    PipelineError::integrity(
        format!(
            "this is another archive: the file says {}, expected was {}",
            hex::encode(found),
            hex::encode(expected)
        ),
        "The file or its receipt was swapped; put the right one back or use another backup.",
    )
}

/// A newer program wrote the archive.
pub(crate) fn unsupported(version: u32) -> PipelineError {
    PipelineError::integrity(
        format!("archive format version {version} is not supported, this program reads version 1"),
        "Use a newer version of the program.",
    )
}

/// The content stands in an archive that was not handed to the reader.
pub(crate) fn not_at_hand(archive_id: &[u8; 16]) -> PipelineError {
    PipelineError::refused(
        format!(
            "the content stands in archive {}, which is not at hand",
            hex::encode(archive_id)
        ),
        "Open the backups that this one builds on too.",
    )
}

/// The same error, as one of an archive that the one that is read builds on.
pub(crate) fn in_base(archive_id: &[u8; 16], mut error: PipelineError) -> PipelineError {
    match &mut error {
        PipelineError::Cancelled => {}
        PipelineError::Unavailable { message, .. }
        | PipelineError::Refused { message, .. }
        | PipelineError::Integrity { message, .. }
        | PipelineError::WrongKey { message, .. }
        | PipelineError::NotFound { message, .. }
        | PipelineError::Failed { message, .. } => {
            *message = format!(
                "in archive {}, on which this one builds: {message}",
                hex::encode(archive_id)
            );
        }
    }
    error
}

/// The same error once more, for a second one who waits for what failed. What lies beneath it is told by the first.
pub(crate) fn again(error: &PipelineError) -> PipelineError {
    match error {
        PipelineError::Cancelled => PipelineError::Cancelled,
        PipelineError::Unavailable { message, hint, .. } => PipelineError::unavailable(message, hint),
        PipelineError::Refused { message, hint, .. } => PipelineError::refused(message, hint),
        PipelineError::Integrity { message, hint, .. } => PipelineError::integrity(message, hint),
        PipelineError::WrongKey { message, hint, .. } => PipelineError::wrong_key(message, hint),
        PipelineError::NotFound { message, hint, .. } => PipelineError::not_found(message, hint),
        PipelineError::Failed { message, hint, .. } => PipelineError::failed(message, hint),
    }
}

/// A writer or reader that has failed before was used again.
pub(crate) fn failed_before(what: &str) -> PipelineError {
    PipelineError::failed(format!("the archive's {what} has failed before"), "")
}

/// The pipeline error that an I/O error carries, or a failure that says what was done.
pub(crate) fn from_io(error: io::Error, doing: impl Display) -> PipelineError {
    match error.downcast::<PipelineError>() {
        Ok(inner) => inner,
        Err(error) => PipelineError::failed(format!("cannot {doing}: {error}"), "").because(error),
    }
}
