//! A window over what is known to stand one behind the other in the chain.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use backup_core::PipelineError;

use super::chain::Chain;
use crate::blocks::BlockHash;
use crate::index::Extent;
use crate::signatures::{BlockRow, anchor_key};

/// Blocks that a window holds ahead of the last match at most, whatever their length, and as many behind it.
pub(super) const MOST: u64 = 1 << 15;
/// So many blocks of one hash are looked at, so that a long row of equal blocks costs little.
const TWINS: usize = 16;

/// A block in the window.
struct Known {
    archive: u32,
    block: BlockRow,
    /// How far from where the lane began.
    position: u64,
    /// Number of the next block that has the same key.
    twin: Option<u64>,
}

/// Blocks of consecutive extents of the chain: those about the last match. Blocks are numbered from the lane's start.
#[derive(Default)]
pub(super) struct Lane {
    extents: Arc<Vec<Extent>>,
    /// The extent, and the place in it, where loading goes on.
    next: usize,
    at: u64,
    blocks: VecDeque<Known>,
    /// Number of the first block in the window.
    first: u64,
    /// By key: the numbers of the first and the last block that have it.
    by_key: HashMap<u64, (u64, u64)>,
    /// Number and position of what is behind the last match.
    expected: u64,
    position: u64,
    /// Position where loading goes on.
    loaded: u64,
    /// How many blocks ahead of the last match are loaded; more with every match.
    reach: u64,
}

impl Lane {
    /// A lane over `extents` from `at` in the extent number `next` on, of which `reach` blocks are to be loaded.
    pub(super) fn new(extents: Arc<Vec<Extent>>, next: usize, at: u64, reach: u64) -> Self {
        Self {
            extents,
            next,
            at,
            reach,
            ..Self::default()
        }
    }

    /// Whether nothing is known here.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Number of the block that follows the last match, where it is this one.
    pub(super) fn follows(&self, hash: &BlockHash, length: u64) -> Option<u64> {
        self.get(self.expected)
            .filter(|known| is(known, hash, length))
            .map(|_| self.expected)
    }

    /// Number of a block with this hash, rather one behind the last match than before it.
    pub(super) fn find(&self, hash: &BlockHash, length: u64) -> Option<u64> {
        let mut next = self.by_key.get(&anchor_key(hash)).map(|(first, _)| *first);
        let mut found = None;
        for _ in 0..TWINS {
            let Some(number) = next else { break };
            let known = self.get(number)?;
            if is(known, hash, length) {
                found = Some(number);
                if number >= self.expected {
                    break;
                }
            }
            next = known.twin;
        }
        found
    }

    /// Moves on to block `number`, which matched, and says where it stands.
    pub(super) fn take(&mut self, number: u64, chain: &mut Chain, window: u64) -> Result<Extent, PipelineError> {
        let Some(known) = self.get(number) else {
            return Err(PipelineError::failed("a block left the window while it was used", ""));
        };
        let place = Extent {
            archive: known.archive,
            offset: known.block.offset,
            length: u64::from(known.block.length),
        };
        let position = known.position.saturating_add(place.length);
        (self.expected, self.position) = (number + 1, position);
        self.reach = (2 * self.reach).min(MOST);
        self.load(chain, window)?;
        Ok(place)
    }

    /// Loads what lies ahead, and lets go of what lies far behind.
    pub(super) fn load(&mut self, chain: &mut Chain, window: u64) -> Result<(), PipelineError> {
        // As much is kept behind as ahead, so that a match by chance somewhere ahead loses nothing.
        while let Some(known) = self.blocks.front()
            && (known.position.saturating_add(window) < self.position || self.first + MOST < self.expected)
        {
            self.drop_first();
        }
        let until = self.position.saturating_add(window.max(1));
        // In steps, since most matches are the next block.
        if self.loaded >= until - window / 4 || self.ahead() > self.reach - self.reach / 4 {
            return Ok(());
        }
        while self.loaded < until && self.ahead() < self.reach {
            let Some(extent) = self.extents.get(self.next).copied() else {
                break;
            };
            let end = extent.offset.saturating_add(extent.length);
            self.at = self.at.max(extent.offset);
            let page = chain.page_from(extent.archive, self.at).filter(|_| self.at < end);
            let Some(number) = page else {
                self.next_extent(end);
                continue;
            };
            let page = chain.page(extent.archive, number)?;
            let from = page.partition_point(|block| block.offset < self.at);
            let mut rest = &page[from..];
            while let Some((block, behind)) = rest.split_first()
                && block.end() <= end
                && self.loaded < until
                && self.ahead() < self.reach
            {
                self.push(extent.archive, *block);
                self.at = block.end();
                rest = behind;
            }
            match rest.first() {
                // It was the last of the page.
                None => self.at = self.at.max(chain.page_end(extent.archive, number)),
                Some(block) if block.end() > end => self.next_extent(end),
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// How many blocks are loaded ahead of the last match.
    fn ahead(&self) -> u64 {
        (self.first + self.blocks.len() as u64).saturating_sub(self.expected)
    }

    fn next_extent(&mut self, end: u64) {
        // What nothing is known of takes its room too.
        self.loaded = self.loaded.saturating_add(end - self.at.min(end));
        self.next += 1;
        self.at = 0;
    }

    fn push(&mut self, archive: u32, block: BlockRow) {
        let number = self.first + self.blocks.len() as u64;
        let ends = self.by_key.entry(anchor_key(&block.hash)).or_insert((number, number));
        let before = std::mem::replace(&mut ends.1, number);
        if before != number
            && let Some(known) = self.blocks.get_mut((before - self.first) as usize)
        {
            known.twin = Some(number);
        }
        self.blocks.push_back(Known {
            archive,
            block,
            position: self.loaded,
            twin: None,
        });
        self.loaded = self.loaded.saturating_add(u64::from(block.length));
    }

    fn drop_first(&mut self) {
        let Some(known) = self.blocks.pop_front() else { return };
        let key = anchor_key(&known.block.hash);
        match (known.twin, self.by_key.get_mut(&key)) {
            (Some(twin), Some(ends)) => ends.0 = twin,
            _ => {
                self.by_key.remove(&key);
            }
        }
        self.first += 1;
    }

    fn get(&self, number: u64) -> Option<&Known> {
        self.blocks.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

fn is(known: &Known, hash: &BlockHash, length: u64) -> bool {
    known.block.hash == *hash && u64::from(known.block.length) == length
}
