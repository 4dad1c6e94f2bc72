//! A database with everything PostgreSQL has comes back as it was.

use std::fs;
use std::sync::Arc;

use backup_core::{Entry, EntryPath, OsRandom, PipelineError, Source, Target, WarningCode};
use backup_sources::{
    ConnectionOptions, DatabaseSettings, DatabaseSource, DatabaseTarget, DatabaseTargetOptions, NamedBy,
};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::{sample_db, unique};
use serde_json::Value;

use crate::job;
use crate::recorder::{Archive, When, back_up, warned};

pub(crate) fn settings(database: &Database) -> DatabaseSettings {
    DatabaseSettings {
        host: database.host.clone(),
        port: database.port,
        name: database.name.clone(),
        user: Some(database.user.clone()),
        password: Some(database.password.clone().into()),
        options: ConnectionOptions::default(),
        named_by: NamedBy::Settings,
        programs: Some(Postgres::shared().bin_dir().to_owned()),
        random: Arc::new(OsRandom),
    }
}

/// A database of this name that does not exist yet, and goes with the value.
pub(crate) fn copy_of(original: &Database) -> Database {
    Postgres::shared().database(&format!("{} copy {}", original.name, unique()))
}

pub(crate) fn restore(
    archive: &Archive<'_>,
    database: &Database,
    options: DatabaseTargetOptions,
) -> Result<backup_core::JobControl, PipelineError> {
    restore_in(archive, settings(database), options)
}

pub(crate) fn restore_in(
    archive: &Archive<'_>,
    settings: DatabaseSettings,
    options: DatabaseTargetOptions,
) -> Result<backup_core::JobControl, PipelineError> {
    let job = job();
    let mut target = DatabaseTarget::new(settings, options);
    target.prepare(&job)?;
    target.restore(&mut archive.replay(), &job)?;
    Ok(job)
}

pub(crate) fn exists(database: &Database) -> bool {
    let sql = format!(
        "SELECT count(*) FROM pg_database WHERE datname = '{}'",
        database.name.replace('\'', "''")
    );
    Postgres::shared().psql("postgres", &sql) == "1"
}

/// A backup of a small database, with one table of this many rows.
pub(crate) fn small(rows: u32) -> (Database, Archive<'static>) {
    let database = Postgres::shared().create_database("small");
    database.psql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, {rows}) i;
         CREATE SCHEMA other; CREATE TABLE other.u AS SELECT 1 AS x; CREATE TABLE other.w AS SELECT 2 AS y"
    ));
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&database)), &mut archive, &job()).unwrap();
    (database, archive)
}

#[test]
fn everything_postgresql_has_comes_back() {
    let original = Postgres::shared().create_database("everything 備份 'x'");
    sample_db::fill(&original, 20_000);
    let name = quoted(&original.name);
    original.psql(&format!(
        "ALTER DATABASE {name} SET search_path = '$user', public, \"備份 Schema\"; ALTER DATABASE {name} SET app.tenant = 'a ''b''';
         COMMENT ON DATABASE {name} IS 'a ''comment'''; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC;
         ALTER DATABASE {name} CONNECTION LIMIT 77"
    ));
    let job = job();
    let source = DatabaseSource::new(settings(&original));
    let estimate = source.prepare(&job).unwrap();
    let mut archive = Archive::default();
    let contents = back_up(&source, &mut archive, &job).unwrap().database.unwrap();

    assert_eq!(
        archive.paths(),
        ["about.json", "database.dump", "globals.sql", "tables.json"]
    );
    assert_eq!(job.warnings(), []);
    assert_eq!(contents.size_bytes, archive.content("database.dump").len() as u64);
    assert!(
        estimate > contents.size_bytes / 3 && estimate < contents.size_bytes * 3,
        "{estimate}"
    );
    assert!(contents.tables.contains(&"public.large_table".to_owned()));
    assert!(contents.tables.contains(&"public.empty_table".to_owned()));
    assert!(contents.row_count > 20_000);
    assert_eq!(
        job.bytes_read(),
        archive
            .entries
            .iter()
            .map(|(_, content)| content.len() as u64)
            .sum::<u64>()
    );
    let globals = String::from_utf8_lossy(archive.content("globals.sql"));
    assert!(globals.contains("CREATE ROLE sample_owner_") && globals.contains("SCRAM-SHA-256"));

    let copy = copy_of(&original);
    let restored = restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(restored.warnings(), []);
    assert_eq!(original.row_counts(), copy.row_counts());
    let (ours, theirs) = (original.dump(), copy.dump());
    for (line, other) in ours.lines().zip(theirs.lines()) {
        assert_eq!(line, other);
    }
    assert_eq!(ours.len(), theirs.len());
    let properties = "SELECT shobj_description(oid, 'pg_database'),
        (SELECT array_agg(grant_ ORDER BY grant_::text) FROM unnest(datacl) grant_), datconnlimit, encoding, datcollate, (SELECT
        string_agg(c, ';' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid) FROM pg_database d
        WHERE datname = current_database()";
    assert_eq!(original.psql(properties), copy.psql(properties));
}

#[test]
fn what_is_written_while_the_dump_runs_is_in_neither_dump_nor_counts() {
    let original = Postgres::shared().create_database("moving");
    original.psql("CREATE TABLE t (v text); INSERT INTO t SELECT repeat(md5(i::text), 30) FROM generate_series(1, 20000) i; CREATE TABLE z (v int)");
    let mut written = false;
    let mut archive = Archive::with_hook(|when, path| {
        if when == When::Before && path.to_string() == "database.dump" && !written {
            written = true;
            original.psql("INSERT INTO t SELECT 'late' FROM generate_series(1, 500); INSERT INTO z VALUES (1); CREATE TABLE late ()");
        }
    });
    let contents = back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job())
        .unwrap()
        .database
        .unwrap();
    assert_eq!(
        (contents.row_count, contents.tables.as_slice()),
        (20_000, &["public.t".to_owned(), "public.z".to_owned()][..])
    );
    let copy = copy_of(&original);
    restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(copy.psql("SELECT count(*) FROM t"), "20000");
}

#[test]
fn a_database_that_is_not_empty_is_refused_and_left_alone() {
    let (original, archive) = small(3);
    let other = Postgres::shared().create_database("full");
    other.psql("CREATE TABLE mine AS SELECT 1 AS x");
    let error = restore(&archive, &other, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(error, PipelineError::Refused { .. }) && error.to_string().contains("is not empty"),
        "{error}"
    );
    assert_eq!(other.psql("SELECT x FROM mine"), "1");

    let empty = Postgres::shared().create_database("empty");
    restore(&archive, &empty, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(original.dump(), empty.dump());
}

/// The archive with one of its JSON entries changed.
pub(crate) fn change(archive: &mut Archive<'_>, name: &str, edit: impl FnOnce(&mut Value)) {
    let (entry, content) = archive
        .entries
        .iter_mut()
        .find(|(entry, _)| entry.path.to_string() == name)
        .unwrap();
    let mut value = serde_json::from_slice(content).unwrap();
    edit(&mut value);
    *content = serde_json::to_vec(&value).unwrap();
    *entry = Entry::plain_file(entry.path.clone(), content.len() as u64, 0);
}

#[test]
fn a_restore_that_gives_other_rows_than_recorded_fails_and_is_taken_back() {
    let (original, mut archive) = small(10);
    change(&mut archive, "tables.json", |tables| {
        let table = tables["tables"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|table| table["name"] == "t")
            .unwrap();
        table["rows"] = 11.into();
    });
    let copy = copy_of(&original);
    let error = restore(&archive, &copy, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("public.t (10 rows restored, 11 in the backup)"),
        "{error}"
    );
    assert!(!exists(&copy));
}

#[test]
fn a_dump_that_ends_early_fails_and_is_taken_back() {
    let (original, mut archive) = small(1000);
    let dump = archive
        .entries
        .iter_mut()
        .find(|(entry, _)| entry.path.to_string() == "database.dump")
        .unwrap();
    dump.1.truncate(dump.1.len() / 2);
    let copy = copy_of(&original);
    let error = restore(&archive, &copy, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("pg_restore failed"), "{error}");
    assert!(!exists(&copy));

    let empty = Postgres::shared().create_database("empty");
    restore(&archive, &empty, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(empty.psql("SELECT count(*) FROM pg_class WHERE oid >= 16384"), "0");
}

#[test]
fn a_cancelled_restore_is_taken_back() {
    let (original, archive) = small(1000);
    let copy = copy_of(&original);
    let job = job();
    job.cancel();
    let mut target = DatabaseTarget::new(settings(&copy), DatabaseTargetOptions::default());
    let error = target.restore(&mut archive.replay(), &job).unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled), "{error:?}");
    assert!(!exists(&copy));
}

#[test]
fn missing_extensions_and_roles_are_told_before_anything_is_made() {
    let (original, mut archive) = small(3);
    let role = format!("owner_{}", unique());
    original.psql(&format!(
        "CREATE ROLE {role}; ALTER TABLE t OWNER TO {role}; GRANT SELECT ON other.u TO {role}"
    ));
    archive.entries.clear();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    original.psql(&format!(
        "REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}"
    ));

    let copy = copy_of(&original);
    let error = restore(&archive, &copy, DatabaseTargetOptions::default())
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, PipelineError::Refused { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains(&format!("lacks roles of the backup: {role}")),
        "{error}"
    );
    assert!(!exists(&copy));

    let options = DatabaseTargetOptions {
        skip_owner: true,
        ..DatabaseTargetOptions::default()
    };
    restore(&archive, &copy, options.clone()).unwrap();
    assert_eq!(copy.psql("SELECT count(*) FROM t"), "3");

    change(&mut archive, "about.json", |about| {
        let missing = serde_json::json!({"name": "no_such_extension", "version": "1", "schema": "public"});
        about["extensions"].as_array_mut().unwrap().push(missing);
    });
    let copy = copy_of(&original);
    let error = restore(&archive, &copy, options).map(|_| ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("lacks extensions of the backup: no_such_extension"),
        "{error}"
    );
    assert!(!exists(&copy));
}

#[test]
fn only_the_tables_that_were_asked_for_are_restored() {
    let (original, archive) = small(5);
    let copy = copy_of(&original);
    let tables = |names: &[&str]| DatabaseTargetOptions {
        tables: names.iter().map(ToString::to_string).collect(),
        skip_owner: false,
        ..DatabaseTargetOptions::default()
    };
    restore(&archive, &copy, tables(&["other.w"])).unwrap();
    assert_eq!(copy.psql("SELECT y FROM other.w"), "2");
    assert_eq!(
        copy.psql("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'other')"),
        "1"
    );

    let copy = copy_of(&original);
    let error = restore(&archive, &copy, tables(&["other.none"]))
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(error, PipelineError::NotFound { .. }), "{error:?}");
    assert!(!exists(&copy));
    let error = restore(&archive, &copy, tables(&["t", "other.w"]))
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("one schema at a time"), "{error}");
}

#[test]
fn a_user_with_few_rights_gets_all_that_may_be_read_and_a_remark() {
    let server = Postgres::shared();
    let original = server.create_database("few rights");
    let role = format!("app_{}", unique());
    original.psql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'few-rights'; GRANT CREATE ON DATABASE {} TO {role};
         CREATE TABLE readable AS SELECT 1 AS x; GRANT SELECT ON readable TO {role}",
        quoted(&original.name)
    ));
    let mut settings = settings(&original);
    settings.user = Some(role.clone());
    settings.password = Some("few-rights".to_owned().into());
    let source = DatabaseSource::new(settings);
    let job_of_first = job();
    let mut archive = Archive::default();
    back_up(&source, &mut archive, &job_of_first).unwrap();
    let remarks = warned(&job_of_first, WarningCode::GlobalsUnreadable);
    assert!(remarks.len() == 1 && remarks[0].contains("passwords"), "{remarks:?}");
    assert!(String::from_utf8_lossy(archive.content("globals.sql")).contains(&format!("CREATE ROLE {role}")));

    original.psql("CREATE TABLE hidden AS SELECT 1 AS x");
    let error = back_up(&source, &mut Archive::default(), &job())
        .unwrap_err()
        .full_text();
    assert!(
        error.contains("permission denied for table hidden") && error.contains("HINT"),
        "{error}"
    );
    assert!(!error.contains("few-rights"), "{error}");
    drop(original);
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn what_a_dump_leaves_out_without_an_error_is_told() {
    let server = Postgres::shared();
    let original = server.create_database("hidden");
    let role = format!("reader_{}", unique());
    original.psql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO {role};
         CREATE SUBSCRIPTION elsewhere CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false);
         CREATE FOREIGN DATA WRAPPER w; CREATE SERVER far FOREIGN DATA WRAPPER w; GRANT USAGE ON FOREIGN SERVER far TO {role};
         CREATE USER MAPPING FOR postgres SERVER far OPTIONS (password 'far-hunter2');
         CREATE USER MAPPING FOR {role} SERVER far OPTIONS (password 'near-hunter2')"
    ));
    let mut reader = settings(&original);
    reader.user = Some(role.clone());
    reader.password = Some("reader".to_owned().into());
    let told = |settings: DatabaseSettings| {
        let job = job();
        back_up(&DatabaseSource::new(settings), &mut Archive::default(), &job).unwrap();
        warned(&job, WarningCode::Other)
    };
    let remarks = told(reader);
    for words in [
        "not in the backup: elsewhere",
        "without: postgres on far",
        "pg_dump succeeded and said: ",
    ] {
        let of = remarks.iter().filter(|remark| remark.contains(words));
        assert_eq!(of.count(), 1, "{words}: {remarks:?}");
    }
    let is_secret = |remark: &String| remark.contains("hunter2") || remark.contains(&role);
    assert!(!remarks.iter().any(is_secret), "{remarks:?}");
    assert_eq!(told(settings(&original)), Vec::<String>::new());
    original.psql("ALTER SUBSCRIPTION elsewhere SET (slot_name = NONE); DROP SUBSCRIPTION elsewhere");
    drop(original);
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn pg_restore_reads_the_dump_from_the_archive() {
    let (_database, archive) = small(4);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), archive.content("database.dump")).unwrap();
    let program = Postgres::shared().bin_dir().join("pg_restore");
    let output = std::process::Command::new(program)
        .arg("--list")
        .arg(file.path())
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && list.contains("TABLE DATA public t"),
        "{list}"
    );
    assert!(archive.find("database.dump").unwrap().0.path == EntryPath::new("database.dump").unwrap());
}
