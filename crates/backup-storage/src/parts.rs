//! How large the parts of an upload are.

const MIB: u64 = 1 << 20;

/// Bytes of the largest part while that can be helped: one being filled and one on its way are 128 MiB of memory.
const MODERATE: u64 = 64 * MIB;

/// What a provider allows of an upload in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// How many parts at the most.
    pub(crate) parts: u64,
    /// Bytes of the smallest first part that we send.
    pub(crate) first: u64,
    /// Bytes of the largest part.
    pub(crate) largest: u64,
}

/// 50,000 blocks of up to 4,000 MiB; 4 MiB first, as specified.
pub(crate) const AZURE: Limits = Limits {
    parts: 50_000,
    first: 4 * MIB,
    largest: 4_000 * MIB,
};
/// 10,000 parts of up to 5 GiB, none but the last below 5 MiB. Google's multipart interface is the same.
pub(crate) const S3: Limits = Limits {
    parts: 10_000,
    first: 5 * MIB,
    largest: 5_120 * MIB,
};

/// The sizes of the parts of one upload: as small as the number of parts allows, since they are held in memory.
///
/// Their number leaves no choice in the end: 50,000 parts of 64 MiB are 3 TiB, and 10,000 are 625 GiB. What lies beyond
/// takes larger parts, and more memory.
///
/// - Of unknown size: the size doubles with every tenth of the parts up to 64 MiB, stays there for as long as it can,
///   and doubles with every hundredth of them in the last fifth, for which memory is no longer the first concern.
/// - Of expected size: the parts have one size with which the upload takes half of them, or four fifths where half would
///   ask for more than 64 MiB. What then still comes is treated as above.
///
/// | | parts up to 32 MiB | up to 64 MiB | reach |
/// | --- | --- | --- | --- |
/// | Azure, unknown | 293 GiB | 1.5 TiB | 31 TiB |
/// | Azure, expected | 781 GiB | 2.4 TiB | 190 TiB |
/// | S3 and GCS, unknown | 34 GiB | 322 GiB | the provider's 5 TiB |
/// | S3 and GCS, expected | 156 GiB | 500 GiB | the provider's 5 TiB |
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSizes {
    limits: Limits,
    base: u64,
    /// How many parts have the base size before it grows.
    even: u64,
}

impl PartSizes {
    pub(crate) fn new(limits: Limits, expected: Option<u64>) -> Self {
        let in_parts = |parts: u64| expected.unwrap_or(0).div_ceil(parts).next_multiple_of(MIB);
        let fitting = in_parts(limits.parts / 2)
            .min(MODERATE)
            .max(in_parts(limits.parts / 5 * 4));
        Self {
            limits,
            base: fitting.clamp(limits.first, limits.largest),
            even: if expected.is_some() {
                limits.parts / 2
            } else {
                limits.parts / 10
            },
        }
    }

    /// Bytes of the part `number`, counted from 0; `None` when the provider takes no more parts.
    pub(crate) fn size(&self, number: u64) -> Option<usize> {
        let parts = self.limits.parts;
        if number >= parts {
            return None;
        }
        let tenths = (number + parts / 10).saturating_sub(self.even) / (parts / 10);
        let moderate = doubled(self.base, tenths).min(MODERATE.max(self.base));
        let hundredths = (number + parts / 100).saturating_sub(parts / 5 * 4) / (parts / 100);
        let size = doubled(moderate, hundredths).min(self.limits.largest);
        usize::try_from(size).ok()
    }
}

fn doubled(size: u64, times: u64) -> u64 {
    // 2^20 is beyond every limit.
    size.saturating_mul(1 << times.min(20))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const TIB: u64 = 1 << 40;

    /// The sizes of all parts, and how far they reach.
    fn all(limits: Limits, expected: Option<u64>) -> (Vec<u64>, u64) {
        let sizes = PartSizes::new(limits, expected);
        let all: Vec<u64> = (0..)
            .map_while(|number| sizes.size(number))
            .map(|size| size as u64)
            .collect();
        let reach = all.iter().sum();
        (all, reach)
    }

    /// How many bytes go through in parts of at most `largest`.
    fn reach_within(largest: u64, limits: Limits, expected: Option<u64>) -> u64 {
        all(limits, expected)
            .0
            .iter()
            .take_while(|size| **size <= largest)
            .sum()
    }

    #[test]
    fn parts_never_shrink_and_stay_within_the_limits() {
        for expected in [
            None,
            Some(0),
            Some(GIB),
            Some(100 * GIB),
            Some(3 * TIB),
            Some(u64::MAX / 2),
        ] {
            for limits in [AZURE, S3] {
                let (all, _) = all(limits, expected);
                assert_eq!(all.len() as u64, limits.parts);
                assert!(all.is_sorted());
                assert!(all[0] >= limits.first && all[all.len() - 1] <= limits.largest);
            }
        }
    }

    #[test]
    fn a_stream_of_unknown_size_starts_small_and_goes_far() {
        assert_eq!(PartSizes::new(AZURE, None).size(0), Some(4 << 20), "as specified");
        for (limits, in_half, in_moderate, reach) in [
            (AZURE, 293 * GIB, 3 * TIB / 2, 31 * TIB),
            (S3, 34 * GIB, 322 * GIB, 5 * TIB),
        ] {
            assert!(reach_within(MODERATE / 2, limits, None) >= in_half - GIB);
            assert!(reach_within(MODERATE, limits, None) >= in_moderate - GIB);
            assert!(all(limits, None).1 >= reach);
        }
    }

    #[test]
    fn a_stream_of_expected_size_keeps_its_parts_small_to_its_end() {
        for (limits, in_half, in_moderate) in [(AZURE, 781 * GIB, 2_500 * GIB), (S3, 156 * GIB, 500 * GIB)] {
            for (expected, largest) in [(in_half, MODERATE / 2), (in_moderate, MODERATE)] {
                assert!(reach_within(largest, limits, Some(expected)) >= expected);
            }
            // An estimate may be wrong by half.
            assert!(reach_within(MODERATE, limits, Some(100 * GIB)) >= 200 * GIB);
        }
        assert!(all(AZURE, Some(190 * TIB)).1 >= 190 * TIB);
        assert!(all(S3, Some(5 * TIB)).1 >= 5 * TIB);
    }

    #[test]
    fn one_part_is_never_much_larger_than_the_one_before() {
        // What is on its way and what is being filled are of one size or of two that follow each other.
        for (limits, expected) in [(AZURE, None), (S3, None), (AZURE, Some(TIB)), (S3, Some(TIB))] {
            let (all, _) = all(limits, expected);
            assert!(all.windows(2).all(|two| two[1] <= 2 * two[0]));
        }
    }
}
