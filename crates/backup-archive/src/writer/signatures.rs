//! Signatures of what an archive stores itself, on their way into it.

use backup_core::PipelineError;

use super::{ArchiveWriter, Cuts};
use crate::blocks::is_anchor;
use crate::index::{AnchorRow, SignatureRow};
use crate::signatures::{ANCHOR_ROW, BlockRow, PageDraft, anchor_row};
use crate::tar;

/// Collects the blocks that stand in the archive, in pages, and the anchors to them.
pub(super) struct SignatureBook {
    page_blocks: usize,
    anchor_rows: usize,
    page: PageDraft,
    /// Pages that wait for the end of a file to be written.
    full: Vec<PageDraft>,
    anchors: Vec<u8>,
    /// What was written, for the root.
    pub(super) pages: Vec<SignatureRow>,
    pub(super) tables: Vec<AnchorRow>,
}

impl SignatureBook {
    pub(super) fn new(cuts: &Cuts) -> Self {
        Self {
            page_blocks: cuts.page_blocks.max(1),
            anchor_rows: cuts.anchor_rows.max(1),
            page: PageDraft::default(),
            full: Vec::new(),
            anchors: Vec::new(),
            pages: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// Notes a block; they ascend. `first`: it is the first one of an entry.
    pub(super) fn note(&mut self, block: &BlockRow, first: bool) {
        if first || is_anchor(&block.hash) {
            let page = (self.pages.len() + self.full.len()) as u32;
            self.anchors.extend_from_slice(&anchor_row(&block.hash, page));
        }
        self.page.push(block);
        if self.page.blocks >= self.page_blocks {
            self.full.push(std::mem::take(&mut self.page));
        }
    }
}

impl ArchiveWriter {
    /// Writes pages where some are full. The tape is between two files.
    pub(super) fn pages_if_full(&mut self) -> Result<(), PipelineError> {
        for page in std::mem::take(&mut self.signatures.full) {
            self.write_page(&page)?;
        }
        while self.signatures.anchors.len() >= self.signatures.anchor_rows * ANCHOR_ROW {
            self.write_anchors()?;
        }
        Ok(())
    }

    /// Writes what is left, at the end of a part.
    pub(super) fn end_pages(&mut self) -> Result<(), PipelineError> {
        self.pages_if_full()?;
        let page = std::mem::take(&mut self.signatures.page);
        if page.blocks > 0 {
            self.write_page(&page)?;
        }
        self.write_anchors()
    }

    fn write_page(&mut self, page: &PageDraft) -> Result<(), PipelineError> {
        let name = format!(".backup/signatures/{:06}", self.signatures.pages.len());
        let offset = self.write_apart(&name, &page.bytes)?;
        self.signatures.pages.push(SignatureRow {
            offset,
            length: page.bytes.len() as u64,
            from: page.from,
            to: page.to,
        });
        Ok(())
    }

    fn write_anchors(&mut self) -> Result<(), PipelineError> {
        let length = self
            .signatures
            .anchors
            .len()
            .min(self.signatures.anchor_rows * ANCHOR_ROW);
        if length == 0 {
            return Ok(());
        }
        let rest = self.signatures.anchors.split_off(length);
        let rows = std::mem::replace(&mut self.signatures.anchors, rest);
        let name = format!(".backup/anchors/{:06}", self.signatures.tables.len());
        let offset = self.write_apart(&name, &rows)?;
        self.signatures.tables.push(AnchorRow {
            offset,
            length: length as u64,
        });
        Ok(())
    }

    /// Writes a file of the archive's own in members of its own, so that it is fetched alone. Returns where its content
    /// begins.
    fn write_apart(&mut self, name: &str, bytes: &[u8]) -> Result<u64, PipelineError> {
        let length = bytes.len() as u64;
        self.tape.cut()?;
        self.tape
            .write(&tar::plain_file(name.as_bytes(), length, self.created_at))?;
        let offset = self.tape.offset();
        self.tape.write(bytes)?;
        self.tape.pad(length)?;
        self.tape.cut()?;
        Ok(offset)
    }
}
