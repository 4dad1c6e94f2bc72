//! The whole system, paused and at work again.

use std::time::Duration;

use backup_core::{BackupSource, BackupTrigger};
use serde_json::{Value, json};

use crate::support::{TestApp, on_both_catalogs};

on_both_catalogs!(the_system_is_paused_for_a_reason_and_resumed);

const PAUSE: &str = "/api/admin/system/pause";
const RESUME: &str = "/api/admin/system/resume";

async fn the_system_is_paused_for_a_reason_and_resumed(app: TestApp) {
    let (admin, viewer) = (app.as_admin().await, app.as_viewer().await);
    let status = async || viewer.get("/api/admin/backup/status").await.expect(200).json();
    let is_told = async |line: &str| {
        let text = app.client.get("/metrics").await.expect(200).text();
        text.lines().any(|other| other == line)
    };
    assert_eq!(status().await["pause"], Value::Null);
    assert!(is_told("backup_system_paused 0").await);
    for reason in [
        json!({}),
        json!({ "reason": " " }),
        json!({ "reason": "x".repeat(501) }),
    ] {
        admin.post(PAUSE, reason).await.expect(400);
    }
    viewer
        .post(PAUSE, json!({ "reason": "x" }))
        .await
        .refused(403, "forbidden");
    admin.post(RESUME, "").await.refused(409, "not_paused");

    let paused = admin
        .post(PAUSE, json!({ "reason": " 搬移儲存空間 " }))
        .await
        .expect(200)
        .json();
    assert_eq!(paused["message"], "系統已暫停");
    let pause = json!({
        "pausedAt": "2026-11-24T00:00:00Z", "pausedBy": app.admin.display_name, "reason": "搬移儲存空間",
    });
    assert_eq!(paused["pause"], pause);
    let shown = status().await;
    assert_eq!(shown["pause"], pause);
    assert_eq!(shown["alerts"][0]["kind"], "SYSTEM_PAUSED");
    let sentence = shown["alerts"][0]["message"].as_str().unwrap();
    assert!(
        sentence.contains("搬移儲存空間") && sentence.contains(&app.admin.display_name),
        "{sentence}"
    );
    assert!(is_told("backup_system_paused 1").await);
    admin
        .post(PAUSE, json!({ "reason": "again" }))
        .await
        .refused(409, "already_paused");
    // What is asked for waits.
    app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await;
    let claim = async || app.store.claim_job("w", Duration::from_mins(1), 3, None).await.unwrap();
    assert!(claim().await.is_none());

    let resumed = admin.english().post(RESUME, "").await.expect(200).json();
    assert_eq!(
        (&resumed["pause"], &resumed["message"]),
        (&pause, &json!("The system is at work again."))
    );
    let shown = status().await;
    assert_eq!((&shown["pause"], &shown["alerts"]), (&Value::Null, &json!([])));
    assert!(claim().await.is_some());
    for (action, description) in [
        ("SYSTEM_PAUSE", "暫停系統: 搬移儲存空間"),
        ("SYSTEM_RESUME", "恢復系統運作: 搬移儲存空間"),
    ] {
        assert_eq!(app.descriptions(action).await, [description]);
    }
}
