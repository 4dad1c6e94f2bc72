//! Members: pieces of the tar stream that are compressed alone, so that they can be written and read in parallel and
//! fetched one by one.

use backup_core::PipelineError;
use backup_core::receipt::Codec;
use libdeflater::{CompressionLvl, Compressor, Decompressor, crc32};

/// Deflate's level: the fastest at which a mixed backup (a dump and uploaded files, half of them incompressible) is safely
/// smaller than from `pg_dump -Z9` and `tar -z`. Levels 5 and 6 save 0.5 % more for 1.5 times the time.
const GZIP_LEVEL: i32 = 4;
/// Zstandard's levels. A dump comes out no smaller at level 3, which takes three times as long there; files do, by 1.3 %.
const ZSTD_FILES: i32 = 3;
const ZSTD_STREAM: i32 = 2;
/// Of a backup without a change the index is nearly all.
const ZSTD_INDEX: i32 = 9;
/// The level at which samples are tried.
const SAMPLE_LEVEL: i32 = 1;
/// Plain bytes about which one decision is made whether they compress.
const REGION: usize = 32 << 10;
/// Bytes of a region that are tried.
const SAMPLE: usize = 2 << 10;

/// Fixed head of every gzip member: extra field, no name, no time, and one subfield `BK` of 8 bytes (RFC 1952).
const GZIP_HEAD: [u8; 16] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 12, 0, b'B', b'K', 8, 0];
/// The head, then the lengths of the stored and of the plain member.
const GZIP_DATA: usize = GZIP_HEAD.len() + 8;
/// CRC-32 and plain length.
const GZIP_TAIL: usize = 8;
/// The longest stored block of deflate.
const STORED_BLOCK: usize = 0xffff;

/// What a member mostly holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Files of every kind.
    Files,
    /// A piece of a stream, as a database's dump.
    Stream,
    /// A piece of the index.
    Index,
}

/// Compresses members. One for each thread.
pub(crate) struct Encoder {
    method: Method,
    sampler: Compressor,
    sample: Vec<u8>,
}

enum Method {
    Deflate(Compressor),
    Zstd(zstd::bulk::Compressor<'static>),
    Store,
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Result<Self, PipelineError> {
        let method = match codec {
            Codec::Gzip => Method::Deflate(Compressor::new(level(GZIP_LEVEL))),
            Codec::Zstd => Method::Zstd(zstd::bulk::Compressor::new(ZSTD_FILES).map_err(zstd_failed)?),
            Codec::None => Method::Store,
        };
        Ok(Self {
            method,
            sampler: Compressor::new(level(SAMPLE_LEVEL)),
            sample: vec![0; 2 * SAMPLE + 64],
        })
    }

    /// The compressed form of `plain`: one or more gzip members or zstd frames.
    pub(crate) fn encode(&mut self, plain: &[u8], content: Content) -> Result<Vec<u8>, PipelineError> {
        self.encode_into(plain, content, Vec::new())
    }

    /// The same, in the memory of a member that is not needed any more: memory that is asked for and given back by many
    /// threads, megabytes at a time, grows to several times of what is used.
    pub(crate) fn encode_into(
        &mut self,
        plain: &[u8],
        content: Content,
        mut out: Vec<u8>,
    ) -> Result<Vec<u8>, PipelineError> {
        out.clear();
        out.reserve_exact(plain.len() + plain.len() / 64 + 4096);
        match &mut self.method {
            Method::Store => store(plain, &mut out),
            Method::Zstd(compressor) => {
                let level = match content {
                    Content::Files => ZSTD_FILES,
                    Content::Stream => ZSTD_STREAM,
                    Content::Index => ZSTD_INDEX,
                };
                compressor.set_compression_level(level).map_err(zstd_failed)?;
                out.reserve(zstd::zstd_safe::compress_bound(plain.len()));
                compressor.compress_to_buffer(plain, &mut out).map_err(zstd_failed)?;
            }
            Method::Deflate(compressor) => {
                let mut rest = plain;
                while !rest.is_empty() {
                    let squeeze = compresses(&mut self.sampler, &mut self.sample, rest);
                    let mut length = REGION.min(rest.len());
                    while length < rest.len()
                        && compresses(&mut self.sampler, &mut self.sample, &rest[length..]) == squeeze
                    {
                        length = (length + REGION).min(rest.len());
                    }
                    let (run, after) = rest.split_at(length);
                    if squeeze {
                        deflate(compressor, run, &mut out)?;
                    } else {
                        store(run, &mut out);
                    }
                    rest = after;
                }
            }
        }
        Ok(out)
    }
}

fn level(level: i32) -> CompressionLvl {
    CompressionLvl::new(level).unwrap_or_default()
}

fn zstd_failed(error: std::io::Error) -> PipelineError {
    PipelineError::failed("the zstd library failed", "").because(error)
}

/// Whether the region at the head of `plain` gets smaller at all, judged by samples.
fn compresses(sampler: &mut Compressor, out: &mut [u8], plain: &[u8]) -> bool {
    let region = &plain[..REGION.min(plain.len())];
    if region.len() < 2 * SAMPLE {
        return true;
    }
    let quarter = region.len() / 4;
    [quarter, region.len() - quarter - SAMPLE / 2].iter().any(|at| {
        let sample = &region[*at..(*at + SAMPLE).min(region.len())];
        sampler
            .deflate_compress(sample, out)
            .is_ok_and(|length| length < sample.len() - sample.len() / 32)
    })
}

/// Appends a gzip member; `body` appends the deflate stream.
fn gzip_member<E>(plain: &[u8], out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = out.len();
    out.extend_from_slice(&GZIP_HEAD);
    out.extend_from_slice(&[0; 8]);
    body(out)?;
    out.extend_from_slice(&crc32(plain).to_le_bytes());
    out.extend_from_slice(&(plain.len() as u32).to_le_bytes());
    let stored = (out.len() - start) as u32;
    let lengths = &mut out[start + GZIP_HEAD.len()..start + GZIP_DATA];
    lengths[..4].copy_from_slice(&stored.to_le_bytes());
    lengths[4..].copy_from_slice(&(plain.len() as u32).to_le_bytes());
    Ok(())
}

fn deflate(compressor: &mut Compressor, plain: &[u8], out: &mut Vec<u8>) -> Result<(), PipelineError> {
    gzip_member(plain, out, |out| {
        let start = out.len();
        let bound = compressor.deflate_compress_bound(plain.len());
        out.resize(start + bound, 0);
        let length = compressor
            .deflate_compress(plain, &mut out[start..])
            .map_err(|error| PipelineError::failed(format!("cannot compress: {error:?}"), ""))?;
        out.truncate(start + length);
        Ok(())
    })
}

fn store(plain: &[u8], out: &mut Vec<u8>) {
    let Ok(()) = gzip_member(plain, out, |out| -> Result<(), std::convert::Infallible> {
        let blocks = plain.len().div_ceil(STORED_BLOCK).max(1);
        out.reserve(plain.len() + blocks * 5);
        for block in 0..blocks {
            let bytes = &plain[block * STORED_BLOCK..plain.len().min((block + 1) * STORED_BLOCK)];
            let length = bytes.len() as u16;
            out.push(u8::from(block + 1 == blocks));
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&(!length).to_le_bytes());
            out.extend_from_slice(bytes);
        }
        Ok(())
    });
}

/// Decompresses members. One for each thread.
pub(crate) enum Decoder {
    Gzip(Decompressor),
    Zstd(zstd::bulk::Decompressor<'static>),
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Result<Self, PipelineError> {
        Ok(match codec {
            Codec::Gzip | Codec::None => Self::Gzip(Decompressor::new()),
            Codec::Zstd => Self::Zstd(zstd::bulk::Decompressor::new().map_err(zstd_failed)?),
        })
    }

    /// The plain form of a member: exactly `length` bytes, or `None` where the bytes are not such a member.
    pub(crate) fn decode(&mut self, stored: &[u8], length: usize) -> Option<Vec<u8>> {
        self.decode_into(stored, length, Vec::new())
    }

    /// The same, in memory that is not needed any more.
    pub(crate) fn decode_into(&mut self, stored: &[u8], length: usize, mut plain: Vec<u8>) -> Option<Vec<u8>> {
        // Filled with zeros only as far as it grows: all of it is written, or nothing is returned.
        plain.resize(length, 0);
        match self {
            Self::Zstd(decompressor) => {
                let written = decompressor.decompress_to_buffer(stored, plain.as_mut_slice()).ok()?;
                (written == length).then_some(plain)
            }
            Self::Gzip(decompressor) => {
                let (mut rest, mut room) = (stored, plain.as_mut_slice());
                while !rest.is_empty() {
                    let lengths = rest.strip_prefix(GZIP_HEAD.as_slice())?.first_chunk::<8>()?;
                    let lengths = u64::from_le_bytes(*lengths);
                    let (member, inside) = (lengths as u32 as usize, (lengths >> 32) as usize);
                    if member < GZIP_DATA + GZIP_TAIL || inside > room.len() {
                        return None;
                    }
                    let (bytes, after) = rest.split_at_checked(member)?;
                    let (target, left) = room.split_at_mut(inside);
                    if decompressor.gzip_decompress(bytes, target).ok()? != inside {
                        return None;
                    }
                    (rest, room) = (after, left);
                }
                room.is_empty().then_some(plain)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup_core::{OsRandom, Random};

    fn mixed() -> Vec<u8> {
        let mut bytes = vec![0; 100_000];
        OsRandom.fill(&mut bytes).unwrap();
        let text = "a line of text that compresses\n".repeat(8000);
        [&bytes[..], text.as_bytes(), &bytes[..70_000], b"end"].concat()
    }

    #[test]
    fn members_round_trip_and_the_incompressible_is_only_stored() {
        let plain = mixed();
        for codec in Codec::ALL {
            for length in [0, 1, 4096, 40_000, plain.len()] {
                let stored = Encoder::new(*codec)
                    .unwrap()
                    .encode(&plain[..length], Content::Stream)
                    .unwrap();
                let back = Decoder::new(*codec).unwrap().decode(&stored, length).unwrap();
                assert!(back == plain[..length], "{codec:?} {length}");
                assert!(Decoder::new(*codec).unwrap().decode(&stored, length + 1).is_none());
            }
            let stored = Encoder::new(*codec).unwrap().encode(&plain, Content::Files).unwrap();
            assert!(
                *codec == Codec::None || stored.len() < 190_000,
                "{codec:?} {}",
                stored.len()
            );
        }
    }
}
