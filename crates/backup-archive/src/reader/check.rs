//! Content that was put together from several places is what was backed up: each place vouches for its own bytes alone, and the
//! index for which they are.

use std::io::{self, Read};

use backup_core::{EntryPath, PipelineError};
use openssl::sha::Sha256;

use super::chain::Chain;
use super::content::Content;
use crate::error::damaged;
use crate::index::EntryRecord;

/// The content of the current entry. Where its record has a SHA-256, its last bytes come only if all of them have that.
pub(super) struct Checked {
    content: Content,
    check: Option<Check>,
}

struct Check {
    path: EntryPath,
    sha256: Sha256,
    expected: [u8; 32],
    /// Bytes that have not come yet.
    left: u64,
}

impl Checked {
    /// Before the first entry.
    pub(super) fn new(content: Content) -> Self {
        Self { content, check: None }
    }

    /// That of one entry.
    pub(super) fn of(chain: &Chain, path: &EntryPath, record: EntryRecord) -> Result<Self, PipelineError> {
        let check = Check::new(path, &record);
        let content = Content::of(chain, record.extents)?;
        Ok(Self { content, check })
    }

    /// Goes on with the content of the next entry.
    pub(super) fn start(&mut self, path: &EntryPath, record: EntryRecord) -> Result<(), PipelineError> {
        self.check = Check::new(path, &record);
        self.content.start(record.extents)
    }

    /// There is no further entry.
    pub(super) fn end(&mut self) -> Result<(), PipelineError> {
        self.check = None;
        self.content.start(Vec::new())
    }
}

impl Check {
    fn new(path: &EntryPath, record: &EntryRecord) -> Option<Self> {
        record.digest.map(|expected| Self {
            path: path.clone(),
            sha256: Sha256::new(),
            expected: *expected,
            left: record.extents.iter().map(|extent| extent.length).sum(),
        })
    }
}

impl Read for Checked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read(buffer)?;
        let Some(mut check) = self.check.take_if(|_| read > 0) else {
            return Ok(read);
        };
        check.sha256.update(&buffer[..read]);
        check.left = check.left.saturating_sub(read as u64);
        if check.left > 0 {
            self.check = Some(check);
            return Ok(read);
        }
        if check.sha256.finish() != check.expected {
            return Err(io::Error::other(another(&check.path)));
        }
        Ok(read)
    }
}

/// What an entry is put together from is not what was backed up.
pub(super) fn another(path: &EntryPath) -> PipelineError {
    damaged(format!(
        "'{path}' is not what was backed up: its content has another SHA-256"
    ))
}
