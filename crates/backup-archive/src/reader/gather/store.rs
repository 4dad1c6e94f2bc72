//! Decoded members: those in memory, and those on their way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backup_core::PipelineError;

use super::batch::Share;
use crate::error::again;
use crate::reader::kept::Kept;

/// A member by its archive's number and its place in the tar stream.
pub(super) type Key = (usize, u64);

/// About what a member in memory takes beside its bytes, so that very many short ones are bounded too.
const OVERHEAD: usize = 256;

/// How many members' memory is kept.
const SPARE: usize = 8;

pub(super) struct Store(Mutex<State>);

struct State {
    ready: Kept<Key, Arc<Vec<u8>>>,
    /// Who waits for them, and when they are wanted.
    coming: HashMap<Key, (Vec<Share>, u64)>,
    /// Memory of members that have gone. Taken again, since memory that many threads ask for and give back, megabytes at
    /// a time, grows to several times of what is used.
    spare: Vec<Vec<u8>>,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self(Mutex::new(State {
            ready: Kept::new(limit),
            coming: HashMap::new(),
            spare: Vec::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Memory to decode the next member into.
    pub(super) fn spare(&self) -> Vec<u8> {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Serves a share from memory, or as soon as its member comes. The member counts as used at `now`. Says whether it has
    /// to be fetched for it: nobody else has asked for it.
    pub(super) fn claim(&self, key: Key, share: Share, now: u64) -> bool {
        let mut state = self.lock();
        if let Some(bytes) = state.ready.get(key, now) {
            drop(state);
            share.deliver(&bytes);
            return false;
        }
        let (shares, wanted) = state.coming.entry(key).or_default();
        shares.push(share);
        *wanted = now.max(*wanted);
        shares.len() == 1
    }

    /// A member has come.
    pub(super) fn deliver(&self, key: Key, bytes: Vec<u8>) {
        let bytes = Arc::new(bytes);
        let mut state = self.lock();
        let Some((shares, wanted)) = state.coming.remove(&key) else {
            return;
        };
        let mut gone = state.ready.put(key, bytes.clone(), bytes.len() + OVERHEAD, wanted);
        drop(state);
        for share in shares {
            share.deliver(&bytes);
        }
        gone.push(bytes);
        // What is kept, or is being copied from, is not spare.
        let spare = gone.into_iter().filter_map(Arc::into_inner);
        let mut state = self.lock();
        state.spare.extend(spare);
        state.spare.truncate(SPARE);
    }

    /// A member cannot be had.
    pub(super) fn fail(&self, key: Key, error: &PipelineError) {
        let mut state = self.lock();
        let shares = state.coming.remove(&key).map(|(shares, _)| shares).unwrap_or_default();
        drop(state);
        for share in shares {
            share.fail(again(error));
        }
    }
}
