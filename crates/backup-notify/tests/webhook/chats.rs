use backup_core::notification::{BackupReport, Report, WebhookPreset};
use backup_notify::Language;
use serde_json::{Value, json};

use crate::reports::{backup, each, failed};
use crate::told;

const EVIL: &str =
    "<!channel> <@U123> @everyone @here <https://evil.example|click> [click](https://evil.example) *b* & `x`";

/// A backup that failed with a name and an error that would call everybody, and too long.
fn evil(length: usize) -> Report {
    Report::Backup(BackupReport {
        name: EVIL.to_owned(),
        error: Some(format!("{EVIL} {}", "備<".repeat(length))),
        ..failed()
    })
}

/// Every string of a document.
fn strings(json: &Value) -> Vec<&str> {
    match json {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => fields.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}

fn units(value: &Value) -> usize {
    value.as_str().unwrap().encode_utf16().count()
}

#[tokio::test]
async fn slack_gets_blocks() {
    let [(_, good), ..] = each();
    let json = told(WebhookPreset::Slack, Language::ZhTw, &good).await.json();
    assert_eq!(json["text"], "備份完成：nightly-20261126");
    assert_eq!(
        json["blocks"][0],
        json!({"type": "header", "text": {"type": "plain_text", "text": "備份完成：nightly-20261126"}})
    );
    let section = &json["blocks"][1];
    assert_eq!(
        (&section["type"], &section["text"]["type"]),
        (&json!("section"), &json!("mrkdwn"))
    );
    assert!(
        section["text"]["text"].as_str().unwrap().contains("備份大小：5.0 GiB"),
        "{json}"
    );
    assert_eq!(
        json["blocks"][2]["elements"][0]["text"],
        "<https://backup.example/base|開啟備份系統>"
    );
}

#[tokio::test]
async fn slack_is_not_made_to_call_people_nor_told_too_much() {
    let json = told(WebhookPreset::Slack, Language::En, &evil(5000)).await.json();
    let (header, section) = (&json["blocks"][0]["text"], &json["blocks"][1]["text"]);
    for text in [&json["text"], &header["text"], &section["text"]] {
        let text = text.as_str().unwrap();
        assert!(
            !text.contains(['<', '>']) && text.contains("&lt;!channel&gt;"),
            "{text}"
        );
        // No escape was cut in two.
        let rest = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
        assert!(!rest.contains('&'), "{text}");
    }
    assert_eq!(section["verbatim"], true);
    assert!(
        units(&header["text"]) <= 150 && units(&section["text"]) <= 3000,
        "{json}"
    );
    assert!(section["text"].as_str().unwrap().ends_with('…'), "{json}");
}

#[tokio::test]
async fn teams_gets_a_card() {
    let [(_, good), (_, bad), ..] = each();
    let json = told(WebhookPreset::Teams, Language::En, &good).await.json();
    assert_eq!(json["type"], "message");
    let attachment = &json["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert_eq!(
        (&card["type"], &card["version"]),
        (&json!("AdaptiveCard"), &json!("1.4"))
    );
    let run = &card["body"][0]["inlines"][0];
    assert_eq!(
        (&run["text"], &run["color"]),
        (&json!("Backup completed: nightly-20261126"), &json!("Good"))
    );
    assert!(strings(card).contains(&"Size: 5.0 GiB"), "{card}");
    assert_eq!(card["actions"][0]["url"], "https://backup.example/base");

    let json = told(WebhookPreset::Teams, Language::En, &bad).await.json();
    assert_eq!(
        json["attachments"][0]["content"]["body"][0]["inlines"][0]["color"],
        "Attention"
    );
}

#[tokio::test]
async fn teams_is_told_in_words_that_mean_nothing_to_it_and_not_too_much() {
    let mut lines = backup();
    lines.is_good = false;
    lines.error = Some("備份失敗的原因\n".repeat(5000));
    for report in [evil(20_000), Report::Backup(lines)] {
        let request = told(WebhookPreset::Teams, Language::ZhTw, &report).await;
        assert!(request.body.len() < 28_000, "{} bytes", request.body.len());
        let json = request.json();
        // Only text runs show what was told: they know no Markdown.
        let body = json["attachments"][0]["content"]["body"].as_array().unwrap();
        for block in body {
            assert_eq!(
                (&block["type"], &block["inlines"][0]["type"]),
                (&json!("RichTextBlock"), &json!("TextRun"))
            );
        }
        assert!(
            json["attachments"][0]["content"]["msteams"].get("entities").is_none(),
            "{json}"
        );
    }
}

#[tokio::test]
async fn discord_gets_an_embed_and_calls_nobody() {
    let [(_, good), ..] = each();
    let json = told(WebhookPreset::Discord, Language::ZhTw, &good).await.json();
    assert_eq!(json["content"], "備份完成：nightly-20261126");
    assert_eq!(json["allowed_mentions"], json!({"parse": []}));
    let embed = &json["embeds"][0];
    assert!(
        embed["description"]
            .as_str()
            .unwrap()
            .contains("下次執行：2026-11-27 02:00:00 UTC"),
        "{json}"
    );
    assert_eq!(
        (&embed["title"], &embed["url"]),
        (&json!("開啟備份系統"), &json!("https://backup.example/base"))
    );

    let json = told(WebhookPreset::Discord, Language::En, &evil(5000)).await.json();
    assert_eq!(json["allowed_mentions"], json!({"parse": []}));
    let content = json["content"].as_str().unwrap();
    assert!(
        content.contains(r"\[click\](https://evil.example) \*b\* & \`x\`"),
        "{content}"
    );
    assert!(
        units(&json["content"]) <= 2000 && units(&json["embeds"][0]["description"]) <= 4096,
        "{json}"
    );

    let long = BackupReport {
        name: "*😀".repeat(3000),
        ..backup()
    };
    let json = told(WebhookPreset::Discord, Language::En, &Report::Backup(long))
        .await
        .json();
    assert!((1990..=2000).contains(&units(&json["content"])), "{json}");
}
