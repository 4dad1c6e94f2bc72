//! Log-in through a real OpenID Connect provider: who gets in as what, and who does not.

use std::sync::Arc;

use backup_api::{ApiSettings, OidcSettings};
use backup_core::Clock;
use backup_core::user::{Role, User};
use backup_db::{AuditListOptions, UserChanges};
use backup_tests::oidc::{CLIENT_ID, CLIENT_SECRET, Claims, HOST, OidcProvider};
use backup_tests::unique;
use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Catalog, Client, PASSWORD, Response, TestApp, login};

const LOGIN: &str = "/api/auth/oidc/login";
const GROUP: &str = "backup-admins";

/// Makes a test of each function on each catalog, with the provider of all tests and an administrators' group.
macro_rules! on_both_catalogs {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Site::shared(crate::support::Catalog::Sqlite).await).await; })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { super::$name(super::Site::shared(crate::support::Catalog::Postgres).await).await; })+
        }
    };
}

on_both_catalogs!(
    an_administrator_comes_in_by_the_group,
    everybody_else_is_a_viewer,
    the_session_that_was_there_is_over,
    an_answer_counts_once_and_for_its_own_log_in,
    a_token_of_another_log_in_is_refused,
    an_address_that_is_not_verified_takes_no_account_over,
    a_verified_address_is_the_account_s,
    who_may_not_log_in_stays_out,
    the_last_administrator_stays_one,
    the_provider_s_no_is_a_no,
    failures_are_counted_by_address,
);

/// A server with a provider beside it.
struct Site {
    app: TestApp,
    provider: Arc<OidcProvider>,
    /// Every client is a browser that went to the public host.
    browser: Client,
}

impl Site {
    async fn shared(catalog: Catalog) -> Self {
        let provider = tokio::task::spawn_blocking(OidcProvider::shared).await.unwrap();
        Self::on(catalog, provider, Some(GROUP)).await
    }

    /// On a provider of its own, which the caller may stop.
    async fn alone(claims: Claims, group: Option<&str>) -> Self {
        let provider = tokio::task::spawn_blocking(move || Arc::new(OidcProvider::start(claims)));
        Self::on(Catalog::Sqlite, provider.await.unwrap(), group).await
    }

    async fn on(catalog: Catalog, provider: Arc<OidcProvider>, group: Option<&str>) -> Self {
        let group = group.map(str::to_owned);
        let oidc = OidcSettings::new(&provider.issuer(), CLIENT_ID.to_owned(), CLIENT_SECRET.into(), group).unwrap();
        let settings = ApiSettings {
            oidc: Some(oidc),
            ..ApiSettings::default()
        };
        let app = TestApp::start_with(catalog, settings).await;
        // The provider's tokens run by the time of the machine.
        app.clock.set(backup_core::SystemClock.now());
        let browser = app.client.with("Host", HOST);
        Self { app, provider, browser }
    }

    /// Goes to the log-in and gives where the browser is sent, and the cookie of the flow.
    async fn begin(&self, browser: &Client, path: &str) -> (String, String) {
        let response = browser.get(path).await.expect(302);
        (response.header("location").unwrap().to_owned(), response.cookie())
    }

    /// Logs in at the provider and gives the path that it sends the browser back to.
    async fn at_provider(&self, url: &str, person: &Value) -> String {
        let (provider, url, person) = (self.provider.clone(), url.to_owned(), person.clone());
        let back = tokio::task::spawn_blocking(move || provider.log_in(&url, &person));
        path_of(&back.await.unwrap())
    }

    /// The whole way.
    async fn log_in(&self, person: &Value) -> Response {
        let (url, cookie) = self.begin(&self.browser, LOGIN).await;
        let back = self.at_provider(&url, person).await;
        self.browser.with("Cookie", cookie).get(&back).await
    }

    /// The user that a browser with the session of this response is.
    async fn me(&self, response: &Response) -> Value {
        assert_eq!(response.status, 200, "{}", response.text());
        let browser = self.browser.with("Cookie", response.cookie());
        browser.get("/api/auth/me").await.expect(200).json()["user"].clone()
    }

    async fn user(&self, email: &str) -> Option<User> {
        let known = self.app.store.find_user_by_email(email).await.unwrap();
        known.map(|known| known.user)
    }

    async fn audit(&self) -> Vec<(String, String)> {
        let options = AuditListOptions {
            limit: 100,
            ..AuditListOptions::default()
        };
        let page = self.app.store.list_audit(&options).await.unwrap();
        page.entries
            .into_iter()
            .rev()
            .map(|entry| (entry.action, entry.description))
            .collect()
    }
}

fn path_of(url: &str) -> String {
    let rest = url
        .strip_prefix(&format!("http://{HOST}"))
        .unwrap_or_else(|| panic!("{url}"));
    rest.to_owned()
}

/// Somebody new, whose address is verified.
fn person(groups: &Value) -> Value {
    let id = unique();
    json!({
        "sub": id,
        "email": format!("{id}@example.org"),
        "email_verified": true,
        "name": "林美玲",
        "groups": groups,
    })
}

fn email(person: &Value) -> &str {
    person["email"].as_str().unwrap()
}

async fn an_administrator_comes_in_by_the_group(site: Site) {
    let anna = person(&json!(["staff", GROUP]));
    let (url, cookie) = site
        .begin(
            &site.browser,
            &format!("{LOGIN}?returnTo=/backups%3Fstatus=FAILED%26q=1"),
        )
        .await;
    for part in [
        "code_challenge_method=S256",
        "scope=openid+email+profile+groups",
        "response_type=code",
    ] {
        assert!(url.contains(part), "{url}");
    }
    let begun = site.browser.get(LOGIN).await;
    let flow = begun.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Lax", "Max-Age=600", "Path=/api/auth/oidc"] {
        assert!(flow.contains(attribute), "{flow}");
    }

    let back = site.at_provider(&url, &anna).await;
    // The navigation comes from the provider's site.
    let browser = site.browser.with("Cookie", cookie).with("Sec-Fetch-Site", "cross-site");
    let done = browser.get(&back).await.expect(200);
    let session = done.header("set-cookie").unwrap();
    for attribute in [
        "backup_session=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=43200",
    ] {
        assert!(session.contains(attribute), "{session}");
    }
    let page = done.text();
    assert!(
        page.contains(r#"http-equiv="refresh" content="0;url=/backups?status=FAILED&amp;q=1""#),
        "{page}"
    );
    assert!(!page.contains("<script"), "{page}");

    let me = site.me(&done).await;
    assert_eq!(
        (&me["email"], &me["role"], &me["displayName"]),
        (&anna["email"], &json!("ADMIN"), &json!("林美玲"))
    );
    let audit = site.audit().await;
    let actions: Vec<&str> = audit.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["USER_CREATE", "LOGIN"]);
    assert!(audit[1].1.contains("OpenID Connect"), "{audit:?}");
    // There is no password to log in with.
    let body = login(email(&anna), PASSWORD);
    let by_password = site.app.client.post("/api/auth/login", body).await;
    by_password.refused(401, "invalid_credentials");
}

async fn everybody_else_is_a_viewer(site: Site) {
    let mut ben = person(&json!("staff"));
    let first = site.log_in(&ben).await;
    let me = site.me(&first).await;
    assert_eq!(me["role"], "VIEWER");
    // Raised and lowered again, with each log-in; known by the subject, whatever the address is now.
    ben["groups"] = json!(GROUP);
    let raised = site.log_in(&ben).await;
    assert_eq!(site.me(&raised).await["role"], "ADMIN");
    ben["groups"] = json!([]);
    ben["email"] = json!(site.app.admin.email);
    let lowered = site.log_in(&ben).await;
    let me_now = site.me(&lowered).await;
    assert_eq!(me_now, {
        let mut same = me.clone();
        same["lastLoginAt"] = me_now["lastLoginAt"].clone();
        same
    });
    let actions = site.app.audited().await;
    assert_eq!(
        actions,
        ["USER_CREATE", "LOGIN", "USER_UPDATE", "LOGIN", "USER_UPDATE", "LOGIN"]
    );
}

async fn the_session_that_was_there_is_over(site: Site) {
    let old = site.app.as_viewer().await;
    let browser = old.with("Host", HOST);
    let (url, cookie) = site.begin(&browser, LOGIN).await;
    let back = site.at_provider(&url, &person(&json!([]))).await;
    // The Strict cookie of the old session does not come along from the provider's site.
    let done = site.browser.with("Cookie", cookie).get(&back).await;
    site.me(&done).await;
    old.get("/api/auth/me").await.refused(401, "unauthorized");
}

async fn an_answer_counts_once_and_for_its_own_log_in(site: Site) {
    let carl = person(&json!([]));
    let (url, cookie) = site.begin(&site.browser, LOGIN).await;
    let back = site.at_provider(&url, &carl).await;
    let with_cookie = site.browser.with("Cookie", cookie.clone());

    site.browser.get(&back).await.refused(400, "oidc_expired");
    let (name, value) = cookie.split_once('=').unwrap();
    let first = if value.starts_with('0') { '1' } else { '0' };
    let tampered = format!("{name}={first}{}", &value[1..]);
    let browser = site.browser.with("Cookie", tampered);
    browser.get(&back).await.refused(400, "oidc_expired");
    // Whoever has no flow of ours fills no audit log and locks nobody out.
    assert!(site.audit().await.is_empty());

    let wrong_state = back.replace("state=", "state=0");
    let refused = with_cookie.get(&wrong_state).await.refused(400, "oidc_expired");
    assert!(refused.header("set-cookie").unwrap().contains("Max-Age=0"));
    let (_, other) = site.begin(&site.browser, LOGIN).await;
    let browser = site.browser.with("Cookie", other);
    browser.get(&back).await.refused(400, "oidc_expired");
    let no_code = back.replace("code=", "kode=");
    with_cookie.get(&no_code).await.refused(401, "oidc_refused");
    let other_issuer = back.replace("iss=", "iss=x");
    with_cookie.get(&other_issuer).await.refused(401, "oidc_refused");
    assert!(site.user(email(&carl)).await.is_none(), "nobody came in");

    with_cookie.get(&back).await.expect(200);
    // Neither the code nor anything of the provider's is told, in the answer or in the audit log.
    let replayed = with_cookie.get(&back).await.refused(401, "oidc_refused");
    let code = back
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("code="))
        .unwrap();
    assert!(!replayed.text().contains(code) && !replayed.text().contains("grant"));
    assert_eq!(replayed.json()["error"], "OpenID Connect 登入遭到拒絕");
    let audit = site.audit().await;
    let failed = audit.iter().filter(|(action, _)| action == "LOGIN_FAILED");
    assert_eq!(failed.count(), 5, "{audit:?}");
    assert!(!format!("{audit:?}").contains(code));

    // Too late.
    let (url, cookie) = site.begin(&site.browser, LOGIN).await;
    let back = site.at_provider(&url, &carl).await;
    site.app.clock.advance(TimeDelta::minutes(10));
    let browser = site.browser.with("Cookie", cookie);
    browser.get(&back).await.refused(400, "oidc_expired");
}

async fn a_token_of_another_log_in_is_refused(site: Site) {
    let dora = person(&json!([GROUP]));
    let changed = |url: &str, name: &str| {
        let part = url.split(['?', '&']).find(|part| part.starts_with(&format!("{name}=")));
        let part = part.unwrap_or_else(|| panic!("{name}: {url}"));
        url.replace(part, &format!("{name}={}", "A".repeat(43)))
    };
    for name in ["nonce", "code_challenge"] {
        let (url, cookie) = site.begin(&site.browser, LOGIN).await;
        let back = site.at_provider(&changed(&url, name), &dora).await;
        let browser = site.browser.with("Cookie", cookie);
        browser.get(&back).await.refused(401, "oidc_refused");
    }
    // A token that has run out, by the clock that counts here.
    let now = site.app.clock.now();
    site.app.clock.advance(TimeDelta::hours(2));
    site.log_in(&dora).await.refused(401, "oidc_refused");
    site.app.clock.set(now);
    assert!(site.user(email(&dora)).await.is_none(), "nobody came in");
    site.log_in(&dora).await.expect(200);
}

async fn an_address_that_is_not_verified_takes_no_account_over(site: Site) {
    let local = site.app.admin.clone();
    let mut eve = person(&json!([GROUP]));
    eve["email"] = json!(local.email.to_uppercase());
    eve["email_verified"] = json!(false);
    site.log_in(&eve).await.refused(401, "oidc_refused");
    eve.as_object_mut().unwrap().remove("email_verified");
    site.log_in(&eve).await.refused(401, "oidc_refused");
    assert_eq!(site.user(&local.email).await, Some(local));
    let audit = site.audit().await;
    assert!(audit.iter().all(|(action, _)| action == "LOGIN_FAILED"), "{audit:?}");
}

async fn a_verified_address_is_the_account_s(site: Site) {
    let mut fred = person(&json!([]));
    fred["email"] = json!(site.app.viewer.email);
    let done = site.log_in(&fred).await;
    assert_eq!(site.me(&done).await["id"], json!(site.app.viewer.id));
    // The password still opens it.
    site.app.as_viewer().await.get("/api/auth/me").await.expect(200);
    // Another subject with the same address is another person.
    fred["sub"] = json!(unique());
    site.log_in(&fred).await.refused(401, "oidc_refused");
    let actions = site.app.audited().await;
    assert_eq!(actions, ["USER_UPDATE", "LOGIN", "LOGIN", "LOGIN_FAILED"]);
}

async fn who_may_not_log_in_stays_out(site: Site) {
    let gina = person(&json!([GROUP]));
    site.log_in(&gina).await.expect(200);
    let id = site.user(email(&gina)).await.unwrap().id;
    let store = &site.app.store;
    store.update_user(id, changed(Role::Viewer, false)).await.unwrap();
    let refused = site.log_in(&gina).await.refused(401, "oidc_refused");
    assert!(!refused.header("set-cookie").unwrap().contains("backup_session"));
    let user = store.get_user(id).await.unwrap().unwrap();
    assert_eq!((user.role, user.is_active), (Role::Viewer, false));
}

async fn the_last_administrator_stays_one(site: Site) {
    let mut hans = person(&json!([GROUP]));
    site.log_in(&hans).await.expect(200);
    let local = &site.app.admin;
    let store = &site.app.store;
    store.update_user(local.id, changed(Role::Viewer, true)).await.unwrap();
    hans["groups"] = json!([]);
    let done = site.log_in(&hans).await;
    assert_eq!(site.me(&done).await["role"], "ADMIN");
    store.update_user(local.id, changed(Role::Admin, true)).await.unwrap();
    let done = site.log_in(&hans).await;
    assert_eq!(site.me(&done).await["role"], "VIEWER");
}

async fn the_provider_s_no_is_a_no(site: Site) {
    let (url, cookie) = site.begin(&site.browser, LOGIN).await;
    let provider = site.provider.clone();
    let back = tokio::task::spawn_blocking(move || provider.decline(&url))
        .await
        .unwrap();
    assert!(back.contains("error=access_denied"), "{back}");
    let browser = site.browser.with("Cookie", cookie).english();
    let refused = browser.get(&path_of(&back)).await.refused(401, "oidc_refused");
    assert_eq!(
        refused.json()["error"],
        "The log-in through OpenID Connect was refused."
    );

    let evil = site.browser.get(&format!("{LOGIN}?returnTo=//evil.example")).await;
    evil.refused(400, "parameter_invalid");
    let methods = site.browser.get("/api/auth/methods").await.expect(200);
    assert_eq!(methods.json(), json!({ "password": true, "oidc": true }));
}

async fn failures_are_counted_by_address(site: Site) {
    let mut refused = None;
    let (_, cookie) = site.begin(&site.browser, LOGIN).await;
    let browser = site.browser.with("Cookie", cookie);
    for _ in 0..60 {
        let response = browser.get("/api/auth/oidc/callback?state=x&code=y").await;
        if response.status == 429 {
            refused = Some(response);
            break;
        }
        response.refused(400, "oidc_expired");
    }
    let refused = refused.expect("no limit").refused(429, "too_many_logins");
    assert!(refused.header("retry-after").is_some());
    // One address for both ways to log in.
    let body = login(&site.app.admin.email, PASSWORD);
    let by_password = site.app.client.post("/api/auth/login", body).await;
    by_password.refused(429, "too_many_logins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_provider_there_is_no_such_log_in() {
    let app = TestApp::start(Catalog::Sqlite).await;
    app.client.get(LOGIN).await.refused(404, "oidc_not_configured");
    let callback = app.client.get("/api/auth/oidc/callback?state=x&code=y").await;
    callback.refused(404, "oidc_not_configured");
    let methods = app.client.get("/api/auth/methods").await.expect(200);
    assert_eq!(methods.json(), json!({ "password": true, "oidc": false }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_down_or_has_new_keys_is_borne_with() {
    // No group decides here, and the claims are told by the userinfo endpoint alone.
    let site = Site::alone(Claims::ByUserinfo, None).await;
    let ida = person(&json!([GROUP]));
    let stop = async || {
        let provider = site.provider.clone();
        tokio::task::spawn_blocking(move || provider.stop()).await.unwrap();
    };
    let restart = async || {
        let provider = site.provider.clone();
        tokio::task::spawn_blocking(move || provider.restart()).await.unwrap();
    };

    stop().await;
    let down = site.browser.get(LOGIN).await.refused(503, "oidc_unavailable");
    assert!(!down.text().contains("127.0.0.1"), "{}", down.text());
    // The other way in is not held up.
    let admin = site.app.as_admin().await;
    restart().await;
    site.app.clock.advance(TimeDelta::seconds(3));
    let done = site.log_in(&ida).await;
    let me = site.me(&done).await;
    assert_eq!((&me["email"], &me["role"]), (&ida["email"], &json!("VIEWER")));
    let id = me["id"].as_str().unwrap().parse().unwrap();
    site.app
        .store
        .update_user(id, changed(Role::Admin, true))
        .await
        .unwrap();

    // Down in the middle: what is published is known, the code cannot be redeemed. It is nobody's failure.
    let (url, cookie) = site.begin(&site.browser, LOGIN).await;
    let back = site.at_provider(&url, &ida).await;
    stop().await;
    let browser = site.browser.with("Cookie", cookie);
    browser.get(&back).await.refused(503, "oidc_unavailable");
    let (known, _) = site.begin(&site.browser, LOGIN).await;
    assert!(known.starts_with(&site.provider.issuer()));
    assert!(!site.app.audited().await.contains(&"LOGIN_FAILED".to_owned()));

    // It comes back with another key, which is fetched once the one that is known is a minute old.
    restart().await;
    site.log_in(&ida).await.refused(401, "oidc_refused");
    site.app.clock.advance(TimeDelta::minutes(1));
    let done = site.log_in(&ida).await;
    assert_eq!(site.me(&done).await["role"], "ADMIN", "the role is given here");
    admin.get("/api/auth/me").await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_proxy_the_provider_sends_people_to_the_public_address() {
    let provider = tokio::task::spawn_blocking(OidcProvider::shared).await.unwrap();
    let oidc = OidcSettings::new(&provider.issuer(), CLIENT_ID.to_owned(), CLIENT_SECRET.into(), None).unwrap();
    let settings = ApiSettings {
        base_path: ApiSettings::normal_base_path("/backup"),
        public_url: Some(format!("https://{HOST}/backup/").parse().unwrap()),
        oidc: Some(oidc),
        ..ApiSettings::default()
    };
    let app = TestApp::start_with(Catalog::Sqlite, settings).await;
    let response = app.client.get(LOGIN).await.expect(302);
    let url = response.header("location").unwrap();
    let redirect = format!("redirect_uri=https%3A%2F%2F{HOST}%2Fbackup%2Fapi%2Fauth%2Foidc%2Fcallback");
    assert!(url.contains(&redirect), "{url}");
    let cookie = response.header("set-cookie").unwrap();
    for attribute in ["Secure", "Path=/backup/api/auth/oidc"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
}

fn changed(role: Role, is_active: bool) -> UserChanges {
    UserChanges {
        role: Some(role),
        is_active: Some(is_active),
        ..UserChanges::default()
    }
}
