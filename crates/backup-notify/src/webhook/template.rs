//! Requests whose JSON the administrator has written: `{name}` in its strings stands for a value.

use serde_json::{Map, Value};

use super::told::TEMPLATE_NAMES;
use crate::Error;
use crate::templates::fill;

/// Bytes that a template may have.
pub const MAX_TEMPLATE: usize = 16 * 1024;

const HINT: &str =
    "A template is a JSON document; docs/notifications.md lists the names that may stand in braces in its strings.";

/// Whether `template` can be filled: a JSON document of at most [`MAX_TEMPLATE`] bytes, which names nothing in braces but
/// [`TEMPLATE_NAMES`]. Braces around anything that is no name are left as they are.
///
/// # Errors
/// [`Error::Refused`], which says where it is wrong.
pub fn check_template(template: &str) -> Result<(), Error> {
    let mut unknown = None;
    map_strings(&mut parse(template)?, &mut |text| {
        fill(text, |name| {
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if is_name && !TEMPLATE_NAMES.contains(&name) {
                unknown.get_or_insert(name.to_owned());
            }
            None
        });
        None
    });
    match unknown {
        None => Ok(()),
        Some(name) => Err(Error::refused(
            format!("the webhook's template names {{{name}}}, which is nothing"),
            HINT,
        )),
    }
}

/// The template with these values. A string that is one name alone becomes the value itself, a number where that is one.
pub(super) fn filled(template: &str, values: &Map<String, Value>) -> Result<Value, Error> {
    let mut json = parse(template)?;
    map_strings(&mut json, &mut |text| {
        let alone = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        if let Some(value) = alone.and_then(|name| values.get(name)) {
            return Some(value.clone());
        }
        Some(Value::String(fill(text, |name| {
            Some(match values.get(name)? {
                Value::Null => String::new(),
                Value::String(value) => value.clone(),
                value => value.to_string(),
            })
        })))
    });
    Ok(json)
}

fn parse(template: &str) -> Result<Value, Error> {
    if template.len() > MAX_TEMPLATE {
        return Err(Error::refused(
            format!("the webhook's template has more than {MAX_TEMPLATE} bytes"),
            HINT,
        ));
    }
    serde_json::from_str(template)
        .map_err(|error| Error::refused(format!("the webhook's template is no JSON: {error}"), HINT))
}

/// Shows `change` every string that is a value, and puts what it gives in its place.
fn map_strings(json: &mut Value, change: &mut impl FnMut(&str) -> Option<Value>) {
    match json {
        Value::String(text) => {
            if let Some(value) = change(text) {
                *json = value;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| map_strings(value, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| map_strings(value, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_is_json_with_known_names() {
        for good in [
            r#"{"a": "{name} {text}", "b": ["{sizeBytes}", 1, null, true], "{c}": {}}"#,
            r#""{ } {} {\"x\": 1} {not a name} {name""#,
            "[]",
        ] {
            assert!(check_template(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", "is no JSON"),
            (r#"{"a": {name}}"#, "is no JSON"),
            ("{\"a\": \"x\",}", "is no JSON"),
            (r#"{"a": [{"b": "{nam}"}]}"#, "{nam}"),
            (r#"["{password}"]"#, "{password}"),
        ] {
            let error = check_template(bad).unwrap_err();
            assert!(
                matches!(error, Error::Refused(_)) && error.message().contains(why),
                "{error}"
            );
        }
        let long = format!("\"{}\"", "a".repeat(MAX_TEMPLATE));
        assert!(check_template(&long).unwrap_err().message().contains("16384"));
        assert!(check_template(&"[".repeat(1000)).is_err());
    }

    #[test]
    fn values_keep_their_kind_and_are_never_looked_at_again() {
        let values = json!({"name": "\"},{\n{text}", "sizeBytes": 5, "isGood": true, "error": null, "text": "x"});
        let Value::Object(values) = values else { unreachable!() };
        let template = r#"{"n": "{sizeBytes}", "s": "{sizeBytes} B", "b": "{isGood}", "e": "{error}", "t": "-{error}-",
            "v": ["<{name}>"], "u": "{unknown}{", "{name}": 1}"#;
        assert_eq!(
            filled(template, &values).unwrap(),
            json!({"n": 5, "s": "5 B", "b": true, "e": null, "t": "--", "v": ["<\"},{\n{text}>"], "u": "{unknown}{",
                "{name}": 1})
        );
    }
}
