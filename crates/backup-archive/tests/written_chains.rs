//! Chains as the writer makes them, read back in every way, and made whole again.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use backup_archive::ArchiveWriter;
use backup_core::receipt::Codec;
use backup_core::{ArchiveSink, Entry, EntryKind, PartReader, PipelineError};
use kit::chain::{Dice, Link, full, id, open, options_of};
use kit::{Fixed, Item, KEY, Memory, SMALL, everything, file, job, noise, path, read_all, read_part};

/// What a backup of one day holds.
#[derive(Clone)]
struct Day {
    dump: Vec<u8>,
    items: Vec<Item>,
}

impl Day {
    fn write(&self, writer: &mut ArchiveWriter) -> Result<(), PipelineError> {
        let mut part = writer.part("database")?;
        part.append_stream(&path("database.dump"), &mut self.dump.as_slice())?;
        part.finish()?;
        kit::append(writer, "files", &self.items)
    }

    /// Changes some of it.
    fn change(&mut self, dice: &mut Dice) {
        for _ in 0..4 {
            edit(&mut self.dump, dice, 900);
        }
        for (entry, content) in &mut self.items {
            match (&entry.kind, dice.roll(4)) {
                (EntryKind::File { data: None }, 0) => {
                    edit(content, dice, 3000);
                    entry.size = content.len() as u64;
                }
                // The holes of a sparse file stay.
                (EntryKind::File { data: Some(_) }, 0) if !content.is_empty() => {
                    let at = dice.roll(content.len() as u64) as usize;
                    content[at] ^= 1;
                }
                (_, 1) => entry.mode ^= 0o010,
                _ => {}
            }
        }
        let name = format!("zz-new-{:05}", dice.roll(1 << 16));
        let moved = self.items[dice.roll(self.items.len() as u64) as usize].1.clone();
        self.items.retain(|(entry, _)| entry.path != path(name.as_bytes()));
        self.items.push((file(name.as_bytes(), moved.len()), moved));
        self.items.sort_by(|(left, _), (right, _)| left.path.cmp(&right.path));
    }

    fn check(&self, chain: &[Link]) {
        let reader = open(chain).unwrap();
        for link in chain {
            link.open().unwrap().verify_stored(&job()).unwrap();
        }
        reader.verify_content(&job()).unwrap();
        assert!(read_part(&reader, "files").unwrap() == self.items);
        assert!(read_part(&reader, "database").unwrap()[0].1 == self.dump);
        for (entry, content) in &self.items {
            let (found, mut read) = reader.open_file("files", &entry.path).unwrap().unwrap();
            assert!(
                found == *entry && read_all(read.as_mut()).unwrap() == *content,
                "{}",
                entry.path
            );
        }
        // Whole again, it is an archive as if nothing had been before it, but for the time of its stream.
        let whole = write(chain.len() + 100, None, |writer| reader.copy_to(writer, &job()));
        let again = write(chain.len() + 100, None, |writer| self.write(writer));
        assert!(whole.bytes == again.bytes);
        let whole = whole.open().unwrap();
        assert!(whole.bases().is_empty());
        whole.verify_content(&job()).unwrap();
    }
}

/// Replaces, takes out or puts in some bytes.
fn edit(content: &mut Vec<u8>, dice: &mut Dice, most: u64) {
    let from = dice.roll(content.len() as u64 + 1) as usize;
    let to = (from + dice.roll(most) as usize).min(content.len());
    let length = dice.roll(most) as usize;
    let fresh = noise(dice.roll(1 << 30), length);
    content.splice(from..to, fresh);
}

fn write(
    number: usize,
    base: Option<&backup_archive::ArchiveReader>,
    fill: impl FnOnce(&mut ArchiveWriter) -> Result<(), PipelineError>,
) -> Link {
    let sink = Memory::default();
    let options = options_of(number, Codec::ALL[number % 3], number.is_multiple_of(2));
    let boxed = Box::new(sink.clone());
    let mut writer = match base {
        None => ArchiveWriter::with_cuts(boxed, &KEY, &options, &Fixed, SMALL).unwrap(),
        Some(base) => ArchiveWriter::create_on_with_cuts(base, boxed, &KEY, &options, &Fixed, SMALL).unwrap(),
    };
    fill(&mut writer).unwrap();
    let seal = writer.finish().unwrap();
    Link {
        bytes: sink.bytes(),
        seal,
        id: id(number),
    }
}

#[test]
fn chains_of_any_length_come_back_and_are_made_whole() {
    let mut dice = Dice::new(5);
    let mut day = Day {
        dump: [noise(1, 60_000), b"a row of the dump\n".repeat(3000)].concat(),
        items: everything(),
    };
    let mut chain = vec![write(0, None, |writer| day.write(writer))];
    for number in 1..=50 {
        day.change(&mut dice);
        let base = open(&chain).unwrap();
        let link = write(number, Some(&base), |writer| day.write(writer));
        chain.push(link);
        if [1, 2, 10, 50].contains(&number) {
            day.check(&chain);
        }
    }
}

#[test]
fn what_did_not_change_is_read_through_the_chain() {
    use backup_core::FileIdentity;
    let mut items = everything();
    for (number, (entry, _)) in items.iter_mut().enumerate() {
        entry.identity = Some(FileIdentity {
            inode: number as u64,
            changed_secs: 1_700_000_000,
            changed_nanos: 5,
        });
    }
    let mut chain = vec![full(Codec::Zstd, true, SMALL, &items)];
    for number in 1..4 {
        let base = open(&chain).unwrap();
        let link = write(number, Some(&base), |writer| {
            let mut part = writer.part("files")?;
            for (entry, content) in &items {
                if part.append_unchanged(entry)?.is_none() {
                    part.append(entry, &mut content.as_slice())?;
                }
            }
            part.finish()
        });
        chain.push(link);
    }
    let reader = open(&chain).unwrap();
    reader.verify_content(&job()).unwrap();
    assert!(read_part(&reader, "files").unwrap() == items);
    let mut stream = reader.part("files").unwrap();
    let kept: Vec<Entry> = std::iter::from_fn(|| stream.next_entry().unwrap()).collect();
    assert!(
        kept.iter()
            .zip(&items)
            .all(|(kept, (entry, _))| kept.identity == entry.identity)
    );
}
