//! The one error that crosses the pipeline traits. Each crate has its own error enum and converts into this one; its
//! variants say what the caller can do.

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a step of a job ended. The `Display` text is one line for people: what happened, then what to do. It never holds
/// a secret.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Somebody asked for the job to stop. Nothing is to be repaired.
    #[error("cancelled on request")]
    Cancelled,
    /// The database, the storage or a disk cannot be reached or does not answer: trying again later may help.
    #[error("{message}{}", hint_text(hint))]
    Unavailable {
        /// What was tried and what came of it, lower case, no full stop.
        message: String,
        /// What a person should do, a sentence; empty where there is nothing to say.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// It cannot work as it is set up (wrong password, missing program, no rights, no space): a person has to act.
    #[error("{message}{}", hint_text(hint))]
    Refused {
        /// What was tried and what came of it, lower case, no full stop.
        message: String,
        /// What a person should do, a sentence.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// Stored bytes are not what was written. Nothing read from them may be used.
    #[error("{message}{}", hint_text(hint))]
    Integrity {
        /// What was found, lower case, no full stop.
        message: String,
        /// What a person should do, a sentence.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// The bytes were made with a key that is not at hand: nobody can say whether they are good, so nothing may be done
    /// to them but to supply the key.
    #[error("{message}{}", hint_text(hint))]
    WrongKey {
        /// What was found, lower case, no full stop; names the key by its fingerprint.
        message: String,
        /// What a person should do, a sentence.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// What was asked for does not exist.
    #[error("{message}{}", hint_text(hint))]
    NotFound {
        /// What is missing, lower case, no full stop.
        message: String,
        /// What a person should do, a sentence.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
    /// Anything else; the message names what failed.
    #[error("{message}{}", hint_text(hint))]
    Failed {
        /// What failed, lower case, no full stop.
        message: String,
        /// What a person should do, a sentence; empty where there is nothing to say.
        hint: String,
        /// What lies beneath.
        #[source]
        source: Option<Cause>,
    },
}

fn hint_text(hint: &str) -> String {
    if hint.is_empty() {
        String::new()
    } else {
        format!(" (HINT: {hint})")
    }
}

macro_rules! constructors {
    ($($(#[$meta:meta])* $function:ident => $variant:ident,)+) => {$(
        $(#[$meta])*
        pub fn $function(message: impl Into<String>, hint: impl Into<String>) -> Self {
            Self::$variant { message: message.into(), hint: hint.into(), source: None }
        }
    )+};
}

impl PipelineError {
    constructors! {
        /// [`Self::Unavailable`] with this message and hint.
        unavailable => Unavailable,
        /// [`Self::Refused`] with this message and hint.
        refused => Refused,
        /// [`Self::Integrity`] with this message and hint.
        integrity => Integrity,
        /// [`Self::WrongKey`] with this message and hint.
        wrong_key => WrongKey,
        /// [`Self::NotFound`] with this message and hint.
        not_found => NotFound,
        /// [`Self::Failed`] with this message and hint.
        failed => Failed,
    }

    /// The same error with what lies beneath it.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        match &mut self {
            Self::Cancelled => {}
            Self::Unavailable { source, .. }
            | Self::Refused { source, .. }
            | Self::Integrity { source, .. }
            | Self::WrongKey { source, .. }
            | Self::NotFound { source, .. }
            | Self::Failed { source, .. } => *source = Some(cause.into()),
        }
        self
    }

    /// The error with everything beneath it, on one line: for a job's `errorMessage` and for logs.
    pub fn full_text(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            let line = cause.to_string();
            if !text.contains(&line) {
                text.push_str(": ");
                text.push_str(&line);
            }
            next = cause.source();
        }
        text
    }
}
