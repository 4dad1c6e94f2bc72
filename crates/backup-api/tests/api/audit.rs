//! The audit log, page by page and as a whole.

use std::fs;
use std::time::Duration;

use backup_core::UserId;
use backup_core::user::TokenScope;
use backup_db::NewAuditEntry;
use backup_tests::poll;
use chrono::TimeDelta;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::support::{Catalog, Client, TestApp, on_both_catalogs};

on_both_catalogs!(
    entries_say_who_did_what,
    every_filter_gives_what_it_names,
    an_export_holds_every_entry_once,
);

fn entry(user_id: Option<UserId>, action: &str, resource_id: usize) -> NewAuditEntry {
    NewAuditEntry {
        user_id,
        action: action.to_owned(),
        resource_type: "Thing".to_owned(),
        resource_id: Some(resource_id.to_string()),
        description: format!("測試\n{resource_id}"),
        address: Some("2001:db8::1".to_owned()),
    }
}

async fn list(client: &Client, query: &str) -> Value {
    client
        .get(&format!("/api/admin/audit?{query}"))
        .await
        .expect(200)
        .json()
}

async fn entries_say_who_did_what(app: TestApp) {
    let admin = app.as_admin().await;
    app.store
        .append_audit(entry(Some(app.viewer.id), "THING_DO", 1))
        .await
        .unwrap();
    app.store.append_audit(entry(None, "THING_DO", 2)).await.unwrap();
    let page = list(&admin, "action=THING_DO&resourceId=1").await;
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"]),
        (&json!(1), &json!(50), &json!(0))
    );
    let found = &page["entries"][0];
    assert_eq!(
        (
            &found["userId"],
            &found["user"],
            &found["resourceType"],
            &found["description"],
            &found["address"]
        ),
        (
            &json!(app.viewer.id),
            &json!({ "email": "viewer@example.org", "displayName": "VIEWER 測試" }),
            &json!("Thing"),
            &json!("測試\n1"),
            &json!("2001:db8::1"),
        )
    );
    let system = &list(&admin, "action=THING_DO&resourceId=2").await["entries"][0];
    assert_eq!((&system["userId"], &system["user"]), (&json!(null), &json!(null)));
    // Who is gone is still the one who did it.
    admin
        .delete(&format!("/api/admin/users/{}", app.viewer.id))
        .await
        .expect(200);
    let found = &list(&admin, "action=THING_DO&resourceId=1").await["entries"][0];
    assert_eq!(
        (&found["userId"], &found["user"]),
        (&json!(app.viewer.id), &json!(null))
    );
    for path in ["/api/admin/audit", "/api/admin/audit/export"] {
        app.as_token(TokenScope::Operate)
            .await
            .get(path)
            .await
            .refused(403, "forbidden");
    }
}

async fn every_filter_gives_what_it_names(app: TestApp) {
    let admin = app.as_admin().await;
    for number in 0..9 {
        app.clock.advance(TimeDelta::seconds(1));
        let user = (number % 3 == 0).then_some(app.viewer.id);
        let action = if number % 2 == 0 { "EVEN" } else { "ODD" };
        app.store.append_audit(entry(user, action, number)).await.unwrap();
    }
    let viewer = app.viewer.id;
    let ids = async |query: &str| {
        let page = list(&admin, query).await;
        let ids: Vec<String> = page["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["resourceId"].as_str().unwrap().to_owned())
            .collect();
        (ids.concat(), page["total"].as_u64().unwrap())
    };
    for (query, expected, total) in [
        ("resourceType=Thing".to_owned(), "876543210", 9),
        ("resourceType=Thing&limit=2&offset=3".to_owned(), "54", 9),
        ("resourceType=Thing&offset=99".to_owned(), "", 9),
        (format!("userId={viewer}"), "630", 3),
        (format!("userId={viewer}&action=EVEN"), "60", 2),
        ("action=ODD&resourceId=3".to_owned(), "3", 1),
        ("resourceType=thing".to_owned(), "", 0),
        ("from=2026-11-24T00:00:02Z&to=2026-11-24T00:00:04Z".to_owned(), "321", 3),
    ] {
        assert_eq!(ids(&query).await, (expected.to_owned(), total), "{query}");
    }
    for (query, code) in [
        ("userId=me", "invalid_id"),
        ("limit=201", "parameter_invalid"),
        ("from=2026-11-25&to=2026-11-24", "span_reversed"),
        ("sort=at", "parameter_unknown"),
    ] {
        admin.get(&format!("/api/admin/audit?{query}")).await.refused(400, code);
    }
    admin
        .get("/api/admin/audit/export?limit=5")
        .await
        .refused(400, "parameter_unknown");
}

async fn an_export_holds_every_entry_once(app: TestApp) {
    let admin = app.as_admin().await;
    // More than two of the export's own pages, with many at the same instant where these meet.
    for number in 0..2_345 {
        if number % 400 == 0 {
            app.clock.advance(TimeDelta::microseconds(100));
        }
        let user = (number % 2 == 0).then_some(app.admin.id);
        app.store.append_audit(entry(user, "THING_DO", number)).await.unwrap();
    }
    let mut listed = Vec::new();
    while listed.len() < 2_345 {
        let page = list(&admin, &format!("action=THING_DO&limit=200&offset={}", listed.len())).await;
        listed.extend(page["entries"].as_array().unwrap().clone());
    }
    let export = admin.get("/api/admin/audit/export?action=THING_DO").await.expect(200);
    assert_eq!(export.header("content-type"), Some("application/x-ndjson"));
    assert!(export.complete);
    let exported: Vec<Value> = export
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(exported.len(), 2_345);
    assert!(exported == listed, "not the same entries in the same order");
    let none = admin.get("/api/admin/audit/export?action=NOTHING").await.expect(200);
    assert!(none.complete && none.body.is_empty());
    assert_eq!(app.descriptions("AUDIT_EXPORT").await.len(), 2);
}

/// The server's end of a connection, by the name that its file has in this process.
fn server_end(ours: &TcpStream) -> String {
    let hex = |port: u16| format!("0100007F:{port:04X}");
    let (from, to) = (ours.peer_addr().unwrap(), ours.local_addr().unwrap());
    let ends = format!(" {} {} ", hex(from.port()), hex(to.port()));
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let line = table.lines().find(|line| line.contains(&ends)).unwrap();
    format!("socket:[{}]", line.split_whitespace().nth(9).unwrap())
}

fn is_open(file: &str) -> bool {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let mut targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_str() == Some(file))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_whose_connection_breaks_is_recorded() {
    let app = TestApp::start(Catalog::Postgres).await;
    let admin = app.as_admin().await;
    let database = app.database.clone().unwrap();
    let locks = "FROM pg_locks WHERE relation = 'system_pause'::regclass AND";
    let wait_for = |what: &str| {
        let sql = format!("SELECT count(*) > 0 {locks} {what}");
        let found = poll(Duration::from_secs(30), || (database.psql(&sql) == "t").then_some(()));
        assert!(found.is_some(), "{what}");
    };
    let holder = database.clone();
    std::thread::spawn(move || holder.try_psql("BEGIN; LOCK TABLE system_pause; SELECT pg_sleep(600)"));
    wait_for("mode = 'AccessExclusiveLock' AND granted");

    let ours = admin
        .ask("POST", "/api/admin/system/pause", json!({ "reason": "unseen" }))
        .await;
    wait_for("NOT granted");
    let theirs = server_end(&ours);
    assert!(is_open(&theirs));
    // Reset, not closed.
    ours.set_zero_linger().unwrap();
    drop(ours);
    let gone = poll(Duration::from_secs(30), || (!is_open(&theirs)).then_some(()));
    assert!(gone.is_some(), "the server has not noticed");
    database.psql(&format!("SELECT pg_terminate_backend(pid) {locks} granted"));

    let recorded = async {
        while app.audited().await != ["LOGIN", "SYSTEM_PAUSE"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), recorded)
        .await
        .expect("the pause is not in the audit log");
    let pause = app.store.system_pause().await.unwrap();
    assert_eq!(pause.unwrap().reason, "unseen");
}
