//! Numbers of things in messages for people.

use std::fmt::Display;

/// So many things, as an English sentence says it: `1 backup is`, `3 backups are`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, one: &str, other: &str) -> String {
    let things = if number == N::from(1) { one } else { other };
    format!("{number} {things}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(counted(0_u64, "entry", "entries"), "0 entries");
        assert_eq!(counted(1_usize, "entry", "entries"), "1 entry");
        assert_eq!(counted(2.5_f32, "second", "seconds"), "2.5 seconds");
    }
}
