//! What of libpq's settings a connection may bring along.

use std::collections::BTreeMap;

/// The settings that are taken, by libpq's names.
const NAMES: [&str; 9] = [
    "channel_binding",
    "connect_timeout",
    "gssencmode",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
];

/// The settings that allow certain words only, and these.
const WORDS: [(&str, &[&str]); 3] = [
    (
        "sslmode",
        &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    ),
    ("channel_binding", &["disable", "prefer", "require"]),
    ("gssencmode", &["disable", "prefer", "require"]),
];

/// Settings of libpq for the connections with a server, TLS above all. They outrank the environment (`PGSSLMODE` …), which
/// goes for what is not set here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionOptions(BTreeMap<&'static str, String>);

impl ConnectionOptions {
    /// The names of the settings that [`Self::set`] takes.
    pub fn names() -> &'static [&'static str] {
        &NAMES
    }

    /// Sets what libpq calls `name`. False, and nothing is set, where that is none of [`Self::names`], or can have no such
    /// value.
    #[must_use]
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let Some(known) = NAMES.iter().find(|known| **known == name) else {
            return false;
        };
        let words = WORDS.iter().find(|(of, _)| *of == name);
        if value.contains('\0') || words.is_some_and(|(_, words)| !words.contains(&value)) {
            return false;
        }
        self.0.insert(known, value.to_owned());
        true
    }

    /// Names and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}
