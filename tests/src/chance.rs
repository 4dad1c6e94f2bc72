//! Chance that can be repeated.

/// Numbers that look random and come again with the seed (splitmix64).
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// By the seed in `$BACKUP_SOAK_SEED`, else by one of its own; prints it.
    pub fn from_environment() -> Self {
        let seed = std::env::var("BACKUP_SOAK_SEED").unwrap_or_else(|_| crate::unique());
        crate::note(format_args!("BACKUP_SOAK_SEED={seed}"));
        Self(u64::from_str_radix(&seed, 16).unwrap_or(1))
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
