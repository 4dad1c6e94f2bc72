//! The words and sentences of each language, from `words.json` and `alerts.json` in its folder.

use std::collections::HashMap;
use std::sync::LazyLock;

use backup_core::AlertKind;

use crate::Language;

struct Catalogue {
    words: HashMap<String, String>,
    alerts: HashMap<String, Vec<String>>,
}

macro_rules! catalogue {
    ($folder:literal) => {
        // The files are part of the program and read by a test.
        Catalogue {
            words: serde_json::from_str(include_str!(concat!("../../templates/", $folder, "/words.json")))
                .unwrap_or_default(),
            alerts: serde_json::from_str(include_str!(concat!("../../templates/", $folder, "/alerts.json")))
                .unwrap_or_default(),
        }
    };
}

static ZH_TW: LazyLock<Catalogue> = LazyLock::new(|| catalogue!("zh-TW"));
static EN: LazyLock<Catalogue> = LazyLock::new(|| catalogue!("en"));

fn catalogue(language: Language) -> &'static Catalogue {
    match language {
        Language::ZhTw => &ZH_TW,
        Language::En => &EN,
    }
}

/// The word for `name` among those of `group`; `None` where there is none.
pub(super) fn known(language: Language, group: &str, name: &str) -> Option<&'static str> {
    let words = &catalogue(language).words;
    words.get(&format!("{group}.{name}")).map(String::as_str)
}

/// The word for `key`, or the key where there is none.
pub(super) fn word(language: Language, key: &str) -> String {
    let found = catalogue(language).words.get(key);
    found.map_or(key, String::as_str).to_owned()
}

/// What is said of an alert of this kind: the first sentence for which every value is there is the one.
pub(super) fn alert_sentences(language: Language, kind: AlertKind) -> &'static [String] {
    catalogue(language).alerts.get(kind.as_str()).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup_core::notification::Channel;
    use backup_core::{AlertSeverity, BackupSource, BackupType};

    #[test]
    fn every_language_has_a_word_for_everything() {
        for language in Language::ALL {
            for kind in AlertKind::ALL {
                assert!(known(*language, "kind", kind.as_str()).is_some(), "{language} {kind}");
                assert!(!alert_sentences(*language, *kind).is_empty(), "{language} {kind}");
            }
            let words = [
                ("type", BackupType::ALL.iter().map(|x| x.as_str()).collect::<Vec<_>>()),
                ("source", BackupSource::ALL.iter().map(|x| x.as_str()).collect()),
                ("severity", AlertSeverity::ALL.iter().map(|x| x.as_str()).collect()),
                ("channel", Channel::ALL.iter().map(|x| x.as_str()).collect()),
                ("missing", vec!["receipt", "archive"]),
                ("duration", vec!["day", "hour", "minute", "second", "instant"]),
            ];
            for (group, names) in words {
                for name in names {
                    assert!(known(*language, group, name).is_some(), "{language} {group}.{name}");
                }
            }
        }
        assert_eq!(ZH_TW.words.len(), EN.words.len());
    }
}
