//! The test vectors in `docs/archive-format.md` are what this program reads and writes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::collections::BTreeMap;
use std::sync::Arc;

use backup_archive::{ArchiveReader, ArchiveWriter, Cuts, Keyring, WriterOptions};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, ArchiveSink};
use kit::{Memory, Stored, job, options, path, read_part, write};

/// `NAME = VALUE` lines of the document's vectors; the archive's hex is folded over lines that begin with a space.
fn vectors() -> BTreeMap<String, String> {
    let document = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/archive-format.md");
    let text = std::fs::read_to_string(document).unwrap();
    let text = text.split_once("```vectors\n").unwrap().1.split_once("```").unwrap().0;
    let text = text.replace("\n  ", "");
    let pairs = text
        .lines()
        .map(|line| line.split_once(" = ").unwrap_or_else(|| panic!("{line}")));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn tiny(codec: Codec) -> (Vec<u8>, ArchiveSeal) {
    write(&options(codec, true), Cuts::default(), |writer| {
        let mut part = writer.part("database")?;
        part.append_stream(&path("database.dump"), &mut &b"the dump"[..])?;
        let mut part = writer.part("files")?;
        part.append(&kit::file(b"hello.txt", 6), &mut &b"hello\n"[..]).map(drop)
    })
}

/// An archive that builds on the tiny one: the dump is the same, the file is another, and there is one more.
fn next_day(bytes: &[u8], seal: &ArchiveSeal) -> (Vec<u8>, ArchiveSeal) {
    let options = WriterOptions {
        archive_id: *b"fedcba9876543210",
        created_at_secs: 1_750_086_400,
        ..options(Codec::None, true)
    };
    let (base, sink) = (kit::open(bytes, seal).unwrap(), Memory::default());
    let mut writer = ArchiveWriter::create_on(&base, Box::new(sink.clone()), &kit::KEY, options, &kit::Fixed).unwrap();
    let mut part = writer.part("database").unwrap();
    part.append_stream(&path("database.dump"), &mut &b"the dump"[..])
        .unwrap();
    let mut part = writer.part("files").unwrap();
    for (name, content) in [("hello.txt", b"hello, you\n"), ("new.txt", b"nothing old")] {
        part.append(&kit::file(name.as_bytes(), content.len()), &mut &content[..])
            .unwrap();
    }
    let seal = writer.finish().unwrap();
    (sink.bytes(), seal)
}

#[test]
fn the_documents_archive_opens() {
    let vectors = vectors();
    let value = |name: &str| vectors[name].clone();
    let key = kit::key(&value("passphrase"));
    assert_eq!(key.fingerprint(), value("key fingerprint"));
    assert_eq!(key.mac("receipt", b"text"), value("mac receipt text"));
    let bytes = hex::decode(value("archive")).unwrap();
    let seal = ArchiveSeal {
        format_version: 1,
        codec: Codec::Gzip,
        encrypted: true,
        key_fingerprint: key.fingerprint(),
        size_bytes: bytes.len() as u64,
        sha256: value("sha256"),
        hmac: value("hmac"),
        index_hmac: value("index hmac"),
        tar_bytes: value("tar bytes").parse().unwrap(),
    };
    let id = hex::decode(value("archive id")).unwrap().try_into().unwrap();
    let ring = Keyring::new(key, Vec::new());
    let reader = ArchiveReader::open(Arc::new(Stored(bytes)), &ring, &seal, id).unwrap();
    reader.verify_stored(&job()).unwrap();
    reader.verify_content(&job()).unwrap();
    assert_eq!(read_part(&reader, "database").unwrap()[0].1, b"the dump");
    let (entry, content) = read_part(&reader, "files").unwrap().remove(0);
    assert_eq!((entry.path, content), (path("hello.txt"), b"hello\n".to_vec()));
}

#[test]
fn what_is_written_today_is_what_the_document_says() {
    // Stored, not compressed, so that it does not change with the library that compresses.
    let (bytes, seal) = tiny(Codec::None);
    assert_eq!(seal.sha256, vectors()["sha256 of the same archive with codec none"]);
    assert_eq!(bytes[..16], [0x5a; 16]);
    let (_, dependent) = next_day(&bytes, &seal);
    assert_eq!(dependent.sha256, vectors()["sha256 of the archive of the next day"]);
}

/// Prints the vectors: `cargo test -p backup-archive --test format -- --ignored --nocapture`.
#[test]
#[ignore = "prints the document's vectors"]
fn print_vectors() {
    let (bytes, seal) = tiny(Codec::Gzip);
    println!("```vectors");
    println!("passphrase = {}", kit::PASSPHRASE);
    println!("key fingerprint = {}", kit::KEY.fingerprint());
    println!("mac receipt text = {}", kit::KEY.mac("receipt", b"text"));
    println!("archive id = {}", hex::encode(kit::ID));
    println!(
        "sha256 = {}\nhmac = {}\nindex hmac = {}",
        seal.sha256, seal.hmac, seal.index_hmac
    );
    println!("tar bytes = {}", seal.tar_bytes);
    println!(
        "sha256 of the same archive with codec none = {}",
        tiny(Codec::None).1.sha256
    );
    let (bytes_none, seal_none) = tiny(Codec::None);
    println!(
        "sha256 of the archive of the next day = {}",
        next_day(&bytes_none, &seal_none).1.sha256
    );
    print!("archive = ");
    for line in bytes.chunks(55) {
        print!("\n  {}", hex::encode(line));
    }
    println!("\n```");
}
