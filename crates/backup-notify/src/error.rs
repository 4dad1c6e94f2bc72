//! The one error of this crate. Its variants say what the caller can do; each has a hint, and none ever holds a password or
//! a webhook's address.

use std::fmt;
use std::time::Duration;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a message could not be sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot work as it is set up (settings, credentials, certificates, the sender): a person has to act.
    #[error("{0}")]
    Refused(#[source] Box<Detail>),
    /// The server cannot be reached, does not answer or wants to be asked again later: trying again may help.
    #[error("{0}")]
    Unavailable(#[source] Box<Detail>),
    /// The server will not take the message, for the addresses of [`Self::undelivered`] or for anybody: a person has to act.
    #[error("{0}")]
    Rejected(#[source] Box<Detail>),
    /// Anything else; the message names what failed.
    #[error("{0}")]
    Failed(#[source] Box<Detail>),
}

/// What all errors carry.
#[derive(Debug)]
pub struct Detail {
    message: String,
    hint: &'static str,
    undelivered: Vec<String>,
    retry_after: Option<Duration>,
    source: Option<Cause>,
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (HINT: {})", self.message, self.hint)
    }
}

impl std::error::Error for Detail {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// `message`: what is wrong, lower case, no full stop. `hint`: what to do, a sentence. Neither holds a secret.
impl Error {
    pub(crate) fn refused(message: impl Into<String>, hint: &'static str) -> Self {
        Self::Refused(Box::new(Detail::new(message, hint)))
    }

    pub(crate) fn unavailable(message: impl Into<String>, hint: &'static str) -> Self {
        Self::Unavailable(Box::new(Detail::new(message, hint)))
    }

    pub(crate) fn rejected(message: impl Into<String>, hint: &'static str) -> Self {
        Self::Rejected(Box::new(Detail::new(message, hint)))
    }

    pub(crate) fn failed(message: impl Into<String>, hint: &'static str) -> Self {
        Self::Failed(Box::new(Detail::new(message, hint)))
    }

    /// The same error, with what brought it about, which must hold no secret either.
    pub(crate) fn because(mut self, source: impl Into<Cause>) -> Self {
        self.detail_mut().source = Some(source.into());
        self
    }

    /// The same error, with those who did not get the message.
    pub(crate) fn without(mut self, undelivered: Vec<String>) -> Self {
        self.detail_mut().undelivered = undelivered;
        self
    }

    /// The same error, with what the server said about when to try again.
    pub(crate) fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.detail_mut().retry_after = retry_after;
        self
    }

    /// What is wrong, without the hint.
    pub fn message(&self) -> &str {
        &self.detail().message
    }

    /// What a person should do, a sentence.
    pub fn hint(&self) -> &'static str {
        self.detail().hint
    }

    /// The addresses that were refused, while the server has taken the message for all others; empty: it has taken it for
    /// nobody.
    pub fn undelivered(&self) -> &[String] {
        &self.detail().undelivered
    }

    /// How long the server wants not to be asked again, where it says so; an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        self.detail().retry_after
    }

    fn detail(&self) -> &Detail {
        match self {
            Self::Refused(detail) | Self::Unavailable(detail) | Self::Rejected(detail) | Self::Failed(detail) => detail,
        }
    }

    fn detail_mut(&mut self) -> &mut Detail {
        match self {
            Self::Refused(detail) | Self::Unavailable(detail) | Self::Rejected(detail) | Self::Failed(detail) => detail,
        }
    }
}

impl Detail {
    fn new(message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            message: message.into(),
            hint,
            undelivered: Vec::new(),
            retry_after: None,
            source: None,
        }
    }
}
