//! Content cut by content into blocks, each with its hash: what two archives have in common is found by them, also where
//! something before it was inserted or deleted.

use std::io::{self, ErrorKind, Read};

use fastcdc::v2020::FastCDC;
use openssl::sha::Sha256;

/// The shortest and the longest blocks are about two to the power of these long.
pub(crate) const LEVELS: std::ops::RangeInclusive<u8> = 8..=22;
/// The least that the buffer holds, so that few bytes are moved to its head again.
const BUFFER: usize = 256 << 10;
/// A file is cut into about this many blocks at most.
const MOST_BLOCKS: u64 = 1 << 16;

/// What a block is known by: the first bytes of its SHA-256.
pub(crate) type BlockHash = [u8; 16];

/// How long the blocks of a file of `size` bytes are: about two to the power of this, `least` where the file is not very
/// large.
pub(crate) fn level_of(size: u64, least: u8) -> u8 {
    let blocks = size.div_ceil(MOST_BLOCKS).max(1).next_power_of_two();
    least.max(blocks.trailing_zeros() as u8).min(*LEVELS.end())
}

/// Whether the hash is one of the few by which content is found wherever it stands.
pub(crate) fn is_anchor(hash: &BlockHash) -> bool {
    hash[0] == 0 && hash[1] < 0x80
}

/// Cuts content into blocks, through one buffer.
pub(crate) struct BlockCutter {
    buffer: Vec<u8>,
    /// What was read and not yet stepped over, the current block first.
    start: usize,
    end: usize,
    /// Length of the current block, and its hash.
    length: usize,
    hash: BlockHash,
    level: u8,
    ended: bool,
}

impl BlockCutter {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            length: 0,
            hash: BlockHash::default(),
            level: *LEVELS.start(),
            ended: false,
        }
    }

    /// Begins anew, with blocks of about two to the power of `level` bytes.
    pub(crate) fn begin(&mut self, level: u8) {
        self.level = level.clamp(*LEVELS.start(), *LEVELS.end());
        let wanted = BUFFER.max(2 * self.longest());
        if self.buffer.len() != wanted {
            self.buffer = vec![0; wanted];
        }
        (self.start, self.end, self.length, self.ended) = (0, 0, 0, false);
    }

    /// Steps to the next block of `content`. `false` at the end.
    pub(crate) fn next(&mut self, content: &mut dyn Read) -> io::Result<bool> {
        self.start += self.length;
        self.length = 0;
        if self.end - self.start < self.longest() && !self.ended {
            self.fill(content)?;
        }
        if self.start == self.end {
            return Ok(false);
        }
        let average = 1 << self.level;
        let rest = &self.buffer[self.start..self.end];
        let (_, length) = FastCDC::new(rest, average / 4, average, self.longest()).cut(0, rest.len());
        self.length = length;
        self.hash = hash_of(self.block());
        Ok(true)
    }

    /// The current block.
    pub(crate) fn block(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.length]
    }

    /// The hash of the current block.
    pub(crate) fn hash(&self) -> BlockHash {
        self.hash
    }

    fn longest(&self) -> usize {
        4 << self.level
    }

    /// Reads until a block of any length is there, or the end.
    fn fill(&mut self, content: &mut dyn Read) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < self.longest() && !self.ended {
            match content.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end = (self.end + read).min(self.buffer.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The hash of a block. In steps: OpenSSL's function for all at once looks its algorithm up at every call, which for a block
/// takes about as long as the hash itself.
fn hash_of(bytes: &[u8]) -> BlockHash {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Yields a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    fn text(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in 0u32.. {
            if bytes.len() >= length {
                break;
            }
            bytes.extend_from_slice(&hash_of(&number.to_be_bytes()));
        }
        bytes.truncate(length);
        bytes
    }

    fn cut(bytes: &[u8], drops: usize, level: u8) -> Vec<(usize, BlockHash)> {
        let mut cutter = BlockCutter::new();
        cutter.begin(level);
        let (mut content, mut blocks, mut whole) = (Drops(bytes, drops), Vec::new(), Vec::new());
        while cutter.next(&mut content).unwrap() {
            whole.extend_from_slice(cutter.block());
            blocks.push((cutter.block().len(), cutter.hash()));
        }
        assert!(whole == bytes);
        blocks
    }

    #[test]
    fn blocks_do_not_depend_on_how_the_content_comes() {
        let bytes = text(3_000_000);
        for level in [8, 10, 13] {
            let blocks = cut(&bytes, usize::MAX, level);
            assert_eq!(blocks, cut(&bytes, 777, level));
            assert_eq!(blocks, cut(&bytes, 64 << 10, level));
            let longest = blocks.iter().map(|(length, _)| *length).max().unwrap();
            assert!(
                longest <= 4 << level && blocks.len() > bytes.len() >> (level + 1),
                "{level}"
            );
        }
        assert!(cut(b"", 1, 10).is_empty());
        assert_eq!(cut(b"x", 1, 10).len(), 1);
    }

    #[test]
    fn an_insertion_changes_few_blocks() {
        let bytes = text(500_000);
        let changed = [&bytes[..250_000], b"inserted", &bytes[250_000..]].concat();
        let before = cut(&bytes, usize::MAX, 10);
        let new = cut(&changed, usize::MAX, 10);
        assert!(new.iter().filter(|block| !before.contains(block)).count() <= 3);
    }

    #[test]
    fn very_large_files_have_longer_blocks() {
        let levels = [
            (0, 13),
            (1, 13),
            (512 << 20, 13),
            (513 << 20, 14),
            (64 << 30, 20),
            (u64::MAX, 22),
        ];
        for (size, level) in levels {
            assert_eq!(level_of(size, 13), level, "{size}");
        }
    }
}
