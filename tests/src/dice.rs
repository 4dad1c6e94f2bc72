//! Numbers that look random and come again with their seed.

use crate::note;

/// Dice (splitmix64).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that roll the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice by the seed of a campaign, which is told, so that a failure can be brought back.
    pub fn from_environment() -> Self {
        Self(seed())
    }

    /// Less than `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    /// One of these, of which there is at least one.
    pub fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len() as u64) as usize]
    }

    /// Once in so many times.
    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

/// The seed of a campaign: `BACKUP_SOAK_SEED` (hexadecimal), or a new one. It is printed.
pub fn seed() -> u64 {
    let seed = std::env::var("BACKUP_SOAK_SEED").unwrap_or_else(|_| crate::unique());
    note(format!("BACKUP_SOAK_SEED={seed}"));
    u64::from_str_radix(&seed, 16).unwrap_or(1)
}
