//! People: who may be made, changed and removed by whom.

use backup_core::user::TokenScope;
use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, TestApp, login, on_both_catalogs};

on_both_catalogs!(
    a_new_person_may_log_in_as_what_they_are,
    what_is_no_account_is_refused,
    a_change_changes_what_is_sent,
    a_new_password_ends_every_other_session,
    a_role_counts_at_once,
    the_last_administrator_stays,
    nobody_deletes_themselves,
);

const NEW_PASSWORD: &str = "another 密碼 of hers";

async fn create(admin: &Client, body: Value) -> Value {
    admin.post("/api/admin/users", body).await.expect(201).json()["user"].clone()
}

fn at(user: &Value) -> String {
    format!("/api/admin/users/{}", user["id"].as_str().unwrap())
}

async fn a_new_person_may_log_in_as_what_they_are(app: TestApp) {
    let admin = app.as_admin().await;
    let user = create(
        &admin,
        json!({ "email": " Anna@Example.ORG ", "displayName": "安娜", "role": "ADMIN", "password": PASSWORD }),
    )
    .await;
    assert_eq!(
        (&user["email"], &user["displayName"], &user["role"], &user["isActive"]),
        (
            &json!("anna@example.org"),
            &json!("安娜"),
            &json!("ADMIN"),
            &json!(true)
        )
    );
    let anna = app.log_in("anna@example.org").await;
    anna.get("/api/admin/users").await.expect(200);

    // The least that can be said: one who reads, is called by the address, and has no password to log in with.
    let user = create(&admin, json!({ "email": "oidc@example.org" })).await;
    assert_eq!(
        (&user["displayName"], &user["role"]),
        (&json!("oidc"), &json!("VIEWER"))
    );
    for guess in ["", "null"] {
        app.client
            .post("/api/auth/login", login("oidc@example.org", guess))
            .await
            .refused(401, "invalid_credentials");
    }
    let late = json!({ "email": "late@example.org", "password": PASSWORD, "isActive": false });
    assert_eq!(create(&admin, late).await["isActive"], false);
    app.client
        .post("/api/auth/login", login("late@example.org", PASSWORD))
        .await
        .refused(401, "invalid_credentials");
    let audited = app.audited().await;
    assert_eq!(audited.iter().filter(|action| *action == "USER_CREATE").count(), 3);
}

async fn what_is_no_account_is_refused(app: TestApp) {
    let admin = app.as_admin().await;
    for (body, status, code) in [
        (json!({}), 400, "field_missing"),
        (json!({ "email": "anna" }), 400, "account_email_invalid"),
        (json!({ "email": "a@b c" }), 400, "account_email_invalid"),
        (json!({ "email": ["a@b.c"] }), 400, "field_invalid"),
        (json!({ "email": "a@b.c", "role": "ROOT" }), 400, "invalid_role"),
        (
            json!({ "email": "a@b.c", "password": "1234567" }),
            400,
            "account_password_invalid",
        ),
        (
            json!({ "email": "a@b.c", "password": 12_345_678 }),
            400,
            "field_invalid",
        ),
        (
            json!({ "email": "a@b.c", "password": "7".repeat(1025) }),
            400,
            "field_invalid",
        ),
        (json!({ "email": "a@b.c", "isActive": "no" }), 400, "field_invalid"),
        (json!({ "email": "a@b.c", "id": "1" }), 400, "field_unknown"),
        (json!({ "email": "VIEWER@example.org" }), 409, "account_exists"),
    ] {
        let response = admin.post("/api/admin/users", &body).await.refused(status, code);
        assert!(
            !response.text().contains("567"),
            "a password is quoted: {}",
            response.text()
        );
    }
    assert_eq!(app.store.list_users().await.unwrap().len(), 2);
    assert_eq!(app.audited().await, ["LOGIN"]);
}

async fn a_change_changes_what_is_sent(app: TestApp) {
    let admin = app.as_admin().await;
    let user = create(&admin, json!({ "email": "anna@example.org", "password": PASSWORD })).await;
    let path = at(&user);
    let named = admin
        .patch(&path, json!({ "displayName": "安娜" }))
        .await
        .expect(200)
        .json()["user"]
        .clone();
    assert_eq!(
        (
            &named["displayName"],
            &named["role"],
            &named["isActive"],
            &named["email"]
        ),
        (&json!("安娜"), &user["role"], &user["isActive"], &user["email"])
    );
    let promoted = admin.patch(&path, json!({ "role": "ADMIN" })).await.expect(200).json()["user"].clone();
    assert_eq!(
        (&promoted["displayName"], &promoted["role"]),
        (&json!("安娜"), &json!("ADMIN"))
    );
    app.log_in("anna@example.org").await;
    assert_eq!(
        admin.patch(&path, "{}").await.expect(200).json()["user"]["role"],
        "ADMIN"
    );

    let nothing = json!({ "displayName": null, "role": null, "isActive": null, "password": null });
    let same = admin.patch(&path, nothing).await.expect(200).json()["user"].clone();
    assert_eq!((&same["displayName"], &same["role"]), (&json!("安娜"), &json!("ADMIN")));
    for (body, code) in [
        (json!({ "displayName": " " }), "field_invalid"),
        (json!({ "role": "admin" }), "invalid_role"),
        (json!({ "password": "short" }), "account_password_invalid"),
        (json!({ "email": "other@example.org" }), "field_unknown"),
        (json!({ "displayName": "x", "createdAt": "now" }), "field_unknown"),
    ] {
        admin.patch(&path, &body).await.refused(400, code);
    }
    let unknown = "/api/admin/users/01890000-0000-7000-8000-000000000000";
    admin
        .patch(unknown, json!({ "displayName": "x" }))
        .await
        .refused(404, "user_not_found");
    let updates: Vec<String> = app.descriptions("USER_UPDATE").await;
    assert_eq!(
        updates,
        [
            "更新使用者: anna@example.org (displayName)",
            "更新使用者: anna@example.org (role)"
        ]
    );
}

async fn a_new_password_ends_every_other_session(app: TestApp) {
    let (here, elsewhere) = (app.as_admin().await, app.as_admin().await);
    let own = format!("/api/admin/users/{}", app.admin.id);
    here.patch(&own, json!({ "password": NEW_PASSWORD })).await.expect(200);
    here.get("/api/auth/me").await.expect(200);
    elsewhere.get("/api/auth/me").await.expect(401);
    let old = login(&app.admin.email, PASSWORD);
    app.client.post("/api/auth/login", old).await.expect(401);
    let new = login(&app.admin.email, NEW_PASSWORD);
    app.client.post("/api/auth/login", new).await.expect(200);

    let viewer = app.as_viewer().await;
    let hers = format!("/api/admin/users/{}", app.viewer.id);
    here.patch(&hers, json!({ "password": NEW_PASSWORD })).await.expect(200);
    viewer.get("/api/auth/me").await.expect(401);
    assert!(
        app.descriptions("USER_UPDATE")
            .await
            .iter()
            .all(|text| text.ends_with("(password)"))
    );
}

async fn a_role_counts_at_once(app: TestApp) {
    let admin = app.as_admin().await;
    let viewer = app.as_viewer().await;
    let path = format!("/api/admin/users/{}", app.viewer.id);
    viewer.get("/api/admin/users").await.refused(403, "forbidden");
    admin.patch(&path, json!({ "role": "ADMIN" })).await.expect(200);
    viewer.get("/api/admin/users").await.expect(200);
    admin.patch(&path, json!({ "isActive": false })).await.expect(200);
    viewer.get("/api/auth/me").await.refused(401, "unauthorized");
    admin.patch(&path, json!({ "isActive": true })).await.expect(200);
    viewer.get("/api/auth/me").await.refused(401, "unauthorized");
}

async fn the_last_administrator_stays(app: TestApp) {
    let admin = app.as_admin().await;
    let own = format!("/api/admin/users/{}", app.admin.id);
    for body in [json!({ "role": "VIEWER" }), json!({ "isActive": false })] {
        let refused = admin.patch(&own, &body).await.refused(409, "last_admin");
        assert_eq!(refused.json()["error"], "無法移除最後一位管理員");
    }
    // A token that nobody made: it does not delete itself.
    let token = app.as_ownerless_token(TokenScope::Admin).await;
    token.delete(&own).await.refused(409, "last_admin");

    let path = format!("/api/admin/users/{}", app.viewer.id);
    admin.patch(&path, json!({ "role": "ADMIN" })).await.expect(200);
    // Two administrators who demote each other at once: one of them stays.
    let other = app.as_viewer().await;
    let (first, second) = tokio::join!(
        admin.patch(&path, json!({ "role": "VIEWER" })),
        other.patch(&own, json!({ "role": "VIEWER" })),
    );
    let users = app.store.list_users().await.unwrap();
    let admins = users.iter().filter(|user| user.role.as_str() == "ADMIN").count();
    assert_eq!(admins, 1, "{} {}", first.status, second.status);
}

async fn nobody_deletes_themselves(app: TestApp) {
    let admin = app.as_admin().await;
    let own = format!("/api/admin/users/{}", app.admin.id);
    admin.delete(&own).await.refused(409, "user_self");
    app.as_token(TokenScope::Admin)
        .await
        .delete(&own)
        .await
        .refused(409, "user_self");
    let viewer = app.as_viewer().await;
    let path = format!("/api/admin/users/{}", app.viewer.id);
    admin.delete(&path).await.expect(200);
    viewer.get("/api/auth/me").await.expect(401);
    admin.delete(&path).await.refused(404, "user_not_found");
    assert_eq!(
        app.descriptions("USER_DELETE").await,
        ["刪除使用者: viewer@example.org"]
    );
}
