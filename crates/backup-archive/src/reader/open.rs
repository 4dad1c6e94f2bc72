//! Opening: from the seal to the index's root.

use std::sync::{Arc, Mutex};

use backup_core::{ArchiveSeal, PipelineError};
use openssl::memcmp;
use openssl::symm::Mode;

use super::{Archive, read_plain};
use crate::cipher::{BLOCK, Cbc, Cover};
use crate::codec::Decoder;
use crate::error::{another_archive, another_key, damaged, unsupported, wrong_size};
use crate::index::{MAX_INDEX_MEMBER, MAX_INDEX_STORED, Root};
use crate::sink::ByteSource;
use crate::tar;
use crate::trailer::{Trailer, VERSION};
use crate::{ArchiveKey, Keyring};

/// The first read takes this much of the file's end: trailer and, mostly, the root.
const TAIL: u64 = 64 << 10;

pub(super) fn open(
    source: Arc<dyn ByteSource>,
    keys: &Keyring,
    seal: &ArchiveSeal,
    archive_id: [u8; 16],
) -> Result<Archive, PipelineError> {
    if seal.format_version != VERSION {
        return Err(unsupported(seal.format_version));
    }
    let key = keys.require(&seal.key_fingerprint, "the archive")?.clone();
    let cover = if seal.encrypted {
        Cover::Encrypted(key.clone())
    } else {
        Cover::Bare
    };
    let size = source.len()?;
    let tail = Tail::read(source.as_ref(), &key, seal, size);
    if size != seal.size_bytes {
        // The file may be whole, and the receipt another one's.
        return Err(match tail {
            Ok(tail) if tail.trailer.archive_id != archive_id => another_archive(&tail.trailer.archive_id, &archive_id),
            Err(error @ PipelineError::Unavailable { .. }) => error,
            _ => wrong_size(size, seal.size_bytes),
        });
    }
    let Tail { trailer, plain, start } = tail?;
    if trailer.version != VERSION {
        return Err(unsupported(trailer.version));
    }
    if trailer.archive_id != archive_id {
        return Err(another_archive(&trailer.archive_id, &archive_id));
    }
    if seal.encrypted && trailer.fingerprint != key.fingerprint_bytes() {
        return Err(another_key(&hex::encode(trailer.fingerprint), &seal.key_fingerprint));
    }
    let root_end = trailer.root_offset.checked_add(trailer.root_stored);
    let trailer_at = start + plain.len() as u64 - Trailer::length(seal.codec) as u64;
    // Nothing vouches for the trailer yet, so it must not decide how much is read.
    let too_long = trailer.root_plain > MAX_INDEX_MEMBER || trailer.root_stored > MAX_INDEX_STORED;
    if root_end != Some(trailer_at) || too_long {
        return Err(damaged("its trailer names an impossible place of the index"));
    }
    let stored = match trailer.root_offset.checked_sub(start) {
        Some(at) => plain[at as usize..(at + trailer.root_stored) as usize].to_vec(),
        None => read_plain(source.as_ref(), &cover, &(trailer.root_offset..trailer_at))?,
    };
    let root = Decoder::new(seal.codec)?.decode(&stored, trailer.root_plain as usize);
    let expected = hex::decode(&seal.index_hmac).unwrap_or_default();
    let root = root
        .filter(|root| expected.len() == 32 && memcmp::eq(&key.index_hmac(root), &expected))
        .ok_or_else(|| {
            damaged("the root of its index is not what its receipt vouches for (or the receipt is another archive's)")
        })?;
    Ok(Archive {
        root: parse_root(&root, &trailer)?,
        source,
        key,
        seal: seal.clone(),
        cover,
        segments: Mutex::default(),
    })
}

/// The end of the plain file.
struct Tail {
    trailer: Trailer,
    /// Bytes up to the end of the plain file.
    plain: Vec<u8>,
    /// Where they begin in the plain file.
    start: u64,
}

impl Tail {
    fn read(source: &dyn ByteSource, key: &ArchiveKey, seal: &ArchiveSeal, size: u64) -> Result<Self, PipelineError> {
        let no_trailer = || damaged("its end is no trailer of an archive");
        let mut from = size.saturating_sub(TAIL);
        if seal.encrypted {
            if !size.is_multiple_of(BLOCK as u64) || size < 2 * BLOCK as u64 {
                return Err(no_trailer());
            }
            from = from / BLOCK as u64 * BLOCK as u64;
        }
        let stored = source.read_at(from, (size - from) as usize)?;
        let (plain, start) = if seal.encrypted {
            let (iv, text) = stored.split_at_checked(BLOCK).ok_or_else(no_trailer)?;
            let mut plain = Vec::with_capacity(text.len());
            let mut cipher = Cbc::new(Mode::Decrypt, key, iv)?;
            cipher.update(text, &mut plain)?;
            cipher.finish(&mut plain).map_err(|error| no_trailer().because(error))?;
            (plain, from)
        } else {
            (stored.to_vec(), from)
        };
        let at = plain
            .len()
            .checked_sub(Trailer::length(seal.codec))
            .ok_or_else(no_trailer)?;
        let trailer = Trailer::decode(seal.codec, &plain[at..]).ok_or_else(no_trailer)?;
        Ok(Self { trailer, plain, start })
    }
}

/// Decodes the root and checks that its segments fill the file up to the root itself.
fn parse_root(plain: &[u8], trailer: &Trailer) -> Result<Root, PipelineError> {
    let wrong = |what: &str| damaged(format!("the root of its index {what}"));
    let content = plain.get(tar::BLOCK..).ok_or_else(|| wrong("is too short"))?;
    let root: Root =
        minicbor::decode(content).map_err(|error| wrong("is not valid CBOR").because(error.to_string()))?;
    if root.version != VERSION {
        return Err(unsupported(root.version));
    }
    if *root.archive_id != trailer.archive_id {
        return Err(another_archive(&root.archive_id, &trailer.archive_id));
    }
    let (mut end, mut tar_end, mut part) = (0u64, 0u64, None);
    for row in &root.segments {
        let stored = row.offset.checked_add(row.stored);
        let plain = row.tar_offset.checked_add(row.plain);
        let (Some(next), Some(next_tar)) = (stored, plain) else {
            return Err(wrong("names a place outside of the file"));
        };
        let known = row.part.is_none_or(|part| (part as usize) < root.parts.len());
        let too_long = row.plain > MAX_INDEX_MEMBER || row.stored > MAX_INDEX_STORED;
        if row.offset < end || row.tar_offset < tar_end || too_long || !known || row.part < part {
            return Err(wrong("contradicts itself"));
        }
        (end, tar_end, part) = (next, next_tar, row.part);
    }
    if end != trailer.root_offset {
        return Err(wrong("does not describe the whole file"));
    }
    Ok(root)
}
