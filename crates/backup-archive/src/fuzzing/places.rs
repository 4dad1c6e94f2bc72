//! Where content stands, for tests that look at what an archive stores itself.

use backup_core::{Entry, PipelineError};

use crate::ArchiveReader;
use crate::error::damaged;
use crate::reader::range::RecordCursor;

/// What an archive's index says of an entry.
#[derive(Debug)]
pub struct Place {
    /// The entry.
    pub entry: Entry,
    /// Archive (0: this one, then its bases), offset in its tar stream, length.
    pub extents: Vec<(u32, u64, u64)>,
    /// SHA-256 of the content.
    pub digest: Option<[u8; 32]>,
    /// Two to the power of this is about the length of blocks.
    pub level: u8,
}

/// The index of a part.
pub fn places(archive: &ArchiveReader, part: &str) -> Result<Vec<Place>, PipelineError> {
    let chain = archive.chain()?;
    let mut records = RecordCursor::new(chain[0].clone(), part);
    let mut places = Vec::new();
    while let Some(record) = records.next()? {
        let extents = record.extents.iter();
        places.push(Place {
            entry: record.entry().map_err(damaged)?,
            extents: extents
                .map(|extent| (extent.archive, extent.offset, extent.length))
                .collect(),
            digest: record.digest.as_ref().map(|digest| **digest),
            level: record.level(),
        });
    }
    Ok(places)
}

/// The content that extents name, read straight from the tar streams of the chain.
pub fn gather(archive: &ArchiveReader, extents: &[(u32, u64, u64)]) -> Result<Vec<u8>, PipelineError> {
    let chain = archive.chain()?;
    let mut content = Vec::new();
    for (archive, offset, length) in extents {
        content.extend(chain[*archive as usize].tar_bytes(&(*offset..offset + length), u64::MAX)?);
    }
    Ok(content)
}
