//! Builds the trees.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};

use crate::{note, tools};

/// Fills `root` (an existing folder) with one of everything. What the file system or the user's rights do not allow
/// (extended attributes, device nodes, foreign owners) is left out, attributes with a printed note.
pub fn everything(root: &Path) {
    contents(&root.join("content"));
    sparse(&root.join("sparse"));
    links(&root.join("links"));
    names(&root.join("names"));
    deep(&root.join("deep"));
    folder(&root.join("empty folder"));
    attributes(&root.join("attributes"));
    special(&root.join("special"));
    if tools::is_root() {
        owners(&root.join("owners"));
    }
    modes(&root.join("modes"));
    times(&root.join("times"));
}

/// Fills `root` (an existing folder) with `count` small files in folders of a thousand, as fast as the disk allows.
pub fn million(root: &Path, count: u64) {
    let folders: Vec<u64> = (0..count.div_ceil(1000)).collect();
    std::thread::scope(|scope| {
        for share in folders.chunks(folders.len().div_ceil(2).max(1)) {
            scope.spawn(move || {
                for number in share {
                    let folder = root.join(format!("{number:06}"));
                    fs::create_dir(&folder).expect("a folder");
                    for file in number * 1000..count.min((number + 1) * 1000) {
                        fs::write(
                            folder.join(format!("file-{file:09}.txt")),
                            format!("content of file {file}\n"),
                        )
                        .expect("a file");
                    }
                }
            });
        }
    });
}

fn folder(path: &Path) {
    fs::create_dir(path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
}

/// Bytes that no compressor makes smaller; the same for the same seed.
pub(in crate::tree) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes.truncate(length);
    bytes
}

fn contents(dir: &Path) {
    folder(dir);
    write(&dir.join("empty"), "");
    write(&dir.join("one byte"), "x");
    write(&dir.join("text"), "The quick brown fox.\n".repeat(1000));
    write(&dir.join("noise"), noise(1, 300_000));
    // Around the sizes at which tar blocks, cipher blocks and the archive's members end.
    for size in [511, 512, 513, 10_240, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1] {
        write(&dir.join(format!("{size} bytes")), noise(size as u64, size));
    }
    let mut large = noise(2, 4 << 20);
    large.extend(b"compressible ".repeat(600_000));
    large.extend(noise(3, (3 << 20) + 17));
    write(&dir.join("large"), large);
    write(&dir.join("zeros"), vec![0; 200_000]);
    write(
        &dir.join("looks like an archive.tar"),
        [&b"a".repeat(257)[..], b"ustar\0", &[0; 2000]].concat(),
    );
}

/// Where a sparse file has data: (offset, bytes).
type Ranges<'a> = &'a [(u64, usize)];

fn sparse(dir: &Path) {
    folder(dir);
    let files: [(&str, u64, Ranges<'_>); 5] = [
        ("only a hole", 64 << 20, &[]),
        ("data at the start", 32 << 20, &[(0, 5000)]),
        ("data at the end", (32 << 20) + 777, &[((32 << 20) + 700, 77)]),
        (
            "islands",
            1 << 28,
            &[
                (1 << 20, 4096),
                (100 << 20, 70_000),
                (1 << 27, 1),
                ((1 << 28) - 4096, 4096),
            ],
        ),
        ("many islands", 40 << 20, &[]),
    ];
    for (name, length, ranges) in files {
        let mut file = File::create(dir.join(name)).expect("a sparse file");
        file.set_len(length).expect("a length");
        let many: Vec<(u64, usize)> = (0..200).map(|i| (i * (200 << 10), 100)).collect();
        let ranges = if name == "many islands" { &many } else { ranges };
        for (offset, bytes) in ranges {
            file.seek(SeekFrom::Start(*offset)).expect("an offset");
            file.write_all(&noise(*offset + 1, *bytes)).expect("data");
        }
    }
}

fn links(dir: &Path) {
    folder(dir);
    write(&dir.join("target"), "content of the target");
    let symlinks: [(&str, &[u8]); 10] = [
        ("to a file", b"target"),
        ("to a folder", b".."),
        ("out of the tree", b"../../../../../../etc/hostname"),
        ("absolute", b"/etc/passwd"),
        ("dangling", b"no such file"),
        ("to itself", b"to itself"),
        ("with a slash at the end", b"../content/"),
        ("not UTF-8", b"caf\xe9\xff"),
        ("with a newline", b"a\nb"),
        ("100 bytes", &[b'l'; 100]),
    ];
    for (name, target) in symlinks {
        symlink(OsStr::from_bytes(target), dir.join(name)).expect("a symlink");
    }
    symlink(OsString::from_vec(b"long/".repeat(700)), dir.join("3500 bytes")).expect("a long symlink");
    hard_link(&dir.join("target"), &dir.join("second name"));
    // Groups over folders, in both orders of their names.
    let (early, late) = (dir.join("a folder"), dir.join("z folder"));
    folder(&early);
    folder(&late);
    hard_link(&dir.join("target"), &early.join("third name"));
    write(&late.join("big"), noise(4, 1_500_000));
    hard_link(&late.join("big"), &early.join("big"));
    hard_link(&late.join("big"), &dir.join("big"));
    hard_link(&dir.join("dangling"), &late.join("hard link to a symlink"));
    let long = OsString::from_vec(vec![b'h'; 255]);
    hard_link(&dir.join("target"), &late.join(long));
}

fn hard_link(original: &Path, link: &Path) {
    fs::hard_link(original, link).unwrap_or_else(|e| panic!("cannot link {}: {e}", link.display()));
}

fn names(dir: &Path) {
    folder(dir);
    let mut names: Vec<Vec<u8>> = [
        &b" space first"[..],
        b"space last ",
        b"new\nline",
        b"tab\tand\x01\x1b[31mcontrol\x7f",
        b"back\\slash",
        b"quote'\"`$HOME$(id)",
        b"-rf",
        b"--checkpoint-action=exec=false",
        b"*?[a]",
        b"...",
        b"..a",
        b"~",
        b"#comment",
        b"a:b;c|d&e",
        b"not-utf8-\xff\xfe\x80",
        b"latin1-\xe9t\xe9",
        b"@LongLink",
        b"PaxHeaders.0",
        b".hidden",
        b"percent%20%00",
        b"CON.txt.",
    ]
    .map(<[u8]>::to_vec)
    .to_vec();
    for text in [
        "\u{1f4be} disk",
        "\u{5099}\u{4efd}",
        "e\u{301} decomposed",
        "\u{e9} composed",
        "\u{202e}right to left",
        "Case",
        "case",
    ] {
        names.push(text.as_bytes().to_vec());
    }
    // Around the limits of tar's name fields, and the longest name of all.
    for length in [99, 100, 101, 155, 156, 254, 255] {
        names.push(vec![b'n'; length]);
    }
    names.push("\u{1f600}".repeat(63).into_bytes());
    for name in names {
        write(&dir.join(OsString::from_vec(name.clone())), name);
    }
    let odd = dir.join(OsString::from_vec(b"folder \n\xff".to_vec()));
    folder(&odd);
    write(&odd.join("inside"), "inside");
}

/// Paths far beyond what the old tar headers can name, up to more than half of the kernel's limit.
fn deep(dir: &Path) {
    folder(dir);
    let mut path = dir.to_owned();
    while path.as_os_str().len() < dir.as_os_str().len() + 2200 {
        path.push("d".repeat(200));
        folder(&path);
        write(&path.join("file"), path.as_os_str().len().to_string());
    }
    write(&path.join("f".repeat(255)), "deepest");
    let mut path = dir.join("many");
    for level in 0..60 {
        folder(&path);
        path.push(level.to_string());
    }
}

fn attributes(dir: &Path) {
    folder(dir);
    let file = dir.join("with attributes");
    write(&file, "content");
    let probe = lsetxattr(&file, "user.comment", b"a remark", XattrFlags::empty());
    if let Err(error) = probe {
        note(format!(
            "this file system has no user attributes ({error}): they are not tested"
        ));
        return;
    }
    let set = |path: &Path, name: &str, value: &[u8]| {
        if let Err(error) = lsetxattr(path, name, value, XattrFlags::empty()) {
            note(format!("no attribute {name} ({error}): it is not tested"));
        }
    };
    set(&file, "user.empty", b"");
    set(&file, "user.binary", b"\x00\xff\n=\x00");
    set(&file, "user.a=b", b"an equals sign in the name");
    set(&file, "user.\u{5099}\u{4efd}", "\u{5099}\u{4efd}".as_bytes());
    set(&file, "user.long", &noise(5, 2000));
    set(dir, "user.folder", b"a folder's attribute");
    if tools::is_root() {
        set(&file, "trusted.overlay", b"root only");
        write(&dir.join("capable"), "content");
        // cap_net_raw=ep: changing the owner afterwards would take it away.
        let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        set(&dir.join("capable"), "security.capability", &capability);
    }
    let list = dir.join("with an ACL");
    write(&list, "content");
    set(&list, "system.posix_acl_access", &acl());
    let folder_list = dir.join("folder with a default ACL");
    folder(&folder_list);
    write(&folder_list.join("made before"), "content");
    set(&folder_list, "system.posix_acl_default", &acl());
}

/// `user::rw-, user:65534:r--, group::r--, mask::r--, other::---` as the kernel stores it.
fn acl() -> Vec<u8> {
    let entries: [(u16, u16, u32); 5] = [
        (0x01, 6, u32::MAX),
        (0x02, 4, 65_534),
        (0x04, 4, u32::MAX),
        (0x10, 4, u32::MAX),
        (0x20, 0, u32::MAX),
    ];
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn special(dir: &Path) {
    folder(dir);
    let node = |name: &str, kind: FileType, device: u64| -> io::Result<()> {
        Ok(mknodat(CWD, dir.join(name), kind, Mode::from_raw_mode(0o640), device)?)
    };
    node("pipe", FileType::Fifo, 0).expect("a named pipe");
    if tools::is_root() {
        let made = node("null", FileType::CharacterDevice, makedev(1, 3))
            .and_then(|()| node("disk", FileType::BlockDevice, makedev(259, 70_000)));
        if let Err(error) = made {
            note(format!("no device nodes ({error}): they are not tested"));
        }
    }
}

fn owners(dir: &Path) {
    folder(dir);
    for (uid, gid) in [(1, 1), (1234, 5678), (65_534, 65_534), (3_000_000, 4_000_000_000)] {
        let file = dir.join(format!("{uid}-{gid}"));
        write(&file, "content");
        lchown(&file, Some(uid), Some(gid)).expect("an owner");
    }
    let link = dir.join("link");
    symlink("1-1", &link).expect("a symlink");
    lchown(&link, Some(42), Some(43)).expect("an owner of a link");
    folder(&dir.join("folder"));
    lchown(dir.join("folder"), Some(7), Some(8)).expect("an owner of a folder");
}

fn modes(dir: &Path) {
    folder(dir);
    // Whoever is not root cannot back up what he cannot read.
    let unreadable: &[u32] = if tools::is_root() { &[0o000, 0o222, 0o4711] } else { &[] };
    let modes = [
        0o400, 0o444, 0o600, 0o644, 0o666, 0o755, 0o777, 0o4755, 0o2755, 0o1644, 0o7777,
    ];
    for mode in modes.iter().chain(unreadable) {
        let file = dir.join(format!("file {mode:04o}"));
        write(&file, "content");
        chmod(&file, *mode);
    }
    for mode in [0o500, 0o555, 0o700, 0o1777, 0o2775] {
        let sub = dir.join(format!("folder {mode:04o}"));
        folder(&sub);
        write(&sub.join("inside"), "content");
        chmod(&sub, mode);
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn times(dir: &Path) {
    folder(dir);
    let files: [(&str, i64, i64); 7] = [
        ("1970", 0, 0),
        ("one nanosecond", 0, 1),
        ("before 1970", -1, 500_000_000),
        ("1938", -1_000_000_000, 123_456_789),
        ("now and then", 1_700_000_000, 999_999_999),
        ("beyond 2038", 4_300_000_000, 7),
        ("2200", 7_258_118_400, 1),
    ];
    let linked = dir.join("link");
    symlink("1970", &linked).expect("a symlink");
    set_time(&linked, 1_234_567_890, 987_654_321);
    let sub: PathBuf = dir.join("folder");
    folder(&sub);
    for (name, seconds, nanos) in files {
        write(&dir.join(name), "content");
        set_time(&dir.join(name), seconds, nanos);
        write(&sub.join(name), "content");
    }
    set_time(&sub, -123, 456);
    set_time(dir, 1_600_000_000, 1);
}

fn set_time(path: &Path, seconds: i64, nanos: i64) {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: nanos,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("a time");
}
