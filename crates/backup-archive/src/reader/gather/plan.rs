//! Which members the next batch needs, and how they are read.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use backup_core::PipelineError;

use super::Limits;
use super::batch::{Batch, Slice};
use super::fetch::{Decoders, Fetch};
use super::store::Store;
use crate::error::damaged;
use crate::index::{Extent, Member};
use crate::pool::{Pool, stopped};
use crate::reader::chain::{Chain, Table};

/// Threads that read and decode. Storage may be far away, so there are more than decoding needs.
const WORKERS: usize = 6;
/// Tables that are read ahead.
const TABLES_AHEAD: usize = 12;
/// Bytes of content for which a batch may have one piece, so that very short pieces are bounded too.
const PER_PIECE: u64 = 1 << 10;

type Entries = Box<dyn Iterator<Item = Result<Vec<Extent>, PipelineError>> + Send>;
type Work = Box<dyn FnOnce(&mut Decoders) + Send>;

/// Forms the batches.
pub(super) struct Planner {
    chain: Chain,
    limits: Limits,
    entries: Entries,
    /// What is left of the current entry.
    extents: std::vec::IntoIter<Extent>,
    rest: Option<Extent>,
    /// An error that comes behind the content before it.
    failed: Option<PipelineError>,
    /// Content of the next batch.
    size: u64,
    batches: u64,
    store: Arc<Store>,
    pool: Pool<Work, ()>,
    stop: Arc<AtomicBool>,
}

/// A piece of content, and where in the batch it goes.
#[derive(Debug, Clone, Copy)]
struct Piece {
    archive: usize,
    offset: u64,
    length: u64,
    at: usize,
}

/// A member and what the batch wants of it.
struct Wanted {
    archive: usize,
    member: Member,
    slices: Vec<Slice>,
}

impl Planner {
    pub(super) fn new(
        chain: Chain,
        limits: Limits,
        entries: Entries,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, PipelineError> {
        let workers = (0..WORKERS).map(|_| {
            let mut decoders = Decoders::default();
            move |work: Work| work(&mut decoders)
        });
        Ok(Self {
            pool: Pool::start("gather", workers.collect())?,
            store: Arc::new(Store::new(limits.store)),
            chain,
            entries,
            extents: Vec::new().into_iter(),
            rest: None,
            failed: None,
            size: limits.first_batch,
            batches: 0,
            limits,
            stop,
        })
    }

    /// Works until the end, an error, or until nobody listens any more.
    pub(super) fn run(mut self, batches: &SyncSender<Result<Arc<Batch>, PipelineError>>) {
        loop {
            let next = self.next();
            let last = next.is_err();
            let Some(next) = next.transpose() else { return };
            if batches.send(next).is_err() || last {
                return;
            }
        }
    }

    fn next(&mut self) -> Result<Option<Arc<Batch>>, PipelineError> {
        let (pieces, length) = self.pieces();
        if pieces.is_empty() {
            return self.failed.take().map_or(Ok(None), Err);
        }
        let wanted = self.members(pieces)?;
        let decoded: u64 = wanted.iter().map(|wanted| wanted.member.plain).sum();
        self.size = if decoded > self.limits.members {
            (self.size / 2).max(self.limits.first_batch.min(PER_PIECE * 64))
        } else {
            (self.size * 2).min(self.limits.batch)
        };
        let batch = Batch::new(length);
        self.batches += 1;
        let mut missing = Vec::new();
        for Wanted {
            archive,
            member,
            slices,
        } in wanted
        {
            // A member that is wanted up to its end has mostly done its service: where memory is short, it goes first.
            let spent = slices
                .iter()
                .any(|slice| (slice.from + slice.length) as u64 == member.plain);
            let now = self.batches - u64::from(spent);
            let share = batch.share(slices);
            if self.store.claim((archive, member.tar_offset), share, now) {
                missing.push((archive, member));
            }
        }
        self.fetch(missing)?;
        Ok(Some(batch))
    }

    /// The pieces of the next batch and their length in sum.
    fn pieces(&mut self) -> (Vec<Piece>, usize) {
        let (mut pieces, mut length) = (Vec::new(), 0);
        while length < self.size && (pieces.len() as u64) < (self.size / PER_PIECE).max(1) {
            let mut extent = match self.next_extent() {
                Ok(Some(extent)) => extent,
                Ok(None) => break,
                Err(error) => {
                    self.failed = Some(error);
                    break;
                }
            };
            let piece = Piece {
                archive: extent.archive as usize,
                offset: extent.offset,
                length: extent.length.min(self.size - length),
                at: length as usize,
            };
            extent.offset += piece.length;
            extent.length -= piece.length;
            self.rest = Some(extent);
            length += piece.length;
            pieces.push(piece);
        }
        (pieces, length as usize)
    }

    fn next_extent(&mut self) -> Result<Option<Extent>, PipelineError> {
        if let Some(rest) = self.rest.take_if(|rest| rest.length > 0) {
            return Ok(Some(rest));
        }
        while self.failed.is_none() && !self.stop.load(Ordering::SeqCst) {
            match self.extents.next() {
                Some(extent) if extent.length == 0 => {}
                Some(extent) => return self.chain.check(&extent).map(|()| Some(extent)),
                None => match self.entries.next() {
                    Some(extents) => self.extents = extents?.into_iter(),
                    None => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    /// The members that hold the pieces, by archive and place.
    fn members(&self, mut pieces: Vec<Piece>) -> Result<Vec<Wanted>, PipelineError> {
        pieces.sort_unstable_by_key(|piece| (piece.archive, piece.offset));
        let mut segments = self.segments(&pieces);
        let now = self.chain.tables().now();
        let mut ahead = VecDeque::new();
        let mut pieces = pieces.into_iter().peekable();
        // Pieces that reach behind the tables seen so far.
        let mut open: Vec<Piece> = Vec::new();
        let mut wanted = Vec::new();
        loop {
            while ahead.len() < TABLES_AHEAD
                && let Some((archive, segment)) = segments.pop_front()
            {
                ahead.push_back((archive, segment, self.table(archive, segment, now)?));
            }
            let Some((archive, segment, table)) = ahead.pop_front() else {
                break;
            };
            let table = table()?;
            let end = self.chain.archive(archive).root.segments[segment].tar_offset;
            while let Some(piece) = pieces.next_if(|piece| piece.archive == archive && piece.offset < end) {
                open.push(piece);
            }
            let mut slices: BTreeMap<usize, Vec<Slice>> = BTreeMap::new();
            for piece in &mut open {
                slice(piece, &table, end, &mut slices).map_err(|error| self.chain.blame(archive, error))?;
            }
            open.retain(|piece| piece.length > 0);
            wanted.extend(slices.into_iter().map(|(index, slices)| Wanted {
                archive,
                member: table[index].clone(),
                slices,
            }));
        }
        // Every place was checked to lie before the last segment's end.
        if open.is_empty() && pieces.next().is_none() {
            Ok(wanted)
        } else {
            Err(no_member())
        }
    }

    /// The segments that describe the places of pieces, which are sorted.
    fn segments(&self, pieces: &[Piece]) -> VecDeque<(usize, usize)> {
        let mut segments: VecDeque<(usize, usize)> = VecDeque::new();
        for piece in pieces {
            let archive = self.chain.archive(piece.archive);
            let rows = &archive.root.segments;
            let mut number = rows.partition_point(|row| row.tar_offset <= piece.offset);
            if let Some((_, last)) = segments.back().filter(|(last, _)| *last == piece.archive) {
                number = number.max(last + 1);
            }
            while number < rows.len() && archive.segment_start(number).1 < piece.offset + piece.length {
                segments.push_back((piece.archive, number));
                number += 1;
            }
        }
        segments
    }

    /// Begins to read a table, where it is not in memory; what is returned waits for it.
    fn table(
        &self,
        archive: usize,
        segment: usize,
        now: u64,
    ) -> Result<impl FnOnce() -> Result<Table, PipelineError> + use<>, PipelineError> {
        let kept = self.chain.kept_table(archive, segment, now);
        let (sender, receiver) = sync_channel(1);
        if kept.is_none() {
            let chain = self.chain.clone();
            self.pool.submit(Box::new(move |_| {
                // Nobody waits any more where an earlier table failed.
                let _unheard = sender.send(chain.load_table(archive, segment, now));
            }))?;
        }
        Ok(move || match kept {
            Some(table) => Ok(table),
            None => receiver.recv().map_err(|_| stopped())?,
        })
    }

    /// Has members read, neighbours together. They are sorted.
    fn fetch(&self, members: Vec<(usize, Member)>) -> Result<(), PipelineError> {
        let stored: u64 = members.iter().map(|(_, member)| member.stored).sum();
        // Little is read in several pieces too, so that several threads decode it.
        let most = (stored / WORKERS as u64).clamp(self.limits.read / 2, self.limits.read);
        let mut run: Option<Fetch> = None;
        for (archive, member) in members {
            if let Some(run) = &mut run
                && let (Some(first), Some(last)) = (run.members.front(), run.members.back())
                && run.archive == archive
                && member.offset - (last.offset + last.stored) <= self.limits.gap
                && member.offset + member.stored - first.offset <= most
            {
                run.members.push_back(member);
                continue;
            }
            let next = Fetch {
                chain: self.chain.clone(),
                store: self.store.clone(),
                archive,
                members: VecDeque::from([member]),
            };
            if let Some(run) = run.replace(next) {
                self.submit(run)?;
            }
        }
        run.map_or(Ok(()), |run| self.submit(run))
    }

    fn submit(&self, fetch: Fetch) -> Result<(), PipelineError> {
        let stop = self.stop.clone();
        // Its members tell when they have come.
        let _ticket = self.pool.submit(Box::new(move |decoders: &mut Decoders| {
            if !stop.load(Ordering::SeqCst) {
                fetch.run(decoders);
            }
        }))?;
        Ok(())
    }
}

/// Cuts from a piece what the members of a table, which ends at `end` of the tar stream, hold of it.
fn slice(
    piece: &mut Piece,
    table: &[Member],
    end: u64,
    slices: &mut BTreeMap<usize, Vec<Slice>>,
) -> Result<(), PipelineError> {
    while piece.length > 0 && piece.offset < end {
        let index = table.partition_point(|member| member.tar_end() <= piece.offset);
        let member = table.get(index).filter(|member| member.tar_offset <= piece.offset);
        let member = member.ok_or_else(no_member)?;
        let length = piece.length.min(member.tar_end() - piece.offset);
        slices.entry(index).or_default().push(Slice {
            from: (piece.offset - member.tar_offset) as usize,
            length: length as usize,
            at: piece.at,
        });
        piece.offset += length;
        piece.length -= length;
        piece.at += length as usize;
    }
    Ok(())
}

fn no_member() -> PipelineError {
    damaged("the index names content that no member holds")
}
