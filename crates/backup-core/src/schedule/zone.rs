//! Time zones by their IANA names.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::cron::CronError;
use super::cron::error::excerpt;

/// A time zone by its IANA name. Its rules are compiled in, so they do not depend on the machine.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

/// At which instants a zone's clock shows a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// At this one.
    Once(DateTime<Utc>),
    /// At both, since the clock was put back in between.
    Twice(DateTime<Utc>, DateTime<Utc>),
    /// At none, since the clock was put forward over it: from `from` to `to` (exclusive), at the instant `at`.
    Never {
        /// The first time that is not shown.
        from: NaiveDateTime,
        /// The first time that is shown again.
        to: NaiveDateTime,
        /// When the clock was put forward.
        at: DateTime<Utc>,
    },
}

impl Zone {
    /// Coordinated Universal Time, in which no clock is ever put forward or back.
    pub const UTC: Self = Self(Tz::UTC);

    /// Its IANA name.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the zone's clock shows at an instant. At the ends of what chrono can express, UTC.
    pub fn local(self, at: DateTime<Utc>) -> NaiveDateTime {
        let naive = at.naive_utc();
        naive.checked_add_signed(self.offset(at)).unwrap_or(naive)
    }

    /// How far the zone's clock is ahead of UTC at an instant.
    pub(crate) fn offset(self, at: DateTime<Utc>) -> TimeDelta {
        let offset = self.0.offset_from_utc_datetime(&at.naive_utc()).fix();
        TimeDelta::seconds(offset.local_minus_utc().into())
    }

    /// When the zone's clock shows `local`; `None` at the ends of what chrono can express.
    pub(super) fn shown(self, local: NaiveDateTime) -> Option<Shown> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => Some(Shown::Once(at.to_utc())),
            MappedLocalTime::Ambiguous(first, second) => Some(Shown::Twice(first.to_utc(), second.to_utc())),
            MappedLocalTime::None => {
                let gap = GapInfo::new(&local, &self.0)?;
                let (from, end) = (gap.begin?.0, gap.end?);
                Some(Shown::Never {
                    from,
                    to: end.naive_local(),
                    at: end.to_utc(),
                })
            }
        }
    }
}

impl FromStr for Zone {
    type Err = CronError;

    /// The name must be exactly the IANA one, with its capitals and without space around it.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse()
            .map(Self)
            .map_err(|_| CronError::UnknownZone { name: excerpt(name) })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}
