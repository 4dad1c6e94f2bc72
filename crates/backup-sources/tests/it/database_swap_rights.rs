//! Who may replace a database, and which can be replaced at all.

use backup_core::Target;
use backup_core::restore::{RefusalCode, ReplacedDatabase, TargetPlan};
use backup_sources::{DatabaseSettings, DatabaseSource, DatabaseSwap, DatabaseTarget, DatabaseTargetOptions};
use backup_tests::postgres::{Database, Options, Postgres, quoted};
use backup_tests::unique;

use crate::database::{exists, settings, small};
use crate::database_plan::{codes, new_id, said};
use crate::database_swap::{Case, READY, SWAPPED, answer, make};
use crate::job;
use crate::recorder::{Archive, back_up};

fn plan(swap: &DatabaseSwap, archive: &Archive<'_>, id: &str) -> TargetPlan {
    let options = DatabaseTargetOptions {
        skip_owner: true,
        ..DatabaseTargetOptions::default()
    };
    swap.plan(archive.content("about.json"), 1, options, id, &job())
        .unwrap()
}

/// A client with an open session, until dropped.
struct Client {
    process: std::process::Child,
    there: String,
}

impl Client {
    fn of(database: &Database, role: &str, password: &str) -> Self {
        let server = Postgres::shared();
        let child = std::process::Command::new(server.bin_dir().join("psql"))
            .env("PGPASSWORD", password)
            .args(["-XAtq", "--no-password", "-h", "127.0.0.1", "-U", role])
            .args(["-p", &database.port.to_string(), "-d", &database.name])
            .args(["-c", "SELECT pg_sleep(600)"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let there = format!(
            "FROM pg_stat_activity WHERE datname = '{}' AND usename = '{role}'",
            database.name
        );
        let count = format!("SELECT count(*) {there}");
        let found = backup_tests::poll(std::time::Duration::from_secs(30), || {
            (server.psql("postgres", &count) != "0").then_some(())
        });
        assert!(found.is_some());
        Self { process: child, there }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Killed, it would leave its session asleep.
        let end = format!("SELECT pg_terminate_backend(pid, 10000) {}", self.there);
        Postgres::shared().psql("postgres", &end);
        self.process.wait().unwrap();
    }
}

#[test]
fn an_owner_who_may_create_databases_needs_no_superuser() {
    let server = Postgres::shared();
    let case = Case::named(&format!("owned_{}", unique()));
    let role = format!("owner_{}", unique());
    make(&case.live, "kept");
    let name = quoted(&case.live.name);
    case.live.psql(&format!(
        "CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'owner'; ALTER DATABASE {name} OWNER TO {role}; ALTER TABLE t OWNER TO {role}"
    ));
    let mut archive = Archive::default();
    back_up(&DatabaseSource::new(settings(&case.live)), &mut archive, &job()).unwrap();
    case.live.psql("UPDATE t SET state = 'lost'");
    let before = case.live.dump();

    let client = Client::of(&case.live, &role, "owner");
    let swap = case.swap_as(&role, "owner");
    let told = plan(&swap, &archive, "x");
    assert_eq!((codes(&told), told.part.replaces.unwrap().sessions), (vec![], 1));
    let options = DatabaseTargetOptions {
        skip_owner: true,
        ..DatabaseTargetOptions::default()
    };
    DatabaseTarget::new(swap.beside(), options)
        .restore(&mut archive.replay(), &job())
        .unwrap();
    let case = case.identified();
    let swap = case.swap_as(&role, "owner");
    swap.swap(&job()).unwrap();
    assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "kept".to_owned()));
    drop(client);

    // Sessions that it may not end stand in the way, and are named; nothing happens to anybody.
    let theirs = Client::of(&case.live, "postgres", &case.live.password);
    let told = plan(&swap, &archive, "x");
    assert_eq!(codes(&told), [RefusalCode::InTheWay, RefusalCode::NotPermitted]);
    assert!(said(&told).contains("postgres"), "{}", said(&told));
    let error = swap.roll_back(&job()).unwrap_err();
    assert!(error.to_string().contains("may not end the sessions"), "{error}");
    assert_eq!((case.state(), answer(&case.live)), (SWAPPED, "kept".to_owned()));
    drop(theirs);

    swap.roll_back(&job()).unwrap();
    assert!(case.live.dump() == before && !exists(&case.beside));
    drop(case);
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn whoever_may_not_rename_is_refused_and_changes_nothing() {
    let server = Postgres::shared();
    let (_original, archive) = small(3);
    let case = Case::ready();
    let role = format!("plain_{}", unique());
    let (name, beside) = (quoted(&case.live.name), quoted(&case.beside.name));
    server.psql(
        "postgres",
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'plain'; ALTER DATABASE {beside} OWNER TO {role}"),
    );
    let swap = case.swap_as(&role, "plain");
    let told = plan(&swap, &archive, "x");
    assert_eq!(codes(&told), [RefusalCode::NotPermitted; 2]);
    assert!(said(&told).contains("neither create nor rename") && said(&told).contains("not the owner"));

    // The owner without the right to create databases may not either.
    server.psql("postgres", &format!("ALTER DATABASE {name} OWNER TO {role}"));
    assert_eq!(codes(&plan(&swap, &archive, "x")), [RefusalCode::NotPermitted]);
    let error = swap.swap(&job()).unwrap_err();
    assert!(error.to_string().contains("permission denied"), "{error}");
    assert_eq!((case.state(), answer(&case.live)), (READY, "old".to_owned()));
    drop(case);
    server.psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn the_catalog_of_this_system_is_not_replaced_under_it() {
    let (_original, archive) = small(3);
    let case = Case::ready();
    case.live.psql(
        "CREATE TABLE backups (id text PRIMARY KEY, config_key text); INSERT INTO backups VALUES ('it''s', 'default')",
    );
    assert_eq!(
        codes(&plan(&case.swap(), &archive, "it's")),
        [RefusalCode::HoldsThisSystem]
    );
    // The catalog of another system, as of one that is restored for a look.
    assert_eq!(codes(&plan(&case.swap(), &archive, "other")), []);

    let role = format!("owner_{}", unique());
    case.live.psql(&format!(
        "CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'owner'; ALTER DATABASE {} OWNER TO {role}",
        quoted(&case.live.name)
    ));
    let told = plan(&case.swap_as(&role, "owner"), &archive, "it's");
    assert_eq!(codes(&told), [RefusalCode::HoldsThisSystem]);
    assert!(said(&told).contains("may not read"), "{}", said(&told));
    // A table of that name that is something else.
    case.live
        .psql("DROP TABLE backups; CREATE TABLE backups (id int, name text)");
    assert_eq!(codes(&plan(&case.swap_as(&role, "owner"), &archive, "1")), []);
    drop(case);
    Postgres::shared().psql("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn a_database_that_others_hang_on_is_not_replaced() {
    let server = Postgres::start_with(Options {
        settings: vec!["wal_level = logical".into(), "max_prepared_transactions = 5".into()],
        ..Options::default()
    })
    .unwrap();
    let (_original, archive) = small(3);
    let live = server.create_database("bound");
    let name = quoted(&live.name);
    let case = Case::named(&live.name);
    let swap = DatabaseSwap::new(settings(&live), case.names.clone());
    let refused = |words: &[&str]| {
        let told = plan(&swap, &archive, "x");
        assert!(
            codes(&told).iter().all(|code| *code == RefusalCode::NotReplaceable),
            "{}",
            said(&told)
        );
        assert_eq!(told.refusals.len(), words.len(), "{}", said(&told));
        for word in words {
            assert!(said(&told).contains(word), "{word}: {}", said(&told));
        }
    };
    refused(&[]);
    live.psql(
        // The slot first: it would wait for the transaction.
        "CREATE TABLE t (i int); SELECT pg_create_logical_replication_slot('feed', 'pgoutput');
         BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'unfinished';
         CREATE SUBSCRIPTION news CONNECTION 'dbname=nowhere' PUBLICATION p WITH (connect = false)",
    );
    refused(&["unfinished", "feed", "news"]);
    live.psql(
        "ROLLBACK PREPARED 'unfinished'; SELECT pg_drop_replication_slot('feed');
         ALTER SUBSCRIPTION news SET (slot_name = NONE); DROP SUBSCRIPTION news",
    );
    server.psql(
        "postgres",
        &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false; ALTER DATABASE {name} IS_TEMPLATE true"),
    );
    refused(&["takes no connections", "is a template"]);
    server.psql(
        "postgres",
        &format!(
            "ALTER DATABASE {name} IS_TEMPLATE false; CREATE DATABASE {}",
            quoted(&case.names.old)
        ),
    );
    let told = plan(&swap, &archive, "x");
    assert_eq!(codes(&told), [RefusalCode::InTheWay, RefusalCode::NotReplaceable]);
    assert_eq!(
        swap.state(&job()).unwrap(),
        backup_sources::DatabaseSwapState::Swapped { has_old: true }
    );
}

#[test]
fn a_database_that_nobody_could_look_at_is_not_replaced() {
    let server = Postgres::start();
    let (original, archive) = small(3);
    // Whoever replaces `postgres` asks by way of `template1`.
    server.psql("postgres", "ALTER DATABASE template1 ALLOW_CONNECTIONS false");
    let settings = DatabaseSettings {
        port: server.port(),
        password: Some(server.password().to_owned().into()),
        ..settings(&original)
    };
    let swap = DatabaseSwap::new(settings.clone(), ReplacedDatabase::of("postgres", new_id()));
    let told = plan(&swap, &archive, "x");
    assert_eq!(codes(&told), [RefusalCode::TargetUnreachable], "{}", said(&told));
    assert!(said(&told).contains("template1"), "{}", said(&told));

    // One reason is told once, also where nothing at all can be reached.
    let away = DatabaseSettings {
        port: backup_tests::free_port(),
        ..settings
    };
    let swap = DatabaseSwap::new(away, ReplacedDatabase::of("shop", new_id()));
    assert_eq!(codes(&plan(&swap, &archive, "x")), [RefusalCode::TargetUnreachable]);
}
