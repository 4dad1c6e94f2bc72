//! Log-in, sessions, and what guards them.

use std::time::Duration;

use backup_api::ApiSettings;
use chrono::TimeDelta;

use crate::support::{Catalog, PASSWORD, TestApp, login, on_both_catalogs};

on_both_catalogs!(
    a_session_lives_from_log_in_to_log_out,
    a_session_expires,
    a_wrong_password_says_nothing_about_the_account,
    too_many_log_ins_are_stopped_even_after_a_restart,
);

async fn a_session_lives_from_log_in_to_log_out(app: TestApp) {
    let first = app
        .client
        .post("/api/auth/login", login("ADMIN@example.org ", PASSWORD))
        .await
        .expect(200);
    let cookie = first.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    assert_eq!(first.json()["user"]["role"], "ADMIN");
    assert!(!first.text().contains("password") && !first.text().contains("argon2"));

    // A second log-in by the same browser makes another session and ends the first.
    let browser = app.client.with("Cookie", first.cookie());
    let second = browser
        .post("/api/auth/login", login("admin@example.org", PASSWORD))
        .await
        .expect(200);
    assert_ne!(first.cookie(), second.cookie());
    browser.get("/api/auth/me").await.refused(401, "unauthorized");
    let browser = app.client.with("Cookie", second.cookie());
    let me = browser.get("/api/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], "admin@example.org");

    let out = browser.post("/api/auth/logout", "").await.expect(200);
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    browser.get("/api/auth/me").await.refused(401, "unauthorized");
    assert_eq!(app.audited().await, ["LOGIN", "LOGIN", "LOGOUT"]);
}

async fn a_session_expires(app: TestApp) {
    let admin = app.as_admin().await;
    app.clock.advance(TimeDelta::hours(12) - TimeDelta::seconds(1));
    admin.get("/api/auth/me").await.expect(200);
    app.clock.advance(TimeDelta::seconds(1));
    admin.get("/api/auth/me").await.refused(401, "unauthorized");
}

async fn a_wrong_password_says_nothing_about_the_account(app: TestApp) {
    let wrong = app
        .client
        .post("/api/auth/login", login("admin@example.org", "wrong password"))
        .await;
    let unknown = app
        .client
        .post("/api/auth/login", login("nobody@example.org", "wrong password"))
        .await;
    assert_eq!(
        wrong.clone().refused(401, "invalid_credentials").body,
        unknown.refused(401, "invalid_credentials").body
    );
    assert_eq!(wrong.json()["error"], "電子郵件或密碼錯誤");
    assert!(wrong.header("set-cookie").is_none());
    assert_eq!(app.audited().await, ["LOGIN_FAILED", "LOGIN_FAILED"]);
}

async fn too_many_log_ins_are_stopped_even_after_a_restart(mut app: TestApp) {
    let mut refused = None;
    for _ in 0..50 {
        let response = app
            .client
            .post("/api/auth/login", login("admin@example.org", "wrong"))
            .await;
        if response.status == 429 {
            refused = Some(response);
            break;
        }
        response.refused(401, "invalid_credentials");
    }
    let refused = refused.expect("no limit").refused(429, "too_many_logins");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait > 0);

    app.restart().await;
    // Even with the right password, until the time is over.
    app.client
        .post("/api/auth/login", login("admin@example.org", PASSWORD))
        .await
        .refused(429, "too_many_logins");
    app.clock.advance(TimeDelta::seconds(wait));
    app.client
        .post("/api/auth/login", login("admin@example.org", PASSWORD))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_tls_the_cookie_is_secure_and_under_the_prefix() {
    let settings = ApiSettings {
        base_path: ApiSettings::normal_base_path("/backup/"),
        public_url: Some("https://example.org/backup/".parse().unwrap()),
        session_lifetime: Duration::from_mins(1),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let response = app
        .client
        .post("/api/auth/login", login("admin@example.org", PASSWORD))
        .await
        .expect(200);
    let cookie = response.header("set-cookie").unwrap();
    for attribute in ["Secure", "Path=/backup", "Max-Age=60"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(response.header("strict-transport-security").is_some());
    let admin = app
        .client
        .with("Cookie", response.cookie())
        .with("Origin", "https://example.org");
    admin.post("/api/admin/backup", "{}").await.expect(202);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_locks_an_account_out_from_elsewhere() {
    let settings = ApiSettings {
        public_url: Some("https://example.org/".parse().unwrap()),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let from = |address: &str| app.client.with("X-Forwarded-For", address);
    for _ in 0..10 {
        from("6.6.6.6")
            .post("/api/auth/login", login("admin@example.org", "wrong"))
            .await
            .refused(401, "invalid_credentials");
    }
    let right = || login("admin@example.org", PASSWORD);
    let locked = from("6.6.6.6").post("/api/auth/login", right()).await;
    locked.refused(429, "too_many_logins");
    from("7.7.7.7").post("/api/auth/login", right()).await.expect(200);
}
