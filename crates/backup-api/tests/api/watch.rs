//! What is watched: the usage over time, and the alerts.

use backup_core::user::TokenScope;
use backup_core::{AlertKind, BackupSource, BackupTrigger, NewAlert};
use chrono::TimeDelta;
use serde_json::json;

use crate::support::{Event, TestApp, on_both_catalogs};

on_both_catalogs!(
    usage_is_shown_oldest_first,
    alerts_are_listed_and_acknowledged,
    spans_of_time_are_checked_everywhere,
);

async fn usage_is_shown_oldest_first(app: TestApp) {
    let viewer = app.as_viewer().await;
    let id = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.complete(id, 250).await;
    for quota in [None, Some(1000), Some(500)] {
        app.clock.advance(TimeDelta::hours(1));
        app.store.record_usage(quota).await.unwrap();
    }
    let get = async |query: &str| {
        let response = viewer
            .get(&format!("/api/admin/backup/usage?{query}"))
            .await
            .expect(200);
        response.json()["samples"].as_array().unwrap().clone()
    };
    let all = get("").await;
    assert_eq!(
        all[0],
        json!({
            "recordedAt": "2026-11-24T01:00:00Z", "totalSizeBytes": 250, "backupCount": 1, "quotaBytes": null,
            "usagePercent": null, "oldestBackup": "2026-11-24T00:00:00Z", "newestBackup": "2026-11-24T00:00:00Z",
        })
    );
    let percents: Vec<_> = all.iter().map(|sample| sample["usagePercent"].as_f64()).collect();
    assert_eq!(percents, [None, Some(25.0), Some(50.0)]);
    assert_eq!(get("limit=2").await, all[1..]);
    assert_eq!(
        get("from=2026-11-24T02:00:00Z&to=2026-11-24T02:30:00Z").await,
        all[1..2]
    );
    assert!(get("from=2026-11-25").await.is_empty());
    viewer
        .get("/api/admin/backup/usage?limit=1001")
        .await
        .refused(400, "parameter_invalid");
}

async fn alerts_are_listed_and_acknowledged(app: TestApp) {
    let viewer = app.as_viewer().await;
    let operator = app.as_token(TokenScope::Operate).await;
    for subject in ["1", "2", "3"] {
        app.clock.advance(TimeDelta::seconds(1));
        app.store
            .raise_alert(NewAlert::new(AlertKind::BackupFailed, subject, "it failed"))
            .await
            .unwrap();
    }
    app.store.resolve_alert(AlertKind::BackupFailed, "2").await.unwrap();
    let subjects = async |query: &str| {
        let page = viewer
            .get(&format!("/api/admin/backup/alerts?{query}"))
            .await
            .expect(200)
            .json();
        let subjects: Vec<String> = page["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|alert| alert["subject"].as_str().unwrap().to_owned())
            .collect();
        (subjects.concat(), page["total"].as_u64().unwrap())
    };
    for (query, expected, total) in [
        ("", "321", 3),
        ("state=OPEN", "31", 2),
        ("state=ALL", "321", 3),
        ("state=ALL&limit=1&offset=1", "2", 3),
        ("state=OPEN&offset=2", "", 2),
    ] {
        assert_eq!(subjects(query).await, (expected.to_owned(), total), "{query}");
    }
    viewer
        .get("/api/admin/backup/alerts?state=PAST")
        .await
        .refused(400, "parameter_invalid");

    let page = viewer.get("/api/admin/backup/alerts?limit=1").await.json();
    let id = page["alerts"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/admin/backup/alerts/{id}/acknowledge");
    viewer.post(&path, "").await.refused(403, "forbidden");
    let mut events = viewer.events("/api/admin/backup/events").await;
    let alert = operator.post(&path, "").await.expect(200).json()["alert"].clone();
    assert_eq!(
        (&alert["acknowledgedAt"], &alert["resolvedAt"], &alert["kind"]),
        (&json!("2026-11-24T00:00:03Z"), &json!(null), &json!("BACKUP_FAILED"))
    );
    let Event { name, data, .. } = events.next().await.unwrap();
    assert_eq!(
        (name.as_str(), &data["acknowledgedAt"]),
        ("alert", &alert["acknowledgedAt"])
    );
    // The first time counts.
    app.clock.advance(TimeDelta::hours(1));
    assert_eq!(operator.post(&path, "{}").await.expect(200).json()["alert"], alert);
    assert_eq!(subjects("state=OPEN").await.1, 2, "what is known is not over");
    operator
        .post(
            "/api/admin/backup/alerts/01890000-0000-7000-8000-000000000000/acknowledge",
            "",
        )
        .await
        .refused(404, "alert_not_found");
    assert_eq!(
        app.descriptions("ALERT_ACKNOWLEDGE").await[0],
        "確認警報: BACKUP_FAILED"
    );
}

async fn spans_of_time_are_checked_everywhere(app: TestApp) {
    let admin = app.as_admin().await;
    for (path, from, to) in [
        ("/api/admin/backup", "dateFrom", "dateTo"),
        ("/api/admin/backup/usage", "from", "to"),
        ("/api/admin/audit", "from", "to"),
        ("/api/admin/audit/export", "from", "to"),
    ] {
        let reversed = format!("{path}?{from}=2026-11-25&{to}=2026-11-24");
        let response = admin.get(&reversed).await.refused(400, "span_reversed");
        assert_eq!(response.json()["details"]["field"], from);
        // One day is a span.
        admin
            .get(&format!("{path}?{from}=2026-11-24&{to}=2026-11-24"))
            .await
            .expect(200);
    }
}
