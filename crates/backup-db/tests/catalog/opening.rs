//! Opening: what is made, what is refused, and what is said about it.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backup_core::SystemClock;
use backup_db::{Error, Store};
use backup_tests::postgres::Postgres;

use crate::fixture::{Catalog, at_once, on_both};

on_both!(
    a_catalog_that_a_newer_version_has_migrated_is_refused_and_left_alone,
    a_migration_that_is_missing_below_an_unknown_one_is_not_run,
);

async fn open(url: &str) -> Result<Store, Error> {
    Store::open(url, Arc::new(SystemClock)).await
}

async fn refused(url: &str) -> String {
    match open(url).await {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_catalog_is_this_users_alone_and_one_file_when_closed() {
    let catalog = Catalog::sqlite().await;
    catalog.pending().await;
    let path = catalog.url.strip_prefix("sqlite://").unwrap();
    let mode = |path: &str| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path), 0o600);
    assert_eq!(mode(&format!("{path}-wal")), 0o600, "what was just written stands here");
    catalog.store.close().await.unwrap();
    assert_eq!(std::fs::metadata(format!("{path}-wal")).map_or(0, |file| file.len()), 0);
    catalog.pending().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_a_restart() {
    let catalog = Catalog::sqlite().await;
    let id = catalog.completed(None).await;
    let again = catalog.another().await;
    assert!(again.get_backup(id).await.unwrap().is_some());
    again.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_catalog_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "buy milk, and a good deal more than a hundred bytes of other things ".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(&path).unwrap();
    let text = refused(&format!("sqlite://{}", path.display())).await;
    assert!(text.contains("not a database") && text.contains("HINT"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_made_is_named() {
    let text = refused("sqlite:///proc/nowhere/catalog.db").await;
    assert!(text.contains("/proc/nowhere"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_refusing_is_said_with_its_cause_and_without_the_password() {
    let database = tokio::task::spawn_blocking(|| Postgres::shared().create_database("refused"))
        .await
        .unwrap();
    let place = format!("127.0.0.1:{}", database.port);
    let text = refused(&format!("postgres://postgres:hunter2-wrong@{place}/{}", database.name)).await;
    assert!(
        text.contains("password authentication failed") && !text.contains("hunter2"),
        "{text}"
    );
    let text = refused(&format!(
        "postgres://postgres:{}@{place}/not_there_at_all",
        database.password
    ))
    .await;
    assert!(text.contains("\"not_there_at_all\" does not exist"), "{text}");
    // An unescaped character of the password makes libpq take a piece of it for the port, and repeat it.
    let text = refused(&format!("postgres://postgres:hunter2/hunter3@{place}/x")).await;
    assert!(!text.contains("hunter2") && !text.contains("hunter3"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_unavailable_within_seconds() {
    let before = Instant::now();
    let port = backup_tests::free_port();
    match open(&format!("postgres://app:hunter2@127.0.0.1:{port}/catalog")).await {
        Err(error @ Error::Unavailable { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("Connection refused") && !text.contains("hunter2"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(before.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_one_that_answers_is_used() {
    let database = tokio::task::spawn_blocking(|| Postgres::shared().create_database("hosts"))
        .await
        .unwrap();
    let away = backup_tests::free_port();
    let url = format!(
        "postgres://postgres:{}@127.0.0.1:{away},127.0.0.1:{}/{}?target_session_attrs=read-write",
        database.password, database.port, database.name
    );
    let store = open(&url).await.unwrap();
    store.ping().await.unwrap();
    assert!(!store.describe().contains(&database.password));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_on_an_empty_server_all_start() {
    let database = tokio::task::spawn_blocking(|| Postgres::shared().create_database("many"))
        .await
        .unwrap();
    let url = database.url();
    let stores = at_once(6, |_| {
        let url = url.clone();
        async move { open(&url).await.map(|_| ()) }
    })
    .await;
    for store in stores {
        store.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_at_once_on_an_empty_file_all_start() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/catalog.db", folder.path().display());
    let stores = at_once(6, |_| {
        let url = url.clone();
        async move { open(&url).await.map(|_| ()) }
    })
    .await;
    for store in stores {
        store.unwrap();
    }
}

/// Puts down that a later version has been here.
fn migrate_into_the_future(catalog: &Catalog) {
    let sql = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')";
    catalog.sql(sql).unwrap();
}

async fn a_catalog_that_a_newer_version_has_migrated_is_refused_and_left_alone(catalog: Catalog) {
    let id = catalog.completed(None).await;
    migrate_into_the_future(&catalog);
    let text = refused(&catalog.url).await;
    assert!(
        text.contains("newer version") && text.contains("20991231000000") && text.contains("HINT"),
        "{text}"
    );
    catalog
        .sql("DELETE FROM __diesel_schema_migrations WHERE version = '20991231000000'")
        .unwrap();
    assert!(catalog.another().await.get_backup(id).await.unwrap().is_some());
}

async fn a_migration_that_is_missing_below_an_unknown_one_is_not_run(catalog: Catalog) {
    migrate_into_the_future(&catalog);
    let last = "(SELECT max(version) FROM __diesel_schema_migrations WHERE version < '2099')";
    let forget = format!("DELETE FROM __diesel_schema_migrations WHERE version = {last}");
    catalog.sql(&forget).unwrap();
    // Run again, it would fail on what it has made, and say so.
    assert!(refused(&catalog.url).await.contains("newer version"));
}
