//! Nobody needs us to open an archive: the contract's line of openssl and tar, and `pg_restore`, are enough.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::path::Path;
use std::process::Command;

use backup_tests::postgres::Postgres;
use backup_tests::system::{Blobs, System, assert_same_databases};
use backup_tests::{sample_db, tools, tree};

/// The key as the contract derives it from the passphrase, by the openssl program.
const KEY: &str = "KEY=$(openssl kdf -keylen 32 -kdfopt pass:\"$PASSPHRASE\" -kdfopt salt:backup-salt-v1 -kdfopt n:16384 \
                   -kdfopt r:8 -kdfopt p:1 -kdfopt maxmem_bytes:67108864 SCRYPT | tr -d ':\\n')";

/// The contract's line, to the letter.
const LINE: &str =
    "tail -c +17 \"$F\" | openssl enc -d -aes-256-cbc -K $KEY -iv $(head -c 16 \"$F\" | xxd -p) | tar xzf -";

/// Runs a script in a new folder `out`, with the passphrase and the stored file.
fn bash(system: &System, stored: &Path, out: &str, script: &str) -> std::path::PathBuf {
    let folder = system.folder().join(out);
    fs::create_dir(&folder).unwrap();
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("set -euo pipefail\n{script}")])
        .current_dir(&folder)
        .env("PASSPHRASE", system.setting("BACKUP_ENCRYPTION_KEY"))
        .env("F", stored);
    tools::run(&mut command).unwrap();
    folder
}

fn stored_file(system: &System, path: &str) -> std::path::PathBuf {
    let Blobs::Folder(root) = &system.blobs else {
        panic!("the storage is a folder");
    };
    root.join(path)
}

#[test]
fn openssl_and_tar_open_the_archive_and_pg_restore_reads_the_dump() {
    let mut system = System::embedded();
    sample_db::fill(&system.database, 50_000);
    tree::everything(&system.uploads());
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let stored = stored_file(&system, backup["storagePath"].as_str().unwrap());

    let plain = bash(&system, &stored, "plain", &format!("{KEY}\n{LINE}"));
    let text = fs::read(plain.join("files/content/text")).unwrap();
    assert_eq!(text, fs::read(system.uploads().join("content/text")).unwrap());
    assert!(plain.join("config/config.json").is_file());

    // With all attributes, as root would restore a machine.
    let owner = if tools::is_root() { "--same-owner" } else { "" };
    let all = format!("tar xzf - -p --numeric-owner --xattrs --xattrs-include='*' {owner}");
    let with_all = LINE.replace("tar xzf -", &all);
    let all = bash(&system, &stored, "all", &format!("{KEY}\n{with_all}"));
    assert_eq!(
        tree::compare(&system.uploads(), &all.join("files")),
        Vec::<String>::new()
    );

    let dump = system.folder().join("dump");
    let join = format!("cat \"$1\"/database/database.dump/* > {}", dump.display());
    tools::run(Command::new("bash").args(["-c", &join, "join"]).arg(&all)).unwrap();
    let programs = Postgres::shared().bin_dir();
    let list = tools::run(Command::new(programs.join("pg_restore")).arg("-l").arg(&dump)).unwrap();
    assert!(String::from_utf8_lossy(&list.stdout).contains("TABLE DATA public large_table"));
    let copy = Postgres::shared().create_database("by_hand");
    let restore = Command::new(programs.join("pg_restore"))
        .env("PGPASSWORD", &copy.password)
        .args(["--exit-on-error", "--dbname", &copy.url()])
        .arg(&dump)
        .output()
        .unwrap();
    assert!(restore.status.success(), "{}", String::from_utf8_lossy(&restore.stderr));
    assert_same_databases(&system.database, &copy);
}

#[test]
fn the_other_forms_open_too() {
    if tools::find_on_path("zstd").is_none() {
        backup_tests::note("no zstd program: archives of zstd are not opened by it");
        return;
    }
    let mut system = System::embedded();
    system.fill_a_little();
    for (codec, untar) in [("zstd", "zstd -dc | tar xf -"), ("none", "tar xzf -")] {
        system.set("BACKUP_COMPRESSION", codec);
        system.start();
        let backup = system.back_up("FILES");
        let _stopped = system.take_server().terminate();
        let stored = stored_file(&system, backup["storagePath"].as_str().unwrap());
        let out = bash(
            &system,
            &stored,
            codec,
            &format!("{KEY}\n{}", LINE.replace("tar xzf -", untar)),
        );
        let differences = tree::compare(&system.uploads().join("folder"), &out.join("files/folder"));
        assert_eq!(differences, Vec::<String>::new(), "{codec}");
        // What backupctl decrypts is the same as what openssl does.
        let id = backup["id"].as_str().unwrap();
        let ours = system.folder().join(format!("decrypted-{codec}"));
        let _done = system
            .backupctl(&["decrypt", id, "-o", ours.to_str().unwrap()])
            .expect(0);
        let theirs = bash(
            &system,
            &stored,
            &format!("{codec}-plain"),
            &format!("{KEY}\n{}", LINE.replace("tar xzf -", "cat > plain")),
        );
        assert!(
            fs::read(ours).unwrap() == fs::read(theirs.join("plain")).unwrap(),
            "{codec}"
        );
    }
}
