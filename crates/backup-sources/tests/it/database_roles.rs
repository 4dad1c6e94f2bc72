//! Which roles a backup needs is known, also of a server whose first superuser has another name than elsewhere.

use std::sync::Arc;

use backup_core::OsRandom;
use backup_core::restore::RefusalCode;
use backup_sources::{DatabaseDrillOptions, DatabaseTarget, DatabaseTargetOptions, ScratchServer};
use backup_tests::postgres::{Database, Postgres, quoted};
use backup_tests::unique;
use serde_json::json;

use crate::database::{copy_of, settings};
use crate::database_drill::{backup_of, drill_in};
use crate::database_plan::{codes, said};
use crate::database_scratch::reachable;
use crate::job;
use crate::recorder::Archive;

/// What the first superuser may make in a database that is another's, and what takes it away again.
const MADE: [(&str, &str); 9] = [
    ("CREATE PUBLICATION p", "DROP PUBLICATION p"),
    (
        "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION public.f()",
        "DROP EVENT TRIGGER e",
    ),
    ("CREATE FOREIGN DATA WRAPPER w", "DROP FOREIGN DATA WRAPPER w"),
    (
        "CREATE TEXT SEARCH CONFIGURATION public.c (COPY = english)",
        "DROP TEXT SEARCH CONFIGURATION c",
    ),
    (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {admin} REVOKE SELECT ON TABLES FROM {app}",
    ),
    ("GRANT SELECT ON t TO {admin}", "REVOKE SELECT ON t FROM {admin}"),
    (
        "GRANT UPDATE (x) ON t TO {admin}",
        "REVOKE UPDATE (x) ON t FROM {admin}",
    ),
    ("CREATE POLICY q ON t TO {admin}", "DROP POLICY q ON t"),
    ("SELECT lo_create(77)", "SELECT lo_unlink(77)"),
];

/// A server as `initdb` makes it with this superuser; that of the tests comes second.
fn server_of(admin: &str) -> Postgres {
    let server = Postgres::start();
    // Nobody can rename the user of its own session.
    server.psql(
        "postgres",
        &format!(
            "CREATE ROLE helper SUPERUSER; SET SESSION AUTHORIZATION helper; ALTER ROLE postgres RENAME TO {admin};
             CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '{}'",
            server.password()
        ),
    );
    server
}

/// A database in which the first superuser has made nothing but extensions.
fn database_of(server: &Postgres, admin: &str, app: &str) -> Database {
    let database = server.create_database("shop");
    database.psql(&format!(
        "CREATE ROLE {app}; ALTER DATABASE {} OWNER TO {app}; ALTER SCHEMA public OWNER TO {app};
         SET ROLE {admin}; CREATE EXTENSION hstore SCHEMA public; SET ROLE {app}; CREATE TABLE t AS SELECT 1 AS x;
         CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
        quoted(&database.name)
    ));
    database
}

fn roles_of(archive: &Archive<'_>) -> serde_json::Value {
    let about: serde_json::Value = serde_json::from_slice(archive.content("about.json")).unwrap();
    about["roles"].clone()
}

#[test]
fn the_first_superuser_is_among_the_roles_where_the_backup_needs_it_and_only_there() {
    let (admin, app) = (format!("admin_{}", unique()), format!("app_{}", unique()));
    let server = server_of(&admin);
    let original = database_of(&server, &admin, &app);
    let sql = |text: &str| text.replace("{admin}", &admin).replace("{app}", &app);
    assert_eq!(roles_of(&backup_of(&original)), json!([app]));
    for (make, take_away) in MADE {
        original.psql(&sql(&format!("SET ROLE {admin}; {make}")));
        assert_eq!(roles_of(&backup_of(&original)), json!([admin, app]), "{make}");
        original.psql(&sql(take_away));
    }
    assert_eq!(roles_of(&backup_of(&original)), json!([app]));

    for (make, _) in MADE {
        original.psql(&sql(&format!("SET ROLE {admin}; {make}")));
    }
    let archive = backup_of(&original);
    let copy = copy_of(&original);
    let plan = DatabaseTarget::new(settings(&copy), DatabaseTargetOptions::default())
        .plan(archive.content("about.json"), 1, &job())
        .unwrap();
    assert_eq!(codes(&plan), [RefusalCode::RolesMissing]);
    assert!(said(&plan).contains(&admin), "{}", said(&plan));

    let folder = reachable();
    let scratch = ScratchServer::start(
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
    drill_in(&archive, scratch.settings("shop"), options).unwrap();
}
