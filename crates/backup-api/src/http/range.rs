//! Byte ranges (RFC 9110, section 14): one range of a file that does not change.

use std::ops::Range;

/// What a `Range` header asks of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no range, one in another unit, several, or one that is no range at all.
    Whole,
    /// These bytes: never empty, within the file.
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Unsatisfiable,
}

/// Reads a `Range` header for a file of `size` bytes.
pub(crate) fn wanted(header: &str, size: u64) -> Wanted {
    let Some((unit, set)) = header.split_once('=') else {
        return Wanted::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    match (bound(first), bound(last)) {
        (Bound::Open, Bound::At(count)) => part(size.saturating_sub(count), size),
        (Bound::At(first), Bound::Open) => part(first, size),
        (Bound::At(first), Bound::At(last)) if first <= last => part(first, last.saturating_add(1).min(size)),
        _ => Wanted::Whole,
    }
}

/// One end of a range.
enum Bound {
    Open,
    At(u64),
    Wrong,
}

fn part(start: u64, end: u64) -> Wanted {
    if start < end {
        Wanted::Part(start..end)
    } else {
        Wanted::Unsatisfiable
    }
}

fn bound(text: &str) -> Bound {
    let text = text.trim();
    if text.is_empty() {
        Bound::Open
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More than any file has is the same as as much as can be.
        Bound::At(text.parse().unwrap_or(u64::MAX))
    } else {
        Bound::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=0-", Wanted::Part(0..100)),
            ("Bytes = 10-19", Wanted::Part(10..20)),
            ("bytes=99-500", Wanted::Part(99..100)),
            ("bytes=-1", Wanted::Part(99..100)),
            ("bytes=-500", Wanted::Part(0..100)),
            ("bytes=-99999999999999999999999", Wanted::Part(0..100)),
            ("bytes=100-", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=99999999999999999999999-", Wanted::Unsatisfiable),
            ("bytes=5-4", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=0-1,3-4", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("lines=0-1", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(header, 100), expected, "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Wanted::Unsatisfiable);
    }
}
