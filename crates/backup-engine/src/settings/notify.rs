use std::path::PathBuf;

use backup_notify::smtp::SmtpSettings;
use clap::Args;
use secrecy::SecretString;
use url::Url;

use super::{SettingsError, given, given_path, given_text, path};

/// How people are told what happened.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Notifications")]
pub struct NotifyArgs {
    /// Mail server: smtp://USER:PASSWORD@HOST:PORT (STARTTLS) or smtps://… (encrypted from the start); none: no e-mail
    #[arg(long = "smtp-url", env = "SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,

    /// Sender of e-mail, such as 'Backup <backup@example.org>'; required with SMTP_URL
    #[arg(long = "smtp-from", env = "SMTP_FROM", value_name = "ADDRESS")]
    pub smtp_from: Option<String>,

    /// PEM file of certificates that a mail server's may come from, beside the system's
    #[arg(long = "smtp-ca-file", env = "SMTP_CA_FILE", value_name = "FILE", value_parser = path())]
    pub smtp_ca_file: Option<PathBuf>,

    /// The http or https address that people use: messages name it, and cookies and log-in go by it behind a reverse proxy
    #[arg(long, env = "BACKUP_PUBLIC_URL", value_name = "URL")]
    pub backup_public_url: Option<String>,
}

impl NotifyArgs {
    /// The address that people use, where it is known.
    pub fn public_url(&self) -> Result<Option<Url>, SettingsError> {
        let Some(text) = given_text(self.backup_public_url.as_ref()) else {
            return Ok(None);
        };
        let url = Url::parse(&text)
            .ok()
            .filter(|url| ["http", "https"].contains(&url.scheme()));
        url.map(Some).ok_or_else(|| {
            SettingsError::new(
                format!("BACKUP_PUBLIC_URL '{text}' is no http or https address"),
                "Set it to the address that people use, such as https://backup.example.org.",
            )
        })
    }

    /// The mail server; `None` where there is none.
    pub fn smtp(&self) -> Result<Option<SmtpSettings>, SettingsError> {
        let Some(url) = given(self.smtp_url.as_ref()) else {
            return Ok(None);
        };
        let from = given_text(self.smtp_from.as_ref()).ok_or_else(|| {
            SettingsError::new(
                "SMTP_URL is set, but SMTP_FROM is not",
                "Set it to the address that messages come from.",
            )
        })?;
        let settings = SmtpSettings::parse(url, &from, given_path(self.smtp_ca_file.as_ref()));
        settings
            .map(Some)
            .map_err(|error| SettingsError::new(error.message(), error.hint()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        notify: NotifyArgs,
    }

    fn of(arguments: &[&str]) -> Result<Option<SmtpSettings>, SettingsError> {
        Program::parse_from([&["x"], arguments].concat()).notify.smtp()
    }

    #[test]
    fn a_mail_server_needs_a_sender() {
        assert_eq!(of(&[]).unwrap().map(|settings| settings.host), None);
        assert_eq!(of(&["--smtp-url="]).unwrap().map(|settings| settings.host), None);
        assert!(of(&["--smtp-url=smtp://u:hunter2@mail.example"]).is_err());
        let settings = of(&[
            "--smtp-url=smtps://mail.example",
            "--smtp-from=備份 <backup@example.org>",
            "--smtp-ca-file=",
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!((settings.host.as_str(), settings.port), ("mail.example", 465));
        assert_eq!(settings.ca_file, None);
    }

    #[test]
    fn an_error_does_not_repeat_the_url() {
        let error = of(&[
            "--smtp-url=smtp://u:hunter2@mail.example/x",
            "--smtp-from=a@example.org",
        ])
        .unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
