//! The folders of a scratch server.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use openssl::sha::sha256;
use rustix::fs::{Mode, OFlags};

use super::PORT;
use crate::Error;

/// The longest path of a socket that the system takes, in bytes.
const MAX_SOCKET: usize = 107;
/// Tells a scratch server's folder from any other, which must never be removed.
const MARK: &str = "backup-scratch-server";
/// The server's settings, in its folder.
pub(super) const SETTINGS: &str = "server.conf";

/// Where a scratch server is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The folder of the socket: the same, or where its path is too long for the system one beside other temporary files.
    pub(super) socket: PathBuf,
}

impl Place {
    pub(super) fn new(folder: &Path) -> Result<Self, Error> {
        let folder = std::path::absolute(folder).map_err(|error| Error::io("find the folder", folder, error))?;
        let length = folder.join(format!(".s.PGSQL.{PORT}")).as_os_str().len();
        let socket = if length <= MAX_SOCKET {
            folder.clone()
        } else {
            // The same for the same folder, so that it is found again after a crash.
            let hash = sha256(folder.as_os_str().as_bytes());
            let number = hash
                .iter()
                .take(8)
                .fold(0, |number, byte| number << 8 | u64::from(*byte));
            std::env::temp_dir().join(format!("backup-pg-{number:016x}"))
        };
        Ok(Self { folder, socket })
    }

    /// All folders, each once.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        let other = Some(self.socket.as_path()).filter(|socket| *socket != self.folder);
        std::iter::once(self.folder.as_path()).chain(other)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Marks the folder as a scratch server's.
    pub(super) fn mark(&self) -> Result<(), Error> {
        let path = self.folder.join(MARK);
        fs::write(&path, "").map_err(|error| Error::io("write", path, error))
    }

    /// The user that the folder was given to, by number.
    pub(super) fn owner(&self) -> io::Result<u32> {
        Ok(fs::symlink_metadata(&self.folder)?.uid())
    }

    /// The first `limit` bytes of a file that the server wrote. Its user may have put anything else there: no link is
    /// followed, no pipe waited for, and no file of others read.
    pub(super) fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty())?);
        let about = file.metadata()?;
        if !about.is_file() || about.uid() != self.owner()? {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        let mut text = Vec::new();
        file.take(limit).read_to_end(&mut text)?;
        Ok(text)
    }

    /// Refuses a folder that holds something else than a scratch server.
    pub(super) fn must_be_ours(&self) -> Result<(), Error> {
        let failed = |error| Error::io("look into", &self.folder, error);
        let is_empty = fs::read_dir(&self.folder).map_err(failed)?.next().is_none();
        if is_empty || self.folder.join(MARK).is_file() {
            return Ok(());
        }
        Err(Error::refused(
            format!("{} is not the folder of a scratch server", self.folder.display()),
            "Name a folder that does not exist.",
        ))
    }
}
