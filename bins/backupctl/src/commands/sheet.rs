use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use backup_archive::{ArchiveKey, Keyring};
use backup_core::config::BackupConfig;
use backup_core::{Clock, SystemClock};
use backup_db::Store;
use backup_storage::BlobStore;
use secrecy::{ExposeSecret, SecretString};

use crate::cli::Settings;
use crate::context::{catalog_if_there, keyring, storage_settings};
use crate::exit::Failure;
use crate::output::{self, Output, unwritable};

/// What the page says in one language.
struct Words {
    template: &'static str,
    current: &'static str,
    previous: &'static str,
    of_config: &'static str,
    kept_in: &'static str,
    unopened: &'static str,
    not_opened: &'static str,
    comma: &'static str,
    no_catalog: &'static str,
    white_space: &'static str,
}

const ENGLISH: Words = Words {
    template: include_str!("../../templates/sheet.en.html"),
    current: "BACKUP_ENCRYPTION_KEY",
    previous: "BACKUP_ENCRYPTION_KEY_PREVIOUS",
    of_config: "configuration",
    kept_in: "stores in",
    unopened: "a secret of this configuration is sealed with another passphrase",
    not_opened: "no passphrase of this page opens the newest backup, which needs the key with the fingerprint",
    comma: "a passphrase of this configuration has a comma, which no list can hold: to read its backups, give it as BACKUP_ENCRYPTION_KEY",
    no_catalog: "The catalog could not be looked at: configurations with a storage or a passphrase of their own are not listed.",
    white_space: "␠ is a space, ⏎ a line break, ␉ a tab, ␍ a carriage return and <U+…> other white space: it belongs to the passphrase. In bash, export BACKUP_ENCRYPTION_KEY=$'…\\n' gives one that ends with ⏎.",
};

const CHINESE: Words = Words {
    template: include_str!("../../templates/sheet.zh-TW.html"),
    current: "BACKUP_ENCRYPTION_KEY",
    previous: "BACKUP_ENCRYPTION_KEY_PREVIOUS",
    of_config: "配置",
    kept_in: "存放於",
    unopened: "此配置的機密是以其他密碼短語封存的",
    not_opened: "此頁的密碼短語都無法解開最新的備份，它需要的金鑰指紋為",
    comma: "此配置有一個密碼短語含有逗號，無法寫入清單：要讀取其備份，請以 BACKUP_ENCRYPTION_KEY 提供",
    no_catalog: "無法讀取目錄資料庫：未列出具有自己的儲存空間或密碼短語的配置。",
    white_space: "␠ 是空格，⏎ 是換行，␉ 是定位字元，␍ 是歸位字元，<U+…> 是其他空白字元：它們屬於密碼短語。在 bash 中，以 export BACKUP_ENCRYPTION_KEY=$'…\\n' 提供結尾為 ⏎ 的密碼短語。",
};

/// A passphrase of the page.
struct Line {
    used_for: String,
    key: ArchiveKey,
    passphrase: SecretString,
}

/// Writes the page for the worst day. Neither the storage nor a server is needed for it.
pub(crate) async fn print(
    settings: &Settings,
    path: Option<&Path>,
    language: &str,
    with_passphrases: bool,
) -> Result<(), Failure> {
    let words = if language == "en" { ENGLISH } else { CHINESE };
    let keys = keyring(settings).await?;
    let storage = storage_settings(settings)?;
    let mut lines = Vec::new();
    for (index, (key, passphrase)) in keys.iter().zip(settings.keys.passphrases()).enumerate() {
        let used_for = if index == 0 { words.current } else { words.previous };
        lines.push(Line {
            used_for: used_for.to_owned(),
            key: key.clone(),
            passphrase,
        });
    }
    let mut remarks = Vec::new();
    let unseen = match catalog_if_there(settings).await {
        Ok(Some(store)) => {
            for config in store.list_configs().await? {
                of_config(&words, &config, &keys, &mut lines, &mut remarks)?;
            }
            for (config, fingerprint) in not_opened(&store, &lines).await? {
                output::message(&format!(
                    "warning: no passphrase of the page opens the newest backup of the configuration '{config}', which needs the \
                     key {fingerprint} (HINT: Compare the passphrase with that of the services: a shell may read an unquoted one \
                     otherwise than systemd does.)"
                ));
                remarks.push(format!(
                    "{} {config}: {} {fingerprint}",
                    words.of_config, words.not_opened
                ));
            }
            None
        }
        Ok(None) => {
            let file = settings.catalog.url(&settings.data)?;
            let file = file.expose_secret();
            Some(format!(
                "{file} is not there (HINT: Name the catalog by CATALOG_URL or BACKUP_DATA_DIR.)"
            ))
        }
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = unseen {
        output::message(&format!(
            "warning: configurations with a storage or a passphrase of their own are not on the page: {why}"
        ));
        remarks.push(words.no_catalog.to_owned());
    }
    if with_passphrases && lines.iter().any(Line::has_outer_white_space) {
        remarks.push(words.white_space.to_owned());
    }
    let page = words
        .template
        .replace(
            "{generated}",
            &SystemClock.now().format("%Y-%m-%d %H:%M UTC").to_string(),
        )
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{storage}", &escape(&BlobStore::locate(&storage)?))
        .replace("{environment}", &escape(&environment(settings)))
        .replace(
            "{keys}",
            &lines.iter().map(|line| line.html(with_passphrases)).collect::<String>(),
        )
        .replace(
            "{remarks}",
            &remarks
                .iter()
                .map(|remark| format!("<p>{}</p>", escape(remark)))
                .collect::<Vec<_>>()
                .join("\n"),
        );
    let output = Output::of(path);
    let mut file = output.open()?;
    let written = file.write_all(page.as_bytes()).and_then(|()| file.flush());
    if let Err(error) = written {
        output.discard();
        return Err(unwritable(&error));
    }
    Ok(())
}

/// What a configuration of the catalog adds: its own keys and its own storage.
fn of_config(
    words: &Words,
    config: &BackupConfig,
    keys: &Keyring,
    lines: &mut Vec<Line>,
    remarks: &mut Vec<String>,
) -> Result<(), Failure> {
    for secret in config.encryption_key.iter().chain(&config.previous_encryption_keys) {
        let Ok(passphrase) = keys.unseal(&secret.0) else {
            remarks.push(format!("{} {}: {}", words.of_config, config.key, words.unopened));
            continue;
        };
        if passphrase.expose_secret().contains(',') {
            remarks.push(format!("{} {}: {}", words.of_config, config.key, words.comma));
        }
        let key = ArchiveKey::from_passphrase(&passphrase).map_err(|error| {
            Failure::failed(format!("no key can be made from a passphrase of the catalog: {error}"))
        })?;
        lines.push(Line {
            used_for: format!("{} {}", words.of_config, config.key),
            key,
            passphrase,
        });
    }
    let place: Vec<&str> = [&config.storage_url, &config.container_name]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !place.is_empty() {
        remarks.push(format!(
            "{} {}: {} {}",
            words.of_config,
            config.key,
            words.kept_in,
            place.join(", ")
        ));
    }
    Ok(())
}

/// The configurations of whose newest backups no key of the page is the right one, with the key that each needs.
async fn not_opened(store: &Store, lines: &[Line]) -> Result<Vec<(String, String)>, Failure> {
    let uses = store.keys_in_use().await?;
    let configs: BTreeSet<String> = uses.into_iter().map(|used| used.config_key).collect();
    let mut found = Vec::new();
    for config in configs {
        if let Some(newest) = store.newest_key(&config).await?
            && lines.iter().all(|line| line.key.fingerprint() != newest)
        {
            found.push((config, newest));
        }
    }
    Ok(found)
}

/// The variables that lead to the storage; secrets are for people to fill in.
fn environment(settings: &Settings) -> String {
    let mut lines = vec![
        "export BACKUP_ENCRYPTION_KEY='…'".to_owned(),
        "export BACKUP_ENCRYPTION_KEY_PREVIOUS='…,…'".to_owned(),
    ];
    if settings.storage.connection_string.is_some() {
        lines.push("export AZURE_STORAGE_CONNECTION_STRING='…'".to_owned());
        lines.push(format!("export BACKUP_CONTAINER_NAME='{}'", settings.storage.container));
    }
    match &settings.storage.url {
        Some(url) => {
            lines.push(format!("export BACKUP_STORAGE_URL='{url}'"));
            identity(url, settings.storage.connection_string.is_some(), &mut lines);
        }
        None if settings.storage.connection_string.is_none() => {
            lines.push("export BACKUP_STORAGE_URL='file:///…/storage'".to_owned());
        }
        None => {}
    }
    lines.join("\n")
}

/// The variables by which the provider of a storage knows who asks.
fn identity(url: &str, by_connection_string: bool, lines: &mut Vec<String>) {
    if url.starts_with("s3://") {
        lines.push("export AWS_ACCESS_KEY_ID='…' AWS_SECRET_ACCESS_KEY='…'".to_owned());
        for name in ["AWS_REGION", "AWS_ENDPOINT"] {
            if let Ok(value) = std::env::var(name) {
                lines.push(format!("export {name}='{value}'"));
            }
        }
    } else if url.starts_with("gs://") {
        lines.push("export GOOGLE_SERVICE_ACCOUNT='…'".to_owned());
    } else if url.starts_with("az://") && !by_connection_string {
        lines.push("export AZURE_STORAGE_ACCOUNT_NAME='…' AZURE_STORAGE_ACCOUNT_KEY='…'".to_owned());
    }
}

impl Line {
    fn has_outer_white_space(&self) -> bool {
        let text = self.passphrase.expose_secret();
        text.trim() != text
    }

    fn html(&self, with_passphrase: bool) -> String {
        let passphrase = if with_passphrase {
            format!("<code>{}</code>", shown(self.passphrase.expose_secret()))
        } else {
            "<span class=\"write\">&nbsp;</span>".to_owned()
        };
        format!(
            "<tr><td>{}</td><td><code>{}</code></td><td>{passphrase}</td></tr>\n",
            escape(&self.used_for),
            self.key.fingerprint()
        )
    }
}

/// A passphrase with a sign for each white space around it, which nobody would see.
fn shown(passphrase: &str) -> String {
    let rest = passphrase.trim_start();
    let inner = rest.trim_end();
    let signs = |text: &str| text.chars().map(sign).collect::<String>();
    let before = signs(&passphrase[..passphrase.len() - rest.len()]);
    let behind = signs(&rest[inner.len()..]);
    format!("{before}{}{behind}", escape(inner))
}

fn sign(white_space: char) -> String {
    let sign = match white_space {
        ' ' => "␠".to_owned(),
        '\n' => "⏎".to_owned(),
        '\t' => "␉".to_owned(),
        '\r' => "␍".to_owned(),
        other => format!("<U+{:04X}>", u32::from(other)),
    };
    format!("<mark>{}</mark>", escape(&sign))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_storage_is_opened_by_its_own_variables() {
        let of = |url, by_connection_string| {
            let mut lines = Vec::new();
            identity(url, by_connection_string, &mut lines);
            lines.concat()
        };
        assert!(of("s3://bucket/shop", false).contains("AWS_SECRET_ACCESS_KEY"));
        assert!(of("gs://bucket", false).contains("GOOGLE_SERVICE_ACCOUNT"));
        assert!(of("az://backups", false).contains("AZURE_STORAGE_ACCOUNT_KEY"));
        assert_eq!(of("az://backups", true), "");
        assert_eq!(of("file:///srv/backups", false), "");
    }

    #[test]
    fn no_white_space_around_a_passphrase_is_overlooked() {
        for (passphrase, expected) in [
            ("two words", "two words"),
            ("pass\n", "pass<mark>⏎</mark>"),
            (" a b\r\n", "<mark>␠</mark>a b<mark>␍</mark><mark>⏎</mark>"),
            ("\u{3000}a<b\t", "<mark>&lt;U+3000&gt;</mark>a&lt;b<mark>␉</mark>"),
            (" \n", "<mark>␠</mark><mark>⏎</mark>"),
        ] {
            assert_eq!(shown(passphrase), expected, "{passphrase:?}");
        }
    }

    #[test]
    fn the_catalog_that_is_rebuilt_is_named_first() {
        for words in [ENGLISH, CHINESE] {
            let (_, next) = words.template.split_once("export CATALOG_URL='…'\n").unwrap();
            assert!(next.starts_with("backupctl catalog rebuild"), "{next}");
        }
    }

    #[test]
    fn both_languages_say_the_same() {
        let marks = |words: &Words| {
            let text = words.template;
            let mut marks: Vec<&str> = [
                "{generated}",
                "{version}",
                "{storage}",
                "{environment}",
                "{keys}",
                "{remarks}",
            ]
            .into_iter()
            .filter(|mark| text.contains(mark))
            .collect();
            marks.extend(text.lines().filter(|line| {
                let line = line.trim_start_matches("<pre>").trim_start();
                [
                    "backupctl ",
                    "tail ",
                    "KEY=",
                    "cat ",
                    "export ",
                    "{ printf ",
                    "} | psql ",
                ]
                .iter()
                .any(|start| line.starts_with(start))
            }));
            marks
        };
        assert_eq!(marks(&ENGLISH), marks(&CHINESE));
        assert!(marks(&ENGLISH).len() > 10);
    }
}
