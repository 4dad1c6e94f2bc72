//! A limit to what a process uploads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets bytes through at a rate that all uploads of a process share.
#[derive(Debug)]
pub(crate) struct Throttle {
    bytes_per_second: u64,
    /// When the bytes before are through.
    free_at: Mutex<Instant>,
}

impl Throttle {
    /// At least one byte a second.
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: bytes_per_second.max(1),
            free_at: Mutex::new(Instant::now()),
        }
    }

    /// Waits until so many bytes may go. Dropped while it waits, its turn passes unused.
    pub(crate) async fn pass(&self, bytes: usize) {
        sleep_until(self.turn(Instant::now(), bytes)).await;
    }

    /// When so many bytes that are there `now` may go: who asks first goes first, and nothing is saved up while nobody sends.
    fn turn(&self, now: Instant, bytes: usize) -> Instant {
        let takes = Duration::from_secs_f64(bytes as f64 / self.bytes_per_second as f64);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = now.max(*free_at);
        *free_at = turn + takes;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn uploads_at_once_take_turns_and_share_the_rate() {
        let throttle = Throttle::new(2 << 20);
        let begun = Instant::now();
        // Each of three uploads asks for the next piece once its last one has gone.
        let mut at = [begun; 3];
        for _ in 0..10 {
            for upload in &mut at {
                *upload = throttle.turn(*upload, MIB);
            }
        }
        let took = at.map(|at| (at - begun).as_millis());
        assert_eq!(took, [13_500, 14_000, 14_500], "30 MiB at 2 MiB a second");
    }

    #[test]
    fn nothing_is_saved_up_while_nobody_sends() {
        let begun = Instant::now();
        let throttle = Throttle::new(1 << 20);
        throttle.turn(begun, MIB);
        let later = begun + Duration::from_mins(1);
        let mut at = later;
        for _ in 0..5 {
            at = throttle.turn(at, MIB);
        }
        assert_eq!(at - later, Duration::from_secs(4));
    }
}
