use std::collections::BTreeMap;

use backup_core::notification::{AlertReport, BackupReport, Report};
use backup_notify::{Language, Message, templates};
use backup_tests::smtp::{SmtpServer, Tls};

use crate::reports::{alert, backup, each, failed};
use crate::{mailer, settings, to};

const HERE: Option<&str> = Some("https://backup.example/base");

fn of(language: Language, report: &Report) -> Message {
    templates::report(language, HERE, report)
}

#[tokio::test]
async fn every_report_arrives_in_both_languages_as_it_was_made() {
    let server = SmtpServer::start(Tls::None, None);
    let mailer = mailer(settings("smtp://127.0.0.1:PORT", server.port()));
    for language in Language::ALL {
        for (event, report) in each() {
            let sent = templates::report(*language, HERE, &report);
            mailer.send(&to(&["ops@example.org"]), &sent).await.unwrap();
            let received = server.received().pop().unwrap();
            assert_eq!(received.headers["subject"], sent.subject, "{language} {event}");
            assert_eq!(received.text, sent.text);
            assert_eq!(received.html, sent.html);
            assert_eq!(
                received.kinds,
                ["multipart/alternative", "text/plain; utf-8", "text/html; utf-8"]
            );
            assert!(received.ascii, "{received:?}");
            for part in [&received.text, &received.html] {
                assert!(part.contains("https://backup.example/base"), "{part}");
                assert!(!part.contains(['{', '}']), "{language} {event}: {part}");
                assert!(!part.contains("\n\n\n"), "{part}");
            }
            assert!(received.html.contains(&format!("lang=\"{language}\"")), "{received:?}");
            assert!(
                received.html.contains("href=\"https://backup.example/base\""),
                "{received:?}"
            );
        }
    }
}

#[test]
fn a_backup_is_told_with_size_duration_and_next_run() {
    let zh = of(Language::ZhTw, &Report::Backup(backup()));
    assert_eq!(zh.subject, "備份完成：nightly-20261126");
    assert_eq!(
        zh.text,
        "備份「nightly-20261126」已完成。\n\n類型：完整備份\n來源：完整系統\n備份大小：5.0 GiB\n讀取資料量：12.3 GiB\n\
         開始時間：2026-11-26 02:00:00 UTC\n完成時間：2026-11-26 03:02:05 UTC\n耗時：1 小時 2 分\n警告數：2\n\
         排程：每日備份\n下次執行：2026-11-27 02:00:00 UTC\n備份系統：https://backup.example/base\n"
    );
    let en = of(Language::En, &Report::Backup(failed()));
    assert_eq!(en.subject, "Backup failed: nightly-20261126");
    assert_eq!(
        en.text,
        "The backup \"nightly-20261126\" failed.\n\nError: the storage is full\n\
         What to do: Make room (or raise the quota).\n\nType: full\nSource: full system\n\
         Started at: 2026-11-26 02:00:00 UTC\nEnded at: 2026-11-26 03:02:05 UTC\nDuration: 1 h 2 min\n\
         Schedule: 每日備份\nNext run: 2026-11-27 02:00:00 UTC\nBackup system: https://backup.example/base\n"
    );
    assert!(en.html.contains(">What to do</th>"), "{}", en.html);
}

#[test]
fn a_cancelled_backup_is_told_as_one() {
    let cancelled = |by: Option<&str>| {
        Report::Backup(BackupReport {
            error: Some("it was cancelled".to_owned()),
            is_cancelled: true,
            cancelled_by: by.map(str::to_owned),
            ..failed()
        })
    };
    let en = of(Language::En, &cancelled(Some("Ann")));
    assert_eq!(en.subject, "Backup cancelled: nightly-20261126");
    let text = "The backup \"nightly-20261126\" was cancelled.\n\nCancelled by: Ann\n\nType: full\n";
    assert!(en.text.starts_with(text), "{}", en.text);
    let zh = of(Language::ZhTw, &cancelled(None));
    assert_eq!(zh.subject, "備份已取消：nightly-20261126");
    let text = "備份「nightly-20261126」已被取消。\n\n類型：完整備份\n";
    assert!(zh.text.starts_with(text), "{}", zh.text);
    assert!(!zh.html.contains("失敗") && !zh.html.contains("取消者"), "{}", zh.html);
}

#[test]
fn an_alert_is_told_with_its_sentence_and_its_end() {
    let [_, _, (_, raised), (_, resolved)] = each();
    let zh = of(Language::ZhTw, &raised);
    assert_eq!(zh.subject, "警報（嚴重）：儲存空間用量過高：shop");
    assert!(
        zh.text
            .starts_with("配置「shop」的備份已使用配額的 91%，超過 90%。\n\n嚴重程度：嚴重\n"),
        "{}",
        zh.text
    );
    let en = of(Language::En, &resolved);
    assert_eq!(en.subject, "Alert over: storage fills up: shop");
    assert!(
        en.text.contains("Over at: 2026-11-27 08:07:08 UTC\nLasted: 1 d 2 h\n"),
        "{}",
        en.text
    );

    // Without details: the line in English, and what it is about where that is known.
    let bare = AlertReport {
        details: BTreeMap::new(),
        subject: String::new(),
        ..alert()
    };
    let bare = of(Language::ZhTw, &Report::Alert(bare));
    assert_eq!(bare.subject, "警報（嚴重）：儲存空間用量過高");
    assert!(
        bare.text.starts_with("the backups take up 91 % of the quota\n"),
        "{}",
        bare.text
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let report = BackupReport {
        size_bytes: None,
        source_bytes: None,
        started_at: None,
        warnings: 0,
        schedule: None,
        next_run_at: None,
        ..backup()
    };
    let message = templates::report(Language::En, None, &Report::Backup(report));
    assert_eq!(
        message.text,
        "The backup \"nightly-20261126\" is complete.\n\nType: full\nSource: full system\n\
         Completed at: 2026-11-26 03:02:05 UTC\n"
    );
    assert_eq!(message.html.matches("<tr>").count(), 3, "{}", message.html);
}

#[test]
fn a_name_is_text_and_nothing_more() {
    let report = BackupReport {
        name: "<script>&\r\nBcc: x@example.org {schedule}".to_owned(),
        error: Some("line 1\r\nline 2\u{1b}[31m".to_owned()),
        schedule: Some("\"><img src=x>\nError: none".to_owned()),
        ..failed()
    };
    for language in Language::ALL {
        let message = templates::report(*language, Some("javascript:alert(1)"), &Report::Backup(report.clone()));
        assert!(!message.subject.contains(char::is_control), "{:?}", message.subject);
        assert!(message.subject.contains("{schedule}"), "{}", message.subject);
        assert!(message.text.contains("line 1\nline 2 [31m"), "{}", message.text);
        assert!(!message.text.contains("\nError: none"), "{}", message.text);
        assert!(
            !message.html.contains("<script") && !message.html.contains("<img"),
            "{}",
            message.html
        );
        assert!(!message.html.contains("href"), "{}", message.html);
    }
}
