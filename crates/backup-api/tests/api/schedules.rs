//! Schedules over HTTP: made, changed, fired, shown with what came of them, and what their retention would keep.

use backup_core::user::TokenScope;
use backup_core::{BackupId, BackupSource, BackupTrigger, ScheduleId};
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(
    a_schedule_is_made_changed_and_removed,
    a_change_changes_only_what_is_sent,
    changes_at_once_are_both_kept,
    a_triggered_schedule_makes_its_backup,
    what_came_of_a_schedule_is_shown,
    a_preview_says_when_on_days_of_changed_clocks_too,
    retention_is_shown_before_it_is_trusted,
    schedules_come_as_events_in_both_languages,
    metrics_tell_of_each_schedule,
    metrics_tell_of_every_schedule_however_many,
);

const ALL: &str = "/api/admin/backup/schedule";

fn nightly() -> Value {
    json!({ "name": " 每日備份 ", "backupType": "FULL", "backupSource": "FILES", "cronExpression": " 0  2 * * * " })
}

async fn make(client: &Client, body: Value) -> Value {
    client.post(ALL, body).await.expect(201).json()["schedule"].clone()
}

fn path_of(schedule: &Value) -> String {
    format!("{ALL}/{}", schedule["id"].as_str().unwrap())
}

fn id_of(schedule: &Value) -> ScheduleId {
    schedule["id"].as_str().unwrap().parse().unwrap()
}

async fn a_schedule_is_made_changed_and_removed(app: TestApp) {
    let admin = app.as_admin().await;
    let made = admin.post(ALL, nightly()).await.expect(201).json();
    assert_eq!(made["message"], "排程已創建");
    let schedule = &made["schedule"];
    let mut expected = json!({
        "id": schedule["id"], "configKey": "default", "name": "每日備份", "description": null, "isEnabled": true,
        "backupType": "FULL", "backupSource": "FILES", "cronExpression": "0 2 * * *",
        "cronDescription": schedule["cronDescription"], "timezone": "Asia/Taipei", "retentionDays": 30, "maxBackups": 10,
        "startWindow": null,
        "keepHourly": null, "keepDaily": null, "keepWeekly": null, "keepMonthly": null, "keepYearly": null,
        // It is eight o'clock in Taipei.
        "nextRunAt": "2026-11-24T18:00:00Z", "lastRunAt": null, "lastSuccessAt": null,
        "verifyWhen": "NEVER", "verifyLevel": "RESTORE", "verifyPercent": 10, "lastVerifyPassedAt": null,
        "consolidateEvery": null,
        "createdAt": "2026-11-24T00:00:00Z", "updatedAt": "2026-11-24T00:00:00Z", "createdBy": app.admin.id.to_string(),
        "createdByUser": { "displayName": "ADMIN 測試" },
        "_count": { "backups": 0 },
    });
    assert_eq!(*schedule, expected);
    assert!(schedule["cronDescription"].as_str().unwrap().contains("2:00"));
    let one = path_of(schedule);
    let viewer = app.as_viewer().await;
    let shown = viewer.get(&one).await.expect(200).json()["schedule"].clone();
    assert_eq!((&shown["backups"], &shown["firings"]), (&json!([]), &json!([])));
    assert_eq!(shown["name"], "每日備份");
    viewer.post(ALL, nightly()).await.refused(403, "forbidden");

    let other = json!({
        "name": "hourly", "description": "d", "backupType": "FULL", "backupSource": "DATABASE", "cronExpression": "@hourly",
        "timezone": "UTC", "retentionDays": 3650, "maxBackups": 1000, "keepHourly": 0, "keepDaily": 7, "keepWeekly": 4,
        "keepMonthly": 12, "keepYearly": 1000, "isEnabled": false, "configKey": "default",
        "verifyWhen": "SAMPLED", "verifyLevel": "CONTENT", "verifyPercent": 100,
        "consolidateEvery": 200, "startWindow": "22:00-06:00",
    });
    let second = make(&admin, other.clone()).await;
    for (field, value) in other.as_object().unwrap() {
        assert_eq!(second[field], *value, "{field}");
    }
    assert_eq!(second["nextRunAt"], json!(null), "what is not enabled does not fire");
    let list = viewer.get(ALL).await.expect(200).json();
    assert_eq!(
        (&list["total"], &list["limit"], &list["offset"]),
        (&json!(2), &json!(50), &json!(0))
    );
    let names = |list: &Value| {
        let schedules = list["schedules"].as_array().unwrap().iter();
        schedules
            .map(|schedule| schedule["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&list), ["hourly", "每日備份"], "the newest first");
    let page = viewer.get(&format!("{ALL}?limit=1&offset=1")).await.expect(200).json();
    assert_eq!((names(&page), &page["total"]), (vec!["每日備份".to_owned()], &json!(2)));
    let none = viewer.get(&format!("{ALL}?configKey=shop")).await.expect(200).json();
    assert_eq!((names(&none).len(), &none["total"]), (0, &json!(0)));
    for query in ["limit=0", "limit=201", "offset=-1"] {
        viewer
            .get(&format!("{ALL}?{query}"))
            .await
            .refused(400, "parameter_invalid");
    }

    app.clock.advance(TimeDelta::minutes(1));
    let changed = admin
        .patch(
            &one,
            json!({ "cronExpression": "0 3 * * 0", "timezone": "Europe/Berlin" }),
        )
        .await;
    let changed = changed.expect(200).json();
    assert_eq!(changed["message"], "排程已更新");
    for (field, value) in [
        ("cronExpression", json!("0 3 * * 0")),
        ("timezone", json!("Europe/Berlin")),
        ("nextRunAt", json!("2026-11-29T02:00:00Z")),
        ("updatedAt", json!("2026-11-24T00:01:00Z")),
        ("cronDescription", changed["schedule"]["cronDescription"].clone()),
    ] {
        expected[field] = value;
    }
    assert_eq!(changed["schedule"], expected);

    let backup = app.store.trigger_schedule(id_of(schedule), None).await.unwrap();
    app.complete(backup.id, 100).await;
    let deleted = admin.delete(&one).await.expect(200).json();
    assert_eq!(deleted, json!({ "message": "排程已刪除" }));
    let kept = admin
        .get(&format!("/api/admin/backup/{}", backup.id))
        .await
        .expect(200)
        .json();
    assert_eq!(kept["backup"]["status"], "COMPLETED", "its backups stay");
    let refused = admin.get(&one).await.refused(404, "schedule_not_found").json();
    assert_eq!(refused["error"], "排程不存在");
    admin.delete(&one).await.refused(404, "schedule_not_found");
    admin.patch(&one, "{}").await.refused(404, "schedule_not_found");
    assert_eq!(app.descriptions("SCHEDULE_CREATE").await[0], "創建排程: 每日備份");
    assert_eq!(
        app.descriptions("SCHEDULE_UPDATE").await,
        ["更新排程: 每日備份 (cronExpression, timezone)"]
    );
    assert_eq!(app.descriptions("SCHEDULE_DELETE").await, ["刪除排程: 每日備份"]);
}

async fn a_change_changes_only_what_is_sent(app: TestApp) {
    let admin = app.as_admin().await;
    let mut body = nightly();
    for (field, value) in [
        ("description", json!("note")),
        ("keepDaily", json!(7)),
        ("retentionDays", json!(90)),
    ] {
        body[field] = value;
    }
    let mut expected = make(&admin, body).await;
    let one = path_of(&expected);
    let mut patched = async |change: Value| {
        let answer = admin.patch(&one, &change).await.expect(200).json()["schedule"].clone();
        for (field, value) in change.as_object().unwrap() {
            let goes = ["description", "consolidateEvery"].contains(&field.as_str()) || field.starts_with("keep");
            let stays = value.is_null() && !goes;
            if !stays {
                expected[field] = value.clone();
            }
        }
        expected["nextRunAt"] = answer["nextRunAt"].clone();
        expected["cronDescription"] = answer["cronDescription"].clone();
        assert_eq!(answer, expected, "{change}");
        answer
    };
    patched(json!({})).await;
    for change in [
        json!({ "name": "another" }),
        json!({ "description": "other" }),
        json!({ "description": null }),
        json!({ "backupType": "FULL", "backupSource": "CONFIG" }),
        json!({ "maxBackups": 3 }),
        json!({ "keepDaily": null, "keepYearly": 2 }),
        json!({ "keepHourly": 24, "keepWeekly": 0, "keepMonthly": 6 }),
        json!({ "consolidateEvery": 7 }),
        json!({ "consolidateEvery": null }),
        json!({ "name": null, "timezone": null, "retentionDays": null, "isEnabled": null, "cronExpression": null }),
    ] {
        let answer = patched(change).await;
        assert_eq!(answer["nextRunAt"], "2026-11-24T18:00:00Z");
    }
    assert_eq!(patched(json!({ "isEnabled": false })).await["nextRunAt"], json!(null));
    let again = patched(json!({ "isEnabled": true })).await;
    assert_eq!(again["nextRunAt"], "2026-11-24T18:00:00Z");
    // Refused as a whole: the good half is not kept either.
    admin
        .patch(&one, json!({ "name": "half", "cronExpression": "61 * * * *" }))
        .await
        .refused(400, "cron_invalid");
    patched(json!({})).await;
}

async fn changes_at_once_are_both_kept(app: TestApp) {
    let admin = app.as_admin().await;
    let one = path_of(&make(&admin, nightly()).await);
    let (names, days) = tokio::join!(
        async {
            for round in 0..10 {
                let change = json!({ "name": format!("n{round}") });
                admin.patch(&one, change).await.expect(200);
            }
        },
        async {
            for round in 1..=10 {
                admin.patch(&one, json!({ "retentionDays": round })).await.expect(200);
            }
        }
    );
    let ((), ()) = (names, days);
    let shown = admin.get(&one).await.expect(200).json()["schedule"].clone();
    assert_eq!((&shown["name"], &shown["retentionDays"]), (&json!("n9"), &json!(10)));
}

async fn a_triggered_schedule_makes_its_backup(app: TestApp) {
    let admin = app.as_admin().await;
    let operator = app.as_token(TokenScope::Operate).await;
    let schedule = make(&admin, nightly()).await;
    let trigger = format!("{}/trigger", path_of(&schedule));
    let viewer = app.as_viewer().await;
    viewer.post(&trigger, "").await.refused(403, "forbidden");
    let answer = operator.post(&trigger, "").await.expect(202).json();
    let backup = &answer["backup"];
    assert_eq!(answer["message"], "備份已開始執行");
    assert_eq!(
        (
            &backup["status"],
            &backup["source"],
            &backup["scheduleId"],
            &backup["schedule"]["name"],
            &backup["trigger"]
        ),
        (
            &json!("PENDING"),
            &json!("FILES"),
            &schedule["id"],
            &json!("每日備份"),
            &json!("MANUAL")
        )
    );
    assert_eq!(backup["description"], "排程備份: 每日備份");
    let refused = operator
        .english()
        .post(&trigger, "")
        .await
        .refused(409, "schedule_running");
    assert_eq!(refused.json()["details"]["backupId"], backup["id"]);
    let id: BackupId = backup["id"].as_str().unwrap().parse().unwrap();
    app.complete(id, 600 << 20).await;
    let shown = admin.get(&path_of(&schedule)).await.expect(200).json()["schedule"].clone();
    assert_eq!(shown["_count"]["backups"], 1);
    assert_eq!(shown["lastSuccessAt"], "2026-11-24T00:00:00Z");
    assert_eq!(
        shown["nextRunAt"], "2026-11-24T18:00:00Z",
        "its instants are as they were"
    );

    app.open_storage().await;
    let refuse = json!({ "quotaPolicy": "REFUSE" });
    admin.patch("/api/admin/backup/config", refuse).await.expect(200);
    let refused = operator.post(&trigger, "").await.refused(409, "quota_exceeded");
    assert_eq!(refused.json()["details"]["expectedBytes"], json!(600_u64 << 20));
    operator
        .post(&format!("{ALL}/01890000-0000-7000-8000-000000000000/trigger"), "")
        .await
        .refused(404, "schedule_not_found");
    let told = app.descriptions("SCHEDULE_TRIGGER").await;
    assert_eq!(
        told,
        [format!("觸發排程: 每日備份 ({})", backup["name"].as_str().unwrap())]
    );
}

async fn what_came_of_a_schedule_is_shown(app: TestApp) {
    // A log-in would not last as long.
    let admin = app.as_token(TokenScope::Admin).await;
    let schedule = make(&admin, nightly()).await;
    app.clock.advance(TimeDelta::hours(18));
    let mut made = Vec::new();
    for _ in 0..12 {
        let fired = app.store.fire_due_schedules(10).await.unwrap();
        let backup = fired[0].backup.as_ref().unwrap().id;
        app.complete(backup, 100).await;
        made.insert(0, backup.to_string());
        app.clock.advance(TimeDelta::days(1));
    }
    let one = path_of(&schedule);
    let shown = admin.get(&one).await.expect(200).json()["schedule"].clone();
    assert_eq!(shown["_count"]["backups"], 12);
    let ids: Vec<&str> = shown["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backup| backup["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, made[..10], "the last ten, newest first");
    assert_eq!(shown["backups"][0]["trigger"], "SCHEDULED");
    let firings = shown["firings"].as_array().unwrap();
    assert_eq!(firings.len(), 12);
    assert_eq!(
        firings[0],
        json!({
            "scheduledAt": "2026-12-05T18:00:00Z", "outcome": "STARTED", "backupId": made[0],
            "recordedAt": "2026-12-05T18:00:00Z", "missed": 0,
        })
    );
    // Its backup still runs when the next instant comes.
    assert_eq!(app.store.fire_due_schedules(10).await.unwrap().len(), 1);
    app.clock.advance(TimeDelta::days(3));
    app.store.fire_due_schedules(10).await.unwrap();
    let shown = admin.get(&one).await.expect(200).json()["schedule"].clone();
    assert_eq!(
        (&shown["firings"][0]["outcome"], &shown["firings"][0]["missed"]),
        (&json!("SKIPPED"), &json!(2))
    );
    assert_eq!(shown["backups"][0]["status"], "PENDING");
    let alerts = admin.english().get("/api/admin/backup/alerts").await.expect(200).json();
    let kinds: Vec<&Value> = alerts["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|alert| &alert["kind"])
        .collect();
    assert!(kinds.contains(&&json!("SCHEDULE_SKIPPED")), "{alerts}");
    assert!(alerts.to_string().contains("每日備份"), "{alerts}");
    let status = admin.get("/api/admin/backup/status").await.expect(200).json();
    assert_eq!(
        (&status["nextScheduled"], &status["isAutoBackupEnabled"]),
        (&shown["nextRunAt"], &json!(true))
    );
}

async fn a_preview_says_when_on_days_of_changed_clocks_too(app: TestApp) {
    let viewer = app.as_token(TokenScope::Read).await;
    let preview = async |body: Value| {
        let answer = viewer.post(&format!("{ALL}/preview"), body).await.expect(200);
        answer.json()
    };
    let answer = preview(json!({ "cronExpression": "0 2 * * *" })).await;
    assert_eq!(
        answer["runs"],
        json!([
            "2026-11-24T18:00:00Z",
            "2026-11-25T18:00:00Z",
            "2026-11-26T18:00:00Z",
            "2026-11-27T18:00:00Z",
            "2026-11-28T18:00:00Z"
        ])
    );
    assert_eq!(answer["description"], "每天凌晨 2:00");
    let english = viewer
        .english()
        .post(
            &format!("{ALL}/preview"),
            json!({ "cronExpression": "0 2 * * *", "count": 1 }),
        )
        .await;
    let english = english.expect(200).json();
    assert_eq!(english["runs"].as_array().unwrap().len(), 1);
    assert!(english["description"].as_str().unwrap().is_ascii());
    let many = preview(json!({ "cronExpression": "0 0 29 2 *", "timezone": "UTC", "count": 100 })).await;
    assert_eq!(many["runs"].as_array().unwrap().len(), 100);
    assert_eq!(many["runs"][0], "2028-02-29T00:00:00Z");

    // In Berlin the clock goes from two to three on 28 March 2027, and from three back to two on 31 October.
    let set_to = |app: &TestApp, at: &str| {
        let at: chrono::DateTime<chrono::Utc> = at.parse().unwrap();
        app.clock.advance(at - backup_core::Clock::now(&*app.clock));
    };
    set_to(&app, "2027-03-27T12:00:00Z");
    let berlin = json!({ "cronExpression": "30 2 * * *", "timezone": "Europe/Berlin", "count": 2 });
    let spring = preview(berlin.clone()).await;
    assert_eq!(spring["runs"].as_array().unwrap().len(), 2);
    assert_eq!(spring["runs"][1], "2027-03-29T00:30:00Z", "summer time");
    assert!(
        spring["runs"][0].as_str().unwrap().starts_with("2027-03-28T01:"),
        "the day is not left out"
    );
    set_to(&app, "2027-10-30T12:00:00Z");
    let autumn = preview(berlin).await;
    assert_eq!(
        autumn["runs"],
        json!(["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]),
        "once, though the clock shows it twice"
    );

    let refused = viewer
        .post(&format!("{ALL}/preview"), json!({ "cronExpression": "0 25 * * *" }))
        .await
        .refused(400, "cron_invalid")
        .json();
    assert_eq!(
        refused["error"],
        "無效的 Cron 表達式：「小時」欄位的「25」超出範圍 0-23"
    );
    let details = &refused["details"];
    assert_eq!(
        (&details["cronField"], &details["reason"], &details["value"]),
        (&json!("HOUR"), &json!("OUT_OF_RANGE"), &json!("25"))
    );

    for (client, label) in [
        (viewer.clone(), "每天凌晨 2:00"),
        (viewer.english(), "Every day at 2:00"),
    ] {
        let presets = client.get(&format!("{ALL}/presets")).await.expect(200).json();
        let presets = presets["presets"].as_array().unwrap();
        assert_eq!(presets.len(), 6);
        assert_eq!(
            presets[0],
            json!({ "key": "DAILY_2AM", "expression": "0 2 * * *", "label": label })
        );
        for preset in presets {
            preview(json!({ "cronExpression": preset["expression"] })).await;
        }
    }
}

async fn retention_is_shown_before_it_is_trusted(app: TestApp) {
    // A log-in would not last as long.
    let admin = app.as_token(TokenScope::Admin).await;
    let mut body = nightly();
    body["maxBackups"] = json!(2);
    let schedule = make(&admin, body).await;
    let mut made = Vec::new();
    for _ in 0..4 {
        let backup = app.store.trigger_schedule(id_of(&schedule), None).await.unwrap();
        app.complete(backup.id, 100).await;
        made.insert(0, backup.id.to_string());
        app.clock.advance(TimeDelta::days(1));
    }
    let manual = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
    app.complete(manual, 100).await;
    let protect = format!("/api/admin/backup/{}/protect", made[3]);
    admin.post(&protect, json!({ "protected": true })).await.expect(200);
    let viewer = app.as_token(TokenScope::Read).await;
    let plan = async |body: Value| {
        let answer = viewer
            .post("/api/admin/backup/retention/preview", body)
            .await
            .expect(200);
        answer.json()["decisions"].clone()
    };
    let decision =
        |id: &str, decision: &str, rules: &[&str]| json!({ "backupId": id, "decision": decision, "rules": rules });
    let both = ["retentionDays", "maxBackups"];
    assert_eq!(
        plan(json!({ "scheduleId": schedule["id"] })).await,
        json!([
            decision(&made[0], "KEEP", &[&both[..], &["lastGood"]].concat()),
            decision(&made[1], "KEEP", &both),
            decision(&made[2], "EXPIRE", &["maxBackups"]),
            decision(&made[3], "KEEP", &["protected"]),
        ])
    );
    let kinder = plan(json!({ "scheduleId": schedule["id"], "policy": { "maxBackups": 1, "keepDaily": 3 } })).await;
    assert_eq!(kinder[2], decision(&made[2], "KEEP", &["keepDaily"]));
    let all = plan(json!({ "policy": { "maxBackups": 1 }, "timezone": "UTC", "configKey": "default" })).await;
    assert_eq!(all.as_array().unwrap().len(), 5);
    assert_eq!(all[0]["backupId"], manual.to_string());
    assert_eq!(all[1]["decision"], "EXPIRE");
    let standard = plan(json!({ "policy": {} })).await;
    assert!(
        standard
            .as_array()
            .unwrap()
            .iter()
            .all(|decision| decision["decision"] == "KEEP")
    );
    let left = admin.get("/api/admin/backup").await.expect(200).json();
    assert_eq!(left["total"], 5, "a preview removes nothing");
}

async fn schedules_come_as_events_in_both_languages(app: TestApp) {
    let admin = app.as_admin().await;
    let path = "/api/admin/backup/events";
    let (mut chinese, mut english) = (admin.events(path).await, admin.english().events(path).await);
    assert!(chinese.next_block().await.unwrap().starts_with("id: "));
    assert!(english.next_block().await.unwrap().starts_with("id: "));
    let schedule = make(&admin, nightly()).await;
    let event = chinese.next().await.unwrap();
    assert_eq!((event.name.as_str(), &event.data), ("schedule", &schedule));
    let described = english.next().await.unwrap().data["cronDescription"].clone();
    assert_eq!(
        (&event.data["cronDescription"], &described),
        (&json!("每天凌晨 2:00"), &json!("Every day at 2:00"))
    );
    admin.delete(&path_of(&schedule)).await.expect(200);
    let gone = json!({ "id": schedule["id"], "deleted": true });
    assert_eq!(chinese.next().await.unwrap().data, gone);
}

async fn metrics_tell_of_each_schedule(app: TestApp) {
    let admin = app.as_admin().await;
    let mut body = nightly();
    body["name"] = json!("a \"quoted\\\nname");
    let schedule = make(&admin, body).await;
    body = nightly();
    body["isEnabled"] = json!(false);
    make(&admin, body).await;
    let page = app.client.get("/metrics").await.expect(200).text();
    let labels = format!(
        "{{schedule=\"{}\",name=\"a \\\"quoted\\\\\\nname\"}}",
        schedule["id"].as_str().unwrap()
    );
    for line in [
        "backup_schedules_enabled 1".to_owned(),
        format!("backup_schedule_enabled{labels} 1"),
        format!("backup_schedule_interval_seconds{labels} 86400"),
    ] {
        assert!(page.lines().any(|other| other == line), "{line}: {page}");
    }
}

async fn metrics_tell_of_every_schedule_however_many(app: TestApp) {
    // More than are read at once.
    for number in 0..201 {
        app.new_schedule(&format!("schedule {number}")).await;
    }
    let page = app.client.get("/metrics").await.expect(200).text();
    for number in 0..201 {
        let name = format!("name=\"schedule {number}\"");
        let lines = page.lines().filter(|line| line.contains(&name));
        assert_eq!(lines.count(), 3, "{name}: enabled, the next run and the interval");
    }
}
