//! Log-in through OpenID Connect.

use backup_api::OidcSettings;
use backup_engine::settings::SettingsError;
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

/// The provider, and who we are to it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "OpenID Connect")]
#[expect(clippy::struct_field_names, reason = "the flags are called so")]
pub(crate) struct OidcArgs {
    /// The provider's issuer, spelt as the provider spells it
    #[arg(long, env = "OIDC_ISSUER_URL", value_name = "URL")]
    oidc_issuer_url: Option<String>,

    /// Who we are to the provider
    #[arg(long, env = "OIDC_CLIENT_ID", value_name = "ID")]
    oidc_client_id: Option<String>,

    /// The secret that proves it
    #[arg(long, env = "OIDC_CLIENT_SECRET", value_name = "SECRET", hide_env_values = true)]
    oidc_client_secret: Option<SecretString>,

    /// The group whose members are ADMIN, everybody else being VIEWER; without it, new users are VIEWER and roles are
    /// given here
    #[arg(long, env = "OIDC_ADMIN_GROUP", value_name = "GROUP")]
    oidc_admin_group: Option<String>,
}

impl OidcArgs {
    /// The settings, where there are any.
    pub(crate) fn settings(&self) -> Result<Option<OidcSettings>, SettingsError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let secret = self
            .oidc_client_secret
            .clone()
            .filter(|secret| !secret.expose_secret().is_empty());
        let group = given(&self.oidc_admin_group);
        match (given(&self.oidc_issuer_url), given(&self.oidc_client_id), secret) {
            (Some(issuer), Some(id), Some(secret)) => {
                OidcSettings::new(&issuer, id, secret, group)
                    .map(Some)
                    .map_err(|problem| {
                        SettingsError::new(
                            format!("OIDC_ISSUER_URL '{issuer}' {problem}"),
                            "Set it to the provider's issuer, such as https://id.example.org/realms/one.",
                        )
                    })
            }
            (None, None, None) if group.is_none() => Ok(None),
            _ => Err(SettingsError::new(
                "only some of OIDC_ISSUER_URL, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET are set",
                "Set all three, or none of them and no OIDC_ADMIN_GROUP.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Probe {
        #[command(flatten)]
        oidc: OidcArgs,
    }

    fn settings(args: &[&str]) -> Result<Option<OidcSettings>, SettingsError> {
        Probe::parse_from([&["x"][..], args].concat()).oidc.settings()
    }

    #[test]
    fn half_a_provider_is_refused_and_no_secret_is_told() {
        let issuer = ["--oidc-issuer-url", "https://id.example.org"];
        let client = ["--oidc-client-id", "backup"];
        let secret = ["--oidc-client-secret", "canary"];
        let group = ["--oidc-admin-group", "admins"];
        assert!(settings(&[]).unwrap().is_none());
        assert!(
            settings(&["--oidc-issuer-url", "", "--oidc-client-id", ""])
                .unwrap()
                .is_none()
        );
        for half in [
            issuer.to_vec(),
            secret.to_vec(),
            group.to_vec(),
            [issuer, client].concat(),
            [client, secret, group].concat(),
            [["--oidc-issuer-url", "http://id.example.org"], client, secret].concat(),
        ] {
            let error = settings(&half).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let whole = settings(&[issuer, client, secret, group].concat()).unwrap();
        assert!(whole.is_some());
        assert!(!format!("{whole:?}").contains("canary"));
    }
}
