//! What rows and large objects are, whatever order they stand in.

use openssl::sha::{Sha256, sha256};

/// A number of things and the sum, modulo 2^256, of the SHA-256 of each. Equal things in another order give the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::database) struct Digest {
    /// How many.
    pub(in crate::database) count: u64,
    sum: [u64; 4],
}

impl Digest {
    pub(super) fn add(&mut self, hash: [u8; 32]) {
        self.count += 1;
        self.add_sum(hash);
    }

    /// Takes everything in that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        add_words(&mut self.sum, other.sum);
    }

    fn add_sum(&mut self, hash: [u8; 32]) {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        add_words(&mut self.sum, words);
    }

    fn hash(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.sum) {
            *chunk = word.to_le_bytes();
        }
        sha256(&bytes)
    }
}

fn add_words(sum: &mut [u64; 4], words: [u64; 4]) {
    let mut carry = false;
    for (sum, word) in sum.iter_mut().zip(words) {
        let (once, over) = sum.overflowing_add(word);
        let (twice, over_again) = once.overflowing_add(u64::from(carry));
        *sum = twice;
        carry = over || over_again;
    }
}

/// The rows of one table, as `COPY` writes them: a line for each, and `\.` behind the last.
pub(super) struct Rows {
    pub(super) digest: Digest,
    /// Where not empty: the hash of each column's name, in the order of the fields. The order itself does not count then.
    columns: Vec<[u8; 32]>,
    hash: Sha256,
    /// How long the line is so far, and whether it may become the end mark.
    length: u64,
    is_mark: bool,
    fields: Digest,
    has_ended: bool,
}

const MARK: &[u8] = b"\\.";

impl Rows {
    /// Where `columns` are named, rows are the same whatever order their columns stand in.
    pub(super) fn new(columns: Vec<[u8; 32]>) -> Self {
        let mut rows = Self {
            digest: Digest::default(),
            columns,
            hash: Sha256::new(),
            length: 0,
            is_mark: true,
            fields: Digest::default(),
            has_ended: false,
        };
        rows.begin_field();
        rows
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        let by_column = !self.columns.is_empty();
        while !bytes.is_empty() && !self.has_ended {
            let end = bytes
                .iter()
                .position(|byte| *byte == b'\n' || (by_column && *byte == b'\t'));
            let field = &bytes[..end.unwrap_or(bytes.len())];
            for (byte, at) in field.iter().zip(self.length..).take(MARK.len()) {
                self.is_mark &= MARK.get(at as usize) == Some(byte);
            }
            self.length += field.len() as u64;
            self.hash.update(field);
            let Some(end) = end else { return };
            if bytes[end] == b'\n' {
                self.end_row();
            } else {
                // A tab belongs to the line, which therefore is not the end mark.
                self.length += 1;
                self.is_mark = false;
                self.end_field();
            }
            bytes = &bytes[end + 1..];
        }
    }

    /// The digest, if the end mark has come.
    pub(super) fn finish(self) -> Option<Digest> {
        self.has_ended.then_some(self.digest)
    }

    fn begin_field(&mut self) {
        if let Some(name) = self.columns.get(self.fields.count as usize) {
            self.hash.update(name);
        }
    }

    fn end_field(&mut self) -> [u8; 32] {
        let hash = std::mem::replace(&mut self.hash, Sha256::new()).finish();
        self.fields.add(hash);
        self.begin_field();
        hash
    }

    fn end_row(&mut self) {
        if self.is_mark && self.length == MARK.len() as u64 {
            self.has_ended = true;
            return;
        }
        let line = self.end_field();
        let fields = std::mem::take(&mut self.fields);
        self.digest
            .add(if self.columns.is_empty() { line } else { fields.hash() });
        (self.length, self.is_mark) = (0, true);
        self.hash = Sha256::new();
        self.begin_field();
    }
}

/// The large objects of a dump.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) digest: Digest,
    hash: Sha256,
}

impl Objects {
    pub(super) fn begin(&mut self, number: u32) {
        self.hash = Sha256::new();
        self.hash.update(&number.to_le_bytes());
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    pub(super) fn end(&mut self) {
        let hash = std::mem::replace(&mut self.hash, Sha256::new()).finish();
        self.digest.add(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(columns: &[&str], text: &str, piece: usize) -> Option<Digest> {
        let mut rows = Rows::new(columns.iter().map(|name| sha256(name.as_bytes())).collect());
        text.as_bytes().chunks(piece).for_each(|bytes| rows.push(bytes));
        rows.finish()
    }

    #[test]
    fn rows_are_the_same_in_any_order_and_in_any_pieces_and_no_others_are() {
        let rows = digest(&[], "1\ta\n2\tb\n2\tb\n\\.\n\n\n", 1).unwrap();
        assert_eq!(rows.count, 3);
        for piece in 2..20 {
            assert_eq!(digest(&[], "2\tb\n1\ta\n2\tb\n\\.\n\n\n", piece), Some(rows));
        }
        for other in [
            "1\ta\n2\tb\n\\.\n",
            "1\ta\n1\ta\n2\tb\n\\.\n",
            "1\ta\n2\tb\n2\tc\n\\.\n",
            "\\.\n",
        ] {
            assert_ne!(digest(&[], other, 3), Some(rows), "{other}");
        }
        assert_eq!(digest(&[], "1\ta\n2\tb\n2\tb\n\\.", 3), None);
    }

    #[test]
    fn rows_without_columns_and_rows_like_the_end_mark_are_rows() {
        assert_eq!(digest(&[], "\n\n\\.\n\n\n", 1).unwrap().count, 2);
        assert_eq!(digest(&[], "\\\\.\n\\.x\n\\\n.\n\\.\t1\n\\.\n", 1).unwrap().count, 5);
        assert_eq!(digest(&["a", "b"], "\\.\t1\n\\.\n", 1).unwrap().count, 1);
    }

    #[test]
    fn columns_may_change_places_but_not_values() {
        let rows = digest(&["a", "b"], "1\tx\n2\ty\n\\.\n", 100);
        for piece in 1..8 {
            assert_eq!(digest(&["b", "a"], "y\t2\nx\t1\n\\.\n", piece), rows);
            assert_ne!(digest(&["b", "a"], "x\t2\ny\t1\n\\.\n", piece), rows);
            assert_ne!(digest(&["a", "b"], "x\t1\ny\t2\n\\.\n", piece), rows);
        }
    }

    #[test]
    fn a_sum_carries_over() {
        let mut sum = [u64::MAX, u64::MAX, 0, u64::MAX];
        add_words(&mut sum, [1, 0, 0, 1]);
        assert_eq!(sum, [0, 0, 1, 0]);
    }
}
