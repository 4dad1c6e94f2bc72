//! API tokens.

use chrono::TimeDelta;
use serde_json::json;

use crate::support::{TestApp, on_both_catalogs};

on_both_catalogs!(
    a_token_is_shown_once_used_and_ended,
    a_token_expires,
    wrong_tokens_are_refused
);

async fn a_token_is_shown_once_used_and_ended(app: TestApp) {
    let admin = app.as_admin().await;
    let made = admin
        .post("/api/admin/tokens", json!({ "name": "CI", "scope": "OPERATE" }))
        .await
        .expect(201)
        .json();
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("bkp_") && secret.len() == 68);
    assert!(!admin.get("/api/admin/tokens").await.text().contains(secret));

    let program = app.client.bearer(secret);
    let me = program.get("/api/auth/me").await.expect(200).json();
    assert_eq!((&me["user"], &me["token"]["scope"]), (&json!(null), &json!("OPERATE")));
    let last_used = async || admin.get("/api/admin/tokens").await.json()["tokens"][0]["lastUsedAt"].clone();
    let first = last_used().await;
    assert!(first.is_string());
    app.clock.advance(TimeDelta::seconds(59));
    program.get("/api/auth/me").await.expect(200);
    assert_eq!(last_used().await, first, "not every request is a write");
    app.clock.advance(TimeDelta::seconds(1));
    program.get("/api/auth/me").await.expect(200);
    assert_ne!(last_used().await, first);

    let path = format!("/api/admin/tokens/{}", made["token"]["id"].as_str().unwrap());
    admin.delete(&path).await.expect(200);
    program.get("/api/auth/me").await.refused(401, "unauthorized");
    admin.delete(&path).await.refused(404, "token_not_found");
    assert_eq!(app.audited().await, ["LOGIN", "TOKEN_CREATE", "TOKEN_DELETE"]);
}

async fn a_token_expires(app: TestApp) {
    let admin = app.as_admin().await;
    let body = json!({ "name": "short", "expiresAt": "2026-11-24T01:00:00Z" });
    let made = admin.post("/api/admin/tokens", body).await.expect(201).json();
    let program = app.client.bearer(made["secret"].as_str().unwrap());
    program.get("/api/admin/backup").await.expect(200);
    app.clock.advance(TimeDelta::hours(1));
    program.get("/api/admin/backup").await.refused(401, "unauthorized");
}

async fn wrong_tokens_are_refused(app: TestApp) {
    let admin = app.as_admin().await.english();
    for (body, code, field) in [
        (json!({}), "field_missing", "name"),
        (json!({ "name": "  " }), "field_missing", "name"),
        (json!({ "name": "x", "scope": "ROOT" }), "invalid_scope", "scope"),
        (
            json!({ "name": "x", "expiresAt": "2020-01-01T00:00:00Z" }),
            "field_invalid",
            "expiresAt",
        ),
        (
            json!({ "name": "x", "expiresAt": "tomorrow" }),
            "field_invalid",
            "expiresAt",
        ),
        (json!({ "name": "x", "secret": "mine" }), "field_unknown", "secret"),
        (json!({ "name": "a\u{0}b" }), "field_invalid", "name"),
    ] {
        let response = admin.post("/api/admin/tokens", &body).await.refused(400, code);
        assert_eq!(response.json()["details"]["field"], field, "{body}");
    }
}
