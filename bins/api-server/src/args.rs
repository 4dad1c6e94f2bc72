//! What the server is told: each environment variable is also a flag.

mod oidc;

use std::net::SocketAddr;

use backup_api::{ApiSettings, FirstAdmin, Network};
use backup_engine::settings::{EngineArgs, LogArgs, SettingsError};
use clap::Parser;
use secrecy::{ExposeSecret, SecretString};

use oidc::OidcArgs;

/// HTTP API of the backup system; also runs its jobs, unless BACKUP_WORKERS is 0, and with --with-scheduler its schedules.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Args {
    /// Address and port to listen on
    #[arg(long, env = "LISTEN_ADDR", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen_addr: SocketAddr,

    /// Path prefix that everything stands under, behind a reverse proxy
    #[arg(long, env = "BACKUP_BASE_PATH", value_name = "PATH", default_value = "/")]
    pub(crate) backup_base_path: String,

    /// Reverse proxies whose X-Forwarded-For is believed, beside those on this machine: addresses and networks such as
    /// 10.0.0.0/8, comma-separated
    #[arg(long, env = "BACKUP_TRUSTED_PROXIES", value_name = "NETWORKS")]
    pub(crate) backup_trusted_proxies: Option<String>,

    /// On a catalog with no ADMIN who can log in: e-mail address of the first one
    #[arg(long, env = "BACKUP_ADMIN_EMAIL", value_name = "EMAIL")]
    pub(crate) backup_admin_email: Option<String>,

    /// On a catalog with no ADMIN who can log in: password of the first one
    #[arg(long, env = "BACKUP_ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub(crate) backup_admin_password: Option<SecretString>,

    /// Fire schedules too, so that no scheduler process is needed beside it
    #[arg(long)]
    pub(crate) with_scheduler: bool,

    #[command(flatten)]
    pub(crate) oidc: OidcArgs,

    #[command(flatten)]
    pub(crate) engine: EngineArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Args {
    /// The API's settings.
    pub(crate) fn api_settings(&self) -> Result<ApiSettings, SettingsError> {
        Ok(ApiSettings {
            base_path: ApiSettings::normal_base_path(&self.backup_base_path),
            public_url: self.engine.notify.public_url()?,
            trusted_proxies: self.trusted_proxies()?,
            quota_bytes: Some(self.engine.worker.quota_gb << 30),
            oidc: self.oidc.settings()?,
            ..ApiSettings::default()
        })
    }

    fn trusted_proxies(&self) -> Result<Vec<Network>, SettingsError> {
        let named = self.backup_trusted_proxies.as_deref().unwrap_or_default();
        let networks = named.split(',').map(str::trim).filter(|text| !text.is_empty());
        let read = |text: &str| {
            let network: Result<Network, String> = text.parse();
            network.map_err(|problem| {
                SettingsError::new(
                    format!("BACKUP_TRUSTED_PROXIES cannot be used: {problem}"),
                    "Give addresses and networks, separated by commas.",
                )
            })
        };
        networks.map(read).collect()
    }

    /// The first administrator, where both variables are set.
    pub(crate) fn first_admin(&self) -> Result<Option<FirstAdmin>, SettingsError> {
        let email = self.backup_admin_email.as_ref().filter(|text| !text.is_empty());
        let password = self
            .backup_admin_password
            .as_ref()
            .filter(|secret| !secret.expose_secret().is_empty());
        match (email, password) {
            (Some(email), Some(password)) => Ok(Some(FirstAdmin {
                email: email.clone(),
                password: password.clone(),
            })),
            (None, None) => Ok(None),
            _ => Err(SettingsError::new(
                "only one of BACKUP_ADMIN_EMAIL and BACKUP_ADMIN_PASSWORD is set",
                "Set both, or neither.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_variable_is_a_flag_and_no_secret_is_shown() {
        let command = Args::command();
        command.clone().debug_assert();
        for argument in command.get_arguments().filter(|argument| argument.get_env().is_some()) {
            assert!(argument.get_long().is_some(), "{argument}");
            let name = argument.get_id().as_str();
            if ["password", "key", "url", "connection", "secret"]
                .iter()
                .any(|secret| name.contains(secret))
            {
                let harmless = ["backup_public_url", "oidc_issuer_url"].contains(&name)
                    || argument.get_long() == Some("backup-storage-url");
                assert!(
                    argument.is_hide_env_values_set() || harmless,
                    "{name} would be shown by --help"
                );
            }
        }
    }

    #[test]
    fn half_an_administrator_is_refused() {
        let args = Args::parse_from(["x", "--backup-admin-email", "a@b.example"]);
        assert!(args.first_admin().is_err());
        let args = Args::parse_from([
            "x",
            "--backup-admin-email",
            "a@b.example",
            "--backup-admin-password",
            "12345678",
        ]);
        assert!(args.first_admin().unwrap().is_some());
    }

    #[test]
    fn a_wrong_public_address_is_refused() {
        for text in ["backup.example.org", "ftp://x", "http//x"] {
            assert!(
                Args::parse_from(["x", "--backup-public-url", text])
                    .api_settings()
                    .is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn a_proxy_that_is_no_address_is_refused() {
        let settings = |text| Args::parse_from(["x", "--backup-trusted-proxies", text]).api_settings();
        assert_eq!(settings("10.0.0.0/8, ::1,").unwrap().trusted_proxies.len(), 2);
        assert!(settings("proxy.example").is_err());
    }
}
