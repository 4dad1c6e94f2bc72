//! What messages say: one file for each language and form in `templates/`. `{name}` stands for a value; the first line of
//! the plain text is the subject.

use chrono::{DateTime, Utc};

use crate::{Language, Message};

/// The two forms of one message in one language.
struct Template {
    text: &'static str,
    html: &'static str,
}

macro_rules! template {
    ($folder:literal, $name:literal) => {
        Template {
            text: include_str!(concat!("../templates/", $folder, "/", $name, ".txt")),
            html: include_str!(concat!("../templates/", $folder, "/", $name, ".html")),
        }
    };
}

/// The message that only says that messages arrive. `installation`: the address that people use, where it is known; `at`:
/// when it is sent.
pub fn test(language: Language, installation: Option<&str>, at: DateTime<Utc>) -> Message {
    let (template, nameless) = match language {
        Language::ZhTw => (template!("zh-TW", "test"), "未設定公開網址"),
        Language::En => (template!("en", "test"), "without a public address"),
    };
    let time = at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    template.fill(&[("installation", installation.unwrap_or(nameless)), ("time", &time)])
}

impl Template {
    fn fill(&self, values: &[(&str, &str)]) -> Message {
        let (subject, text) = self.text.split_once("\n\n").unwrap_or((self.text, ""));
        Message {
            // A value that holds a line break must not make a second header.
            subject: fill(subject, values, str::to_owned).replace(char::is_control, " "),
            text: fill(text, values, str::to_owned),
            html: fill(self.html, values, escape),
        }
    }
}

/// Puts the values in. A value is never looked at again, whatever it holds; a name without a value stays as it is.
fn fill(template: &str, values: &[(&str, &str)], form: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let known = after.split_once('}').and_then(|(name, behind)| {
            let (_, value) = values.iter().find(|(known, _)| *known == name)?;
            Some((value, behind))
        });
        if let Some((value, behind)) = known {
            filled.push_str(&form(value));
            rest = behind;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-26T06:07:08Z".parse().unwrap()
    }

    #[test]
    fn every_language_says_which_when_and_that_it_works() {
        for language in Language::ALL {
            let message = test(*language, Some("https://backup.example/base"), at());
            assert!(message.subject.contains("https://backup.example/base"), "{message:?}");
            for part in [&message.text, &message.html] {
                assert!(part.contains("https://backup.example/base"), "{part}");
                assert!(part.contains("2026-11-26 06:07:08 UTC"), "{part}");
                assert!(!part.contains(['{', '}']), "{part}");
            }
            assert!(message.html.contains(&format!("lang=\"{language}\"")));
            let nameless = test(*language, None, at());
            assert!(!nameless.subject.contains(['{', '}']), "{nameless:?}");
        }
        assert!(test(Language::ZhTw, None, at()).text.contains("可正常運作"));
        assert!(
            test(Language::En, None, at())
                .text
                .contains("notifications by e-mail work")
        );
    }

    #[test]
    fn a_value_is_text_and_nothing_more() {
        let evil = "<b>&\"'{time}\r\nBcc: x@example.org";
        let message = test(Language::En, Some(evil), at());
        assert!(
            message.html.contains("&lt;b&gt;&amp;&quot;&#39;{time}"),
            "{}",
            message.html
        );
        assert!(!message.subject.contains(['\r', '\n']), "{}", message.subject);
        assert!(message.text.contains("Since you are reading it"), "{}", message.text);
    }
}
