//! The JSON of the API: separate from the domain, so that each can change without the other. Conversion happens here.
//! Fields are camelCase, enums UPPER_SNAKE, times RFC 3339 in UTC, byte counts numbers.

pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod contents;
pub(crate) mod cron;
pub(crate) mod entry;
pub(crate) mod log;
pub(crate) mod orphan;
pub(crate) mod pause;
pub(crate) mod restore;
pub(crate) mod retention;
pub(crate) mod schedule;
pub(crate) mod status;
pub(crate) mod step;
pub(crate) mod user;
pub(crate) mod webhook;

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
