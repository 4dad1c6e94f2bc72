//! Reading and decoding neighbours.

use std::collections::VecDeque;
use std::sync::Arc;

use backup_core::PipelineError;
use backup_core::receipt::Codec;

use super::store::Store;
use crate::codec::Decoder;
use crate::index::Member;
use crate::pool::stopped;
use crate::reader::chain::Chain;

/// Decoders of one thread. The archives of a chain may be compressed in different ways.
#[derive(Default)]
pub(super) struct Decoders(Vec<(Codec, Decoder)>);

impl Decoders {
    fn of(&mut self, codec: Codec) -> Result<&mut Decoder, PipelineError> {
        let known = self.0.iter().position(|(known, _)| *known == codec);
        let at = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push((codec, Decoder::new(codec)?));
        }
        Ok(&mut self.0[at].1)
    }
}

/// Members of one archive that are read in one go. Dropped before all have come, it tells those who wait.
pub(super) struct Fetch {
    pub(super) chain: Chain,
    pub(super) store: Arc<Store>,
    /// Number of the archive.
    pub(super) archive: usize,
    /// Not empty, ascending.
    pub(super) members: VecDeque<Member>,
}

impl Fetch {
    pub(super) fn run(mut self, decoders: &mut Decoders) {
        if let Err(error) = self.decode(decoders) {
            self.fail(&self.chain.blame(self.archive, error));
        }
    }

    fn decode(&mut self, decoders: &mut Decoders) -> Result<(), PipelineError> {
        let archive = self.chain.archive(self.archive);
        let decoder = decoders.of(archive.codec())?;
        let (Some(first), Some(last)) = (self.members.front(), self.members.back()) else {
            return Ok(());
        };
        let span = archive.cover.span(&(first.offset..last.offset + last.stored));
        let length = (span.end - span.start) as usize;
        let stored = archive.source.read_at(span.start, length)?;
        if stored.len() != length {
            return Err(PipelineError::failed("a read of the archive came back short", ""));
        }
        while let Some(member) = self.members.front() {
            let own = archive.cover.span(&(member.offset..member.offset + member.stored));
            let own = (own.start - span.start) as usize..(own.end - span.start) as usize;
            let bytes = archive.decode_into(decoder, member, &stored[own], self.store.spare())?;
            self.store.deliver((self.archive, member.tar_offset), bytes);
            self.members.pop_front();
        }
        Ok(())
    }

    fn fail(&mut self, error: &PipelineError) {
        for member in self.members.drain(..) {
            self.store.fail((self.archive, member.tar_offset), error);
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.fail(&stopped());
    }
}
