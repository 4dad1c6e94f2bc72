//! What an archive that builds on this one reads of it.

use std::ops::Range;
use std::sync::Arc;

use backup_core::{EntryPath, PipelineError};

use super::feed::Feed;
use super::{Archive, ArchiveReader};
use crate::error::damaged;
use crate::index::root::{AnchorRow, Base, SignatureRow};
use crate::index::segment::Cursor;
use crate::index::{EntryRecord, Segment};

/// Bytes of index segments that each archive of a chain keeps in memory while one is built on it.
const KEPT: usize = 1 << 20;

impl ArchiveReader {
    /// This archive, and behind it those that it builds on.
    pub(crate) fn chain(&self) -> Result<Vec<Arc<Archive>>, PipelineError> {
        if self.bases.len() != self.archive.root.bases.len() {
            return Err(PipelineError::failed(
                "the archives that the base builds on are not at hand",
                "",
            ));
        }
        Ok([&self.archive].into_iter().chain(&self.bases).cloned().collect())
    }
}

impl Archive {
    /// The row by which another archive names this one.
    pub(crate) fn base_row(&self) -> Result<Base, PipelineError> {
        let hmac = hex::decode(&self.seal.index_hmac).ok();
        let hmac: Option<[u8; 32]> = hmac.and_then(|bytes| bytes.try_into().ok());
        Ok(Base {
            archive_id: self.root.archive_id,
            index_hmac: hmac
                .ok_or_else(|| damaged("its receipt has no valid HMAC of the index"))?
                .into(),
        })
    }

    /// Time of the archive, seconds since 1970.
    pub(crate) fn created_at(&self) -> i64 {
        self.root.created_at
    }

    pub(crate) fn base_rows(&self) -> &[Base] {
        &self.root.bases
    }

    pub(crate) fn signatures(&self) -> &[SignatureRow] {
        &self.root.signatures
    }

    pub(crate) fn anchors(&self) -> &[AnchorRow] {
        &self.root.anchors
    }

    /// Where the tar stream ends, but for its root.
    pub(crate) fn tar_end(&self) -> u64 {
        self.segment_start(self.root.segments.len()).1
    }

    /// Bytes of the tar stream, at most `most`, checked.
    pub(crate) fn tar_bytes(self: &Arc<Self>, range: &Range<u64>, most: u64) -> Result<Vec<u8>, PipelineError> {
        let wrong = || damaged(format!("its index names an impossible place {}", range.start));
        let length = range.end.checked_sub(range.start).ok_or_else(wrong)?;
        if range.end > self.tar_end() || length > most {
            return Err(wrong());
        }
        let mut bytes = Vec::with_capacity(length as usize);
        let mut feed = Feed::new(self, range.clone())?;
        while (bytes.len() as u64) < length {
            let piece = feed.next()?.ok_or_else(wrong)?;
            let position = range.start + bytes.len() as u64;
            let from = position.checked_sub(piece.tar_offset).ok_or_else(wrong)?;
            let to = (range.end - piece.tar_offset).min(piece.bytes.len() as u64);
            bytes.extend_from_slice(piece.bytes.get(from as usize..to as usize).ok_or_else(wrong)?);
        }
        // In a long chain all that every archive would keep of its index is much: above all the record of a large dump, which
        // names a place for each of its changes.
        self.let_go(KEPT);
        Ok(bytes)
    }
}

/// The records of a part, read once, beside another sequence of ascending paths.
pub(crate) struct RecordCursor {
    archive: Arc<Archive>,
    segments: Range<usize>,
    segment: Option<(usize, Arc<Segment>, Cursor)>,
    current: Option<(EntryPath, EntryRecord)>,
}

impl RecordCursor {
    /// Before the first record of the part; of no record where the archive has no such part.
    pub(crate) fn new(archive: Arc<Archive>, part: &str) -> Self {
        let number = archive.root.parts.iter().position(|row| row.name == part);
        Self {
            segments: number.map_or(0..0, |number| archive.segments_of(number)),
            archive,
            segment: None,
            current: None,
        }
    }

    /// The record of `path`, where there is one. Paths ascend from call to call.
    pub(crate) fn seek(&mut self, path: &EntryPath) -> Result<Option<&EntryRecord>, PipelineError> {
        while self.current.as_ref().is_none_or(|(at, _)| at < path) {
            let Some(record) = self.next()? else {
                self.current = None;
                return Ok(None);
            };
            let at = record.path().map_err(damaged)?;
            if self.current.as_ref().is_some_and(|(before, _)| *before >= at) {
                return Err(damaged(format!("'{at}' stands out of order in its index")));
            }
            self.current = Some((at, record));
        }
        let found = self.current.as_ref().filter(|(at, _)| at == path);
        Ok(found.map(|(_, record)| record))
    }

    /// The next record, whatever was sought before.
    pub(crate) fn next(&mut self) -> Result<Option<EntryRecord>, PipelineError> {
        loop {
            let (number, segment, cursor) = if let Some(segment) = &mut self.segment {
                segment
            } else {
                let Some(number) = self.segments.next() else {
                    return Ok(None);
                };
                let segment = self.archive.segment(number)?;
                let first = segment.first();
                self.segment.insert((number, segment, first))
            };
            let record = segment.record(*cursor);
            match record.map_err(|what| damaged(format!("index segment {number}: {what}")))? {
                Some((record, next)) => {
                    *cursor = next;
                    return Ok(Some(record));
                }
                None => self.segment = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Mutex;

    use backup_core::receipt::Codec;
    use backup_core::{ArchiveSink, Entry, OsRandom};
    use bytes::Bytes;

    use super::*;
    use crate::{ArchiveKey, ArchiveWriter, ByteSink, ByteSource, Cuts, Keyring, WriterOptions};

    const ID: [u8; 16] = [7; 16];

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl ByteSink for Memory {
        fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
            self.0.lock().unwrap().extend_from_slice(&bytes);
            Ok(())
        }
    }

    impl ByteSource for Memory {
        fn len(&self) -> Result<u64, PipelineError> {
            Ok(self.0.lock().unwrap().len() as u64)
        }

        fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
            let bytes = self.0.lock().unwrap();
            Ok(Bytes::copy_from_slice(&bytes[offset as usize..offset as usize + len]))
        }

        fn stream(&self, _: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
            Ok(Box::new(std::io::empty()))
        }
    }

    /// A chain may have a hundred archives.
    #[test]
    fn an_archive_that_others_build_on_keeps_little_of_its_index_in_memory() {
        let key = ArchiveKey::from_passphrase(&"a long enough passphrase".into()).unwrap();
        let options = WriterOptions {
            codec: Codec::Zstd,
            encrypt: true,
            archive_id: ID,
            workers: 1,
            created_at_secs: 0,
        };
        // One segment that is much heavier than what is kept.
        let cuts = Cuts {
            segment_bytes: 16 << 20,
            ..Cuts::USUAL
        };
        let memory = Memory::default();
        let mut writer = ArchiveWriter::with_cuts(Box::new(memory.clone()), &key, &options, &OsRandom, cuts).unwrap();
        let mut part = writer.part("files").unwrap();
        for number in 0..20_000 {
            let path = EntryPath::new(format!(
                "a file with a rather long name, of which there are many {number:06}"
            ))
            .unwrap();
            part.append(&Entry::plain_file(path, 1, 0), &mut &b"a"[..]).unwrap();
        }
        part.finish().unwrap();
        let seal = writer.finish().unwrap();
        let reader = ArchiveReader::open(Arc::new(memory), &Keyring::new(key, Vec::new()), &seal, ID).unwrap();
        let archive = reader.archive.clone();
        let kept = || {
            let kept = archive.segments.lock().unwrap();
            kept.iter().map(|(_, segment)| segment.weight()).sum::<usize>()
        };
        archive.segment(0).unwrap();
        assert!(kept() > KEPT, "it is no heavy one: {}", kept());
        assert_eq!(archive.tar_bytes(&(0..512), 512).unwrap().len(), 512);
        assert!(kept() <= KEPT, "{} bytes are kept", kept());
    }
}
