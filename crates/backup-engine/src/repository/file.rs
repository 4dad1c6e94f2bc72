use std::io::{self, Read, Write};
use std::sync::Arc;

use backup_archive::{Amount, ArchiveReader};
use backup_core::{Entry, EntryKind, EntryPath, PipelineError};

use crate::bridge::blocking;

/// Bytes that are read at once.
const BUFFER: usize = 256 << 10;

/// How many paths a hint names.
const SHOWN: usize = 5;

/// So many entries are counted at the most: somebody waits for it, and the index of more is long.
const MOST_COUNTED: u64 = 100_000;

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
            .ok_or_else(|| no_entry(&archive, &part, &entry.path))?;
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
    archive.find(part, path)?.ok_or_else(|| no_entry(archive, part, path))
}

/// Whether anything stands under this path, be it an entry itself or not.
pub(super) fn holds_under(archive: &ArchiveReader, part: &str, path: &EntryPath) -> Result<bool, PipelineError> {
    Ok(!archive.list(part, path, None, 1)?.is_empty())
}

/// Those of these paths of which a part holds nothing, each with a hint.
pub(super) fn lacking(
    archive: &ArchiveReader,
    part: &str,
    paths: &[EntryPath],
) -> Result<Vec<(EntryPath, String)>, PipelineError> {
    let mut lacking = Vec::new();
    for path in paths.iter().filter(|path| !path.is_root()) {
        if archive.find(part, path)?.is_none() && !holds_under(archive, part, path)? {
            lacking.push((path.clone(), near(archive, part, path)?));
        }
    }
    Ok(lacking)
}

/// How much stands at these paths of a part and under them, each entry counted once; `None` where it is more than is counted.
pub(super) fn amount(
    archive: &ArchiveReader,
    part: &str,
    mut paths: Vec<EntryPath>,
) -> Result<Option<Amount>, PipelineError> {
    // What lies in a folder that is there too comes directly behind it.
    paths.sort_unstable();
    paths.dedup_by(|path, before| path.is_under(before));
    let mut all = Amount::default();
    for path in paths {
        let amount = archive.amount(part, &path, MOST_COUNTED - all.entries)?;
        all.entries += amount.entries;
        all.stored_bytes = all.stored_bytes.saturating_add(amount.stored_bytes);
        if all.entries >= MOST_COUNTED {
            return Ok(None);
        }
    }
    Ok(Some(all))
}

pub(super) fn no_entry(archive: &ArchiveReader, part: &str, path: &EntryPath) -> PipelineError {
    match near(archive, part, path) {
        Ok(hint) => PipelineError::not_found(format!("the backup does not hold '{part}/{path}'"), hint),
        Err(error) => error,
    }
}

/// A hint for a path that is not there: what stands in the last folder on its way that is.
fn near(archive: &ArchiveReader, part: &str, path: &EntryPath) -> Result<String, PipelineError> {
    let mut folder = EntryPath::root();
    let mut there = archive.list(part, &folder, None, SHOWN + 1)?;
    for name in path.components() {
        folder = folder
            .join(name)
            .map_err(|error| PipelineError::failed(error.to_string(), ""))?;
        let below = archive.list(part, &folder, None, SHOWN + 1)?;
        if below.is_empty() {
            break;
        }
        there = below;
    }
    if there.is_empty() {
        return Ok(format!("Its part '{part}' is empty."));
    }
    let more = if there.len() > SHOWN { " and more" } else { "" };
    let shown: Vec<String> = there
        .iter()
        .take(SHOWN)
        .map(|entry| format!("'{part}/{}'", entry.path))
        .collect();
    Ok(format!(
        "Near it stand {}{more}; 'backupctl contents ID' shows all.",
        shown.join(", ")
    ))
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
