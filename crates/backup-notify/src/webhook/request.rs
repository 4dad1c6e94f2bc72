//! The request that each preset makes of a message.

use backup_core::notification::WebhookPreset;
use url::Url;

use super::address::Address;
use super::cut::cut_bytes;
use super::told::Told;
use super::{WebhookSettings, chat, template};
use crate::Error;

/// Bytes that a dead man's switch is told; the rest would be cut off or refused there.
const MAX_PING: usize = 10_000;

/// What is asked, always with POST. It has no `Debug`: the address is a secret.
pub(super) struct Request {
    pub(super) url: Url,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Request {
    pub(super) fn new(to: &WebhookSettings, address: &Address, told: &Told<'_>) -> Result<Self, Error> {
        let json = match (to.preset, &to.template) {
            (WebhookPreset::Generic, Some(template)) => template::filled(template, &told.values())?,
            (WebhookPreset::Generic, None) => told.json(),
            (WebhookPreset::Slack, _) => chat::slack(told),
            (WebhookPreset::Teams, _) => chat::teams(told),
            (WebhookPreset::Discord, _) => chat::discord(told),
            (WebhookPreset::Ping, _) => return Ok(Self::ping(address, told)),
        };
        Ok(Self {
            url: address.url(),
            content_type: "application/json",
            body: json.to_string(),
        })
    }

    fn ping(address: &Address, told: &Told<'_>) -> Self {
        let text = format!("{}\n\n{}", told.message.subject, told.message.text);
        Self {
            url: if told.is_good() { address.url() } else { address.fail() },
            content_type: "text/plain; charset=utf-8",
            body: cut_bytes(&text, MAX_PING).to_owned(),
        }
    }
}
