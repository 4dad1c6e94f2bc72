//! What no good client sends: each is a clear refusal in both languages, and changes nothing.

use backup_api::{Endpoint, endpoints};
use backup_core::list::BackupListOptions;
use backup_core::restore::{RestoreMode, RestoreOptions};
use backup_core::user::TokenScope;
use backup_core::{AlertKind, BackupSource, BackupTrigger, NewAlert};
use backup_db::{AuditListOptions, NewRestore, RestoreListOptions, ScheduleListOptions};
use serde_json::json;

use crate::support::{Client, Response, TestApp, on_both_catalogs};

on_both_catalogs!(
    no_write_takes_a_wrong_body,
    fields_of_the_wrong_kind_are_named,
    no_schedule_and_no_preview_takes_nonsense,
    no_configuration_takes_nonsense_of_webhooks,
    lists_take_no_nonsense,
    identifiers_are_identifiers,
    a_flood_is_stopped_at_once,
);

/// The app with one of everything, so that what is refused is refused for itself and not because nothing is there.
struct Target {
    app: TestApp,
    admin: Client,
    ids: Vec<(&'static str, String)>,
}

impl Target {
    async fn new(app: TestApp) -> Self {
        let admin = app.as_admin().await;
        let backup = app.new_backup(BackupSource::Files, BackupTrigger::Manual, "").await.id;
        app.complete(backup, 1000).await;
        let restore = NewRestore {
            id: app.ids.next().unwrap(),
            backup_id: backup,
            options: RestoreOptions {
                restore_database: false,
                restore_files: true,
                restore_config: false,
                target_database: None,
                target_dir: Some("/nowhere".to_owned()),
                mode: RestoreMode::New,
                paths: Vec::new(),
                tables: Vec::new(),
                safety_backup: false,
                skip_owner: false,
                skip_tablespaces: false,
                keep_old_hours: 72,
            },
            created_by: None,
        };
        let restore = app.store.create_restore(restore).await.unwrap().id;
        let token = app
            .store
            .create_token("t", "hash", TokenScope::Read, None, None)
            .await
            .unwrap()
            .id;
        let alert = app
            .store
            .raise_alert(NewAlert::new(AlertKind::BackupFailed, "", "x"))
            .await
            .unwrap()
            .alert
            .id;
        let ids = vec![
            ("/alerts/", alert.to_string()),
            ("/users/", app.viewer.id.to_string()),
            ("/tokens/", token.to_string()),
            ("/restore/", restore.to_string()),
            ("/backup/", backup.to_string()),
            ("/schedule/", app.new_schedule("nightly").await.id.to_string()),
        ];
        Self { app, admin, ids }
    }

    /// An endpoint's path for what is there.
    fn path(&self, endpoint: &Endpoint) -> String {
        let stem = endpoint.path.split("{id}").next().unwrap();
        let id = self
            .ids
            .iter()
            .find(|(end, _)| stem.ends_with(end))
            .map(|(_, id)| id.as_str());
        endpoint
            .path
            .replace("{id}", id.unwrap_or("01890000-0000-7000-8000-000000000000"))
    }

    /// All that a request could have changed.
    async fn state(&self) -> String {
        let store = &self.app.store;
        let backups = BackupListOptions {
            limit: 200,
            ..BackupListOptions::default()
        };
        let restores = RestoreListOptions {
            limit: 200,
            ..RestoreListOptions::default()
        };
        let schedules = ScheduleListOptions {
            limit: 200,
            ..ScheduleListOptions::default()
        };
        let audit = AuditListOptions {
            limit: 200,
            ..AuditListOptions::default()
        };
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            store.list_backups(&backups).await.unwrap(),
            store.list_restores(&restores).await.unwrap(),
            store.list_users().await.unwrap(),
            store.list_tokens().await.unwrap(),
            store.list_alerts(true, 200).await.unwrap(),
            store.list_schedules(&schedules).await.unwrap(),
            store.list_audit(&audit).await.unwrap().total,
        )
    }

    /// Sends it in both languages; the refusals differ in the sentence alone.
    async fn refused(&self, client: &Client, method: &str, path: &str, body: &str) -> Response {
        let response = client.send(method, path, body).await;
        let short = |text: &str| text.chars().take(80).collect::<String>();
        let what = format!("{method} {} {}: {}", short(path), short(body), response.text());
        assert!((400..500).contains(&response.status), "{} {what}", response.status);
        assert!(![401, 403].contains(&response.status), "{} {what}", response.status);
        let english = client.english().send(method, path, body).await;
        assert_eq!(
            (response.status, response.code()),
            (english.status, english.code()),
            "{what}"
        );
        let sentence = |response: &Response| response.json()["error"].as_str().unwrap().to_owned();
        assert!(
            !response.code().is_empty() && sentence(&english) != english.code(),
            "{what}"
        );
        assert!(
            sentence(&response).chars().any(|c| ('一'..='龥').contains(&c)),
            "{what}"
        );
        assert!(sentence(&english).ends_with('.'), "{what}");
        response
    }
}

fn writes() -> impl Iterator<Item = Endpoint> {
    let all = endpoints().into_iter();
    all.filter(|endpoint| !["GET", "HEAD"].contains(&endpoint.method.as_str()))
}

async fn no_write_takes_a_wrong_body(app: TestApp) {
    let target = Target::new(app).await;
    let before = target.state().await;
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let wide = format!("{{{}\"z\":1}}", "\"z\":1,".repeat(5_000));
    let plain = target.admin.with("Content-Type", "text/plain");
    let none = target.admin.with("Content-Type", "");
    for endpoint in writes() {
        let (method, path) = (endpoint.method.as_str(), target.path(&endpoint));
        for body in [
            "{",
            "}",
            "[]",
            "null",
            "7",
            "\"x\"",
            "{\"a\":}",
            "{'a':1}",
            "{\"a\":1}{",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e999}",
            "{\"type\":\"FULL\",\"type\":\"FULL\"}",
            &deep,
            &wide,
        ] {
            target
                .refused(&target.admin, method, &path, body)
                .await
                .refused(400, "body_invalid");
        }
        for body in ["{\"nosuch\":1}", "{\"__proto__\":{}}", "{\"\\u0000\":null}"] {
            let response = target.refused(&target.admin, method, &path, body).await.expect(400);
            assert!(
                ["field_unknown", "field_missing"].contains(&response.code().as_str()),
                "{}",
                response.text()
            );
        }
        for client in [&plain, &none] {
            target
                .refused(client, method, &path, "{}")
                .await
                .refused(415, "content_type_unsupported");
        }
    }
    assert_eq!(target.state().await, before);
}

async fn fields_of_the_wrong_kind_are_named(app: TestApp) {
    let target = Target::new(app).await;
    let before = target.state().await;
    let (user, backup) = (&target.ids[1].1, &target.ids[4].1);
    let users = "/api/admin/users".to_owned();
    let one = format!("/api/admin/users/{user}");
    let tokens = "/api/admin/tokens".to_owned();
    let backups = "/api/admin/backup".to_owned();
    let of_backup = |act: &str| format!("/api/admin/backup/{backup}/{act}");
    let long = "x".repeat(60_000);
    for (method, path, body, field) in [
        ("POST", &users, json!({ "email": 7 }), "email"),
        ("POST", &users, json!({ "email": "a@b\u{0}.c" }), "email"),
        ("POST", &users, json!({ "email": long }), "email"),
        (
            "POST",
            &users,
            json!({ "email": "a@b.c", "displayName": long }),
            "displayName",
        ),
        (
            "POST",
            &users,
            json!({ "email": "a@b.c", "displayName": "a\u{0}" }),
            "displayName",
        ),
        ("POST", &users, json!({ "email": "a@b.c", "password": {} }), "password"),
        ("POST", &users, json!({ "email": "a@b.c", "role": [] }), "role"),
        ("PATCH", &one, json!({ "role": "OWNER" }), "role"),
        ("PATCH", &one, json!({ "isActive": 1 }), "isActive"),
        ("PATCH", &one, json!({ "displayName": {} }), "displayName"),
        ("POST", &tokens, json!({ "name": "a\u{0}" }), "name"),
        ("POST", &tokens, json!({ "name": "a", "scope": "ROOT" }), "scope"),
        (
            "POST",
            &tokens,
            json!({ "name": "a", "expiresAt": "tomorrow" }),
            "expiresAt",
        ),
        ("POST", &backups, json!({ "type": "HALF" }), "type"),
        ("POST", &backups, json!({ "source": {} }), "source"),
        ("POST", &backups, json!({ "description": "a\u{0}b" }), "description"),
        (
            "POST",
            &of_backup("protect"),
            json!({ "protected": "yes" }),
            "protected",
        ),
        ("POST", &of_backup("verify"), json!({ "level": "DEEP" }), "level"),
        ("POST", &of_backup("restore"), json!({ "mode": "OVER" }), "mode"),
        (
            "POST",
            &of_backup("restore"),
            json!({ "mode": "NEW", "targetDir": "../x" }),
            "targetDir",
        ),
        (
            "POST",
            &of_backup("restore"),
            json!({ "mode": "NEW", "paths": "a" }),
            "paths",
        ),
    ] {
        let response = target
            .refused(&target.admin, method, path, &body.to_string())
            .await
            .expect(400);
        assert_eq!(response.json()["details"]["field"], field, "{}", response.text());
    }
    // A name that is taken already.
    let taken = json!({ "email": "VIEWER@example.org" }).to_string();
    target
        .refused(&target.admin, "POST", &users, &taken)
        .await
        .refused(409, "account_exists");
    assert_eq!(target.state().await, before);
}

async fn no_schedule_and_no_preview_takes_nonsense(app: TestApp) {
    let target = Target::new(app).await;
    let before = target.state().await;
    let all = "/api/admin/backup/schedule";
    let one = format!("{all}/{}", target.ids[5].1);
    let preview = format!("{all}/preview");
    let whole = json!({
        "name": "n", "backupType": "FULL", "backupSource": "FILES", "cronExpression": "0 2 * * *",
    });
    let with = |name: &str, value: &serde_json::Value| {
        let mut body = whole.clone();
        body[name] = value.clone();
        body.to_string()
    };
    let refused = async |method: &str, path: &str, body: &str, code: &str| {
        target
            .refused(&target.admin, method, path, body)
            .await
            .refused(400, code)
    };
    let zeros = "0".repeat(201);
    let spaces = format!("{}0 2 * * *", " ".repeat(1_000));
    let commas = format!("{} * * * *", ",".repeat(150));
    for cron in [
        "",
        " ",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "-1 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "* * * 12-1 *",
        "*/0 * * * *",
        "*/99 * * * *",
        "5/5 * * * *",
        "1,,2 * * * *",
        ",1 * * * *",
        "1, * * * *",
        "*,1 * * * *",
        "a * * * *",
        "1e1 * * * *",
        "0x1 * * * *",
        "+1 * * * *",
        "1.5 * * * *",
        "99999999999999999999 * * * *",
        "* * 15W * *",
        "* * LW * *",
        "* * * * 5#6",
        "* * * * 5#0",
        "0 0 31 2 *",
        "0 0 30 FEB *",
        "@noon",
        "@",
        "@reboot",
        "\u{0} * * * *",
        "* * * * *\u{0}",
        "１ * * * *",
        "٣ * * * *",
        "; rm -rf / *",
        "$(id) * * * *",
        "{value} * * * *",
        "* * * * \u{202e}",
        &zeros,
        &spaces,
        &commas,
    ] {
        let cron = json!(cron);
        for (method, path) in [("POST", all), ("PATCH", one.as_str()), ("POST", preview.as_str())] {
            let body = if path == all {
                with("cronExpression", &cron)
            } else {
                json!({ "cronExpression": cron }).to_string()
            };
            let answer = refused(method, path, &body, "cron_invalid").await;
            let text = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(
                text.starts_with("無效的 Cron 表達式：") && text.chars().count() < 200,
                "{text}"
            );
            assert_eq!(answer.json()["details"]["field"], "cronExpression");
        }
    }
    let long = "x".repeat(60_000);
    for zone in [
        "",
        "Nowhere",
        "asia/taipei",
        " Asia/Taipei",
        "UTC+8",
        "+08:00",
        "../../etc/passwd",
        "\u{0}",
        &long,
    ] {
        for (method, path) in [("POST", all), ("PATCH", one.as_str()), ("POST", preview.as_str())] {
            let body = if method == "POST" {
                with("timezone", &json!(zone))
            } else {
                json!({ "timezone": zone }).to_string()
            };
            let body = if path == preview {
                json!({ "cronExpression": "0 2 * * *", "timezone": zone }).to_string()
            } else {
                body
            };
            let answer = refused(method, path, &body, "timezone_unknown").await;
            assert_eq!(answer.json()["details"]["field"], "timezone");
        }
    }
    for (field, value, code) in [
        ("name", json!(7), "field_invalid"),
        ("name", json!("x".repeat(101)), "field_invalid"),
        ("name", json!("a\u{0}"), "field_invalid"),
        ("description", json!("x".repeat(501)), "field_invalid"),
        ("description", json!([]), "field_invalid"),
        ("backupType", json!("HALF"), "invalid_backup_type"),
        ("backupType", json!(1), "invalid_backup_type"),
        ("backupSource", json!("DISK"), "invalid_backup_source"),
        ("backupSource", json!({}), "invalid_backup_source"),
        ("cronExpression", json!(["0 2 * * *"]), "field_invalid"),
        ("timezone", json!(8), "field_invalid"),
        ("retentionDays", json!(0), "field_invalid"),
        ("retentionDays", json!(3651), "field_invalid"),
        ("retentionDays", json!(-1), "field_invalid"),
        ("retentionDays", json!(1.5), "field_invalid"),
        ("retentionDays", json!("30"), "field_invalid"),
        ("maxBackups", json!(0), "field_invalid"),
        ("maxBackups", json!(1001), "field_invalid"),
        ("maxBackups", json!(1e300), "field_invalid"),
        ("keepHourly", json!(1001), "field_invalid"),
        ("keepDaily", json!(-1), "field_invalid"),
        ("keepWeekly", json!(u64::MAX), "field_invalid"),
        ("keepMonthly", json!(true), "field_invalid"),
        ("keepYearly", json!([1]), "field_invalid"),
        ("consolidateEvery", json!(0), "field_invalid"),
        ("consolidateEvery", json!(201), "field_invalid"),
        ("isEnabled", json!("yes"), "field_invalid"),
        ("configKey", json!({}), "field_invalid"),
        ("nextRunAt", json!("2026-11-24T00:00:00Z"), "field_unknown"),
        ("id", json!("01890000-0000-7000-8000-000000000000"), "field_unknown"),
        ("_count", json!({ "backups": 1 }), "field_unknown"),
        ("cron_expression", json!("0 2 * * *"), "field_unknown"),
    ] {
        let answer = refused("POST", all, &with(field, &value), code).await;
        assert_eq!(answer.json()["details"]["field"], field);
        let answer = refused("PATCH", &one, &json!({ field: value }).to_string(), code).await;
        assert_eq!(answer.json()["details"]["field"], field);
    }
    for field in ["name", "backupType", "backupSource", "cronExpression"] {
        let answer = refused("POST", all, &with(field, &json!(null)), "field_missing").await;
        assert_eq!(answer.json()["details"]["field"], field);
    }
    refused("PATCH", &one, r#"{"name":"  "}"#, "field_invalid").await;
    for (method, path) in [("POST", all), ("PATCH", one.as_str())] {
        let body = if method == "POST" {
            with("configKey", &json!("nowhere"))
        } else {
            json!({ "configKey": "nowhere" }).to_string()
        };
        let answer = target.refused(&target.admin, method, path, &body).await;
        answer.refused(404, "config_not_found");
    }
    for count in [json!(0), json!(101), json!(-1), json!("5"), json!(1.5)] {
        let body = json!({ "cronExpression": "0 2 * * *", "count": count }).to_string();
        refused("POST", &preview, &body, "field_invalid").await;
    }
    let plan = "/api/admin/backup/retention/preview";
    let id = &target.ids[5].1;
    for (body, code, field) in [
        (json!({}), "field_missing", "scheduleId"),
        (
            json!({ "timezone": "UTC", "configKey": "default" }),
            "field_missing",
            "scheduleId",
        ),
        (json!({ "scheduleId": "1" }), "invalid_id", "scheduleId"),
        (json!({ "scheduleId": 1 }), "invalid_id", "scheduleId"),
        (json!({ "policy": 1 }), "field_invalid", "policy"),
        (
            json!({ "policy": { "retentionDays": 0 } }),
            "field_invalid",
            "policy.retentionDays",
        ),
        (
            json!({ "policy": { "keepDaily": 1001 } }),
            "field_invalid",
            "policy.keepDaily",
        ),
        (
            json!({ "policy": { "keepdaily": 1 } }),
            "field_unknown",
            "policy.keepdaily",
        ),
        (
            json!({ "policy": {}, "timezone": "Mars" }),
            "timezone_unknown",
            "timezone",
        ),
        (
            json!({ "scheduleId": id, "timezone": "UTC" }),
            "field_invalid",
            "timezone",
        ),
        (
            json!({ "scheduleId": id, "configKey": "default" }),
            "field_invalid",
            "configKey",
        ),
    ] {
        let answer = refused("POST", plan, &body.to_string(), code).await;
        assert_eq!(answer.json()["details"]["field"], field, "{body}");
    }
    for (body, code) in [
        (
            json!({ "scheduleId": "01890000-0000-7000-8000-000000000000" }),
            "schedule_not_found",
        ),
        (json!({ "policy": {}, "configKey": "nowhere" }), "config_not_found"),
    ] {
        let answer = target.refused(&target.admin, "POST", plan, &body.to_string()).await;
        answer.refused(404, code);
    }
    assert_eq!(target.state().await, before);
}

async fn no_configuration_takes_nonsense_of_webhooks(app: TestApp) {
    let target = Target::new(app).await;
    target.app.open_storage().await;
    let path = "/api/admin/backup/config";
    let hook = |changes: serde_json::Value| {
        let mut hook = json!({ "name": "a", "url": "https://hooks.example/canary-path" });
        for (name, value) in changes.as_object().unwrap() {
            hook[name] = value.clone();
        }
        hook
    };
    let one = |changes| json!({ "webhooks": [hook(changes)] });
    let canary = "https://hooks.example/canary-path";
    for (body, field) in [
        (json!({ "webhooks": canary }), "webhooks"),
        (json!({ "webhooks": [canary] }), "webhooks"),
        (json!({ "webhooks": { "a": canary } }), "webhooks"),
        (json!({ "webhooks": vec![hook(json!({})); 21] }), "webhooks"),
        (json!({ "webhooks": vec![hook(json!({})); 2] }), "webhooks[1].name"),
        (one(json!({ "name": "x".repeat(51) })), "webhooks[0].name"),
        (one(json!({ "name": "a\u{0}" })), "webhooks[0].name"),
        (one(json!({ "preset": "IRC" })), "webhooks[0].preset"),
        (one(json!({ "url": [canary] })), "webhooks[0].url"),
        (one(json!({ "url": "" })), "webhooks[0].url"),
        (one(json!({ "url": "canary-path" })), "webhooks[0].url"),
        (
            one(json!({ "url": "ftp://hooks.example/canary-path" })),
            "webhooks[0].url",
        ),
        (one(json!({ "url": "https://:80/canary-path" })), "webhooks[0].url"),
        (
            one(json!({ "url": "https://a.example/canary-path\u{0}" })),
            "webhooks[0].url",
        ),
        (
            one(json!({ "url": format!("{canary}{}", "a".repeat(5_000)) })),
            "webhooks[0].url",
        ),
        (one(json!({ "template": "{" })), "webhooks[0].template"),
        (one(json!({ "template": "" })), "webhooks[0].template"),
        (
            one(json!({ "template": r#"{"a":"{password}"}"# })),
            "webhooks[0].template",
        ),
        (
            one(json!({ "template": format!("\"{}\"", "a".repeat(17_000)) })),
            "webhooks[0].template",
        ),
        (
            one(json!({ "template": "{}", "preset": "SLACK" })),
            "webhooks[0].template",
        ),
        (one(json!({ "onSuccess": "yes" })), "webhooks[0].onSuccess"),
        (json!({ "notificationLanguage": "fr" }), "notificationLanguage"),
        (json!({ "notificationLanguage": 1 }), "notificationLanguage"),
        (json!({ "usageAlertPercents": 80 }), "usageAlertPercents"),
        (json!({ "usageAlertPercents": [0] }), "usageAlertPercents"),
        (json!({ "usageAlertPercents": [101] }), "usageAlertPercents"),
        (json!({ "usageAlertPercents": [90, 80] }), "usageAlertPercents"),
        (json!({ "usageAlertPercents": [80, 80] }), "usageAlertPercents"),
        (json!({ "usageAlertPercents": [80.5] }), "usageAlertPercents"),
        (
            json!({ "usageAlertPercents": (1..=11).collect::<Vec<_>>() }),
            "usageAlertPercents",
        ),
        (json!({ "verifyWithinDays": 0 }), "verifyWithinDays"),
        (json!({ "verifyWithinDays": 3651 }), "verifyWithinDays"),
        (json!({ "maxConcurrentJobs": 0 }), "maxConcurrentJobs"),
        (json!({ "maxConcurrentJobs": 1001 }), "maxConcurrentJobs"),
    ] {
        let answer = target.refused(&target.admin, "PATCH", path, &body.to_string()).await;
        let answer = answer.refused(400, "field_invalid");
        assert_eq!(answer.json()["details"]["field"], field, "{}", answer.text());
        assert!(!answer.text().contains("canary"), "{}", answer.text());
    }
    for (body, code, field) in [
        (
            json!({ "webhooks": [{ "name": "a" }] }),
            "field_missing",
            "webhooks[0].url",
        ),
        (
            json!({ "webhooks": [{ "name": "a", "url": "***" }] }),
            "field_missing",
            "webhooks[0].url",
        ),
        (
            json!({ "webhooks": [{ "url": canary }] }),
            "field_missing",
            "webhooks[0].name",
        ),
        (
            one(json!({ "secret": "canary" })),
            "field_unknown",
            "webhooks[0].secret",
        ),
    ] {
        let answer = target.refused(&target.admin, "PATCH", path, &body.to_string()).await;
        assert_eq!(answer.refused(400, code).json()["details"]["field"], field, "{body}");
    }
    assert!(
        target.app.store.list_configs().await.unwrap().is_empty(),
        "nothing was kept"
    );
}

async fn lists_take_no_nonsense(app: TestApp) {
    let target = Target::new(app).await;
    let before = target.state().await;
    for endpoint in endpoints() {
        let admin_path = endpoint.path.starts_with("/api/admin");
        if endpoint.method.as_str() != "GET" || !admin_path {
            continue;
        }
        let path = format!("{}?path=files/a", target.path(&endpoint));
        let path = if endpoint.path.contains("/contents") {
            path + "&"
        } else {
            path.replace("path=files/a", "")
        };
        for (query, code) in [
            ("nosuch=1", "parameter_unknown"),
            ("limit=1&limit=1", "parameter_repeated"),
            ("%00=1", "parameter_unknown"),
        ] {
            let response = target
                .refused(&target.admin, "GET", &format!("{path}{query}"), "")
                .await;
            response.refused(400, code);
        }
    }
    let contents = format!("/api/admin/backup/{}/contents", target.ids[4].1);
    for (path, paged) in [
        ("/api/admin/backup", true),
        ("/api/admin/restore", true),
        ("/api/admin/audit", true),
        ("/api/admin/backup/alerts", true),
        ("/api/admin/backup/schedule", true),
        ("/api/admin/backup/usage", false),
        (contents.as_str(), false),
    ] {
        let numbers = [
            "0",
            "-1",
            "1000000000",
            "99999999999999999999999",
            "1.5",
            "1e3",
            "ten",
            "",
            "%2B1",
            "%00",
        ];
        for number in numbers {
            let url = format!("{path}?limit={number}");
            target
                .refused(&target.admin, "GET", &url, "")
                .await
                .refused(400, "parameter_invalid");
        }
        for number in ["-1", "99999999999999999999999", "x"].into_iter().filter(|_| paged) {
            let url = format!("{path}?offset={number}");
            target
                .refused(&target.admin, "GET", &url, "")
                .await
                .refused(400, "parameter_invalid");
        }
        if paged {
            // As far as one can go there is nothing, and that is no error.
            target
                .admin
                .get(&format!("{path}?offset={}", i64::MAX))
                .await
                .expect(200);
        }
    }
    for url in [
        "/api/admin/backup?dateFrom=2026-11-25&dateTo=2026-11-24",
        "/api/admin/backup/usage?from=2026-11-25&to=2026-11-24",
        "/api/admin/audit?from=2026-11-25&to=2026-11-24",
        "/api/admin/audit/export?from=2026-11-25&to=2026-11-24",
    ] {
        target
            .refused(&target.admin, "GET", url, "")
            .await
            .refused(400, "span_reversed");
    }
    for url in [
        "/api/admin/backup?dateFrom=9999999-01-01",
        "/api/admin/audit?from=-5000-01-01T00:00:00Z",
        "/api/admin/backup/usage?to=2026-02-30",
        "/api/admin/audit?action=%00",
        "/api/admin/backup/alerts?state=open",
        "/api/admin/backup?status=%F0%9F%92%A3",
    ] {
        target
            .refused(&target.admin, "GET", url, "")
            .await
            .refused(400, "parameter_invalid");
    }
    let long = "a".repeat(10 << 10);
    for name in ["action", "resourceType", "resourceId", "userId"] {
        target
            .refused(&target.admin, "GET", &format!("/api/admin/audit?{name}={long}"), "")
            .await
            .expect(400);
    }
    assert_eq!(target.state().await, before);
}

async fn identifiers_are_identifiers(app: TestApp) {
    let target = Target::new(app).await;
    let before = target.state().await;
    let long = "a".repeat(10 << 10);
    for endpoint in endpoints() {
        if !endpoint.path.contains("{id}") || endpoint.method.as_str() == "HEAD" {
            continue;
        }
        for id in [
            long.as_str(),
            "1",
            "%00",
            "..%2f..%2fetc%2fpasswd",
            "'%20OR%201=1--",
            "%27%3B%20DROP%20TABLE%20users",
            "01890000-0000-7000-8000-00000000000",
            "01890000-0000-7000-8000-00000000000g",
            "%E5%82%99%E4%BB%BD",
            "%7Bid%7D",
            "*",
        ] {
            let path = endpoint.path.replace("{id}", id);
            let response = target.refused(&target.admin, endpoint.method.as_str(), &path, "").await;
            assert!([400, 404, 405].contains(&response.status), "{}", response.text());
        }
    }
    // A path of more than a head may hold, and one that is no text.
    let response = target
        .admin
        .get(&format!("/api/admin/backup/{}", "%ff".repeat(3)))
        .await;
    assert!([400, 404].contains(&response.status), "{}", response.text());
    assert_eq!(target.state().await, before);
}

async fn a_flood_is_stopped_at_once(app: TestApp) {
    const FLOOD: u64 = 100 << 20;
    let target = Target::new(app).await;
    let before = target.state().await;
    for endpoint in writes() {
        let (method, path) = (endpoint.method.as_str(), target.path(&endpoint));
        for chunked in [false, true] {
            let response = target.admin.flood(method, &path, FLOOD, chunked).await;
            response.refused(413, "body_too_large");
            let response = target.app.client.flood(method, &path, FLOOD, chunked).await;
            assert!(
                [401, 413].contains(&response.status),
                "{method} {path}: {}",
                response.text()
            );
        }
    }
    assert_eq!(target.state().await, before);
    target.admin.get("/api/admin/backup").await.expect(200);
}
