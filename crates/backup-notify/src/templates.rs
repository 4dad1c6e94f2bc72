//! What messages say: one file for each language and form in `templates/`, the words in `words.json` and the sentences of
//! alerts in `alerts.json`.

mod alert;
mod fill;
mod quantity;
mod report;
mod words;

use backup_core::notification::Report;
use chrono::{DateTime, Utc};

pub use alert::alert_sentence;
pub(crate) use fill::fill;

use crate::{Language, Message};
use fill::Template;

macro_rules! template {
    ($language:expr, $name:literal) => {
        match $language {
            Language::ZhTw => template!(in "zh-TW", $name),
            Language::En => template!(in "en", $name),
        }
    };
    (in $folder:literal, $name:literal) => {
        Template {
            text: include_str!(concat!("../templates/", $folder, "/", $name, ".txt")),
            html: include_str!(concat!("../templates/", $folder, "/", $name, ".html")),
        }
    };
}

/// The message that only says that messages arrive. `installation`: the address that people use, where it is known; `at`:
/// when it is sent.
pub fn test(language: Language, installation: Option<&str>, at: DateTime<Utc>) -> Message {
    sent_at(&template!(language, "test"), language, installation, at)
}

/// The same for a webhook.
pub(crate) fn test_webhook(language: Language, installation: Option<&str>, at: DateTime<Utc>) -> Message {
    sent_at(&template!(language, "test-webhook"), language, installation, at)
}

fn sent_at(template: &Template, language: Language, installation: Option<&str>, at: DateTime<Utc>) -> Message {
    let name = installation.map_or_else(|| words::word(language, "nameless"), str::to_owned);
    template.fill(&vec![("installation", name), ("time", quantity::time(at))])
}

/// How a backup ended, or that an alert was raised or is over. `installation`: the address that people use, where it is
/// known.
pub fn report(language: Language, installation: Option<&str>, report: &Report) -> Message {
    let (template, mut values) = match report {
        Report::Backup(backup) => {
            let template = if backup.is_good {
                template!(language, "backup-completed")
            } else {
                template!(language, "backup-failed")
            };
            (template, report::backup(language, backup))
        }
        Report::Alert(alert) => {
            let template = if alert.resolved_at.is_some() {
                template!(language, "alert-resolved")
            } else {
                template!(language, "alert-raised")
            };
            (template, report::alert(language, alert))
        }
    };
    values.extend(report::installation(installation));
    template.fill(&values)
}

/// What opens the installation in a program that shows messages.
pub(crate) fn open_word(language: Language) -> String {
    words::word(language, "open")
}

/// The installation's address, where a program may be let open it.
pub(crate) fn link(installation: Option<&str>) -> Option<&str> {
    installation.filter(|address| address.starts_with("https://") || address.starts_with("http://"))
}

/// A value in one line.
fn one_line(value: &str) -> String {
    value.replace(char::is_control, " ")
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
