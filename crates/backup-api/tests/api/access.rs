//! Every route as every caller.

use backup_api::{Access, endpoints};
use backup_core::user::TokenScope;

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(every_route_as_every_caller, a_cookie_alone_is_not_enough_to_write);

async fn every_route_as_every_caller(app: TestApp) {
    let callers = [
        (app.client.clone(), Access::Public),
        (app.client.bearer("bkp_0000"), Access::Public),
        (app.client.with("Authorization", "Basic YTpi"), Access::Public),
        (app.client.with("Cookie", "backup_session=0000"), Access::Public),
        (app.as_viewer().await, Access::Read),
        (app.as_admin().await, Access::Admin),
        (app.as_token(TokenScope::Read).await, Access::Read),
        (app.as_token(TokenScope::Operate).await, Access::Operate),
        (app.as_token(TokenScope::Admin).await, Access::Admin),
    ];
    for (index, (caller, may)) in callers.into_iter().enumerate() {
        // The answers differ; only whether the door opens counts. Log-in is public, and its 401 is another one.
        for endpoint in endpoints() {
            if endpoint.path == "/api/auth/login"
                || endpoint.path == "/api/auth/logout"
                || endpoint.path.ends_with("/events")
            {
                continue;
            }
            let path = endpoint.path.replace("{id}", "01890000-0000-7000-8000-000000000000");
            let response = caller.send(endpoint.method.as_str(), &path, "").await;
            let what = format!(
                "caller {index}: {} {path}: {} {}",
                endpoint.method,
                response.status,
                response.text()
            );
            let expected = match (may, endpoint.access) {
                (may, asked) if may >= asked => None,
                (Access::Public, _) => Some(401),
                _ => Some(403),
            };
            match expected {
                Some(status) => assert_eq!(response.status, status, "{what}"),
                None => assert!(![401, 403].contains(&response.status), "{what}"),
            }
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
