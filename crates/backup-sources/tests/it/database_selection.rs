//! Restoring some tables, and refusing what cannot come back.

use backup_core::{PipelineError, WarningCode};
use backup_sources::{DatabaseSource, DatabaseTargetOptions};
use backup_tests::postgres::{Database, Postgres};

use crate::database::{change, copy_of, exists, restore, settings, small};
use crate::job;
use crate::recorder::{Archive, back_up, warned};

fn only(names: &[&str]) -> DatabaseTargetOptions {
    DatabaseTargetOptions {
        tables: names.iter().map(ToString::to_string).collect(),
        skip_owner: false,
        ..DatabaseTargetOptions::default()
    }
}

/// A backup of tables that are made of others, some of them in another schema.
fn families() -> (Database, Archive<'static>) {
    let original = Postgres::shared().create_database("families");
    original.psql(
        "CREATE SCHEMA parts; CREATE TABLE parts.aside AS SELECT 1 AS x;
         CREATE TABLE m (at date NOT NULL, region text NOT NULL, v int) PARTITION BY RANGE (at);
         CREATE TABLE parts.m_2023 PARTITION OF m FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY LIST (region);
         CREATE TABLE parts.\"m 2023 Asia\" PARTITION OF parts.m_2023 FOR VALUES IN ('TW', 'J''P');
         CREATE TABLE parts.m_2023_rest PARTITION OF parts.m_2023 DEFAULT;
         CREATE TABLE m_default PARTITION OF m DEFAULT;
         INSERT INTO m SELECT '2022-06-01'::date + i, (ARRAY['TW', 'J''P', 'DE'])[1 + i % 3], i FROM generate_series(0, 999) i;
         CREATE TABLE animal (name text); CREATE TABLE dog (breed text) INHERITS (animal); CREATE TABLE puppy () INHERITS (dog);
         INSERT INTO animal VALUES ('a'); INSERT INTO dog VALUES ('b', 'x'); INSERT INTO puppy VALUES ('c', 'y')",
    );
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    (original, archive)
}

#[test]
fn a_table_comes_back_with_its_partitions_and_heirs() {
    let (original, archive) = families();
    let rows = |database: &Database, table: &str| {
        database.psql(&format!(
            "SELECT tableoid::regclass, count(*) FROM {table} GROUP BY 1 ORDER BY tableoid::regclass::text"
        ))
    };
    let copy = copy_of(&original);
    let job = restore(&archive, &copy, only(&["m"])).unwrap();
    assert_eq!(rows(&original, "m"), rows(&copy, "m"));
    assert_eq!(copy.psql("SELECT count(*) FROM m"), "1000");
    let bounds = "SELECT c.oid::regclass, pg_get_expr(relpartbound, c.oid) FROM pg_class c WHERE relispartition ORDER BY c.oid::regclass::text";
    assert_eq!(original.psql(bounds), copy.psql(bounds));
    assert_eq!(
        copy.psql("SELECT count(*) FROM pg_class WHERE relname IN ('aside', 'animal')"),
        "0"
    );
    let told = warned(&job, WarningCode::Other);
    assert!(told.len() == 1 && told[0].contains("without keys"), "{told:?}");

    let copy = copy_of(&original);
    restore(&archive, &copy, only(&["animal"])).unwrap();
    assert_eq!(rows(&original, "animal"), rows(&copy, "animal"));

    // A part of it, alone.
    let copy = Postgres::shared().create_database("empty");
    restore(&archive, &copy, only(&["parts.m_2023"])).unwrap();
    assert_eq!(rows(&original, "parts.m_2023"), rows(&copy, "parts.m_2023"));
    assert_eq!(copy.psql("SELECT count(*) FROM pg_class WHERE relname = 'm'"), "0");
}

#[test]
fn a_partition_that_does_not_come_back_is_told() {
    let (original, mut archive) = families();
    change(&mut archive, "about.json", |about| {
        let children = about["children"].as_array_mut().unwrap();
        children.push(serde_json::json!(
            {"schema": "public", "name": "m_lost", "parentSchema": "public", "parent": "m", "bound": null}
        ));
    });
    change(&mut archive, "tables.json", |tables| {
        let tables = tables["tables"].as_array_mut().unwrap();
        tables.push(serde_json::json!({"schema": "public", "name": "m_lost", "kind": "p", "rows": null}));
    });
    let copy = copy_of(&original);
    let error = restore(&archive, &copy, only(&["m"])).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, PipelineError::Integrity { .. }) && error.to_string().contains("public.m_lost (not restored)"),
        "{error}"
    );
    assert!(!exists(&copy));
}

#[test]
fn a_partitioned_table_of_an_archive_that_does_not_tell_its_partitions_is_refused() {
    let (original, mut archive) = families();
    change(&mut archive, "about.json", |about| {
        about.as_object_mut().unwrap().remove("children");
    });
    let copy = copy_of(&original);
    let error = restore(&archive, &copy, only(&["m"])).map(|_| ()).unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.full_text().contains("public.m is partitioned"),
        "{error:?}"
    );
    assert!(!exists(&copy));
    // Everything, and other tables, still come back from it.
    restore(&archive, &copy, only(&["parts.m_2023_rest"])).unwrap();
    let copy = copy_of(&original);
    restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(original.dump(), copy.dump());
}

#[test]
fn a_table_with_types_of_the_database_is_refused_alone_before_anything_is_made() {
    let original = Postgres::shared().create_database("typed");
    original.psql(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
         CREATE TABLE t (m mood, n int) PARTITION BY HASH (m);
         CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0);
         CREATE TABLE t_1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
         INSERT INTO t SELECT 'sad', n FROM generate_series(1, 10) n; INSERT INTO t VALUES ('happy', 1);
         CREATE TABLE many (m mood[]); CREATE TABLE shares (p percent);
         CREATE TABLE plain (n int, was text); ALTER TABLE plain ADD COLUMN gone mood; ALTER TABLE plain DROP COLUMN gone;
         INSERT INTO plain VALUES (1, 'x')",
    );
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let copy = copy_of(&original);
    for (asked, told) in [
        ("t", "public.t, public.t_0, public.t_1"),
        ("t_1", "alone: public.t_1"),
        ("many", "public.many"),
        ("shares", "public.shares"),
    ] {
        let error = restore(&archive, &copy, only(&["plain", asked]))
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(error, PipelineError::Refused { .. }) && error.to_string().contains(told),
            "{asked}: {error:?}"
        );
        assert!(!exists(&copy), "{asked}");
    }
    restore(&archive, &copy, only(&["plain"])).unwrap();
    assert_eq!(copy.psql("TABLE plain"), "1|x");
    let copy = copy_of(&original);
    restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(
        copy.psql("SELECT m, count(*) FROM t GROUP BY m ORDER BY m"),
        "sad|10\nhappy|1"
    );
}

#[test]
fn what_is_newer_than_the_server_or_the_programs_is_refused_before_anything_is_made() {
    let (original, archive) = small(3);
    let copy = copy_of(&original);
    let with = |name: &str, value: serde_json::Value| {
        let mut archive = archive.copy();
        change(&mut archive, "about.json", |about| about[name] = value);
        restore(&archive, &copy, DatabaseTargetOptions::default()).map(|_| ())
    };
    for (name, value, words) in [
        ("serverVersionNum", 990_003.into(), "made from a newer one"),
        (
            "dumpVersion",
            "99.1 (Debian 99.1-1)".into(),
            "is older than the pg_dump that made the backup, 99.1",
        ),
        ("dumpVersion", "99beta1".into(), "is older than the pg_dump"),
    ] {
        let error = with(name, value).unwrap_err();
        assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
        let text = error.full_text();
        assert!(text.contains(words) && text.contains("99"), "{text}");
        assert!(!exists(&copy));
    }
    // Older backups do not tell it.
    with("dumpVersion", "".into()).unwrap();
}

#[test]
fn the_unlogged_tables_of_a_standby_have_no_rows_and_that_is_told() {
    let server = Postgres::start();
    let original = server.create_database("standby");
    original.psql("CREATE UNLOGGED TABLE cache AS SELECT 1 AS x; CREATE TABLE kept AS SELECT 1 AS x");
    let data = original.psql("SHOW data_directory");
    server.stop();
    std::fs::write(std::path::Path::new(&data).join("standby.signal"), "").unwrap();
    server.resume();
    assert_eq!(original.psql("SELECT pg_is_in_recovery()"), "t");
    let mut archive = Archive::default();
    let job = job();
    let contents = back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job).unwrap();
    assert_eq!(contents.database.unwrap().row_count, 1);
    let told = warned(&job, WarningCode::Other);
    assert!(told.len() == 1 && told[0].contains("public.cache"), "{told:?}");
    let copy = Postgres::shared().create_database("copy");
    restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(
        copy.psql("SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM cache)"),
        "1|0"
    );
}
