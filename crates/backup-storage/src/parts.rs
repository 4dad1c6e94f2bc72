//! How large the parts of an upload are.

const MIB: u64 = 1 << 20;

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

/// The sizes of the parts of one upload. The first half of all allowed parts have one size, small unless much more is
/// expected; after that the size doubles with every twentieth of them. So uploads of usual sizes need little memory,
/// and one of unknown size still reaches 19 TiB (Azure) or 4.9 TiB (S3); with the right expectation, 190 TiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSizes {
    limits: Limits,
    base: u64,
}

impl PartSizes {
    pub(crate) fn new(limits: Limits, expected: Option<u64>) -> Self {
        let fitting = expected.unwrap_or(0).div_ceil(limits.parts / 2).next_multiple_of(MIB);
        Self {
            limits,
            base: fitting.clamp(limits.first, limits.largest),
        }
    }

    /// Bytes of the part `number`, counted from 0; `None` when the provider takes no more parts.
    pub(crate) fn size(&self, number: u64) -> Option<usize> {
        let half = self.limits.parts / 2;
        let doublings = match number {
            number if number >= self.limits.parts => return None,
            number if number < half => 0,
            number => 1 + (number - half) / (self.limits.parts / 20),
        };
        let size = self.base.saturating_mul(1 << doublings).min(self.limits.largest);
        usize::try_from(size).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIB: u64 = 1 << 40;

    fn reach(sizes: PartSizes) -> u64 {
        (0..)
            .map_while(|number| sizes.size(number))
            .map(|size| size as u64)
            .sum()
    }

    #[test]
    fn parts_never_shrink_and_stay_within_the_limits() {
        for (limits, expected) in [(AZURE, None), (S3, None), (AZURE, Some(3 * TIB)), (S3, Some(100 << 30))] {
            let sizes = PartSizes::new(limits, expected);
            let all: Vec<u64> = (0..)
                .map_while(|number| sizes.size(number))
                .map(|size| size as u64)
                .collect();
            assert_eq!(all.len() as u64, limits.parts);
            assert!(all.is_sorted());
            assert!(all[0] >= limits.first && all[all.len() - 1] <= limits.largest);
        }
    }

    #[test]
    fn a_stream_of_unknown_size_starts_small_and_goes_far() {
        let azure = PartSizes::new(AZURE, None);
        assert_eq!(azure.size(0), Some(4 << 20));
        assert_eq!(azure.size(24_999), Some(4 << 20), "97 GiB in parts of 4 MiB");
        assert!(reach(azure) > 19 * TIB, "{}", reach(azure));
        assert!(
            reach(PartSizes::new(S3, None)) >= 5 * TIB - (110 << 30),
            "{}",
            reach(PartSizes::new(S3, None))
        );
    }

    #[test]
    fn a_known_size_keeps_the_parts_even() {
        let sizes = PartSizes::new(AZURE, Some(TIB));
        assert_eq!(sizes.size(0), Some(42 << 20));
        assert_eq!(sizes.size(24_000), Some(42 << 20));
        assert!(reach(PartSizes::new(AZURE, Some(190 * TIB))) >= 190 * TIB);
    }
}
