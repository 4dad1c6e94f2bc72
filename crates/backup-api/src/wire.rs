//! The JSON of the API: separate from the domain, so that each can change without the other. Conversion happens here.
//! Fields are camelCase, enums UPPER_SNAKE, times RFC 3339 in UTC, byte counts numbers.

pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod contents;
pub(crate) mod cron;
pub(crate) mod entry;
pub(crate) mod orphan;
pub(crate) mod pause;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod schedule;
pub(crate) mod status;
pub(crate) mod user;
pub(crate) mod webhook;

use backup_core::{JobStatus, Step};
use serde::Serialize;
use utoipa::ToSchema;

use crate::language::Language;

/// An answer that is one sentence.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageBody {
    /// In the caller's language.
    message: String,
}

impl MessageBody {
    pub(crate) fn new(language: Language, key: &str) -> Self {
        Self {
            message: language.say(key, &[]),
        }
    }
}

/// What a job is doing, or how it ended, in a sentence. `kind` is the prefix of the catalogue's keys.
fn step_text(language: Language, kind: &str, status: JobStatus, step: Step) -> String {
    let key = match status {
        JobStatus::Pending => Step::Queued.as_str(),
        JobStatus::InProgress => step.as_str(),
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => status.as_str(),
    };
    language.say(&format!("{kind}.{key}"), &[])
}
