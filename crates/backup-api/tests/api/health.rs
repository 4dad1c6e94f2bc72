//! What machines ask.

use backup_core::{BackupSource, BackupTrigger};

use crate::support::{TestApp, on_both_catalogs};

on_both_catalogs!(readiness_names_what_is_away, metrics_count_backups);

async fn readiness_names_what_is_away(app: TestApp) {
    assert_eq!(app.client.get("/healthz").await.expect(200).json()["status"], "ok");
    let away = app.client.get("/readyz").await.expect(503).json();
    assert_eq!(
        (&away["catalog"], &away["storage"]),
        (&"ok".into(), &"unavailable".into())
    );
    app.open_storage().await;
    app.client.get("/readyz").await.expect(200);
}

async fn metrics_count_backups(app: TestApp) {
    for size in [1000, 2000] {
        let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
        app.complete(id, size).await;
    }
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.fail(id, "no space").await;
    app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    let text = app.client.get("/metrics").await.expect(200).text();
    for line in [
        "backup_total 3",
        "backup_success 2",
        "backup_failed 1",
        "backup_queue_length 1",
        "backup_stored_bytes 3000",
    ] {
        assert!(text.lines().any(|other| other == line), "{line}\n{text}");
    }
}
