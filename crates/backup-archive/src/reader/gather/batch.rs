//! A piece of content while it is put together.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use backup_core::PipelineError;

use crate::error::failed_before;
use crate::pool::stopped;

/// Content that several threads fill in.
pub(super) struct Batch {
    length: u64,
    filling: Mutex<Filling>,
    done: Condvar,
}

struct Filling {
    bytes: Vec<u8>,
    /// Shares that have not come.
    missing: usize,
    failed: Option<PipelineError>,
}

/// Where a piece of a member goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    /// Where it begins in the member.
    pub(super) from: usize,
    pub(super) length: usize,
    /// Where it begins in the batch.
    pub(super) at: usize,
}

/// What a batch wants of one member. Dropped before it is delivered, it fails the batch, so that nobody waits for ever.
pub(super) struct Share {
    batch: Arc<Batch>,
    slices: Vec<Slice>,
    settled: bool,
}

impl Batch {
    /// A batch whose shares will fill `length` bytes.
    pub(super) fn new(length: usize) -> Arc<Self> {
        Arc::new(Self {
            length: length as u64,
            filling: Mutex::new(Filling {
                bytes: vec![0; length],
                missing: 0,
                failed: None,
            }),
            done: Condvar::new(),
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn share(self: &Arc<Self>, slices: Vec<Slice>) -> Share {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner).missing += 1;
        Share {
            batch: self.clone(),
            slices,
            settled: false,
        }
    }

    /// Waits until all shares have come, or one has failed, and takes the bytes.
    pub(super) fn wait(&self) -> Result<Vec<u8>, PipelineError> {
        let filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .done
            .wait_while(filling, |filling| filling.missing > 0 && filling.failed.is_none());
        let mut filling = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = filling.failed.take() {
            return Err(error);
        }
        if filling.bytes.len() as u64 != self.length {
            return Err(failed_before("reader"));
        }
        Ok(std::mem::take(&mut filling.bytes))
    }
}

impl Share {
    /// Copies the pieces from the decoded member.
    pub(super) fn deliver(mut self, member: &[u8]) {
        self.settle(|filling, slices| {
            for slice in slices {
                let piece = &member[slice.from..slice.from + slice.length];
                filling.bytes[slice.at..slice.at + slice.length].copy_from_slice(piece);
            }
        });
    }

    /// Tells that the member cannot be had.
    pub(super) fn fail(mut self, error: PipelineError) {
        self.settle(|filling, _| {
            filling.failed.get_or_insert(error);
        });
    }

    fn settle(&mut self, step: impl FnOnce(&mut Filling, &[Slice])) {
        let mut filling = self.batch.filling.lock().unwrap_or_else(PoisonError::into_inner);
        step(&mut filling, &self.slices);
        filling.missing -= 1;
        self.settled = true;
        self.batch.done.notify_all();
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(|filling, _| {
                filling.failed.get_or_insert_with(stopped);
            });
        }
    }
}
