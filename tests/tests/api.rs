//! The API from outside: who may do what, what is answered to what cannot be done, and what becomes of a backup that is
//! protected, cancelled or deleted.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use backup_tests::system::{ADMIN, Answer, Client, System};
use serde_json::{Value, json};

/// The error's code; asserts the status and that there is a message in the language asked for.
fn error(answer: &Answer, status: u16) -> String {
    let body = answer.expect(status);
    assert!(
        body["error"].as_str().is_some_and(|message| !message.is_empty()),
        "{body}"
    );
    body["code"]
        .as_str()
        .unwrap_or_else(|| panic!("a code: {body}"))
        .to_owned()
}

#[test]
fn nobody_gets_in_without_a_session_or_a_token() {
    let mut system = System::embedded();
    system.start();
    let nobody = Client::new(system.port());
    for path in [
        "/api/admin/backup",
        "/api/admin/backup/status",
        "/api/admin/backup/events",
        "/api/admin/tokens",
        "/api/auth/me",
    ] {
        error(&nobody.get(path), 401);
    }
    error(
        &nobody
            .with("Authorization", "Bearer bkp_wrong")
            .get("/api/admin/backup"),
        401,
    );
    error(&nobody.with("Cookie", "session=wrong").get("/api/admin/backup"), 401);
    let login = |password: &str| nobody.post("/api/auth/login", &json!({ "email": ADMIN, "password": password }));
    error(&login("wrong"), 401);
    let good = login(system.setting("BACKUP_ADMIN_PASSWORD"));
    let cookie = good.header("set-cookie").expect("a cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    assert_eq!(system.api().get("/api/auth/me").expect(200)["user"]["email"], ADMIN);

    // Guessing is slowed down, and says so.
    let guesses: Vec<u16> = (0..30).map(|number| login(&format!("guess {number}")).status).collect();
    assert!(guesses.contains(&429), "{guesses:?}");

    let logged_out = system.api().post("/api/auth/logout", &json!({}));
    assert_eq!(logged_out.status, 200, "{}", logged_out.text());
    error(&system.api().get("/api/admin/backup"), 401);
}

#[test]
fn a_token_may_do_what_its_scope_says() {
    let mut system = System::embedded();
    system.start();
    let token = |scope: &str| {
        let body = json!({ "name": format!("a {scope} token"), "scope": scope });
        let made = system.api().post("/api/admin/tokens", &body).expect(201);
        let secret = made["secret"].as_str().unwrap().to_owned();
        let client = Client::new(system.port()).with("Authorization", &format!("Bearer {secret}"));
        (made["token"]["id"].as_str().unwrap().to_owned(), secret, client)
    };
    let (read_id, secret, read) = token("READ");
    let (_, _, operate) = token("OPERATE");
    read.get("/api/admin/backup").expect(200);
    let body = json!({ "source": "CONFIG" });
    let denied = read.post("/api/admin/backup", &body);
    assert_eq!(denied.expect(403)["error"], "權限不足");
    let made = operate.post("/api/admin/backup", &body).expect(202);
    let id = made["backup"]["id"].as_str().unwrap();
    system.completed(id);
    error(&operate.delete(&format!("/api/admin/backup/{id}")), 403);
    error(&operate.get(&format!("/api/admin/backup/{id}/download")), 403);
    let listed = system.api().get("/api/admin/tokens").expect(200);
    assert!(!listed.to_string().contains(&secret), "a token's secret is shown once");
    system.api().delete(&format!("/api/admin/tokens/{read_id}")).expect(200);
    error(&read.get("/api/admin/backup"), 401);

    // The operator's own way in, without a server's help.
    let printed = system
        .backupctl(&["token", "create", "by hand", "--scope", "READ"])
        .expect(0);
    let by_hand = Client::new(system.port()).with("Authorization", &format!("Bearer {}", printed.stdout.trim()));
    by_hand.get("/api/admin/backup").expect(200);
    let add = system
        .program("backupctl")
        .args(["user", "add", "viewer@example.org", "--role", "viewer"]);
    let _added = add.env("BACKUP_USER_PASSWORD", "a viewer's password").run().expect(0);
    let login = json!({ "email": "Viewer@example.org", "password": "a viewer's password" });
    let answer = Client::new(system.port()).post("/api/auth/login", &login);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn what_cannot_be_done_is_said_in_the_callers_language() {
    let mut system = System::embedded();
    system.start();
    let english = system.api();
    let unknown = "/api/admin/backup/01900000-0000-7000-8000-000000000000";
    assert_eq!(error(&english.get(unknown), 404), "backup_not_found");
    assert_eq!(english.get(unknown).expect(404)["error"], "The backup does not exist.");
    let native = Client::new(system.port());
    let cookieless = native.get(unknown).expect(401);
    assert!(
        cookieless["error"].as_str().unwrap().chars().any(|c| c as u32 > 0x4e00),
        "{cookieless}"
    );
    for (method, path, body) in [
        ("POST", "/api/admin/backup", json!({ "source": "EVERYTHING" })),
        ("POST", "/api/admin/backup", json!({ "type": "HUGE" })),
        ("POST", "/api/admin/backup", json!([])),
        ("POST", "/api/admin/backup", json!({ "unknownField": 1 })),
        ("GET", "/api/admin/backup?limit=0", Value::Null),
        ("GET", "/api/admin/backup?limit=201", Value::Null),
        ("GET", "/api/admin/backup?sortBy=color", Value::Null),
        ("GET", "/api/admin/backup?dateFrom=yesterday", Value::Null),
    ] {
        let body = (!body.is_null()).then_some(&body);
        error(&english.send(method, path, body), 400);
    }
    for path in ["/api/admin/backup/not-an-id", "/api/nothing"] {
        let answer = english.get(path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.text());
        assert!(answer.json()["code"].is_string(), "{path}");
    }
    let broken = english
        .try_send("POST", "/api/admin/backup", Some(("application/json", b"{\"source\":")))
        .unwrap();
    error(&broken, 400);
    let foreign = english
        .with("Origin", "https://evil.example")
        .post("/api/admin/backup", &json!({}));
    error(&foreign, 403);
    assert_eq!(
        english.get("/api/admin/backup").expect(200)["total"],
        0,
        "none of these made a backup"
    );
}

#[test]
fn a_backup_is_protected_cancelled_and_deleted() {
    let mut system = System::services();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let path = format!("/api/admin/backup/{}", backup["id"].as_str().unwrap());
    system
        .api()
        .post(&format!("{path}/protect"), &json!({ "protected": true }))
        .expect(200);
    assert_eq!(error(&system.api().delete(&path), 409), "backup_protected");
    system.assert_stored(&[&backup]);
    system
        .api()
        .post(&format!("{path}/protect"), &json!({ "protected": false }))
        .expect(200);
    system.api().delete(&path).expect(200);
    error(&system.api().get(&path), 404);
    system.assert_stored(&[]);
    assert_eq!(
        system.api().get("/api/admin/backup/status").expect(200)["storage"]["backupCount"],
        0
    );

    // Without a worker a job waits: it is cancelled at once, and cannot be deleted before.
    let _stopped = system.take_server().terminate();
    system.set("BACKUP_WORKERS", "0");
    system.start();
    let waiting = format!("/api/admin/backup/{}", system.create("CONFIG"));
    assert_eq!(error(&system.api().delete(&waiting), 409), "backup_running");
    system.api().post(&format!("{waiting}/cancel"), &json!({})).expect(200);
    assert_eq!(system.api().get(&waiting).expect(200)["backup"]["status"], "CANCELLED");
    error(&system.api().post(&format!("{waiting}/cancel"), &json!({})), 409);
    error(&system.api().get(&format!("{waiting}/download")), 409);
    system.api().delete(&waiting).expect(200);
    system.assert_stored(&[]);
}

#[test]
fn a_verification_and_a_restore_run_as_jobs_and_tell_their_result() {
    let mut system = System::embedded();
    system.fill_a_little();
    system.start();
    let backup = system.back_up("FULL_SYSTEM");
    let id = backup["id"].as_str().unwrap();
    let limit = std::time::Duration::from_mins(1);
    system
        .api()
        .post(
            &format!("/api/admin/backup/{id}/verify"),
            &json!({ "level": "CONTENT" }),
        )
        .expect(202);
    let verified = system.wait_until(id, limit, |backup| !backup["verifiedAt"].is_null());
    assert_eq!(verified["verifyLevel"], "CONTENT");
    assert_eq!(verified["verifyError"], Value::Null);

    let copy = system.new_database();
    let files = system.folder().join("by the api");
    let body = json!({ "mode": "NEW", "targetDatabase": copy.name, "targetDir": files.to_str().unwrap(), "restoreConfig": false });
    let made = system
        .api()
        .post(&format!("/api/admin/backup/{id}/restore"), &body)
        .expect(202);
    let restore = format!("/api/admin/restore/{}", made["restore"]["id"].as_str().unwrap());
    let ended = backup_tests::poll(limit, || {
        let record = system.api().get(&restore).expect(200)["restore"].take();
        (record["status"] != "PENDING" && record["status"] != "IN_PROGRESS").then_some(record)
    });
    assert_eq!(
        ended.as_ref().map(|record| &record["status"]),
        Some(&json!("COMPLETED")),
        "{ended:#?}"
    );
    backup_tests::system::assert_same_databases(&system.database, &copy);
    assert_eq!(
        backup_tests::tree::compare(&system.uploads(), &files),
        Vec::<String>::new()
    );

    // What a verification finds stands on the backup, for everybody to see.
    let path = backup["storagePath"].as_str().unwrap();
    let mut bytes = system.blobs.read(path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    system.blobs.write(path, &bytes);
    system
        .api()
        .post(
            &format!("/api/admin/backup/{id}/verify"),
            &json!({ "level": "CHECKSUM" }),
        )
        .expect(202);
    let found = system.wait_until(id, limit, |backup| !backup["verifyError"].is_null());
    assert!(found["verifyError"].as_str().unwrap().contains("damaged"), "{found:#}");

    // The log says all of it in words.
    let restored = format!("restore {} completed", made["restore"]["id"].as_str().unwrap());
    for (level, action, message) in [
        ("info", "verify_completed", "the backup is what was written"),
        ("info", "restore_completed", restored.as_str()),
        ("error", "verify_completed", "something is wrong with the backup"),
    ] {
        system.server().wait_for_line(limit, |line| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line["level"] == level
                && line["action"] == action
                && line["backupId"] == id
                && line["message"].as_str().is_some_and(|text| text.contains(message))
        });
    }
}
