//! From settings to a store: which provider, whose account, how patient.

use std::sync::{Arc, Once};
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::AzureConfigKey;
use object_store::client::{HttpConnector as _, ReqwestConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use secrecy::ExposeSecret;

use super::Remote;
use super::answer::{self, Secrets};
use super::azure::Account;
use super::place::{Place, Provider};
use super::service::{self, Service};
use crate::connection_string::http_url;
use crate::error::{At, Error};
use crate::parts::{self, Limits};
use crate::settings::StorageSettings;

/// After that long no request is tried again, since it was signed with credentials that may end.
const RETRY_LIMIT: Duration = Duration::from_mins(3);

/// What the stores are, in words for people.
const AZURE: &str = "Azure container";
const S3: &str = "S3 bucket";
const GCS: &str = "Google Cloud Storage bucket";

/// The store of the settings, not yet looked at; for Azure, the account beside it.
pub(crate) fn connect(settings: &StorageSettings) -> Result<(Remote, Option<Account>), Error> {
    use_ring();
    let place = Place::of(settings)?;
    match place.provider {
        Provider::Azure => azure(settings, &place).map(|(remote, account)| (remote, Some(account))),
        Provider::S3 => s3(settings, &place).map(|remote| (remote, None)),
        Provider::Gcs => gcs(settings, &place).map(|remote| (remote, None)),
    }
}

// rustls wants one provider of cryptography for the process; whoever was first has chosen.
fn use_ring() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("the process has chosen its TLS cryptography already");
        }
    });
}

fn retry(limit: Duration, longest_pause: Duration) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(500).min(longest_pause),
            max_backoff: longest_pause,
            base: 2.0,
        },
        // Time is the limit, not a number.
        max_retries: 1_000,
        retry_timeout: limit,
    }
}

/// How long a job goes on asking.
fn patience(settings: &StorageSettings) -> Duration {
    RETRY_LIMIT.min(settings.stall_timeout)
}

struct Patience {
    retry: RetryConfig,
    client: ClientOptions,
}

// A request has no time limit of its own, since a slow line is not a broken one: whoever waits for the store does so no
// longer than the stall timeout, and knows what moves.
fn patient(settings: &StorageSettings) -> Patience {
    Patience {
        retry: retry(patience(settings), Duration::from_secs(15)),
        client: ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(Duration::from_secs(10).min(settings.stall_timeout))
            .with_pool_max_idle_per_host(settings.max_in_flight),
    }
}

// For whoever waits for an answer. Tries end well before the silence does, so that what is told is the store's own reason;
// and silence is measured, not the whole request, so that a slow line is none here either.
fn impatient(settings: &StorageSettings) -> Patience {
    Patience {
        retry: retry(settings.open_timeout / 4, Duration::from_secs(1)),
        client: ClientOptions::new()
            .with_timeout_disabled()
            .with_read_timeout(settings.open_timeout)
            .with_connect_timeout(settings.open_timeout / 2),
    }
}

struct Parts {
    kind: &'static str,
    store: Arc<dyn ObjectStore>,
    impatient: Arc<dyn ObjectStore>,
    describe: String,
    secrets: Secrets,
    limits: Limits,
}

fn remote(settings: &StorageSettings, place: &Place, parts: Parts) -> Remote {
    Remote {
        kind: parts.kind,
        store: parts.store,
        impatient: parts.impatient,
        prefix: place.prefix.clone(),
        describe: parts.describe,
        secrets: parts.secrets,
        limits: parts.limits,
        patience: patience(settings),
        stall_timeout: settings.stall_timeout,
        open_timeout: settings.open_timeout,
        upload_memory: settings.upload_memory,
        max_in_flight: settings.max_in_flight.max(1),
        keeps: Arc::default(),
    }
}

// What is given by the environment or the options and must not be told.
fn option_secrets(settings: &StorageSettings, secrets: &mut Secrets) {
    for (_, value) in &settings.options {
        secrets.add(value.expose_secret());
    }
}

fn azure(settings: &StorageSettings, place: &Place) -> Result<(Remote, Account), Error> {
    let named = format!("{AZURE} {}{}", place.bucket, place.below());
    let at = At::whole(&named, "open");
    let mut secrets = Secrets::default();
    option_secrets(settings, &mut secrets);
    let builder = service::log_in(at, settings, Some(place), &mut secrets)?.with_container_name(&place.bucket);
    let Some(Service {
        account: name,
        endpoint,
    }) = Service::of(at, &builder)?
    else {
        return Err(at.refused(
            "no storage account is named",
            "Set AZURE_STORAGE_CONNECTION_STRING, or add ?account=NAME to the storage URL, or set AZURE_STORAGE_ACCOUNT_NAME.",
        ));
    };
    for key in [
        AzureConfigKey::AccessKey,
        AzureConfigKey::SasKey,
        AzureConfigKey::ClientSecret,
        AzureConfigKey::Token,
    ] {
        secrets.add(&builder.get_config_value(&key).unwrap_or_default());
    }
    let is_sas = builder.get_config_value(&AzureConfigKey::SasKey).is_some();
    // A key signs and stays here; a signature or an identity's token is sent.
    if settings.connection_string.is_none()
        && builder.get_config_value(&AzureConfigKey::AccessKey).is_none()
        && !keeps_secrets(&endpoint)
    {
        return Err(at.refused(
            "its endpoint is not encrypted, and would be sent credentials that anybody may read and use",
            "Name an https:// endpoint, or give an account key.",
        ));
    }
    let builder = builder.with_endpoint(endpoint.clone());
    let describe = format!("{AZURE} {} at {endpoint}{}", place.bucket, place.below());
    let at = At::whole(&describe, "open");

    let allow_http = endpoint.starts_with("http://");
    let build = |patience: Patience| {
        builder
            .clone()
            .with_retry(patience.retry)
            .with_client_options(patience.client.with_allow_http(allow_http))
            .build()
            .map_err(|error| answer::error(at, &error, &secrets))
    };
    let (store, quick) = (build(patient(settings))?, build(impatient(settings))?);
    let client = ReqwestConnector::default()
        .connect(&impatient(settings).client.with_allow_http(allow_http))
        .map_err(|error| answer::error(at, &error, &secrets))?;
    let account = Account {
        name,
        container_url: format!("{endpoint}/{}", place.bucket),
        credentials: Arc::clone(quick.credentials()),
        client,
        open_timeout: settings.open_timeout,
        is_sas,
    };
    let parts = Parts {
        kind: AZURE,
        store: Arc::new(store),
        impatient: Arc::new(quick),
        describe: describe.clone(),
        secrets: secrets.clone(),
        limits: parts::AZURE,
    };
    Ok((remote(settings, place, parts), account))
}

/// Whether nobody on the way reads what is sent there.
fn keeps_secrets(endpoint: &str) -> bool {
    let Ok(url) = url::Url::parse(endpoint) else {
        return false;
    };
    let is_here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" || is_here
}

/// The provider's own name of an option.
pub(super) fn known<K: std::str::FromStr>(at: At<'_>, name: &str) -> Result<K, Error> {
    name.parse().map_err(|_| {
        at.refused(
            format_args!("the provider's option {name} is not known"),
            "Use the provider's names, in lower case.",
        )
    })
}

fn s3(settings: &StorageSettings, place: &Place) -> Result<Remote, Error> {
    use object_store::aws::AmazonS3ConfigKey as Key;
    let named = format!("{S3} {}{}", place.bucket, place.below());
    let at = At::whole(&named, "open");
    let mut secrets = Secrets::default();
    option_secrets(settings, &mut secrets);
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(&place.bucket);
    for (name, value) in &settings.options {
        builder = builder.with_config(known(at, name)?, value.expose_secret());
    }
    for key in [Key::SecretAccessKey, Key::Token] {
        secrets.add(&builder.get_config_value(&key).unwrap_or_default());
    }
    let endpoint = builder.get_config_value(&Key::Endpoint);
    let allow_http = endpoint
        .as_ref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    let describe = match endpoint {
        Some(endpoint) => {
            let endpoint =
                http_url("the endpoint", &endpoint).map_err(|reason| at.refused(reason, "Correct AWS_ENDPOINT."))?;
            format!("{S3} {} at {endpoint}{}", place.bucket, place.below())
        }
        None => named.clone(),
    };
    let build = |patience: Patience| {
        builder
            .clone()
            .with_retry(patience.retry)
            .with_client_options(patience.client.with_allow_http(allow_http))
            .build()
            .map_err(|error| answer::error(at, &error, &secrets))
    };
    let (store, quick) = (build(patient(settings))?, build(impatient(settings))?);
    let parts = Parts {
        kind: S3,
        store: Arc::new(store),
        impatient: Arc::new(quick),
        describe,
        secrets,
        limits: parts::S3,
    };
    Ok(remote(settings, place, parts))
}

fn gcs(settings: &StorageSettings, place: &Place) -> Result<Remote, Error> {
    let describe = format!("{GCS} {}{}", place.bucket, place.below());
    let at = At::whole(&describe, "open");
    let mut secrets = Secrets::default();
    option_secrets(settings, &mut secrets);
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(&place.bucket);
    for (name, value) in &settings.options {
        builder = builder.with_config(known(at, name)?, value.expose_secret());
    }
    let build = |patience: Patience| {
        builder
            .clone()
            .with_retry(patience.retry)
            .with_client_options(patience.client.with_allow_http(true))
            .build()
            .map_err(|error| answer::error(at, &error, &secrets))
    };
    let (store, quick) = (build(patient(settings))?, build(impatient(settings))?);
    let parts = Parts {
        kind: GCS,
        store: Arc::new(store),
        impatient: Arc::new(quick),
        describe: describe.clone(),
        secrets: secrets.clone(),
        limits: parts::S3,
    };
    Ok(remote(settings, place, parts))
}
