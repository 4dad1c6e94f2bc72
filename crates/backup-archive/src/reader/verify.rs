//! Checking a whole archive.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use backup_core::{EntryKind, JobControl, PipelineError};
use openssl::memcmp;
use openssl::sha::Sha256;

use super::check::another;
use super::content::Gathered;
use super::feed::Feed;
use super::part::Records;
use super::walk::{TarEntry, Walk};
use super::{Archive, ArchiveReader};
use crate::error::{damaged, from_io, wrong_size};
use crate::index::{EntryRecord, Extent};
use crate::tar;

const PIECE: usize = 256 << 10;
/// Files of an archive that builds on others, with pieces of entries that stand partly in those.
const DELTA: &[u8] = b".backup/delta/";

impl ArchiveReader {
    /// Reads the whole stored file and compares its length, SHA-256 and HMAC with the seal.
    pub fn verify_stored(&self, job: &JobControl) -> Result<(), PipelineError> {
        let seal = &self.archive.seal;
        let mut stream = self.archive.source.stream(0)?;
        let (mut sha256, mut hmac) = (Sha256::new(), self.archive.key.file_hmac());
        let mut buffer = vec![0; PIECE];
        let mut size = 0;
        loop {
            job.check()?;
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(from_io(error, "read the archive")),
            };
            sha256.update(&buffer[..read]);
            hmac.update(&buffer[..read]);
            size += read as u64;
            job.advance(read as u64);
        }
        if size != seal.size_bytes {
            return Err(wrong_size(size, seal.size_bytes));
        }
        if hex::encode(sha256.finish()) != seal.sha256 {
            return Err(damaged("the SHA-256 of the stored file is not the one in its receipt"));
        }
        let expected = hex::decode(&seal.hmac).unwrap_or_default();
        if expected.len() != 32 || !memcmp::eq(&hmac.finish(), &expected) {
            return Err(damaged("the HMAC of the stored file is not the one in its receipt"));
        }
        Ok(())
    }

    /// Reads every member and every record: each decrypts, inflates and has its SHA-256, the index describes the whole
    /// file and does not contradict itself, and the tar stream holds what the index says, where it says so. Then reads
    /// every entry that stands in other archives too, through those, and compares its SHA-256. Of the archives that this
    /// one builds on, it checks what it reads; each can be checked whole by itself.
    ///
    /// # Errors
    /// `Integrity` says what is damaged, and in which archive; `Refused` where content stands in one that is not attached.
    pub fn verify_content(&self, job: &JobControl) -> Result<(), PipelineError> {
        let archive = &self.archive;
        let mut files = Files::new(archive, job)?;
        for (number, part) in archive.root.parts.iter().enumerate() {
            let mut records = Records::new(archive.clone(), archive.segments_of(number));
            let (mut entries, mut content) = (0, 0);
            while let Some((entry, record)) = records.next()? {
                job.check()?;
                let name = tar::full_path(&part.name, &entry.path);
                let mut held = true;
                if matches!(&entry.kind, EntryKind::File { data: Some(ranges) } if ranges.is_empty()) {
                    // The map of a file that is all hole is its whole content in the tar. What was not read again is
                    // not in the tar at all.
                    held = files.take(&name)?.is_some() || !archive.root.bases.is_empty();
                }
                for extent in record
                    .extents
                    .iter()
                    .filter(|extent| extent.archive == 0 && extent.length > 0)
                {
                    held = held && files.hold(&name, extent)?;
                }
                if !held {
                    return Err(damaged(format!(
                        "the tar stream does not hold '{}' as indexed",
                        entry.path
                    )));
                }
                entries += 1;
                content += entry.stored_bytes();
            }
            if (entries, content) != (part.entries, part.content) {
                return Err(damaged(format!("part '{}' has not all its entries", part.name)));
            }
        }
        if files.next_named()? {
            return Err(damaged("its tar stream holds files that the index does not name"));
        }
        drop(files);
        (0..archive.root.parts.len()).try_for_each(|part| self.verify_built(part, job))
    }

    /// Reads the entries of a part that stand in other archives too.
    fn verify_built(&self, part: usize, job: &JobControl) -> Result<(), PipelineError> {
        if self.archive.root.bases.is_empty() {
            return Ok(());
        }
        let is_built = |record: &EntryRecord| record.extents.iter().any(|extent| extent.archive > 0);
        let mut records = Records::new(self.archive.clone(), self.archive.segments_of(part));
        let mut content = Gathered::of_records(&self.archives(), records.again(), is_built)?;
        let mut buffer = vec![0; PIECE];
        while let Some((entry, record)) = records.next()? {
            job.check()?;
            if !is_built(&record) {
                continue;
            }
            content.start(&record.extents);
            let mut sha256 = Sha256::new();
            loop {
                job.check()?;
                let read = content.fill(&mut buffer)?;
                if read == 0 {
                    break;
                }
                sha256.update(&buffer[..read]);
                job.advance(read as u64);
            }
            if record.digest.is_some_and(|digest| *digest != sha256.finish()) {
                return Err(another(&entry.path));
            }
        }
        Ok(())
    }
}

/// The files of the tar stream that entries may have their content in, one after the other.
struct Files<'a> {
    archive: &'a Archive,
    walk: Walk<'a>,
    /// The next index segment.
    segment: usize,
    /// Seen, but not taken yet.
    next: Option<TarEntry>,
    /// The file with pieces of many entries that was taken last.
    delta: Range<u64>,
    /// Where the last extent ended.
    end: u64,
}

impl<'a> Files<'a> {
    fn new(archive: &'a Arc<Archive>, job: &'a JobControl) -> Result<Self, PipelineError> {
        let end = archive.content_end();
        Ok(Self {
            walk: Walk::new(Feed::new(archive, 0..end)?, end, job),
            archive,
            segment: 0,
            next: None,
            delta: 0..0,
            end: 0,
        })
    }

    /// Whether an extent of the entry `name` ends where the next file ends, which has that name; or lies in a file that
    /// holds pieces of many.
    fn hold(&mut self, name: &[u8], extent: &Extent) -> Result<bool, PipelineError> {
        let Some(end) = extent.offset.checked_add(extent.length) else {
            return Ok(false);
        };
        if extent.offset < self.end {
            return Ok(false);
        }
        self.end = end;
        loop {
            if self.delta.start <= extent.offset && end <= self.delta.end {
                return Ok(true);
            }
            match self.peek()? {
                Some(file) if file.name.starts_with(DELTA) => {
                    self.delta = file.offset..file.offset + file.size;
                    self.next = None;
                }
                _ => break,
            }
        }
        let file = self.take(name)?;
        Ok(file.is_some_and(|file| file.offset <= extent.offset && end == file.offset + file.size))
    }

    /// Takes the next file where it has this name, or stands in a folder of this name.
    fn take(&mut self, name: &[u8]) -> Result<Option<TarEntry>, PipelineError> {
        let same = self.peek()?.is_some_and(|file| {
            let rest = file.name.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        });
        Ok(if same { self.next.take() } else { None })
    }

    /// Whether there is another file that is an entry's own.
    fn next_named(&mut self) -> Result<bool, PipelineError> {
        while self.peek()?.is_some_and(|file| file.name.starts_with(DELTA)) {
            self.next = None;
        }
        Ok(self.next.is_some())
    }

    fn peek(&mut self) -> Result<Option<&TarEntry>, PipelineError> {
        let rows = &self.archive.root.segments;
        let built = !self.archive.root.bases.is_empty();
        while self.next.is_none() {
            while rows
                .get(self.segment)
                .is_some_and(|row| row.tar_offset == self.walk.position())
            {
                self.walk.jump(self.archive.segment_start(self.segment + 1).1);
                self.segment += 1;
            }
            if self.segment == rows.len() {
                break;
            }
            let Some(file) = self.walk.next()? else { break };
            let own = file.name.starts_with(b".backup/") && !(built && file.name.starts_with(DELTA));
            if !own && file.size > 0 {
                self.next = Some(file);
            }
        }
        Ok(self.next.as_ref())
    }
}
