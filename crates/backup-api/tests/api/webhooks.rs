//! Whom a configuration tells: webhooks, whose addresses nobody sees again, and the alerts themselves.

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::{AlertKind, NewAlert};
use backup_tests::http_sink::{HttpSink, Reply};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, on_both_catalogs};

on_both_catalogs!(
    a_webhook_goes_in_and_its_address_never_comes_out,
    settings_of_what_is_told_have_defaults,
    a_test_tells_every_webhook_and_names_what_fails,
    alerts_are_said_in_both_languages,
);

const CONFIG: &str = "/api/admin/backup/config";

async fn patch(client: &Client, change: Value) -> Value {
    client.patch(CONFIG, change).await.expect(200).json()["config"].clone()
}

async fn address(app: &TestApp, engine: &backup_engine::Engine, name: &str) -> String {
    let config = app.store.get_config(DEFAULT_CONFIG_KEY).await.unwrap().unwrap();
    let hook = config.webhooks.iter().find(|hook| hook.name == name).unwrap();
    engine.unseal(&hook.url, "address").unwrap().expose_secret().to_owned()
}

async fn a_webhook_goes_in_and_its_address_never_comes_out(app: TestApp) {
    let engine = app.open_storage().await;
    let admin = app.as_admin().await;
    let first = "https://hooks.example/canary-first";
    let change = json!({ "webhooks": [
        { "name": "ops", "preset": "SLACK", "url": first },
        { "name": "own", "url": "https://own.example/canary-own", "template": "{\"text\":\"{text}\"}", "onSuccess": true,
            "onFailure": false },
    ]});
    let config = patch(&admin, change).await;
    assert_eq!(
        config["webhooks"],
        json!([
            { "name": "ops", "preset": "SLACK", "url": "***", "template": null, "onSuccess": false, "onFailure": true },
            { "name": "own", "preset": "GENERIC", "url": "***", "template": "{\"text\":\"{text}\"}", "onSuccess": true,
                "onFailure": false },
        ])
    );
    assert_eq!(config["overrides"], json!(["webhooks"]));
    assert_eq!(address(&app, &engine, "ops").await, first);

    // What a reader saw comes back from a form, with one thing changed.
    let mut form = config["webhooks"].clone();
    form[0]["onSuccess"] = json!(true);
    let config = patch(&admin, json!({ "webhooks": form })).await;
    assert_eq!(config["webhooks"][0]["onSuccess"], true);
    assert_eq!(address(&app, &engine, "ops").await, first);
    // Another address for one, none said for the other; a name that goes takes its address with it.
    let change =
        json!({ "webhooks": [{ "name": "own", "url": "https://own.example/canary-second" }, { "name": "ops" }] });
    patch(&admin, change).await;
    assert_eq!(address(&app, &engine, "own").await, "https://own.example/canary-second");
    assert_eq!(address(&app, &engine, "ops").await, first);
    patch(&admin, json!({ "webhooks": [{ "name": "ops" }] })).await;
    admin
        .patch(CONFIG, json!({ "webhooks": [{ "name": "own", "url": "***" }] }))
        .await
        .refused(400, "field_missing");
    let stored = app.store.get_config(DEFAULT_CONFIG_KEY).await.unwrap().unwrap();
    let shown = [
        admin.get(CONFIG).await.text(),
        admin.get("/api/admin/backup/configs").await.text(),
        admin.get("/api/admin/audit?limit=200").await.text(),
        format!("{stored:?}"),
        stored.webhooks[0].url.0.clone(),
    ];
    for text in &shown {
        assert!(!text.contains("canary"), "{text}");
    }
    assert_eq!(
        app.descriptions("CONFIG_UPDATE").await[0],
        "更新備份配置: default (webhooks)"
    );
    // What a change does not name stays, lists too.
    patch(&admin, json!({ "notificationEmails": ["ops@example.org"] })).await;
    let config = patch(&admin, json!({ "quotaPolicy": "WARN" })).await;
    assert_eq!(
        (&config["notificationEmails"], &config["webhooks"][0]["name"]),
        (&json!(["ops@example.org"]), &json!("ops"))
    );
    patch(&admin, json!({ "notificationEmails": null })).await;
    let none = patch(&admin, json!({ "webhooks": null })).await;
    assert_eq!((&none["webhooks"], &none["overrides"]), (&json!([]), &json!([])));
}

async fn settings_of_what_is_told_have_defaults(app: TestApp) {
    app.open_storage().await;
    let admin = app.as_admin().await;
    let fields = ["notificationLanguage", "usageAlertPercents", "verifyWithinDays"];
    let of = |config: &Value| fields.map(|field| config[field].clone());
    let standard = [json!("zh-TW"), json!([80, 90, 95]), json!(30)];
    let config = admin.get(CONFIG).await.expect(200).json()["config"].clone();
    assert_eq!(of(&config), standard);
    let change = json!({ "notificationLanguage": "en", "usageAlertPercents": [], "verifyWithinDays": null });
    let config = patch(&admin, change).await;
    assert_eq!(of(&config), [json!("en"), json!([]), json!(null)], "null is never");
    assert_eq!(config["overrides"], json!(fields));
    let change = json!({ "usageAlertPercents": [50, 100.0], "verifyWithinDays": 3650 });
    let config = patch(&admin, change).await;
    assert_eq!(of(&config), [json!("en"), json!([50, 100]), json!(3650)]);
    let change = json!({ "notificationLanguage": null, "usageAlertPercents": null, "verifyWithinDays": 30 });
    let config = patch(&admin, change).await;
    assert_eq!((of(&config), &config["overrides"]), (standard, &json!([])));
}

async fn a_test_tells_every_webhook_and_names_what_fails(app: TestApp) {
    app.open_storage().await;
    let admin = app.as_admin().await.english();
    let test = async |config: Value| {
        let body = json!({ "what": "NOTIFICATION", "config": config });
        let answer = admin
            .post("/api/admin/backup/config/test", body)
            .await
            .expect(200)
            .json();
        (
            answer["ok"].as_bool().unwrap(),
            answer["detail"].as_str().unwrap().to_owned(),
        )
    };
    let (ok, detail) = test(json!({})).await;
    assert!(!ok && detail.contains("SMTP_URL"), "{detail}");

    let hook = |name: &str, sink: &HttpSink| json!({ "name": name, "url": sink.url("/canary-path") });
    let (good, bad) = (HttpSink::start(), HttpSink::start());
    let (ok, detail) = test(json!({ "webhooks": [hook("ops", &good)] })).await;
    assert!(ok && detail == "ops", "{detail}");
    let told = &good.requests()[0];
    assert_eq!(
        (told.path.as_str(), &told.json()["event"]),
        ("/canary-path", &json!("test"))
    );

    bad.reply(Reply::status(404));
    let change = json!({
        "webhooks": [hook("wrong", &bad), hook("right", &good)], "notificationEmails": ["ops@example.org"],
    });
    let (ok, detail) = test(change).await;
    assert!(
        !ok && detail.contains("wrong") && detail.contains("SMTP_URL"),
        "{detail}"
    );
    assert!(!detail.contains("right") && !detail.contains("canary"), "{detail}");
    assert_eq!(good.requests().len(), 2, "the others are told");
    let kept = admin.get(CONFIG).await.expect(200).json();
    assert_eq!(kept["config"]["webhooks"], json!([]), "what is tried is not kept");
}

async fn alerts_are_said_in_both_languages(app: TestApp) {
    let viewer = app.as_viewer().await;
    let mut events = viewer.events("/api/admin/backup/events").await;
    assert!(events.next_block().await.unwrap().starts_with("id: "));
    let alert = NewAlert::new(AlertKind::StorageUsage, "shop", "the English line")
        .with("config", "shop")
        .with("percent", 91)
        .with("step", 90);
    app.store.raise_alert(alert).await.unwrap();
    let chinese = viewer.get("/api/admin/backup/alerts").await.expect(200).json()["alerts"][0].clone();
    assert_eq!(
        (&chinese["kind"], &chinese["severity"], &chinese["subject"]),
        (&json!("STORAGE_USAGE"), &json!("WARNING"), &json!("shop"))
    );
    assert_eq!(
        chinese["details"],
        json!({ "config": "shop", "percent": "91", "step": "90" })
    );
    let sentence = |alert: &Value| alert["message"].as_str().unwrap().to_owned();
    assert!(
        !sentence(&chinese).is_ascii() && sentence(&chinese).contains("91"),
        "{chinese}"
    );
    assert_eq!(events.next().await.unwrap().data, chinese);
    let english = viewer
        .english()
        .get("/api/admin/backup/status")
        .await
        .expect(200)
        .json();
    let english = &english["alerts"][0];
    assert!(
        sentence(english).is_ascii() && sentence(english).contains("91"),
        "{english}"
    );
    assert_ne!(sentence(english), "the English line");
    // What its details do not say is said as it was written down.
    let vague = NewAlert::new(AlertKind::OrphansFound, "", "something was found");
    app.store.raise_alert(vague).await.unwrap();
    let newest = viewer.get("/api/admin/backup/alerts?limit=1").await.expect(200).json();
    assert_eq!(newest["alerts"][0]["message"], "something was found");
}
