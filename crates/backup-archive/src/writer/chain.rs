//! The archives that a new one builds on, as far as matching needs them: pages of signatures and anchors.

use std::sync::Arc;

use backup_core::PipelineError;

use crate::ArchiveReader;
use crate::blocks::BlockHash;
use crate::error::damaged;
use crate::index::{Base, Extent};
use crate::reader::Archive;
use crate::signatures::{ANCHOR_ROW, BlockRow, MAX_PAGE, anchor_key, parse_anchors, parse_page};

/// Pages of signatures that are kept in memory, each of 8,192 blocks, at the least: of a long chain one of each archive, and half
/// as many as here besides.
const KEPT_PAGES: usize = 64;
const PAGE_BLOCKS: usize = 8192;
/// Anchors that are kept in memory, 16 bytes each: those of several terabytes or millions of files. Of those that are
/// more, the oldest are left out: what moved is then stored again, and nothing else is lost.
const MOST_ANCHORS: usize = 1 << 22;

/// Where a block may stand that has this key: a page of an archive.
struct Anchor {
    key: u64,
    archive: u32,
    page: u32,
}

/// A page with its archive and its number.
type KeptPage = ((u32, u32), Arc<Vec<BlockRow>>);

/// The chain of archives. In extents, they count from 1: the base first.
pub(super) struct Chain {
    archives: Vec<Arc<Archive>>,
    /// Ascending by key, each once: in the archive that is nearest.
    anchors: Vec<Anchor>,
    /// The one that was used last at the end.
    pages: Vec<KeptPage>,
}

impl Chain {
    pub(super) fn new(base: &ArchiveReader) -> Result<Self, PipelineError> {
        let archives = base.chain()?;
        let mut anchors = Vec::new();
        for (archive, number) in archives.iter().zip(1..) {
            check_pages(archive)?;
            read_anchors(archive, number, &mut anchors)?;
        }
        anchors.sort_unstable_by_key(|anchor| (anchor.key, anchor.archive, anchor.page));
        anchors.dedup_by_key(|anchor| anchor.key);
        Ok(Self {
            archives,
            anchors,
            pages: Vec::new(),
        })
    }

    /// The archive that the new one builds on.
    pub(super) fn base(&self) -> Result<&Arc<Archive>, PipelineError> {
        self.archives
            .first()
            .ok_or_else(|| PipelineError::failed("the archive has no base", ""))
    }

    /// The table of bases of the new archive.
    pub(super) fn rows(&self) -> Result<Vec<Base>, PipelineError> {
        let base = self.base()?;
        let mut rows = vec![base.base_row()?];
        rows.extend_from_slice(base.base_rows());
        Ok(rows)
    }

    /// Extents of a record of the base, as they are counted from the new archive.
    pub(super) fn carry(&self, extents: &[Extent]) -> Result<Vec<Extent>, PipelineError> {
        let carried = extents.iter().map(|extent| {
            let archive = extent.archive.checked_add(1);
            let known = archive.filter(|archive| *archive as usize <= self.archives.len());
            Ok(Extent {
                archive: known.ok_or_else(|| damaged("its index points to an archive that is not in the table"))?,
                ..*extent
            })
        });
        carried.collect()
    }

    /// The first page of an archive that describes something at `offset` or behind, with its number.
    pub(super) fn page_from(&self, archive: u32, offset: u64) -> Option<u32> {
        let rows = self.archives.get(archive.checked_sub(1)? as usize)?.signatures();
        let number = rows.partition_point(|row| row.to <= offset);
        (number < rows.len()).then_some(number as u32)
    }

    /// Where the content ends that a page describes.
    pub(super) fn page_end(&self, archive: u32, number: u32) -> u64 {
        let source = (archive as usize).checked_sub(1).and_then(|at| self.archives.get(at));
        let row = source.and_then(|source| source.signatures().get(number as usize));
        row.map_or(u64::MAX, |row| row.to)
    }

    /// The page in which a block of this hash may stand: its archive and its number.
    pub(super) fn anchor(&self, hash: &BlockHash) -> Option<(u32, u32)> {
        let key = anchor_key(hash);
        let at = self.anchors.binary_search_by_key(&key, |anchor| anchor.key).ok()?;
        let anchor = self.anchors.get(at)?;
        Some((anchor.archive, anchor.page))
    }

    /// Whether a page is in memory.
    pub(super) fn has_page(&self, archive: u32, number: u32) -> bool {
        self.pages.iter().any(|(name, _)| *name == (archive, number))
    }

    /// A page of signatures.
    pub(super) fn page(&mut self, archive: u32, number: u32) -> Result<Arc<Vec<BlockRow>>, PipelineError> {
        if let Some(at) = self.pages.iter().position(|(name, _)| *name == (archive, number)) {
            let kept = self.pages.remove(at);
            let blocks = kept.1.clone();
            self.pages.push(kept);
            return Ok(blocks);
        }
        let source = (archive as usize).checked_sub(1).and_then(|at| self.archives.get(at));
        let row = source.and_then(|source| Some((source, *source.signatures().get(number as usize)?)));
        let (source, row) = row.ok_or_else(|| damaged("a page of signatures is not there"))?;
        let end = row.offset.saturating_add(row.length);
        let bytes = source.tar_bytes(&(row.offset..end), MAX_PAGE)?;
        let blocks = Arc::new(parse_page(&bytes, row.from, row.to)?);
        let kept = |pages: &[KeptPage]| pages.iter().map(|(_, blocks)| blocks.len()).sum::<usize>();
        let most = PAGE_BLOCKS * KEPT_PAGES.max(self.archives.len() + KEPT_PAGES / 2);
        while !self.pages.is_empty() && kept(&self.pages) + blocks.len() > most {
            self.pages.remove(0);
        }
        self.pages.push(((archive, number), blocks.clone()));
        Ok(blocks)
    }
}

/// Whether the pages that an archive names ascend and describe what is in it.
fn check_pages(archive: &Archive) -> Result<(), PipelineError> {
    let mut end = 0;
    for row in archive.signatures() {
        if row.from < end || row.to < row.from || row.to > archive.tar_end() {
            return Err(damaged("the root of its index names impossible pages of signatures"));
        }
        end = row.to;
    }
    Ok(())
}

/// Appends the anchors of an archive, as far as there is room.
fn read_anchors(archive: &Arc<Archive>, number: u32, anchors: &mut Vec<Anchor>) -> Result<(), PipelineError> {
    let pages = archive.signatures().len() as u64;
    for row in archive.anchors() {
        let end = row.offset.saturating_add(row.length);
        let bytes = archive.tar_bytes(&(row.offset..end), MAX_PAGE)?;
        let room = MOST_ANCHORS.saturating_sub(anchors.len());
        anchors.reserve_exact(room.min(bytes.len() / ANCHOR_ROW));
        for (key, page) in parse_anchors(&bytes)?.take(room) {
            if u64::from(page) >= pages {
                return Err(damaged("its table of anchors names a page that is not there"));
            }
            anchors.push(Anchor {
                key,
                archive: number,
                page,
            });
        }
        if anchors.len() >= MOST_ANCHORS {
            break;
        }
    }
    Ok(())
}
