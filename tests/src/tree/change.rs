//! Changes a tree in every way that people and programs do.

mod content;
mod metadata;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;

use self::content::content;
use crate::dice::Dice;

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
            Err(error) if is_refused(&error) => {}
            Err(error) => panic!("{}: {error}", root.display()),
        }
    }
}

fn is_refused(error: &io::Error) -> bool {
    let refusals = [Errno::NOTSUP, Errno::PERM, Errno::ACCESS];
    refusals
        .iter()
        .any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
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
        let below = path.strip_prefix(self.root).unwrap_or(path);
        format!("'{}'", below.as_os_str().as_bytes().escape_ascii())
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
                mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o640), 0)?;
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
