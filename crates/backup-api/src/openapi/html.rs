//! Pieces of HTML: escaped text, the little Markdown that descriptions use, and types in a line.

use serde_json::Value;

/// Text as HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A value as it is written in JSON; a text without its quotes.
pub(super) fn code(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    format!("<code>{}</code>", escape(&text))
}

/// A description: paragraphs, lists and code.
pub(super) fn prose(description: &Value) -> String {
    let paragraphs = description.as_str().unwrap_or_default().split("\n\n");
    paragraphs
        .filter(|text| !text.trim().is_empty())
        .map(paragraph)
        .collect()
}

fn paragraph(text: &str) -> String {
    let (items, lines): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.starts_with("- "));
    let lines = spans(&lines.join(" "));
    if items.is_empty() {
        return format!("<p>{lines}</p>");
    }
    let items: String = items.into_iter().map(item).collect();
    format!("<p>{lines}</p><ul>{items}</ul>")
}

fn item(line: &str) -> String {
    format!("<li>{}</li>", spans(&line[2..]))
}

/// Every second piece between backticks is code.
fn spans(text: &str) -> String {
    text.split('`').enumerate().map(span).collect()
}

fn span((index, piece): (usize, &str)) -> String {
    let piece = escape(piece);
    if index % 2 == 0 {
        piece
    } else {
        format!("<code>{piece}</code>")
    }
}

/// A schema in a line: its name as a link, or what it is.
pub(super) fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(type_of).collect::<Vec<_>>().join(" | ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(code).collect::<Vec<_>>().join(" | ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        Value::String(name) => vec![name],
        _ => vec!["any"],
    };
    let of = |name: &str| match name {
        "array" => format!("{}[]", type_of(&schema["items"])),
        "null" => name.to_owned(),
        _ => format!("{name}{}", limits(schema)),
    };
    names.into_iter().map(of).collect::<Vec<_>>().join(" | ")
}

fn limits(schema: &Value) -> String {
    let limit = |(key, sign): (&str, &str)| schema.get(key).map(|value| format!(" {sign} {value}"));
    let format = schema["format"].as_str().filter(|format| !format.starts_with("int"));
    let format = format.map(|format| format!(" ({})", escape(format)));
    let limits = [
        ("minLength", "≥"),
        ("maxLength", "≤"),
        ("minimum", "≥"),
        ("maximum", "≤"),
    ];
    format.into_iter().chain(limits.into_iter().filter_map(limit)).collect()
}
