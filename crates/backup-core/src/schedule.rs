//! A schedule: which backup, when, and how long it is kept.

pub mod cron;
mod describe;
mod presets;
mod verification;
mod window;
mod zone;

use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::cron::{CronError, CronExpression, CronField, CronReason, Due};
pub use self::presets::{CRON_PRESETS, CronPreset};
pub use self::verification::{VerifyPolicy, VerifyWhen};
pub use self::window::{StartWindow, WindowError};
pub use self::zone::Zone;
pub use crate::retention::Retention;
use crate::{BackupSource, BackupType, ScheduleId, UserId};

/// A schedule as the catalog knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its identifier.
    pub id: ScheduleId,
    /// The named configuration it belongs to.
    pub config_key: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Whether it fires.
    pub is_enabled: bool,
    /// How much each backup stores.
    pub backup_type: BackupType,
    /// What each backup saves.
    pub backup_source: BackupSource,
    /// When: five fields, minute hour day month weekday.
    pub cron_expression: String,
    /// In which IANA time zone.
    pub timezone: String,
    /// The hours in which its backups may start, in that zone; `None`: all. One that comes outside waits until they begin.
    pub start_window: Option<StartWindow>,
    /// How long each is kept.
    pub retention: Retention,
    /// Which of its backups are verified by themselves.
    pub verification: VerifyPolicy,
    /// How many backups may build on each other before a FULL one is made of the newest; `None`: that is never done. Of no
    /// effect where each backup is FULL.
    pub consolidate_every: Option<u32>,
    /// The next firing, recomputed from the zone.
    pub next_run_at: Option<DateTime<Utc>>,
    /// The last firing.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When its newest good backup ended.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When a backup of it was last found good at the level of [`Self::verification`].
    pub last_verify_passed_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// Who made it.
    pub created_by: Option<UserId>,
}

impl Schedule {
    /// What `consolidate_every` may be.
    pub const CONSOLIDATE_EVERY: RangeInclusive<u32> = 1..=200;

    /// Its expression and zone, read.
    ///
    /// # Errors
    /// What cannot be read of it.
    pub fn timing(&self) -> Result<(CronExpression, Zone), CronError> {
        Ok((CronExpression::parse(&self.cron_expression)?, self.timezone.parse()?))
    }

    /// When a backup that it asks for at `now` may start. At once where its zone cannot be read, since then it does not fire
    /// either.
    pub fn opens_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let (Some(window), Ok(zone)) = (self.start_window, self.timezone.parse()) else {
            return now;
        };
        window.opens_at(now, zone)
    }

    /// Until when a backup should be found good after one was at `since`: when its policy promises, or later where the next one
    /// that the policy takes comes later. `None`: the policy promises nothing.
    pub fn drill_due_by(&self, since: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let promised = since + self.verification.allowed_age()?;
        // One that cannot be read is an alert of its own.
        let next = self
            .timing()
            .ok()
            .and_then(|(cron, zone)| cron.next_after(since + self.verification.rest(), zone));
        let taken = next.map(|at| self.opens_at(at) + DRILL_TIME);
        taken.max(Some(promised))
    }

    /// What its backups are described as.
    pub fn backup_description(&self) -> String {
        format!("排程備份: {}", self.name)
    }
}

/// How long a backup and its verification may take together before anybody is worried.
const DRILL_TIME: TimeDelta = TimeDelta::days(1);

/// The zone of a schedule that names none.
pub const DEFAULT_TIMEZONE: &str = "Asia/Taipei";
