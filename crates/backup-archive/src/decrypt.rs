//! Taking the encryption off, and nothing else.

use std::io::{ErrorKind, Read, Write};

use backup_core::{JobControl, PipelineError};
use openssl::symm::Mode;

use crate::ArchiveKey;
use crate::cipher::{BLOCK, Cbc};
use crate::error::{damaged, from_io};
use crate::sink::ByteSource;

const PIECE: usize = 256 << 10;

/// Writes the plain `.tar.gz` or `.tar.zst` of a stored file to `out`. It authenticates nothing: call
/// [`crate::ArchiveReader::verify_stored`] first.
pub fn decrypt_to(
    source: &dyn ByteSource,
    key: &ArchiveKey,
    encrypted: bool,
    out: &mut dyn Write,
    job: &JobControl,
) -> Result<(), PipelineError> {
    let mut stream = source.stream(0)?;
    let reading = |error| from_io(error, "read the archive");
    let mut cipher = None;
    if encrypted {
        let mut iv = [0; BLOCK];
        stream.read_exact(&mut iv).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => damaged("it is too short"),
            _ => reading(error),
        })?;
        cipher = Some(Cbc::new(Mode::Decrypt, key, &iv)?);
    }
    let mut buffer = vec![0; PIECE];
    let mut plain = Vec::with_capacity(PIECE + BLOCK);
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
        match &mut cipher {
            Some(cipher) => {
                plain.clear();
                cipher.update(&buffer[..read], &mut plain)?;
                write(&plain)?;
            }
            None => write(&buffer[..read])?,
        }
    }
    if let Some(cipher) = cipher {
        plain.clear();
        cipher
            .finish(&mut plain)
            .map_err(|error| damaged("its last block does not decrypt").because(error))?;
        write(&plain)?;
    }
    Ok(())
}
