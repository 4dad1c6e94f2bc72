//! Changes a tree in every way that people and programs do.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FallocateFlags, FileType, Mode, XattrFlags, fallocate, lremovexattr, lsetxattr, mknodat};
use rustix::io::Errno;

use super::build::noise;
use crate::dice::Dice;
use crate::tools;

/// How large a tree may get by changes, bytes of content; then files go.
const MOST_BYTES: u64 = 24 << 20;

/// What a change came to: what was done, or that it is not possible just now.
type Done = io::Result<Option<String>>;

/// Does one thing at random to the tree below `root`, and says what: contents are written, cut, grown and punched, with and
/// without a trace in their times; files and folders move, are linked, replaced and removed; metadata changes alone.
pub fn change(root: &Path, dice: &mut Dice) -> String {
    loop {
        let tree = Tree::look(root);
        match tree.change(dice) {
            Ok(Some(done)) => return done,
            // Not on this file system, or not by this user: something else then.
            Ok(None) => {}
            Err(error)
                if [Errno::NOTSUP, Errno::PERM, Errno::ACCESS]
                    .map(io::Error::from)
                    .iter()
                    .any(|known| known.raw_os_error() == error.raw_os_error()) => {}
            Err(error) => panic!("{}: {error}", root.display()),
        }
    }
}

/// What there is, by path, sorted; the root itself is among the folders.
struct Tree<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    /// Neither.
    others: Vec<PathBuf>,
    bytes: u64,
}

impl<'a> Tree<'a> {
    fn look(root: &'a Path) -> Self {
        let mut tree = Self {
            root,
            files: Vec::new(),
            folders: vec![root.to_owned()],
            others: Vec::new(),
            bytes: 0,
        };
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)
                .expect("a folder")
                .map(|entry| entry.expect("an entry"))
            {
                let meta = entry.metadata().expect("metadata");
                if meta.is_dir() {
                    open.push(entry.path());
                    tree.folders.push(entry.path());
                } else if meta.is_file() {
                    tree.bytes += meta.len();
                    tree.files.push(entry.path());
                } else {
                    tree.others.push(entry.path());
                }
            }
        }
        tree.files.sort();
        tree.folders.sort();
        tree.others.sort();
        tree
    }

    fn shown(&self, path: &Path) -> String {
        format!("{:?}", path.strip_prefix(self.root).unwrap_or(path))
    }

    fn change(&self, dice: &mut Dice) -> Done {
        if self.bytes > MOST_BYTES {
            return self.remove_file(dice);
        }
        match dice.below(25) {
            0..=2 => self.new_file(dice),
            3 => self.rewrite(dice),
            4..=6 => self.write_within(dice),
            7 => self.insert(dice),
            8 => self.append(dice),
            9 => self.cut(dice),
            10 => self.change_secretly(dice),
            11 => self.punch(dice),
            12 => self.new_sparse(dice),
            13 => self.move_file(dice),
            14 => self.move_folder(dice),
            15 => self.exchange(dice),
            16 => self.copy(dice),
            17 => self.hard_link(dice),
            18 => self.other_kind(dice),
            19 => self.set_mode(dice),
            20 => self.set_time(dice),
            21 => self.set_attribute(dice),
            22 => self.remove_file(dice),
            23 => self.remove_folder(dice),
            _ => self.new_folder(dice),
        }
    }

    fn file(&self, dice: &mut Dice) -> Option<&Path> {
        (!self.files.is_empty()).then(|| self.files[dice.below(self.files.len() as u64) as usize].as_path())
    }

    /// Any folder; the root often, so that the tree does not only grow deeper.
    fn folder(&self, dice: &mut Dice) -> &Path {
        if dice.one_in(3) {
            return self.root;
        }
        &self.folders[dice.below(self.folders.len() as u64) as usize]
    }

    /// A name in some folder, which may be taken.
    fn name(&self, dice: &mut Dice) -> PathBuf {
        let number = dice.below(40).to_string();
        let stem = dice.of(&[
            &b"file "[..],
            b"a",
            b"z",
            "備份 ".as_bytes(),
            b"caf\xe9 ",
            b"new\nline ",
            b"-",
            b".hidden ",
            &[b'n'; 150],
        ]);
        self.folder(dice)
            .join(OsString::from_vec([stem, number.as_bytes()].concat()))
    }

    /// Like [`Self::name`], and nothing stands there.
    fn free_name(&self, dice: &mut Dice) -> Option<PathBuf> {
        let path = self.name(dice);
        fs::symlink_metadata(&path).is_err().then_some(path)
    }

    fn new_file(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.free_name(dice) else {
            return Ok(None);
        };
        let content = content(dice);
        fs::write(&path, &content)?;
        Ok(Some(format!("wrote {}, {} bytes", self.shown(&path), content.len())))
    }

    fn rewrite(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let content = content(dice);
        fs::write(path, &content)?;
        Ok(Some(format!(
            "wrote {} anew, {} bytes",
            self.shown(path),
            content.len()
        )))
    }

    fn write_within(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = fs::metadata(path)?.len();
        if length == 0 {
            return Ok(None);
        }
        let file = OpenOptions::new().write(true).open(path)?;
        let mut written = Vec::new();
        for _ in 0..=dice.below(4) {
            let offset = dice.below(length);
            let bytes = dice.of(&[1, 100, 5000, 100_000]).min(length - offset);
            file.write_all_at(&noise(dice.below(u64::MAX), bytes as usize), offset)?;
            written.push(format!("{bytes} at {offset}"));
        }
        Ok(Some(format!("wrote into {}: {}", self.shown(path), written.join(", "))))
    }

    fn insert(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let mut content = fs::read(path)?;
        let at = dice.below(content.len() as u64 + 1) as usize;
        let gone = dice.of(&[0, 0, 1, 3000, 50_000]).min(content.len() - at);
        let new = noise(dice.below(u64::MAX), dice.of(&[1, 700, 9000, 60_000]));
        content.splice(at..at + gone, new.iter().copied());
        fs::write(path, content)?;
        Ok(Some(format!(
            "put {} bytes in place of {gone} into {} at {at}",
            new.len(),
            self.shown(path)
        )))
    }

    fn append(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let content = content(dice);
        OpenOptions::new().append(true).open(path)?.write_all(&content)?;
        Ok(Some(format!(
            "appended {} bytes to {}",
            content.len(),
            self.shown(path)
        )))
    }

    fn cut(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = dice.below(fs::metadata(path)?.len() + 1);
        OpenOptions::new().write(true).open(path)?.set_len(length)?;
        Ok(Some(format!("cut {} to {length} bytes", self.shown(path))))
    }

    /// Other bytes, the same length, the same modification time: only the change time tells.
    fn change_secretly(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let meta = fs::metadata(path)?;
        if meta.len() == 0 {
            return Ok(None);
        }
        let offset = dice.below(meta.len());
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset)?;
        file.write_all_at(&[byte[0] ^ 0x55], offset)?;
        file.set_modified(meta.modified()?)?;
        Ok(Some(format!(
            "changed {} at {offset} and put its time back",
            self.shown(path)
        )))
    }

    fn punch(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.file(dice) else { return Ok(None) };
        let length = fs::metadata(path)?.len();
        if length < 10_000 {
            return Ok(None);
        }
        let offset = dice.below(length);
        let hole = dice.of(&[4096, 50_000, 1 << 20]).min(length - offset);
        let file = OpenOptions::new().write(true).open(path)?;
        fallocate(
            &file,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            offset,
            hole,
        )?;
        Ok(Some(format!(
            "punched {hole} bytes out of {} at {offset}",
            self.shown(path)
        )))
    }

    fn new_sparse(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.free_name(dice) else {
            return Ok(None);
        };
        let length = 1 + dice.below(8 << 20);
        let mut file = File::create(&path)?;
        file.set_len(length)?;
        let islands = dice.below(5);
        for _ in 0..islands {
            file.seek(SeekFrom::Start(dice.below(length)))?;
            let bytes = dice.of(&[1, 4096, 70_000]);
            file.write_all(&noise(dice.below(u64::MAX), bytes))?;
        }
        Ok(Some(format!(
            "made {} of {islands} pieces in {length} bytes",
            self.shown(&path)
        )))
    }

    fn move_file(&self, dice: &mut Dice) -> Done {
        let (Some(from), to) = (self.file(dice), self.name(dice)) else {
            return Ok(None);
        };
        if to.is_dir() {
            return Ok(None);
        }
        fs::rename(from, &to)?;
        Ok(Some(format!("moved {} to {}", self.shown(from), self.shown(&to))))
    }

    fn move_folder(&self, dice: &mut Dice) -> Done {
        let from = self.folder(dice);
        let Some(to) = self.free_name(dice) else {
            return Ok(None);
        };
        if from == self.root || to.starts_with(from) {
            return Ok(None);
        }
        fs::rename(from, &to)?;
        Ok(Some(format!(
            "moved the folder {} to {}",
            self.shown(from),
            self.shown(&to)
        )))
    }

    fn exchange(&self, dice: &mut Dice) -> Done {
        let (Some(one), Some(other)) = (self.file(dice), self.file(dice)) else {
            return Ok(None);
        };
        let aside = self.root.join(".aside");
        if one == other || fs::symlink_metadata(&aside).is_ok() {
            return Ok(None);
        }
        fs::rename(one, &aside)?;
        fs::rename(other, one)?;
        fs::rename(&aside, other)?;
        Ok(Some(format!("exchanged {} and {}", self.shown(one), self.shown(other))))
    }

    fn copy(&self, dice: &mut Dice) -> Done {
        let (Some(from), Some(to)) = (self.file(dice), self.free_name(dice)) else {
            return Ok(None);
        };
        let mut content = Vec::new();
        File::open(from)?.read_to_end(&mut content)?;
        fs::write(&to, &content)?;
        Ok(Some(format!("copied {} to {}", self.shown(from), self.shown(&to))))
    }

    fn hard_link(&self, dice: &mut Dice) -> Done {
        let (Some(from), Some(to)) = (self.file(dice), self.free_name(dice)) else {
            return Ok(None);
        };
        fs::hard_link(from, &to)?;
        Ok(Some(format!("linked {} as {}", self.shown(from), self.shown(&to))))
    }

    /// A link, a pipe or a folder, often in the place of a file; or a file in the place of one of those.
    fn other_kind(&self, dice: &mut Dice) -> Done {
        let path = match (dice.below(3), self.file(dice), self.others.first()) {
            (0, Some(file), _) => file.to_owned(),
            (1, _, Some(other)) => {
                fs::remove_file(other)?;
                fs::write(other, content(dice))?;
                return Ok(Some(format!("put a file in the place of {}", self.shown(other))));
            }
            _ => self.name(dice),
        };
        if path.is_dir() && !path.is_symlink() {
            return Ok(None);
        }
        if fs::symlink_metadata(&path).is_ok() {
            fs::remove_file(&path)?;
        }
        let what = match dice.below(4) {
            0 => {
                fs::create_dir(&path)?;
                "a folder"
            }
            1 => {
                mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o640), 0)?;
                "a pipe"
            }
            _ => {
                let target = dice.of(&[
                    &b"no such file"[..],
                    b"..",
                    b"caf\xe9\xff",
                    b"/etc/hostname",
                    &[b'l'; 120],
                ]);
                symlink(OsString::from_vec(target.to_vec()), &path)?;
                "a link"
            }
        };
        Ok(Some(format!("made {} {what}", self.shown(&path))))
    }

    fn set_mode(&self, dice: &mut Dice) -> Done {
        let (path, mode) = match self.file(dice) {
            Some(file) if !dice.one_in(4) => (file, dice.of(&[0o400, 0o444, 0o600, 0o644, 0o755, 0o4755, 0o1644])),
            _ => (self.folder(dice), dice.of(&[0o700, 0o755, 0o1777, 0o2775])),
        };
        let mut what = format!("mode {mode:04o}");
        if tools::is_root() && dice.one_in(3) {
            let (user, group) = (dice.below(3) as u32 * 1234, dice.below(3) as u32 * 4321);
            lchown(path, Some(user), Some(group))?;
            what = format!("{what}, owner {user}:{group}");
        }
        fs::set_permissions(path, Permissions::from_mode(mode))?;
        Ok(Some(format!("gave {} {what}", self.shown(path))))
    }

    fn set_time(&self, dice: &mut Dice) -> Done {
        let path = self.file(dice).filter(|_| !dice.one_in(4)).unwrap_or(self.root);
        let seconds = dice.below(4_000_000_000);
        let time = SystemTime::UNIX_EPOCH + Duration::new(seconds, dice.below(1_000_000_000) as u32);
        File::open(path)?.set_modified(time)?;
        Ok(Some(format!("dated {} {seconds}", self.shown(path))))
    }

    fn set_attribute(&self, dice: &mut Dice) -> Done {
        let path = self.file(dice).filter(|_| !dice.one_in(4)).unwrap_or(self.folder(dice));
        let name = dice.of(&["user.one", "user.two"]);
        let what = match lremovexattr(path, name) {
            Ok(()) if dice.one_in(2) => "removed".to_owned(),
            _ => {
                let value = noise(dice.below(u64::MAX), dice.of(&[0, 10, 2000]));
                lsetxattr(path, name, &value, XattrFlags::empty())?;
                format!("set to {} bytes", value.len())
            }
        };
        Ok(Some(format!("attribute {name} of {} {what}", self.shown(path))))
    }

    fn remove_file(&self, dice: &mut Dice) -> Done {
        let all = self.files.len() + self.others.len();
        if all == 0 {
            return Ok(None);
        }
        let number = dice.below(all as u64) as usize;
        let path = self.files.iter().chain(&self.others).nth(number).expect("one of them");
        fs::remove_file(path)?;
        Ok(Some(format!("removed {}", self.shown(path))))
    }

    fn remove_folder(&self, dice: &mut Dice) -> Done {
        let path = self.folder(dice);
        if path == self.root {
            return Ok(None);
        }
        fs::remove_dir_all(path)?;
        Ok(Some(format!("removed the folder {}", self.shown(path))))
    }

    fn new_folder(&self, dice: &mut Dice) -> Done {
        let Some(path) = self.free_name(dice) else {
            return Ok(None);
        };
        fs::create_dir(&path)?;
        for number in 0..dice.below(4) {
            fs::write(path.join(format!("inside {number}")), content(dice))?;
        }
        Ok(Some(format!("made the folder {}", self.shown(&path))))
    }
}

/// Of any length, more or less compressible. What compresses is much the same everywhere.
fn content(dice: &mut Dice) -> Vec<u8> {
    let most = dice.of(&[1, 600, 20_000, 200_000, 1_500_000]);
    let length = dice.below(most) as usize;
    match dice.below(3) {
        0 => noise(dice.below(u64::MAX), length),
        1 => noise(dice.below(4), length),
        _ => {
            let lines = (dice.below(50)..).map(|number| format!("line {number} of some file or other\n"));
            lines.flat_map(String::into_bytes).take(length).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Scratch, compare};

    #[test]
    fn changes_come_again_with_their_seed() {
        let run = |seed| {
            let folder = Scratch::new();
            let mut dice = Dice::new(seed);
            let said: Vec<String> = (0..200).map(|_| change(folder.path(), &mut dice)).collect();
            (folder, said)
        };
        let ((one, first), (other, second)) = (run(7), run(7));
        assert_eq!(first, second);
        let differences = compare(one.path(), other.path());
        let what = |line: &String| !line.contains(": modified: ");
        assert_eq!(
            differences.into_iter().filter(what).collect::<Vec<_>>(),
            Vec::<String>::new()
        );
        assert_ne!(first, run(8).1);
    }
}
