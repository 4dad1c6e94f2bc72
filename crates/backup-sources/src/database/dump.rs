//! Reads a dump in pg_dump's custom format as it goes by, and says what is in it.
//!
//! The layout is that of `src/bin/pg_dump/pg_backup_archiver.c` (`ReadHead`, `ReadToc`) and `pg_backup_custom.c`
//! (`_PrintTocData`, `_LoadLOs`) of PostgreSQL: a header, a table of contents, and then a block of data for each entry that
//! has any, in no order that could be relied on. Versions 1.14 to 1.16 of it are what PostgreSQL 12 to 18 write. Backups
//! hold it uncompressed.
//!
//! Memory holds the names of all objects, as pg_restore's does; rows and large objects go by.

use std::collections::{HashMap, HashSet};

use crate::Error;

mod relay;
mod rows;
mod scan;
mod summary;
#[cfg(test)]
mod tests;
mod toc;

pub(super) use relay::Relay;
use rows::{Objects, Rows};
use scan::Scanner;
pub(super) use summary::DumpSummary;
use summary::Offset;
use toc::{Entry, Field, Version};

const MAGIC: &[u8] = b"PGDMP";
/// The format's number for custom archives.
const CUSTOM: u8 = 1;
/// The kinds of blocks.
const ROWS: u8 = 1;
const LARGE_OBJECTS: u8 = 3;
/// Numbers of the date, and texts, that stand in the header.
const HEAD_INTS: u8 = 7;
const HEAD_TEXTS: u8 = 3;
/// The most that is kept of names, in bytes: objects by the million.
const MAX_KEPT: usize = 512 * 1024 * 1024;
/// What is kept of an entry that is not compared, in bytes: its number. Until version 17 each large object has one.
const NUMBER: usize = 32;

/// What comes next.
enum State {
    Magic,
    Compression,
    HeadInts(u8),
    HeadTexts(u8),
    Count,
    Entry { left: i64, field: usize },
    Block,
    BlockNumber(u8),
    ObjectNumber,
    Length,
    Chunk(u64),
}

/// An entry of the table of contents whose data has not come yet.
struct Awaited {
    /// Where its data's position stands in the table of contents.
    field: u64,
    /// Of which table, for some partitions the topmost; `None`: large objects.
    table: Option<(String, String)>,
    columns: Vec<[u8; 32]>,
}

/// Digests a dump that arrives in pieces. After an error nothing more can be pushed.
pub(super) struct DumpDigest {
    is_hashing: bool,
    scanner: Scanner,
    state: State,
    version: Version,
    fields: Vec<Field>,
    entry: Entry,
    kept: usize,
    /// Tables that inherit, whose columns a restore may put in another order.
    heirs: HashSet<(String, String)>,
    numbers: HashSet<i64>,
    awaited: HashMap<i64, Awaited>,
    /// The table whose rows go by; `None`: large objects go by.
    rows: Option<((String, String), Rows)>,
    objects: Objects,
    summary: DumpSummary,
}

impl DumpDigest {
    /// A reader that digests rows and large objects.
    pub(super) fn new() -> Self {
        Self::with(true)
    }

    /// A reader that passes over rows and large objects, and says where they are.
    fn of_layout() -> Self {
        Self::with(false)
    }

    fn with(is_hashing: bool) -> Self {
        Self {
            is_hashing,
            scanner: Scanner::new(),
            state: State::Magic,
            version: Version::default(),
            fields: Vec::new(),
            entry: Entry::default(),
            kept: 0,
            heirs: HashSet::new(),
            numbers: HashSet::new(),
            awaited: HashMap::new(),
            rows: None,
            objects: Objects::default(),
            summary: DumpSummary::default(),
        }
    }

    /// Takes the dump's next bytes.
    ///
    /// # Errors
    /// `Mismatch` where they cannot be a dump's; `Refused` for a version that this reader does not know, and for more names
    /// than it may keep.
    pub(super) fn push(&mut self, mut input: &[u8]) -> Result<(), Error> {
        while let Some(next) = self.step(&mut input)? {
            self.state = next;
        }
        Ok(())
    }

    /// What was in the dump.
    ///
    /// # Errors
    /// `Mismatch` where it ended early.
    pub(super) fn finish(mut self) -> Result<DumpSummary, Error> {
        let is_whole = matches!(self.state, State::Block) && !self.scanner.is_within() && self.awaited.is_empty();
        if !is_whole {
            return Err(self.scanner.damaged("its end is missing"));
        }
        self.summary.large_objects = self.objects.digest;
        self.summary.objects.sort();
        Ok(self.summary)
    }

    /// Takes one value; `None` where it has not arrived.
    fn step(&mut self, input: &mut &[u8]) -> Result<Option<State>, Error> {
        let scanner = &mut self.scanner;
        Ok(match self.state {
            State::Magic => match scanner.bytes(input, MAGIC.len() + 6) {
                Some(bytes) => Some(self.begin(&bytes)?),
                None => None,
            },
            State::Compression => {
                let level = if self.version.names_compression() {
                    scanner.byte(input).map(i64::from)
                } else {
                    scanner.int(input)?
                };
                match level {
                    Some(0) => Some(State::HeadInts(0)),
                    Some(_) => return Err(scanner.damaged("it is compressed")),
                    None => None,
                }
            }
            State::HeadInts(HEAD_INTS) => Some(State::HeadTexts(0)),
            State::HeadInts(number) => scanner.int(input)?.map(|_| State::HeadInts(number + 1)),
            State::HeadTexts(HEAD_TEXTS) => Some(State::Count),
            State::HeadTexts(number) => scanner.text(input)?.map(|_| State::HeadTexts(number + 1)),
            State::Count => scanner.int(input)?.map(|left| State::Entry { left, field: 0 }),
            State::Entry { left: ..=0, .. } => Some(State::Block),
            State::Entry { left, field } => {
                if let Some(what) = self.fields.get(field) {
                    let is_done = self.entry.take(*what, scanner, input)?;
                    is_done.map(|is_done| State::Entry {
                        left,
                        field: field + usize::from(is_done),
                    })
                } else {
                    self.end_entry()?;
                    Some(State::Entry {
                        left: left - 1,
                        field: 0,
                    })
                }
            }
            State::Block => scanner.byte(input).map(State::BlockNumber),
            State::BlockNumber(kind) => match scanner.int(input)? {
                Some(number) => Some(self.begin_block(kind, number)?),
                None => None,
            },
            State::ObjectNumber => scanner.int(input)?.map(|number| {
                // Written as a signed number, whatever its size.
                let number = (number as i32).cast_unsigned();
                self.objects.begin(number);
                if number == 0 { State::Block } else { State::Length }
            }),
            State::Length => match scanner.int(input)? {
                Some(0) => Some(self.end_data()?),
                Some(length) if length > 0 => Some(State::Chunk(length.cast_unsigned())),
                Some(_) => return Err(scanner.damaged("data of an impossible length")),
                None => None,
            },
            State::Chunk(0) => Some(State::Length),
            State::Chunk(left) => {
                let bytes = scanner.some(input, usize::try_from(left).unwrap_or(usize::MAX));
                match &mut self.rows {
                    _ if !self.is_hashing => {}
                    Some((_, rows)) => rows.push(bytes),
                    None => self.objects.push(bytes),
                }
                let left = left - bytes.len() as u64;
                self.state = State::Chunk(left);
                (left == 0).then_some(State::Length)
            }
        })
    }

    fn begin(&mut self, bytes: &[u8]) -> Result<State, Error> {
        let (magic, rest) = bytes.split_at(MAGIC.len());
        let [major, minor, _, int_size, offset_size, format] = *rest else {
            return Err(self.scanner.damaged("a short header"));
        };
        if magic != MAGIC || format != CUSTOM {
            return Err(self.scanner.damaged("it is none in the custom format"));
        }
        self.version = Version::new(major, minor)?;
        self.fields = self.version.fields();
        self.scanner.set_sizes(int_size, offset_size)?;
        Ok(State::Compression)
    }

    fn end_entry(&mut self) -> Result<(), Error> {
        let entry = std::mem::take(&mut self.entry);
        if !self.numbers.insert(entry.number) {
            return Err(self.scanner.damaged("two entries of the same number"));
        }
        if let Some(encoding) = entry.encoding() {
            self.summary.encoding = Some(encoding);
        }
        let (bytes, has_data) = (entry.kept_bytes(), entry.has_data);
        let name = entry.name();
        if entry.inherits() {
            self.heirs.insert(name.clone());
        }
        if has_data {
            let root = entry.root();
            let columns = if root.is_some() || self.heirs.contains(&name) {
                entry.columns()
            } else {
                Vec::new()
            };
            let table = match entry.kind.as_str() {
                "TABLE DATA" => Some(root.unwrap_or(name)),
                "BLOBS" => None,
                _ => return Err(self.scanner.damaged("data of an unknown kind")),
            };
            let field = entry.offset_at;
            self.awaited.insert(entry.number, Awaited { field, table, columns });
        }
        let object = entry.object();
        self.kept += if has_data || object.is_some() { bytes } else { NUMBER };
        if self.kept > MAX_KEPT {
            return Err(Error::refused(
                format!(
                    "the dump names more objects than can be looked into: with them {MAX_KEPT} bytes of memory are full"
                ),
                "This says nothing against the backup: to try it, restore it into a new database.",
            ));
        }
        self.summary.objects.extend(object);
        Ok(())
    }

    fn begin_block(&mut self, kind: u8, number: i64) -> Result<State, Error> {
        let at = self.scanner.position() - self.scanner.int_len() - 1;
        let Some(awaited) = self.awaited.remove(&number) else {
            return Err(self.scanner.damaged("data that belongs to nothing"));
        };
        self.summary
            .offsets
            .push(Offset::new(awaited.field, at, self.scanner.offset_size()));
        match (kind, awaited.table) {
            (ROWS, Some(table)) => {
                self.rows = Some((table, Rows::new(awaited.columns)));
                Ok(State::Length)
            }
            (LARGE_OBJECTS, None) => {
                self.rows = None;
                Ok(State::ObjectNumber)
            }
            _ => Err(self.scanner.damaged("data of another kind than its entry says")),
        }
    }

    /// The block that has begun is to begin at this byte of what is made of the dump.
    fn begun_at(&mut self, at: u64) {
        if let Some(offset) = self.summary.offsets.last_mut() {
            offset.set(at);
        }
    }

    fn end_data(&mut self) -> Result<State, Error> {
        let Some((table, rows)) = self.rows.take() else {
            self.objects.end();
            return Ok(State::ObjectNumber);
        };
        if !self.is_hashing {
            return Ok(State::Block);
        }
        let Some(digest) = rows.finish() else {
            return Err(self.scanner.damaged("rows without an end"));
        };
        self.summary.tables.entry(table).or_default().merge(&digest);
        Ok(State::Block)
    }
}
