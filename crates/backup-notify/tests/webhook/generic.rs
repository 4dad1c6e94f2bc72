use backup_core::notification::{BackupReport, Report, WebhookPreset};
use backup_notify::Language;
use backup_notify::webhook::{TEMPLATE_NAMES, WebhookSender, WebhookSettings, check_template};
use backup_tests::http_sink::HttpSink;
use serde_json::{Value, json};

use crate::reports::{backup, each};
use crate::{HERE, ID, PATH, now, told, webhook};

#[tokio::test]
async fn our_own_json_says_everything() {
    for (event, report) in each() {
        let request = told(WebhookPreset::Generic, Language::En, &report).await;
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", PATH));
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(request.headers["idempotency-key"], ID);
        assert!(
            request.headers["user-agent"].starts_with("backup-notify/"),
            "{request:?}"
        );
        let json = request.json();
        assert_eq!(
            (&json["event"], &json["id"], &json["installation"]),
            (&json!(event), &json!(ID), &json!(HERE))
        );
        assert_eq!(json["isGood"], report.is_good(), "{json}");
        assert!(json["text"].as_str().unwrap().contains('\n'), "{json}");
        assert_eq!(json.get("backup").is_some(), event.starts_with("backup"), "{json}");
        assert_eq!(json.get("alert").is_some(), event.starts_with("alert"), "{json}");
    }
    let [(_, good), _, (_, raised), _] = each();
    let request = told(WebhookPreset::Generic, Language::ZhTw, &good).await;
    assert_eq!(request.json()["title"], "備份完成：nightly-20261126");
    assert_eq!(
        request.json()["backup"],
        json!({"id": "0198c1d2-0000-7000-8000-000000000000", "name": "nightly-20261126", "type": "FULL", "source": "FULL_SYSTEM",
            "sizeBytes": 5_368_709_120_u64, "sourceBytes": 13_207_024_435_u64, "startedAt": "2026-11-26T02:00:00Z",
            "completedAt": "2026-11-26T03:02:05Z", "durationSeconds": 3725, "error": null, "warnings": 2,
            "schedule": "每日備份", "nextRunAt": "2026-11-27T02:00:00Z"})
    );
    let request = told(WebhookPreset::Generic, Language::En, &raised).await;
    assert_eq!(
        request.json()["alert"],
        json!({"kind": "STORAGE_USAGE", "subject": "shop", "severity": "CRITICAL",
            "message": "the backups take up 91 % of the quota", "details": {"config": "shop", "percent": "91", "step": "90"},
            "raisedAt": "2026-11-26T06:07:08Z", "resolvedAt": null})
    );
}

/// What is told with this template.
async fn filled(template: &str, report: &Report) -> Value {
    check_template(template).unwrap();
    let sink = HttpSink::start();
    let to = WebhookSettings {
        template: Some(template.to_owned()),
        ..webhook(&sink, WebhookPreset::Generic)
    };
    let sender = WebhookSender::new().unwrap();
    sender.send(&to, ID, Language::En, HERE, report).await.unwrap();
    sink.requests()[0].json()
}

#[tokio::test]
async fn a_template_is_filled_whatever_the_values_hold() {
    let evil = "a\"}, \"admin\": true, {\"x\": \"\\\n\u{0}{error} @everyone <!channel>";
    let report = Report::Backup(BackupReport {
        name: evil.to_owned(),
        error: Some("no".to_owned()),
        ..backup()
    });
    let template = r#"{"size": "{sizeBytes}", "what": "{event}: {name}!", "list": ["{name}", {"deep": "{warnings}"}],
        "kept": "{\"a\": 1} { }", "none": "{severity}", "fixed": 7}"#;
    assert_eq!(
        filled(template, &report).await,
        json!({"size": 5_368_709_120_u64, "what": format!("backup.completed: {evil}!"), "list": [evil, {"deep": 2}],
            "kept": "{\"a\": 1} { }", "none": null, "fixed": 7})
    );
}

#[tokio::test]
async fn every_name_that_is_promised_is_filled() {
    let template: Value = TEMPLATE_NAMES
        .iter()
        .map(|name| ((*name).to_owned(), json!(format!("{{{name}}}"))))
        .collect();
    let mut said = std::collections::BTreeSet::new();
    for (event, report) in each() {
        let json = filled(&template.to_string(), &report).await;
        let fields = json.as_object().unwrap();
        assert_eq!(fields.len(), TEMPLATE_NAMES.len(), "{event}: {json}");
        said.extend(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, _)| name.clone()),
        );
    }
    assert_eq!(said.len(), TEMPLATE_NAMES.len(), "{said:?}");
}

#[tokio::test]
async fn a_test_goes_the_same_way() {
    let sink = HttpSink::start();
    let sender = WebhookSender::new().unwrap();
    for preset in WebhookPreset::ALL {
        let to = webhook(&sink, *preset);
        sender.send_test(&to, ID, Language::ZhTw, HERE, now()).await.unwrap();
        let request = sink.requests().pop().unwrap();
        assert_eq!(request.path, PATH, "{preset}");
        assert!(
            request.text().contains("此 Webhook 通知可正常運作"),
            "{preset}: {}",
            request.text()
        );
    }
    assert_eq!(sink.requests()[0].json()["event"], "test");
}
