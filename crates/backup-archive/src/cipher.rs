//! AES-256-CBC over the stored file, and how positions in the plain file map to positions in the stored one.

use std::ops::Range;

use backup_core::PipelineError;
use openssl::symm::{Cipher, Crypter, Mode};

use crate::ArchiveKey;
use crate::error::crypto;

/// Bytes of a cipher block, and of the IV at the file's head.
pub(crate) const BLOCK: usize = 16;

/// A running encryption or decryption of a whole file with PKCS#7 padding.
pub(crate) struct Cbc(Crypter);

impl Cbc {
    pub(crate) fn new(mode: Mode, key: &ArchiveKey, iv: &[u8]) -> Result<Self, PipelineError> {
        Crypter::new(Cipher::aes_256_cbc(), mode, key.bytes(), Some(iv))
            .map(Self)
            .map_err(crypto)
    }

    /// Appends what `input` becomes to `out`.
    pub(crate) fn update(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), PipelineError> {
        let before = out.len();
        out.resize(before + input.len() + BLOCK, 0);
        let written = self.0.update(input, &mut out[before..]).map_err(crypto)?;
        out.truncate(before + written);
        Ok(())
    }

    /// Appends the last block to `out`. When decrypting, an error means that the padding is not valid.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> Result<(), PipelineError> {
        let before = out.len();
        out.resize(before + 2 * BLOCK, 0);
        let written = self.0.finalize(&mut out[before..]).map_err(crypto)?;
        out.truncate(before + written);
        Ok(())
    }
}

/// How the plain file (compressed members and trailer) is stored.
#[derive(Clone)]
pub(crate) enum Cover {
    /// As it is.
    Bare,
    /// Behind an IV, in AES-256-CBC.
    Encrypted(ArchiveKey),
}

impl Cover {
    /// Which bytes of the stored file are needed for the plain file's `range`.
    pub(crate) fn span(&self, range: &Range<u64>) -> Range<u64> {
        match self {
            Self::Bare => range.clone(),
            // The block before the first one is its IV; the file's own IV is the block before all.
            Self::Encrypted(_) => {
                let block = BLOCK as u64;
                range.start / block * block..range.end.div_ceil(block) * block + block
            }
        }
    }

    /// The plain file's `range` from the stored bytes of its [`Self::span`].
    pub(crate) fn uncover(&self, stored: &[u8], range: &Range<u64>) -> Result<Vec<u8>, PipelineError> {
        let Self::Encrypted(key) = self else {
            return Ok(stored.to_vec());
        };
        let (iv, text) = stored
            .split_at_checked(BLOCK)
            .ok_or_else(|| PipelineError::failed("a read of the archive came back short", ""))?;
        let mut crypter = Crypter::new(Cipher::aes_256_cbc(), Mode::Decrypt, key.bytes(), Some(iv)).map_err(crypto)?;
        crypter.pad(false);
        let mut plain = vec![0; text.len() + BLOCK];
        let mut length = crypter.update(text, &mut plain).map_err(crypto)?;
        length += crypter.finalize(&mut plain[length..]).map_err(crypto)?;
        let skip = (range.start % BLOCK as u64) as usize;
        let wanted = (range.end - range.start) as usize;
        if skip + wanted > length {
            return Err(PipelineError::failed("a read of the archive came back short", ""));
        }
        plain.truncate(skip + wanted);
        plain.drain(..skip);
        Ok(plain)
    }
}
