//! A local folder as a store: durable and atomic by itself, since object_store's is not made for archives.

mod list;
mod upload;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::error::{At, Error};
use crate::path::{self, PARTIAL_SUFFIX};
use crate::store::BlobInfo;

pub(crate) use upload::FolderUpload;

/// Bytes that are read at once from a stream.
const READ_BYTES: usize = 1 << 20;

/// The folder. All methods block, but for those that say otherwise.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    describe: String,
}

impl Folder {
    /// Opens the folder, creates it when it is missing, and makes sure that it can be written to.
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        let root = std::path::absolute(&root).unwrap_or(root);
        let folder = Self {
            describe: format!("folder {}", root.display()),
            root,
        };
        let at = At::whole(&folder.describe, "open");
        create_folder(&folder.root).map_err(|error| at.io(error))?;
        tempfile::tempfile_in(&folder.root).map_err(|error| at.io(error))?;
        Ok(folder)
    }

    pub(crate) fn describe(&self) -> &str {
        &self.describe
    }

    fn at<'a>(&'a self, action: &'static str, path: &'a str) -> At<'a> {
        At::new(&self.describe, action, path)
    }

    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn size(&self, path: &str) -> Result<Option<u64>, Error> {
        match fs::metadata(self.full(path)) {
            Ok(metadata) if metadata.is_file() => Ok(Some(metadata.len())),
            Ok(_) => Ok(None),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.at("look at", path).io(error)),
        }
    }

    /// Exactly the bytes of `range`.
    pub(crate) fn get(&self, path: &str, range: &Range<u64>) -> Result<Bytes, Error> {
        let at = self.at("read", path);
        let file = File::open(self.full(path)).map_err(|error| at.io(error))?;
        read_at(at, &file, range.start, (range.end - range.start) as usize)
    }

    /// The bytes of `range` one piece after the other, read a little ahead on a thread that ends with the stream.
    pub(crate) fn stream(self: Arc<Self>, path: String, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        let (sender, receiver) = mpsc::channel(4);
        drop(tokio::task::spawn_blocking(move || {
            let at = self.at("read", &path);
            let result = File::open(self.full(&path))
                .map_err(|error| at.io(error))
                .and_then(|file| {
                    let mut offset = range.start;
                    while offset < range.end {
                        let bytes = read_at(at, &file, offset, READ_BYTES.min((range.end - offset) as usize))?;
                        offset += bytes.len() as u64;
                        if sender.blocking_send(Ok(bytes)).is_err() {
                            break;
                        }
                    }
                    Ok(())
                });
            if let Err(error) = result {
                // Nobody listens any more: nobody has to know.
                let _ = sender.blocking_send(Err(error));
            }
        }));
        stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        })
        .boxed()
    }

    /// Removes the blob, and the folders of its date where they are empty now.
    pub(crate) fn delete(&self, path: &str) -> Result<(), Error> {
        let full = self.full(path);
        match fs::remove_file(&full) {
            Ok(()) => {}
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(self.at("delete", path).io(error)),
        }
        self.tidy(&full).map_err(|error| self.at("delete", path).io(error))
    }

    // Makes the removal of `full` durable and removes the folders above it that are empty, but never the root. A
    // folder that is in use is not empty, so the first refusal ends it.
    fn tidy(&self, full: &Path) -> io::Result<()> {
        let mut folder = full.parent();
        while let Some(current) = folder.filter(|current| current.starts_with(&self.root)) {
            if current == self.root || fs::remove_dir(current).is_err() {
                return match sync_folder(current) {
                    Err(error) if is_missing(&error) => Ok(()),
                    result => result,
                };
            }
            folder = current.parent();
        }
        Ok(())
    }

    /// Removes what killed uploads of `path` left: the hidden partial files.
    pub(crate) fn discard_partial(&self, path: &str) -> Result<(), Error> {
        let at = self.at("clean up", path);
        let full = self.full(path);
        let (Some(folder), name) = (full.parent(), path::name_of(path)) else {
            return Ok(());
        };
        let prefix = format!(".{name}.");
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(at.io(error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| at.io(error))?;
            let found = entry.file_name();
            if found
                .to_str()
                .is_some_and(|found| found.starts_with(&prefix) && found.ends_with(PARTIAL_SUFFIX))
            {
                match fs::remove_file(entry.path()) {
                    Err(error) if !is_missing(&error) => return Err(at.io(error)),
                    _ => {}
                }
            }
        }
        self.tidy(&full).map_err(|error| at.io(error))
    }

    /// Creates a small blob at once and durably; an error where there is one already.
    pub(crate) fn create(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        let at = self.at("create", path);
        let mut partial = self.partial(path).map_err(|error| at.io(error))?;
        partial.write_all(bytes).map_err(|error| at.io(error))?;
        self.publish(partial, path).map_err(|error| at.io(error))
    }

    // A hidden file beside where `path` will be. It is gone when dropped.
    fn partial(&self, path: &str) -> io::Result<NamedTempFile> {
        let full = self.full(path);
        let folder = full.parent().unwrap_or(&self.root);
        let prefix = format!(".{}.", path::name_of(path));
        let mut attempt = 0;
        loop {
            let result = create_folder(folder).and_then(|()| {
                tempfile::Builder::new()
                    .prefix(&prefix)
                    .suffix(PARTIAL_SUFFIX)
                    .tempfile_in(folder)
            });
            match result {
                // Somebody tidied the folder away in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < 10 => attempt += 1,
                result => return result,
            }
        }
    }

    // Gives the partial file its name, durably: its bytes, then the name, then the folders that lead to it. The name
    // is only given where nothing has it.
    fn publish(&self, partial: NamedTempFile, path: &str) -> io::Result<()> {
        partial.as_file().sync_all()?;
        let full = self.full(path);
        partial.persist_noclobber(&full).map_err(|error| error.error)?;
        let folders = full
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root));
        for folder in folders {
            sync_folder(folder)?;
        }
        Ok(())
    }

    /// Every file below the folder, in no promised order, found as the stream goes on.
    pub(crate) fn list(self: Arc<Self>) -> BoxStream<'static, Result<BlobInfo, Error>> {
        list::list(self)
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read_at(at: At<'_>, file: &File, offset: u64, len: usize) -> Result<Bytes, Error> {
    let mut buffer = vec![0; len];
    file.read_exact_at(&mut buffer, offset)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => at.failed(
                format_args!("it ends before byte {}", offset + len as u64),
                "The file was cut short: verify the backup.",
            ),
            _ => at.io(error),
        })?;
    Ok(buffer.into())
}
