//! How many parts of an upload go side by side, on a line of unknown speed.
//!
//! What a line has carried of a part is not known before the whole part is through, so silence is measured in parts:
//! one must come through within the stall timeout. Parts that go side by side share the line, and on a slow one none of
//! them would be in time. So an upload begins with one part; each that comes through quickly allows one more, each that
//! takes long allows one less. One part at a time is enough to fill a slow line.
//!
//! With the default 300 s, a line must carry 14 KiB/s for parts of 4 MiB, wherever the speed was from the beginning; and
//! it may suddenly become eight times slower. 64 MiB parts, of uploads of hundreds of gigabytes, need 220 KiB/s.

use std::time::Duration;

/// The number of parts that may be on their way at once.
#[derive(Debug)]
pub(crate) struct Pace {
    allowed: usize,
    most: usize,
    quick: Duration,
    slow: Duration,
}

impl Pace {
    /// Begins with one part, and never allows more than `most`.
    pub(crate) fn new(stall_timeout: Duration, most: usize) -> Self {
        Self {
            allowed: 1,
            most,
            quick: stall_timeout / 16,
            slow: stall_timeout / 8,
        }
    }

    pub(crate) fn allowed(&self) -> usize {
        self.allowed
    }

    /// A part came through, in so long a time.
    pub(crate) fn took(&mut self, time: Duration) {
        if time > self.slow {
            self.allowed = (self.allowed - 1).max(1);
        } else if time <= self.quick {
            self.allowed = (self.allowed + 1).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_mins(5);
    const PART: f64 = 4_194_304.0;
    const MOST: usize = 8;

    /// Sends parts over a line of so many bytes a second, which those on their way share; each has a latency besides.
    /// Returns the longest time of silence, and how many went side by side at the end.
    fn send(pace: &mut Pace, parts: usize, rate: f64, latency: f64) -> (Duration, usize) {
        let (mut now, mut silence) = (0.0, 0.0_f64);
        // When each began, and what is left of it.
        let mut on_way: Vec<(f64, f64)> = Vec::new();
        for _ in 0..parts {
            while on_way.len() < pace.allowed() {
                on_way.push((now, PART));
            }
            let first = on_way
                .iter()
                .enumerate()
                .min_by(|a, b| a.1.1.total_cmp(&b.1.1))
                .map(|(index, _)| index)
                .unwrap();
            let (begun, left) = on_way.swap_remove(first);
            let time = left * (on_way.len() + 1) as f64 / rate;
            for other in &mut on_way {
                other.1 -= left;
            }
            now += time;
            silence = silence.max(time);
            pace.took(Duration::from_secs_f64(now - begun + latency));
        }
        (Duration::from_secs_f64(silence), on_way.len() + 1)
    }

    #[test]
    fn a_line_that_carries_one_part_in_time_is_never_taken_for_silent() {
        for rate in [14_200.0, 30e3, 60e3, 112e3, 300e3, 1e6, 10e6, 1e9] {
            let (silence, _) = send(&mut Pace::new(STALL, MOST), 300, rate, 0.02);
            assert!(silence < STALL, "{rate} bytes a second: silent for {silence:?}");
        }
    }

    #[test]
    fn a_line_may_become_eight_times_slower() {
        for rate in [120e3, 300e3, 1e6, 10e6] {
            let mut pace = Pace::new(STALL, MOST);
            send(&mut pace, 300, rate, 0.02);
            let (silence, _) = send(&mut pace, 300, rate / 8.0, 0.02);
            assert!(silence < STALL, "{rate} bytes a second: silent for {silence:?}");
        }
    }

    #[test]
    fn a_fast_line_that_is_far_away_is_used_side_by_side() {
        let mut pace = Pace::new(STALL, MOST);
        let (_, at_once) = send(&mut pace, 20, 100e6, 0.3);
        assert_eq!(at_once, MOST);
        assert_eq!(pace.allowed(), MOST);
    }
}
