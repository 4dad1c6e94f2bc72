//! Members of a range of the tar stream, one after the other, each checked.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use backup_core::PipelineError;

use super::Archive;
use crate::codec::Decoder;
use crate::error::{damaged, failed_before, from_io};
use crate::index::{Member, Segment};
use crate::pool::{Pool, Ticket, spawn};

/// Up to this many tar bytes are fetched member by member; more is read as one stream, ahead and in parallel.
const SHORT: u64 = 4 << 20;
/// Threads that decrypt and inflate.
const WORKERS: usize = 4;

/// Inflated and checked bytes of the tar stream.
pub(super) struct Piece {
    pub(super) tar_offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    pub(super) fn end(&self) -> u64 {
        self.tar_offset + self.bytes.len() as u64
    }
}

/// The members of a range of the tar stream in order.
pub(super) struct Feed {
    source: Source,
    failed: bool,
}

enum Source {
    /// Fetched one by one when they are wanted.
    Direct {
        archive: Arc<Archive>,
        members: Members,
        decoder: Box<Decoder>,
    },
    /// Read ahead by a thread and inflated by others.
    Ahead {
        pieces: Option<Receiver<Ordered>>,
        fetcher: Option<JoinHandle<()>>,
    },
}

type Ordered = Result<Ticket<Result<Piece, PipelineError>>, PipelineError>;
type Job = (Member, Vec<u8>);

impl Feed {
    /// The members that hold `range` of the tar stream.
    pub(super) fn new(archive: &Arc<Archive>, range: Range<u64>) -> Result<Self, PipelineError> {
        let short = range.end.saturating_sub(range.start) <= SHORT;
        let members = Members::new(archive.clone(), range);
        let source = if short {
            Source::Direct {
                decoder: Box::new(Decoder::new(archive.codec())?),
                archive: archive.clone(),
                members,
            }
        } else {
            let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
            let (sender, pieces) = sync_channel(workers + 2);
            let mut inflate = Vec::new();
            for _ in 0..workers {
                let (archive, mut decoder) = (archive.clone(), Decoder::new(archive.codec())?);
                inflate.push(move |(member, stored): Job| {
                    archive.decode(&mut decoder, &member, &stored).map(|bytes| Piece {
                        tar_offset: member.tar_offset,
                        bytes,
                    })
                });
            }
            let pool = Pool::start("inflate", inflate)?;
            let archive = archive.clone();
            let fetcher = spawn("fetch", move || {
                if let Err(error) = fetch(&archive, members, &pool, &sender) {
                    // Nobody listens any more when the reader was dropped.
                    let _dropped = sender.send(Err(error));
                }
            })?;
            Source::Ahead {
                pieces: Some(pieces),
                fetcher: Some(fetcher),
            }
        };
        Ok(Self { source, failed: false })
    }

    /// The next member, or `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, PipelineError> {
        if self.failed {
            return Err(failed_before("reader"));
        }
        let next = self.advance();
        self.failed = next.is_err();
        next
    }

    fn advance(&mut self) -> Result<Option<Piece>, PipelineError> {
        match &mut self.source {
            Source::Direct {
                archive,
                members,
                decoder,
            } => {
                let Some(member) = members.next()? else { return Ok(None) };
                let span = archive.cover.span(&(member.offset..member.offset + member.stored));
                let stored = archive.source.read_at(span.start, (span.end - span.start) as usize)?;
                let bytes = archive.decode(decoder, &member, &stored)?;
                Ok(Some(Piece {
                    tar_offset: member.tar_offset,
                    bytes,
                }))
            }
            Source::Ahead { pieces, .. } => match pieces.as_ref().map(Receiver::recv) {
                Some(Ok(ticket)) => ticket?.wait()?.map(Some),
                Some(Err(_)) | None => Ok(None),
            },
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Source::Ahead { pieces, fetcher } = &mut self.source {
            *pieces = None;
            if let Some(fetcher) = fetcher.take() {
                // It ended by itself or because nobody listens any more.
                let _ended = fetcher.join();
            }
        }
    }
}

/// Reads the members' stored bytes in one go and hands them to the pool.
fn fetch(
    archive: &Archive,
    mut members: Members,
    pool: &Pool<Job, Result<Piece, PipelineError>>,
    sender: &SyncSender<Ordered>,
) -> Result<(), PipelineError> {
    let mut stream: Option<(Box<dyn Read + Send>, u64)> = None;
    // Neighbours share cipher blocks: the end of what was read last.
    let mut tail = Vec::new();
    while let Some(member) = members.next()? {
        let span = archive.cover.span(&(member.offset..member.offset + member.stored));
        let (reader, position) = match &mut stream {
            Some(stream) => stream,
            None => stream.insert((archive.source.stream(span.start)?, span.start)),
        };
        let failed = |error| from_io(error, "read the archive");
        let mut stored = Vec::new();
        if span.start < *position {
            let shared = (*position - span.start) as usize;
            let from = tail.len() - shared.min(tail.len());
            stored.extend_from_slice(&tail[from..]);
        } else if span.start > *position {
            let skip = span.start - *position;
            let skipped = std::io::copy(&mut reader.by_ref().take(skip), &mut std::io::sink()).map_err(failed)?;
            *position += skipped;
        }
        let missing = (span.end - span.start).saturating_sub(stored.len() as u64);
        stored.reserve_exact(missing as usize);
        let read = reader.by_ref().take(missing).read_to_end(&mut stored).map_err(failed)?;
        if read as u64 != missing {
            return Err(damaged("it ended while it was read"));
        }
        *position = span.end;
        tail.clear();
        tail.extend_from_slice(&stored[stored.len().saturating_sub(2 * crate::cipher::BLOCK)..]);
        if sender.send(Ok(pool.submit((member, stored))?)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The rows of the members that hold a range of the tar stream.
struct Members {
    archive: Arc<Archive>,
    range: Range<u64>,
    number: usize,
    index: usize,
    segment: Option<Arc<Segment>>,
}

impl Members {
    fn new(archive: Arc<Archive>, range: Range<u64>) -> Self {
        // The first segment whose described members end behind the range's start.
        let rows = &archive.root.segments;
        let number = rows.partition_point(|row| row.tar_offset <= range.start);
        Self {
            archive,
            range,
            number,
            index: 0,
            segment: None,
        }
    }

    fn next(&mut self) -> Result<Option<Member>, PipelineError> {
        loop {
            if self.number >= self.archive.root.segments.len() {
                return Ok(None);
            }
            if self.archive.segment_start(self.number).1 >= self.range.end {
                return Ok(None);
            }
            let segment = match &self.segment {
                Some(segment) => segment,
                None => self.segment.insert(self.archive.segment(self.number)?),
            };
            match segment.members.get(self.index) {
                Some(member) if member.tar_offset >= self.range.end => return Ok(None),
                Some(member) => {
                    self.index += 1;
                    if member.tar_end() > self.range.start {
                        return Ok(Some(member.clone()));
                    }
                }
                None => {
                    self.number += 1;
                    self.index = 0;
                    self.segment = None;
                }
            }
        }
    }
}
