//! Where an archive's bytes go to and come from.

use std::io::Read;

use backup_core::PipelineError;
use bytes::Bytes;

/// Takes the stored file's bytes, in order, from one thread.
pub trait ByteSink: Send {
    /// Takes the next bytes (about 1 MiB); blocks while the storage is behind, which holds up the whole writer. After an
    /// error nothing more is written and the error comes out of the writer.
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError>;
}

/// A stored file that is read.
#[expect(clippy::len_without_is_empty, reason = "an archive is never empty")]
pub trait ByteSource: Send + Sync {
    /// Length of the stored file in bytes.
    fn len(&self) -> Result<u64, PipelineError>;

    /// Exactly `len` bytes from `offset` on, or an error.
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError>;

    /// Reads from `offset` to the end. An I/O error may hold a [`PipelineError`].
    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError>;
}
