//! Configurations over HTTP: what holds, what is changed, what is tried, and what catalog and storage do not share.

use std::fs;
use std::path::Path;

use backup_core::config::{BackupConfig, DEFAULT_CONFIG_KEY, SealedSecret};
use backup_core::{BackupId, BackupSource, Clock, JobStatus};
use backup_tests::azurite::Azurite;
use backup_tests::postgres::Postgres;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(
    a_configuration_is_the_environment_s_but_for_what_it_says,
    a_storage_that_cannot_be_opened_is_seen_and_exchanged,
    a_secret_goes_in_and_never_comes_out,
    what_is_changed_holds_from_the_next_backup_on,
    a_named_configuration_has_its_own_storage_and_backups,
    a_configuration_with_backups_neither_moves_nor_goes,
    a_connection_string_that_is_lost_is_set_anew,
    a_quota_that_refuses_says_so_at_once,
    a_test_really_connects,
    a_folder_is_tried_under_the_server_s_account,
    a_password_goes_only_where_it_was_given_for,
    nobody_names_the_system_s_own_folders,
    what_only_the_storage_has_is_adopted_or_removed,
    viewers_see_and_change_nothing,
);

const CONFIG: &str = "/api/admin/backup/config";
const SHOP: &str = "/api/admin/backup/config?key=shop";

async fn patch(client: &Client, path: &str, change: Value) -> Value {
    let answer = client.send("PATCH", path, &change.to_string()).await.expect(200);
    answer.json()["config"].clone()
}

async fn back_up(app: &TestApp, client: &Client, body: Value) -> Value {
    let asked = client.post("/api/admin/backup", body).await.expect(202).json();
    let id: BackupId = asked["backup"]["id"].as_str().unwrap().parse().unwrap();
    let ended = app.wait_for_end(id).await;
    assert_eq!(ended.status, JobStatus::Completed, "{:?}", ended.error_message);
    let shown = client.get(&format!("/api/admin/backup/{id}")).await.expect(200);
    shown.json()["backup"].clone()
}

/// A storage, files to save, and a worker.
async fn with_worker(app: &TestApp) -> Client {
    fs::create_dir_all(app.uploads()).unwrap();
    fs::write(app.uploads().join("a.txt"), "content of a\n".repeat(10_000)).unwrap();
    let engine = app.open_storage().await;
    app.start_worker(engine);
    app.as_admin().await
}

async fn a_configuration_is_the_environment_s_but_for_what_it_says(app: TestApp) {
    let admin = app.as_admin().await;
    admin.get(CONFIG).await.refused(503, "storage_unavailable");
    app.open_storage().await;
    let config = admin.get(CONFIG).await.expect(200).json()["config"].clone();
    assert_eq!(config["key"], DEFAULT_CONFIG_KEY);
    assert_eq!(
        (&config["databaseHost"], &config["databasePort"]),
        (&json!("127.0.0.1"), &json!(1))
    );
    assert_eq!(
        (&config["quotaGigabytes"], &config["quotaPolicy"]),
        (&json!(1), &json!("WARN"))
    );
    assert_eq!(
        (&config["compressionAlgorithm"], &config["overrides"]),
        (&json!("gzip"), &json!([]))
    );
    assert_eq!(config["updatedAt"], Value::Null);

    let changed = patch(
        &admin,
        CONFIG,
        json!({ "databaseHost": "db.example", "quotaGigabytes": 7 }),
    )
    .await;
    assert_eq!(
        (&changed["databaseHost"], &changed["databasePort"]),
        (&json!("db.example"), &json!(1))
    );
    assert_eq!(changed["overrides"], json!(["databaseHost", "quotaGigabytes"]));
    let back = patch(&admin, CONFIG, json!({ "databaseHost": null })).await;
    assert_eq!(
        (&back["databaseHost"], &back["overrides"]),
        (&json!("127.0.0.1"), &json!(["quotaGigabytes"]))
    );
    let status = admin.get("/api/admin/backup/status").await.expect(200).json();
    assert_eq!(status["storage"]["quotaBytes"], json!(7_u64 << 30));
    assert_eq!(
        app.audited().await.iter().filter(|act| *act == "CONFIG_UPDATE").count(),
        2
    );

    for (change, field) in [
        (json!({ "databasePort": 0 }), "databasePort"),
        (json!({ "uploadDir": "relative" }), "uploadDir"),
        (json!({ "storageUrl": "ftp://x" }), "storageUrl"),
        (json!({ "storageUrl": "az://UPPER" }), "storageUrl"),
        (json!({ "storageConnectionString": "nonsense" }), "storageUrl"),
        (json!({ "notificationEmails": ["nobody"] }), "notificationEmails"),
        (json!({ "compressionAlgorithm": "rar" }), "compressionAlgorithm"),
    ] {
        let refused = admin.english().send("PATCH", CONFIG, &change.to_string()).await;
        let refused = refused.refused(400, "field_invalid");
        assert!(refused.text().contains(field), "{}", refused.text());
    }
    admin
        .get("/api/admin/backup/config?key=Shop")
        .await
        .refused(400, "parameter_invalid");
    admin.get(SHOP).await.refused(404, "config_not_found");
    assert_eq!(
        patch(&admin, CONFIG, json!({})).await["overrides"],
        json!(["quotaGigabytes"])
    );
}

async fn a_storage_that_cannot_be_opened_is_seen_and_exchanged(app: TestApp) {
    // As it is while the server tries to open the environment's storage, which may be a wrong one.
    app.set_environment();
    let admin = app.as_admin().await;
    let wrong = format!("folder {}", app.folder.path().join("storage").display());
    assert_eq!(admin.get(CONFIG).await.expect(200).json()["config"]["storage"], wrong);
    let listed = admin.get("/api/admin/backup/configs").await.expect(200).json();
    assert_eq!(listed["configs"][0]["storage"], wrong);

    let right = app.folder.path().join("right");
    let change = json!({ "storageUrl": format!("file://{}", right.display()) });
    let body = json!({ "what": "STORAGE", "config": change });
    let tried = admin.post("/api/admin/backup/config/test", body).await.expect(200);
    assert_eq!(tried.json()["ok"], true, "{}", tried.text());
    let made = patch(&admin, CONFIG, change).await;
    assert_eq!(made["storage"], format!("folder {}", right.display()));
    // What reads backups still has to wait.
    admin
        .get("/api/admin/backup/orphans")
        .await
        .refused(503, "storage_unavailable");
}

async fn a_secret_goes_in_and_never_comes_out(app: TestApp) {
    let engine = app.open_storage().await;
    let admin = app.as_admin().await;
    let secrets = json!({ "databasePassword": "hunter2-canary", "encryptionKey": "passphrase-canary" });
    let changed = patch(&admin, CONFIG, secrets).await;
    assert_eq!(
        (&changed["databasePassword"], &changed["encryptionKey"]),
        (&json!("***"), &json!("***"))
    );
    let first = changed["keyFingerprint"].as_str().unwrap().to_owned();
    assert_ne!(first, engine.keys.current().fingerprint());
    // What a reader saw comes back unchanged from a form.
    let same = patch(
        &admin,
        CONFIG,
        json!({ "databasePassword": "***", "encryptionKey": "***" }),
    )
    .await;
    assert_eq!(same["keyFingerprint"], first);
    let stored = app.store.get_config(DEFAULT_CONFIG_KEY).await.unwrap().unwrap();
    let password = engine
        .unseal(stored.database_password.as_ref().unwrap(), "password")
        .unwrap();
    assert_eq!(password.expose_secret(), "hunter2-canary");
    assert!(stored.previous_encryption_keys.is_empty());

    // Neither could be given on the worst day: the one is not seen, the other ends where the list's next begins.
    for unfit in [" canary", "canary\n", "\u{3000}canary", "canary,canary", " "] {
        let body = json!({ "encryptionKey": unfit });
        for (client, word) in [(&admin, "逗號"), (&admin.english(), "comma")] {
            let answer = client.patch(CONFIG, &body).await.refused(400, "field_invalid");
            let said = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(said.contains(word) && said.contains("encryptionKey"), "{said}");
            assert!(!answer.text().contains("canary"), "{}", answer.text());
        }
    }
    let second = patch(&admin, CONFIG, json!({ "encryptionKey": "another canary" })).await;
    assert_ne!(second["keyFingerprint"], first);
    let stored = app.store.get_config(DEFAULT_CONFIG_KEY).await.unwrap().unwrap();
    assert_eq!(
        stored.previous_encryption_keys.len(),
        1,
        "the key before still opens its own"
    );
    let shown = [
        admin.get(CONFIG).await.text(),
        admin.get("/api/admin/backup/configs").await.text(),
        admin.get("/api/admin/audit?limit=200").await.text(),
        format!("{stored:?}"),
        stored.encryption_key.map(|secret| secret.0).unwrap_or_default(),
    ];
    for text in &shown {
        assert!(!text.contains("canary"), "{text}");
    }
}

async fn what_is_changed_holds_from_the_next_backup_on(app: TestApp) {
    let admin = with_worker(&app).await;
    let files = json!({ "source": "FILES" });
    let made = async |change: Value| {
        patch(&admin, CONFIG, change).await;
        let backup = back_up(&app, &admin, files.clone()).await;
        backup["storagePath"].as_str().unwrap().to_owned()
    };
    let end = |path: String| path.split_once(".tar.").unwrap().1.to_owned();
    assert_eq!(end(made(json!({})).await), "gz.enc");
    assert_eq!(end(made(json!({ "compressionAlgorithm": "zstd" })).await), "zst.enc");
    assert_eq!(end(made(json!({ "encryptionEnabled": false })).await), "zst");
    let plain = made(json!({ "compressionEnabled": false })).await;
    assert_eq!(end(plain.clone()), "gz");
    let stored = fs::metadata(app.folder.path().join("storage").join(plain))
        .unwrap()
        .len();
    assert!(stored > 100_000, "it is not compressed: {stored}");
}

async fn a_named_configuration_has_its_own_storage_and_backups(app: TestApp) {
    let admin = with_worker(&app).await;
    let storage = app.folder.path().join("shop");
    fs::create_dir(&storage).unwrap();
    let change = json!({ "storageUrl": format!("file://{}", storage.display()), "encryptionKey": "of the shop" });
    let made = patch(&admin, SHOP, change).await;
    assert_eq!(made["storage"], format!("folder {}", storage.display()));
    assert!(app.audited().await.contains(&"CONFIG_CREATE".to_owned()));
    admin
        .post("/api/admin/backup", json!({ "configKey": "nowhere" }))
        .await
        .refused(404, "config_not_found");

    let own = back_up(&app, &admin, json!({ "source": "FILES" })).await;
    let shops = back_up(&app, &admin, json!({ "source": "FILES", "configKey": "shop" })).await;
    assert_eq!(
        (&own["configKey"], &shops["configKey"]),
        (&json!("default"), &json!("shop"))
    );
    assert!(storage.join(shops["storagePath"].as_str().unwrap()).is_file());
    let listed = admin.get("/api/admin/backup?configKey=shop").await.expect(200).json();
    assert_eq!(
        (&listed["total"], &listed["backups"][0]["id"]),
        (&json!(1), &shops["id"])
    );
    let id = shops["id"].as_str().unwrap();
    let download = admin
        .get(&format!("/api/admin/backup/{id}/download?decrypt=true"))
        .await;
    assert_eq!((download.status, download.complete), (200, true));
    let file = format!("/api/admin/backup/{id}/contents/file?path=files/a.txt");
    assert_eq!(
        admin.get(&file).await.expect(200).text(),
        "content of a\n".repeat(10_000)
    );
    let all = admin.get("/api/admin/backup/configs").await.expect(200).json();
    let keys: Vec<&Value> = all["configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|config| &config["key"])
        .collect();
    assert_eq!(keys, [&json!("default"), &json!("shop")]);
    assert_eq!(all["configs"][1]["backupCount"], 1);
    admin.delete(&format!("/api/admin/backup/{id}")).await.expect(200);
    assert!(!storage.join(shops["storagePath"].as_str().unwrap()).exists());
    admin.delete(SHOP).await.expect(200);
    admin.get(SHOP).await.refused(404, "config_not_found");
}

async fn a_configuration_with_backups_neither_moves_nor_goes(app: TestApp) {
    let admin = with_worker(&app).await;
    back_up(&app, &admin, json!({ "source": "FILES" })).await;
    let elsewhere = format!("file://{}", app.folder.path().join("elsewhere").display());
    admin
        .send("PATCH", CONFIG, &json!({ "storageUrl": elsewhere }).to_string())
        .await
        .refused(409, "config_in_use");
    let same = format!("file://{}", app.folder.path().join("storage").display());
    patch(&admin, CONFIG, json!({ "storageUrl": same })).await;
    admin.delete(CONFIG).await.refused(409, "config_in_use");
    assert!(!app.folder.path().join("elsewhere").exists());
}

/// As a rebuilt catalog has it: the string is in no backup.
async fn a_connection_string_that_is_lost_is_set_anew(app: TestApp) {
    let admin = with_worker(&app).await;
    let mut shop = BackupConfig::defaults("shop", app.clock.now());
    shop.storage_connection_string = Some(SealedSecret::lost());
    app.store.put_config(&shop).await.unwrap();
    let body = json!({ "source": "FILES", "configKey": "shop" });
    let asked = admin.post("/api/admin/backup", body).await.expect(202).json();
    let id: BackupId = asked["backup"]["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(app.wait_for_end(id).await.status, JobStatus::Failed);
    // All else can be changed meanwhile, and what is to be done is said where it is done.
    let changed = patch(&admin, SHOP, json!({ "quotaGigabytes": 3 })).await;
    assert!(
        changed["storage"].as_str().unwrap().contains("Set it anew"),
        "{changed}"
    );
    let emulator = json!({ "storageConnectionString": "UseDevelopmentStorage=true" });
    let mended = patch(&admin, SHOP, emulator).await;
    assert!(mended["storage"].as_str().unwrap().contains("Azure"), "{mended}");
}

async fn a_quota_that_refuses_says_so_at_once(app: TestApp) {
    app.open_storage().await;
    let admin = app.as_admin().await;
    let big = app
        .new_backup(BackupSource::Files, backup_core::BackupTrigger::Manual, "big")
        .await;
    app.complete(big.id, 600 << 20).await;
    let ask = async || {
        admin
            .english()
            .post("/api/admin/backup", json!({ "source": "FILES" }))
            .await
    };
    ask().await.expect(202);
    patch(&admin, CONFIG, json!({ "quotaPolicy": "REFUSE" })).await;
    let refused = ask().await.refused(409, "quota_exceeded").json();
    assert_eq!(refused["details"]["quotaBytes"], json!(1_u64 << 30));
    assert_eq!(refused["details"]["expectedBytes"], json!(600_u64 << 20));
    // Nothing like it was made before: it may fit.
    admin
        .post("/api/admin/backup", json!({ "source": "CONFIG" }))
        .await
        .expect(202);
}

async fn a_test_really_connects(app: TestApp) {
    app.open_storage().await;
    let admin = app.as_admin().await.english();
    let test = async |body: Value| {
        let answer = admin
            .post("/api/admin/backup/config/test", body)
            .await
            .expect(200)
            .json();
        (
            answer["ok"].as_bool().unwrap(),
            answer["detail"].as_str().unwrap().to_owned(),
            answer,
        )
    };
    let storage = async |config: Value| test(json!({ "what": "STORAGE", "config": config })).await;
    assert!(storage(json!({})).await.0);
    let azurite = Azurite::shared();
    let azure = json!({ "storageConnectionString": azurite.connection_string(), "containerName": "tried" });
    let (ok, detail, _) = storage(azure).await;
    assert!(ok && detail.contains("tried"), "{detail}");
    let wrong = azurite.connection_string().replace("AccountKey=", "AccountKey=AAAA");
    let (ok, detail, _) = storage(json!({ "storageConnectionString": wrong })).await;
    assert!(!ok && detail.contains("HINT") && !detail.contains("AAAA"), "{detail}");
    let file = app.folder.path().join("catalog-file");
    fs::write(&file, "").unwrap();
    assert!(
        !storage(json!({ "storageUrl": format!("file://{}", file.display()) }))
            .await
            .0
    );

    let database = Postgres::shared().create_database("tried");
    let reader = format!("reader_{}", backup_tests::unique());
    database.psql(&format!(
        "CREATE TABLE t (a int); CREATE ROLE {reader} LOGIN PASSWORD 'canary-password'"
    ));
    let good = json!({
        "databaseHost": database.host, "databasePort": database.port, "databaseName": database.name,
        "databaseUser": database.user, "databasePassword": database.password,
    });
    let (ok, detail, answer) = test(json!({ "what": "DATABASE", "config": good })).await;
    assert!(ok && detail.starts_with("PostgreSQL"), "{detail}");
    assert!(answer["serverVersion"].is_string() && answer["dumpVersion"].is_string());
    for (field, value, says) in [
        ("databaseUser", json!(reader), "public.t"),
        ("databasePassword", json!("canary-wrong"), "password"),
        ("databaseName", json!("there_is_none"), "there_is_none"),
        ("databasePort", json!(1), "127.0.0.1"),
    ] {
        let mut config = good.clone();
        config[field] = value;
        if field == "databaseUser" {
            config["databasePassword"] = json!("canary-password");
        }
        let (ok, detail, _) = test(json!({ "what": "DATABASE", "config": config })).await;
        assert!(
            !ok && detail.contains(says) && !detail.contains("canary"),
            "{field}: {detail}"
        );
    }
    database.psql(&format!("DROP ROLE {reader}"));
    let files = async |folder: &Path| {
        let config = json!({ "uploadDir": folder.display().to_string() });
        test(json!({ "what": "FILES", "config": config })).await
    };
    fs::create_dir_all(app.uploads()).unwrap();
    let (ok, detail, _) = files(&app.uploads()).await;
    assert!(ok && Path::new(&detail) == app.uploads(), "{detail}");
    for wrong in [file.as_path(), &app.folder.path().join("there-is-none")] {
        let (ok, detail, _) = files(wrong).await;
        assert!(!ok && detail.contains("UPLOAD_DIR"), "{detail}");
        // It runs the jobs itself.
        assert!(!detail.contains("the server's own account"), "{detail}");
    }
    let (ok, detail, _) = test(json!({ "what": "NOTIFICATION" })).await;
    assert!(!ok && detail.contains("SMTP_URL"), "{detail}");
    assert!(app.audited().await.contains(&"CONFIG_TEST".to_owned()));
    let kept = admin.get(CONFIG).await.expect(200).json();
    assert_eq!(kept["config"]["overrides"], json!([]), "what is tried is not kept");
}

async fn a_folder_is_tried_under_the_server_s_account(app: TestApp) {
    app.set_environment_without_jobs();
    let admin = app.as_admin().await.english();
    let folder = app.folder.path().join("there-is-none").display().to_string();
    let body = json!({ "what": "FILES", "config": { "uploadDir": folder } });
    let answer = admin.post("/api/admin/backup/config/test", body).await.expect(200);
    let answer = answer.json();
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        answer["ok"] == false && detail.contains("the server's own account"),
        "{detail}"
    );
}

async fn what_only_the_storage_has_is_adopted_or_removed(app: TestApp) {
    let admin = with_worker(&app).await;
    let orphans = "/api/admin/backup/orphans";
    assert_eq!(
        admin.get(orphans).await.expect(200).json(),
        json!({ "orphans": [], "more": false, "unreachable": [] })
    );
    let lost = back_up(&app, &admin, json!({ "source": "FILES" })).await;
    let archive = app
        .folder
        .path()
        .join("storage")
        .join(lost["storagePath"].as_str().unwrap());
    app.clock.advance(chrono::TimeDelta::seconds(1));
    fs::remove_file(&archive).unwrap();
    let found = admin.get(orphans).await.expect(200).json();
    assert_eq!(
        (&found["orphans"][0]["kind"], &found["orphans"][0]["backupId"]),
        (&json!("DAMAGED"), &lost["id"])
    );
    let id = lost["id"].as_str().unwrap();
    admin
        .delete(&format!("{orphans}/{id}"))
        .await
        .refused(409, "orphan_refused");
    admin.delete(&format!("/api/admin/backup/{id}")).await.expect(200);

    // A storage that came from another catalog.
    let other = TestApp::start(crate::support::Catalog::Sqlite).await;
    let theirs = with_worker(&other).await;
    let adopted = back_up(&other, &theirs, json!({ "source": "FILES" })).await;
    let removed = back_up(&other, &theirs, json!({ "source": "CONFIG" })).await;
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(other.folder.path().join("storage/."))
        .arg(app.folder.path().join("storage"))
        .status();
    assert!(copied.unwrap().success());
    assert_eq!(admin.get(orphans).await.json()["orphans"].as_array().unwrap().len(), 2);
    let id = adopted["id"].as_str().unwrap();
    let answer = admin
        .post(&format!("{orphans}/{id}/adopt"), "")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&answer["backup"]["status"], &answer["backup"]["checksum"]),
        (&json!("COMPLETED"), &adopted["checksum"])
    );
    let removed = removed["id"].as_str().unwrap();
    admin.delete(&format!("{orphans}/{removed}")).await.expect(200);
    assert_eq!(admin.get(orphans).await.json()["orphans"], json!([]));
    admin
        .delete(&format!("{orphans}/{removed}"))
        .await
        .refused(404, "backup_not_found");
    let acts = app.audited().await;
    assert!(acts.contains(&"BACKUP_ADOPT".to_owned()) && acts.contains(&"ORPHAN_REMOVE".to_owned()));
}

async fn viewers_see_and_change_nothing(app: TestApp) {
    app.open_storage().await;
    let viewer = app.as_viewer().await;
    viewer.get(CONFIG).await.expect(200);
    viewer.send("PATCH", CONFIG, "{}").await.refused(403, "forbidden");
    viewer.delete(CONFIG).await.refused(403, "forbidden");
    let test = json!({ "what": "STORAGE" });
    viewer
        .post("/api/admin/backup/config/test", test)
        .await
        .refused(403, "forbidden");
    viewer.get("/api/admin/backup/orphans").await.refused(403, "forbidden");
}

async fn a_password_goes_only_where_it_was_given_for(app: TestApp) {
    app.open_storage().await;
    let admin = app.as_admin().await.english();
    let own = json!({ "databaseHost": "db.example", "databaseUser": "backup", "databasePassword": "canary" });
    patch(&admin, CONFIG, own).await;
    for change in [
        json!({ "databaseHost": "evil.example" }),
        json!({ "databaseHost": "evil.example", "databasePassword": "***" }),
        json!({ "databasePort": 7 }),
        json!({ "databaseUser": "another" }),
        json!({ "databaseHost": null }),
    ] {
        let refused = admin.send("PATCH", CONFIG, &change.to_string()).await;
        let refused = refused.refused(400, "field_missing");
        assert!(refused.text().contains("databasePassword"), "{}", refused.text());
        let test = json!({ "what": "DATABASE", "config": change });
        admin
            .post("/api/admin/backup/config/test", test)
            .await
            .refused(400, "field_missing");
    }
    let kept = patch(
        &admin,
        CONFIG,
        json!({ "databaseName": "other", "databasePassword": "***" }),
    )
    .await;
    assert_eq!(
        (&kept["databaseHost"], &kept["databasePassword"]),
        (&json!("db.example"), &json!("***"))
    );
    let given = json!({ "databaseHost": "new.example", "databasePassword": "canary-2" });
    assert_eq!(patch(&admin, CONFIG, given).await["databaseHost"], "new.example");
    let none = json!({ "databaseHost": null, "databaseUser": null, "databasePassword": null });
    assert_eq!(patch(&admin, CONFIG, none).await["databasePassword"], Value::Null);

    for url in [
        "az://container/p?account=a&endpoint=https://evil.example",
        "az://container/p?account=a&endpoint=https://good.example&endpoint=https://evil.example",
        "az://container?account=evil.example/x",
        "az://container?account=evil.example%2Fx",
        "az://container?account=another",
    ] {
        let change = json!({ "storageUrl": url });
        admin
            .send("PATCH", CONFIG, &change.to_string())
            .await
            .refused(400, "field_invalid");
        let test = json!({ "what": "STORAGE", "config": change });
        let tried = admin.post("/api/admin/backup/config/test", test).await.expect(200);
        assert_eq!(tried.json()["ok"], false, "{}", tried.text());
        // Refused for what it says, and not by whoever was asked.
        assert!(tried.text().contains("storage URL"), "{url}: {}", tried.text());
    }
}

async fn nobody_names_the_system_s_own_folders(app: TestApp) {
    let admin = with_worker(&app).await.english();
    let backup = back_up(&app, &admin, json!({ "source": "FILES" })).await;
    let (folder, data) = (app.folder.path(), app.folder.path().join("data"));
    fs::create_dir_all(&data).unwrap();
    let link = folder.join("link");
    std::os::unix::fs::symlink("/proc/self", &link).unwrap();
    let refused = async |change: Value, field: &str| {
        for (method, path, body) in [
            ("PATCH", CONFIG, change.clone()),
            (
                "POST",
                "/api/admin/backup/config/test",
                json!({ "what": "FILES", "config": change }),
            ),
        ] {
            let answer = admin.send(method, path, &body.to_string()).await;
            let answer = answer.refused(400, "field_invalid");
            assert!(answer.text().contains(field), "{}", answer.text());
        }
    };
    let (restores, storage) = (data.join("restores"), folder.join("storage"));
    let upload_dirs: [&Path; 10] = [
        Path::new("/etc/backup"),
        Path::new("/etc"),
        Path::new("/proc/self"),
        Path::new("/srv/../etc/backup"),
        Path::new("/"),
        &data,
        &restores,
        folder,
        &storage,
        &link,
    ];
    for path in upload_dirs {
        refused(json!({ "uploadDir": path }), "uploadDir").await;
    }
    for path in ["/etc/backup/x", "/run/backup", "/"] {
        refused(json!({ "storageUrl": format!("file://{path}") }), "storageUrl").await;
    }
    let plan = async |target: &Path| {
        let options = json!({ "mode": "NEW", "targetDir": target });
        let path = format!("/api/admin/backup/{}/restore/plan", backup["id"].as_str().unwrap());
        admin.post(&path, options).await.expect(200).text()
    };
    for target in [data.join("new"), storage.join("new"), "/run/new".into()] {
        let text = plan(target.as_path()).await;
        assert!(text.contains("HOLDS_THIS_SYSTEM"), "{}: {text}", target.display());
    }
    for target in [folder.join("new"), restores.join("new")] {
        let text = plan(target.as_path()).await;
        assert!(!text.contains("HOLDS_THIS_SYSTEM"), "{}: {text}", target.display());
    }
    // One that is linked elsewhere after it was named is looked at again.
    let moved = folder.join("moved");
    fs::create_dir(&moved).unwrap();
    patch(&admin, CONFIG, json!({ "uploadDir": moved })).await;
    let told = app.descriptions("CONFIG_UPDATE").await.pop().unwrap();
    assert!(told.contains(&format!("uploadDir={}", moved.display())), "{told}");
    fs::remove_dir(&moved).unwrap();
    std::os::unix::fs::symlink(&data, &moved).unwrap();
    let asked = admin.post("/api/admin/backup", json!({ "source": "FILES" })).await;
    let id = asked.expect(202).json()["backup"]["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let ended = app.wait_for_end(id).await;
    assert_eq!(ended.status, JobStatus::Failed);
}
