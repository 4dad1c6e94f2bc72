//! What machines ask.

use std::collections::HashSet;

use backup_core::config::BackupConfig;
use backup_core::{BackupId, BackupSource, BackupTrigger, Clock, VerifyLevel};
use backup_db::NewVerification;
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Catalog, TestApp, on_both_catalogs};

on_both_catalogs!(
    readiness_names_what_is_away,
    metrics_begin_at_zero,
    metrics_count_what_ended_and_never_back,
    metrics_tell_what_waits_and_runs,
    metrics_are_what_prometheus_reads,
);

async fn readiness_names_what_is_away(app: TestApp) {
    assert_eq!(app.client.get("/healthz").await.expect(200).json()["status"], "ok");
    let away = app.client.get("/readyz").await.expect(503).json();
    assert_eq!(
        (&away["catalog"], &away["storage"]),
        (&"ok".into(), &"unavailable".into())
    );
    assert_eq!(
        away["problems"],
        json!(["the storage is not open yet, the log says why"])
    );
    app.open_storage().await;
    let ready = app.client.get("/readyz").await.expect(200).json();
    assert_eq!(ready["problems"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_says_how_the_storage_is_away_and_not_where() {
    let app = TestApp::start(Catalog::Sqlite).await;
    app.open_storage().await;
    let storage = app.folder.path().join("storage");
    std::fs::remove_dir_all(&storage).unwrap();
    std::fs::write(&storage, "no folder").unwrap();
    let away = app.client.get("/readyz").await.expect(503).json();
    assert_eq!(
        (&away["catalog"], &away["storage"]),
        (&"ok".into(), &"unavailable".into())
    );
    assert_eq!(away["problems"], json!(["the storage (folder) cannot be used"]));
}

async fn page(app: &TestApp) -> String {
    app.client.get("/metrics").await.expect(200).text()
}

#[track_caller]
fn told(page: &str, lines: &[&str]) {
    for line in lines {
        assert!(page.lines().any(|other| other == *line), "{line}\n{page}");
    }
}

/// A good backup that took so long and stores so much.
async fn good(app: &TestApp, took: TimeDelta, size: u64) -> BackupId {
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let lease = app.claim().await;
    assert_eq!(lease.id, id.to_string());
    app.clock.advance(took);
    app.finish(&lease, size, None).await;
    id
}

async fn metrics_begin_at_zero(app: TestApp) {
    let shop = BackupConfig::defaults("shop", app.clock.now());
    app.store.put_config(&shop).await.unwrap();
    let page = page(&app).await;
    told(
        &page,
        &[
            "# TYPE backup_total counter",
            "# TYPE backup_success counter",
            "# TYPE backup_failed counter",
            "# TYPE backup_cancelled counter",
            "# TYPE backup_duration_seconds histogram",
            "# TYPE backup_size_bytes histogram",
        ],
    );
    for config in ["default", "shop"] {
        for name in ["backup_total", "backup_success", "backup_failed", "backup_cancelled"] {
            told(&page, &[&format!("{name}{{config=\"{config}\"}} 0")]);
        }
        for (name, bound) in [
            ("backup_duration_seconds", "28800"),
            ("backup_size_bytes", "1000000000000"),
        ] {
            told(
                &page,
                &[
                    &format!("{name}_bucket{{config=\"{config}\",le=\"{bound}\"}} 0"),
                    &format!("{name}_bucket{{config=\"{config}\",le=\"+Inf\"}} 0"),
                    &format!("{name}_sum{{config=\"{config}\"}} 0"),
                    &format!("{name}_count{{config=\"{config}\"}} 0"),
                ],
            );
        }
    }
}

async fn metrics_count_what_ended_and_never_back(app: TestApp) {
    let old = good(&app, TimeDelta::milliseconds(1_500), 1000).await;
    good(&app, TimeDelta::seconds(60), 2_000_000).await;
    let bad = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.fail(bad, "no space").await;
    let unwanted = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.store.cancel_backup(unwanted).await.unwrap();
    let ended = [
        "backup_total{config=\"default\"} 4",
        "backup_success{config=\"default\"} 2",
        "backup_failed{config=\"default\"} 1",
        "backup_cancelled{config=\"default\"} 1",
        "backup_duration_seconds_bucket{config=\"default\",le=\"1\"} 0",
        "backup_duration_seconds_bucket{config=\"default\",le=\"5\"} 1",
        "backup_duration_seconds_bucket{config=\"default\",le=\"60\"} 2",
        "backup_duration_seconds_bucket{config=\"default\",le=\"+Inf\"} 2",
        "backup_duration_seconds_sum{config=\"default\"} 61.5",
        "backup_duration_seconds_count{config=\"default\"} 2",
        "backup_size_bytes_bucket{config=\"default\",le=\"1000000\"} 1",
        "backup_size_bytes_bucket{config=\"default\",le=\"10000000\"} 2",
        "backup_size_bytes_bucket{config=\"default\",le=\"+Inf\"} 2",
        "backup_size_bytes_sum{config=\"default\"} 2001000",
        "backup_size_bytes_count{config=\"default\"} 2",
        "backup_last_duration_seconds 60",
        "backup_last_size_bytes 2000000",
    ];
    let before = page(&app).await;
    told(&before, &ended);
    told(&before, &["backup_stored_bytes 2001000"]);
    for id in [old, bad] {
        app.store.begin_delete(id, false).await.unwrap();
        app.store.finish_delete(id).await.unwrap();
    }
    let after = page(&app).await;
    told(&after, &ended);
    told(&after, &["backup_stored_bytes 2000000"]);
}

async fn metrics_tell_what_waits_and_runs(app: TestApp) {
    let checked = good(&app, TimeDelta::seconds(1), 1).await;
    for _ in 0..2 {
        app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    }
    app.claim().await;
    let check = NewVerification {
        id: app.ids.next().unwrap(),
        backup_id: checked,
        level: VerifyLevel::Checksum,
        created_by: None,
    };
    app.store.create_verification(check).await.unwrap();
    told(
        &page(&app).await,
        &[
            "backup_queue_length{kind=\"backup\"} 1",
            "backup_queue_length{kind=\"restore\"} 0",
            "backup_queue_length{kind=\"verification\"} 1",
            "backup_running{kind=\"backup\"} 1",
            "backup_running{kind=\"restore\"} 0",
            "backup_running{kind=\"verification\"} 0",
        ],
    );
}

/// Each name is said once what it is, and all its lines stand behind that.
async fn metrics_are_what_prometheus_reads(app: TestApp) {
    let shop = BackupConfig::defaults("shop", app.clock.now());
    app.store.put_config(&shop).await.unwrap();
    app.new_schedule("nightly").await;
    app.new_schedule("weekly").await;
    good(&app, TimeDelta::seconds(1), 1).await;
    let page = page(&app).await;
    let (mut names, mut series) = (HashSet::new(), HashSet::new());
    let (mut name, mut kind) = ("", "");
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("# TYPE ") {
            (name, kind) = text.split_once(' ').unwrap();
            assert!(names.insert(name), "{name} comes twice");
        } else if !line.starts_with("# HELP ") {
            let (one, value) = line.rsplit_once(' ').unwrap();
            assert!(series.insert(one), "{one} comes twice");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let own = one.split('{').next().unwrap();
            let parts: &[&str] = match kind {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            assert!(
                parts.iter().any(|part| own == format!("{name}{part}")),
                "{line} of {name}"
            );
        }
    }
    assert!(names.len() > 15, "{page}");
}
