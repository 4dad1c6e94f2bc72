//! The served document against the served behaviour: thousands of requests that the document allows or forbids, each answer
//! held against it.

use std::process::Command;

use backup_api::{hash_secret, new_token};
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::user::TokenScope;
use backup_core::{AlertKind, BackupId, BackupSource, BackupTrigger, NewAlert, OsRandom};
use backup_db::NewRestore;
use backup_engine::Worker;
use backup_tests::tools;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::support::{TestApp, on_both_catalogs};

on_both_catalogs!(the_document_and_the_behaviour_agree);

/// Set, so many requests of each kind are made of each operation, instead of a few.
const EXAMPLES: &str = "BACKUP_SCHEMATHESIS_EXAMPLES";

/// Set, the requests differ from the usual ones.
const SEED: &str = "BACKUP_SCHEMATHESIS_SEED";

async fn the_document_and_the_behaviour_agree(app: TestApp) {
    seed(&app).await;
    let secret = new_token(&OsRandom).unwrap();
    let hash = hash_secret(&secret);
    // Nobody's: a token may no more than who made it, and administrators come and go in this run.
    app.store
        .create_token("schemathesis", &hash, TokenScope::Admin, None, None)
        .await
        .unwrap();

    let other = hash_secret(&new_token(&OsRandom).unwrap());
    let other = app
        .store
        .create_token("other", &other, TokenScope::Read, None, None)
        .await
        .unwrap();
    let setting = |name, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let mut command = Command::new(tools::schemathesis::install().unwrap());
    command
        .arg("--config-file")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml"))
        .args(["run", &format!("{}/api/openapi.json", app.client.url())])
        .args(["--max-examples", &setting(EXAMPLES, "10")])
        .args(["--seed", &setting(SEED, "1")])
        .env("BACKUP_TOKEN", secret.expose_secret())
        .env("BACKUP_OTHER_TOKEN", other.id.to_string())
        // What it remembers of a run is for that run.
        .current_dir(app.folder.path());
    let run = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let report = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{report}{}", String::from_utf8_lossy(&run.stderr));
    backup_tests::note(
        report
            .lines()
            .rev()
            .take(12)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n"),
    );
    // Whoever deletes the token that it asks with learns nothing from then on.
    assert!(app.store.use_token(&hash).await.unwrap().is_some(), "the token is gone");
}

/// A catalog with something of everything, and nobody who works on it: what the requests ask for is not to happen.
async fn seed(app: &TestApp) {
    let whole = real_backup(app).await;
    let failed = app
        .new_backup(BackupSource::Files, BackupTrigger::PreRestore, "failed")
        .await;
    app.fail(failed.id, "no space").await;
    let running = app
        .new_backup(BackupSource::Files, BackupTrigger::Manual, "running")
        .await;
    assert_eq!(app.claim().await.id, running.id.to_string());
    app.new_backup(BackupSource::Config, BackupTrigger::Manual, "waiting")
        .await;
    for _ in 0..2 {
        let restore = NewRestore {
            id: app.ids.next().unwrap(),
            backup_id: whole,
            options: RestoreOptions {
                restore_database: false,
                restore_files: true,
                restore_config: false,
                target_database: None,
                target_dir: Some("/nowhere".to_owned()),
                mode: RestoreMode::New,
                paths: vec!["照片".to_owned()],
                tables: Vec::new(),
                safety_backup: true,
                skip_owner: false,
                skip_tablespaces: false,
                keep_old_hours: 72,
            },
            created_by: Some(app.admin.id),
        };
        app.store.create_restore(restore).await.unwrap();
    }
    let schedule = app.new_schedule("nightly").await;
    app.clock.advance(TimeDelta::days(1));
    app.store.fire_due_schedules(10).await.unwrap();
    let alert = NewAlert::new(AlertKind::ScheduleMissed, schedule.id, "it did not run").with("schedule", "nightly");
    app.store.raise_alert(alert).await.unwrap();
    app.as_token(TokenScope::Read).await;
    app.as_viewer().await;
}

/// A good backup whose file can be fetched, made by a worker that has ended.
async fn real_backup(app: &TestApp) -> BackupId {
    std::fs::create_dir_all(app.uploads()).unwrap();
    std::fs::write(app.uploads().join("a.txt"), "content of a".repeat(10_000)).unwrap();
    let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "good").await;
    let engine = app.open_storage().await;
    let (stop, stopped) = watch::channel(false);
    let worker = tokio::spawn(async move { Worker::new(engine).unwrap().run(stopped).await });
    let backup = app.wait_for_end(backup.id).await;
    stop.send_replace(true);
    worker.await.unwrap();
    assert_eq!(backup.status.as_str(), "COMPLETED", "{:?}", backup.error_message);
    backup.id
}
