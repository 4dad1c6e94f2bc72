//! Checking a whole archive.

use std::io::Read;

use backup_core::{EntryKind, JobControl, PipelineError};
use openssl::memcmp;
use openssl::sha::Sha256;

use super::ArchiveReader;
use super::feed::Feed;
use super::part::Records;
use super::walk::Walk;
use crate::error::{damaged, from_io, wrong_size};
use crate::tar;

const PIECE: usize = 256 << 10;

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
    /// file and does not contradict itself, and the tar stream holds what the index says, where it says so.
    pub fn verify_content(&self, job: &JobControl) -> Result<(), PipelineError> {
        let archive = &self.archive;
        let rows = &archive.root.segments;
        let end = rows.last().map_or(0, |row| row.tar_offset);
        let mut walk = Walk::new(Feed::new(archive, 0..end)?, end, job);
        let mut segment = 0;
        // The next entry of the tar that is not the archive's own.
        let mut next_file = |walk: &mut Walk<'_>| loop {
            while rows.get(segment).is_some_and(|row| row.tar_offset == walk.position()) {
                walk.jump(archive.segment_start(segment + 1).1);
                segment += 1;
            }
            if segment == rows.len() {
                return Ok(None);
            }
            match walk.next()? {
                Some(entry) if entry.name.starts_with(b".backup/") || entry.size == 0 => {}
                other => return Ok::<_, PipelineError>(other),
            }
        };
        for (number, part) in archive.root.parts.iter().enumerate() {
            let mut records = Records::new(archive.clone(), archive.segments_of(number));
            let (mut entries, mut content) = (0, 0);
            while let Some((entry, extents)) = records.next()? {
                job.check()?;
                let name = tar::full_path(&part.name, &entry.path);
                let missing = || damaged(format!("the tar stream does not hold '{}' as indexed", entry.path));
                let mut file_at = |end: Option<u64>| {
                    let file = next_file(&mut walk)?.ok_or_else(missing)?;
                    let named = file.name.strip_prefix(name.as_slice());
                    let same_name = named.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
                    let same_end = end.is_none_or(|end| end == file.offset + file.size);
                    if same_name && same_end {
                        Ok(file.offset)
                    } else {
                        Err(missing())
                    }
                };
                if matches!(&entry.kind, EntryKind::File { data: Some(ranges) } if ranges.is_empty()) {
                    // The map of a file that is all hole is its whole content in the tar.
                    file_at(None)?;
                }
                for extent in extents.iter().filter(|extent| extent.archive == 0 && extent.length > 0) {
                    let end = extent.offset.checked_add(extent.length).ok_or_else(missing)?;
                    if file_at(Some(end))? > extent.offset {
                        return Err(missing());
                    }
                }
                entries += 1;
                content += entry.stored_bytes();
            }
            if (entries, content) != (part.entries, part.content) {
                return Err(damaged(format!("part '{}' has not all its entries", part.name)));
            }
        }
        match next_file(&mut walk)? {
            None => Ok(()),
            Some(_) => Err(damaged("its tar stream holds files that the index does not name")),
        }
    }
}
