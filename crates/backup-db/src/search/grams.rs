//! Grams, three letters in a row, and which of a text's are worth looking for.

use std::ops::Range;

/// Letters of a gram.
pub(super) const GRAM: usize = 3;

/// Letters of a date that is a gram of its own, from its year to its day and to its month.
const DATE: usize = 10;
const MONTH: usize = 7;

/// Grams that are looked for: of a short text all, since one of them may be rare; more shut out little more and take
/// longer.
const GRAMS: usize = 12;

/// Of these so many: each is another list of rows to be gone through.
const RAREST: usize = 4;

/// And none that more than nine in ten rows have, or of those that have another: such a list is long and shuts out nothing.
const RARE: f32 = 0.9;

/// The text's grams and where they begin; of a long text some, as far apart as can be.
pub(super) fn grams(letters: &[char]) -> Vec<(usize, String)> {
    let last = letters.len().saturating_sub(GRAM);
    let steps = last.min(GRAMS - 1);
    let mut grams: Vec<(usize, String)> = (0..=steps)
        .map(|step| last * step / steps.max(1))
        .map(|at| (at, letters.iter().skip(at).take(GRAM).collect()))
        .collect();
    grams.dedup_by(|(_, one), (_, other)| one == other);
    grams
}

/// Where the text has a date, as far as it goes but from its month on: to PostgreSQL a gram of its own.
pub(super) fn date(letters: &[char]) -> Option<Range<usize>> {
    let begins = |letters: &[char]| match *letters {
        [millennium, a, b, c, '-', tens, ones] => {
            let is_month = matches!((tens, ones), ('0', '1'..='9') | ('1', '0'..='2'));
            matches!(millennium, '1' | '2') && [a, b, c].iter().all(char::is_ascii_digit) && is_month
        }
        _ => false,
    };
    let start = letters.windows(MONTH).position(begins)?;
    Some(start..letters.len().min(start + DATE))
}

/// A gram, where it begins, and which of the texts have it.
struct Counted {
    at: usize,
    gram: String,
    having: Vec<bool>,
}

impl Counted {
    fn count(&self) -> usize {
        self.having.iter().filter(|has| **has).count()
    }

    /// In what part of the texts that have the other this one is; of one that none has, by whether they overlap.
    fn share_beside(&self, other: &Self) -> f32 {
        let both = self
            .having
            .iter()
            .zip(&other.having)
            .filter(|(one, other)| **one && **other);
        match other.count() {
            0 if self.at.abs_diff(other.at) < GRAM => 1.0,
            0 => 0.0,
            count => both.count() as f32 / count as f32,
        }
    }
}

/// Those grams that together shut out the most, as far as these texts tell, and `least` of them even if nearly all have them.
/// The first is the rarest; each further one the rarest beside any that is taken: grams of the same word come together, and shut
/// out no more than one of them.
pub(super) fn rarest(grams: Vec<(usize, String)>, texts: &[String], least: usize) -> Vec<String> {
    let counted = grams.into_iter().map(|(at, gram)| Counted {
        having: texts.iter().map(|text| text.contains(&gram)).collect(),
        at,
        gram,
    });
    let mut rest: Vec<Counted> = counted.collect();
    let mut taken: Vec<Counted> = Vec::new();
    while taken.len() < RAREST {
        let share = |one: &Counted| {
            let alone = one.count() as f32 / texts.len().max(1) as f32;
            taken.iter().map(|other| one.share_beside(other)).fold(alone, f32::max)
        };
        let shares = rest.iter().map(share).enumerate();
        let Some((at, share)) = shares.min_by(|(_, one), (_, other)| one.total_cmp(other)) else {
            break;
        };
        if share > RARE && taken.len() >= least {
            break;
        }
        taken.push(rest.remove(at));
    }
    taken.into_iter().map(|one| one.gram).collect()
}

/// The grams as a query of either database's language.
pub(super) fn joined(grams: &[String], quote: char, and: &str) -> String {
    let quoted: Vec<String> = grams
        .iter()
        .map(|gram| {
            let mut quoted = String::from(quote);
            for letter in gram.chars() {
                // PostgreSQL alone takes a backslash for an escape.
                if letter == quote || (letter == '\\' && quote == '\'') {
                    quoted.push(letter);
                }
                quoted.push(letter);
            }
            quoted.push(quote);
            quoted
        })
        .collect();
    quoted.join(and)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grams_of_a_text_reach_from_its_beginning_to_its_end() {
        let of = |text: &str| {
            let found = grams(&text.chars().collect::<Vec<_>>()).into_iter();
            found.map(|(_, gram)| gram).collect::<Vec<_>>().join("|")
        };
        assert_eq!(of("abc"), "abc");
        assert_eq!(of("每晚備份"), "每晚備|晚備份");
        assert_eq!(of("abcdef"), "abc|bcd|cde|def");
        let long = of("0123456789abcdefghijklmnopqrstuvwxyz");
        assert!(long.starts_with("012|345|") && long.ends_with("|xyz"), "{long}");
        assert_eq!(long.split('|').count(), GRAMS);
        assert_eq!(of("aaaa"), "aaa");
    }

    fn rarest_of(text: &str, texts: &[&str]) -> Vec<String> {
        let texts: Vec<String> = texts.iter().copied().map(str::to_owned).collect();
        rarest(grams(&text.chars().collect::<Vec<_>>()), &texts, 1)
    }

    #[test]
    fn the_rarest_grams_are_taken() {
        assert_eq!(rarest_of("abcdefg", &["abcdef", "abcd", "abc"]), ["efg", "bcd"]);
    }

    #[test]
    fn what_overlaps_is_taken_last() {
        // No text of this year has any gram of the date.
        let taken = rarest_of(
            "full-2025-03",
            &["full-2026-11-25", "full-2026-11-26", "other-2026-11-26"],
        );
        assert_eq!(taken[..2], ["025", "-03"], "{taken:?}");
    }

    #[test]
    fn of_what_comes_together_one_is_taken() {
        let texts = [
            "red-one", "red-two", "red-one", "blue-one", "blue-two", "blue-two", "blue-one", "blue-two",
        ];
        let grams = [(0, "red"), (1, "ed-"), (4, "one")].map(|(at, gram)| (at, gram.to_owned()));
        assert_eq!(rarest(grams.to_vec(), &texts.map(str::to_owned), 1), ["red", "one"]);
    }

    #[test]
    fn what_nearly_all_have_is_taken_only_where_there_is_nothing_else() {
        let texts = ["abcd", "abc"].map(str::to_owned);
        let all = grams(&['a', 'b', 'c']);
        assert_eq!(rarest(all.clone(), &texts, 1), ["abc"]);
        assert_eq!(rarest(all, &texts, 0), [""; 0]);
    }

    #[test]
    fn a_date_is_found_from_its_month_on() {
        let of = |text: &str| {
            let letters: Vec<char> = text.chars().collect();
            date(&letters).map(|found| letters[found].iter().collect::<String>())
        };
        assert_eq!(of("full-2026-01-0").as_deref(), Some("2026-01-0"));
        assert_eq!(of("備 2026-01-02t03").as_deref(), Some("2026-01-02"));
        assert_eq!(of("12026-01").as_deref(), Some("2026-01"));
        for none in [
            "2026-0",
            "026-01-02",
            "2026-13",
            "0000-01-02",
            "00000000-0000-7000-8000-000000000042",
            "",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn what_would_end_a_quotation_is_doubled() {
        let grams = ["a\"b".to_owned(), "'\\c".to_owned()];
        assert_eq!(joined(&grams, '"', " AND "), "\"a\"\"b\" AND \"'\\c\"");
        assert_eq!(joined(&grams, '\'', " & "), "'a\"b' & '''\\\\c'");
    }
}
