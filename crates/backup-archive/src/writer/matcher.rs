//! Finding blocks of new content in the chain: where the same entry was before, and by anchors anywhere.

use std::sync::Arc;

use backup_core::{Entry, EntryPath, PipelineError};

use super::Cuts;
use super::chain::Chain;
use super::lane::{Lane, MOST};
use crate::ArchiveReader;
use crate::blocks::{BlockHash, LEVELS};
use crate::index::{Base, EntryRecord, Extent};
use crate::reader::range::RecordCursor;

/// What was touched less than this long before the base was begun may have changed while it was made, and its times not: within
/// one tick of the file system's clock, or through a mapping of the file into memory. The first write to a page sets the times,
/// further ones only once the kernel has written it back, by default within 35 seconds. Seconds.
const SETTLED_SECS: i64 = 60;

/// Blocks that are loaded at first where a window jumps to, since many a jump ends with its block.
const FIRST_REACH: u64 = 64;

/// The chain that a dependent archive builds on, and how far in it the current part and entry are.
pub(super) struct Matcher {
    chain: Chain,
    records: Option<RecordCursor>,
    /// Where the current entry's content stands in the chain as the base has it.
    home: Arc<Vec<Extent>>,
    /// Two windows: the one that matched last stays where it is while the other one jumps.
    lanes: [Lane; 2],
    /// Which of them matched last.
    last: usize,
    /// Bytes that a window reaches ahead of its last match, and behind it.
    window: u64,
    /// Pages that jumps may fetch for nothing in each part, and those that they have fetched in this one.
    jumps: u64,
    fetched: u64,
    /// Bytes of the part that were sought.
    sought: u64,
}

impl Matcher {
    pub(super) fn new(base: &ArchiveReader, cuts: &Cuts) -> Result<Self, PipelineError> {
        Ok(Self {
            chain: Chain::new(base)?,
            records: None,
            home: Arc::default(),
            lanes: <[Lane; 2]>::default(),
            last: 0,
            window: cuts.window_bytes,
            jumps: cuts.jumps,
            fetched: 0,
            sought: 0,
        })
    }

    /// The table of bases of the new archive.
    pub(super) fn rows(&self) -> Result<Vec<Base>, PipelineError> {
        self.chain.rows()
    }

    /// Begins a part.
    pub(super) fn begin_part(&mut self, name: &str) -> Result<(), PipelineError> {
        self.records = Some(RecordCursor::new(self.chain.base()?.clone(), name));
        (self.fetched, self.sought) = (0, 0);
        Ok(())
    }

    /// The record of a file that is as the base has it, with its extents counted from the new archive.
    pub(super) fn unchanged(&mut self, entry: &Entry) -> Result<Option<EntryRecord>, PipelineError> {
        let settled = self.chain.base()?.created_at().saturating_sub(SETTLED_SECS);
        let record = match &mut self.records {
            Some(records) => records.seek(&entry.path)?,
            None => None,
        };
        // What has no content is appended as it is, for the sake of those who have only `tar`.
        let Some(record) = record.filter(|record| !record.extents.is_empty() && record.is_unchanged(entry, settled))
        else {
            return Ok(None);
        };
        let extents = self.chain.carry(&record.extents)?;
        Ok(Some(record.carried(entry, extents)))
    }

    /// Begins an entry. Says how long its blocks are in the base (two to the power of it), where there are any.
    pub(super) fn begin_entry(&mut self, path: &EntryPath) -> Result<Option<u8>, PipelineError> {
        self.home = Arc::default();
        let record = match &mut self.records {
            Some(records) => records.seek(path)?,
            None => None,
        };
        let Some(record) = record.filter(|record| !record.extents.is_empty()) else {
            return Ok(None);
        };
        let level = record.level().clamp(*LEVELS.start(), *LEVELS.end());
        let home = Arc::new(self.chain.carry(&record.extents)?);
        let mut lane = Lane::new(home.clone(), 0, 0, MOST);
        lane.load(&mut self.chain, self.window)?;
        if lane.is_empty() {
            return Ok(None);
        }
        self.home = home;
        self.last = 1 - self.last;
        self.lanes[self.last] = lane;
        Ok(Some(level))
    }

    /// Whether a block of this hash may stand somewhere in the chain.
    pub(super) fn may_hold(&self, hash: &BlockHash) -> bool {
        self.chain.anchor(hash).is_some()
    }

    /// Where in the chain the block stands that comes next in the current entry: rather behind the one before than
    /// elsewhere, so that extents are few. `None`: it was not found.
    pub(super) fn find(&mut self, hash: &BlockHash, length: u64) -> Result<Option<Extent>, PipelineError> {
        self.sought += length;
        let order = [self.last, 1 - self.last];
        let lanes = || order.iter().map(|lane| (*lane, &self.lanes[*lane]));
        let next = lanes().find_map(|(lane, at)| Some((lane, at.follows(hash, length)?)));
        let near = next.or_else(|| lanes().find_map(|(lane, at)| Some((lane, at.find(hash, length)?))));
        if let Some((lane, number)) = near {
            self.last = lane;
            return self.lanes[lane].take(number, &mut self.chain, self.window).map(Some);
        }
        let Some(lane) = self.jump(hash, length)? else {
            return Ok(None);
        };
        self.last = 1 - self.last;
        self.lanes[self.last] = lane;
        let lane = &mut self.lanes[self.last];
        match lane.follows(hash, length) {
            Some(number) => lane.take(number, &mut self.chain, self.window).map(Some),
            None => Ok(None),
        }
    }

    /// A window that begins with the block, which stands far from where the entry was.
    fn jump(&mut self, hash: &BlockHash, length: u64) -> Result<Option<Lane>, PipelineError> {
        let Some((archive, page)) = self.chain.anchor(hash) else {
            return Ok(None);
        };
        if !self.chain.has_page(archive, page) {
            if self.fetched >= self.jumps + (self.sought >> 20) {
                return Ok(None);
            }
            self.fetched += 1;
        }
        let page = self.chain.page(archive, page)?;
        let known = page
            .iter()
            .find(|block| block.hash == *hash && u64::from(block.length) == length);
        let Some(block) = known else { return Ok(None) };
        let holds = |extent: &Extent| {
            extent.archive == archive && extent.offset <= block.offset && block.end() - extent.offset <= extent.length
        };
        // Within the entry, what was behind it is behind it. Elsewhere, what the archive holds next.
        let (extents, next) = if let Some(next) = self.home.iter().position(holds) {
            (self.home.clone(), next)
        } else {
            let rest = Extent {
                archive,
                offset: block.offset,
                length: u64::MAX - block.offset,
            };
            (Arc::new(vec![rest]), 0)
        };
        let mut lane = Lane::new(extents, next, block.offset, FIRST_REACH);
        lane.load(&mut self.chain, self.window)?;
        Ok(Some(lane))
    }
}
