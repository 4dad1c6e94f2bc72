//! Several connections restore what one does, and leave nothing on the disk.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use backup_core::{JobControl, PipelineError, Target as _, WarningCode};
use backup_sources::{DatabaseSettings, DatabaseSource, DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::Postgres;
use backup_tests::sample_db;
use backup_tests::tree::Scratch;

use crate::database::{copy_of, exists, restore, settings, small};
use crate::job;
use crate::recorder::{Archive, back_up, warned};

pub(crate) fn staged(folder: &Path) -> DatabaseTargetOptions {
    DatabaseTargetOptions {
        staging: Some(folder.to_owned()),
        jobs: 3,
        staged_from: Some(0),
        ..DatabaseTargetOptions::default()
    }
}

/// A folder with PostgreSQL's programs, in which `pg_restore` is this shell script; `REAL` in it is the real one.
pub(crate) fn fake_pg_restore(script: &str) -> Scratch {
    fake_pg_restore_of("15.0", script)
}

/// The same, of this version.
fn fake_pg_restore_of(version: &str, script: &str) -> Scratch {
    fake_program("pg_restore", version, script)
}

/// The client programs, of which this one is a shell script of this version; `REAL` in it is the real one.
pub(crate) fn fake_program(name: &str, version: &str, script: &str) -> Scratch {
    let folder = Scratch::new();
    let bin = Postgres::shared().bin_dir();
    for program in ["psql", "pg_dump", "pg_dumpall", "pg_restore"] {
        if program != name {
            std::os::unix::fs::symlink(bin.join(program), folder.path().join(program)).unwrap();
        }
    }
    let real = bin.join(name);
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in --version) echo '{name} (PostgreSQL) {version}'; exit;; esac\n{}\n",
        script.replace("REAL", real.to_str().unwrap())
    );
    // Written by another process: a program that any process holds open for writing cannot be started.
    let status = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &text])
        .arg(folder.path().join(name))
        .status();
    assert!(status.unwrap().success());
    folder
}

pub(crate) fn with_programs(settings: DatabaseSettings, programs: &Path) -> DatabaseSettings {
    DatabaseSettings {
        programs: Some(programs.to_owned()),
        ..settings
    }
}

#[test]
fn several_connections_restore_the_same_as_one() {
    let original = Postgres::shared().create_database("staged");
    sample_db::fill(&original, 5000);
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let folder = Scratch::new();
    let copy = copy_of(&original);
    let restored = restore(&archive, &copy, staged(folder.path())).unwrap();
    assert_eq!(warned(&restored, WarningCode::Other), [""; 0]);
    assert_eq!(original.dump(), copy.dump());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_was_restored_outlives_the_death_of_the_server() {
    let server = Postgres::start();
    let original = server.create_database("durable");
    // Nothing reaches the disk by the way: only what a transaction waits for.
    for setting in ["wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'"] {
        original.psql(&format!("ALTER SYSTEM SET {setting}"));
    }
    original.psql("SELECT pg_reload_conf()");
    // No materialised view: to fill one waits for the disk by itself.
    original
        .psql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, i FROM generate_series(1, 1000) i");
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let before = original.dump();
    let folder = Scratch::new();
    let copy = server.database(&format!("{} copy", original.name));
    let _restored = restore(&archive, &copy, staged(folder.path())).unwrap();
    server.kill9();
    server.resume();
    assert_eq!(copy.dump(), before);
}

#[test]
fn pg_restore_is_told_where_the_rows_of_each_table_are() {
    let (original, archive) = small(1000);
    let copy = copy_of(&original);
    let folder = Scratch::new();
    // It keeps the file that it was given, and its arguments.
    let kept = Scratch::new();
    let script = format!(
        "for last; do :; done; cp \"$last\" {0}/dump; ls {1} > {0}/listing; echo \"$@\" > {0}/arguments; exec REAL \"$@\"",
        kept.path().display(),
        folder.path().display(),
    );
    let programs = fake_pg_restore(&script);
    let target = with_programs(settings(&copy), programs.path());
    let mut target = DatabaseTarget::new(target, staged(folder.path()));
    target.restore(&mut archive.replay(), &job()).unwrap();
    assert_eq!(original.dump(), copy.dump());
    let arguments = fs::read_to_string(kept.path().join("arguments")).unwrap();
    assert!(arguments.contains("--jobs=3"), "{arguments}");
    assert_eq!(
        fs::read_to_string(kept.path().join("listing")).unwrap(),
        "",
        "the dump has a name"
    );
    // Whoever searches for the rows of the last table comes by those of the first, and gets lost in them.
    let mut dump = fs::read(kept.path().join("dump")).unwrap();
    let rows = b"\x00\x07\x00\x00\x001\n\\.\n\n\n";
    let first = dump.windows(rows.len()).position(|part| part == rows).unwrap();
    dump[first + 1..first + 4].fill(0xff);
    let broken = kept.path().join("broken");
    fs::write(&broken, dump).unwrap();
    let text = backup_tests::tools::run(
        Command::new(Postgres::shared().bin_dir().join("pg_restore"))
            .args(["--data-only", "--table=t", "--file=-"])
            .arg(&broken),
    );
    let text = String::from_utf8(text.unwrap().stdout).unwrap();
    assert!(text.contains("\n1000\t"), "{text}");
}

#[test]
fn a_restore_that_fails_leaves_neither_file_nor_database() {
    let (original, archive) = small(1000);
    let mut archive = archive.copy();
    let (_, dump) = &mut archive.entries[1];
    let at = dump.windows(5).position(|part| part == b"1000\t").unwrap();
    dump[at..at + 4].copy_from_slice(b"x000");
    let copy = copy_of(&original);
    let folder = Scratch::new();
    let error = restore(&archive, &copy, staged(folder.path())).unwrap_err();
    assert!(error.to_string().contains("x000"), "{error}");
    assert!(!exists(&copy));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    // Nor does what cannot be put down, for it ends early.
    archive.entries[1].1.truncate(at);
    let error = restore(&archive, &copy, staged(folder.path())).unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error}");
    assert!(!exists(&copy));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_is_small_or_has_no_room_is_restored_on_the_way() {
    let (original, archive) = small(10);
    let missing = Path::new("/nonexistent/folder");
    let copy = copy_of(&original);
    let small = DatabaseTargetOptions {
        staged_from: None,
        ..staged(missing)
    };
    let restored = restore(&archive, &copy, small).unwrap();
    assert_eq!(restored.warnings(), []);
    let other = copy_of(&original);
    let restored = restore(&archive, &other, staged(missing)).unwrap();
    assert!(warned(&restored, WarningCode::Other)[0].contains("/nonexistent/folder"));
    assert_eq!(original.dump(), other.dump());
}

#[test]
fn the_setting_that_an_older_server_does_not_know_is_passed_over_and_nothing_else() {
    let (original, archive) = small(10);
    let error = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"";
    let other = "pg_restore: error: could not execute query: ERROR:  relation \"t\" already exists";
    let folder = Scratch::new();
    for (said, count, is_good) in [
        (format!("{error}\nCommand was: SET transaction_timeout = 0;"), 1, true),
        (format!("{error}\n{error}"), 2, true),
        (format!("{error}\n{other}"), 2, false),
        (format!("{error}\n{other}: {error}"), 2, false),
        (other.to_owned(), 1, false),
    ] {
        let script = format!(
            "REAL \"$@\" && printf '%s\n' '{said}' 'pg_restore: warning: errors ignored on restore: {count}' >&2; exit 1"
        );
        let programs = fake_pg_restore_of("17.0", &script);
        for options in [DatabaseTargetOptions::default(), staged(folder.path())] {
            let copy = copy_of(&original);
            let mut target = DatabaseTarget::new(with_programs(settings(&copy), programs.path()), options);
            let restored = target.restore(&mut archive.replay(), &job());
            assert_eq!(restored.is_ok(), is_good, "{said}: {restored:?}");
            assert_eq!(exists(&copy), is_good, "{said}");
        }
    }
}

#[test]
fn an_older_server_is_restored_by_one_connection() {
    let (original, archive) = small(10);
    let error = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"";
    // As the real one: each of several connections meets the error, and those of the first are counted.
    let script = format!(
        "case \"$*\" in *--jobs=*) met=4;; *) met=1;; esac
         REAL \"$@\" && for i in $(seq $met); do echo '{error}' >&2; done
         echo 'pg_restore: warning: errors ignored on restore: 1' >&2; exit 1"
    );
    let programs = fake_pg_restore_of("17.0", &script);
    let folder = Scratch::new();
    let copy = copy_of(&original);
    let mut target = DatabaseTarget::new(with_programs(settings(&copy), programs.path()), staged(folder.path()));
    let job = job();
    target.restore(&mut archive.replay(), &job).unwrap();
    assert_eq!(job.warnings(), []);
    assert_eq!(original.dump(), copy.dump());
}

/// Restores with a `pg_restore` that goes on with this script when all is restored, and may be silent for three seconds; `DB`
/// in it is the connection string, `FILE` the dump, `PSQL` the program.
fn restore_and_then(script: &str, is_staged: bool) -> Result<(), PipelineError> {
    let (original, archive) = small(10);
    let script = script
        .replace("DB", "\"$db\"")
        .replace("FILE", "\"$last\"")
        .replace("PSQL", "\"$(dirname \"$0\")/psql\"");
    let programs = fake_pg_restore(&format!(
        "for last; do :; done; for arg; do case \"$arg\" in --dbname=*) db=\"$arg\";; esac; done; REAL \"$@\" || exit 1\n{script}"
    ));
    let folder = Scratch::new();
    let options = if is_staged {
        staged(folder.path())
    } else {
        DatabaseTargetOptions::default()
    };
    let copy = copy_of(&original);
    let mut target = DatabaseTarget::new(with_programs(settings(&copy), programs.path()), options);
    target.restore(&mut archive.replay(), &JobControl::new(Duration::from_secs(3)))
}

#[test]
fn sessions_that_wait_for_pg_restore_most_of_the_time_are_no_silence() {
    // Stands for a slow line: eight seconds of small statements, and hardly ever one that the server works on.
    let statements = "CREATE TEMPORARY SEQUENCE s;\nSELECT 1 / (20 - nextval('s')) \\watch 0.4";
    let script = format!("exec PSQL -Xq DB > /dev/null 2>&1 <<'END'\n{statements}\nEND");
    for is_staged in [true, false] {
        restore_and_then(&script, is_staged).unwrap();
    }
}

#[test]
fn a_pg_restore_that_is_stuck_is_ended() {
    // In the middle of its file, and of a transaction.
    let script = "exec 3< FILE; { echo 'BEGIN; SELECT 1;'; exec sleep 1000; } | PSQL -Xq DB > /dev/null";
    let error = restore_and_then(script, true).unwrap_err();
    assert!(error.to_string().contains("pg_restore was silent"), "{error}");
}
