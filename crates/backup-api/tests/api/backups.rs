//! Backups: create, list, look at, cancel, protect, delete, verify, restore.

use std::collections::BTreeSet;
use std::time::Duration;

use backup_core::user::TokenScope;
use backup_core::{BackupId, BackupSource, BackupTrigger, BackupType, Clock, JobLog, LogLevel, LogLine, Step};
use backup_db::JobPosition;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(
    create_answers_at_once,
    lists_are_filtered,
    lists_are_ordered_and_cut_into_pages,
    a_waiting_backup_is_cancelled_at_once,
    who_cancels_a_schedules_backup_is_named,
    a_backup_is_shown_with_what_hangs_together,
    a_full_backup_is_made_of_one_that_builds_on_others,
    a_protected_backup_stays,
    a_running_backup_is_not_deleted,
    verifications_and_restores_are_asked_for,
    jobs_are_shown_with_what_they_did,
    the_overview_tells_what_matters,
);

async fn create_answers_at_once(app: TestApp) {
    let admin = app.as_admin().await;
    let made = admin.post("/api/admin/backup", "").await.expect(202).json();
    assert_eq!(made["message"], "備份已開始執行");
    let backup = &made["backup"];
    for (field, value) in [
        ("name", json!("backup-full_system-full-2026-11-24T00-00-00")),
        ("type", json!("FULL")),
        ("source", json!("FULL_SYSTEM")),
        ("trigger", json!("MANUAL")),
        ("status", json!("PENDING")),
        ("progress", json!(0)),
        ("currentStep", json!("等待執行")),
        ("configKey", json!("default")),
        ("createdAt", json!("2026-11-24T00:00:00Z")),
        ("createdByUser", json!({ "displayName": "ADMIN 測試" })),
        ("sizeBytes", json!(null)),
        ("schedule", json!(null)),
        ("warnings", json!([])),
        ("protected", json!(false)),
    ] {
        assert_eq!(backup[field], value, "{field}");
    }
    let body = json!({ "type": "FULL", "source": "FILES", "description": "  before the 更新 " });
    let made = admin.english().post("/api/admin/backup", body).await.expect(202).json();
    assert_eq!(made["message"], "The backup was started.");
    assert_eq!(made["backup"]["description"], "before the 更新");
    assert_eq!(made["backup"]["currentStep"], "Waiting to run");
    assert_eq!(app.audited().await, ["LOGIN", "BACKUP_CREATE", "BACKUP_CREATE"]);
}

/// What a list answers: the sizes of its backups, in thousands; `null` as 0.
async fn sizes(client: &Client, query: &str) -> Vec<u64> {
    let page = client
        .get(&format!("/api/admin/backup?{query}"))
        .await
        .expect(200)
        .json();
    page["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| backup["sizeBytes"].as_u64().unwrap_or(0) / 1000)
        .collect()
}

/// Backups that differ in everything a list can ask for, a day apart.
async fn six_backups(app: &TestApp) {
    use BackupSource::{Config, Database, Files, FullSystem};
    for (source, size, note) in [
        (FullSystem, Some(5), "first"),
        (Database, Some(3), "Monday"),
        (Files, None, "100% done"),
        (Config, Some(4), "100 done"),
        (FullSystem, Some(1), "最後"),
    ] {
        let backup = app.new_backup(source, BackupTrigger::Manual, note).await;
        match size {
            Some(size) => app.complete(backup.id, size * 1000).await,
            None => app.fail(backup.id, "no space").await,
        }
        app.clock.advance(TimeDelta::days(1));
    }
    app.new_backup(Files, BackupTrigger::PreRestore, "waits").await;
}

async fn lists_are_filtered(app: TestApp) {
    six_backups(&app).await;
    let viewer = app.as_viewer().await;
    for (query, expected) in [
        ("sortOrder=asc", vec![5, 3, 0, 4, 1, 0]),
        ("", vec![0, 1, 4, 0, 3, 5]),
        ("status=COMPLETED", vec![1, 4, 3, 5]),
        ("status=FAILED", vec![0]),
        ("status=CANCELLED", vec![]),
        ("type=FULL&status=COMPLETED", vec![1, 4, 3, 5]),
        ("type=INCREMENTAL", vec![]),
        ("source=FULL_SYSTEM", vec![1, 5]),
        ("source=DATABASE", vec![3]),
        ("trigger=PRE_RESTORE", vec![0]),
        ("trigger=MANUAL&status=COMPLETED&source=CONFIG", vec![4]),
        ("scheduleId=01890000-0000-7000-8000-000000000000", vec![]),
        ("dateFrom=2026-11-27", vec![0, 1, 4]),
        ("dateTo=2026-11-25", vec![3, 5]),
        (
            "dateFrom=2026-11-25T00:00:00Z&dateTo=2026-11-27T08:00:00%2B08:00",
            vec![4, 0, 3],
        ),
        ("dateFrom=2026-11-25T00:00:01Z&dateTo=2026-11-26", vec![0]),
        ("q=monday", vec![3]),
        ("q=100%25", vec![0]),
        ("q=%E6%9C%80%E5%BE%8C", vec![1]),
        ("q=database-full", vec![3]),
        ("q=_", vec![1, 5]),
        ("q=%27", vec![]),
    ] {
        assert_eq!(sizes(&viewer, query).await, expected, "{query}");
    }
}

async fn lists_are_ordered_and_cut_into_pages(app: TestApp) {
    six_backups(&app).await;
    let viewer = app.as_viewer().await;
    for (query, expected) in [
        ("sortBy=sizeBytes&sortOrder=asc&status=COMPLETED", vec![1, 3, 4, 5]),
        ("sortBy=sizeBytes&status=COMPLETED", vec![5, 4, 3, 1]),
        ("sortBy=completedAt&sortOrder=asc&status=COMPLETED", vec![5, 3, 4, 1]),
        ("sortBy=completedAt&limit=2", vec![1, 4]),
        ("sortBy=createdAt&limit=3&offset=2", vec![4, 0, 3]),
        ("limit=200&offset=5", vec![5]),
        ("offset=6", vec![]),
        ("offset=9223372036854775807", vec![]),
    ] {
        assert_eq!(sizes(&viewer, query).await, expected, "{query}");
    }
    let page = viewer
        .get("/api/admin/backup?limit=2&offset=1&status=COMPLETED")
        .await
        .json();
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"]),
        (&json!(4), &json!(2), &json!(1))
    );
    // Whatever the order, the pages together are the whole, without gap or repetition.
    for order in ["createdAt", "completedAt", "sizeBytes"] {
        let mut seen = BTreeSet::new();
        for offset in 0..6 {
            let page = viewer
                .get(&format!("/api/admin/backup?sortBy={order}&limit=1&offset={offset}"))
                .await
                .json();
            seen.insert(page["backups"][0]["id"].as_str().unwrap().to_owned());
        }
        assert_eq!(seen.len(), 6, "{order}");
    }
}

async fn a_waiting_backup_is_cancelled_at_once(app: TestApp) {
    let admin = app.as_admin().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let path = format!("/api/admin/backup/{id}/cancel");
    let cancelled = admin.post(&path, "").await.expect(200).json();
    assert_eq!(
        (&cancelled["backup"]["status"], &cancelled["backup"]["currentStep"]),
        (&json!("CANCELLED"), &json!("備份已取消"))
    );
    admin.post(&path, "").await.refused(409, "job_finished");

    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.claim().await;
    let running = admin
        .post(&format!("/api/admin/backup/{id}/cancel"), "")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&running["backup"]["status"], &running["backup"]["cancelRequested"]),
        (&json!("IN_PROGRESS"), &json!(true))
    );
}

async fn who_cancels_a_schedules_backup_is_named(app: TestApp) {
    let schedule = app.new_schedule("nightly").await;
    for (client, by) in [
        (app.as_token(TokenScope::Operate).await, json!(app.admin.display_name)),
        (app.as_ownerless_token(TokenScope::Operate).await, json!(null)),
    ] {
        let id = app.store.trigger_schedule(schedule.id, None).await.unwrap().id;
        client
            .post(&format!("/api/admin/backup/{id}/cancel"), "")
            .await
            .expect(200);
        let alerts = client.get("/api/admin/backup/alerts?state=OPEN").await.json();
        let alert = &alerts["alerts"][0];
        assert_eq!(
            (&alert["kind"], &alert["severity"], &alert["details"]["by"]),
            (&json!("BACKUP_FAILED"), &json!("WARNING"), &by)
        );
        let said = alert["message"].as_str().unwrap();
        assert!(said.contains("nightly") && said.ends_with("取消。"), "{said}");
    }
    assert_eq!(
        app.audited().await.iter().filter(|act| *act == "BACKUP_CANCEL").count(),
        2
    );
}

async fn a_backup_is_shown_with_what_hangs_together(app: TestApp) {
    let viewer = app.as_viewer().await;
    let base = app
        .new_backup(BackupSource::Files, BackupTrigger::Manual, "base")
        .await
        .id;
    app.complete(base, 1000).await;
    let next = app
        .new_backup_of(
            BackupType::Incremental,
            BackupSource::Files,
            BackupTrigger::Manual,
            "next",
        )
        .await
        .id;
    app.complete_on(next, 100, Some(base)).await;
    let backup = viewer
        .get(&format!("/api/admin/backup/{base}"))
        .await
        .expect(200)
        .json()["backup"]
        .clone();
    assert_eq!(backup["dependents"][0]["id"], next.to_string());
    assert_eq!((&backup["base"], &backup["restores"]), (&Value::Null, &json!([])));
    assert_eq!(backup["sizeBytes"], 1000);
    let backup = viewer
        .get(&format!("/api/admin/backup/{next}"))
        .await
        .expect(200)
        .json()["backup"]
        .clone();
    assert_eq!((&backup["base"]["id"], &backup["baseId"]), (&json!(base), &json!(base)));
    assert_eq!(
        (&backup["bases"][0]["id"], backup["bases"].as_array().unwrap().len()),
        (&json!(base), 1)
    );

    let admin = app.as_admin().await;
    app.open_storage().await;
    let refused = admin
        .delete(&format!("/api/admin/backup/{base}"))
        .await
        .refused(409, "backup_dependents");
    assert_eq!(refused.json()["details"]["dependents"], json!([next]));
    let gone = admin
        .delete(&format!("/api/admin/backup/{base}?cascade=true"))
        .await
        .expect(200);
    assert_eq!(gone.json()["message"], "備份已刪除");
    assert_eq!(viewer.get("/api/admin/backup").await.json()["total"], 0);
    assert_eq!(
        app.audited().await,
        ["LOGIN", "LOGIN", "BACKUP_DELETE", "BACKUP_DELETE"]
    );
}

async fn a_full_backup_is_made_of_one_that_builds_on_others(app: TestApp) {
    let admin = app.as_admin().await;
    let of = async |kind, base| {
        app.clock.advance(TimeDelta::minutes(1));
        let new = app.new_backup_of(kind, BackupSource::Files, BackupTrigger::Manual, "before the 更新");
        let id = new.await.id;
        app.complete_on(id, 1000, base).await;
        id
    };
    let consolidate = async |id: BackupId| {
        let path = format!("/api/admin/backup/{id}/consolidate");
        admin.post(&path, "").await
    };
    let base = of(BackupType::Full, None).await;
    let next = of(BackupType::Incremental, Some(base)).await;
    consolidate(base).await.refused(409, "backup_stands_alone");
    consolidate(app.ids.next().unwrap())
        .await
        .refused(404, "backup_not_found");
    app.clock.advance(TimeDelta::hours(1));
    let accepted = consolidate(next).await.expect(202).json();
    assert_eq!(accepted["message"], "已開始合成完整備份");
    let made = &accepted["backup"];
    for (field, value) in [
        ("name", json!("backup-files-full-2026-11-24T00-02-00")),
        ("type", json!("FULL")),
        ("source", json!("FILES")),
        ("status", json!("PENDING")),
        ("trigger", json!("MANUAL")),
        ("createdAt", json!("2026-11-24T00:02:00Z")),
        ("description", json!("before the 更新")),
        ("consolidatedFrom", json!(next)),
        ("baseId", json!(null)),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let again = consolidate(next).await.refused(409, "backup_consolidating");
    assert_eq!(again.json()["details"]["backupId"], made["id"]);
    let id = made["id"].as_str().unwrap();
    let waiting = admin.post(&format!("/api/admin/backup/{id}/consolidate"), "").await;
    waiting.refused(409, "backup_unavailable");
    app.open_storage().await;
    admin
        .delete(&format!("/api/admin/backup/{base}?cascade=true"))
        .await
        .refused(409, "backup_in_use");
    app.store.condemn_backup(base, "bits flipped").await.unwrap();
    admin
        .post(&format!("/api/admin/backup/{id}/cancel"), "")
        .await
        .expect(200);
    let refused = consolidate(next).await.refused(409, "backup_damaged");
    assert!(
        refused.json()["details"]["problem"]
            .as_str()
            .unwrap()
            .contains("bits flipped")
    );
    assert_eq!(app.audited().await, ["LOGIN", "BACKUP_CONSOLIDATE", "BACKUP_CANCEL"]);
}

async fn a_protected_backup_stays(app: TestApp) {
    let admin = app.as_admin().await;
    app.open_storage().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.complete(id, 1000).await;
    let (path, protect) = (
        format!("/api/admin/backup/{id}"),
        format!("/api/admin/backup/{id}/protect"),
    );
    let backup = admin
        .post(&protect, json!({ "protected": true }))
        .await
        .expect(200)
        .json();
    assert_eq!(backup["backup"]["protected"], true);
    admin.delete(&path).await.refused(409, "backup_protected");
    admin.post(&protect, "").await.refused(400, "field_missing");
    admin.post(&protect, json!({ "protected": false })).await.expect(200);
    admin.delete(&path).await.expect(200);
    admin.get(&path).await.refused(404, "backup_not_found");
    admin.delete(&path).await.refused(404, "backup_not_found");
}

async fn a_running_backup_is_not_deleted(app: TestApp) {
    let admin = app.as_admin().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let path = format!("/api/admin/backup/{id}");
    admin.delete(&path).await.refused(503, "storage_unavailable");
    app.open_storage().await;
    app.claim().await;
    admin.delete(&path).await.refused(409, "backup_running");
}

async fn verifications_and_restores_are_asked_for(app: TestApp) {
    let admin = app.as_admin().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let (verify, restore) = (
        format!("/api/admin/backup/{id}/verify"),
        format!("/api/admin/backup/{id}/restore"),
    );
    let options = json!({ "mode": "NEW", "targetDir": "/tmp/x" });
    admin.post(&verify, "").await.refused(409, "backup_unavailable");
    admin.post(&restore, &options).await.refused(409, "backup_unavailable");
    app.complete(id, 1000).await;

    admin
        .post(&verify, json!({ "level": "DEEP" }))
        .await
        .refused(400, "invalid_verify_level");
    let asked = admin
        .post(&verify, json!({ "level": "CHECKSUM" }))
        .await
        .expect(202)
        .json();
    assert_eq!(
        (&asked["verification"]["level"], &asked["verification"]["status"]),
        (&json!("CHECKSUM"), &json!("PENDING"))
    );

    admin
        .post(&restore, json!({ "mode": "NEW" }))
        .await
        .refused(400, "field_missing");
    admin
        .post(&restore, json!({ "mode": "OVER" }))
        .await
        .refused(400, "invalid_restore_mode");
    let none = json!({ "mode": "NEW", "restoreDatabase": false, "restoreFiles": false, "restoreConfig": false });
    admin.post(&restore, none).await.refused(400, "restore_nothing");
    let asked = admin.post(&restore, &options).await.expect(202).json();
    assert_eq!(asked["message"], "恢復已開始執行");
    assert_eq!(asked["restore"]["options"]["targetDir"], "/tmp/x");
    let path = format!("/api/admin/restore/{}", asked["restore"]["id"].as_str().unwrap());
    assert_eq!(
        admin.get("/api/admin/restore").await.expect(200).json()["restores"][0]["id"],
        asked["restore"]["id"]
    );
    assert_eq!(
        admin.get(&path).await.expect(200).json()["restore"]["status"],
        "PENDING"
    );
    let backup = admin.get(&format!("/api/admin/backup/{id}")).await.json();
    assert_eq!(backup["backup"]["restores"][0]["id"], asked["restore"]["id"]);
    let cancelled = admin.post(&format!("{path}/cancel"), "").await.expect(200).json();
    assert_eq!(
        (&cancelled["restore"]["status"], &cancelled["restore"]["currentStep"]),
        (&json!("CANCELLED"), &json!("恢復已取消"))
    );
    admin
        .post(&format!("{path}/cancel"), "")
        .await
        .refused(409, "job_finished");
}

async fn jobs_are_shown_with_what_they_did(app: TestApp) {
    let (admin, viewer) = (app.as_admin().await, app.as_viewer().await);
    let mut log = JobLog::default();
    log.add(LogLine::new(app.clock.now(), LogLevel::Warning, "<b>'名'</b>\nchanged"));
    let at = JobPosition {
        log: Some(log),
        ..JobPosition::new(20, Step::Files)
    };
    let noted = json!([{ "at": "2026-11-24T00:00:00Z", "level": "WARNING", "text": "<b>'名'</b> changed" }]);
    let beat = async || {
        let lease = app.claim().await;
        let beat = app.store.heartbeat(&lease, at.clone(), Duration::from_mins(1)).await;
        beat.unwrap();
        lease
    };

    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    let path = format!("/api/admin/backup/{id}");
    assert_eq!(viewer.get(&path).await.expect(200).json()["backup"]["log"], json!([]));
    let lease = beat().await;
    assert_eq!(viewer.get(&path).await.expect(200).json()["backup"]["log"], noted);
    app.finish(&lease, 1000, None).await;
    assert_eq!(viewer.get(&path).await.expect(200).json()["backup"]["log"], noted);

    let options = json!({ "mode": "NEW", "targetDir": "/tmp/x" });
    let asked = admin.post(&format!("{path}/restore"), options).await.expect(202).json();
    beat().await;
    let path = format!("/api/admin/restore/{}", asked["restore"]["id"].as_str().unwrap());
    assert_eq!(viewer.get(&path).await.expect(200).json()["restore"]["log"], noted);
}

async fn the_overview_tells_what_matters(app: TestApp) {
    let viewer = app.as_viewer().await;
    let empty = viewer.get("/api/admin/backup/status").await.expect(200).json();
    assert_eq!(
        empty["storage"],
        json!({
            "totalSizeBytes": 0, "backupCount": 0, "quotaBytes": 1 << 30, "usagePercent": 0.0,
            "oldestBackup": null, "newestBackup": null,
        })
    );
    six_backups(&app).await;
    // The days went by, and the session with them.
    let viewer = app.as_viewer().await;
    let status = viewer.get("/api/admin/backup/status").await.expect(200).json();
    assert_eq!(status["lastSuccessful"]["sizeBytes"], 1000);
    assert_eq!(status["lastSuccessful"]["currentStep"], "備份完成");
    assert_eq!(status["lastFailed"]["errorMessage"], "no space");
    assert_eq!(
        (
            &status["activeBackups"],
            &status["queuedBackups"],
            &status["isAutoBackupEnabled"]
        ),
        (&json!(0), &json!(1), &json!(false))
    );
    assert_eq!(
        (&status["nextScheduled"], &status["alerts"]),
        (&Value::Null, &json!([]))
    );
    let storage = &status["storage"];
    assert_eq!(
        (&storage["totalSizeBytes"], &storage["backupCount"]),
        (&json!(13_000), &json!(4))
    );
    assert_eq!(storage["oldestBackup"], "2026-11-24T00:00:00Z");
    assert_eq!(storage["newestBackup"], "2026-11-28T00:00:00Z");
}
