//! A drill passes for what is restored as it was, and fails for everything else, and says which.

use std::sync::Arc;

use backup_core::{OsRandom, PipelineError, Target, WarningCode};
use backup_sources::{
    DatabaseDrill, DatabaseDrillOptions, DatabaseSettings, DatabaseSource, DatabaseTargetOptions, ScratchServer,
};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::tree::Scratch;
use backup_tests::{sample_db, unique};

use crate::database::{change, copy_of, exists, restore, settings, small};
use crate::database_scratch::reachable;
use crate::database_staged::{fake_pg_restore, fake_program, with_programs};
use crate::job;
use crate::recorder::{Archive, back_up, warned};

pub(crate) fn drill_in(
    archive: &Archive<'_>,
    scratch: DatabaseSettings,
    options: DatabaseDrillOptions,
) -> Result<backup_core::JobControl, PipelineError> {
    let job = job();
    let mut drill = DatabaseDrill::new(scratch, options);
    drill.prepare(&job)?;
    drill.restore(&mut archive.replay(), &job)?;
    Ok(job)
}

fn drill(archive: &Archive<'_>, scratch: &Database) -> Result<backup_core::JobControl, PipelineError> {
    drill_in(archive, settings(scratch), DatabaseDrillOptions::default())
}

pub(crate) fn backup_of(database: &Database) -> Archive<'static> {
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(database)), &mut archive, &job()).unwrap();
    archive
}

/// A database with everything, and with what a restore brings back in another form.
fn everything() -> Database {
    let original = Postgres::shared().create_database("drill");
    sample_db::fill(&original, 2000);
    original.psql(
        "CREATE TABLE parent (a int, b text); CREATE TABLE heir (c int, b text, a int); ALTER TABLE heir INHERIT parent;
         INSERT INTO heir SELECT i, i::text, -i FROM generate_series(1, 50) i;
         CREATE TABLE times (at timestamptz, raw bytea); INSERT INTO times VALUES ('2024-07-01 12:00+00', '\\x00ff');
         SET client_min_messages = error;
         CREATE SUBSCRIPTION a_subscription CONNECTION 'host=192.0.2.1' PUBLICATION p WITH (connect = false)",
    );
    // On a server without it the table goes where tables go.
    original.psql("SET allow_in_place_tablespaces = on; CREATE TABLESPACE drilled LOCATION ''");
    original.psql("CREATE TABLE elsewhere TABLESPACE drilled AS SELECT 1 AS x");
    original
}

#[test]
fn a_database_with_everything_passes_on_a_server_with_its_roles_and_on_one_without() {
    let original = everything();
    // Who dumps it writes times and bytes otherwise than who looks at what was restored.
    let role = format!("dumper_{}", unique());
    original.psql(&format!(
        "CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'dumper'; ALTER ROLE {role} SET timezone = 'Asia/Taipei';
         ALTER ROLE {role} SET bytea_output = 'escape'"
    ));
    let source = DatabaseSource::new(DatabaseSettings {
        user: Some(role),
        password: Some("dumper".to_owned().into()),
        ..settings(&original)
    });
    let mut archive = Archive::default();
    back_up(&source, &mut archive, &job()).unwrap();
    let copy = copy_of(&original);
    let done = drill(&archive, &copy).unwrap();
    assert_eq!(done.warnings(), []);
    assert!(!exists(&copy));

    let folder = reachable();
    let server = ScratchServer::start(
        &folder.path().join("scratch"),
        12,
        Some(Postgres::shared().bin_dir()),
        Arc::new(OsRandom),
        &job(),
    )
    .unwrap();
    let options = DatabaseDrillOptions {
        create_roles: true,
        ..DatabaseDrillOptions::default()
    };
    // What was on the server, and in which zone its own times are, makes no difference.
    for round in ["once", "twice"] {
        let done = drill_in(&archive, server.settings(round), options.clone()).unwrap();
        assert_eq!(warned(&done, WarningCode::Other), [""; 0]);
    }
    original.psql("DROP TABLE elsewhere");
    original.psql("DROP TABLESPACE drilled");
    original.psql("ALTER SUBSCRIPTION a_subscription SET (slot_name = NONE); DROP SUBSCRIPTION a_subscription");
}

/// Programs that restore, and then change what was restored.
fn changing(sql: &str) -> Scratch {
    fake_pg_restore(&format!(
        "REAL \"$@\" || exit 1
         for arg; do case \"$arg\" in --dbname=*) \"$(dirname \"$0\")/psql\" -Xq \"$arg\" -c \"{sql}\" >&2 || exit 1;; esac; done"
    ))
}

#[test]
fn whatever_is_restored_otherwise_is_found_and_named() {
    let (original, _) = small(100);
    original.psql("CREATE SEQUENCE s; CREATE INDEX t_v ON t (v); SELECT lo_from_bytea(7777, 'abc')");
    let archive = backup_of(&original);
    let cases = [
        ("UPDATE t SET v = 'x' WHERE id = 7", "public.t (other rows)"),
        ("UPDATE t SET id = id + 1000 WHERE id = 7", "public.t (other rows)"),
        (
            "INSERT INTO t VALUES (0, '')",
            "public.t (101 rows restored, 100 in the backup)",
        ),
        ("SELECT nextval('s')", "sequence set public.s (another value)"),
        ("DROP INDEX t_v", "index public.t_v (not restored)"),
        (
            "ALTER TABLE t DROP CONSTRAINT t_pkey",
            "constraint public.t t_pkey (not restored)",
        ),
        ("CREATE VIEW more AS SELECT 1", "view public.more (not in the backup)"),
        ("SELECT lo_put(7777, 1, 'x')", "large objects (other content)"),
    ];
    for (sql, difference) in cases {
        let programs = changing(sql);
        let copy = copy_of(&original);
        let scratch = with_programs(settings(&copy), programs.path());
        let error = drill_in(&archive, scratch, DatabaseDrillOptions::default()).expect_err(sql);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{sql}: {error:?}");
        assert!(error.to_string().contains(difference), "{sql}: {error}");
        assert!(!exists(&copy), "{sql}");
    }
    assert!(drill(&archive, &copy_of(&original)).is_ok());
}

#[test]
fn rows_may_come_back_in_another_partition_of_their_table_and_must_all_come_back() {
    let original = Postgres::shared().create_database("hashed");
    let moods: Vec<String> = (1..=40).map(|number| format!("'m{number}'")).collect();
    // One has its columns in another order. Of each mood there are so many that hardly two ways to spread them look the same.
    original.psql(&format!(
        "CREATE TYPE mood AS ENUM ({}); CREATE TABLE t (m mood, n int) PARTITION BY HASH (m);
         CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 0);
         CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 3, REMAINDER 1); CREATE TABLE t_2 (n int, m mood);
         ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
         INSERT INTO t SELECT ('m' || i)::mood, n FROM generate_series(1, 40) i, generate_series(1, i * i) n",
        moods.join(", ")
    ));
    let archive = backup_of(&original);
    let spread = "SELECT tableoid::regclass, count(*) FROM t GROUP BY 1 ORDER BY tableoid::regclass::text";
    let rows = "SELECT count(*), md5(string_agg(format('%s %s', m, n), ',' ORDER BY m, n)) FROM t";
    let copy = copy_of(&original);
    restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_ne!(copy.psql(spread), original.psql(spread));
    assert_eq!(copy.psql(rows), original.psql(rows));
    assert_eq!(drill(&archive, &copy_of(&original)).unwrap().warnings(), []);

    for (sql, difference) in [
        ("DELETE FROM t WHERE m = 'm40' AND n = 1600", "public.t_"),
        (
            "UPDATE t SET n = 0 WHERE m = 'm40' AND n = 1600",
            "public.t (other rows)",
        ),
    ] {
        let programs = changing(sql);
        let copy = copy_of(&original);
        let scratch = with_programs(settings(&copy), programs.path());
        let error = drill_in(&archive, scratch, DatabaseDrillOptions::default()).expect_err(sql);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{sql}: {error:?}");
        assert!(error.to_string().contains(difference), "{sql}: {error}");
    }
}

#[test]
fn amounts_of_money_are_read_as_they_were_written_and_held_against_no_backup() {
    let original = Postgres::shared().create_database("money");
    original.psql("CREATE TABLE payments AS SELECT 5::money AS amount");
    let archive = backup_of(&original);
    let about: serde_json::Value = serde_json::from_slice(archive.content("about.json")).unwrap();
    assert!(about["formats"]["lcMonetary"].is_string(), "{about}");
    let written_by = |locale: serde_json::Value| {
        let mut archive = archive.copy();
        change(&mut archive, "about.json", |about| {
            about["formats"]["lcMonetary"] = locale;
        });
        archive
    };
    let copy = copy_of(&original);
    // It restores only where the database is set so.
    let programs = fake_pg_restore(
        r#"for arg; do case "$arg" in --dbname=*)
             test "$("$(dirname "$0")/psql" -XAtq "$arg" -c 'SHOW lc_monetary')" = POSIX || exit 1;;
           esac; done
           exec REAL "$@""#,
    );
    let scratch = with_programs(settings(&copy), programs.path());
    drill_in(&written_by("POSIX".into()), scratch, DatabaseDrillOptions::default()).unwrap();

    // A locale that the server lacks, and a backup that does not tell its own.
    for locale in ["no_WHERE".into(), serde_json::Value::Null] {
        let mut archive = written_by(locale);
        assert_eq!(drill(&archive, &copy).unwrap().warnings(), []);
        let dump = &mut archive.entries[1].1;
        let at = dump.windows(5).position(|part| part == b"$5.00").unwrap();
        dump[at] = b'x';
        let error = drill(&archive, &copy).unwrap_err();
        assert!(matches!(error, PipelineError::Failed { .. }), "{error:?}");
        assert!(error.to_string().contains("lc_monetary"), "{error}");
        assert!(!exists(&copy));
    }
}

#[test]
fn a_role_that_is_set_to_another_encoding_changes_neither_dump_nor_verdict() {
    let server = Postgres::shared();
    let original = server.create_database("encodings");
    let role = format!("latin_{}", unique());
    original.psql(&format!(
        "CREATE TABLE t AS SELECT U&'d\\00e9j\\00e0 vu' AS v; CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'latin';
         ALTER ROLE {role} SET client_encoding = 'LATIN1'"
    ));
    let by_role = |database: &Database| DatabaseSettings {
        user: Some(role.clone()),
        password: Some("latin".to_owned().into()),
        ..settings(database)
    };
    let says = |archive: &Archive<'_>, encoding: &str| {
        let words = format!("SET client_encoding = '{encoding}'");
        let dump = archive.content("database.dump");
        dump.windows(words.len()).any(|part| part == words.as_bytes())
    };
    // As backups were made before: in the role's encoding.
    let before = fake_program(
        "pg_dump",
        "99.0",
        r#"for arg; do shift; case "$arg" in --encoding=*) ;; *) set -- "$@" "$arg";; esac; done
           exec REAL "$@""#,
    );
    let mut archive = Archive::default();
    let source = DatabaseSource::new(with_programs(by_role(&original), before.path()));
    back_up(&source, &mut archive, &job()).unwrap();
    assert!(says(&archive, "LATIN1"));
    change(&mut archive, "about.json", |about| about["dumpVersion"] = "".into());
    assert_eq!(drill(&archive, &copy_of(&original)).unwrap().warnings(), []);

    // Nothing of this is in the role's.
    original.psql("INSERT INTO t VALUES (U&'\\5099\\4efd')");
    let bytes = server.database(&format!("bytes_{}", unique()));
    server.psql(
        "postgres",
        &format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'",
            quoted(&bytes.name)
        ),
    );
    bytes.psql("CREATE TABLE t AS SELECT chr(233) AS v");
    for (database, encoding) in [(&original, "UTF8"), (&bytes, "SQL_ASCII")] {
        let mut archive = Archive::default();
        back_up(&DatabaseSource::new(by_role(database)), &mut archive, &job()).unwrap();
        assert!(says(&archive, encoding), "{encoding}");
        let scratch = by_role(&copy_of(database));
        let done = drill_in(&archive, scratch, DatabaseDrillOptions::default()).unwrap();
        assert_eq!(done.warnings(), [], "{encoding}");
    }
    drop((original, bytes));
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn a_damaged_dump_fails_and_leaves_no_scratch_database() {
    let (original, archive) = small(1000);
    let at = |dump: &[u8]| dump.windows(5).position(|part| part == b"1000\t").unwrap();
    let changes: [(&str, Damage<'_>); 5] = [
        ("no number", &|dump| {
            let at = at(dump);
            dump[at..at + 4].copy_from_slice(b"x000");
        }),
        ("twice the same key", &|dump| {
            let at = at(dump);
            dump[at..at + 4].copy_from_slice(b"0999");
        }),
        ("no UTF-8", &|dump| {
            let at = at(dump);
            dump[at + 6] = 0xff;
        }),
        ("cut off", &|dump| dump.truncate(at(dump))),
        ("no dump at all", &|dump| *dump = b"nothing".to_vec()),
    ];
    for (what, change) in changes {
        let mut damaged = archive.copy();
        change(&mut damaged.entries[1].1);
        let copy = copy_of(&original);
        let error = drill(&damaged, &copy).expect_err(what);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{what}: {error:?}");
        assert!(!exists(&copy), "{what}");
    }
}

#[test]
fn what_prevents_a_drill_is_not_the_backups_fault() {
    let (original, archive) = small(10);
    let copy = copy_of(&original);
    let refused = |archive: &Archive<'_>, words: &str| {
        let error = drill(archive, &copy).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    };
    let about = |from: &str, to: &str| {
        let mut changed = archive.copy();
        let text = String::from_utf8(changed.entries[0].1.clone()).unwrap();
        assert!(text.contains(from), "{text}");
        changed.entries[0].1 = text.replacen(from, to, 1).into_bytes();
        changed
    };
    refused(
        &about("\"name\": \"plpgsql\"", "\"name\": \"not there\""),
        "lacks extensions",
    );
    refused(&about("\"serverVersionNum\": ", "\"serverVersionNum\": 9"), "newer");
    let away = DatabaseSettings {
        port: backup_tests::free_port(),
        ..settings(&copy)
    };
    let error = drill_in(&archive, away, DatabaseDrillOptions::default()).unwrap_err();
    assert!(matches!(error, PipelineError::Unavailable { .. }), "{error:?}");

    // A backup of before formats were recorded, in another time zone than the scratch server's: nobody can say.
    original.psql("CREATE TABLE times AS SELECT '2024-07-01 12:00+00'::timestamptz AS at");
    let name = quoted(&original.name);
    original.psql(&format!("ALTER DATABASE {name} SET timezone = 'Asia/Taipei'"));
    let mut old = backup_of(&original);
    let mut text: serde_json::Value = serde_json::from_slice(&old.entries[0].1).unwrap();
    text.as_object_mut().unwrap().remove("formats").unwrap();
    text["settings"] = serde_json::json!([]);
    old.entries[0].1 = serde_json::to_vec(&text).unwrap();
    refused(&old, "cannot be compared");
    assert!(!exists(&copy));

    // A database that somebody uses is neither filled nor dropped.
    Postgres::shared().psql("postgres", &format!("CREATE DATABASE {}", quoted(&copy.name)));
    refused(&archive, "exists already");
    assert!(exists(&copy));
    DatabaseDrill::clear(settings(&copy), &job()).unwrap();
    assert!(!exists(&copy));
}

#[test]
fn a_server_that_goes_away_is_unavailable_and_a_cancelled_drill_leaves_nothing() {
    let (original, archive) = small(1000);
    let lost = fake_pg_restore("echo 'pg_restore: error: server closed the connection unexpectedly' >&2; exit 1");
    let copy = copy_of(&original);
    let scratch = with_programs(settings(&copy), lost.path());
    let error = drill_in(&archive, scratch, DatabaseDrillOptions::default()).unwrap_err();
    assert!(matches!(error, PipelineError::Unavailable { .. }), "{error:?}");
    assert!(!exists(&copy));

    let job = job();
    let mut drill = DatabaseDrill::new(settings(&copy), DatabaseDrillOptions::default());
    drill.prepare(&job).unwrap();
    job.cancel();
    let error = drill.restore(&mut archive.replay(), &job).unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    assert!(!exists(&copy));
}
