//! An archive together with those it builds on, and the tables of their members.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use backup_core::PipelineError;

use super::Archive;
use super::kept::Kept;
use crate::error::{damaged, in_base, not_at_hand};
use crate::index::{Extent, Member};

/// Bytes of tables that are kept in memory, of all archives together.
const TABLES: usize = 32 << 20;

/// An archive, which is number 0, and those it builds on in the order of its table, as far as they are at hand.
#[derive(Clone)]
pub(super) struct Chain {
    archives: Arc<[Arc<Archive>]>,
    tables: Arc<Tables>,
}

/// The members that a segment describes, in order.
pub(super) type Table = Arc<[Member]>;

/// Tables that were needed lately.
pub(super) struct Tables {
    kept: Mutex<Kept<(usize, usize), Table>>,
    clock: AtomicU64,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            kept: Mutex::new(Kept::new(TABLES)),
            clock: AtomicU64::new(0),
        }
    }
}

impl Tables {
    /// A moment: all tables that are needed for the same thing are used at the same.
    pub(super) fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

impl Chain {
    pub(super) fn new(own: Arc<Archive>, bases: &[Arc<Archive>], tables: Arc<Tables>) -> Self {
        Self {
            archives: std::iter::once(own).chain(bases.iter().cloned()).collect(),
            tables,
        }
    }

    pub(super) fn own(&self) -> &Arc<Archive> {
        &self.archives[0]
    }

    pub(super) fn archive(&self, number: usize) -> &Arc<Archive> {
        &self.archives[number]
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Why content cannot be read, where it stands in an archive that is not at hand.
    pub(super) fn missing(&self, extents: &[Extent]) -> Option<PipelineError> {
        let number = extents
            .iter()
            .map(|extent| extent.archive as usize)
            .find(|number| *number >= self.archives.len())?;
        Some(match self.own().root.bases.get(number - 1) {
            Some(base) => not_at_hand(&base.archive_id),
            None => damaged("its index points to an archive that is not in its table"),
        })
    }

    /// Refuses a place where no content can be.
    pub(super) fn check(&self, extent: &Extent) -> Result<(), PipelineError> {
        if let Some(missing) = self.missing(std::slice::from_ref(extent)) {
            return Err(missing);
        }
        let end = extent.offset.checked_add(extent.length);
        if end.is_none_or(|end| end > self.archives[extent.archive as usize].content_end()) {
            let place = format!("the index names an impossible place {}", extent.offset);
            return Err(damaged(match extent.archive {
                0 => place,
                base => format!(
                    "{place} of archive {}",
                    hex::encode(*self.archives[base as usize].root.archive_id)
                ),
            }));
        }
        Ok(())
    }

    /// The table of segment `segment` of archive `number`, where it is in memory.
    pub(super) fn kept_table(&self, number: usize, segment: usize, now: u64) -> Option<Table> {
        let mut kept = self.tables.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get((number, segment), now)
    }

    /// Reads that table.
    pub(super) fn load_table(&self, number: usize, segment: usize, now: u64) -> Result<Table, PipelineError> {
        let archive = &self.archives[number];
        let table: Table = if number == 0 {
            // Its records are being read too.
            archive.segment(segment)?.members.as_slice().into()
        } else {
            let loaded = archive.load_segment(segment);
            loaded.map_err(|error| self.blame(number, error))?.members.into()
        };
        let mut kept = self.tables.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let _gone = kept.put((number, segment), table.clone(), size_of_val(&*table), now);
        Ok(table)
    }

    /// Adds to an error which archive it is about.
    pub(super) fn blame(&self, number: usize, error: PipelineError) -> PipelineError {
        match number {
            0 => error,
            _ => in_base(&self.archives[number].root.archive_id, error),
        }
    }
}
