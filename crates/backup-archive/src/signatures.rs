//! Signatures: what the content of an archive consists of, block by block, for archives that build on it.

use backup_core::PipelineError;

use crate::blocks::BlockHash;
use crate::error::damaged;

/// The tar offset of a run's first byte, and its number of blocks.
const RUN_HEAD: usize = 8 + 4;
/// Length and hash of a block.
const BLOCK_ROW: usize = 4 + 16;
/// Bytes of a row of the table of anchors: the beginning of a hash, and the number of its page.
pub(crate) const ANCHOR_ROW: usize = 8 + 4;
/// Pages and pieces of the table of anchors that are longer are not ours.
pub(crate) const MAX_PAGE: u64 = 16 << 20;

/// A block of an archive's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRow {
    /// Where it begins in the tar stream.
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) hash: BlockHash,
}

impl BlockRow {
    pub(crate) fn end(&self) -> u64 {
        self.offset + u64::from(self.length)
    }
}

/// A page in the making. Blocks ascend.
#[derive(Default)]
pub(crate) struct PageDraft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) blocks: usize,
    /// Where the content that it describes begins, and ends, in the tar stream.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Where in `bytes` the current run begins.
    run: usize,
}

impl PageDraft {
    /// Notes the next block.
    pub(crate) fn push(&mut self, block: &BlockRow) {
        if self.blocks == 0 {
            self.from = block.offset;
        }
        if self.blocks == 0 || block.offset != self.to {
            self.run = self.bytes.len();
            self.bytes.extend_from_slice(&block.offset.to_be_bytes());
            self.bytes.extend_from_slice(&[0; 4]);
        }
        self.bytes.extend_from_slice(&block.length.to_be_bytes());
        self.bytes.extend_from_slice(&block.hash);
        let count = (self.bytes.len() - self.run - RUN_HEAD) / BLOCK_ROW;
        self.bytes[self.run + 8..self.run + RUN_HEAD].copy_from_slice(&(count as u32).to_be_bytes());
        self.blocks += 1;
        self.to = block.end();
    }
}

/// Reads a page whose blocks lie between `from` and `to` of the tar stream.
pub(crate) fn parse_page(mut bytes: &[u8], from: u64, to: u64) -> Result<Vec<BlockRow>, PipelineError> {
    let wrong = || damaged("a page of its signatures is not valid");
    let mut blocks = Vec::with_capacity(bytes.len() / BLOCK_ROW);
    let mut end = from;
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_first_chunk::<RUN_HEAD>().ok_or_else(wrong)?;
        let (mut offset, count) = (u64_at(head, 0), u32_at(head, 8) as usize);
        let length = count.checked_mul(BLOCK_ROW).ok_or_else(wrong)?;
        let (rows, rest) = rest.split_at_checked(length).ok_or_else(wrong)?;
        if offset < end {
            return Err(wrong());
        }
        for row in rows.chunks_exact(BLOCK_ROW) {
            let length = u32_at(row, 0);
            end = offset.checked_add(u64::from(length)).ok_or_else(wrong)?;
            if length == 0 || end > to {
                return Err(wrong());
            }
            blocks.push(BlockRow {
                offset,
                length,
                hash: row[4..].first_chunk().copied().unwrap_or_default(),
            });
            offset = end;
        }
        bytes = rest;
    }
    Ok(blocks)
}

/// By this the table of anchors knows a block.
pub(crate) fn anchor_key(hash: &BlockHash) -> u64 {
    u64_at(hash, 0)
}

/// A row of the table of anchors.
pub(crate) fn anchor_row(hash: &BlockHash, page: u32) -> [u8; ANCHOR_ROW] {
    let mut row = [0; ANCHOR_ROW];
    row[..8].copy_from_slice(&hash[..8]);
    row[8..].copy_from_slice(&page.to_be_bytes());
    row
}

/// The rows of a piece of the table of anchors: keys, and numbers of pages.
pub(crate) fn parse_anchors(bytes: &[u8]) -> Result<impl Iterator<Item = (u64, u32)>, PipelineError> {
    if !bytes.len().is_multiple_of(ANCHOR_ROW) {
        return Err(damaged("its table of anchors is not valid"));
    }
    let rows = bytes.chunks_exact(ANCHOR_ROW);
    Ok(rows.map(|row| (u64_at(row, 0), u32_at(row, 8))))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes[at..].first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(field)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes[at..].first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(offset: u64, length: u32) -> BlockRow {
        BlockRow {
            offset,
            length,
            hash: [offset as u8; 16],
        }
    }

    #[test]
    fn a_page_holds_runs_of_neighbours() {
        let blocks = [block(512, 100), block(612, 50), block(1024, 7), block(1031, 1)];
        let mut page = PageDraft::default();
        for block in &blocks {
            page.push(block);
        }
        assert_eq!((page.from, page.to, page.blocks), (512, 1032, 4));
        assert_eq!(page.bytes.len(), 2 * RUN_HEAD + 4 * BLOCK_ROW);
        assert_eq!(parse_page(&page.bytes, 512, 1032).unwrap(), blocks);
    }

    #[test]
    fn a_page_that_leads_elsewhere_is_refused() {
        let mut page = PageDraft::default();
        page.push(&block(512, 100));
        page.push(&block(1024, 100));
        for (from, to) in [(513, 1124), (512, 1123), (2000, 3000)] {
            assert!(parse_page(&page.bytes, from, to).is_err(), "{from} {to}");
        }
        for length in 1..page.bytes.len() {
            let whole = length == RUN_HEAD + BLOCK_ROW;
            assert_eq!(parse_page(&page.bytes[..length], 0, 5000).is_ok(), whole, "{length}");
        }
        let mut endless = page.bytes.clone();
        endless[8..12].fill(0xff);
        assert!(parse_page(&endless, 0, u64::MAX).is_err());
        let mut overflow = page.bytes.clone();
        overflow[..8].fill(0xff);
        assert!(parse_page(&overflow, 0, u64::MAX).is_err());
        let mut backwards = page.bytes.clone();
        backwards.extend_from_slice(&page.bytes);
        assert!(parse_page(&backwards, 0, u64::MAX).is_err());
        assert!(parse_anchors(&[0; ANCHOR_ROW + 1]).is_err());
    }
}
