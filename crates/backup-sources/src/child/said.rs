//! What a child said on standard error, as far as it is kept.

use std::collections::VecDeque;

use secrecy::{ExposeSecret, SecretString};

/// How much of the beginning and of the end is kept, in bytes each.
pub(super) const KEEP: usize = 4096;

/// The beginning and the end of what a child said.
#[derive(Default)]
pub(super) struct Said {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: bool,
}

impl Said {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(KEEP - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        if self.tail.len() > KEEP {
            self.dropped = true;
            self.tail.drain(..self.tail.len() - KEEP);
        }
    }

    /// All of it on one line, without the secret.
    pub(super) fn text(&self, secret: Option<&SecretString>) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        let mut text = String::from_utf8_lossy(&self.head).into_owned();
        text.push_str(if self.dropped { "\n...\n" } else { "" });
        text.push_str(&String::from_utf8_lossy(&tail));
        if let Some(secret) = secret
            .map(ExposeSecret::expose_secret)
            .filter(|secret| !secret.is_empty())
        {
            text = text.replace(secret, "***");
        }
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("; ")
    }
}
