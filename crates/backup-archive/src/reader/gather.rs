//! Content that stands scattered over an archive and those it builds on, put together in order.
//!
//! A planning thread runs ahead of the reader and forms batches. For each it finds the members that hold its pieces, has
//! those that are not in memory fetched in few long reads and decoded, each once, by some threads, which copy the pieces
//! to their places in the batch. So what it takes in memory does not depend on how far the pieces are scattered.

mod batch;
mod fetch;
mod plan;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use backup_core::PipelineError;

use super::chain::Chain;
use crate::error::{damaged, failed_before};
use crate::index::Extent;
use crate::pool::{spawn, stopped};
use batch::Batch;
use plan::Planner;

/// How much is done at once, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Content of the first batch: little, so that it soon comes.
    pub(super) first_batch: u64,
    /// Content of a batch, to which the batches grow.
    pub(super) batch: u64,
    /// Members of a batch, decoded. Batches shrink while they need more, so that each comes in time.
    pub(super) members: u64,
    /// Decoded members that are kept, since the next batch often needs the same ones.
    pub(super) store: usize,
    /// The longest read of several members.
    pub(super) read: u64,
    /// Bytes that nobody wants are read through, rather than begin another read.
    pub(super) gap: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_batch: 1 << 20,
            batch: 8 << 20,
            members: 256 << 20,
            store: 64 << 20,
            read: 2 << 20,
            gap: 64 << 10,
        }
    }
}

/// The content of extents, one after the other, every byte checked. Works ahead on threads of its own, within bounds;
/// dropped, it stops them.
pub(super) struct Gather {
    batches: Option<Receiver<Result<Arc<Batch>, PipelineError>>>,
    planner: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    current: Vec<u8>,
    at: usize,
    /// Content that nobody wants comes first.
    skip: u64,
    failed: bool,
}

impl Gather {
    /// Gathers what the extents of `entries` hold.
    pub(super) fn new(
        chain: Chain,
        limits: Limits,
        entries: impl Iterator<Item = Result<Vec<Extent>, PipelineError>> + Send + 'static,
    ) -> Result<Self, PipelineError> {
        let stop = Arc::<AtomicBool>::default();
        let planner = Planner::new(chain, limits, Box::new(entries), stop.clone())?;
        let (sender, batches) = sync_channel(1);
        let planner = spawn("gather", move || planner.run(&sender))?;
        Ok(Self {
            batches: Some(batches),
            planner: Some(planner),
            stop,
            current: Vec::new(),
            at: 0,
            skip: 0,
            failed: false,
        })
    }

    /// Leaves out the next `length` bytes.
    pub(super) fn skip(&mut self, length: u64) {
        self.skip += length;
    }

    /// Some of the next bytes: at least one, where `buffer` has room.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, PipelineError> {
        if self.failed {
            return Err(failed_before("reader"));
        }
        let read = self.advance(buffer);
        self.failed = read.is_err();
        read
    }

    fn advance(&mut self, buffer: &mut [u8]) -> Result<usize, PipelineError> {
        loop {
            let there = self.current.len() - self.at;
            let skipped = self.skip.min(there as u64);
            self.at += skipped as usize;
            self.skip -= skipped;
            let length = buffer.len().min(self.current.len() - self.at);
            if length > 0 || buffer.is_empty() {
                buffer[..length].copy_from_slice(&self.current[self.at..self.at + length]);
                self.at += length;
                return Ok(length);
            }
            // Its memory is given back before more is asked for.
            self.current = Vec::new();
            self.at = 0;
            let batches = self.batches.as_ref().ok_or_else(stopped)?;
            let batch = batches
                .recv()
                .map_err(|_| damaged("its entries have less content than its index says"))??;
            if batch.length() <= self.skip {
                self.skip -= batch.length();
            } else {
                self.current = batch.wait()?;
            }
        }
    }
}

impl Drop for Gather {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.batches = None;
        if let Some(planner) = self.planner.take() {
            // It ended by itself or because nobody listens any more.
            let _ended = planner.join();
        }
    }
}
