//! An archive that builds on others gives back what was put in, whatever stands where.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use backup_archive::fuzzing::linked::Place;
use backup_core::receipt::Codec;
use backup_core::{Entry, EntryKind};
use kit::chain::{Dice, Link, bytes_read, carried, cut, full, id, on_top, open, open_counted, options_of};
use kit::{Item, SMALL, entry, everything, file, job, noise, path, read_all, read_part};
use openssl::sha::sha256;
use proptest::prelude::*;

/// A chain and what its last archive holds.
struct Model {
    chain: Vec<Link>,
    items: Vec<Item>,
    dice: Dice,
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (codec, encrypt) = (Codec::ALL[dice.roll(3) as usize], dice.roll(2) == 0);
        let items = everything();
        Self {
            chain: vec![full(codec, encrypt, SMALL, &items)],
            items,
            dice,
        }
    }

    /// Builds another archive on it: some entries go, some stay, some are new, and some are put together from pieces of
    /// any of them and of new content.
    fn link(&mut self) {
        let number = self.chain.len();
        let dice = &mut self.dice;
        let options = options_of(number, Codec::ALL[dice.roll(3) as usize], dice.roll(2) == 0);
        let cuts = (512 + dice.roll(4000) as usize, 500 + dice.roll(3000) as usize);
        let before = carried(&self.chain);
        let mut items = Vec::new();
        let link = on_top(&self.chain, &options, cuts, |linked| {
            linked.part("files")?;
            for ((old, places), (_, content)) in before.iter().zip(&self.items) {
                let is_file = matches!(old.kind, EntryKind::File { data: None });
                match dice.roll(8) {
                    0 if number > 1 && !old.path.is_root() && old.kind != EntryKind::Directory => {}
                    1 if is_file => {
                        let content = noise(dice.roll(1 << 30), dice.roll(9000) as usize);
                        let entry = Entry {
                            size: content.len() as u64,
                            ..old.clone()
                        };
                        linked.whole(&entry, &content)?;
                        items.push((entry, content));
                    }
                    2..5 if is_file => {
                        let (mut new, mut at): (Vec<u8>, Vec<Place>) = (Vec::new(), Vec::new());
                        for _ in 0..dice.roll(12) {
                            let other = dice.roll(self.items.len() as u64) as usize;
                            let (source, places) = (&self.items[other].1, &before[other].1);
                            if source.is_empty() || dice.roll(3) == 0 {
                                let fresh = noise(dice.roll(1 << 30), 1 + dice.roll(6000) as usize);
                                at.push(linked.store(&fresh)?);
                                new.extend(fresh);
                            } else {
                                let from = dice.roll(source.len() as u64);
                                let length = 1 + dice.roll(20_000.min(source.len() as u64 - from));
                                at.extend(cut(places, from, length));
                                new.extend(&source[from as usize..(from + length) as usize]);
                            }
                        }
                        let entry = Entry {
                            size: new.len() as u64,
                            ..old.clone()
                        };
                        linked.entry(&entry, &at, Some(sha256(&new)))?;
                        items.push((entry, new));
                    }
                    _ => {
                        linked.entry(old, places, None)?;
                        items.push((old.clone(), content.clone()));
                    }
                }
            }
            Ok(())
        });
        self.chain.push(link);
        self.items = items;
    }

    fn check(&self) {
        let reader = open(&self.chain).unwrap();
        assert_eq!(reader.bases().len(), self.chain.len() - 1);
        reader.verify_content(&job()).unwrap();
        assert!(read_part(&reader, "files").unwrap() == self.items);
        for (entry, content) in &self.items {
            let (found, mut file) = reader.open_file("files", &entry.path).unwrap().unwrap();
            assert!(
                found == *entry && read_all(file.as_mut()).unwrap() == *content,
                "{}",
                entry.path
            );
        }
    }
}

#[test]
fn chains_of_any_length_come_back() {
    let mut model = Model::new(1);
    for length in 1..=51 {
        if [1, 2, 3, 11, 51].contains(&length) {
            model.check();
        }
        model.link();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_of_any_archives_come_back(seed: u64, length in 1usize..6) {
        let mut model = Model::new(seed >> 1);
        for _ in 0..length {
            model.link();
        }
        model.check();
    }
}

#[test]
fn what_is_skipped_does_not_shift_what_is_read() {
    use backup_core::PartReader;
    let mut model = Model::new(7);
    for _ in 0..4 {
        model.link();
    }
    let reader = open(&model.chain).unwrap();
    let mut stream = reader.part("files").unwrap();
    let mut dice = Dice::new(3);
    for (entry, content) in &model.items {
        assert_eq!(stream.next_entry().unwrap().as_ref(), Some(entry));
        // Some are read to their end, some in part, some not at all.
        let length = dice.roll(3) * content.len() as u64 / 2;
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(stream.content(), length), &mut read).unwrap();
        assert!(
            content.starts_with(&read) && read.len() as u64 == length,
            "{}",
            entry.path
        );
    }
    assert!(stream.next_entry().unwrap().is_none());
    assert_eq!(read_all(stream.content()).unwrap(), b"");
}

/// A file of `length` bytes in a chain of which each archive rewrote some blocks of 4 KiB: which, `choose` says.
fn rewritten(links: usize, length: usize, mut choose: impl FnMut(usize) -> Vec<usize>) -> (Vec<Link>, Vec<u8>) {
    const BLOCK: usize = 4096;
    let mut content = noise(1, length);
    let mut chain = vec![full(
        Codec::None,
        true,
        backup_archive::Cuts::default(),
        &[(file(b"data", length), content.clone())],
    )];
    for number in 1..links {
        let (entry, places) = carried(&chain).remove(0);
        let blocks = choose(number);
        let fresh = noise(number as u64 + 77, blocks.len() * BLOCK);
        let link = on_top(
            &chain,
            &options_of(number, Codec::None, true),
            (1 << 20, 512 << 10),
            |linked| {
                linked.part("files")?;
                let (_, stored, _) = linked.store(&fresh)?;
                let (mut at, mut next) = (Vec::new(), 0);
                for (index, block) in blocks.iter().enumerate() {
                    at.extend(cut(&places, next, (block * BLOCK) as u64 - next));
                    at.push((0, stored + (index * BLOCK) as u64, BLOCK as u64));
                    next = ((block + 1) * BLOCK) as u64;
                    content[block * BLOCK..(block + 1) * BLOCK]
                        .copy_from_slice(&fresh[index * BLOCK..(index + 1) * BLOCK]);
                }
                at.extend(cut(&places, next, length as u64 - next));
                linked.entry(&entry, &at, Some(sha256(&content)))
            },
        );
        chain.push(link);
    }
    (chain, content)
}

/// Every fiftieth block, from one that `dice` chooses in each fifty.
fn scattered(length: usize, dice: &mut Dice) -> Vec<usize> {
    (0..length / 4096 / 50)
        .map(|fifty| fifty * 50 + dice.roll(50) as usize)
        .collect()
}

#[test]
fn a_long_chain_costs_little_more_than_a_full_archive() {
    let length = 32 << 20;
    let read = |chain: &[Link], content: &[u8]| {
        let (reader, sources) = open_counted(chain);
        let items = read_part(&reader, "files").unwrap();
        assert!(items[0].1 == content);
        bytes_read(&sources) as f64
    };
    // The same busy places are written again by every backup: what is old is not read at all.
    let busy = scattered(length, &mut Dice::new(1));
    let (chain, content) = rewritten(51, length, |_| busy.clone());
    let full = chain[0].bytes.len() as f64;
    let ratio = read(&chain, &content) / full;
    println!("busy: {ratio:.3} of the full");
    assert!(ratio < 1.1, "{ratio}");
    // Every backup writes elsewhere: nearly everything of the chain is needed, and each piece of it is read once.
    let mut dice = Dice::new(2);
    let (chain, content) = rewritten(51, length, |_| scattered(length, &mut dice));
    let all: usize = chain.iter().map(|link| link.bytes.len()).sum();
    let ratio = read(&chain, &content) / all as f64;
    println!(
        "scattered: {ratio:.3} of the chain, which is {:.3} of the full",
        all as f64 / full
    );
    assert!(ratio < 1.05, "{ratio}");
}

#[test]
fn a_single_file_needs_its_members_and_their_tables_only() {
    let items: Vec<Item> = (0..400)
        .map(|number| {
            let content = noise(number + 1, 10_000);
            (file(format!("f{number:04}").as_bytes(), content.len()), content)
        })
        .collect();
    let mut chain = vec![full(Codec::Gzip, true, SMALL, &items)];
    let mut content = items[200].1.clone();
    for number in 1..4 {
        let before = carried(&chain);
        let options = options_of(number, Codec::Gzip, true);
        let link = on_top(&chain, &options, (4096, 2048), |linked| {
            linked.part("files")?;
            for (entry, places) in &before {
                if entry.path != path("f0200") {
                    linked.entry(entry, places, None)?;
                    continue;
                }
                let fresh = noise(number as u64 + 1000, 1000);
                let at = number * 2000;
                let mut new = cut(places, 0, at as u64);
                new.push(linked.store(&fresh)?);
                new.extend(cut(places, at as u64 + 1000, 9000 - at as u64));
                content[at..at + 1000].copy_from_slice(&fresh);
                linked.entry(entry, &new, Some(sha256(&content)))?;
            }
            Ok(())
        });
        chain.push(link);
    }
    let (reader, sources) = open_counted(&chain);
    let (_, mut found) = reader.open_file("files", &path("f0200")).unwrap().unwrap();
    assert!(read_all(found.as_mut()).unwrap() == content);
    let reads: Vec<u64> = sources
        .iter()
        .map(|source| source.reads.load(std::sync::atomic::Ordering::SeqCst))
        .collect();
    println!("{} bytes, reads {reads:?}", bytes_read(&sources));
    // Of the full archive at most four members and the gaps between, of the others two; and the tables.
    let members = (4 + 3 * 2) * 4200;
    let tables = 6 * 2600;
    assert!(bytes_read(&sources) < members + tables, "{}", bytes_read(&sources));
    assert!(reads.iter().all(|reads| *reads <= 4), "{reads:?}");
}

#[test]
fn a_full_archive_is_made_of_a_chain() {
    let mut model = Model::new(11);
    for _ in 0..5 {
        model.link();
    }
    let before = carried(&model.chain);
    let dump = noise(5, 9000);
    let link = on_top(
        &model.chain,
        &options_of(6, Codec::Zstd, true),
        (4096, 4096),
        |linked| {
            linked.part("database")?;
            let stored = linked.store(&dump)?;
            let stream = Entry {
                mode: 0o600,
                modified_secs: 1_750_000_000,
                ..entry(b"database.dump", EntryKind::File { data: None }, dump.len() as u64)
            };
            linked.stream(&stream, &[stored])?;
            linked.part("files")?;
            before
                .iter()
                .try_for_each(|(entry, places)| linked.entry(entry, places, None))
        },
    );
    model.chain.push(link);
    let reader = open(&model.chain).unwrap();
    let watched = job();
    let (bytes, seal) = kit::write(&options_of(9, Codec::None, false), SMALL, |writer| {
        reader.copy_to(writer, &watched)
    });
    let content: u64 = model.items.iter().map(|(entry, _)| entry.stored_bytes()).sum();
    assert_eq!(watched.bytes_read(), content + 9000);
    let copy = Link { bytes, seal, id: id(9) };
    let copied = copy.open().unwrap();
    assert!(copied.bases().is_empty());
    copied.verify_stored(&job()).unwrap();
    copied.verify_content(&job()).unwrap();
    assert!(read_part(&copied, "files").unwrap() == model.items);
    let database = read_part(&copied, "database").unwrap();
    assert!(database == read_part(&reader, "database").unwrap() && database[0].1 == dump);
    let name = b"database/database.dump/000000000";
    assert!(copy.bytes.windows(name.len()).any(|window| window == name));

    let cancelled = job();
    cancelled.cancel();
    let sink = kit::Memory::default();
    let options = options_of(9, Codec::None, false);
    let mut writer = backup_archive::ArchiveWriter::create(Box::new(sink), &kit::KEY, options, &kit::Fixed).unwrap();
    let error = reader.copy_to(&mut writer, &cancelled).unwrap_err();
    assert!(matches!(error, backup_core::PipelineError::Cancelled));
}
