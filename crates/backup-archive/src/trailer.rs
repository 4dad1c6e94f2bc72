//! The fixed-size end of the plain file, which says where the index's root is.

use backup_core::receipt::Codec;
use libdeflater::crc32;

/// The version of the archive format that this crate writes and reads.
pub(crate) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"BKARCHIV";
const FIELDS: usize = 64;

/// An empty gzip member with one subfield `BT` (RFC 1952) around the fields.
const GZIP_HEAD: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 68, 0, b'B', b'T', 64, 0];
const GZIP_TAIL: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// A skippable zstd frame (RFC 8878) around the fields.
const ZSTD_HEAD: [u8; 8] = [0x50, 0x2a, 0x4d, 0x18, 64, 0, 0, 0];

/// What the trailer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) version: u32,
    pub(crate) archive_id: [u8; 16],
    /// Where the root's member begins in the plain file.
    pub(crate) root_offset: u64,
    /// Its compressed length.
    pub(crate) root_stored: u64,
    /// Its length when inflated.
    pub(crate) root_plain: u64,
    /// The key's fingerprint; zeros where the archive is not encrypted.
    pub(crate) fingerprint: [u8; 16],
}

impl Trailer {
    /// How many bytes it takes.
    pub(crate) const fn length(codec: Codec) -> usize {
        match codec {
            Codec::Gzip | Codec::None => GZIP_HEAD.len() + FIELDS + GZIP_TAIL.len(),
            Codec::Zstd => ZSTD_HEAD.len() + FIELDS,
        }
    }

    pub(crate) fn encode(&self, codec: Codec) -> Vec<u8> {
        let (head, tail) = frame(codec);
        let fields = [
            MAGIC.as_slice(),
            &self.version.to_be_bytes(),
            &self.archive_id,
            &self.root_offset.to_be_bytes(),
            &(self.root_stored as u32).to_be_bytes(),
            &(self.root_plain as u32).to_be_bytes(),
            &self.fingerprint,
        ]
        .concat();
        [head, &fields, &crc32(&fields).to_be_bytes(), tail].concat()
    }

    /// The trailer in exactly these bytes; `None` where they are none.
    pub(crate) fn decode(codec: Codec, bytes: &[u8]) -> Option<Self> {
        let (head, tail) = frame(codec);
        let fields = bytes.strip_prefix(head)?.strip_suffix(tail)?;
        // The checksum tells damage from another version or another archive; the seal is what is trusted.
        let (fields, checksum) = fields.split_last_chunk::<4>()?;
        (crc32(fields) == u32::from_be_bytes(*checksum)).then_some(())?;
        let mut fields = Fields(fields.strip_prefix(MAGIC)?);
        let trailer = Self {
            version: u32::from_be_bytes(fields.take()?),
            archive_id: fields.take()?,
            root_offset: u64::from_be_bytes(fields.take()?),
            root_stored: u64::from(u32::from_be_bytes(fields.take()?)),
            root_plain: u64::from(u32::from_be_bytes(fields.take()?)),
            fingerprint: fields.take()?,
        };
        fields.0.is_empty().then_some(trailer)
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }
}

const fn frame(codec: Codec) -> (&'static [u8], &'static [u8]) {
    match codec {
        Codec::Gzip | Codec::None => (&GZIP_HEAD, &GZIP_TAIL),
        Codec::Zstd => (&ZSTD_HEAD, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_comes_back_and_nothing_else_is_one() {
        let trailer = Trailer {
            version: 1,
            archive_id: [7; 16],
            root_offset: 1 << 40,
            root_stored: 1234,
            root_plain: 99_999,
            fingerprint: [9; 16],
        };
        for codec in Codec::ALL {
            let bytes = trailer.encode(*codec);
            assert_eq!(bytes.len(), Trailer::length(*codec));
            assert_eq!(Trailer::decode(*codec, &bytes), Some(trailer.clone()));
            for at in 0..bytes.len() {
                assert!(Trailer::decode(*codec, &bytes[..at]).is_none());
            }
        }
    }
}
