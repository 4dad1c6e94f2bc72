use std::io::{self, Write};

use super::{DumpDigest, Offset, State};
use crate::Error;

/// Bytes from which on gathered rows are handed on as one piece.
const PIECE: usize = 64 * 1024;

/// Hands a dump on as it goes by, the same but in larger pieces, and says where in it the data of each table begin.
///
/// Uncompressed, `pg_dump` writes each row as a piece of its own, which costs `pg_restore` a read and the server a message.
/// How rows are cut into pieces means nothing to either.
pub(in crate::database) struct Relay<'a> {
    out: &'a mut dyn Write,
    failed: &'a dyn Fn(io::Error) -> Error,
    /// `None` for what `pg_restore` may know better, such as a newer version of the format: it goes by as it is.
    pub(super) digest: Option<DumpDigest>,
    /// Rows of a table or bytes of a large object, behind room for their length.
    gathered: Vec<u8>,
    written: u64,
}

impl<'a> Relay<'a> {
    /// Hands on to `out`; `failed` says what an error of it means.
    pub(in crate::database) fn new(out: &'a mut dyn Write, failed: &'a dyn Fn(io::Error) -> Error) -> Self {
        Self {
            out,
            failed,
            digest: Some(DumpDigest::of_layout()),
            gathered: Vec::new(),
            written: 0,
        }
    }

    /// Takes the dump's next bytes.
    ///
    /// # Errors
    /// `Mismatch` where they cannot be a dump's; whatever `failed` gives.
    pub(in crate::database) fn push(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(digest) = &mut self.digest {
            let before = input;
            let (is_length, is_chunk, is_number) = (
                matches!(digest.state, State::Length),
                matches!(digest.state, State::Chunk(_)),
                matches!(digest.state, State::BlockNumber(_)),
            );
            let next = match digest.step(&mut input) {
                Err(Error::Refused { .. }) => {
                    self.digest = None;
                    return self.write(before);
                }
                next => next?,
            };
            let taken = &before[..before.len() - input.len()];
            match &next {
                _ if is_chunk => self.gather(taken)?,
                // Written anew, before what is gathered.
                Some(State::Chunk(_)) | None if is_length => {}
                Some(_) if is_length => self.end_data()?,
                _ => self.write(taken)?,
            }
            let Some(digest) = &mut self.digest else { break };
            let Some(next) = next else { return Ok(()) };
            digest.state = next;
            if is_number {
                digest.begun_at(self.written - digest.scanner.int_len() - 1);
            }
        }
        self.write(input)
    }

    /// Where the positions of the data have to be written into what was handed on.
    ///
    /// # Errors
    /// `Mismatch` where the dump ended early.
    pub(in crate::database) fn finish(self) -> Result<Vec<Offset>, Error> {
        match self.digest {
            Some(digest) => Ok(digest.finish()?.offsets),
            None => Ok(Vec::new()),
        }
    }

    fn gather(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.gathered.is_empty() {
            self.gathered.resize(self.int_len(), 0);
        }
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < PIECE {
            return Ok(());
        }
        self.hand_on()
    }

    fn hand_on(&mut self) -> Result<(), Error> {
        let room = self.int_len();
        let length = self.gathered.len().saturating_sub(room) as u64;
        if length > 0 {
            // A sign, then the amount, the lowest byte first.
            for (place, byte) in self.gathered[1..room].iter_mut().zip(length.to_le_bytes()) {
                *place = byte;
            }
            let piece = std::mem::take(&mut self.gathered);
            self.write(&piece)?;
            self.gathered = piece;
        }
        self.gathered.clear();
        Ok(())
    }

    /// A length of nothing ends the rows of a table, or a large object.
    fn end_data(&mut self) -> Result<(), Error> {
        self.hand_on()?;
        self.write(&vec![0; self.int_len()])
    }

    fn int_len(&self) -> usize {
        self.digest
            .as_ref()
            .map_or(0, |digest| digest.scanner.int_len() as usize)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written += bytes.len() as u64;
        self.out.write_all(bytes).map_err(self.failed)
    }
}
