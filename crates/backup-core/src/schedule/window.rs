//! The hours in which a schedule's backups may start.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, DurationRound, NaiveTime, TimeDelta, Timelike, Utc};

use super::Zone;

/// The hours of the day in which a schedule's backups may start, such as `22:00-06:00`: from the first time on, and no longer
/// at the second one. One that begins later than it ends goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StartWindow {
    /// Minutes since midnight.
    from: u32,
    to: u32,
}

/// What is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be two different times of the day, such as 22:00-06:00")]
pub struct WindowError;

/// Longer than any window is closed, also where a clock that is put forward leaves one out.
const LONGEST: i64 = 49 * 60;

impl StartWindow {
    /// When what is asked for at `now` may start, by the clock of `zone`: now, or when the window opens next.
    pub fn opens_at(self, now: DateTime<Utc>, zone: Zone) -> DateTime<Utc> {
        let is_open = |at: &DateTime<Utc>| self.holds(zone.local(*at).time());
        // Minute by minute, since a day of a zone may have any length, and times that come twice or never.
        let begin = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        let minutes = (1..LONGEST).map(|minute| begin + TimeDelta::minutes(minute));
        std::iter::once(now).chain(minutes).find(is_open).unwrap_or(now)
    }

    fn holds(self, time: NaiveTime) -> bool {
        let minute = time.hour() * 60 + time.minute();
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

impl FromStr for StartWindow {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let (from, to) = text.split_once('-').ok_or(WindowError)?;
        let window = Self {
            from: minute(from)?,
            to: minute(to)?,
        };
        if window.from == window.to {
            return Err(WindowError);
        }
        Ok(window)
    }
}

/// Minutes since midnight of `HH:MM`.
fn minute(text: &str) -> Result<u32, WindowError> {
    let (hour, minute) = text.split_once(':').ok_or(WindowError)?;
    let number = |digits: &str, end: u32| {
        let is_plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse::<u32>().ok().filter(|number| is_plain && *number < end);
        number.ok_or(WindowError)
    };
    Ok(number(hour, 24)? * 60 + number(minute, 60)?)
}

impl fmt::Display for StartWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(window: &str, zone: &str, now: &str) -> String {
        let window: StartWindow = window.parse().unwrap();
        let at = window.opens_at(now.parse().unwrap(), zone.parse().unwrap());
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn what_comes_inside_starts_at_once_and_what_comes_outside_waits() {
        let night = |now| opens("22:00-06:00", "UTC", now);
        assert_eq!(night("2026-11-27T23:59:59Z"), "2026-11-27T23:59:59Z");
        assert_eq!(night("2026-11-27T05:59:59Z"), "2026-11-27T05:59:59Z");
        assert_eq!(night("2026-11-27T06:00:00Z"), "2026-11-27T22:00:00Z");
        assert_eq!(night("2026-11-27T21:59:59Z"), "2026-11-27T22:00:00Z");
        assert_eq!(
            opens("01:30-02:00", "UTC", "2026-11-27T02:00:00Z"),
            "2026-11-28T01:30:00Z"
        );
        assert_eq!(
            opens("22:00-06:00", "Asia/Taipei", "2026-11-27T02:00:30Z"),
            "2026-11-27T14:00:00Z"
        );
        assert_eq!(
            opens("00:00-00:01", "Asia/Kathmandu", "2026-11-27T00:00:00Z"),
            "2026-11-27T18:15:00Z"
        );
    }

    #[test]
    fn a_clock_that_is_put_forward_or_back_keeps_no_backup_for_ever() {
        // 02:00 to 03:00 is left out on this day: the window opens on the next.
        let spring = opens("02:15-02:45", "America/New_York", "2026-03-08T06:00:00Z");
        assert_eq!(spring, "2026-03-09T06:15:00Z");
        // What is left of it opens when it is shown again.
        assert_eq!(
            opens("02:15-04:00", "America/New_York", "2026-03-08T06:00:00Z"),
            "2026-03-08T07:00:00Z"
        );
        // 01:00 to 02:00 comes twice.
        let autumn = |now| opens("01:00-01:30", "America/New_York", now);
        assert_eq!(autumn("2026-11-01T05:40:00Z"), "2026-11-01T06:00:00Z");
    }

    #[test]
    fn only_two_different_times_are_a_window() {
        for window in ["22:00-06:00", "00:00-23:59", "09:05-09:04"] {
            assert_eq!(window.parse::<StartWindow>().unwrap().to_string(), window);
        }
        for wrong in [
            "",
            "22:00",
            "22:00-24:00",
            "22:60-06:00",
            "6:00-7:00",
            "+6:00-07:00",
            "06:00-06:00",
            "06:00 - 07:00",
            "六-七",
        ] {
            assert_eq!(wrong.parse::<StartWindow>(), Err(WindowError), "{wrong}");
        }
    }
}
