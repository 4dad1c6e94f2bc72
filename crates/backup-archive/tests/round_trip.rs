//! What goes into an archive comes out of it: in sequence, by path, and as a listing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::io::Read;

use backup_archive::{ArchiveWriter, Cuts};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSink, Entry, EntryKind, PartReader, PipelineError};
use kit::{Item, SMALL, append, entry, everything, file, job, noise, open, options, path, read_all, read_part, write};
use proptest::prelude::*;

const ALL: [(Codec, bool); 6] = [
    (Codec::Gzip, true),
    (Codec::Gzip, false),
    (Codec::Zstd, true),
    (Codec::Zstd, false),
    (Codec::None, true),
    (Codec::None, false),
];

#[test]
fn every_kind_of_entry_comes_back_with_all_its_metadata() {
    for (codec, encrypt) in ALL {
        for cuts in [SMALL, Cuts::default()] {
            let items = everything();
            let (bytes, seal) = write(&options(codec, encrypt), cuts, |writer| append(writer, "files", &items));
            let reader = open(&bytes, &seal).unwrap();
            reader.verify_stored(&job()).unwrap();
            reader.verify_content(&job()).unwrap();
            assert_eq!(read_part(&reader, "files").unwrap(), items, "{codec:?} {encrypt}");
            for (entry, content) in &items {
                let (found, mut file) = reader.open_file("files", &entry.path).unwrap().unwrap();
                assert_eq!(&found, entry);
                assert_eq!(&read_all(file.as_mut()).unwrap(), content, "{}", entry.path);
            }
            assert_eq!(reader.find("files", &path("big/none")).unwrap(), None);
            assert_eq!(reader.find("files", &path("zzz")).unwrap(), None);
        }
    }
}

#[test]
fn a_stream_is_one_file_whatever_its_length() {
    for length in [0, 1, 4095, 1 << 20, (1 << 20) + 1, 3 << 20, 20_000_000] {
        let dump = noise(length as u64, length);
        let (bytes, seal) = write(&options(Codec::Gzip, true), Cuts::default(), |writer| {
            let mut part = writer.part("database")?;
            let stored = part.append_stream(&path("database.dump"), &mut Slow(&dump))?;
            assert_eq!(stored, length as u64);
            part.append(&file(b"globals.sql", 3), &mut &b"sql"[..])?;
            part.finish()
        });
        let reader = open(&bytes, &seal).unwrap();
        reader.verify_content(&job()).unwrap();
        let items = read_part(&reader, "database").unwrap();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].0.size, length as u64);
        assert!(items[0].1 == dump, "{length}");
        assert_eq!(items[1].1, b"sql");
    }
}

/// Yields a few bytes at a time, as a pipe does.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.0.len().min(buffer.len()).min(65_521);
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn an_entry_longer_than_many_segments_is_found_and_read() {
    let content = noise(5, 3_000_000);
    let dump = noise(6, 9_000_000);
    let small = Cuts {
        doubling_bytes: 200_000,
        ..SMALL
    };
    let (bytes, seal) = write(&options(Codec::Zstd, true), small, |writer| {
        append(
            writer,
            "files",
            &[
                (file(b"a", 1), b"x".to_vec()),
                (file(b"b", content.len()), content.clone()),
            ],
        )?;
        let mut part = writer.part("database")?;
        part.append_stream(&path("dump"), &mut dump.as_slice())?;
        Ok(())
    });
    let reader = open(&bytes, &seal).unwrap();
    reader.verify_content(&job()).unwrap();
    assert!(read_part(&reader, "files").unwrap()[1].1 == content);
    assert!(read_part(&reader, "database").unwrap()[0].1 == dump);
    let (_, mut file) = reader.open_file("database", &path("dump")).unwrap().unwrap();
    assert!(read_all(file.as_mut()).unwrap() == dump);
}

/// Else the table of its members, 40 bytes each, does not fit into the index.
#[test]
fn members_of_a_long_file_double_in_length() {
    const HEAD: &[u8] = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x0c\0BK\x08\0";
    let content: Vec<u8> = (0..200_000).flat_map(|line: u32| line.to_be_bytes()).collect();
    let members = |doubling_bytes| {
        let cuts = Cuts {
            doubling_bytes,
            ..SMALL
        };
        let (bytes, seal) = write(&options(Codec::Gzip, false), cuts, |writer| {
            append(writer, "files", &[(file(b"long", content.len()), content.clone())])
        });
        let reader = open(&bytes, &seal).unwrap();
        assert!(read_part(&reader, "files").unwrap()[0].1 == content);
        bytes.windows(HEAD.len()).filter(|window| *window == HEAD).count()
    };
    let (even, doubled) = (members(u64::MAX), members(20_000));
    assert!(even > 190, "{even} members of 4 KiB");
    assert!(doubled < even / 3, "{doubled} members, and {even} that do not double");
}

#[test]
fn content_that_ends_early_is_filled_up_and_reported() {
    let (bytes, seal) = write(&options(Codec::Gzip, true), SMALL, |writer| {
        let mut part = writer.part("files")?;
        assert_eq!(part.append(&file(b"a", 10_000), &mut &b"only this"[..])?, 9);
        assert_eq!(part.append(&file(b"b", 4), &mut &b"much longer"[..])?, 4);
        part.finish()
    });
    let items = read_part(&open(&bytes, &seal).unwrap(), "files").unwrap();
    assert_eq!(items[0].1, [b"only this".to_vec(), vec![0; 9991]].concat());
    assert_eq!(items[1].1, b"much");
}

#[test]
fn the_same_input_makes_the_same_archive_whatever_the_number_of_threads() {
    let items = everything();
    let archive = |workers| {
        let mut options = options(Codec::Gzip, true);
        options.workers = workers;
        write(&options, SMALL, |writer| append(writer, "files", &items))
    };
    let one = archive(1);
    for workers in [2, 3, 8] {
        assert!(archive(workers) == one);
    }
}

#[test]
fn an_archive_of_nothing_and_a_part_of_nothing_are_whole() {
    let (bytes, seal) = write(&options(Codec::Gzip, true), SMALL, |_| Ok(()));
    let reader = open(&bytes, &seal).unwrap();
    reader.verify_content(&job()).unwrap();
    assert!(reader.parts().is_empty() && reader.part("files").is_err());
    let (bytes, seal) = write(&options(Codec::Zstd, false), SMALL, |writer| {
        writer.part("empty")?;
        append(writer, "files", &everything())?;
        writer.part("last")?;
        Ok(())
    });
    let reader = open(&bytes, &seal).unwrap();
    reader.verify_content(&job()).unwrap();
    assert_eq!(reader.parts(), ["empty", "files", "last"]);
    assert!(read_part(&reader, "empty").unwrap().is_empty() && read_part(&reader, "last").unwrap().is_empty());
    assert_eq!(read_part(&reader, "files").unwrap(), everything());
}

#[test]
fn disorder_and_doubles_are_refused() {
    let refused = |fill: &dyn Fn(&mut ArchiveWriter) -> Result<(), PipelineError>| {
        let sink = Box::new(kit::Memory::default());
        let mut writer = ArchiveWriter::create(sink, &kit::KEY, options(Codec::Gzip, true), &kit::Fixed).unwrap();
        fill(&mut writer).unwrap_err().to_string()
    };
    let two = |first: &[u8], second: &[u8]| {
        refused(&|writer| append(writer, "files", &[(file(first, 0), vec![]), (file(second, 0), vec![])]))
    };
    assert!(two(b"b", b"a").contains("'a' cannot follow 'b'"));
    assert!(two(b"a", b"a").contains("cannot follow"));
    assert!(two(b"a", b"a/b").contains("no folder"));
    assert!(refused(&|writer| writer.part("../x").map(drop)).contains("name of a part"));
    assert!(refused(&|writer| writer.part(".backup").map(drop)).contains("name of a part"));
    let double = refused(&|writer| {
        writer.part("files")?;
        writer.part("files").map(drop)
    });
    assert!(double.contains("already has"));
    let overlap = EntryKind::File {
        data: Some(vec![(0, 10), (5, 10)]),
    };
    let overlap = refused(&|writer| append(writer, "files", &[(entry(b"s", overlap.clone(), 20), vec![0; 20])]));
    assert!(overlap.contains("overlap"));
}

#[test]
fn a_folder_is_listed_page_by_page_and_big_ones_are_jumped_over() {
    let mut items: Vec<Item> = Vec::new();
    for folder in 0..20 {
        if folder % 2 == 0 {
            items.push((
                entry(format!("d{folder:02}").as_bytes(), EntryKind::Directory, 0),
                vec![],
            ));
        }
        for number in 0..300 {
            items.push((file(format!("d{folder:02}/f{number:04}").as_bytes(), 1), vec![7]));
        }
    }
    items.push((file(b"d19.txt", 0), vec![]));
    let (bytes, seal) = write(&options(Codec::Gzip, true), SMALL, |writer| {
        append(writer, "files", &items)
    });
    let reader = open(&bytes, &seal).unwrap();
    let pages = |folder: &str, limit: usize| {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.path.clone());
            let page = reader.list("files", &path(folder), after.as_ref(), limit).unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    };
    for limit in [1, 3, 1000] {
        let top = pages("", limit);
        let names: Vec<String> = top.iter().map(|entry| entry.path.to_string()).collect();
        let mut expected: Vec<String> = (0..20).map(|folder| format!("d{folder:02}")).collect();
        expected.push("d19.txt".into());
        assert_eq!(names, expected);
        assert!(top[..20].iter().all(|entry| entry.kind == EntryKind::Directory));
    }
    assert_eq!(pages("d07", 7).len(), 300);
    assert_eq!(pages("d08", 299).len(), 300);
    assert!(pages("d08/f0001", 10).is_empty() && pages("none", 10).is_empty());
    let tree = |folder: &str, limit: usize| {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map(|entry| entry.path.clone());
            let page = reader.list_all("files", &path(folder), after.as_ref(), limit).unwrap();
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    };
    let entries: Vec<Entry> = items.iter().map(|(entry, _)| entry.clone()).collect();
    for limit in [7, 300, 10_000] {
        assert!(tree("", limit) == entries, "pages of {limit} are not the whole tree");
        assert_eq!(tree("d07", limit), pages("d07", limit));
        assert_eq!(tree("d08", limit), pages("d08", limit));
    }
    assert!(tree("d08/f0001", 10).is_empty() && tree("none", 10).is_empty());

    let amount = |at: &str, limit: u64| {
        let amount = reader.amount("files", &path(at), limit).unwrap();
        (amount.entries, amount.stored_bytes)
    };
    assert_eq!(amount("", 10_000), (items.len() as u64, 6000));
    // With its own entry, where it has one; what is named alike beside it does not count.
    assert_eq!((amount("d07", 10_000), amount("d08", 10_000)), ((300, 300), (301, 300)));
    assert_eq!((amount("d19", 10_000), amount("d19.txt", 10_000)), ((300, 300), (1, 0)));
    assert_eq!((amount("d08/f0001", 10_000), amount("none", 10_000)), ((1, 1), (0, 0)));
    assert_eq!((amount("d07", 7), amount("d07", 0)), ((7, 7), (0, 0)));
}

#[derive(Debug, Clone)]
enum Piece {
    File(Vec<u8>, usize),
    Stream(Vec<u8>, usize),
    Folder(Vec<u8>),
    Link(Vec<u8>, Vec<u8>),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let name = prop::collection::vec(prop::collection::vec(1u8.., 1..130), 1..4).prop_filter_map("path", |parts| {
        let path = parts.join(&b'/');
        backup_core::EntryPath::new(path.clone())
            .ok()
            .filter(|p| !p.is_root())
            .map(|_| path)
    });
    let size = prop_oneof![Just(0usize), 1..2000usize, 3500..4700usize, 0..60_000usize];
    let piece = prop_oneof![
        4 => (name.clone(), size.clone()).prop_map(|(name, size)| Piece::File(name, size)),
        1 => (name.clone(), size).prop_map(|(name, size)| Piece::Stream(name, size)),
        1 => name.clone().prop_map(Piece::Folder),
        1 => (name, prop::collection::vec(1u8.., 1..300)).prop_map(|(name, to)| Piece::Link(name, to)),
    ];
    prop::collection::vec(piece, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_entries_round_trips(
        pieces in pieces(),
        codec in prop::sample::select(Codec::ALL),
        encrypt: bool,
        member_bytes in 512usize..20_000,
        segment_bytes in 1usize..5000,
        workers in 1usize..4,
    ) {
        let mut sorted: Vec<(backup_core::EntryPath, Piece)> = pieces
            .into_iter()
            .map(|piece| {
                let (Piece::File(name, _) | Piece::Stream(name, _) | Piece::Folder(name) | Piece::Link(name, _)) = &piece;
                (path(name.clone()), piece)
            })
            .collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut kept: Vec<(backup_core::EntryPath, Piece)> = Vec::new();
        for (at, piece) in sorted {
            let clash = kept.iter().any(|(before, piece)| {
                *before == at || (at.is_under(before) && !matches!(piece, Piece::Folder(_)))
            });
            if !clash {
                kept.push((at, piece));
            }
        }
        let mut options = options(codec, encrypt);
        options.workers = workers;
        let cuts = Cuts { member_bytes, segment_bytes, doubling_bytes: 10_000, ..SMALL };
        let mut expected: Vec<Item> = Vec::new();
        let (bytes, seal) = write(&options, cuts, |writer| {
            let mut part = writer.part("p")?;
            for (number, (at, piece)) in kept.iter().enumerate() {
                match piece {
                    Piece::File(name, size) => {
                        let content = if number % 2 == 0 { noise(number as u64, *size) } else { vec![b'a'; *size] };
                        part.append(&file(name, *size), &mut content.as_slice())?;
                        expected.push((file(name, *size), content));
                    }
                    Piece::Stream(_, size) => {
                        let content = noise(number as u64, *size);
                        part.append_stream(at, &mut content.as_slice())?;
                        expected.push((Entry::plain_file(at.clone(), *size as u64, 1_750_000_000), content));
                    }
                    Piece::Folder(name) => {
                        part.append(&entry(name, EntryKind::Directory, 0), &mut std::io::empty())?;
                        expected.push((entry(name, EntryKind::Directory, 0), vec![]));
                    }
                    Piece::Link(name, to) => {
                        let link = entry(name, EntryKind::Symlink { target: to.clone() }, 0);
                        part.append(&link, &mut std::io::empty())?;
                        expected.push((link, vec![]));
                    }
                }
            }
            Ok(())
        });
        let reader = open(&bytes, &seal).unwrap();
        reader.verify_stored(&job()).unwrap();
        reader.verify_content(&job()).unwrap();
        prop_assert!(read_part(&reader, "p").unwrap() == expected);
        for (item, content) in &expected {
            let (found, mut file) = reader.open_file("p", &item.path).unwrap().unwrap();
            prop_assert!(found == *item && read_all(file.as_mut()).unwrap() == *content);
        }
        // Without reading the content, only the entries.
        let mut stream = reader.part("p").unwrap();
        for (item, _) in &expected {
            prop_assert_eq!(stream.next_entry().unwrap(), Some(item.clone()));
        }
        prop_assert_eq!(stream.next_entry().unwrap(), None);
    }
}
