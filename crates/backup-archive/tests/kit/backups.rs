//! Archives that build on each other, in memory.

use std::sync::Arc;

use backup_archive::{ArchiveReader, ArchiveWriter, Cuts, fuzzing};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink, PipelineError};
use openssl::sha::sha256;

use super::{Fixed, KEY, Memory, Stored, file, job, noise, options, path, read_part, ring};

/// When the first archive of a chain was made; each next one is a day later.
pub const TIME: i64 = 1_750_000_000;

/// Archives that build on each other, the newest last.
#[derive(Default)]
pub struct Backups(pub Vec<(Vec<u8>, ArchiveSeal)>);

pub fn id(number: usize) -> [u8; 16] {
    [number as u8 + 1; 16]
}

impl Backups {
    pub fn open(&self, number: usize) -> ArchiveReader {
        let (bytes, seal) = &self.0[number];
        let reader = ArchiveReader::open(Arc::new(Stored(bytes.clone())), &ring(), seal, id(number)).unwrap();
        let bases = reader.bases();
        let bases: Vec<ArchiveReader> = bases
            .iter()
            .map(|base| self.open(usize::from(base.archive_id[0]) - 1))
            .collect();
        if bases.is_empty() {
            reader
        } else {
            reader.attach(&bases).unwrap()
        }
    }

    pub fn newest(&self) -> ArchiveReader {
        self.open(self.0.len() - 1)
    }

    /// Adds an archive that builds on the newest one; the first stands alone. Returns how many bytes it has.
    pub fn add(&mut self, cuts: Cuts, fill: impl FnOnce(&mut ArchiveWriter) -> Result<(), PipelineError>) -> usize {
        let number = self.0.len();
        let mut options = options(Codec::Zstd, true);
        options.archive_id = id(number);
        options.created_at_secs = TIME + number as i64 * 86_400;
        let sink = Memory::default();
        let boxed = Box::new(sink.clone());
        let mut writer = if number == 0 {
            ArchiveWriter::with_cuts(boxed, &KEY, &options, &Fixed, cuts).unwrap()
        } else {
            ArchiveWriter::create_on_with_cuts(&self.newest(), boxed, &KEY, &options, &Fixed, cuts).unwrap()
        };
        fill(&mut writer).unwrap();
        let seal = writer.finish().unwrap();
        self.0.push((sink.bytes(), seal));
        self.0[number].0.len()
    }

    /// Adds an archive of one stream, reads it back, and says how many of its bytes it stores.
    pub fn add_stream(&mut self, cuts: Cuts, content: &[u8]) -> u64 {
        self.add(cuts, |writer| {
            let mut part = writer.part("database")?;
            part.append_stream(&path("database.dump"), &mut &*content)?;
            part.finish()
        });
        let stored = self.check("database", &[("database.dump", content)]);
        stored[0]
    }

    /// Adds an archive of files, reads it back, and says how many bytes of each it stores.
    pub fn add_files(&mut self, cuts: Cuts, files: &[(&str, &[u8])]) -> Vec<u64> {
        self.add(cuts, |writer| {
            let mut part = writer.part("files")?;
            for (name, content) in files {
                part.append(&file(name.as_bytes(), content.len()), &mut &**content)?;
            }
            part.finish()
        });
        self.check("files", files)
    }

    /// Checks that the newest archive holds this, and says how many bytes of each it stores itself.
    pub fn check(&self, part: &str, files: &[(&str, &[u8])]) -> Vec<u64> {
        let reader = self.newest();
        let places = fuzzing::places(&reader, part).unwrap();
        assert_eq!(places.len(), files.len());
        reader.verify_content(&job()).unwrap();
        for ((entry, content), (name, expected)) in read_part(&reader, part).unwrap().iter().zip(files) {
            assert_eq!(entry.path, path(*name));
            assert!(content == expected, "'{name}' is read as something else");
        }
        let mut own_end = 0;
        let each = places.iter().zip(files).map(|(place, (name, content))| {
            assert_eq!(place.entry.path, path(*name));
            assert_eq!(place.entry.size, content.len() as u64);
            let gathered = fuzzing::gather(&reader, &place.extents).unwrap();
            assert!(gathered == *content, "'{name}' came out changed");
            let own = place.extents.iter().filter(|(archive, ..)| *archive == 0);
            for (_, offset, length) in own.clone() {
                assert!(*offset >= own_end, "'{name}' stands out of order");
                own_end = offset + length;
            }
            let own: u64 = own.map(|(.., length)| length).sum();
            if let Some(digest) = place.digest {
                assert!(digest == sha256(content));
            }
            own
        });
        each.collect()
    }
}

/// Rows as of a dump, none like another.
pub fn rows(seed: u64, count: usize) -> Vec<Vec<u8>> {
    let noise = noise(seed, count * 24);
    let row = |(number, bytes): (usize, &[u8])| {
        format!(
            "{number}\tuser{}\t{}\tsome text of the row {}\n",
            number * 7,
            hex::encode(bytes),
            number % 97
        )
        .into_bytes()
    };
    noise.chunks(24).enumerate().map(row).collect()
}
