//! Whoever owns a database, or makes a backup of one, commands neither this machine nor the user that works on it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use backup_core::{OsRandom, PipelineError};
use backup_sources::{DatabaseDrillOptions, DatabaseSettings, DatabaseSource, DatabaseTargetOptions, ScratchServer};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::tree::Scratch;
use backup_tests::unique;
use serde_json::Value;

use crate::database::{change, exists, restore, restore_in, settings};
use crate::database_drill::drill_in;
use crate::database_scratch::reachable;
use crate::database_staged::{fake_program, with_programs};
use crate::job;
use crate::recorder::{Archive, back_up};

/// Whatever kind of quotes it is in or behind, one of its lines would be a command of psql's, were it not quoted well.
const EVIL: &str = "x\n\\! >shell\n'\n\\! >shell\n\\'\n\\! >shell\n\"\n\\! >shell\n$$\n\\! >shell\n";
/// The same, as far as there is room for it in a name.
const EVIL_NAME: &str = "'\\'\"\n\\! >shell\n";

/// Fails where something was made in the folder.
fn nothing_in(folder: &Scratch, what: &str) {
    let found: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

/// The client programs, of which psql works in `folder`.
fn programs_in(folder: &Path) -> Scratch {
    fake_program(
        "psql",
        "15.0",
        &format!("cd '{}' && exec REAL \"$@\"", folder.display()),
    )
}

fn backup_of(settings: DatabaseSettings) -> Archive<'static> {
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings), &mut archive, &job()).unwrap();
    archive
}

fn drill(archive: &Archive<'_>, scratch: DatabaseSettings, create_roles: bool) -> Result<(), PipelineError> {
    let options = DatabaseDrillOptions {
        create_roles,
        ..DatabaseDrillOptions::default()
    };
    drill_in(archive, scratch, options).map(|_| ())
}

fn new_database() -> Database {
    Postgres::shared().database(&format!("copy_{}", unique()))
}

fn only_table(name: &str) -> DatabaseTargetOptions {
    DatabaseTargetOptions {
        tables: vec![name.to_owned()],
        ..DatabaseTargetOptions::default()
    }
}

/// A database whose owner put functions before the system's, each of which leaves a file in `folder` when it runs.
fn with_functions_before_the_systems(folder: &Path) -> Database {
    let original = Postgres::shared().create_database("hostile");
    let (name, folder) = (quoted(&original.name), folder.display());
    original.psql(&format!(
        "CREATE TABLE t AS SELECT 1 AS x; CREATE TABLE p (k int) PARTITION BY LIST (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); INSERT INTO p VALUES (1);
         REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC; CREATE SCHEMA evil;
         CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN
            COPY (SELECT 1) TO '{folder}/set_config'; RETURN pg_catalog.set_config($1, $2, $3); END $f$;
         CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN
            COPY (SELECT 1) TO '{folder}/current_setting'; RETURN pg_catalog.current_setting($1); END $f$;
         CREATE FUNCTION evil.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN
            COPY (SELECT 1) TO '{folder}/format'; RETURN pg_catalog.format($1, VARIADIC $2); END $f$;
         CREATE FUNCTION evil.aclexplode(aclitem[], OUT grantor oid, OUT grantee oid, OUT privilege_type text,
            OUT is_grantable boolean) RETURNS SETOF record LANGUAGE plpgsql AS $f$ BEGIN
            COPY (SELECT 1) TO '{folder}/aclexplode';
            RETURN QUERY SELECT 0::oid, 0::oid, E'CONNECT\\n\\\\! >{folder}/shell\\n'::text, false; END $f$;
         ALTER DATABASE {name} SET search_path = evil, pg_catalog;
         ALTER DATABASE {name} SET standard_conforming_strings = off"
    ));
    original
}

#[test]
fn functions_before_the_systems_are_not_run() {
    // Servers can write to it, whoever they run as.
    let folder = reachable();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let original = with_functions_before_the_systems(folder.path());
    DatabaseSource::new(settings(&original)).check_access(&job()).unwrap();
    let archive = backup_of(settings(&original));
    nothing_in(&folder, "backing up");
    let about: Value = serde_json::from_slice(archive.content("about.json")).unwrap();
    assert!(about["grants"].to_string().contains("TEMPORARY"), "{about}");

    // The new database is set to the same path before it is filled.
    let copies = [
        new_database(),
        Postgres::shared().create_database("empty"),
        new_database(),
    ];
    for (copy, options) in copies.iter().zip([
        DatabaseTargetOptions::default(),
        DatabaseTargetOptions::default(),
        only_table("p"),
    ]) {
        restore(&archive, copy, options).unwrap();
        assert_eq!(copy.psql("SELECT k FROM public.p"), "1");
    }
    let scratch = new_database();
    drill(&archive, settings(&scratch), false).unwrap();
    let place = reachable();
    let programs = Postgres::shared().bin_dir();
    let scratch = place.path().join("scratch");
    let server = ScratchServer::start(&scratch, 12, Some(programs), Arc::new(OsRandom), &job()).unwrap();
    drill(&archive, server.settings("drill"), true).unwrap();
    nothing_in(&folder, "restoring");
}

#[test]
fn names_of_every_kind_are_names_and_no_commands() {
    let server = Postgres::shared();
    let working = Scratch::new();
    let programs = programs_in(working.path());
    let with = |settings| with_programs(settings, programs.path());
    let original = server.create_database(EVIL_NAME);
    let name = quoted(&original.name);
    let (role, space) = (
        quoted(&format!("{EVIL_NAME}{}", unique())),
        quoted(&format!("{EVIL_NAME}{}", unique())),
    );
    let (evil, part) = (quoted(EVIL_NAME), quoted(&format!("part {EVIL_NAME}")));
    let text = format!("E'{}'", EVIL.replace('\\', "\\\\").replace('\'', "''"));
    original.psql(&format!(
        "CREATE ROLE {role}; CREATE SCHEMA {evil}; CREATE TABLE {evil}.{evil} ({evil} int) PARTITION BY LIST ({evil});
         CREATE TABLE {evil}.{part} PARTITION OF {evil}.{evil} FOR VALUES IN (1, 2);
         INSERT INTO {evil}.{evil} VALUES (1), (2); ALTER TABLE {evil}.{evil} OWNER TO {role};
         CREATE TABLE texts (v text) PARTITION BY LIST (v);
         CREATE TABLE texts_evil PARTITION OF texts FOR VALUES IN ({text}); INSERT INTO texts VALUES ({text});
         GRANT CONNECT ON DATABASE {name} TO {role}; COMMENT ON DATABASE {name} IS {text};
         ALTER DATABASE {name} SET search_path = {evil}, public; ALTER DATABASE {name} SET app.evil = {text};
         ALTER ROLE {role} IN DATABASE {name} SET app.other = {text}"
    ));
    original.psql(&format!(
        "SET allow_in_place_tablespaces = on; CREATE TABLESPACE {space} LOCATION ''"
    ));
    original.psql(&format!(
        "CREATE TABLE public.elsewhere TABLESPACE {space} AS SELECT 1 AS x"
    ));

    let archive = backup_of(with(settings(&original)));
    let copy = server.database(&format!("{EVIL_NAME}copy {}", unique()));
    restore_in(&archive, with(settings(&copy)), DatabaseTargetOptions::default()).unwrap();
    let properties = "SELECT md5(shobj_description(oid, 'pg_database')),
        (SELECT md5(string_agg(a, ',' ORDER BY a)) FROM unnest(datacl::text[]) a),
        (SELECT md5(string_agg(c, ';' ORDER BY c)) FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = d.oid)
        FROM pg_database d WHERE datname = current_database()";
    assert_eq!(original.psql(properties), copy.psql(properties));
    assert_eq!(copy.psql(&format!("SELECT count(*) FROM {evil}.{evil}")), "2");
    for table in [format!("{EVIL_NAME}.{EVIL_NAME}"), "texts".to_owned()] {
        let copy = new_database();
        restore_in(&archive, with(settings(&copy)), only_table(&table)).unwrap();
        let parts = "SELECT count(*) FROM pg_class WHERE relispartition";
        assert_eq!(copy.psql(parts), "1", "{table}");
    }
    let scratch = new_database();
    drill(&archive, with(settings(&scratch)), false).unwrap();
    let place = reachable();
    let scratch = place.path().join("scratch");
    let own = ScratchServer::start(&scratch, 12, Some(server.bin_dir()), Arc::new(OsRandom), &job()).unwrap();
    drill(&archive, with(own.settings(EVIL_NAME)), true).unwrap();
    nothing_in(&working, "a name");

    drop(copy);
    original.psql(&format!("DROP TABLE public.elsewhere; DROP OWNED BY {role}"));
    original.psql(&format!("DROP TABLESPACE {space}"));
    drop(original);
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

/// A backup with something in every field of about.json.
fn with_everything_told() -> Archive<'static> {
    let original = Postgres::shared().create_database("told");
    let name = quoted(&original.name);
    original.psql(&format!(
        "CREATE TABLE p (k int) PARTITION BY LIST (k); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
         INSERT INTO p VALUES (1); COMMENT ON DATABASE {name} IS 'told'; ALTER DATABASE {name} SET app.a = 'x';
         ALTER DATABASE {name} SET search_path = public; ALTER ROLE postgres IN DATABASE {name} SET app.b = 'y';
         GRANT CONNECT ON DATABASE {name} TO postgres"
    ));
    backup_of(settings(&original))
}

/// The way to every text in `value`.
fn texts(value: &Value, way: &str) -> Vec<String> {
    match value {
        Value::String(_) => vec![way.to_owned()],
        Value::Array(items) => (items.iter().enumerate())
            .flat_map(|(number, item)| texts(item, &format!("{way}/{number}")))
            .collect(),
        Value::Object(fields) => (fields.iter())
            .flat_map(|(name, field)| texts(field, &format!("{way}/{name}")))
            .collect(),
        _ => Vec::new(),
    }
}

#[test]
fn no_field_of_an_archive_made_to_do_harm_commands_psql() {
    let working = Scratch::new();
    let programs = programs_in(working.path());
    let with = |database: &Database| with_programs(settings(database), programs.path());
    let mut archive = with_everything_told();
    change(&mut archive, "about.json", |about| {
        about["unlogged"] = serde_json::json!(["public.u"]);
        about["locale"] = "und".into();
        about["icuRules"] = "".into();
        about["tablespace"] = "pg_default".into();
    });
    restore_in(&archive, with(&new_database()), DatabaseTargetOptions::default()).unwrap();
    let about: Value = serde_json::from_slice(archive.content("about.json")).unwrap();
    let mut seen = BTreeSet::new();
    for way in texts(&about, "") {
        // Of each list one item will do.
        let field: String = way.chars().filter(|character| !character.is_ascii_digit()).collect();
        if !seen.insert(field.clone()) {
            continue;
        }
        for evil in [EVIL, "a\0b'"] {
            let mut hostile = archive.copy();
            change(&mut hostile, "about.json", |about| {
                *about.pointer_mut(&way).unwrap() = evil.into();
                // Only with this one the two mean anything.
                if ["/locale", "/icuRules"].contains(&&*field) {
                    about["localeProvider"] = "i".into();
                }
            });
            let copy = new_database();
            let restored = restore_in(&hostile, with(&copy), DatabaseTargetOptions::default()).map(|_| ());
            assert_eq!(restored.is_ok(), exists(&copy), "{way}: {restored:?}");
            assert!(restored.is_err() || field != "/grants//privilege");
            if field.starts_with("/children/") {
                let copy = new_database();
                let restored = restore_in(&hostile, with(&copy), only_table("p")).map(|_| ());
                assert_eq!(restored.is_ok(), exists(&copy), "{way}: {restored:?}");
                assert!(restored.is_err() || field != "/children//bound");
            }
            if field.starts_with("/formats/") {
                let scratch = new_database();
                let drilled = drill(&hostile, with(&scratch), false);
                // A locale that no server knows is passed over.
                let may_pass = field == "/formats/lcMonetary" && evil == EVIL;
                assert!(
                    (drilled.is_err() || may_pass) && !exists(&scratch),
                    "{way}: {drilled:?}"
                );
            }
            nothing_in(&working, &way);
        }
    }
    for field in [
        "/owner",
        "/grants//privilege",
        "/settings//role",
        "/children//bound",
        "/formats/byteaOutput",
        "/formats/lcMonetary",
    ] {
        assert!(seen.contains(field), "{field}: {seen:?}");
    }
}

#[test]
fn a_privilege_that_no_database_has_is_refused_before_anything_is_made() {
    let archive = with_everything_told();
    for privilege in ["ALL", "CONNECT, TEMPORARY", "CONNECT\n\\! >shell\n", "connect", ""] {
        let mut hostile = archive.copy();
        change(&mut hostile, "about.json", |about| {
            about["grants"][0]["privilege"] = privilege.into();
        });
        let copy = new_database();
        let error = restore(&hostile, &copy, DatabaseTargetOptions::default())
            .map(|_| ())
            .expect_err(privilege);
        assert!(matches!(error, PipelineError::Integrity { .. }), "{error:?}");
        assert!(error.to_string().contains("about.json"), "{error}");
        assert!(!exists(&copy), "{privilege}");
    }
    let mut old = archive.copy();
    change(&mut old, "about.json", |about| {
        about["grants"][0]["privilege"] = "TEMP".into();
    });
    let copy = new_database();
    restore(&old, &copy, DatabaseTargetOptions::default()).unwrap();
    assert!(exists(&copy));
}
