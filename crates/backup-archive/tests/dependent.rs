//! Archives that build on others: what did not change is not stored again, and everything comes out as it was.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use backup_archive::{Cuts, fuzzing};
use backup_core::{ArchiveSink, Entry, EntryKind, FileIdentity};
use kit::backups::{Backups, TIME, rows};
use kit::{SMALL, entry, everything, file, noise, path};
use openssl::sha::sha256;
use proptest::prelude::*;

#[test]
fn an_unchanged_stream_is_not_stored_again() {
    let content = rows(1, 60_000).concat();
    let mut backups = Backups::default();
    assert_eq!(backups.add_stream(Cuts::default(), &content), content.len() as u64);
    for _ in 0..3 {
        assert_eq!(backups.add_stream(Cuts::default(), &content), 0);
        let size = backups.0.last().unwrap().0.len();
        assert!(size < content.len() / 1000, "{size} of {}", content.len());
    }
    let places = fuzzing::places(&backups.newest(), "database").unwrap();
    assert!(places[0].extents.len() <= 4 && places[0].digest == Some(sha256(&content)));
}

#[test]
fn of_rows_changed_at_random_little_more_than_those_is_stored() {
    let wide = |seed| rows(seed, 200_000).chunks(4).map(<[_]>::concat).collect::<Vec<_>>();
    let (mut rows, new) = (wide(2), wide(4));
    let mut backups = Backups::default();
    backups.add_stream(Cuts::default(), &rows.concat());
    // One of a hundred: deleted, inserted, updated.
    let mut changes = 0;
    for (number, choice) in noise(3, rows.len() * 2).chunks(2).enumerate() {
        match u16::from_be_bytes([choice[0], choice[1]]) {
            0..218 => rows[number].clear(),
            218..436 => rows[number].extend_from_slice(&new[number]),
            436..654 => rows[number].clone_from(&new[number]),
            _ => continue,
        }
        changes += 1;
    }
    let content = rows.concat();
    let stored = backups.add_stream(Cuts::default(), &content);
    let (each, share) = (stored / changes, stored as f64 * 100.0 / content.len() as f64);
    println!("{changes} changes: {stored} bytes ({share:.2} %), {each} for each");
    assert!(share < 8.0 && each < 3000, "{share} %, {each} for each of {changes}");
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
        let mut backups = Backups::default();
        backups.add_stream(cuts, &order(&[0, 1, 2, 3]));
        let content = order(new);
        let inserted = if new.contains(&4) { tables[4].len() as u64 } else { 0 };
        let stored = backups.add_stream(cuts, &content) - inserted;
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
    let mut backups = Backups::default();
    backups.add_files(SMALL, &[("a", &big), ("b", &other), ("c", small), ("d", b"")]);
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
    let stored = backups.add_files(SMALL, new);
    println!("{stored:?}");
    assert!(stored[0] < 40_000 && stored[1] < 100_000, "{stored:?}");
    assert_eq!(stored[2..], [0, 0, 0, 0, 0, 14]);
    // The same once more: everything is in the backups.
    assert_eq!(backups.add_files(SMALL, new), [0; 8]);
}

/// To fetch a page of signatures for each small file would take days where there are millions, and so would their restore.
#[test]
fn what_was_dealt_out_anew_in_small_pieces_is_stored_again() {
    const FILES: usize = 4000;
    let contents: Vec<Vec<u8>> = (0..FILES).map(|number| noise(number as u64, 500)).collect();
    let stored = |jumps| {
        // A window is less than a page, as it is of files with usual cuts.
        let window_bytes = 2 << 10;
        let cuts = Cuts {
            jumps,
            window_bytes,
            ..SMALL
        };
        let mut backups = Backups::default();
        let mut add = |folder: &str, step: usize| -> u64 {
            let names: Vec<String> = (0..FILES).map(|number| format!("{folder}/{number:04}")).collect();
            let content = |number: usize| contents[number * step % FILES].as_slice();
            let files = names
                .iter()
                .zip(0..)
                .map(|(name, number)| (name.as_str(), content(number)));
            let files: Vec<(&str, &[u8])> = files.collect();
            backups.add_files(cuts, &files).iter().sum()
        };
        (add("by date", 1), add("by name", 1237))
    };
    assert_eq!(stored(FILES as u64), (2_000_000, 0));
    let (_, again) = stored(4);
    assert!((1_000_000..2_000_000).contains(&again), "{again}");
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
    let old = identified("old", 5000, TIME - 61);
    let racy = identified("racy", 5000, TIME - 60);
    let mut touched = identified("touched", 5000, TIME - 100);
    let mut backups = Backups::default();
    backups.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        for entry in [&old, &racy, &touched] {
            assert_eq!(part.append_unchanged(entry)?, None);
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
    backups.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        assert_eq!(part.append_unchanged(&renamed)?, Some(5000));
        for entry in [&racy, &touched] {
            assert_eq!(part.append_unchanged(entry)?, None, "{}", entry.path);
            part.append(entry, &mut &*content)?;
        }
        part.finish()
    });
    let all: [(&str, &[u8]); 3] = [("old", &content), ("racy", &content), ("touched", &content)];
    assert_eq!(backups.check("files", &all), [0; 3]);
    let places = fuzzing::places(&backups.newest(), "files").unwrap();
    assert_eq!(places[0].entry, renamed);
    assert_eq!(places[0].digest, None);
    // What was racy then is old now.
    backups.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        for entry in [&old, &racy, &touched] {
            assert_eq!(part.append_unchanged(entry)?, Some(5000), "{}", entry.path);
        }
        part.finish()
    });
    assert_eq!(backups.check("files", &all), [0; 3]);
}

#[test]
fn a_file_that_was_not_read_whole_or_moved_meanwhile_is_read_again() {
    let content = noise(31, 5000);
    let [cut, moved, whole] = ["cut", "moved", "whole"].map(|name| identified(name, 5000, TIME - 100));
    let mut backups = Backups::default();
    backups.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        assert_eq!(part.append(&cut, &mut &content[..4000])?, 4000);
        part.append_file(&moved, &mut &*content, &mut || false)?;
        part.append_file(&whole, &mut &*content, &mut || true)?;
        part.finish()
    });
    backups.add(SMALL, |writer| {
        let mut part = writer.part("files")?;
        for entry in [&cut, &moved] {
            assert_eq!(part.append_unchanged(entry)?, None, "{}", entry.path);
            part.append(entry, &mut &*content)?;
        }
        assert_eq!(part.append_unchanged(&whole)?, Some(5000));
        part.finish()
    });
    let all: [(&str, &[u8]); 3] = [("cut", &content), ("moved", &content), ("whole", &content)];
    backups.check("files", &all);
}

#[test]
fn every_kind_of_entry_is_carried_or_appended_again() {
    let items = everything();
    let unread = |entry: &Entry| {
        let identity = matches!(entry.kind, EntryKind::File { .. }).then_some(FileIdentity {
            inode: 1,
            changed_secs: TIME - 1000,
            changed_nanos: 0,
        });
        Entry {
            identity,
            ..entry.clone()
        }
    };
    let mut backups = Backups::default();
    for generation in 0..3 {
        backups.add(SMALL, |writer| {
            let mut part = writer.part("files")?;
            for (entry, content) in &items {
                let entry = unread(entry);
                let bare = Entry {
                    xattrs: Vec::new(),
                    kind: match &entry.kind {
                        EntryKind::File { .. } => EntryKind::File { data: None },
                        other => other.clone(),
                    },
                    ..entry.clone()
                };
                let carried = part.append_unchanged(&bare)?;
                let expected = (generation > 0 && !content.is_empty()).then_some(content.len() as u64);
                assert_eq!(carried, expected, "{}", entry.path);
                if carried.is_none() {
                    part.append(&entry, &mut content.as_slice())?;
                }
            }
            part.finish()
        });
        let reader = backups.newest();
        let places = fuzzing::places(&reader, "files").unwrap();
        assert_eq!(places.len(), items.len());
        for (place, (entry, content)) in places.iter().zip(&items) {
            assert_eq!(place.entry, unread(entry));
            assert!(
                fuzzing::gather(&reader, &place.extents).unwrap() == *content,
                "{}",
                entry.path
            );
        }
    }
}

#[test]
fn a_file_with_holes_is_matched_by_its_data() {
    let data = noise(40, 60_000);
    let sparse = |ranges: Vec<(u64, u64)>| entry(b"disk", EntryKind::File { data: Some(ranges) }, 1 << 20);
    let mut backups = Backups::default();
    for ranges in [vec![(4096, 60_000)], vec![(0, 30_000), (90_112, 30_000)]] {
        backups.add(SMALL, |writer| {
            let mut part = writer.part("files")?;
            part.append(&sparse(ranges.clone()), &mut &*data)?;
            part.finish()
        });
        let (reader, own) = (backups.newest(), fuzzing::places(&backups.newest(), "files").unwrap());
        assert!(fuzzing::gather(&reader, &own[0].extents).unwrap() == data);
        assert_eq!(own[0].entry, sparse(ranges));
    }
    let places = fuzzing::places(&backups.newest(), "files").unwrap();
    assert!(places[0].extents.iter().all(|(archive, ..)| *archive == 1));
    assert_eq!(places[0].digest, Some(sha256(&data)));
}

#[test]
fn a_chain_says_all_that_it_needs_and_holds_each_change_once() {
    let mut rows = rows(50, 4000);
    let mut backups = Backups::default();
    for day in 0..6 {
        for row in rows.iter_mut().skip(day * 7).step_by(211) {
            *row = format!("changed on day {day}\n").into_bytes();
        }
        let stored = backups.add_stream(SMALL, &rows.concat());
        assert!(day == 0 || (1..100_000).contains(&stored), "{stored} on day {day}");
        let bases: Vec<[u8; 16]> = backups.newest().bases().iter().map(|base| base.archive_id).collect();
        let expected: Vec<[u8; 16]> = (0..day).rev().map(kit::backups::id).collect();
        assert_eq!(bases, expected);
    }
}

/// A change of a stream: what, where, how much, of which kind.
type Edit = (u8, prop::sample::Index, usize, u64);

fn edit(content: &mut Vec<u8>, (what, at, length, seed): &Edit) {
    let at = at.index(content.len() + 1);
    let end = (at + length).min(content.len());
    match what {
        0 => drop(content.drain(at..end)),
        1 => drop(content.splice(at..at, noise(*seed, *length))),
        2 => content[at..end].copy_from_slice(&noise(*seed, end - at)),
        3 => content[at..end].fill(0),
        4 => {
            let moved: Vec<u8> = content.drain(at..end).collect();
            content.extend_from_slice(&moved);
        }
        _ => {
            let copied = content[at..end].to_vec();
            drop(content.splice(0..0, copied));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_comes_out_as_it_is(
        length in 0..120_000usize,
        edits in prop::collection::vec(prop::collection::vec((0..6u8, any::<prop::sample::Index>(), 0..20_000usize, any::<u64>()), 0..5), 1..4),
        (stream_blocks, file_blocks, page_blocks, anchor_rows) in (8..12u8, 8..14u8, 1..60usize, 1..20usize),
        (file_bytes, window_bytes, extents) in (1..16_000u64, 0..100_000u64, 0..40usize),
        (member_bytes, segment_bytes) in (512..9000usize, 1..4000usize),
    ) {
        let cuts = Cuts { member_bytes, segment_bytes, file_bytes, file_blocks, stream_blocks, page_blocks, anchor_rows, window_bytes, extents, ..SMALL };
        let mut content = rows(60, length / 100).concat();
        content.extend_from_slice(&noise(61, length / 2));
        let mut backups = Backups::default();
        for (day, edits) in std::iter::once(&Vec::new()).chain(&edits).enumerate() {
            for change in edits {
                edit(&mut content, change);
            }
            let moved = format!("moved-{day}");
            let half = content.len() / 2;
            backups.add(cuts, |writer| {
                let mut part = writer.part("p")?;
                part.append(&file(b"file", half), &mut &content[..half])?;
                part.append(&file(moved.as_bytes(), content.len()), &mut &*content)?;
                part.append_stream(&path("stream"), &mut &*content)?;
                part.finish()
            });
            backups.check("p", &[("file", &content[..half]), (&moved, &content), ("stream", &content)]);
        }
    }
}
