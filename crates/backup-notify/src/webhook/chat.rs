//! The JSON that programs for chats want. Texts are made harmless: what a backup or an error is called neither calls people
//! nor hides a link.

use serde_json::{Value, json};

use super::cut::cut;
use super::told::Told;
use crate::templates::{link, open_word};

/// Slack: an incoming webhook's blocks. `text` is for where those cannot be shown.
pub(super) fn slack(told: &Told<'_>) -> Value {
    let (title, text) = (&told.message.subject, &told.message.text);
    let mut blocks = vec![
        json!({"type": "header", "text": {"type": "plain_text", "text": cut(title, 150, slack_form)}}),
        // Verbatim: names of channels and people in it are no mentions.
        json!({"type": "section", "text": {"type": "mrkdwn", "verbatim": true, "text": cut(text.trim_end(), 3000, slack_form)}}),
    ];
    if let Some(link) = link(told.installation) {
        let shown = cut(&open_word(told.language), 200, slack_form);
        let link = cut(&link.replace('|', "%7C"), 2000, slack_form);
        let link = format!("<{link}|{shown}>");
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "verbatim": true, "text": link}]}));
    }
    json!({"text": cut(title, 3000, slack_form), "blocks": blocks})
}

/// Everything that Slack reads as a mention or a link stands in angle brackets.
fn slack_form(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        _ => out.push(c),
    }
}

/// Teams: an adaptive card in the envelope that its workflows take. Text runs know neither Markdown nor mentions. The whole
/// may have 28 KB.
pub(super) fn teams(told: &Told<'_>) -> Value {
    const LINES: usize = 40;
    let run = |text: &str, more: Value| {
        let mut run = json!({"type": "TextRun", "text": text});
        if let (Value::Object(run), Value::Object(more)) = (&mut run, more) {
            run.extend(more);
        }
        json!({"type": "RichTextBlock", "spacing": "Small", "inlines": [run]})
    };
    let plain = |c, out: &mut String| out.push(c);
    let color = if told.is_good() { "Good" } else { "Attention" };
    let title = cut(&told.message.subject, 500, plain);
    let text = cut(&told.message.text, 4500, plain);
    let mut body = vec![run(
        &title,
        json!({"size": "Medium", "weight": "Bolder", "color": color}),
    )];
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    body.extend(lines.take(LINES).map(|line| run(line, json!({}))));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    });
    if let Some(link) = link(told.installation) {
        card["actions"] = json!([{"type": "Action.OpenUrl", "title": open_word(told.language), "url": link}]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

/// Discord: one embed below the title; nobody is mentioned, whatever stands in it.
pub(super) fn discord(told: &Told<'_>) -> Value {
    const GREEN: u32 = 0x2E_7D32;
    const RED: u32 = 0xC6_2828;
    let text = told.message.text.trim_end();
    let mut embed = json!({
        "description": cut(text, 4096, discord_form),
        "color": if told.is_good() { GREEN } else { RED },
    });
    if let Some(link) = link(told.installation) {
        // An address belongs to a title.
        embed["title"] = cut(&open_word(told.language), 256, discord_form).into();
        embed["url"] = link.into();
    }
    json!({
        "content": cut(&told.message.subject, 2000, discord_form),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    })
}

/// Without Discord's Markdown, whose links can hide where they go.
fn discord_form(c: char, out: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#') {
        out.push('\\');
    }
    out.push(c);
}
