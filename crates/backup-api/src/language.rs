//! The caller's language, and every sentence that the API says in it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::LazyLock;

use actix_web::dev::Payload;
use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};
use actix_web::{FromRequest, HttpRequest};
use backup_engine::MessageLanguage;

/// A language that the API speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// Traditional Chinese, as the specification words it.
    #[default]
    ZhTw,
    /// English.
    En,
}

type Catalogue = HashMap<String, String>;

static ZH_TW: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("../messages/zh-TW.json")));
static EN: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("../messages/en.json")));

fn read(json: &str) -> Catalogue {
    // The files are part of the program and read by a test.
    serde_json::from_str(json).unwrap_or_default()
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::ZhTw, Self::En];

    /// Its tag (RFC 5646).
    pub const fn tag(self) -> &'static str {
        match self {
            Self::ZhTw => "zh-TW",
            Self::En => "en",
        }
    }

    /// The same language in messages that are sent.
    pub(crate) const fn of_messages(self) -> MessageLanguage {
        match self {
            Self::ZhTw => MessageLanguage::ZhTw,
            Self::En => MessageLanguage::En,
        }
    }

    /// Its place in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    fn catalogue(self) -> &'static Catalogue {
        match self {
            Self::ZhTw => &ZH_TW,
            Self::En => &EN,
        }
    }

    /// The sentence of `key`, with every `{name}` replaced. A key that no catalogue has is shown as it is.
    pub fn say(self, key: &str, arguments: &[(&str, &str)]) -> String {
        let mut text = self.catalogue().get(key).map_or(key, String::as_str).to_owned();
        for (name, value) in arguments {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    /// The language that an `Accept-Language` header prefers: the known one with the highest q-value, the first of equals;
    /// Traditional Chinese where it prefers none.
    pub fn accepted(headers: &HeaderMap) -> Self {
        let mut best = (0.0, Self::default());
        for value in headers.get_all(ACCEPT_LANGUAGE) {
            for item in value.to_str().unwrap_or_default().split(',') {
                let mut parts = item.split(';').map(str::trim);
                let language = Self::of_tag(parts.next().unwrap_or_default());
                let quality = parts
                    .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                    .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
                if let Some(language) = language
                    && quality > best.0
                {
                    best = (quality, language);
                }
            }
        }
        best.1
    }

    fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "zh" | "*" => Some(Self::ZhTw),
            "en" => Some(Self::En),
            _ => None,
        }
    }
}

impl FromRequest for Language {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self::accepted(request.headers())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn accepted(header: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_str(header).unwrap());
        Language::accepted(&headers)
    }

    #[test]
    fn the_highest_quality_wins() {
        for (header, expected) in [
            ("", Language::ZhTw),
            ("en", Language::En),
            ("EN-gb;q=0.5, fr", Language::En),
            ("en;q=0.4, zh-TW;q=0.5", Language::ZhTw),
            ("zh;q=0.4, en;q=0.5", Language::En),
            ("en, zh", Language::En),
            ("fr, de;q=0.2", Language::ZhTw),
            ("en;q=0", Language::ZhTw),
            ("en;q=x, *", Language::ZhTw),
        ] {
            assert_eq!(accepted(header), expected, "{header}");
        }
    }

    #[test]
    fn every_language_says_everything_with_the_same_arguments() {
        let arguments = |text: &str| {
            let mut names: Vec<String> = text
                .split('{')
                .skip(1)
                .map(|rest| rest.split('}').next().unwrap().to_owned())
                .collect();
            names.sort();
            names
        };
        assert!(ZH_TW.len() > 50);
        for (key, text) in ZH_TW.iter() {
            let english = EN.get(key).unwrap_or_else(|| panic!("{key} is missing in English"));
            assert_eq!(arguments(text), arguments(english), "{key}");
        }
        assert_eq!(ZH_TW.len(), EN.len());
    }
}
