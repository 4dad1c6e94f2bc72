//! A local folder as a store: durable and atomic by itself, since object_store's is not made for archives.

mod list;
mod owner;
mod upload;
mod write;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backup_core::Outage;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use crate::error::{At, Error};
use crate::path::{self, PARTIAL_SUFFIX};
use crate::stall::within;
use crate::store::{BlobInfo, blocking};

pub(crate) use upload::FolderUpload;

/// Bytes that are read at once from a stream.
const READ_BYTES: usize = 1 << 20;

/// Pieces of a stream that are read or wait at once.
const READS: usize = 2;

/// The folder. All methods block, but for those that say otherwise.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    describe: String,
    stall_timeout: Duration,
}

impl Folder {
    /// Opens the folder, creates it when it is missing, and makes sure that it can be written to.
    pub(crate) fn open(root: PathBuf, stall_timeout: Duration) -> Result<Self, Error> {
        let folder = Self::at_root(root, stall_timeout);
        let at = At::whole(&folder.describe, "open");
        create_folder(&folder.root).map_err(|error| at.io(error))?;
        tempfile::tempfile_in(&folder.root).map_err(|error| at.io(error))?;
        Ok(folder)
    }

    /// Opens a folder that must be there and can be read; changes nothing.
    pub(crate) fn open_existing(root: PathBuf, stall_timeout: Duration) -> Result<Self, Error> {
        let folder = Self::at_root(root, stall_timeout);
        folder.check()?;
        Ok(folder)
    }

    /// Whether the folder is there, and may be read.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let at = At::whole(&self.describe, "open");
        match fs::read_dir(&self.root) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let hint = format!("Correct the storage URL, or mount {}.", self.root.display());
                Err(at.not_found("there is no such folder", hint).away(Outage::NotFound))
            }
            Err(error) => Err(at.io(error)),
        }
    }

    /// What the folder is called, without looking at it.
    pub(crate) fn locate(root: PathBuf, stall_timeout: Duration) -> String {
        Self::at_root(root, stall_timeout).describe
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder, which nobody has looked at yet.
    pub(crate) fn at_root(root: PathBuf, stall_timeout: Duration) -> Self {
        let root = std::path::absolute(&root).unwrap_or(root);
        Self {
            describe: format!("folder {}", root.display()),
            root,
            stall_timeout,
        }
    }

    /// The same, which may be silent for ever.
    pub(crate) fn patient(&self) -> Self {
        Self {
            root: self.root.clone(),
            describe: self.describe.clone(),
            stall_timeout: Duration::MAX,
        }
    }

    /// How long the disk may be silent.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout
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

    /// The bytes of `range` in order, the next piece read while one is sent. Does not block; and no thread waits for a
    /// reader who takes his time, so that there is always one for the others.
    pub(crate) fn stream(self: Arc<Self>, path: String, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        let path: Arc<str> = path.into();
        let (first, end) = (range.start, range.end);
        let opened = {
            let path = Arc::clone(&path);
            let folder = Arc::clone(&self);
            async move {
                let name = Arc::clone(&path);
                let open = move |folder: &Self| {
                    let file = File::open(folder.full(&name)).map_err(|error| folder.at("read", &name).io(error))?;
                    Ok(Arc::new(file))
                };
                folder.in_thread(&path, open).await
            }
        };
        stream::once(opened)
            .map_ok(move |file| {
                let (folder, path) = (Arc::clone(&self), Arc::clone(&path));
                stream::iter((first..end).step_by(READ_BYTES))
                    .map(move |start| {
                        let (file, path, folder) = (Arc::clone(&file), Arc::clone(&path), Arc::clone(&folder));
                        async move {
                            let name = Arc::clone(&path);
                            let read = move |folder: &Self| {
                                let length = READ_BYTES.min((end - start) as usize);
                                read_at(folder.at("read", &name), &file, start, length)
                            };
                            folder.in_thread(&path, read).await
                        }
                    })
                    .buffered(READS)
            })
            .try_flatten()
            .boxed()
    }

    /// Runs what blocks on a thread for that; `path` is what it reads.
    async fn in_thread<T: Send + 'static>(
        self: Arc<Self>,
        path: &str,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let folder = Arc::clone(&self);
        blocking(self.at("read", path), self.stall_timeout, move || work(&folder)).await
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

    /// Creates a small blob at once and durably; an error where there is one already. It gets no name once `wanted` says
    /// that nobody waits for it any more. One that has its name keeps it, whatever follows: whoever has tried again may
    /// have found it.
    pub(crate) fn create(&self, path: &str, bytes: &[u8], wanted: impl Fn() -> bool) -> Result<(), Error> {
        let at = self.at("create", path);
        let create = || {
            let mut partial = self.partial(path)?;
            partial.write_all(bytes)?;
            partial.as_file().sync_all()?;
            if wanted() {
                self.publish(partial, path)?;
            }
            Ok(())
        };
        create().map_err(|error| at.io(error))
    }

    /// Makes a blob that is there durable once more: when it was made, that may have failed after it got its name.
    pub(crate) fn make_durable(&self, path: &str) -> Result<(), Error> {
        let at = self.at("create", path);
        let file = File::open(self.full(path)).and_then(|file| file.sync_all());
        file.and_then(|()| self.sync_folders(path))
            .map_err(|error| at.io(error))
    }

    // A hidden file beside where `path` will be. It is gone when dropped.
    fn partial(&self, path: &str) -> io::Result<NamedTempFile> {
        let full = self.full(path);
        let folder = full.parent().unwrap_or(&self.root);
        let prefix = format!(".{}.", path::name_of(path));
        let mut attempt = 0;
        loop {
            if !self.root.is_dir() {
                // Made anew, it would stand on another disk than the one that was here.
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("the folder {} is gone: is its disk mounted?", self.root.display()),
                ));
            }
            let create = || -> io::Result<NamedTempFile> {
                owner::create_folders(&self.root, folder)?;
                let partial = tempfile::Builder::new()
                    .prefix(&prefix)
                    .suffix(PARTIAL_SUFFIX)
                    .tempfile_in(folder)?;
                owner::hand_over_file(&self.root, partial.as_file())?;
                Ok(partial)
            };
            match create() {
                // Somebody tidied the folder away in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < 10 => attempt += 1,
                result => return result,
            }
        }
    }

    // Gives a partial file, which is on the disk, its name, and makes that durable with all folders that lead to it. The
    // name is only given where nothing has it.
    fn publish(&self, partial: NamedTempFile, path: &str) -> io::Result<File> {
        let file = partial
            .persist_noclobber(self.full(path))
            .map_err(|error| error.error)?;
        self.sync_folders(path)?;
        Ok(file)
    }

    // Removes what was published, unless the name is another file's by now.
    fn take_back(&self, published: &File, path: &str) -> io::Result<()> {
        let full = self.full(path);
        let ours = published.metadata()?;
        match fs::symlink_metadata(&full) {
            Ok(found) if (found.dev(), found.ino()) == (ours.dev(), ours.ino()) => {
                fs::remove_file(&full)?;
                self.tidy(&full)
            }
            Ok(_) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn sync_folders(&self, path: &str) -> io::Result<()> {
        let full = self.full(path);
        let mut folders = full
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root));
        folders.try_for_each(sync_folder)
    }

    /// Every file of the folder where ours can be, in no promised order, found as the stream goes on.
    pub(crate) fn list(self: Arc<Self>) -> BoxStream<'static, Result<BlobInfo, Error>> {
        list::list(self)
    }
}

// What a thread sends, until it ends or is silent for too long.
fn received<T: Send + 'static>(
    folder: Arc<Folder>,
    action: &'static str,
    path: Option<String>,
    receiver: mpsc::Receiver<Result<T, Error>>,
) -> BoxStream<'static, Result<T, Error>> {
    stream::try_unfold(
        (folder, path, receiver),
        move |(folder, path, mut receiver)| async move {
            let at = At {
                store: &folder.describe,
                path: path.as_deref(),
                action,
            };
            let item = within(folder.stall_timeout, at, async { receiver.recv().await.transpose() }).await?;
            Ok(item.map(|item| (item, (folder, path, receiver))))
        },
    )
    .boxed()
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
