//! Archives made to do harm by somebody who has the key: the real writer seals them, the real reader trusts the seal.

use std::fs;
use std::io::{Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};

use backup_archive::{ArchiveKey, ArchiveReader, ArchiveWriter, ByteSink, ByteSource, Keyring, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSink as _, EntryKind, PipelineError, Random, Target as _};
use backup_sources::{FilesDrill, FilesTarget, FilesTargetOptions};
use backup_tests::tree::Scratch;
use bytes::Bytes;

use crate::hostile::{Entries, entry, file, hard_link, symlink};
use crate::job;

const ID: [u8; 16] = *b"0123456789abcdef";

#[derive(Clone, Default)]
struct Blob(Arc<Mutex<Vec<u8>>>);

impl Blob {
    fn from(&self, offset: u64) -> Vec<u8> {
        let bytes = self.0.lock().unwrap();
        bytes[usize::try_from(offset).unwrap()..].to_vec()
    }
}

impl ByteSink for Blob {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        self.0.lock().unwrap().extend_from_slice(&bytes);
        Ok(())
    }
}

impl ByteSource for Blob {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.from(0).len() as u64)
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        Ok(Bytes::copy_from_slice(&self.from(offset)[..len]))
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        Ok(Box::new(Cursor::new(self.from(offset))))
    }
}

struct Fixed;

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0x5a);
        Ok(())
    }
}

/// An archive with these entries; an error where the writer does not make one.
fn seal(key: &ArchiveKey, entries: &Entries) -> Result<ArchiveReader, PipelineError> {
    let options = WriterOptions {
        codec: Codec::Gzip,
        encrypt: true,
        archive_id: ID,
        workers: 1,
        created_at_secs: 1_750_000_000,
    };
    let blob = Blob::default();
    let mut writer = ArchiveWriter::create(Box::new(blob.clone()), key, options, &Fixed)?;
    let mut part = writer.part("files")?;
    for (entry, content) in entries {
        part.append(entry, &mut content.as_slice())?;
    }
    part.finish()?;
    let seal = writer.finish()?;
    ArchiveReader::open(Arc::new(blob), &Keyring::new(key.clone(), Vec::new()), &seal, ID)
}

#[test]
fn the_right_key_opens_no_way_out() {
    let key = ArchiveKey::from_passphrase(&"correct horse battery staple".into()).unwrap();
    let outside = Scratch::new();
    let victim = outside.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    let sparse = |size: u64| {
        let (mut entry, content) = file("s");
        (entry.size, entry.kind) = (
            size,
            EntryKind::File {
                data: Some(vec![(size - 4, 4)]),
            },
        );
        (entry, content)
    };
    let to = outside.path();
    // What of it the writer makes, and what the target makes of that.
    let cases: Vec<(&str, bool, Entries)> = vec![
        (
            "honest",
            true,
            vec![entry("a", EntryKind::Directory), file("a/b"), sparse(1 << 40)],
        ),
        ("through a link", false, vec![symlink("a", to), file("a/new")]),
        ("over a link", false, vec![symlink("a", &victim), file("a")]),
        (
            "a hard link through a link",
            true,
            vec![symlink("a", to), hard_link("b", "a/victim")],
        ),
        ("a hard link to what is not there", true, vec![hard_link("b", "a")]),
        (
            "a hard link to what comes later",
            true,
            vec![hard_link("b", "c"), file("c")],
        ),
        (
            "a hard link to a folder",
            true,
            vec![entry("a", EntryKind::Directory), hard_link("b", "a")],
        ),
        ("twice", false, vec![file("a"), file("a")]),
        ("out of order", false, vec![file("b"), file("a")]),
        ("below a file", false, vec![file("a"), file("a/b")]),
        ("a root that is a link", true, vec![symlink("", to)]),
        ("a long name", true, vec![file(&"n".repeat(300))]),
        ("too deep", true, vec![file(&vec!["d"; 200_000].join("/"))]),
        ("larger than any file", true, vec![sparse(u64::MAX)]),
        (
            "links alone",
            true,
            vec![
                symlink("a", to),
                symlink("b", Path::new("../outside")),
                hard_link("c", "a"),
            ],
        ),
    ];
    for (what, is_made, entries) in cases {
        let archive = seal(&key, &entries);
        assert_eq!(archive.is_ok(), is_made, "{what}: {archive:?}");
        let Ok(archive) = archive else { continue };
        let parent = Scratch::new();
        let dir = parent.path().join("target");
        let mut target = FilesTarget::new(dir.clone(), FilesTargetOptions::default());
        let restored = target.restore(&mut archive.part("files").unwrap(), &job());
        assert_eq!(
            restored.is_ok(),
            ["honest", "links alone"].contains(&what),
            "{what}: {restored:?}"
        );
        assert_eq!(restored.is_ok(), dir.exists(), "{what}");
        let mut drill = FilesDrill::new(&parent.path().join("drills"), "1");
        let drilled = drill.restore(&mut archive.part("files").unwrap(), &job());
        assert!(restored.is_ok() || drilled.is_err(), "{what}");
        assert_eq!(fs::read_dir(parent.path().join("drills")).unwrap().count(), 0, "{what}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine", "{what}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1, "{what}");
    }
}
