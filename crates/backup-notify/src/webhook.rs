//! Requests to web addresses: [`WebhookSettings`] say where and for which program, [`WebhookSender`] makes them.

mod address;
mod answer;
mod chat;
mod cut;
mod request;
mod sender;
mod template;
mod told;

use backup_core::notification::WebhookPreset;
use secrecy::SecretString;

pub use address::check_url;
pub use sender::WebhookSender;
pub use template::{MAX_TEMPLATE, check_template};
pub use told::TEMPLATE_NAMES;

/// One web address that is told, its secret opened. `Debug` does not show the address.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// What people call it.
    pub name: String,
    /// The address: see [`check_url`]. For most programs it is the only credential.
    pub url: SecretString,
    /// Which program it is for.
    pub preset: WebhookPreset,
    /// The JSON of the request, for [`WebhookPreset::Generic`] alone: see [`check_template`].
    pub template: Option<String>,
}
