//! Compares two trees.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, llistxattr};

/// What differs between the tree `a` (the original) and `b` (the copy), one line a difference, the roots' own metadata
/// included; empty when they are the same. Compared are: which paths there are, kind, content, length, holes (the copy
/// must not take much more room), mode, owner, group, modification time to the nanosecond, extended attributes (ACLs
/// among them), symlink targets, device numbers, and which names are links to one file.
pub fn compare(a: &Path, b: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let (ours, theirs) = (list(a, &mut found), list(b, &mut found));
    let (our_groups, their_groups) = (link_groups(&ours), link_groups(&theirs));
    for (path, meta) in &ours {
        let name = shown(path);
        let Some(copy) = theirs.get(path) else {
            found.push(format!("{name}: missing"));
            continue;
        };
        let (from, to) = (a.join(path), b.join(path));
        let mut check = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{name}: {what}: {ours} became {theirs}"));
            }
        };
        check("kind", kind(meta), kind(copy));
        if kind(meta) != kind(copy) {
            continue;
        }
        check(
            "mode",
            format!("{:04o}", meta.mode() & 0o7777),
            format!("{:04o}", copy.mode() & 0o7777),
        );
        check(
            "owner",
            format!("{}:{}", meta.uid(), meta.gid()),
            format!("{}:{}", copy.uid(), copy.gid()),
        );
        check("modified", modified(meta), modified(copy));
        check("device", device(meta), device(copy));
        check("attributes", attributes(&from), attributes(&to));
        check("link", group(&our_groups, path), group(&their_groups, path));
        if meta.is_symlink() {
            check(
                "target",
                format!("{:?}", fs::read_link(&from)),
                format!("{:?}", fs::read_link(&to)),
            );
        }
        if meta.is_file() {
            check("length", meta.len().to_string(), copy.len().to_string());
            // Blocks of 512 bytes; a file system may round up, an unrolled hole is far more.
            if copy.blocks() > meta.blocks() + meta.blocks() / 4 + 128 {
                check(
                    "holes",
                    format!("{} blocks", meta.blocks()),
                    format!("{} blocks", copy.blocks()),
                );
            }
            match same_content(&from, &to) {
                Ok(None) => {}
                Ok(Some(offset)) => found.push(format!("{name}: content differs at byte {offset}")),
                Err(error) => found.push(format!("{name}: content cannot be read: {error}")),
            }
        }
    }
    for path in theirs.keys().filter(|path| !ours.contains_key(*path)) {
        found.push(format!("{}: not in the original", shown(path)));
    }
    found
}

/// Everything below `root` and itself, by path relative to it.
fn list(root: &Path, found: &mut Vec<String>) -> BTreeMap<PathBuf, Metadata> {
    let mut all = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(path) = open.pop() {
        let full = root.join(&path);
        let full = if path.as_os_str().is_empty() {
            root.to_owned()
        } else {
            full
        };
        let read = fs::symlink_metadata(&full).and_then(|meta| {
            if meta.is_dir() {
                for entry in fs::read_dir(&full)? {
                    open.push(path.join(entry?.file_name()));
                }
            }
            Ok(meta)
        });
        match read {
            Ok(meta) => drop(all.insert(path, meta)),
            Err(error) => found.push(format!("{}: cannot be read: {error}", full.display())),
        }
    }
    all
}

/// For each file with several names: the first of them, by device and inode.
fn link_groups(tree: &BTreeMap<PathBuf, Metadata>) -> HashMap<PathBuf, PathBuf> {
    let mut first: HashMap<(u64, u64), &PathBuf> = HashMap::new();
    let mut groups = HashMap::new();
    for (path, meta) in tree.iter().filter(|(_, meta)| !meta.is_dir() && meta.nlink() > 1) {
        let original = first.entry((meta.dev(), meta.ino())).or_insert(path);
        groups.insert(path.clone(), (*original).clone());
    }
    groups
}

fn group(groups: &HashMap<PathBuf, PathBuf>, path: &Path) -> String {
    groups
        .get(path)
        .map_or_else(|| "single".to_owned(), |first| format!("to {}", shown(first)))
}

fn shown(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        return "(the root)".to_owned();
    }
    let text = path.display().to_string();
    if text.len() > 300 {
        format!("{}…", text.chars().take(300).collect::<String>())
    } else {
        text
    }
}

fn kind(meta: &Metadata) -> String {
    let kind = meta.file_type();
    let name = match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "symlink",
        () if kind.is_fifo() => "pipe",
        () if kind.is_char_device() => "character device",
        () if kind.is_block_device() => "block device",
        () => "something else",
    };
    name.to_owned()
}

fn modified(meta: &Metadata) -> String {
    format!("{}.{:09}", meta.mtime(), meta.mtime_nsec())
}

fn device(meta: &Metadata) -> String {
    let kind = meta.file_type();
    let is_device = kind.is_char_device() || kind.is_block_device();
    if is_device {
        meta.rdev().to_string()
    } else {
        String::new()
    }
}

/// All extended attributes, sorted, as text.
fn attributes(path: &Path) -> String {
    let read = || -> io::Result<BTreeMap<OsString, Vec<u8>>> {
        let mut names = vec![0; 65_536];
        let length = match llistxattr(path, &mut names[..]) {
            Ok(length) => length,
            Err(rustix::io::Errno::NOTSUP) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut all = BTreeMap::new();
        for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let mut value = vec![0; 65_536];
            let length = lgetxattr(path, name, &mut value[..])?;
            value.truncate(length);
            all.insert(OsString::from_vec(name.to_vec()), value);
        }
        Ok(all)
    };
    match read() {
        Ok(all) => {
            let shown = all
                .iter()
                .map(|(name, value)| format!("{}={}", name.display(), value.escape_ascii()));
            shown.collect::<Vec<_>>().join(" ")
        }
        Err(error) => format!("cannot be read: {error}"),
    }
}

/// The offset of the first byte that differs.
fn same_content(a: &Path, b: &Path) -> io::Result<Option<u64>> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut offset = 0;
    loop {
        let (n, m) = (fill(&mut a, &mut left)?, fill(&mut b, &mut right)?);
        if left[..n] != right[..m] {
            let same = left[..n].iter().zip(&right[..m]).take_while(|(x, y)| x == y).count();
            return Ok(Some(offset + same as u64));
        }
        if n == 0 {
            return Ok(None);
        }
        offset += n as u64;
    }
}

fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}
