//! A walk through a tree in the order of [`backup_core::EntryPath`], with the names of one folder a level in memory.

use std::cmp::Ordering;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, RawDir, statat};
use rustix::io::Errno;

use super::dirs::Dirs;

/// Bytes of folder entries that the system hands over at once.
const LISTING: usize = 64 * 1024;

/// Where the walk stands: in a folder, before one of its names.
pub(super) struct Walk {
    dirs: Dirs,
    levels: Vec<Level>,
    path: Vec<u8>,
}

struct Level {
    names: Names,
    next: usize,
    /// Length of the folder's own path.
    path: usize,
}

/// What the walk found.
pub(super) enum Found {
    /// A name in the current folder, with what the listing says that it is (perhaps unknown). Its path is [`Walk::path`].
    Name(CString, FileType),
    /// The way back up to the folder at this path is gone, and with it what was left to read there.
    Lost(Vec<u8>, Errno),
}

impl Walk {
    /// Begins at the open folder `root`, whose path in the archive is `path`. An error too where it goes away meanwhile.
    pub(super) fn new(root: OwnedFd, path: Vec<u8>) -> Result<Self, Errno> {
        let names = Names::list(root.as_fd())?;
        if let Some(error) = names.ended {
            return Err(error);
        }
        let level = Level {
            names,
            next: 0,
            path: path.len(),
        };
        Ok(Self {
            dirs: Dirs::new(root)?,
            levels: vec![level],
            path,
        })
    }

    /// The path of what was found last.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The folder that holds what was found last.
    pub(super) fn dir(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.dirs.last()
    }

    /// Whether the folder that we stand in is no longer what stands at its path, looked for from the root. What another host has
    /// removed from a server is stale, and so is every look into it: as with a server that has lost all.
    pub(super) fn is_removed(&self) -> bool {
        let (Some(root), Some(here)) = (self.levels.first(), self.levels.last()) else {
            return false;
        };
        let path = &self.path[root.path..here.path];
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let Ok(root) = self.dirs.root() else { return false };
        if path.is_empty() {
            return false;
        }
        match statat(root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => self.dirs.last_id() != Some((stat.st_dev, stat.st_ino)),
            Err(error) => error == Errno::NOENT,
        }
    }

    /// The next name, or `None` at the end.
    pub(super) fn next(&mut self) -> Option<Found> {
        loop {
            let level = self.levels.last_mut()?;
            self.path.truncate(level.path);
            if let Some((file_type, name)) = level.names.get(level.next) {
                level.next += 1;
                if !self.path.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(name.to_bytes());
                return Some(Found::Name(name.to_owned(), file_type));
            }
            self.levels.pop();
            if let Err(error) = self.dirs.pop()
                && let Some(above) = self.levels.last_mut()
            {
                above.next = above.names.starts.len();
                return Some(Found::Lost(self.path[..above.path].to_vec(), error));
            }
        }
    }

    /// Steps into the folder that was found last, opened as `fd`. Returns what ended its listing early where that says that it
    /// went away; the names that were listed by then come next.
    pub(super) fn enter(&mut self, fd: OwnedFd) -> Result<Option<Errno>, Errno> {
        let names = Names::list(fd.as_fd())?;
        let ended = names.ended;
        self.dirs.push(fd)?;
        self.levels.push(Level {
            names,
            next: 0,
            path: self.path.len(),
        });
        Ok(ended)
    }
}

/// Whether an error may say that what was there is there no more. On NFS, what another host has removed is stale; so is all of a
/// server that has lost it: what an error of opening, listing or reading says is only believed after another look.
pub(super) fn is_gone(error: Errno) -> bool {
    matches!(error, Errno::NOENT | Errno::STALE)
}

/// The sorted names of a folder, in one piece of memory: a million names of 20 bytes take 26 MB.
struct Names {
    /// For each name: its type, the name, NUL.
    bytes: Vec<u8>,
    starts: Vec<u32>,
    /// Why the listing ended early, where that says that the folder went away.
    ended: Option<Errno>,
}

impl Names {
    fn list(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        let mut names = Self {
            bytes: Vec::new(),
            starts: Vec::new(),
            ended: None,
        };
        let mut buffer = vec![MaybeUninit::uninit(); LISTING];
        let mut listing = RawDir::new(dir, &mut buffer);
        while let Some(entry) = listing.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) if is_gone(error) => {
                    names.ended = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            let name = entry.file_name().to_bytes_with_nul();
            if matches!(name, b".\0" | b"..\0") {
                continue;
            }
            names
                .starts
                .push(u32::try_from(names.bytes.len()).map_err(|_| Errno::OVERFLOW)?);
            names.bytes.push(code(entry.file_type()));
            names.bytes.extend_from_slice(name);
        }
        names.bytes.shrink_to_fit();
        let bytes = &names.bytes;
        // Names hold no NUL, so the NUL at the end orders a name before those that go on.
        names
            .starts
            .sort_unstable_by(|a, b| compare(&bytes[*a as usize + 1..], &bytes[*b as usize + 1..]));
        // One that is removed and made again while the folder is listed may come twice.
        names
            .starts
            .dedup_by(|a, b| compare(&bytes[*a as usize + 1..], &bytes[*b as usize + 1..]).is_eq());
        Ok(names)
    }

    fn get(&self, index: usize) -> Option<(FileType, &CStr)> {
        let start = *self.starts.get(index)? as usize;
        let name = CStr::from_bytes_until_nul(&self.bytes[start + 1..]).ok()?;
        Some((decode(self.bytes[start]), name))
    }
}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let name = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    a[..name(a)].cmp(&b[..name(b)])
}

fn code(file_type: FileType) -> u8 {
    match file_type {
        FileType::RegularFile => b'f',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::Fifo => b'p',
        FileType::Socket => b's',
        FileType::CharacterDevice => b'c',
        FileType::BlockDevice => b'b',
        FileType::Unknown => b'?',
    }
}

fn decode(code: u8) -> FileType {
    match code {
        b'f' => FileType::RegularFile,
        b'd' => FileType::Directory,
        b'l' => FileType::Symlink,
        b'p' => FileType::Fifo,
        b's' => FileType::Socket,
        b'c' => FileType::CharacterDevice,
        b'b' => FileType::BlockDevice,
        _ => FileType::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::dirs::open_dir;
    use super::*;

    #[test]
    fn a_folder_that_is_gone_or_another_one_by_now_is_known_by_its_path() {
        let root = tempfile::tempdir().unwrap();
        let [a, away] = ["a", "away"].map(|name| root.path().join(name));
        fs::create_dir_all(a.join("b/c")).unwrap();
        let fd = OwnedFd::from(fs::File::open(root.path()).unwrap());
        let mut walk = Walk::new(fd, b"files".to_vec()).unwrap();
        for _ in 0..2 {
            assert!(!walk.is_removed());
            let Some(Found::Name(name, _)) = walk.next() else {
                panic!("a folder in each other")
            };
            let fd = open_dir(walk.dir().unwrap(), &name).unwrap();
            walk.enter(fd).unwrap();
        }
        assert!(!walk.is_removed());
        fs::rename(&a, &away).unwrap();
        assert!(walk.is_removed());
        fs::create_dir_all(a.join("b")).unwrap();
        assert!(walk.is_removed(), "it is another one");
        fs::remove_dir_all(&a).unwrap();
        fs::rename(&away, &a).unwrap();
        assert!(!walk.is_removed());
    }
}
