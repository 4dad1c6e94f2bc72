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
