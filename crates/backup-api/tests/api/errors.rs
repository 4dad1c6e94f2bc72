//! The form of errors, in both languages.

use std::time::Duration;

use backup_api::ApiSettings;
use backup_tests::postgres::Postgres;
use serde_json::json;

use crate::support::{Catalog, TestApp, on_both_catalogs};

on_both_catalogs!(
    errors_are_in_the_callers_language,
    bodies_are_read_strictly,
    parameters_are_read_strictly,
    what_is_not_there_says_so,
);

const UNKNOWN: &str = "/api/admin/backup/01890000-0000-7000-8000-000000000000";

async fn errors_are_in_the_callers_language(app: TestApp) {
    let (admin, viewer) = (app.as_admin().await, app.as_viewer().await);
    let missing = admin.get(UNKNOWN).await.expect(404);
    assert_eq!(
        missing.json(),
        json!({ "error": "備份不存在", "code": "backup_not_found" })
    );
    assert_eq!(missing.header("content-language"), Some("zh-TW"));
    let missing = admin.english().get(UNKNOWN).await.expect(404);
    assert_eq!(
        missing.json(),
        json!({ "error": "The backup does not exist.", "code": "backup_not_found" })
    );
    let mixed = admin
        .with("Accept-Language", "fr, en;q=0.3, zh-TW;q=0.8")
        .get(UNKNOWN)
        .await;
    assert_eq!(mixed.json()["error"], "備份不存在");

    let forbidden = viewer.post("/api/admin/backup", "{}").await.expect(403);
    assert_eq!(forbidden.json(), json!({ "error": "權限不足", "code": "forbidden" }));
    let nobody = app.client.get("/api/admin/backup").await.expect(401);
    assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
}

async fn bodies_are_read_strictly(app: TestApp) {
    let admin = app.as_admin().await;
    for (body, code, error) in [
        (r#"{"type":"HALF"}"#, "invalid_backup_type", "無效的備份類型"),
        (r#"{"type":7}"#, "invalid_backup_type", "無效的備份類型"),
        (r#"{"source":"database"}"#, "invalid_backup_source", "無效的備份來源"),
        (r#"{"sauce":"FILES"}"#, "field_unknown", "未知的欄位 sauce"),
        (r#"{"description":["x"]}"#, "field_invalid", "欄位 description 無效"),
        ("[]", "body_invalid", "請求內容不是有效的 JSON 物件"),
        ("{", "body_invalid", "請求內容不是有效的 JSON 物件"),
    ] {
        let response = admin.post("/api/admin/backup", body).await.refused(400, code);
        assert_eq!(response.json()["error"], error, "{body}");
        assert!(!response.json()["details"].is_null(), "{body}");
    }
    let long = json!({ "description": "x".repeat(100_000) });
    admin
        .post("/api/admin/backup", long)
        .await
        .refused(413, "body_too_large");
    let form = admin.with("Content-Type", "application/x-www-form-urlencoded");
    form.post("/api/admin/backup", "type=FULL")
        .await
        .refused(415, "content_type_unsupported");
    let total = admin.get("/api/admin/backup").await.json()["total"].clone();
    assert_eq!(total, 0, "nothing was created");
}

async fn parameters_are_read_strictly(app: TestApp) {
    let admin = app.as_admin().await;
    for (query, code) in [
        ("status=DONE", "parameter_invalid"),
        ("type=full", "invalid_backup_type"),
        ("source=", "invalid_backup_source"),
        ("trigger=x", "parameter_invalid"),
        ("scheduleId=1", "invalid_id"),
        ("dateFrom=yesterday", "parameter_invalid"),
        ("dateTo=2026-02-30", "parameter_invalid"),
        ("limit=0", "parameter_invalid"),
        ("limit=201", "parameter_invalid"),
        ("offset=-1", "parameter_invalid"),
        ("sortBy=name", "parameter_invalid"),
        ("sortOrder=up", "parameter_invalid"),
        ("q=%00", "parameter_invalid"),
        ("limit=1&limit=2", "parameter_repeated"),
        ("page=2", "parameter_unknown"),
    ] {
        let response = admin
            .get(&format!("/api/admin/backup?{query}"))
            .await
            .refused(400, code);
        let field = query.split('=').next().unwrap();
        assert_eq!(response.json()["details"]["field"], field, "{query}");
    }
    admin.get("/api/admin/backup/1").await.refused(404, "backup_not_found");
}

async fn what_is_not_there_says_so(app: TestApp) {
    let admin = app.as_admin().await;
    for path in [
        "/nothing",
        "/api",
        "/api/admin/nothing",
        "/api/admin/backup/",
        "//api/admin/backup",
    ] {
        app.client.get(path).await.refused(404, "not_found");
    }
    let wrong = admin
        .send("PUT", "/api/admin/backup", "")
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET, POST"));
    let wrong = admin
        .post("/api/admin/backup/status", "")
        .await
        .refused(405, "method_not_allowed");
    assert_eq!(wrong.header("allow"), Some("GET"));

    let response = app
        .client
        .with("X-Request-Id", "abc-1")
        .get("/healthz")
        .await
        .expect(200);
    assert_eq!(response.header("x-request-id"), Some("abc-1"));
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    let replaced = app.client.with("X-Request-Id", "a b").get("/healthz").await;
    assert!(!replaced.header("x-request-id").unwrap().contains(' '));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_catalog_that_is_away_is_a_503() {
    let postgres = Postgres::start();
    let database = postgres.create_database("away");
    let app = TestApp::start_at(&database.url(), ApiSettings::default(), None).await;
    let admin = app.as_admin().await;
    postgres.stop();
    let response = admin.get("/api/admin/backup").await.refused(503, "catalog_unavailable");
    assert!(response.header("retry-after").is_some());
    assert!(!response.text().contains("postgres"), "{}", response.text());
    app.client.get("/healthz").await.expect(200);
    let away = app.client.get("/readyz").await.expect(503).json();
    assert_eq!(away["catalog"], "unavailable");
    assert_eq!(away["problems"][0], "the catalog (PostgreSQL) refuses the connection");

    postgres.resume();
    admin.get("/api/admin/backup").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let settings = ApiSettings {
        body_timeout: Duration::from_millis(50),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let answer = app.client.stall("POST", "/api/auth/login", 100).await;
    answer.refused(400, "request_invalid");
}
