//! Archives that build on others: what did not change is not stored again, and everything comes out as it was.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::sync::Arc;

use backup_archive::{ArchiveReader, ArchiveWriter, Cuts, fuzzing};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink, Entry, FileIdentity, PipelineError};
use kit::{Fixed, KEY, Memory, SMALL, Stored, file, noise, options, path, ring};
use openssl::sha::sha256;

/// When the first archive of a chain was made; each next one is a day later.
const TIME: i64 = 1_750_000_000;

/// Archives that build on each other, the newest last.
#[derive(Default)]
struct Chain(Vec<(Vec<u8>, ArchiveSeal)>);

fn id(number: usize) -> [u8; 16] {
    [number as u8 + 1; 16]
}

impl Chain {
    fn open(&self, number: usize) -> ArchiveReader {
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

    fn newest(&self) -> ArchiveReader {
        self.open(self.0.len() - 1)
    }

    /// Adds an archive that builds on the newest one; the first stands alone. Returns how many bytes it has.
    fn add(&mut self, cuts: Cuts, fill: impl FnOnce(&mut ArchiveWriter) -> Result<(), PipelineError>) -> usize {
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
    fn add_stream(&mut self, cuts: Cuts, content: &[u8]) -> u64 {
        self.add(cuts, |writer| {
            let mut part = writer.part("database")?;
            part.append_stream(&path("database.dump"), &mut &*content)?;
            part.finish()
        });
        let stored = self.check("database", &[("database.dump", content)]);
        stored[0]
    }

    /// Adds an archive of files, reads it back, and says how many bytes of each it stores.
    fn add_files(&mut self, cuts: Cuts, files: &[(&str, &[u8])]) -> Vec<u64> {
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
    fn check(&self, part: &str, files: &[(&str, &[u8])]) -> Vec<u64> {
        let reader = self.newest();
        let places = fuzzing::places(&reader, part).unwrap();
        assert_eq!(places.len(), files.len());
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
fn rows(seed: u64, count: usize) -> Vec<Vec<u8>> {
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

#[test]
fn an_unchanged_stream_is_not_stored_again() {
    let content = rows(1, 60_000).concat();
    let mut chain = Chain::default();
    assert_eq!(chain.add_stream(Cuts::default(), &content), content.len() as u64);
    for _ in 0..3 {
        assert_eq!(chain.add_stream(Cuts::default(), &content), 0);
        let size = chain.0.last().unwrap().0.len();
        assert!(size < content.len() / 1000, "{size} of {}", content.len());
    }
    let places = fuzzing::places(&chain.newest(), "database").unwrap();
    assert!(places[0].extents.len() <= 4 && places[0].digest == Some(sha256(&content)));
}

#[test]
fn of_rows_changed_at_random_little_more_than_those_is_stored() {
    let mut rows = rows(2, 200_000);
    let mut chain = Chain::default();
    chain.add_stream(Cuts::default(), &rows.concat());
    let chosen = noise(3, rows.len() * 2);
    let new = self::rows(4, rows.len());
    for (number, choice) in chosen.chunks(2).enumerate() {
        match u16::from_be_bytes([choice[0], choice[1]]) {
            0..218 => rows[number].clear(),
            218..436 => rows[number].extend_from_slice(&new[number]),
            436..654 => rows[number].clone_from(&new[number]),
            _ => {}
        }
    }
    let content = rows.concat();
    let stored = chain.add_stream(Cuts::default(), &content);
    let share = stored as f64 / content.len() as f64;
    println!(
        "{:.2} % of {} bytes, archive {}",
        share * 100.0,
        content.len(),
        chain.0[1].0.len()
    );
    assert!(share < 0.4, "{share}");
}

#[test]
fn tables_that_moved_are_found() {
    let tables: Vec<Vec<u8>> = (10..16).map(|seed| rows(seed, 60_000).concat()).collect();
    let order = |order: &[usize]| {
        order
            .iter()
            .map(|table| tables[*table].as_slice())
            .collect::<Vec<_>>()
            .concat()
    };
    let cuts = Cuts {
        window_bytes: 2 << 20,
        ..Cuts::default()
    };
    // Dropped, inserted, exchanged: found again by an anchor, one of 512 blocks.
    for (new, most) in [
        (&[0, 2, 3][..], 2),
        (&[0, 4, 1, 2, 3], 1),
        (&[0, 2, 1, 3], 4),
        (&[3, 2, 1, 0], 5),
    ] {
        let mut chain = Chain::default();
        chain.add_stream(cuts, &order(&[0, 1, 2, 3]));
        let content = order(new);
        let inserted = if new.contains(&4) { tables[4].len() as u64 } else { 0 };
        let stored = chain.add_stream(cuts, &content) - inserted;
        println!("{new:?}: {stored} of {}", content.len());
        assert!(stored < most << 20, "{new:?}: {stored} of {}", content.len());
    }
}

#[test]
fn files_that_moved_grew_or_shrank_are_stored_by_what_is_new() {
    let big = noise(20, 3_000_000);
    let other = noise(21, 400_000);
    let small = b"a small file".as_slice();
    let grown = [&other[..], &noise(22, 50_000)].concat();
    let mut chain = Chain::default();
    chain.add_files(SMALL, &[("a", &big), ("b", &other), ("c", small), ("d", b"")]);
    let new: &[(&str, &[u8])] = &[
        ("a", &big[..1_000_000]),
        ("b", &grown),
        ("c", small),
        ("copy", &other),
        ("d", b""),
        ("moved/a", &big),
        ("moved/c", small),
        ("new", b"something else"),
    ];
    let stored = chain.add_files(SMALL, new);
    println!("{stored:?}");
    assert!(stored[0] < 40_000 && stored[1] < 100_000, "{stored:?}");
    assert_eq!(stored[2..], [0, 0, 0, 0, 0, 14]);
    // The same once more: everything is in the chain.
    assert_eq!(chain.add_files(SMALL, new), [0; 8]);
}

fn identified(name: &str, size: usize, changed: i64) -> Entry {
    Entry {
        modified_secs: changed,
        identity: Some(FileIdentity {
            inode: 7,
            changed_secs: changed,
            changed_nanos: 5,
        }),
        user: Some("one".to_owned()),
        ..file(name.as_bytes(), size)
    }
}

#[test]
fn a_file_whose_identity_is_the_same_is_not_read() {
    let content = noise(30, 5000);
    let old = identified("old", 5000, TIME - 11);
    let racy = identified("racy", 5000, TIME - 10);
    let mut touched = identified("touched", 5000, TIME - 100);
    let mut chain = Chain::default();
    chain.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        for entry in [&old, &racy, &touched] {
            assert!(!part.append_unchanged(entry)?);
            part.append(entry, &mut &*content)?;
        }
        part.finish()
    });
    let renamed = Entry {
        user: Some("two".to_owned()),
        ..old.clone()
    };
    touched.identity = touched.identity.map(|identity| FileIdentity {
        changed_nanos: 6,
        ..identity
    });
    chain.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        assert!(part.append_unchanged(&renamed)?);
        for entry in [&racy, &touched] {
            assert!(!part.append_unchanged(entry)?, "{}", entry.path);
            part.append(entry, &mut &*content)?;
        }
        part.finish()
    });
    let all: [(&str, &[u8]); 3] = [("old", &content), ("racy", &content), ("touched", &content)];
    assert_eq!(chain.check("files", &all), [0; 3]);
    let places = fuzzing::places(&chain.newest(), "files").unwrap();
    assert_eq!(places[0].entry, renamed);
    assert_eq!(places[0].digest, None);
    // What was racy then is old now.
    chain.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        for entry in [&old, &racy, &touched] {
            assert!(part.append_unchanged(entry)?, "{}", entry.path);
        }
        part.finish()
    });
    assert_eq!(chain.check("files", &all), [0; 3]);
}
