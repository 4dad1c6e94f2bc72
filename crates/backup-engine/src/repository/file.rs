use std::io::{self, Read, Write};
use std::sync::Arc;

use backup_archive::ArchiveReader;
use backup_core::{Entry, EntryKind, EntryPath, PipelineError};

use crate::bridge::blocking;

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// One thing in an archive, found and ready to be read.
pub struct ArchivedFile {
    pub(super) archive: Arc<ArchiveReader>,
    pub(super) part: String,
    pub(super) entry: Entry,
}

impl ArchivedFile {
    /// What it is: never a hard link.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Writes its content, exactly [`Entry::size`] bytes, into `out` by reading only the members that hold it. Every byte
    /// has been checked; the holes of a sparse file are written as zero bytes.
    ///
    /// # Errors
    /// `Refused` where it is no file, `Integrity`.
    pub async fn write_to(self, mut out: impl Write + Send + 'static) -> Result<(), PipelineError> {
        blocking(move || self.copy_to(&mut out)).await
    }

    /// Its content, held in memory at once.
    ///
    /// # Errors
    /// As [`Self::write_to`]; `Refused` where it is of more than `limit` bytes.
    pub(crate) async fn read(self, limit: u64) -> Result<Vec<u8>, PipelineError> {
        if self.entry.size > limit {
            return Err(PipelineError::refused(
                format!("'{}/{}' is of {} bytes", self.part, self.entry.path, self.entry.size),
                format!("At most {limit} bytes are read."),
            ));
        }
        blocking(move || {
            let mut content = Vec::new();
            self.copy_to(&mut content)?;
            Ok(content)
        })
        .await
    }

    fn copy_to(self, out: &mut dyn Write) -> Result<(), PipelineError> {
        let Self { archive, part, entry } = self;
        let EntryKind::File { data } = &entry.kind else {
            return Err(PipelineError::refused(
                format!("'{part}/{}' is no file and has no content", entry.path),
                "Restore the backup to get it.",
            ));
        };
        let (_, mut content) = archive
            .open_file(&part, &entry.path)?
            .ok_or_else(|| no_entry(&part, &entry.path))?;
        let whole = [(0, entry.size)];
        let mut end = 0;
        for (offset, length) in data.as_deref().unwrap_or(&whole) {
            copy(&mut io::repeat(0), offset - end, out)?;
            copy(&mut content, *length, out)?;
            end = offset + length;
        }
        copy(&mut io::repeat(0), entry.size - end, out)?;
        out.flush().map_err(unwritable)
    }
}

pub(super) fn find(archive: &ArchiveReader, part: &str, path: &EntryPath) -> Result<Entry, PipelineError> {
    archive.find(part, path)?.ok_or_else(|| no_entry(part, path))
}

/// Whether anything stands under this path, be it an entry itself or not.
pub(super) fn holds_under(archive: &ArchiveReader, part: &str, path: &EntryPath) -> Result<bool, PipelineError> {
    Ok(!archive.list(part, path, None, 1)?.is_empty())
}

pub(super) fn no_entry(part: &str, path: &EntryPath) -> PipelineError {
    PipelineError::not_found(
        format!("the backup does not hold '{part}/{path}'"),
        "'backupctl contents ID' lists what it holds.",
    )
}

pub(super) fn unwritable(error: io::Error) -> PipelineError {
    PipelineError::failed("the output cannot be written", "Check the disk's space and the rights.").because(error)
}

/// Copies `length` bytes. An error of the reading side that holds a [`PipelineError`] keeps its kind.
fn copy(from: &mut dyn Read, length: u64, to: &mut dyn Write) -> Result<(), PipelineError> {
    let mut buffer = vec![0; BUFFER.min(usize::try_from(length).unwrap_or(BUFFER))];
    let mut left = length;
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
        let count = match from.read(&mut buffer[..most]) {
            Ok(0) => {
                return Err(PipelineError::integrity(
                    format!("the archive holds {left} bytes less of the file than it says"),
                    "Use another backup.",
                ));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(from_io(error)),
        };
        to.write_all(&buffer[..count]).map_err(unwritable)?;
        left -= count as u64;
    }
    Ok(())
}

fn from_io(error: io::Error) -> PipelineError {
    error
        .downcast::<PipelineError>()
        .unwrap_or_else(|error| PipelineError::failed("the archive cannot be read", "").because(error))
}
