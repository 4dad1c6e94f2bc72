//! A damaged, cut, swapped or foreign archive is refused, says which it is, and releases no wrong byte.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::sync::Arc;

use backup_archive::{ArchiveReader, Keyring};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSeal, PartReader, PipelineError};
use kit::{ID, Item, KEY, Stored, job, key, open, read_all, ring, sample};
use proptest::prelude::*;

/// Reads what can be read; every byte that comes out must be the right one. Returns the first error.
fn read_without_wrong_bytes(
    bytes: &[u8],
    seal: &ArchiveSeal,
    files: &[Item],
    dump: &[u8],
) -> Result<(), PipelineError> {
    let reader = open(bytes, seal)?;
    let mut error = None;
    for (part, expected) in [("database", None), ("files", Some(files))] {
        let read = (|| {
            let mut stream = reader.part(part)?;
            let mut number = 0;
            while let Some(entry) = stream.next_entry()? {
                let (right, whole) = match expected {
                    Some(items) => (items[number].1.as_slice(), Some(&items[number].0)),
                    None => (dump, None),
                };
                assert!(whole.is_none_or(|whole| *whole == entry), "a wrong entry was released");
                let mut content = Vec::new();
                let result = stream.content().read_to_end(&mut content);
                assert!(right.starts_with(&content), "a wrong byte was released");
                result.map_err(|error| error.downcast::<PipelineError>().unwrap())?;
                assert_eq!(content.len(), right.len(), "an end was released too early");
                number += 1;
            }
            assert!(expected.is_none_or(|items| number == items.len()));
            Ok(())
        })();
        error = error.or(read.err());
    }
    for (entry, content) in files {
        let read = reader.open_file("files", &entry.path).and_then(|file| {
            let (found, mut file) = file.expect("an entry is missing");
            assert!(found == *entry);
            let read = read_all(file.as_mut())?;
            assert!(read == *content, "a wrong byte was released");
            Ok(())
        });
        error = error.or(read.err());
    }
    let whole = reader
        .verify_stored(&job())
        .and_then(|()| reader.verify_content(&job()));
    match error {
        Some(error) => Err(error),
        None => whole,
    }
}

fn is_integrity(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Integrity { .. })
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    for (codec, encrypt) in [
        (Codec::Gzip, true),
        (Codec::Zstd, true),
        (Codec::Gzip, false),
        (Codec::None, true),
    ] {
        let (bytes, seal, files, dump) = sample(codec, encrypt);
        read_without_wrong_bytes(&bytes, &seal, &files, &dump).unwrap();
        // Every place near the head and the end (IV, first members; root, trailer, padding), samples between.
        let near = 120.min(bytes.len() / 4);
        let between = (near..bytes.len() - near).step_by(bytes.len() / 60);
        for at in (0..near)
            .step_by(7)
            .chain(between)
            .chain(bytes.len() - near..bytes.len())
        {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << (at % 8);
            let error = read_without_wrong_bytes(&damaged, &seal, &files, &dump).unwrap_err();
            assert!(is_integrity(&error), "{codec:?} at {at}: {error:?}");
            assert!(error.to_string().contains("damaged"), "{codec:?} at {at}: {error}");
            let stored = open(&damaged, &seal).and_then(|reader| reader.verify_stored(&job()));
            assert!(is_integrity(&stored.unwrap_err()), "{codec:?} at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_flipped_bit_and_any_cut_are_refused(seed: u64, bit in 0u8..8, codec in prop::sample::select(Codec::ALL), encrypt: bool) {
        let (bytes, seal, files, dump) = sample(codec, encrypt);
        let at = (seed % bytes.len() as u64) as usize;
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        let error = read_without_wrong_bytes(&damaged, &seal, &files, &dump).unwrap_err();
        prop_assert!(is_integrity(&error) && error.to_string().contains("damaged"), "{error}");
        let error = read_without_wrong_bytes(&bytes[..at], &seal, &files, &dump).unwrap_err();
        prop_assert!(is_integrity(&error) && error.to_string().contains("truncated"), "{error}");
    }
}

#[test]
fn a_cut_at_any_block_and_a_longer_file_are_refused_by_length() {
    for encrypt in [true, false] {
        let (bytes, seal, ..) = sample(Codec::Gzip, encrypt);
        for length in (0..bytes.len()).step_by(16 * 37).chain(bytes.len() - 40..bytes.len()) {
            let error = open(&bytes[..length], &seal).unwrap_err();
            assert!(
                is_integrity(&error) && error.to_string().contains("truncated"),
                "{length}: {error}"
            );
        }
        let longer = [bytes.as_slice(), &[0; 16]].concat();
        assert!(open(&longer, &seal).unwrap_err().to_string().contains("longer"));
    }
}

#[test]
fn a_file_cut_while_it_is_read_is_an_error() {
    // The storage says the full length and yields less.
    struct Short(Stored, usize);
    impl backup_archive::ByteSource for Short {
        fn len(&self) -> Result<u64, PipelineError> {
            self.0.len()
        }
        fn read_at(&self, offset: u64, len: usize) -> Result<bytes::Bytes, PipelineError> {
            self.0.read_at(offset, len)
        }
        fn stream(&self, offset: u64) -> Result<Box<dyn std::io::Read + Send>, PipelineError> {
            let length = (self.1 as u64).saturating_sub(offset);
            Ok(Box::new(std::io::Read::take(self.0.stream(offset)?, length)))
        }
    }
    let dump = kit::noise(4, 9_000_000);
    let (bytes, seal) = kit::write(
        &kit::options(Codec::Gzip, true),
        backup_archive::Cuts::default(),
        |writer| kit::append(writer, "files", &[(kit::file(b"a", dump.len()), dump.clone())]),
    );
    for cut in [0, 1, 4_000_000, 4_000_016, bytes.len() - 30_000] {
        let source = Arc::new(Short(Stored(bytes.clone()), cut));
        let reader = ArchiveReader::open(source, &ring(), &seal, ID).unwrap();
        assert!(is_integrity(&reader.verify_stored(&job()).unwrap_err()));
        let mut stream = reader.part("files").unwrap();
        stream.next_entry().unwrap();
        let mut content = Vec::new();
        if cut < 8_000_000 {
            assert!(stream.content().read_to_end(&mut content).is_err(), "cut at {cut}");
            assert!(
                stream.content().read_to_end(&mut content).is_err(),
                "it forgets at {cut}"
            );
        }
        assert!(dump.starts_with(&content));
    }
}

#[test]
fn the_wrong_key_is_named() {
    let (bytes, seal, files, _) = sample(Codec::Gzip, true);
    let source = || Arc::new(Stored(bytes.clone()));
    let wrong = key("another passphrase");
    let error = ArchiveReader::open(source(), &Keyring::new(wrong.clone(), vec![]), &seal, ID).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, PipelineError::WrongKey { .. }), "{text}");
    assert!(text.contains(&wrong.fingerprint()) && text.contains(&KEY.fingerprint()));
    // As a previous key it opens.
    let ring = Keyring::new(wrong.clone(), vec![KEY.clone()]);
    let reader = ArchiveReader::open(source(), &ring, &seal, ID).unwrap();
    assert_eq!(kit::read_part(&reader, "files").unwrap(), files);
    // A receipt that lies about the key.
    let lie = ArchiveSeal {
        key_fingerprint: wrong.fingerprint(),
        ..seal
    };
    assert!(is_integrity(
        &ArchiveReader::open(source(), &Keyring::new(wrong, vec![]), &lie, ID).unwrap_err()
    ));
}

#[test]
fn a_swapped_receipt_or_file_is_refused() {
    let (bytes, seal, ..) = sample(Codec::Gzip, true);
    let mut other = kit::options(Codec::Gzip, true);
    other.archive_id = *b"another archive!";
    let (other_bytes, other_seal) = kit::write(&other, kit::SMALL, |writer| {
        kit::append(writer, "files", &[(kit::file(b"a", 1), b"x".to_vec())])
    });
    // The other's receipt, and this one's id: by length, but the file is whole and says who it is.
    let error = open(&other_bytes, &seal).unwrap_err();
    assert!(
        is_integrity(&error) && error.to_string().contains("another archive"),
        "{error}"
    );
    // The right receipt for the file, but not for the backup.
    let error = open(&other_bytes, &other_seal).unwrap_err();
    assert!(
        is_integrity(&error) && error.to_string().contains("another archive"),
        "{error}"
    );
    // A receipt with only some fields swapped.
    for seal in [
        ArchiveSeal {
            index_hmac: other_seal.index_hmac.clone(),
            ..seal.clone()
        },
        ArchiveSeal {
            index_hmac: String::new(),
            ..seal.clone()
        },
        ArchiveSeal {
            encrypted: false,
            ..seal.clone()
        },
        ArchiveSeal {
            codec: Codec::Zstd,
            ..seal.clone()
        },
    ] {
        assert!(is_integrity(&open(&bytes, &seal).unwrap_err()));
    }
    for seal in [
        ArchiveSeal {
            hmac: other_seal.hmac.clone(),
            ..seal.clone()
        },
        ArchiveSeal {
            sha256: other_seal.sha256.clone(),
            ..seal.clone()
        },
    ] {
        assert!(is_integrity(
            &open(&bytes, &seal).unwrap().verify_stored(&job()).unwrap_err()
        ));
    }
    let newer = ArchiveSeal {
        format_version: 2,
        ..seal
    };
    assert!(open(&bytes, &newer).unwrap_err().to_string().contains("version 2"));
}

/// A file of zeros and a forged end, which tells how much was read of it at once.
struct Vast {
    size: u64,
    end: Vec<u8>,
    most: std::sync::atomic::AtomicUsize,
}

impl backup_archive::ByteSource for Vast {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.size)
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<bytes::Bytes, PipelineError> {
        self.most.fetch_max(len, std::sync::atomic::Ordering::SeqCst);
        let mut bytes = vec![0; len.min(100 << 20)];
        if offset + len as u64 == self.size {
            let at = bytes.len() - self.end.len();
            bytes[at..].copy_from_slice(&self.end);
        }
        Ok(bytes.into())
    }
    fn stream(&self, _: u64) -> Result<Box<dyn std::io::Read + Send>, PipelineError> {
        Ok(Box::new(std::io::empty()))
    }
}

#[test]
fn a_forged_end_does_not_decide_how_much_is_read() {
    let (bytes, seal, ..) = sample(Codec::Gzip, false);
    let size = 5 << 30;
    for stored in [200 << 20, u32::MAX] {
        // The fields of the trailer: where the root begins and how long it is, and the checksum.
        let mut end = bytes[bytes.len() - 90..].to_vec();
        let trailer_at = size - 90;
        end[16 + 28..16 + 36].copy_from_slice(&(trailer_at - u64::from(stored)).to_be_bytes());
        end[16 + 36..16 + 40].copy_from_slice(&stored.to_be_bytes());
        let checksum = libdeflater::crc32(&end[16..16 + 60]);
        end[16 + 60..16 + 64].copy_from_slice(&checksum.to_be_bytes());
        let source = Arc::new(Vast {
            size,
            end,
            most: 0.into(),
        });
        let seal = ArchiveSeal {
            size_bytes: size,
            ..seal.clone()
        };
        let error = ArchiveReader::open(source.clone(), &ring(), &seal, ID).unwrap_err();
        assert!(
            is_integrity(&error) && error.to_string().contains("impossible place"),
            "{error}"
        );
        let most = source.most.load(std::sync::atomic::Ordering::SeqCst);
        assert!(most < 1 << 20, "{most} bytes were read at once");
    }
}

#[test]
fn a_cancelled_check_stops() {
    let (bytes, seal, ..) = sample(Codec::Gzip, true);
    let reader = open(&bytes, &seal).unwrap();
    let job = job();
    job.cancel();
    assert!(matches!(reader.verify_stored(&job), Err(PipelineError::Cancelled)));
    assert!(matches!(reader.verify_content(&job), Err(PipelineError::Cancelled)));
}
