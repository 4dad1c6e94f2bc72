//! Digests the dump while somebody else reads it.

use std::io::{self, ErrorKind, Read};

use backup_core::{Entry, PartReader, PipelineError};

use crate::Error;
use crate::database::DUMP;
use crate::database::dump::{DumpDigest, DumpSummary};
use crate::database::target::BLOCK;

/// A part of an archive whose dump is digested as it is read.
pub(super) struct Tee<'a> {
    part: &'a mut dyn PartReader,
    /// An error ends the digesting, not the reading: `pg_restore` says better what is wrong with a dump.
    digest: Result<DumpDigest, Error>,
    is_within: bool,
}

impl<'a> Tee<'a> {
    pub(super) fn new(part: &'a mut dyn PartReader) -> Self {
        Self {
            part,
            digest: Ok(DumpDigest::new()),
            is_within: false,
        }
    }

    /// What was in the dump, once the entry behind it has been asked for.
    pub(super) fn finish(self) -> Result<DumpSummary, Error> {
        self.digest?.finish()
    }
}

impl PartReader for Tee<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        // `pg_restore` may leave what it needs no more.
        let mut rest = vec![0; if self.is_within { BLOCK } else { 0 }];
        while self.is_within {
            match self.read(&mut rest) {
                Ok(0) => self.is_within = false,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::content(DUMP, error).into()),
            }
        }
        let entry = self.part.next_entry()?;
        self.is_within = entry
            .as_ref()
            .is_some_and(|entry| entry.path.as_bytes() == DUMP.as_bytes());
        Ok(entry)
    }

    fn content(&mut self) -> &mut dyn Read {
        if self.is_within { self } else { self.part.content() }
    }
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.part.content().read(buffer)?;
        if let Ok(digest) = &mut self.digest
            && let Err(error) = digest.push(&buffer[..length])
        {
            self.digest = Err(error);
        }
        Ok(length)
    }
}
