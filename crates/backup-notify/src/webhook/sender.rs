use std::fmt;

use backup_core::notification::Report;
use chrono::{DateTime, Utc};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::redirect::Policy;

use super::address::Address;
use super::request::Request;
use super::told::Told;
use super::{WebhookSettings, answer};
use crate::{Error, Language, Timeouts};

const USER_AGENT: &str = concat!("backup-notify/", env!("CARGO_PKG_VERSION"));

/// By which a receiver can tell a message that comes twice.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Tells web addresses. Each message goes over a connection of its own: they are few. A proxy of the environment
/// (`HTTPS_PROXY`, `NO_PROXY`) is used; redirects are not followed, so that no receiver sends us elsewhere.
pub struct WebhookSender {
    client: reqwest::Client,
    timeouts: Timeouts,
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the proxy with its password.
        f.debug_struct("WebhookSender")
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

impl WebhookSender {
    /// A sender with the usual patience: see [`Timeouts::default`].
    ///
    /// # Errors
    /// [`Error::Failed`] where the system has no usable TLS.
    pub fn new() -> Result<Self, Error> {
        Self::with_timeouts(Timeouts::default())
    }

    /// A sender with other patience.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeouts(timeouts: Timeouts) -> Result<Self, Error> {
        // rustls wants one provider of cryptography for the process; whoever was first has chosen.
        let _chosen_already = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.send)
            .pool_max_idle_per_host(0)
            // HTTP/2's log shows whole requests, the secret path among them.
            .http1_only()
            .build()
            .map_err(|error| {
                Error::failed(
                    "webhooks cannot be told: there is no usable TLS",
                    "Install the system's package ca-certificates.",
                )
                .because(error.without_url())
            })?;
        Ok(Self { client, timeouts })
    }

    /// Tells of `report`. `id` says which message it is, so that a receiver can tell one that comes twice; `installation` is
    /// the address that people use. `Ok` means that the receiver has taken it. Dropped in between, it may or may not have
    /// been taken.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where trying again may help (see [`Error::retry_after`]), [`Error::Rejected`] where the
    /// receiver does not take it, [`Error::Refused`] where the settings are no good. None holds the address.
    pub async fn send(
        &self,
        to: &WebhookSettings,
        id: &str,
        language: Language,
        installation: Option<&str>,
        report: &Report,
    ) -> Result<(), Error> {
        self.deliver(to, &Told::report(id, language, installation, report))
            .await
    }

    /// Tells, in the same form, that messages arrive. A dead man's switch counts it as a success.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_test(
        &self,
        to: &WebhookSettings,
        id: &str,
        language: Language,
        installation: Option<&str>,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.deliver(to, &Told::test(id, language, installation, at)).await
    }

    async fn deliver(&self, to: &WebhookSettings, told: &Told<'_>) -> Result<(), Error> {
        let address = Address::parse(&to.url)?;
        let who = format!("the webhook '{}' ({})", to.name.escape_debug(), address.host());
        let request = Request::new(to, &address, told)?;
        let id = HeaderValue::from_str(told.id).map_err(|_| {
            Error::failed(
                "the message's identifier cannot stand in a request",
                "This is a fault of the program.",
            )
        })?;
        let response = self
            .client
            .post(request.url)
            .header(CONTENT_TYPE, request.content_type)
            .header(IDEMPOTENCY_KEY, id)
            .body(request.body)
            .send()
            .await
            .map_err(|error| answer::failed(&who, &address, &error, self.timeouts))?;
        answer::judge(&who, &address, response).await
    }
}
