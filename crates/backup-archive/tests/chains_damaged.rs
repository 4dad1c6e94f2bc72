//! A chain of which an archive is missing, swapped, cut or damaged is refused, and says which archive it is. An index that
//! lies, though it is sealed rightly, is refused too, within bounds.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use backup_archive::fuzzing::linked::{Linked, Place};
use backup_archive::{ArchiveReader, ByteSource};
use backup_core::receipt::Codec;
use backup_core::{EntryKind, PartReader, PipelineError};
use bytes::Bytes;
use kit::chain::{Link, carried, full, id, on_top, open, options_of};
use kit::{Item, SMALL, entry, file, job, noise, path, read_all, read_part};
use openssl::sha::sha256;
use proptest::prelude::*;

/// Three archives. `all` has content of each, `last` stands in the last one alone.
fn three() -> (Vec<Link>, Vec<Item>) {
    let (first, second, third) = (noise(1, 30_000), noise(2, 30_000), noise(3, 30_000));
    let mut chain = vec![full(Codec::Gzip, true, SMALL, &[(file(b"all", 30_000), first.clone())])];
    let places = carried(&chain).remove(0).1;
    let add = |chain: &mut Vec<Link>, places: &[Place], fresh: &[u8], content: &[u8]| {
        let number = chain.len();
        let link = on_top(chain, &options_of(number, Codec::Gzip, true), (4096, 2048), |linked| {
            linked.part("files")?;
            let mut places = places.to_vec();
            places.push(linked.store(fresh)?);
            linked.entry(&file(b"all", content.len()), &places, Some(sha256(content)))?;
            linked.whole(&file(b"last", 5000), &noise(9, 5000))
        });
        chain.push(link);
    };
    let content = [first.as_slice(), &second].concat();
    add(&mut chain, &places, &second, &content);
    let places = carried(&chain).remove(0).1;
    let content = [content.as_slice(), &third].concat();
    add(&mut chain, &places, &third, &content);
    let items = vec![
        (file(b"all", content.len()), content),
        (file(b"last", 5000), noise(9, 5000)),
    ];
    (chain, items)
}

fn is_integrity(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Integrity { .. })
}

/// Reads all of a chain in both ways; every byte that comes out must be right. Returns the errors.
fn read_right_bytes(reader: &ArchiveReader, items: &[Item]) -> Vec<PipelineError> {
    let mut errors = Vec::new();
    let mut check = |right: &[u8], content: &mut dyn Read| {
        let mut read = Vec::new();
        let result = content.read_to_end(&mut read);
        assert!(right.starts_with(&read), "a wrong byte was released");
        match result {
            Ok(length) => assert_eq!(length, right.len(), "an end was released too early"),
            Err(error) => errors.push(error.downcast::<PipelineError>().unwrap()),
        }
    };
    let mut stream = reader.part("files").unwrap();
    for (entry, content) in items {
        assert!(stream.next_entry().unwrap().unwrap() == *entry);
        check(content, stream.content());
    }
    for (entry, content) in items {
        let (_, mut found) = reader.open_file("files", &entry.path).unwrap().unwrap();
        check(content, found.as_mut());
    }
    errors
}

#[test]
fn a_damaged_base_is_refused_by_name() {
    let (chain, items) = three();
    assert!(read_right_bytes(&open(&chain).unwrap(), &items).is_empty());
    for number in 0..2 {
        let name = hex::encode(id(number));
        for at in (16..chain[number].bytes.len() - 2000).step_by(997) {
            let mut chain = chain.clone();
            chain[number].bytes[at] ^= 4;
            let reader = open(&chain).unwrap();
            let mut errors = read_right_bytes(&reader, &items);
            // What nobody needs may be damaged without harm.
            let whole = reader.verify_content(&job());
            assert_eq!(whole.is_err(), !errors.is_empty(), "{number} at {at}");
            let stored = chain[number].open().unwrap().verify_stored(&job()).unwrap_err();
            assert!(is_integrity(&stored));
            errors.extend(whole.err());
            // Whoever goes on after the damage is told that it failed before.
            errors.retain(|error| !error.to_string().contains("has failed before"));
            for error in errors {
                assert!(is_integrity(&error), "{error:?}");
                let text = error.to_string();
                assert!(
                    text.contains(&name) && text.contains("damaged"),
                    "{number} at {at}: {text}"
                );
            }
        }
    }
    // Damage of the last archive itself is not blamed on another one.
    let mut damaged = chain.clone();
    damaged[2].bytes[20_000] ^= 1;
    let error = open(&damaged).unwrap().verify_content(&job()).unwrap_err().to_string();
    assert!(error.contains("damaged") && !error.contains("builds"), "{error}");
}

#[test]
fn a_missing_swapped_or_cut_base_is_refused() {
    let (chain, items) = three();
    let [first, second, third] = [0, 1, 2].map(|number: usize| chain[number].open().unwrap());
    let names: Vec<_> = third.bases().iter().map(|base| base.archive_id).collect();
    assert_eq!(names, [id(1), id(0)]);

    // Without its bases it is an index, and what stands in itself.
    let reader = chain[2].open().unwrap();
    assert!(reader.find("files", &path("all")).unwrap().is_some());
    let mut stream = reader.part("files").unwrap();
    stream.next_entry().unwrap().unwrap();
    let error = read_all(stream.content()).unwrap_err();
    let names_it = |error: &PipelineError| {
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains(&hex::encode(id(0)))
    };
    assert!(names_it(&error), "{error}");
    stream.next_entry().unwrap().unwrap();
    assert!(read_all(stream.content()).unwrap() == items[1].1);
    assert!(names_it(&reader.open_file("files", &path("all")).err().unwrap()));
    let (_, mut last) = reader.open_file("files", &path("last")).unwrap().unwrap();
    assert!(read_all(last.as_mut()).unwrap() == items[1].1);
    assert!(names_it(&reader.verify_content(&job()).unwrap_err()));

    let refused = |bases: &[ArchiveReader], text: &str| {
        let error = chain[2].open().unwrap().attach(bases).unwrap_err();
        assert!(is_integrity(&error) && error.to_string().contains(text), "{error}");
    };
    refused(std::slice::from_ref(&second), "1 are at hand");
    refused(&[first, second], "another archive");
    // The same id, but another archive.
    let other = full(Codec::Gzip, true, SMALL, &[(file(b"all", 30_000), noise(8, 30_000))]);
    refused(&[chain[1].open().unwrap(), other.open().unwrap()], "another archive");
    // Cut, it does not even open.
    let cut = Link {
        bytes: chain[0].bytes[..20_000].to_vec(),
        ..chain[0].clone()
    };
    assert!(cut.open().unwrap_err().to_string().contains("truncated"));
}

/// A file that is away once its switch is set.
struct Away(kit::Stored, Arc<AtomicBool>);

impl ByteSource for Away {
    fn len(&self) -> Result<u64, PipelineError> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(PipelineError::unavailable("the storage is away", "Try again later."));
        }
        self.0.read_at(offset, len)
    }
    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        self.0.stream(offset)
    }
}

#[test]
fn storage_that_is_away_is_no_damage() {
    let (chain, items) = three();
    let switch = Arc::<AtomicBool>::default();
    let source = Away(kit::Stored(chain[0].bytes.clone()), switch.clone());
    let bases = [chain[1].open().unwrap(), chain[0].open_from(Arc::new(source)).unwrap()];
    let reader = chain[2].open().unwrap().attach(&bases).unwrap();
    switch.store(true, Ordering::SeqCst);
    let errors = read_right_bytes(&reader, &items);
    let away = |error: &PipelineError| {
        let text = error.to_string();
        matches!(error, PipelineError::Unavailable { .. })
            && text.contains("the storage is away (HINT: Try again later.)")
            && text.contains(&hex::encode(id(0)))
    };
    assert!(away(&errors[0]), "{}", errors[0]);
    assert!(away(&reader.verify_content(&job()).unwrap_err()));
}

/// An archive on top of a small full one, with these places as the content of a file.
fn lying(
    places: impl FnOnce(&mut Linked, &[Place]) -> Vec<Place>,
    digest: Option<[u8; 32]>,
) -> Result<ArchiveReader, PipelineError> {
    let mut items = vec![(file(b"f", 40_000), noise(1, 40_000))];
    items.extend((100..300).map(|number| (file(format!("g{number}").as_bytes(), 1), vec![7])));
    let chain = [full(Codec::Gzip, false, SMALL, &items)];
    let right = carried(&chain).remove(0).1;
    let link = on_top(&chain, &options_of(1, Codec::Gzip, false), (4096, 2048), |linked| {
        linked.part("files")?;
        let places = places(linked, &right);
        let length: u64 = places.iter().map(|place| place.2).fold(0, u64::wrapping_add);
        linked.entry(&entry(b"f", EntryKind::File { data: None }, length), &places, digest)
    });
    open(&[chain[0].clone(), link])
}

#[test]
fn an_index_that_lies_is_refused() {
    let refused = |places: &dyn Fn(&mut Linked, &[Place]) -> Vec<Place>, digest, text: &str| {
        let reader = lying(|linked, right| places(linked, right), digest).unwrap();
        let verified = reader.verify_content(&job()).unwrap_err();
        let read = read_part(&reader, "files").unwrap_err();
        let opened = reader
            .open_file("files", &path("f"))
            .and_then(|found| read_all(found.unwrap().1.as_mut()))
            .unwrap_err();
        for error in [verified, read, opened] {
            assert!(
                is_integrity(&error) && error.to_string().contains(text),
                "{text}: {error}"
            );
        }
    };
    refused(&|_, _| vec![(1, 1 << 20, 10)], None, "impossible place");
    refused(&|_, _| vec![(1, u64::MAX, 1)], None, "impossible place");
    refused(&|_, _| vec![(1, 5, u64::MAX)], None, "impossible place");
    refused(&|_, right| vec![(1, right[0].1, 10 << 20)], None, "impossible place");
    refused(&|_, _| vec![(2, 0, 10)], None, "not in the table");
    refused(&|_, _| vec![(u32::MAX, 0, 10)], None, "not in the table");
    refused(
        &|_, right| vec![right[0], (1, 1, u64::MAX - 40_000)],
        None,
        "impossible place",
    );
    refused(&|_, right| vec![right[0], (1, 1, u64::MAX)], None, "another length");
    // Among the files of the base are index segments: no content is there.
    refused(&|_, right| vec![(1, right[0].1, 200_000)], None, "no member holds");

    // Right pieces that are not what was backed up.
    refused(&|_, right| vec![right[0]], Some([7; 32]), "another SHA-256");

    // What only a check of the whole archive finds: content that stands in no file, or out of order.
    let found = |places: &dyn Fn(&mut Linked, &[Place]) -> Vec<Place>, digest, text: &str| {
        let reader = lying(|linked, right| places(linked, right), digest).unwrap();
        let error = reader.verify_content(&job()).unwrap_err();
        assert!(
            is_integrity(&error) && error.to_string().contains(text),
            "{text}: {error}"
        );
    };
    let right = Some(sha256(&noise(1, 40_000)));
    let reader = lying(|_, places| places.to_vec(), right).unwrap();
    reader.verify_content(&job()).unwrap();
    let not_held = "does not hold 'f' as indexed";
    let stored = |linked: &mut Linked| linked.store(&[5; 3000]).unwrap();
    found(&|linked, _| vec![(0, stored(linked).1 - 10, 20)], None, not_held);
    found(&|linked, _| vec![(0, stored(linked).1 + 2990, 20)], None, not_held);
    found(&|linked, _| vec![stored(linked), (0, 600, 20)], None, not_held);
    found(
        &|linked, _| {
            let (first, second) = (stored(linked), stored(linked));
            vec![second, first]
        },
        None,
        not_held,
    );
}

#[test]
fn very_many_scattered_pieces_are_read_in_bounds() {
    let mut order = Vec::new();
    let count = 300_000;
    let reader = lying(
        |_, right| {
            // Each in another member than the one before.
            let place = |number: u64| (1, right[0].1 + number * 6007 % 40_000, 1);
            let places: Vec<Place> = (0..count).map(place).collect();
            order.extend(places.iter().map(|place| place.1 - right[0].1));
            places
        },
        None,
    )
    .unwrap();
    let content = noise(1, 40_000);
    let expected: Vec<u8> = order.iter().map(|at| content[*at as usize]).collect();
    assert!(read_part(&reader, "files").unwrap()[0].1 == expected);
    // Empty pieces hold nothing up.
    let reader = lying(|_, right| [vec![(1, 0, 0); 100_000], right.to_vec()].concat(), None).unwrap();
    assert!(read_part(&reader, "files").unwrap()[0].1 == content);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_places_are_read_or_refused(
        places in prop::collection::vec((0u32..4, prop_oneof![0u64..300_000, any::<u64>()], prop_oneof![0u64..70_000, any::<u64>()]), 1..6),
        stored in 0usize..20_000,
    ) {
        let lie = |linked: &mut Linked, _: &[Place]| {
            linked.store(&noise(1, stored)).unwrap();
            places.clone()
        };
        let reader = lying(lie, None).unwrap();
        // Whatever it is, it is told as damage, and no more comes out than the index says.
        let integrity = |result: Result<(), PipelineError>| result.err().is_none_or(|error| is_integrity(&error));
        let length = places.iter().try_fold(0u64, |sum, place| sum.checked_add(place.2));
        let verified = integrity(reader.verify_content(&job()));
        let read = integrity(read_part(&reader, "files").map(|items| {
            assert_eq!(Some(items[0].1.len() as u64), length);
        }));
        let opened = reader.open_file("files", &path("f")).and_then(|found| read_all(found.unwrap().1.as_mut()));
        let opened = integrity(opened.map(|bytes| assert_eq!(Some(bytes.len() as u64), length)));
        prop_assert!(verified && read && opened);
    }
}

/// A file that tells when nobody holds it any more.
struct Held(kit::Stored, std::sync::mpsc::Sender<()>);

impl ByteSource for Held {
    fn len(&self) -> Result<u64, PipelineError> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        self.0.read_at(offset, len)
    }
    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        self.0.stream(offset)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _test_over = self.1.send(());
    }
}

#[test]
fn dropped_half_way_it_lets_go_of_everything() {
    let (chain, _) = three();
    let (gone, is_gone) = std::sync::mpsc::channel();
    let held = Held(kit::Stored(chain[0].bytes.clone()), gone);
    let bases = vec![chain[1].open().unwrap(), chain[0].open_from(Arc::new(held)).unwrap()];
    let reader = chain[2].open().unwrap().attach(&bases).unwrap();
    let mut stream = reader.part("files").unwrap();
    stream.next_entry().unwrap();
    stream.content().read_exact(&mut [0; 10]).unwrap();
    drop((stream, reader, bases));
    is_gone.recv().unwrap();
}
