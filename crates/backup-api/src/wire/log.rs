//! The log of a job on the wire.

use backup_core::{JobLog, LogLevel, LogLine};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::types;

/// A line of a job's log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLine)]
pub(crate) struct LogLineBody {
    at: DateTime<Utc>,
    #[schema(value_type = types::LogLevel)]
    level: LogLevel,
    /// One line for people, in English.
    text: String,
}

impl LogLineBody {
    /// The lines of a log, oldest first.
    pub(crate) fn all(log: JobLog) -> Vec<Self> {
        log.into_lines().into_iter().map(Self::from).collect()
    }
}

impl From<LogLine> for LogLineBody {
    fn from(line: LogLine) -> Self {
        let LogLine { at, level, text } = line;
        Self { at, level, text }
    }
}
