//! The tar stream on its way into members.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use backup_core::{ArchiveSeal, PipelineError};
use openssl::sha::sha256;

use super::emitter::{Arrived, Compressed, Emitter, End, Next};
use super::{Cuts, WriterOptions};
use crate::codec::{Content, Encoder};
use crate::error::failed_before;
use crate::index::SegmentDraft;
use crate::pool::{Pool, spawn, stopped};
use crate::tar;

/// Members never get longer than this, so that those in flight fit into memory.
const MAX_MEMBER_BYTES: usize = 8 << 20;
/// Bytes of the tar stream that may be on their way to the sink. About as many again are there in compressed form.
const IN_FLIGHT: usize = 32 << 20;
/// More threads than this need more memory than they save time: the sink takes what four compress.
const MAX_WORKERS: usize = 8;

/// A member that is being filled. The buffer is longer than what is filled.
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    content: Content,
    /// What its compressed form is written into.
    out: Vec<u8>,
}

/// Collects the tar stream in members and sends them through the compressing threads to the emitter.
pub(super) struct Tape {
    current: Buffer,
    /// Full members that wait until a header in the first of them is known.
    held: Vec<Buffer>,
    holding: bool,
    member_bytes: usize,
    cuts: Cuts,
    /// Length of the tar stream so far.
    offset: u64,
    /// Members cut since the last segment.
    members: u64,
    order: Option<SyncSender<Next>>,
    emitter: Option<JoinHandle<Result<ArchiveSeal, PipelineError>>>,
    pool: Pool<Buffer, Result<Compressed, PipelineError>>,
    used: Receiver<Vec<u8>>,
    /// Bytes of the tar stream between here and the sink, and what has got there since.
    in_flight: usize,
    arrived: Receiver<Arrived>,
    /// Memory of members that have got there.
    spare: Vec<Vec<u8>>,
    stop: Arc<AtomicBool>,
}

/// Where a header stands whose size is not known yet.
pub(super) struct Mark {
    at: usize,
    length: usize,
}

impl Tape {
    pub(super) fn new(emitter: Emitter, options: &WriterOptions, cuts: Cuts) -> Result<Self, PipelineError> {
        let workers = options.workers.clamp(1, MAX_WORKERS);
        // Enough that nobody waits while one member takes longer than another.
        let (order, next) = sync_channel(2 * workers + 2);
        let (give_back, used) = channel();
        let mut compress = Vec::new();
        for _ in 0..workers {
            let mut encoder = Encoder::new(options.codec)?;
            let give_back: Sender<Vec<u8>> = give_back.clone();
            compress.push(move |buffer: Buffer| {
                let plain = &buffer.bytes[..buffer.filled];
                let compressed = encoder
                    .encode_into(plain, buffer.content, buffer.out)
                    .map(|stored| Compressed {
                        stored,
                        plain: plain.len() as u64,
                        sha256: sha256(plain),
                    });
                // Nobody takes it back when the writer is being dropped.
                let _dropped = give_back.send(buffer.bytes);
                compressed
            });
        }
        let pool = Pool::start("compress", compress)?;
        let stop = emitter.stop_flag();
        let (arrive, arrived) = channel();
        let emitter = spawn("emit", move || emitter.run(&next, &arrive))?;
        let member_bytes = member_bytes(&cuts, 0);
        Ok(Self {
            current: Buffer {
                bytes: vec![0; member_bytes],
                filled: 0,
                content: Content::Files,
                out: Vec::new(),
            },
            held: Vec::new(),
            holding: false,
            member_bytes,
            cuts,
            offset: 0,
            members: 0,
            order: Some(order),
            emitter: Some(emitter),
            pool,
            used,
            in_flight: 0,
            arrived,
            spare: Vec::new(),
            stop,
        })
    }

    /// Length of the tar stream so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// How many members were cut since the last segment.
    pub(super) fn members(&self) -> u64 {
        self.members
    }

    /// Appends bytes.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), PipelineError> {
        while !bytes.is_empty() {
            let room = self.room()?;
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
            self.advance(length);
            bytes = &bytes[length..];
        }
        Ok(())
    }

    /// Appends content of an entry, of which `done` bytes stand before. [`Self::pad`] ends it.
    pub(super) fn content(&mut self, bytes: &[u8], done: u64) -> Result<(), PipelineError> {
        let doublings = (done / self.cuts.doubling_bytes.max(1)).min(6) as u32;
        self.member_bytes = member_bytes(&self.cuts, doublings);
        self.write(bytes)
    }

    /// Fills up the last tar block of `length` bytes of content.
    pub(super) fn pad(&mut self, length: u64) -> Result<(), PipelineError> {
        self.member_bytes = member_bytes(&self.cuts, 0);
        self.write(&[0; tar::BLOCK][..tar::padding(length)])
    }

    /// Appends headers whose size is set later, and holds everything behind them back until then.
    pub(super) fn hold(&mut self, headers: &[u8], content: Content) -> Result<Mark, PipelineError> {
        if self.current.filled + headers.len() > self.member_bytes {
            self.cut()?;
        }
        if self.current.bytes.len() < headers.len() {
            self.current.bytes.resize(headers.len(), 0);
        }
        self.holding = true;
        self.current.content = content;
        let at = self.current.filled;
        self.current.bytes[at..at + headers.len()].copy_from_slice(headers);
        self.advance(headers.len());
        Ok(Mark {
            at,
            length: headers.len(),
        })
    }

    /// Sets the size in the headers at `mark` and lets go of what was held back.
    pub(super) fn release(&mut self, mark: &Mark, size: u64) -> Result<(), PipelineError> {
        let buffer = self.held.first_mut().unwrap_or(&mut self.current);
        tar::set_size(&mut buffer.bytes[mark.at..mark.at + mark.length], size);
        self.holding = false;
        for buffer in std::mem::take(&mut self.held) {
            self.send(buffer)?;
        }
        Ok(())
    }

    /// Ends the current member.
    pub(super) fn cut(&mut self) -> Result<(), PipelineError> {
        if self.current.filled == 0 {
            return Ok(());
        }
        let mut bytes = self.used.try_recv().unwrap_or_default();
        bytes.resize(self.member_bytes, 0);
        let next = Buffer {
            bytes,
            filled: 0,
            content: if self.holding {
                self.current.content
            } else {
                Content::Files
            },
            out: Vec::new(),
        };
        let full = std::mem::replace(&mut self.current, next);
        self.members += 1;
        if self.holding {
            self.held.push(full);
            Ok(())
        } else {
            self.send(full)
        }
    }

    /// Appends a segment of the index behind the member that was cut last.
    pub(super) fn segment(&mut self, draft: SegmentDraft) -> Result<(), PipelineError> {
        self.offset += draft.row.plain;
        self.members = 0;
        self.make_room(draft.bytes.len());
        self.pass(Next::Segment(Box::new(draft)))
    }

    /// Ends the file and waits for it.
    pub(super) fn finish(mut self, end: End) -> Result<ArchiveSeal, PipelineError> {
        self.pass(Next::End(Box::new(End {
            tar_offset: self.offset,
            ..end
        })))?;
        self.order = None;
        let emitter = self.emitter.take().ok_or_else(stopped)?;
        emitter.join().map_err(|_| stopped())?
    }

    /// The room in the current member, at least one byte.
    fn room(&mut self) -> Result<&mut [u8], PipelineError> {
        if self.current.filled >= self.member_bytes {
            self.cut()?;
        }
        let end = self.member_bytes.max(self.current.filled + 1);
        if self.current.bytes.len() < end {
            self.current.bytes.resize(end, 0);
        }
        Ok(&mut self.current.bytes[self.current.filled..end])
    }

    fn advance(&mut self, length: usize) {
        self.current.filled += length;
        self.offset += length as u64;
    }

    /// Waits until what is on its way to the sink leaves room for `length` bytes more.
    fn make_room(&mut self, length: usize) {
        let mut arrived = self.arrived.try_recv().ok();
        loop {
            while let Some(member) = arrived {
                self.in_flight = self.in_flight.saturating_sub(member.length);
                if member.memory.capacity() > 0 {
                    self.spare.push(member.memory);
                }
                arrived = self.arrived.try_recv().ok();
            }
            if self.in_flight == 0 || self.in_flight + length <= IN_FLIGHT {
                break;
            }
            arrived = self.arrived.recv().ok();
            if arrived.is_none() {
                // The emitter has ended; why is told when it is given something.
                break;
            }
        }
        self.in_flight += length;
    }

    fn send(&mut self, mut buffer: Buffer) -> Result<(), PipelineError> {
        self.make_room(buffer.filled);
        buffer.out = self.spare.pop().unwrap_or_default();
        let ticket = self.pool.submit(buffer)?;
        self.pass(Next::Member(ticket))
    }

    /// Gives the emitter its next thing, or tells why it has ended.
    fn pass(&mut self, next: Next) -> Result<(), PipelineError> {
        let order = self.order.as_ref().ok_or_else(|| failed_before("writer"))?;
        if order.send(next).is_ok() {
            return Ok(());
        }
        self.order = None;
        let emitter = self.emitter.take().ok_or_else(|| failed_before("writer"))?;
        match emitter.join() {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(stopped()),
        }
    }
}

/// Plain bytes of a member that has been doubled so many times.
fn member_bytes(cuts: &Cuts, doublings: u32) -> usize {
    (cuts.member_bytes << doublings).clamp(tar::BLOCK, MAX_MEMBER_BYTES)
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.order = None;
        if let Some(emitter) = self.emitter.take() {
            // Whoever drops the writer half-way does not want to know how it would have ended.
            let _abandoned = emitter.join();
        }
    }
}
