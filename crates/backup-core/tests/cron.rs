//! Cron expressions: what is read, what is refused and how, what is said of them, and laws that hold for all.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cron {
    pub(crate) mod any;
    mod describe;
    mod laws;
    mod parse;
}
