//! The values that pg_dump's custom format is made of, from bytes that arrive in pieces.

use crate::Error;

/// The longest text that is taken, in bytes: definitions and names. No more of it is ever allocated than has arrived.
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Takes one value after the other. Each method gives `None` where the rest of its value has not arrived yet, and is called
/// again with what comes next; it has then kept what was there.
pub(super) struct Scanner {
    int_size: usize,
    offset_size: usize,
    position: u64,
    partial: Vec<u8>,
    /// The length of a text that is begun.
    text: Option<i64>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            int_size: 4,
            offset_size: 8,
            position: 0,
            partial: Vec::new(),
            text: None,
        }
    }

    /// How many bytes of numbers and of file positions the archive's header says.
    pub(super) fn set_sizes(&mut self, int_size: u8, offset_size: u8) -> Result<(), Error> {
        if !matches!(int_size, 4 | 8) || !matches!(offset_size, 4 | 8) {
            return Err(self.damaged("numbers of a size that no machine has"));
        }
        (self.int_size, self.offset_size) = (int_size.into(), offset_size.into());
        Ok(())
    }

    /// How many bytes a number takes.
    pub(super) fn int_len(&self) -> u64 {
        self.int_size as u64 + 1
    }

    pub(super) fn offset_size(&self) -> usize {
        self.offset_size
    }

    /// How many bytes have been taken.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Whether a value is begun and not complete.
    pub(super) fn is_within(&self) -> bool {
        !self.partial.is_empty() || self.text.is_some()
    }

    /// The next `length` bytes, if all have arrived.
    pub(super) fn bytes(&mut self, input: &mut &[u8], length: usize) -> Option<Vec<u8>> {
        let now = self.some(input, length - self.partial.len());
        self.partial.extend_from_slice(now);
        (self.partial.len() == length).then(|| std::mem::take(&mut self.partial))
    }

    pub(super) fn byte(&mut self, input: &mut &[u8]) -> Option<u8> {
        self.some(input, 1).first().copied()
    }

    /// As many of the next bytes as have arrived, `most` at the most.
    pub(super) fn some<'a>(&mut self, input: &mut &'a [u8], most: usize) -> &'a [u8] {
        let (now, rest) = input.split_at(most.min(input.len()));
        *input = rest;
        self.position += now.len() as u64;
        now
    }

    /// A number: a byte for its sign, and its amount, the lowest byte first.
    pub(super) fn int(&mut self, input: &mut &[u8]) -> Result<Option<i64>, Error> {
        let length = self.int_len() as usize;
        if self.partial.is_empty() && input.len() >= length {
            let now = self.some(input, length);
            return self.parse_int(now).map(Some);
        }
        match self.bytes(input, length) {
            Some(bytes) => self.parse_int(&bytes).map(Some),
            None => Ok(None),
        }
    }

    fn parse_int(&self, bytes: &[u8]) -> Result<i64, Error> {
        let mut amount = [0; 8];
        amount[..self.int_size].copy_from_slice(&bytes[1..]);
        let amount = i64::try_from(u64::from_le_bytes(amount)).map_err(|_| self.damaged("a number out of range"))?;
        match bytes[0] {
            0 => Ok(amount),
            1 => Ok(-amount),
            _ => Err(self.damaged("a number without a sign")),
        }
    }

    /// A text, or `Some(None)` for none.
    #[expect(clippy::option_option, reason = "not arrived, arrived and null, arrived")]
    pub(super) fn text(&mut self, input: &mut &[u8]) -> Result<Option<Option<Vec<u8>>>, Error> {
        let length = match self.text {
            Some(length) => length,
            None => match self.int(input)? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        let text = match usize::try_from(length) {
            Err(_) if length == -1 => None,
            Ok(length) if length <= MAX_TEXT => {
                self.text = Some(length as i64);
                let Some(text) = self.bytes(input, length) else {
                    return Ok(None);
                };
                Some(text)
            }
            _ => return Err(self.damaged("a text of an impossible length")),
        };
        self.text = None;
        Ok(Some(text))
    }

    #[cfg(test)]
    pub(super) fn allocated(&self) -> usize {
        self.partial.capacity()
    }

    pub(super) fn damaged(&self, what: &str) -> Error {
        Error::mismatch(
            format!("the dump cannot be read: {what} before its byte {}", self.position),
            "Restore another backup, and report this one.",
        )
    }
}
