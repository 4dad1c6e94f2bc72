//! Archives that build on others, at their limits: bases that are damaged, old or not at hand, and very many files.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use backup_archive::{ArchiveReader, ArchiveWriter, ByteSink, ByteSource, Cuts, fuzzing};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink, Entry, FileIdentity, PipelineError};
use bytes::Bytes;
use kit::backups::{Backups, TIME, id, rows};
use kit::{Fixed, KEY, Memory, SMALL, Stored, alone, file, high_water, noise, options, path, ring};

#[test]
fn a_base_whose_own_bases_are_not_at_hand_is_refused() {
    let mut backups = Backups::default();
    for _ in 0..2 {
        backups.add_stream(SMALL, b"a stream");
    }
    let (bytes, seal) = &backups.0[1];
    let base = ArchiveReader::open(Arc::new(Stored(bytes.clone())), &ring(), seal, id(1)).unwrap();
    let options = options(Codec::Gzip, true);
    let error = ArchiveWriter::create_on(&base, Box::new(Memory::default()), &KEY, options, &Fixed).unwrap_err();
    assert!(error.to_string().contains("not at hand"), "{error}");
}

#[test]
fn on_a_base_from_before_there_were_signatures_everything_is_stored_whole() {
    let bytes = include_bytes!("archives/without-signatures").to_vec();
    let seal = ArchiveSeal {
        format_version: 1,
        codec: Codec::Gzip,
        encrypted: true,
        key_fingerprint: KEY.fingerprint(),
        size_bytes: bytes.len() as u64,
        sha256: "7f36744fcbe97e26f6a7dca45c3fb0c5ef322e808444cdc522e7e6b3e0fdedf2".to_owned(),
        hmac: "9de6515cfc64606173a175496b80fd018dee6a977173743359c6d2bb7ecb03b9".to_owned(),
        index_hmac: "e8fbe3f927fd7313a70c009781b1426d22c9703f5307e3cb725379a08a4f5cdc".to_owned(),
        tar_bytes: 7680,
    };
    let base = ArchiveReader::open(Arc::new(Stored(bytes)), &ring(), &seal, kit::ID).unwrap();
    let sink = Memory::default();
    let mut options = options(Codec::Gzip, true);
    options.archive_id = id(1);
    let mut writer = ArchiveWriter::create_on(&base, Box::new(sink.clone()), &KEY, options, &Fixed).unwrap();
    let mut part = writer.part("database").unwrap();
    part.append_stream(&path("database.dump"), &mut &b"the dump"[..])
        .unwrap();
    let mut part = writer.part("files").unwrap();
    assert_eq!(part.append_unchanged(&file(b"hello.txt", 6)).unwrap(), None);
    part.append(&file(b"hello.txt", 6), &mut &b"hello\n"[..]).unwrap();
    let seal = writer.finish().unwrap();
    let reader = ArchiveReader::open(Arc::new(Stored(sink.bytes())), &ring(), &seal, id(1)).unwrap();
    let reader = reader.attach(&[base]).unwrap();
    for (part, content) in [("database", &b"the dump"[..]), ("files", b"hello\n")] {
        let place = fuzzing::places(&reader, part).unwrap().remove(0);
        assert!(place.extents.iter().all(|(archive, ..)| *archive == 0) && place.digest.is_none());
        assert_eq!(fuzzing::gather(&reader, &place.extents).unwrap(), content);
    }
}

#[test]
fn a_damaged_base_fails_the_backup_or_does_no_harm() {
    let mut content = rows(70, 300).concat();
    let mut backups = Backups::default();
    backups.add_stream(SMALL, &content);
    content.extend_from_slice(b"and one row more\n");
    let (whole, seal) = backups.0[0].clone();
    let mut refused = 0;
    for at in (0..whole.len()).step_by(131) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        let write = || -> Result<(), PipelineError> {
            let base = ArchiveReader::open(Arc::new(Stored(bytes)), &ring(), &seal, id(0))?;
            let mut options = options(Codec::Zstd, true);
            options.archive_id = id(1);
            let sink = Memory::default();
            let mut writer =
                ArchiveWriter::create_on_with_cuts(&base, Box::new(sink.clone()), &KEY, &options, &Fixed, SMALL)?;
            let mut part = writer.part("database")?;
            part.append_stream(&path("database.dump"), &mut &*content)?;
            let seal = writer.finish()?;
            let after = Backups(vec![(whole.clone(), backups.0[0].1.clone()), (sink.bytes(), seal)]);
            after.check("database", &[("database.dump", &content)]);
            Ok(())
        };
        match write() {
            Ok(()) => {}
            Err(PipelineError::Integrity { .. }) => refused += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(refused > 5, "{refused}");
}

#[test]
fn of_an_entry_in_very_many_pieces_the_rest_is_stored() {
    let cuts = Cuts { extents: 20, ..SMALL };
    let mut rows = rows(80, 3000);
    let mut backups = Backups::default();
    backups.add_stream(cuts, &rows.concat());
    for row in rows.iter_mut().step_by(100) {
        row.push(b'!');
    }
    let content = rows.concat();
    let stored = backups.add_stream(cuts, &content);
    assert!(stored > content.len() as u64 / 2, "{stored}");
    let places = fuzzing::places(&backups.newest(), "database").unwrap();
    assert!(places[0].extents.len() < 40, "{}", places[0].extents.len());
    // The next one finds again what this one stored.
    backups.add_stream(SMALL, &content);
    assert!(
        fuzzing::places(&backups.newest(), "database").unwrap()[0]
            .extents
            .iter()
            .all(|(archive, ..)| *archive > 0)
    );
}

#[test]
fn what_tar_extracts_under_its_own_name_is_whole() {
    let (old, new) = (noise(90, 100_000), noise(91, 50_000));
    let changed = [&old[..50_000], b"changed", &old[50_000..]].concat();
    let mut backups = Backups::default();
    backups.add_files(Cuts::default(), &[("changed", &old), ("same", &old), ("small", b"old")]);
    backups.add_files(
        Cuts::default(),
        &[
            ("changed", &changed),
            ("empty", b""),
            ("new", &new),
            ("same", &old),
            ("small", b"new"),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let mut tar = std::process::Command::new("tar")
        .args(["--zstd", "-xf", "-"])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (bytes, seal) = &backups.0[1];
    let stored = Stored(bytes.clone());
    let mut plain = Vec::new();
    backup_archive::decrypt_to(&stored, &KEY, seal, &mut plain, &kit::job()).unwrap();
    tar.stdin.take().unwrap().write_all(&plain).unwrap();
    assert!(tar.wait().unwrap().success());
    let read = |name: &str| std::fs::read(folder.path().join("files").join(name)).ok();
    assert_eq!(
        (read("new"), read("empty"), read("small")),
        (Some(new), Some(Vec::new()), Some(b"new".to_vec()))
    );
    assert_eq!((read("changed"), read("same")), (None, None));
    let piece = std::fs::read(folder.path().join(".backup/delta/000000000")).unwrap();
    assert!(
        piece.windows(7).any(|bytes| bytes == b"changed") && piece.len() < 50_000,
        "{}",
        piece.len()
    );
}

/// A stored file on disk.
struct OnDisk(File);

impl ByteSink for OnDisk {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0
            .write_all(&bytes)
            .map_err(|error| PipelineError::failed(error.to_string(), ""))
    }
}

impl ByteSource for OnDisk {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.0.metadata().unwrap().len())
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        let mut bytes = vec![0; len];
        self.0.read_exact_at(&mut bytes, offset).unwrap();
        Ok(bytes.into())
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        let mut file = self.0.try_clone().unwrap();
        file.seek(SeekFrom::Start(offset)).unwrap();
        Ok(Box::new(file))
    }
}

#[test]
#[ignore = "measures the memory of a process of its own: started by the test below"]
fn a_million_files_again() {
    let before = high_water();
    let file = tempfile::tempfile().unwrap();
    let mut options = options(Codec::Zstd, true);
    let entry = |number: usize| Entry {
        identity: Some(FileIdentity {
            inode: number as u64,
            changed_secs: TIME - 100,
            changed_nanos: 0,
        }),
        modified_secs: TIME - 100,
        ..kit::file(format!("folder-{:04}/file-{number:08}", number / 1000).as_bytes(), 20)
    };
    let text = |number: usize| format!("content {number:012}");
    let sink = Box::new(OnDisk(file.try_clone().unwrap()));
    let mut writer = ArchiveWriter::create(sink, &KEY, options, &Fixed).unwrap();
    let mut part = writer.part("files").unwrap();
    for number in 0..1_000_000 {
        part.append(&entry(number), &mut text(number).as_bytes()).unwrap();
    }
    let seal = writer.finish().unwrap();
    let full = high_water() - before;
    let base = ArchiveReader::open(Arc::new(OnDisk(file)), &ring(), &seal, kit::ID).unwrap();
    options.archive_id = id(1);
    options.created_at_secs = TIME + 86_400;
    let sink = Box::new(OnDisk(tempfile::tempfile().unwrap()));
    let mut writer = ArchiveWriter::create_on(&base, sink, &KEY, options, &Fixed).unwrap();
    let mut part = writer.part("files").unwrap();
    for number in 0..1_000_000 {
        let mut entry = entry(number);
        if number % 10 == 0 {
            entry.identity = None;
            part.append(&entry, &mut text(number + number % 20).as_bytes()).unwrap();
        } else {
            assert!(part.append_unchanged(&entry).unwrap().is_some());
        }
    }
    let again = writer.finish().unwrap();
    let grown = high_water() - before;
    println!(
        "grown {full} and {grown} KiB; {} and {} bytes",
        seal.size_bytes, again.size_bytes
    );
    assert!(grown < 100 << 10, "the writer took {grown} KiB");
}

#[test]
fn a_million_files_need_little_memory() {
    alone("a_million_files_again");
}
