//! What [`Fields`](crate::http::body::Fields) holds every body to: no unknown field, no NUL in a text; a required text is not
//! blank; and no body is the empty object.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// A text that the catalog can hold.
pub(super) const TEXT: &str = r"^[^\u0000]*$";

/// Such a text that is not blank.
pub(super) const TEXT_NOT_BLANK: &str = r"^[^\u0000]*[^\u0000\s][^\u0000]*$";

/// Writes it into the schemas of all bodies.
pub(super) fn close_bodies(document: &mut Value) {
    let mut waiting = Vec::new();
    for body in bodies(document) {
        references(body, &mut waiting);
    }
    let mut closed = BTreeSet::new();
    let mut demanding = BTreeSet::new();
    while let Some(reference) = waiting.pop() {
        let Some(schema) = document.pointer_mut(&reference[1..]) else {
            continue;
        };
        if !closed.insert(reference.clone()) {
            continue;
        }
        references(schema, &mut waiting);
        if schema.get("properties").is_some() {
            close(schema);
        }
        if schema.get("required").is_some() {
            demanding.insert(reference);
        }
    }
    for body in bodies(document) {
        let mut names = Vec::new();
        references(body, &mut names);
        body["required"] = json!(names.iter().any(|name| demanding.contains(name)));
    }
}

fn bodies(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten());
    operations.filter_map(|(_, operation)| operation.get_mut("requestBody"))
}

/// Adds every `$ref` within `value`.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn close(schema: &mut Value) {
    schema["additionalProperties"] = json!(false);
    for (_, property) in schema["properties"].as_object_mut().into_iter().flatten() {
        let not_blank = property.get("minLength").is_some();
        close_text(property, if not_blank { TEXT_NOT_BLANK } else { TEXT });
        // In a list a blank text is a text: `Fields::texts` refuses an empty one alone.
        if let Some(items) = property.get_mut("items") {
            close_text(items, TEXT);
        }
    }
}

fn close_text(schema: &mut Value, pattern: &str) {
    let is_text = schema["type"] == "string" || schema["type"][0] == "string";
    if is_text
        && ["format", "enum", "pattern"]
            .iter()
            .all(|key| schema.get(key).is_none())
    {
        schema["pattern"] = json!(pattern);
    }
}
