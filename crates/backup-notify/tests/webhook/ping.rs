use backup_core::notification::{BackupReport, Report, WebhookPreset};
use backup_notify::Language;

use crate::reports::{each, failed};
use crate::{ID, PATH, told};

const FAIL: &str = "/services/T000/hunter2hunter2/fail?token=hunter2hunter2";

#[tokio::test]
async fn a_dead_mans_switch_hears_good_and_bad_at_its_own_paths() {
    for (event, report) in each() {
        let request = told(WebhookPreset::Ping, Language::ZhTw, &report).await;
        let path = if report.is_good() { PATH } else { FAIL };
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", path),
            "{event}"
        );
        assert_eq!(request.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(request.headers["idempotency-key"], ID);
        assert!(request.text().contains('\n'), "{}", request.text());
    }
}

#[tokio::test]
async fn it_is_not_told_more_than_it_takes() {
    let report = BackupReport {
        error: Some("錯誤".repeat(10_000)),
        ..failed()
    };
    let request = told(WebhookPreset::Ping, Language::ZhTw, &Report::Backup(report)).await;
    assert!((9_990..=10_000).contains(&request.body.len()), "{}", request.body.len());
    assert!(
        request.text().starts_with("備份失敗：nightly-20261126\n\n"),
        "{}",
        request.text()
    );
    assert!(std::str::from_utf8(&request.body).is_ok(), "a character was cut in two");
}
