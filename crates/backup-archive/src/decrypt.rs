//! Taking the encryption off, and nothing else.

use std::io::{ErrorKind, Read, Write};

use backup_core::{ArchiveSeal, JobControl, PipelineError};
use openssl::sha::Sha256;
use openssl::symm::Mode;

use crate::ArchiveKey;
use crate::cipher::{BLOCK, Cbc};
use crate::error::{damaged, from_io};
use crate::sink::ByteSource;

const PIECE: usize = 256 << 10;

/// Writes the plain `.tar.gz` or `.tar.zst` of a stored file to `out`, and compares the SHA-256 of what it reads with the
/// seal. The last piece comes once they agree, so that `out` never gets the whole of something else; what came before is
/// only good then. To know before the first byte, call [`crate::ArchiveReader::verify_stored`] first.
///
/// # Errors
/// `Integrity` where the file is not the one that was written; `out` is cut short then.
pub fn decrypt_to(
    source: &dyn ByteSource,
    key: &ArchiveKey,
    seal: &ArchiveSeal,
    out: &mut dyn Write,
    job: &JobControl,
) -> Result<(), PipelineError> {
    let mut stream = source.stream(0)?;
    let reading = |error| from_io(error, "read the archive");
    let mut sha256 = Sha256::new();
    let mut cipher = None;
    if seal.encrypted {
        let mut iv = [0; BLOCK];
        stream.read_exact(&mut iv).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged("it is too short"),
            _ => reading(error),
        })?;
        sha256.update(&iv);
        cipher = Some(Cbc::new(Mode::Decrypt, key, &iv)?);
    }
    let mut buffer = vec![0; PIECE];
    let (mut plain, mut held) = (Vec::with_capacity(PIECE + BLOCK), Vec::with_capacity(PIECE + BLOCK));
    let mut write = |bytes: &[u8]| {
        out.write_all(bytes)
            .map_err(|error| from_io(error, "write the decrypted archive"))
    };
    loop {
        job.check()?;
        let read = match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(reading(error)),
        };
        job.advance(read as u64);
        sha256.update(&buffer[..read]);
        plain.clear();
        match &mut cipher {
            Some(cipher) => cipher.update(&buffer[..read], &mut plain)?,
            None => plain.extend_from_slice(&buffer[..read]),
        }
        if !plain.is_empty() {
            write(&held)?;
            std::mem::swap(&mut plain, &mut held);
        }
    }
    if hex::encode(sha256.finish()) != seal.sha256 {
        return Err(damaged("it was changed in the storage while it was read"));
    }
    if let Some(cipher) = cipher {
        cipher
            .finish(&mut held)
            .map_err(|error| damaged("its last block does not decrypt").because(error))?;
    }
    write(&held)
}
