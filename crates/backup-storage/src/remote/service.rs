//! Which account of Azure is spoken to and where, and whether that is the one that the credentials are for.

use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use secrecy::{ExposeSecret, SecretString};

use super::answer::Secrets;
use super::connect::known;
use super::place::{ACCEPTED, Place, Provider};
use crate::connection_string::{ConnectionString, Credential, account_name, http_url};
use crate::error::{At, Error};
use crate::settings::StorageSettings;

/// An account, and the address of its blobs: whom credentials are sent to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) account: String,
    /// Without a slash at the end.
    pub(super) endpoint: String,
}

impl Service {
    /// Whom `log_in` leads to; `None`: it names no account.
    pub(super) fn of(at: At<'_>, log_in: &MicrosoftAzureBuilder) -> Result<Option<Self>, Error> {
        let named = log_in.get_config_value(&AzureConfigKey::AccountName);
        let Some(account) = named.filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let endpoint = match log_in.get_config_value(&AzureConfigKey::Endpoint) {
            Some(endpoint) => http_url("the endpoint", &endpoint),
            None => account_name("the account", &account)
                .and_then(|name| http_url("the account", &format!("https://{name}.blob.core.windows.net"))),
        };
        let endpoint = endpoint.map_err(|reason| at.refused(reason, ACCEPTED))?;
        Ok(Some(Self { account, endpoint }))
    }

    fn of_settings(settings: &StorageSettings, place: Option<&Place>) -> Result<Option<Self>, Error> {
        let at = At::whole("storage URL", "use");
        Self::of(at, &log_in(at, settings, place, &mut Secrets::default())?)
    }

    /// Whether the storage URL says nothing else.
    fn is_meant_by(&self, place: &Place) -> bool {
        let agrees = |said: Option<&str>, meant: &str| said.is_none_or(|said| said == meant);
        agrees(place.account.as_deref(), &self.account) && agrees(place.endpoint.as_deref(), &self.endpoint)
    }
}

/// Whether what `settings` have of the credentials of `environment` is sent to nobody whom `environment` does not name. Another
/// provider's go to that provider, whatever bucket a URL names.
pub(super) fn keeps_credentials(settings: &StorageSettings, environment: &StorageSettings) -> Result<bool, Error> {
    let Some(place) = azure_place(settings)? else {
        return Ok(true);
    };
    let Some(service) = Service::of_settings(settings, Some(&place))? else {
        // Nothing is sent: whoever opens it is told that the account is missing.
        return Ok(true);
    };
    // An environment that cannot be meant names nobody.
    let own = azure_place(environment).and_then(|place| Service::of_settings(environment, place.as_ref()));
    Ok(service.is_meant_by(&place) && own.is_ok_and(|own| own == Some(service)))
}

fn azure_place(settings: &StorageSettings) -> Result<Option<Place>, Error> {
    if settings.folder().is_some() {
        return Ok(None);
    }
    Ok(Some(Place::of(settings)?).filter(|place| place.provider == Provider::Azure))
}

/// Account, address and credentials, by the connection string where there is one.
pub(super) fn log_in(
    at: At<'_>,
    settings: &StorageSettings,
    place: Option<&Place>,
    secrets: &mut Secrets,
) -> Result<MicrosoftAzureBuilder, Error> {
    match &settings.connection_string {
        Some(text) => from_connection_string(at, text, secrets),
        None => from_environment(at, settings, place),
    }
}

fn from_connection_string(
    at: At<'_>,
    text: &SecretString,
    secrets: &mut Secrets,
) -> Result<MicrosoftAzureBuilder, Error> {
    let parsed = ConnectionString::parse(text).map_err(|reason| {
        at.refused(
            format_args!("the connection string is not right: {reason}"),
            "Copy AZURE_STORAGE_CONNECTION_STRING again from the storage account's access keys.",
        )
    })?;
    let builder = MicrosoftAzureBuilder::new()
        .with_account(parsed.account)
        .with_endpoint(parsed.endpoint);
    Ok(match parsed.credential {
        Credential::Key(key) => builder.with_access_key(key.expose_secret()),
        Credential::Sas(sas) => {
            // The signature by itself too: encoded as it is given, and as it is sent.
            for part in sas
                .expose_secret()
                .split('&')
                .filter_map(|part| part.strip_prefix("sig="))
            {
                secrets.add(part);
            }
            for (_, value) in
                url::form_urlencoded::parse(sas.expose_secret().as_bytes()).filter(|(name, _)| name == "sig")
            {
                secrets.add(&value);
            }
            builder.with_config(AzureConfigKey::SasKey, sas.expose_secret())
        }
    })
}

// Key, signature, service principal, workload identity or, with none of them, the managed identity of the machine.
fn from_environment(
    at: At<'_>,
    settings: &StorageSettings,
    place: Option<&Place>,
) -> Result<MicrosoftAzureBuilder, Error> {
    let mut builder = MicrosoftAzureBuilder::from_env();
    for (name, value) in &settings.options {
        builder = builder.with_config(known(at, name)?, value.expose_secret());
    }
    if let Some(account) = place.and_then(|place| place.account.as_ref()) {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = place.and_then(|place| place.endpoint.as_ref()) {
        builder = builder.with_endpoint(endpoint.clone());
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_keeps(environment: &StorageSettings, expected: bool, urls: &[&str]) {
        for url in urls {
            let settings = StorageSettings {
                url: (*url).to_owned(),
                ..environment.clone()
            };
            let keeps = keeps_credentials(&settings, environment).unwrap();
            assert_eq!(keeps, expected, "{url}");
        }
    }

    #[test]
    fn an_account_of_the_environment_is_a_name_too() {
        let settings = StorageSettings {
            options: vec![("azure_storage_account_name".to_owned(), "evil.example/x".into())],
            ..StorageSettings::new("az://backups")
        };
        let error = keeps_credentials(&settings, &settings).unwrap_err().to_string();
        assert!(error.contains("the account is not made of"), "{error}");
    }

    #[test]
    fn credentials_stay_with_the_account_and_endpoint_that_the_environment_names() {
        let by_variable = StorageSettings {
            options: vec![("azure_storage_account_name".to_owned(), "acct".into())],
            ..StorageSettings::new("file:///srv/backups")
        };
        let same = [
            "az://shop/p",
            "az://shop?account=acct",
            "az://shop?account=acct&endpoint=https://ACCT.blob.core.windows.net/",
            "s3://shop",
            "gs://shop",
            "file:///srv/shop",
        ];
        assert_keeps(&by_variable, true, &same);
        assert_keeps(&by_variable, false, &["AZ://shop?account=other"]);
        let others = [
            "az://shop?account=other",
            "az://shop?endpoint=https://evil.example",
            "az://shop?account=acct&endpoint=https://evil.example",
        ];
        assert_keeps(&by_variable, false, &others);

        let by_string = StorageSettings {
            connection_string: Some("AccountName=acct;AccountKey=c2VjcmV0".into()),
            ..StorageSettings::new("file:///srv/backups")
        };
        assert_keeps(&by_string, true, &["az://shop/p", "az://shop?account=acct"]);
        assert_keeps(&by_string, false, &others);

        // The same name in another cloud is another account.
        let by_url = StorageSettings::new("az://backups?account=acct&endpoint=https://box.example/acct");
        assert_keeps(
            &by_url,
            true,
            &["az://shop?endpoint=https://box.example/acct/&account=acct"],
        );
        assert_keeps(&by_url, false, &["az://shop?account=acct"]);
        let by_none = StorageSettings::new("file:///srv/backups");
        assert_keeps(&by_none, false, &["az://shop?account=acct"]);
    }
}
