//! How a server or a folder that is needed is away.

use std::fmt;

/// What came of asking for it. Reads on after its name: `the storage` and then this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Its machine answers, and nothing listens there.
    Refused,
    /// Its host, its container or its folder cannot be found.
    NotFound,
    /// It does not answer in time.
    Silent,
    /// Anything else.
    Failed,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refuses the connection",
            Self::NotFound => "cannot be found",
            Self::Silent => "does not answer",
            Self::Failed => "cannot be used",
        })
    }
}
