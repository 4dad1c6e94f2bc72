//! No secret leaves the system: a canary in each, everything tried that could show one, and everything that was written read.
#![allow(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::fs;
use std::time::Duration;

use backup_tests::azurite::ACCOUNT_KEY;
use backup_tests::guard::children_of;
use backup_tests::poll;
use backup_tests::system::{ADMIN, Client, System};
use serde_json::{Value, json};

/// Base64, as a storage account's key is.
const CONFIGS_KEY: &str = "Y2FuYXJ5LW9mLWEtY29uZmlndXJhdGlvbi1zdG9yYWdl";

/// What is planted, and where.
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    /// A new secret for this place.
    fn plant(&mut self, place: &'static str) -> String {
        let secret = format!("canary-{}", backup_tests::unique());
        self.0.push((place, secret.clone()));
        secret
    }

    /// A secret that is what it is.
    fn add(&mut self, place: &'static str, secret: &str) {
        self.0.push((place, secret.to_owned()));
    }

    #[track_caller]
    fn find_none_in(&self, what: &str, text: &str) {
        for (place, secret) in &self.0 {
            if let Some(at) = text.find(secret.as_str()) {
                let begin = (0..=at.saturating_sub(200)).rev().find(|at| text.is_char_boundary(*at));
                panic!("the secret of {place} is in {what}: …{}", &text[begin.unwrap_or(0)..at]);
            }
        }
    }
}

#[test]
fn no_secret_leaves_the_system() {
    let mut canaries = Canaries(Vec::new());
    let mut system = System::services();
    system.fill_a_little();
    // Enough for the programs to be seen at work.
    system.fill_database(24);
    for name in [
        "BACKUP_ENCRYPTION_KEY",
        "BACKUP_ADMIN_PASSWORD",
        "OIDC_CLIENT_SECRET",
        // It counts for nothing beside DATABASE_PASSWORD.
        "PGPASSWORD",
    ] {
        let secret = canaries.plant(name);
        system.set(name, &secret);
    }
    let previous = canaries.plant("BACKUP_ENCRYPTION_KEY_PREVIOUS");
    let mail = canaries.plant("SMTP_URL");
    canaries.add("DATABASE_PASSWORD and CATALOG_URL", system.setting("DATABASE_PASSWORD"));
    canaries.add("AZURE_STORAGE_CONNECTION_STRING", ACCOUNT_KEY);
    canaries.add("a configuration's storage", CONFIGS_KEY);
    for (name, value) in [
        ("BACKUP_ENCRYPTION_KEY_PREVIOUS", previous.clone()),
        ("SMTP_URL", format!("smtp://sender:{mail}@127.0.0.1:1")),
        ("SMTP_FROM", "backup@example.org".to_owned()),
        ("OIDC_ISSUER_URL", "http://127.0.0.1:1".to_owned()),
        ("OIDC_CLIENT_ID", "backup".to_owned()),
        ("RUST_LOG", "trace".to_owned()),
        ("BACKUP_CONFIG_ENV", "APP_NAME,PATH".to_owned()),
    ] {
        system.set(name, &value);
    }
    system.start();
    let good = system.create("FULL_SYSTEM");
    let mut commands = String::new();
    poll(Duration::from_mins(2), || {
        commands.push_str(&command_lines(system.server().pid()));
        (system.backup(&good)["status"] == "COMPLETED").then_some(())
    })
    .unwrap();
    assert!(commands.contains("pg_dump"), "the programs were seen at work");
    canaries.find_none_in("a command line", &commands);

    let answers = try_everything(&system, &mut canaries);
    canaries.find_none_in("an answer", &answers);
    canaries.find_none_in("the sheet for people", &sheet(&system));
    for args in [&["man"][..], &["completions", "bash"], &["catalog", "rebuild"]] {
        let done = system.backupctl(args);
        canaries.find_none_in("what backupctl prints", &format!("{}{}", done.stdout, done.stderr));
    }
    let server = system.take_server().terminate();
    canaries.find_none_in("the log", &format!("{}{}", server.stdout, server.stderr));
    canaries.find_none_in("the catalog", &system.catalog.as_ref().unwrap().dump());
    let receipts = system.blobs.list().into_iter().filter(|path| !path.contains(".tar."));
    for path in receipts {
        canaries.find_none_in("a receipt", &String::from_utf8(system.blobs.read(&path)).unwrap());
    }
    let exported = system.backupctl(&["extract", &good, "config/config.json"]).expect(0);
    assert!(exported.stdout.contains("environmentConfigs"));
    canaries.find_none_in("the exported configuration", &exported.stdout);
}

/// libpq's own variable is a password of the environment like any other: it logs in where the environment says, and follows
/// nobody to a host of their choice. The server by another name stands for such a host.
#[test]
fn the_password_of_libpq_goes_only_where_the_environment_says() {
    let mut system = System::embedded();
    let password = system.setting("DATABASE_PASSWORD").to_owned();
    system.unset("DATABASE_PASSWORD").set("PGPASSWORD", &password);
    for is_named_too in [false, true] {
        if is_named_too {
            system.set("DATABASE_PASSWORD", &password);
        }
        system.start();
        let test = |config: Value| {
            let body = json!({ "what": "DATABASE", "config": config });
            system.api().post("/api/admin/backup/config/test", &body)
        };
        let own = test(json!({})).expect(200);
        assert_eq!(own["ok"], true, "{own}");
        let elsewhere = test(json!({ "databaseHost": "localhost" })).expect(400);
        assert_eq!(elsewhere["code"], "field_missing", "{elsewhere}");
        let without = json!({ "databaseHost": "localhost", "databasePassword": null });
        let without = test(without).expect(200);
        assert_eq!(without["ok"], false, "{without}");
        let detail = without["detail"].as_str().unwrap();
        assert!(detail.contains("no password supplied"), "{detail}");
        let _ended = system.take_server().terminate();
    }
}

/// Uses every secret rightly and wrongly, and gives all that was answered.
fn try_everything(system: &System, canaries: &mut Canaries) -> String {
    let api = system.api();
    let mut answers = String::new();
    let shop = json!({
        "storageConnectionString":
            format!("AccountName=shop;AccountKey={CONFIGS_KEY};BlobEndpoint=http://127.0.0.1:1/shop"),
        "databaseHost": "127.0.0.1",
        "databasePassword": canaries.plant("a configuration's database"),
        "encryptionKey": canaries.plant("a configuration's key"),
        "notificationEmails": ["ops@example.org"],
        "webhooks": [{
            "name": "ops",
            "url": format!("http://127.0.0.1:1/{}", canaries.plant("a webhook's address")),
        }],
    });
    let ask = |client: &Client, method: &str, path: &str, body: Option<&Value>| {
        let answer = client.send(method, path, body);
        format!("{} {}\n", answer.status, answer.text())
    };
    let config = "/api/admin/backup/config?key=shop";
    answers += &ask(api, "PATCH", config, Some(&shop));
    assert!(answers.starts_with("200"), "{answers}");
    for what in ["STORAGE", "DATABASE", "NOTIFICATION"] {
        let test = ask(
            api,
            "POST",
            "/api/admin/backup/config/test?key=shop",
            Some(&json!({ "what": what })),
        );
        assert!(test.contains("\"ok\":false"), "{test}");
        answers += &test;
    }
    let bad =
        json!({ "storageConnectionString": format!("AccountKey={CONFIGS_KEY};Nonsense"), "databasePort": CONFIGS_KEY });
    answers += &ask(api, "PATCH", config, Some(&bad));
    let misplaced = canaries.plant("a webhook's address that is refused");
    for webhooks in [
        json!(format!("https://a.example/{misplaced}")),
        json!([format!("https://a.example/{misplaced}")]),
        json!([{ "name": "b", "url": format!("ftp://a.example/{misplaced}") }]),
        json!([{ "name": "b", "url": [misplaced] }]),
    ] {
        let refused = ask(api, "PATCH", config, Some(&json!({ "webhooks": webhooks })));
        assert!(refused.starts_with("400"), "{refused}");
        answers += &refused;
    }
    let asked = api.post("/api/admin/backup", &json!({ "source": "FILES", "configKey": "shop" }));
    let id = asked.expect(202)["backup"]["id"].as_str().unwrap().to_owned();
    answers += &system.failed(&id);

    let password = canaries.plant("a person's password");
    let person = json!({ "email": "anna@example.org", "password": password, "role": "VIEWER" });
    answers += &ask(api, "POST", "/api/admin/users", Some(&person));
    let wrong = canaries.plant("a wrong password");
    let nobody = Client::new(system.port());
    for (email, password) in [(ADMIN, &wrong), ("anna@example.org", &password)] {
        let login = json!({ "email": email, "password": password });
        answers += &ask(&nobody, "POST", "/api/auth/login", Some(&login));
    }
    answers += &ask(
        &nobody,
        "POST",
        "/api/auth/login",
        Some(&json!({ "email": 7, "password": wrong })),
    );
    answers += &ask(&nobody, "GET", "/api/auth/oidc/login", None);
    let made = api
        .post("/api/admin/tokens", &json!({ "name": "t", "scope": "READ" }))
        .expect(201);
    canaries.add("a token", made["secret"].as_str().unwrap());
    let token = nobody.with("Authorization", &format!("Bearer {}", made["secret"].as_str().unwrap()));
    answers += &ask(&token, "GET", "/api/admin/backup", None);
    for path in [
        "/api/auth/me",
        "/api/admin/users",
        "/api/admin/tokens",
        "/api/admin/audit?limit=200",
        "/api/admin/audit/export",
        "/api/admin/backup/status",
        "/api/admin/backup/alerts?state=ALL",
        "/api/admin/backup/usage",
        "/api/admin/backup/configs",
        "/api/admin/backup/orphans",
        "/api/admin/restore",
        "/api/openapi.json",
        "/metrics",
        "/readyz",
    ] {
        answers += &ask(api, "GET", path, None);
    }
    answers
}

fn sheet(system: &System) -> String {
    let sheet = system.backupctl(&["key", "sheet", "--language", "en"]).expect(0);
    assert!(sheet.stdout.contains("BACKUP_ENCRYPTION_KEY_PREVIOUS"));
    let secret = system.backupctl(&["key", "sheet", "--with-passphrases"]).expect(0);
    assert!(secret.stdout.contains(system.setting("BACKUP_ENCRYPTION_KEY")));
    sheet.stdout
}

/// The command lines of a process's children and theirs.
fn command_lines(pid: u32) -> String {
    let mut lines = String::new();
    for child in children_of(pid) {
        if let Ok(line) = fs::read(format!("/proc/{child}/cmdline")) {
            lines.push_str(&String::from_utf8_lossy(&line).replace('\0', " "));
            lines.push('\n');
        }
        lines.push_str(&command_lines(child));
    }
    lines
}
