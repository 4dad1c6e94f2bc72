//! JSON in canonical form: the keys of an object sorted, no white space, the receipt's `mac` empty.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The most fields of one object: many times what a receipt's have.
const MAX_FIELDS: usize = 1000;

/// The canonical form of a JSON text, written while it is read: no tree of values is held, which of a hostile text would be
/// many times its length.
///
/// # Errors
/// Where it is not JSON, or has an object with more fields than any of ours.
pub(super) fn canonical(json: &[u8]) -> Result<String, serde_json::Error> {
    let mut text = String::with_capacity(json.len());
    let mut reader = serde_json::Deserializer::from_slice(json);
    let whole = Writer {
        text: &mut text,
        is_receipt: true,
    };
    whole.deserialize(&mut reader)?;
    reader.end()?;
    Ok(text)
}

/// Writes one value.
struct Writer<'a> {
    text: &'a mut String,
    /// It is the whole, whose MAC is not under the MAC.
    is_receipt: bool,
}

impl Writer<'_> {
    fn write(self, value: &Value) {
        self.text.push_str(&value.to_string());
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(&Value::Null);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(&Value::from(value));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(&Value::from(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(&Value::from(value));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(&Value::from(value));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.write(&Value::from(value));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        self.text.push('[');
        let begun = self.text.len();
        loop {
            let before = self.text.len();
            if before > begun {
                self.text.push(',');
            }
            let value = Writer {
                text: &mut *self.text,
                is_receipt: false,
            };
            if access.next_element_seed(value)?.is_none() {
                self.text.truncate(before);
                break;
            }
        }
        self.text.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(name) = access.next_key::<String>()? {
            let mut text = String::new();
            if self.is_receipt && name == "mac" {
                access.next_value::<IgnoredAny>()?;
                text.push_str("\"\"");
            } else {
                access.next_value_seed(Writer {
                    text: &mut text,
                    is_receipt: false,
                })?;
            }
            // Of a name that is given twice the last value counts.
            fields.insert(name, text);
            if fields.len() > MAX_FIELDS {
                return Err(A::Error::custom(format!("an object has more than {MAX_FIELDS} fields")));
            }
        }
        self.text.push('{');
        for (number, (name, text)) in fields.into_iter().enumerate() {
            if number > 0 {
                self.text.push(',');
            }
            self.text.push_str(&Value::from(name).to_string());
            self.text.push(':');
            self.text.push_str(&text);
        }
        self.text.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the MACs of all receipts so far were made over.
    fn as_ever(json: &str) -> String {
        let mut value: Value = serde_json::from_str(json).unwrap();
        if let Some(mac) = value.get_mut("mac") {
            *mac = Value::from("");
        }
        value.to_string()
    }

    #[test]
    fn the_macs_of_old_receipts_stay_right() {
        for json in [
            r#"{ "b": [1, -2, 3.50, 1e3, -0, 18446744073709551615], "a": { "mac": "x", "z": null, "y": [] }, "mac": "abc" }"#,
            r#"{"mac":["any","thing"],"text":"\u00e4\u0007\"\\/\ud83d\ude00 \n","é":{},"e":[[],[{}],[true,false]]}"#,
            r#"{"a":1,"mac":"1","a":{"b":2}}"#,
            "[1,{\"b\":1,\"a\":2}]",
            "\"text\"",
            "[ ]",
            "{ }",
        ] {
            assert_eq!(canonical(json.as_bytes()).unwrap(), as_ever(json), "{json}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for json in ["", "{", "[1,]", "[1 2]", "{\"a\":1,}", "nul", "{} {}", "\"\\ud800\""] {
            assert!(canonical(json.as_bytes()).is_err(), "{json}");
        }
    }
}
