//! Every way in which a backup of a database can fail says what happened and what to do, soon, and without the password.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use backup_core::contents::BackupContents;
use backup_core::{JobControl, OsRandom, PipelineError, Source};
use backup_sources::{ConnectionOptions, DatabaseSettings, DatabaseSource, NamedBy};
use backup_tests::guard::children_of;
use backup_tests::postgres::{Database, Postgres};
use backup_tests::tree::Scratch;
use rustix::process::{Pid, Signal, kill_process};

use crate::database::settings;
use crate::job;
use crate::recorder::{Archive, When, back_up};

const SECRET: &str = "a-Secret'with \\odd";

pub(crate) fn database() -> Database {
    let database = Postgres::shared().create_database("faults");
    database.psql("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 20) AS v FROM generate_series(1, 20000) i");
    database
}

/// A folder with PostgreSQL's programs, in which `pg_dump` is this shell script (but tells its version as `version`).
pub(crate) fn fake_pg_dump(version: &str, script: &str) -> Scratch {
    let folder = Scratch::new();
    let bin = Postgres::shared().bin_dir();
    for program in ["psql", "pg_dumpall", "pg_restore"] {
        std::os::unix::fs::symlink(bin.join(program), folder.path().join(program)).unwrap();
    }
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in --version) echo 'pg_dump (PostgreSQL) {version}';; *)\n{}\n;; esac\n",
        script.replace("REAL", bin.join("pg_dump").to_str().unwrap())
    );
    // Written by another process: a program that any process holds open for writing cannot be started.
    let to = folder.path().join("pg_dump");
    let status = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", &text])
        .arg(&to)
        .status();
    assert!(status.unwrap().success());
    folder
}

pub(crate) fn with_programs(database: &Database, programs: &Path) -> DatabaseSource {
    DatabaseSource::new(DatabaseSettings {
        programs: Some(programs.to_owned()),
        ..settings(database)
    })
}

#[test]
fn what_cannot_work_fails_within_seconds_and_says_why() {
    let database = database();
    let good = settings(&database);
    let empty = Scratch::new();
    let newer = fake_pg_dump("9.6.24", "exit 1");
    let password = Some(SECRET.to_owned().into());
    let closed = backup_tests::free_port();
    let with = |change: &dyn Fn(&mut DatabaseSettings)| {
        let mut settings = good.clone();
        settings.password = password.clone();
        change(&mut settings);
        settings
    };
    let right = good.password.clone();
    let cases = [
        (
            "wrong password",
            with(&|_| {}),
            true,
            ["password authentication failed", "DATABASE_PASSWORD"],
        ),
        (
            "no such user",
            with(&|s| s.user = Some("nobody at all".into())),
            true,
            ["nobody at all", "DATABASE_USER"],
        ),
        (
            "missing database",
            with(&|s| (s.name, s.password) = ("no such database".into(), right.clone())),
            true,
            ["\"no such database\" does not exist", "DATABASE_NAME"],
        ),
        (
            "TLS that the server has not",
            with(&|s| {
                s.password.clone_from(&right);
                assert!(s.options.set("sslmode", "require"));
            }),
            true,
            ["does not support SSL", "TLS"],
        ),
        (
            "nobody listens",
            with(&|s| s.port = closed),
            false,
            ["Connection refused", "DATABASE_PORT"],
        ),
        (
            "unknown host",
            with(&|s| s.host = "no-such-host.invalid".into()),
            false,
            ["no-such-host.invalid", "DATABASE_HOST"],
        ),
        // A network for documentation: no packet comes back.
        (
            "no answer",
            with(&|s| s.host = "192.0.2.1".into()),
            false,
            ["192.0.2.1", "DATABASE_HOST"],
        ),
        (
            "no programs",
            with(&|s| s.programs = Some(empty.path().to_owned())),
            true,
            ["pg_dump is missing", "postgresql-client"],
        ),
        (
            "server newer than pg_dump",
            with(&|s| (s.programs, s.password) = (Some(newer.path().to_owned()), right.clone())),
            true,
            ["newer than pg_dump 9.6.24", "Install"],
        ),
    ];
    for (what, settings, refused, words) in cases {
        assert!(!format!("{settings:?}").contains(SECRET), "{what}");
        let begin = Instant::now();
        let error = DatabaseSource::new(settings).prepare(&job()).expect_err(what);
        assert!(
            begin.elapsed() < Duration::from_secs(40),
            "{what} took {:?}",
            begin.elapsed()
        );
        let text = error.full_text();
        assert!(words.iter().all(|word| text.contains(word)), "{what}: {text}");
        assert!(!text.contains(SECRET), "{what}: {text}");
        let kind = if refused {
            matches!(error, PipelineError::Refused { .. })
        } else {
            matches!(error, PipelineError::Unavailable { .. })
        };
        assert!(kind, "{what}: {error:?}");
    }
}

fn pg_dumps() -> Vec<u32> {
    let is_ours =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "pg_dump");
    children_of(std::process::id()).into_iter().filter(is_ours).collect()
}

/// Of the running `pg_dump`s that which works on this database.
fn pg_dump_of(database: &Database) -> Option<u32> {
    let works_on = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&database.name))
    };
    pg_dumps().into_iter().find(works_on)
}

#[test]
fn a_killed_pg_dump_is_an_error_although_its_output_just_ends() {
    let database = database();
    let mut killed = false;
    let mut archive = Archive::with_hook(|when, _| {
        if when == When::During
            && !killed
            && let Some(pid) = pg_dump_of(&database)
        {
            killed = true;
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            assert!(
                !String::from_utf8_lossy(&line).contains(&database.password),
                "the password is on the command line"
            );
            kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).unwrap();
        }
    });
    let error = back_up(&DatabaseSource::new(settings(&database)), &mut archive, &job()).unwrap_err();
    assert!(error.to_string().contains("pg_dump was ended by SIGKILL"), "{error}");
}

#[test]
fn a_cancelled_backup_ends_pg_dump() {
    let database = database();
    let job = job();
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::During && path.to_string() == "database.dump" {
            job.cancel();
        }
    });
    let error = back_up(&DatabaseSource::new(settings(&database)), &mut archive, &job).unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    assert_eq!(pg_dump_of(&database), None);
}

#[test]
fn a_silent_pg_dump_is_ended() {
    let database = database();
    let programs = fake_pg_dump("99.0", "printf something; exec sleep 1000");
    let job = JobControl::new(Duration::from_secs(6));
    let begin = Instant::now();
    let error = back_up(
        &with_programs(&database, programs.path()),
        &mut Archive::default(),
        &job,
    )
    .unwrap_err();
    assert!(
        error.to_string().contains("pg_dump was silent for 6 seconds"),
        "{error}"
    );
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_slow_archive_is_not_the_silence_of_pg_dump() {
    let database = database();
    let job = JobControl::new(Duration::from_secs(4));
    let pauses = AtomicU32::new(0);
    let mut archive = Archive::with_hook(|when, _| {
        // Longer than pg_dump may be silent: what is tested is that this time does not count.
        if when == When::During && pauses.fetch_add(1, Ordering::SeqCst) < 2 {
            std::thread::sleep(Duration::from_secs(5));
        }
    });
    back_up(&DatabaseSource::new(settings(&database)), &mut archive, &job).unwrap();
}

#[test]
fn a_pg_dump_whose_server_is_at_work_is_not_silent() {
    let database = database();
    database.psql(
        "CREATE FUNCTION slow(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1 FROM pg_sleep(12)';
         CREATE TABLE one AS SELECT 1 AS x",
    );
    // Stands for a table of dead rows: one statement, long at work, nothing said.
    let script = "psql_of() { exec \"$(dirname \"$0\")/psql\" -XAtq \"$1\" -c 'SELECT slow(x) FROM one'; }
        for arg; do case \"$arg\" in --dbname=*) psql_of \"$arg\";; esac; done";
    let programs = fake_pg_dump("99.0", script);
    let job = JobControl::new(Duration::from_secs(4));
    let mut archive = Archive::default();
    back_up(&with_programs(&database, programs.path()), &mut archive, &job).unwrap();
    assert_eq!(archive.content("database.dump"), b"1\n");
}

/// A `pg_dump` that says nothing while a session of its does what this part of a shell script writes, and then its one line.
fn backed_up_while_a_session_does(script: &str) -> Result<Archive<'static>, PipelineError> {
    let database = database();
    let programs = fake_pg_dump(
        "99.0",
        &format!(
            "for arg; do case \"$arg\" in --dbname=*)
               {{ {script}; }} | \"$(dirname \"$0\")/psql\" -XAtq \"$arg\" > /dev/null;;
             esac; done; echo dumped"
        ),
    );
    let job = JobControl::new(Duration::from_secs(4));
    let mut archive = Archive::default();
    back_up(&with_programs(&database, programs.path()), &mut archive, &job)?;
    Ok(archive)
}

#[test]
fn a_pg_dump_that_gets_on_by_small_statements_is_not_silent() {
    // Stands for the many questions about objects on a slow line: the server hardly ever works on one.
    let script = "for i in $(seq 36); do echo 'SELECT 1;'; sleep 0.4; done";
    let archive = backed_up_while_a_session_does(script).unwrap();
    assert_eq!(archive.content("database.dump"), b"dumped\n");
}

#[test]
fn a_pg_dump_whose_session_sits_idle_is_ended() {
    let begin = Instant::now();
    let error = backed_up_while_a_session_does("echo 'BEGIN; SELECT 1;'; exec sleep 1000")
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("pg_dump was silent"), "{error}");
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_lock_on_a_table_is_told() {
    let database = Arc::new(database());
    let job = JobControl::new(Duration::from_secs(6));
    let source = DatabaseSource::new(settings(&database));
    source.prepare(&job).unwrap();
    let holder = database.clone();
    let _holds = std::thread::spawn(move || holder.try_psql("BEGIN; LOCK TABLE t; SELECT pg_sleep(60)"));
    let held =
        "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 't'::regclass";
    backup_tests::poll(Duration::from_secs(30), || (database.psql(held) == "1").then_some(())).unwrap();
    let error = source
        .backup(&mut Archive::default(), &job, &mut BackupContents::default())
        .unwrap_err()
        .full_text();
    Postgres::shared().psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()");
    assert!(error.contains("lock") && error.contains("HINT"), "{error}");
}

#[test]
fn a_server_that_goes_away_while_it_is_read_is_unavailable() {
    let server = Postgres::start();
    let database = server.create_database("gone");
    database.psql("CREATE TABLE t AS SELECT i, repeat(md5(i::text), 20) AS v FROM generate_series(1, 50000) i");
    let mut stopped = false;
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::During && path.to_string() == "database.dump" && !stopped {
            stopped = true;
            server.kill9();
        }
    });
    let error = back_up(&DatabaseSource::new(settings(&database)), &mut archive, &job()).unwrap_err();
    assert!(matches!(error, PipelineError::Unavailable { .. }), "{error:?}");
}

/// The pids of all processes whose command line holds this text.
fn processes_with(text: &str) -> Vec<u32> {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let holds = |pid: &u32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(text))
    };
    pids.filter(holds).collect()
}

#[test]
fn the_programs_end_when_we_are_killed() {
    let database = database();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "database_faults::hangs_in_the_middle_of_a_dump", "--ignored"])
        .env("HANGING_PORT", database.port.to_string())
        .env("HANGING_NAME", &database.name)
        .env("HANGING_PASSWORD", &database.password)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    while !line.contains("hanging") {
        line.clear();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "it ended before its dump began"
        );
    }
    assert!(processes_with(&format!("dbname='{}'", database.name)).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = backup_tests::poll(Duration::from_secs(30), || {
        processes_with(&format!("dbname='{}'", database.name))
            .is_empty()
            .then_some(())
    });
    assert!(gone.is_some(), "pg_dump or psql outlived us");
}

#[test]
#[ignore = "run by the test above, to be killed"]
fn hangs_in_the_middle_of_a_dump() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let settings = DatabaseSettings {
        host: "127.0.0.1".to_owned(),
        port: variable("HANGING_PORT").parse().unwrap(),
        name: variable("HANGING_NAME"),
        user: Some("postgres".to_owned()),
        password: Some(variable("HANGING_PASSWORD").into()),
        options: ConnectionOptions::default(),
        named_by: NamedBy::Settings,
        programs: Some(backup_tests::tools::postgres::install().unwrap()),
        random: Arc::new(OsRandom),
    };
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::During && path.to_string() == "database.dump" {
            // Past the capture of the test's output.
            std::io::Write::write_all(&mut std::io::stdout(), b"hanging\n").unwrap();
            loop {
                std::thread::park();
            }
        }
    });
    back_up(&DatabaseSource::new(settings), &mut archive, &job()).unwrap();
}
