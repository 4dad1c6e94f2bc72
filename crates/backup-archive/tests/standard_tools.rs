//! `openssl`, `tar`, `gzip` and `zstd` open an archive without this program.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod kit;

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use backup_archive::{Cuts, decrypt_to};
use backup_core::receipt::Codec;
use backup_core::{ArchiveSink, Entry, EntryKind, PipelineError};
use kit::{Item, KEY, Stored, append, everything, job, noise, options, path, write};

/// The archive's key in hex, made as the document says it.
fn key_hex() -> String {
    let mut key = [0; 32];
    let salt = b"backup-salt-v1";
    openssl::pkcs5::scrypt(kit::PASSPHRASE.as_bytes(), salt, 16384, 8, 1, 64 << 20, &mut key).unwrap();
    hex::encode(key)
}

fn shell(line: &str, folder: &Path) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(folder)
        .env("KEY", key_hex())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    assert!(errors.is_empty(), "{line}: {errors}");
    output.stdout
}

/// How a person opens the file.
fn open_line(codec: Codec, encrypt: bool, tar: &str) -> String {
    let plain = if encrypt {
        "tail -c +17 F | openssl enc -d -aes-256-cbc -K $KEY -iv $(head -c 16 F | xxd -p)"
    } else {
        "cat F"
    };
    let filter = if codec == Codec::Zstd { "--zstd" } else { "-z" };
    format!("{plain} | tar {filter} {tar}")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What a person without root's rights cannot extract is left out there.
fn extractable() -> Vec<Item> {
    let mut items = everything();
    if !is_root() {
        items.retain(|(entry, _)| !matches!(entry.kind, EntryKind::CharDevice { .. } | EntryKind::BlockDevice { .. }));
    }
    items
}

fn compare(root: &Path, (entry, content): &Item) {
    use std::os::unix::ffi::OsStrExt;
    let at = root.join(std::ffi::OsStr::from_bytes(entry.path.as_bytes()));
    let found = std::fs::symlink_metadata(&at).unwrap_or_else(|error| panic!("{}: {error}", entry.path));
    let kind = found.file_type();
    match &entry.kind {
        EntryKind::File { data } => {
            let mut expected = Vec::new();
            match data {
                None => expected.clone_from(content),
                Some(ranges) => {
                    expected.resize(entry.size as usize, 0);
                    let mut from = 0;
                    for (offset, length) in ranges {
                        let (offset, length) = (*offset as usize, *length as usize);
                        expected[offset..offset + length].copy_from_slice(&content[from..from + length]);
                        from += length;
                    }
                    assert!(found.blocks() * 512 < entry.size, "{} lost its holes", entry.path);
                }
            }
            assert!(std::fs::read(&at).unwrap() == expected, "{}", entry.path);
        }
        EntryKind::Directory => assert!(kind.is_dir()),
        EntryKind::Symlink { target } => {
            assert_eq!(std::fs::read_link(&at).unwrap().as_os_str().as_bytes(), target);
            return;
        }
        EntryKind::HardLink { target } => {
            let target = root.join(std::ffi::OsStr::from_bytes(target.as_bytes()));
            assert_eq!(std::fs::metadata(target).unwrap().ino(), found.ino());
            return;
        }
        EntryKind::Fifo => assert!(kind.is_fifo()),
        EntryKind::CharDevice { .. } => assert!(kind.is_char_device()),
        EntryKind::BlockDevice { .. } => assert!(kind.is_block_device()),
    }
    let special = if is_root() { 0o7777 } else { 0o777 };
    assert_eq!(found.mode() & special, entry.mode & special, "{}", entry.path);
    assert_eq!(
        (found.mtime(), found.mtime_nsec()),
        (entry.modified_secs, i64::from(entry.modified_nanos)),
        "{}",
        entry.path
    );
    if is_root() {
        assert_eq!((found.uid(), found.gid()), (entry.uid, entry.gid), "{}", entry.path);
    }
}

/// Reads an extended attribute, or `None` where the file system keeps none.
fn attributes(file: &Path) -> Option<String> {
    let script =
        "import os,sys\nfor n in sorted(os.listxattr(sys.argv[1])): print(n, os.getxattr(sys.argv[1], n).hex())";
    let output = Command::new("python3").arg("-c").arg(script).arg(file).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn openssl_and_tar_extract_every_kind_of_entry() {
    let items = extractable();
    for (codec, encrypt) in [
        (Codec::Gzip, true),
        (Codec::Zstd, true),
        (Codec::None, true),
        (Codec::Gzip, false),
    ] {
        let (bytes, _) = write(&options(codec, encrypt), kit::SMALL, |writer| {
            append(writer, "files", &items)
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("F"), bytes).unwrap();
        let tar =
            "--warning=no-timestamp --delay-directory-restore --numeric-owner --xattrs --xattrs-include='*' -xpf -";
        shell(&open_line(codec, encrypt, tar), folder.path());
        let root = folder.path().join("files");
        for item in &items {
            compare(&root, item);
        }
        if let Some(found) = attributes(&root.join("owned"))
            && !found.is_empty()
        {
            assert!(found.contains("user.a=b%c 0001020aff"), "{found}");
            assert!(found.contains("user.text 76616c7565"), "{found}");
        }
        let about = std::fs::read_to_string(folder.path().join(".backup/format.json")).unwrap();
        assert!(about.contains(&hex::encode(kit::ID)));
        assert!(folder.path().join(".backup/index/root").exists());
    }
}

#[test]
fn a_dump_comes_out_of_tar_as_one_stream() {
    let dump = noise(11, 5_500_000);
    for codec in [Codec::Gzip, Codec::Zstd] {
        let (bytes, _) = write(&options(codec, true), Cuts::default(), |writer| {
            let mut part = writer.part("database")?;
            part.append_stream(&path("database.dump"), &mut dump.as_slice())?;
            part.append(&Entry::plain_file(path("globals.sql"), 3, 0), &mut &b"sql"[..])?;
            Ok(())
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("F"), bytes).unwrap();
        let line = open_line(codec, true, "--wildcards -xOf - 'database/database.dump/*'");
        assert!(shell(&line, folder.path()) == dump);
    }
}

#[test]
fn the_decrypted_file_passes_the_tests_of_gzip_and_zstd() {
    for (codec, tool) in [(Codec::Gzip, "gzip"), (Codec::None, "gzip"), (Codec::Zstd, "zstd")] {
        let (bytes, seal, ..) = kit::sample(codec, true);
        let mut plain = Vec::new();
        decrypt_to(&Stored(bytes), &KEY, &seal, &mut plain, &job()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file: PathBuf = folder.path().join("plain");
        std::fs::write(&file, &plain).unwrap();
        let mut child = Command::new(tool)
            .args(["-q", "-d", "-c"])
            .stdin(std::fs::File::open(&file).unwrap())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut tar = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut tar).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(tar.len() as u64, seal.tar_bytes);
        assert_eq!(tar.len() % 512, 0);
    }
}

#[test]
fn what_is_not_the_sealed_file_is_never_decrypted_whole() {
    for encrypt in [true, false] {
        let (bytes, seal, ..) = kit::sample(Codec::None, encrypt);
        let mut good = Vec::new();
        decrypt_to(&Stored(bytes.clone()), &KEY, &seal, &mut good, &job()).unwrap();
        let mut changed = bytes;
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        let mut plain = Vec::new();
        let error = decrypt_to(&Stored(changed), &KEY, &seal, &mut plain, &job()).unwrap_err();
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
        assert!(plain.len() < good.len());
    }
}
