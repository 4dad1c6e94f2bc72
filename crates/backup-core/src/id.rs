//! Identifiers: UUIDv7 text, made in the program and never by the database.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Clock, Random};

/// The text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an identifier: expected a UUID")]
pub struct ParseIdError(String);

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// The identifier's 16 bytes.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The identifier of these 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.hyphenated(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                // Only the hyphenated form: one id has one text, in URLs, file names and the catalog.
                if text.len() != 36 {
                    return Err(ParseIdError(text.chars().take(64).collect()));
                }
                Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }
    )+};
}

ids! {
    /// A backup.
    BackupId,
    /// A schedule.
    ScheduleId,
    /// A restore.
    RestoreId,
    /// A verification of a backup.
    VerificationId,
    /// A user.
    UserId,
    /// A log-in session.
    SessionId,
    /// An API token.
    TokenId,
    /// An alert.
    AlertId,
    /// A row of the audit log.
    AuditId,
    /// A sample of the storage's usage.
    UsageId,
    /// A message to people or machines.
    NotificationId,
    /// A backup's being read by a download.
    ReadingId,
}

/// Makes identifiers from a clock and a source of randomness: time-ordered (UUIDv7, RFC 9562), so that they sort by
/// creation. Those of one generator and its clones ascend, also within a millisecond and when the clock is set back.
#[derive(Clone)]
pub struct IdGenerator {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    last: Arc<Mutex<u128>>,
}

impl IdGenerator {
    /// A generator on this clock and this randomness.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            clock,
            random,
            last: Arc::default(),
        }
    }

    /// A new identifier.
    ///
    /// # Errors
    /// When the randomness cannot be read.
    pub fn next<Id: From<Uuid>>(&self) -> std::io::Result<Id> {
        let mut random = [0; 10];
        self.random.fill(&mut random)?;
        let millis = u64::try_from(self.clock.now().timestamp_millis()).unwrap_or(0);
        let drawn = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = drawn.as_u128().max(*last + 1);
        Ok(Id::from(Uuid::from_u128(*last)))
    }
}

impl fmt::Debug for IdGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdGenerator")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, OsRandom};
    use chrono::{DateTime, TimeDelta};

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let clock = Arc::new(ManualClock::new(DateTime::from_timestamp(1_800_000_000, 0).unwrap()));
        let ids = IdGenerator::new(clock.clone(), Arc::new(OsRandom));
        let first: BackupId = ids.next().unwrap();
        clock.advance(TimeDelta::milliseconds(1));
        let second: BackupId = ids.next().unwrap();
        clock.advance(TimeDelta::milliseconds(-5));
        let many: Vec<BackupId> = (0..100).map(|_| ids.clone().next().unwrap()).collect();
        assert!(many.is_sorted() && second < many[0]);
        assert!(first < second && first.to_string() < second.to_string());
        assert_eq!(first.to_string().parse(), Ok(first));
    }

    #[test]
    fn one_id_has_one_text() {
        for text in [
            "",
            "x",
            "{0198c1d2-0000-7000-8000-000000000000}",
            "0198c1d2000070008000000000000000",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
