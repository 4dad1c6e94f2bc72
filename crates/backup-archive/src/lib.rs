//! The archive format: writer, reader, index, crypto. Knows bytes, not backups.
//!
//! An archive is one file that `openssl` and `tar` can open, and that is at the same time compressed in parallel,
//! seekable and authenticated. `docs/archive-format.md` describes it to the byte.

mod blocks;
mod cipher;
mod codec;
mod decrypt;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod index;
mod key;
mod pool;
mod reader;
mod signatures;
mod sink;
mod tar;
mod trailer;
mod writer;

pub use decrypt::decrypt_to;
pub use error::Error;
pub use key::{ArchiveKey, Keyring};
pub use reader::{Amount, ArchiveReader, BaseName, FileContent, PartStream};
pub use sink::{ByteSink, ByteSource};
pub use writer::{ArchiveWriter, Cuts, PartWriter, WriterOptions};
