//! The database that is restored to: what it gets itself, and what is left of it when a restore fails.

use std::io::Read;

use backup_core::{Entry, JobControl, PartReader, PipelineError, Target, WarningCode};
use backup_sources::{DatabaseSettings, DatabaseSource, DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::tree::Scratch;
use backup_tests::{sample_db, unique};

use crate::database::{change, copy_of, exists, restore, settings, small};
use crate::database_staged::staged;
use crate::job;
use crate::recorder::{Archive, Replay, back_up, warned};

const PROPERTIES: &str = "SELECT pg_get_userbyid(datdba), shobj_description(oid, 'pg_database'), datconnlimit,
    (SELECT array_agg(g ORDER BY g::text) FROM unnest(datacl) g), (SELECT string_agg(c, ';' ORDER BY c) FROM pg_db_role_setting,
    unnest(setconfig) c WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = ";

fn properties(database: &Database) -> String {
    let name = database.name.replace('\'', "''");
    Postgres::shared().psql("postgres", &format!("{PROPERTIES} '{name}'"))
}

type Hook<'a> = &'a dyn Fn() -> Result<(), PipelineError>;

#[test]
fn settings_that_hinder_each_other_come_back_all_the_same() {
    let server = Postgres::shared();
    let original = server.create_database("hindered");
    let (name, role) = (quoted(&original.name), format!("app_{}", unique()));
    original.psql(&format!(
        "CREATE TABLE t AS SELECT 1 AS x; CREATE ROLE {role}; GRANT pg_read_all_data TO {role};
         REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CREATE, TEMPORARY ON DATABASE {name} TO {role} WITH GRANT OPTION;
         ALTER DATABASE {name} OWNER TO {role}; COMMENT ON DATABASE {name} IS 'mine';
         ALTER DATABASE {name} SET default_transaction_read_only = on; ALTER DATABASE {name} SET role = '{role}';
         ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'; ALTER DATABASE {name} SET search_path = '';
         ALTER ROLE {role} IN DATABASE {name} SET work_mem = '5MB'; ALTER DATABASE {name} CONNECTION LIMIT 0"
    ));
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let copy = copy_of(&original);
    let restored = restore(&archive, &copy, DatabaseTargetOptions::default()).unwrap();
    assert_eq!(restored.warnings(), []);
    assert_eq!(properties(&copy), properties(&original));
    drop((original, copy));
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

/// A database whose content depends on what it is set to; some of it on a locale that writes money otherwise, where the server
/// has one.
fn tenant() -> Database {
    let original = Postgres::shared().create_database("tenant");
    let name = quoted(&original.name);
    let locale = original.psql(
        "SELECT coalesce(min(collcollate), '') FROM pg_collation WHERE collprovider = 'c' AND collcollate ~ '^(de|fr|it|nl)_'",
    );
    if locale.is_empty() {
        backup_tests::note("the server has no locale that writes money otherwise: it is not tested");
    } else {
        original.psql(&format!("ALTER DATABASE {name} SET lc_monetary = '{locale}'"));
    }
    original.psql(&format!("ALTER DATABASE {name} SET app.tenant = 'a ''b'''"));
    // In a new session, which has the settings.
    original.psql(
        "CREATE TABLE payments (tenant text CHECK (tenant = current_setting('app.tenant')), amount money);
         INSERT INTO payments SELECT current_setting('app.tenant'), 1234567.89::numeric::money FROM generate_series(1, 100);
         CREATE FUNCTION of_tenant(text) RETURNS text LANGUAGE sql IMMUTABLE
            AS 'SELECT pg_catalog.current_setting(''app.tenant'') || $1';
         CREATE INDEX ON payments (of_tenant(tenant));
         CREATE MATERIALIZED VIEW total AS SELECT current_setting('app.tenant') AS tenant, sum(amount) FROM payments",
    );
    original
}

#[test]
fn content_that_depends_on_what_its_database_is_set_to_comes_back() {
    let original = tenant();
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let folder = Scratch::new();
    for options in [DatabaseTargetOptions::default(), staged(folder.path())] {
        let copy = copy_of(&original);
        let restored = restore(&archive, &copy, options).unwrap();
        assert_eq!(restored.warnings(), []);
        assert_eq!(original.dump(), copy.dump());
        assert_eq!(copy.psql("TABLE total"), original.psql("TABLE total"));
        assert_eq!(properties(&copy), properties(&original));
    }
    // A single table needs them as well.
    let copy = copy_of(&original);
    let only = DatabaseTargetOptions {
        tables: vec!["payments".to_owned()],
        ..DatabaseTargetOptions::default()
    };
    restore(&archive, &copy, only).unwrap();
    assert_eq!(copy.psql("SELECT count(*) FROM payments"), "100");
}

#[test]
fn neither_a_limit_of_connections_nor_what_a_role_is_set_to_locks_out_who_restores() {
    let server = Postgres::shared();
    let (original, mut archive) = small(3);
    change(&mut archive, "about.json", |about| {
        about["connectionLimit"] = 0.into();
        about["settings"] = serde_json::json!([{"role": null, "name": "search_path", "value": "public"}]);
    });
    let role = format!("maker_{}", unique());
    server.psql(
        "postgres",
        &format!(
            "CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'maker'; ALTER ROLE {role} SET default_transaction_read_only = on"
        ),
    );
    let folder = Scratch::new();
    for options in [DatabaseTargetOptions::default(), staged(folder.path())] {
        let copy = copy_of(&original);
        let settings = DatabaseSettings {
            user: Some(role.clone()),
            password: Some("maker".to_owned().into()),
            ..settings(&copy)
        };
        let options = DatabaseTargetOptions {
            skip_owner: true,
            ..options
        };
        let job = job();
        DatabaseTarget::new(settings, options)
            .restore(&mut archive.replay(), &job)
            .unwrap();
        assert_eq!(job.warnings(), []);
        assert_eq!(copy.psql("SELECT count(*) FROM t"), "3");
        assert_eq!(
            copy.psql("SELECT datconnlimit FROM pg_database WHERE datname = current_database()"),
            "0"
        );
    }
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

/// An archive that does something when its tables.json is asked for.
struct Then<'a> {
    archive: Replay,
    then: &'a dyn Fn() -> Result<(), PipelineError>,
}

impl PartReader for Then<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let entry = self.archive.next_entry()?;
        if entry
            .as_ref()
            .is_some_and(|entry| entry.path.as_bytes() == b"tables.json")
        {
            (self.then)()?;
        }
        Ok(entry)
    }

    fn content(&mut self) -> &mut dyn Read {
        self.archive.content()
    }
}

/// Everything in any catalogue that the system did not make.
fn made_in(database: &Database) -> String {
    let catalogues = database.psql(
        "SELECT relname FROM pg_class c WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
         AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'oid')",
    );
    assert!(catalogues.lines().count() > 30, "{catalogues}");
    let made = |catalogue: &str| {
        // Sessions may have left their temporary schemas.
        let which = if catalogue == "pg_namespace" {
            "nspname !~ '^pg_'"
        } else {
            "true"
        };
        format!("SELECT '{catalogue} ' || t::text FROM {catalogue} t WHERE oid >= 16384 AND {which};")
    };
    database.psql(&catalogues.lines().map(made).collect::<String>())
}

#[test]
fn a_database_that_was_empty_is_empty_again_after_every_failure() {
    let original = Postgres::shared().create_database("everything");
    sample_db::fill(&original, 500);
    original.psql(
        "CREATE PUBLICATION all_of_it FOR ALL TABLES; CREATE SUBSCRIPTION elsewhere CONNECTION 'dbname=nowhere' PUBLICATION p
         WITH (connect = false)",
    );
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let empty = Postgres::shared().create_database("empty");

    let mut other_rows = archive.copy();
    change(&mut other_rows, "tables.json", |tables| {
        tables["largeObjects"] = 77.into();
    });
    let job_of_third = job();
    let damaged = || -> Result<(), PipelineError> { Err(PipelineError::integrity("damaged", "")) };
    let cancel = || -> Result<(), PipelineError> {
        job_of_third.cancel();
        Ok(())
    };
    let nothing = || -> Result<(), PipelineError> { Ok(()) };
    let cases: [(&Archive<'_>, JobControl, Hook<'_>, &str); 3] = [
        (&other_rows, job(), &nothing, "large objects"),
        (&archive, job(), &damaged, "damaged"),
        (&archive, job_of_third.clone(), &cancel, "cancelled"),
    ];
    for (archive, job, then, words) in cases {
        let mut target = DatabaseTarget::new(settings(&empty), DatabaseTargetOptions::default());
        let mut part = Then {
            archive: archive.replay(),
            then,
        };
        let error = target.restore(&mut part, &job).unwrap_err();
        assert!(error.to_string().to_lowercase().contains(words), "{error}");
        let taken_back = warned(&job, WarningCode::Other);
        assert!(
            !taken_back.iter().any(|text| text.contains("could not be taken back")),
            "{taken_back:?}"
        );
        assert_eq!(made_in(&empty), "", "{words}");
    }
    restore(&archive, &empty, DatabaseTargetOptions::default()).unwrap();
    assert!(original.dump() == empty.dump());
    for database in [&original, &empty] {
        database.psql("ALTER SUBSCRIPTION elsewhere SET (slot_name = NONE); DROP SUBSCRIPTION elsewhere");
    }
}

#[test]
fn a_new_database_that_got_a_subscription_goes_when_its_restore_fails() {
    let original = Postgres::shared().create_database("subscribed");
    original.psql("CREATE SUBSCRIPTION elsewhere CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)");
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    change(&mut archive, "tables.json", |tables| {
        tables["largeObjects"] = 77.into();
    });
    let copy = copy_of(&original);
    let job = job();
    let mut target = DatabaseTarget::new(settings(&copy), DatabaseTargetOptions::default());
    let error = target.restore(&mut archive.replay(), &job).unwrap_err();
    assert!(error.to_string().contains("large objects"), "{error}");
    assert!(!exists(&copy));
    assert_eq!(job.warnings(), []);
    original.psql("ALTER SUBSCRIPTION elsewhere SET (slot_name = NONE); DROP SUBSCRIPTION elsewhere");
}

#[test]
fn a_failed_attempt_for_one_table_does_not_make_a_database_full() {
    let (_original, archive) = small(3);
    let only = |name: &str| DatabaseTargetOptions {
        tables: vec![name.to_owned()],
        ..DatabaseTargetOptions::default()
    };
    let empty = Postgres::shared().create_database("empty");
    let schemas = "SELECT count(*) FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_'";
    restore(&archive, &empty, only("other.none")).map(|_| ()).unwrap_err();
    assert_eq!(empty.psql(schemas), "0");
    // As one that was killed outright left it.
    empty.psql("CREATE SCHEMA other; CREATE SCHEMA theirs");
    restore(&archive, &empty, only("other.none")).map(|_| ()).unwrap_err();
    assert_eq!(empty.psql(schemas), "2");
    restore(&archive, &empty, only("other.w")).unwrap();
    assert_eq!(empty.psql("SELECT y FROM other.w"), "2");
}

#[test]
fn what_a_database_that_was_there_does_not_get_is_told() {
    let server = Postgres::shared();
    let (original, _) = small(3);
    let name = quoted(&original.name);
    original.psql(&format!(
        "COMMENT ON DATABASE {name} IS 'mine'; ALTER DATABASE {name} CONNECTION LIMIT 7; ALTER DATABASE {name} SET work_mem = '5MB';
         REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    ));
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let other = server.database(&format!("other_{}", unique()));
    server.psql(
        "postgres",
        &format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'",
            quoted(&other.name)
        ),
    );
    let restored = restore(&archive, &other, DatabaseTargetOptions::default()).unwrap();
    let told = warned(&restored, WarningCode::Other);
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "its encoding is SQL_ASCII, not UTF8",
        "sorts and compares texts by C (c), C, not by C.UTF-8",
        "keeps its own grants, comment, settings, limit of connections",
    ] {
        assert!(told[0].contains(words), "{}", told[0]);
    }
    assert!(exists(&other));
}

/// Restores into a database that does not exist yet, and gives the tablespace that it is in and the warnings.
fn tablespace_of_copy(
    archive: &Archive<'_>,
    original: &Database,
    options: DatabaseTargetOptions,
) -> (String, Vec<String>) {
    let copy = copy_of(original);
    let restored = restore(archive, &copy, options).unwrap();
    let space = "SELECT spcname FROM pg_database d JOIN pg_tablespace s ON s.oid = dattablespace WHERE datname = current_database()";
    (copy.psql(space), warned(&restored, WarningCode::Other))
}

#[test]
fn a_database_comes_back_in_its_tablespace_where_the_server_has_it() {
    let server = Postgres::shared();
    let space = format!("space_{}", unique());
    let original = server.database(&format!("spacious_{}", unique()));
    server.psql(
        "postgres",
        &format!(
            "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {space} LOCATION '';
             CREATE DATABASE {} TEMPLATE template0 TABLESPACE {space}",
            quoted(&original.name)
        ),
    );
    original.psql("CREATE TABLE t AS SELECT 1 AS x");
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&original)), &mut archive, &job()).unwrap();
    let everything = DatabaseTargetOptions::default();
    let without = DatabaseTargetOptions {
        skip_tablespaces: true,
        ..DatabaseTargetOptions::default()
    };
    let (found, told) = tablespace_of_copy(&archive, &original, everything.clone());
    assert_eq!((found, told), (space.clone(), vec![]));
    let (found, told) = tablespace_of_copy(&archive, &original, without.clone());
    assert_eq!((found.as_str(), told), ("pg_default", vec![]));

    // One that was there keeps its own.
    let empty = server.create_database("empty");
    let restored = restore(&archive, &empty, everything.clone()).unwrap();
    let told = warned(&restored, WarningCode::Other);
    assert!(told[0].ends_with("keeps its own tablespace"), "{told:?}");

    change(&mut archive, "about.json", |about| {
        about["tablespace"] = "no such space".into();
    });
    let (found, told) = tablespace_of_copy(&archive, &original, everything.clone());
    assert_eq!(found, "pg_default");
    assert!(told.len() == 1 && told[0].contains("no such space"), "{told:?}");
    // The plan says the same, and neither says it where nobody asks for it.
    let plan = |options| {
        let target = DatabaseTarget::new(settings(&copy_of(&original)), options);
        target.plan(archive.content("about.json"), 1, &job()).unwrap()
    };
    let planned = plan(everything.clone());
    assert_eq!((planned.refusals.len(), planned.warnings), (0, told));
    assert!(plan(without).warnings.is_empty());
    // Archives did not always tell it.
    change(&mut archive, "about.json", |about| {
        about.as_object_mut().unwrap().remove("tablespace").unwrap();
    });
    let (found, told) = tablespace_of_copy(&archive, &original, everything);
    assert_eq!((found.as_str(), told), ("pg_default", vec![]));

    drop(original);
    server.psql("postgres", &format!("DROP TABLESPACE {space}"));
}

#[test]
fn who_may_not_use_a_tablespace_restores_without_it() {
    let server = Postgres::shared();
    let (space, role) = (format!("space_{}", unique()), format!("maker_{}", unique()));
    server.psql(
        "postgres",
        &format!(
            "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {space} LOCATION '';
             CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'maker'"
        ),
    );
    let (original, mut archive) = small(3);
    change(&mut archive, "about.json", |about| {
        about["tablespace"] = space.as_str().into();
    });
    let copy = copy_of(&original);
    let settings = DatabaseSettings {
        user: Some(role.clone()),
        password: Some("maker".to_owned().into()),
        ..settings(&copy)
    };
    let options = DatabaseTargetOptions {
        skip_owner: true,
        ..DatabaseTargetOptions::default()
    };
    let job = job();
    DatabaseTarget::new(settings, options)
        .restore(&mut archive.replay(), &job)
        .unwrap();
    let told = warned(&job, WarningCode::Other);
    assert!(told.len() == 1 && told[0].contains(&space), "{told:?}");
    assert_eq!(copy.psql("SELECT count(*) FROM t"), "3");
    drop(copy);
    server.psql("postgres", &format!("DROP TABLESPACE {space}; DROP ROLE {role}"));
}
