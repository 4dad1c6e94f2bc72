//! Every route as every caller.

use std::collections::BTreeSet;

use backup_api::endpoints;
use backup_core::user::TokenScope;

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(every_route_as_every_caller, a_cookie_alone_is_not_enough_to_write);

/// What is answered to nobody, a VIEWER, a token that reads, a token that operates, and an ADMIN: without a body, of things
/// that do not exist, while no storage is open.
type Row = (&'static str, &'static str, [u16; 5]);

const fn all(status: u16) -> [u16; 5] {
    [status; 5]
}

const fn readers(status: u16) -> [u16; 5] {
    [401, status, status, status, status]
}

const fn operators(status: u16) -> [u16; 5] {
    [401, 403, 403, status, status]
}

const fn admins(status: u16) -> [u16; 5] {
    [401, 403, 403, 403, status]
}

/// Every route. Written out, so that a route that lets in whom it should not is found, and a new one without its row too.
const ROUTES: &[Row] = &[
    ("GET", "/healthz", all(200)),
    ("GET", "/readyz", all(503)),
    ("GET", "/metrics", all(200)),
    ("GET", "/api/openapi.json", all(200)),
    ("GET", "/api/docs", all(200)),
    ("POST", "/api/auth/login", all(400)),
    ("GET", "/api/auth/me", readers(200)),
    ("GET", "/api/auth/methods", all(200)),
    ("GET", "/api/auth/oidc/login", all(404)),
    ("GET", "/api/auth/oidc/callback", all(404)),
    ("GET", "/api/admin/users", admins(200)),
    ("POST", "/api/admin/users", admins(400)),
    ("PATCH", "/api/admin/users/{id}", admins(404)),
    ("DELETE", "/api/admin/users/{id}", admins(404)),
    ("GET", "/api/admin/tokens", admins(200)),
    ("POST", "/api/admin/tokens", admins(400)),
    ("DELETE", "/api/admin/tokens/{id}", admins(404)),
    ("GET", "/api/admin/audit", admins(200)),
    ("GET", "/api/admin/audit/export", admins(200)),
    ("POST", "/api/admin/system/pause", admins(400)),
    ("POST", "/api/admin/system/resume", admins(409)),
    ("GET", "/api/admin/backup", readers(200)),
    ("POST", "/api/admin/backup", operators(202)),
    ("GET", "/api/admin/backup/status", readers(200)),
    ("GET", "/api/admin/backup/events", readers(200)),
    ("GET", "/api/admin/backup/usage", readers(200)),
    ("GET", "/api/admin/backup/alerts", readers(200)),
    ("POST", "/api/admin/backup/alerts/{id}/acknowledge", operators(404)),
    ("GET", "/api/admin/backup/configs", readers(503)),
    ("GET", "/api/admin/backup/config", readers(503)),
    ("PATCH", "/api/admin/backup/config", admins(503)),
    // The backups that were asked for just above belong to it.
    ("DELETE", "/api/admin/backup/config", admins(409)),
    ("POST", "/api/admin/backup/config/test", admins(400)),
    ("GET", "/api/admin/backup/orphans", admins(503)),
    ("DELETE", "/api/admin/backup/orphans/{id}", admins(503)),
    ("POST", "/api/admin/backup/orphans/{id}/adopt", admins(503)),
    ("GET", "/api/admin/backup/schedule", readers(200)),
    ("POST", "/api/admin/backup/schedule", admins(400)),
    ("GET", "/api/admin/backup/schedule/presets", readers(200)),
    ("POST", "/api/admin/backup/schedule/preview", readers(400)),
    ("GET", "/api/admin/backup/schedule/{id}", readers(404)),
    ("PATCH", "/api/admin/backup/schedule/{id}", admins(404)),
    ("DELETE", "/api/admin/backup/schedule/{id}", admins(404)),
    ("POST", "/api/admin/backup/schedule/{id}/trigger", operators(404)),
    ("POST", "/api/admin/backup/retention/preview", readers(400)),
    ("GET", "/api/admin/backup/{id}", readers(404)),
    ("DELETE", "/api/admin/backup/{id}", admins(404)),
    ("POST", "/api/admin/backup/{id}/cancel", operators(404)),
    ("POST", "/api/admin/backup/{id}/protect", admins(400)),
    ("GET", "/api/admin/backup/{id}/download", admins(404)),
    ("HEAD", "/api/admin/backup/{id}/download", admins(404)),
    ("GET", "/api/admin/backup/{id}/contents", readers(404)),
    ("GET", "/api/admin/backup/{id}/contents/file", admins(400)),
    ("HEAD", "/api/admin/backup/{id}/contents/file", admins(400)),
    ("POST", "/api/admin/backup/{id}/verify", operators(404)),
    ("POST", "/api/admin/backup/{id}/consolidate", operators(404)),
    ("POST", "/api/admin/backup/{id}/restore", admins(400)),
    ("POST", "/api/admin/backup/{id}/restore/plan", admins(400)),
    ("GET", "/api/admin/restore", readers(200)),
    ("GET", "/api/admin/restore/{id}", readers(404)),
    ("POST", "/api/admin/restore/{id}/cancel", operators(404)),
    ("POST", "/api/admin/restore/{id}/rollback", admins(404)),
    ("POST", "/api/admin/restore/{id}/confirm", admins(404)),
    // Last: it ends the callers' sessions.
    ("POST", "/api/auth/logout", all(200)),
];

#[test]
fn every_route_has_its_row() {
    let routes: BTreeSet<(String, &str)> = endpoints()
        .iter()
        .map(|endpoint| (endpoint.method.to_string(), endpoint.path))
        .collect();
    let rows: BTreeSet<(String, &str)> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), *path))
        .collect();
    assert_eq!(routes, rows);
}

async fn every_route_as_every_caller(app: TestApp) {
    let nobody = &app.client;
    let callers = [
        (nobody.clone(), 0),
        (nobody.bearer("bkp_0000"), 0),
        (nobody.with("Authorization", "Basic YTpi"), 0),
        (nobody.with("Cookie", "backup_session=0000"), 0),
        (app.as_viewer().await, 1),
        (app.as_token(TokenScope::Read).await, 2),
        (app.as_token(TokenScope::Operate).await, 3),
        (app.as_token(TokenScope::Admin).await, 4),
        (app.as_admin().await, 4),
    ];
    for (index, (caller, column)) in callers.into_iter().enumerate() {
        for (method, path, expected) in ROUTES {
            let path = path.replace("{id}", "01890000-0000-7000-8000-000000000000");
            let expected = expected[column];
            if path.ends_with("/events") && expected == 200 {
                // A stream, which does not end by itself.
                drop(caller.events(&path).await);
                continue;
            }
            let response = caller.send(method, &path, "").await;
            let what = format!("caller {index}: {method} {path}: {}", response.text());
            assert_eq!(response.status, expected, "{what}");
        }
    }
}

async fn a_cookie_alone_is_not_enough_to_write(app: TestApp) {
    let admin = app.as_admin().await;
    let write = async |client: Client| client.post("/api/admin/backup", "{}").await;
    write(admin.with("Origin", "https://evil.example"))
        .await
        .refused(403, "cross_origin");
    write(admin.with("Sec-Fetch-Site", "cross-site"))
        .await
        .refused(403, "cross_origin");
    let host = "console.example:8080";
    write(admin.with("Host", host).with("Origin", "http://console.example"))
        .await
        .refused(403, "cross_origin");
    write(admin.with("Host", host).with("Origin", format!("http://{host}")))
        .await
        .expect(202);
    // Another site's page cannot log its victim in either.
    let login = crate::support::login(&app.admin.email, crate::support::PASSWORD);
    let other = app.client.with("Sec-Fetch-Site", "cross-site");
    other.post("/api/auth/login", login).await.refused(403, "cross_origin");
    // A token is sent by no browser by itself.
    let token = app.as_token(TokenScope::Operate).await;
    write(token.with("Sec-Fetch-Site", "cross-site")).await.expect(202);
}
