//! Webhooks on the wire: as they are shown, without their address, and as they are given.

use backup_core::notification::{Webhook, WebhookPreset};
use backup_notify::webhook::{check_template, check_url};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields, check_text, read};
use crate::openapi::types;
use crate::wire::config::HIDDEN;

/// How many a configuration may have.
const MAX_WEBHOOKS: usize = 20;
/// The longest address, in bytes.
const MAX_URL: usize = 4096;

/// A web address that is told what happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(crate) struct WebhookBody {
    /// Unique in the configuration.
    name: String,
    #[schema(value_type = types::WebhookPreset)]
    preset: WebhookPreset,
    /// `***`: for most programs it is the only credential.
    url: &'static str,
    /// The JSON of the request.
    template: Option<String>,
    /// Good backups are told.
    on_success: bool,
    /// Failed backups and alerts are told.
    on_failure: bool,
}

impl From<&Webhook> for WebhookBody {
    fn from(webhook: &Webhook) -> Self {
        Self {
            name: webhook.name.clone(),
            preset: webhook.preset,
            url: HIDDEN,
            template: webhook.template.clone(),
            on_success: webhook.on_success,
            on_failure: webhook.on_failure,
        }
    }
}

/// A web address to be told.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct WebhookChange {
    /// Unique in the configuration.
    #[schema(min_length = 1, max_length = 50)]
    pub(crate) name: String,
    #[schema(value_type = Option<types::WebhookPreset>, default = "GENERIC")]
    pub(crate) preset: WebhookPreset,
    /// The whole address. `***`, or none, leaves that of the webhook of the same name.
    #[schema(value_type = Option<String>, max_length = 4096, write_only, pattern = r"^(\*\*\*|https?://[^\u0000]+)$")]
    pub(crate) url: Option<SecretString>,
    /// The JSON of the request, for GENERIC alone: `{name}` in its strings stands for a value. It is shown to whoever may see
    /// the configuration.
    #[schema(max_length = 16384, pattern = r"^[^\u0000]+$")]
    pub(crate) template: Option<String>,
    /// Tell of good backups.
    #[schema(value_type = Option<bool>, default = false)]
    pub(crate) on_success: bool,
    /// Tell of failed backups and of alerts.
    #[schema(value_type = Option<bool>, default = true)]
    pub(crate) on_failure: bool,
}

impl FromFields for WebhookChange {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            name: fields
                .text("name", 50)?
                .ok_or_else(|| ApiError::field("field_missing", "name", "it is required"))?,
            preset: fields
                .take("preset", "field_invalid")?
                .unwrap_or(WebhookPreset::Generic),
            url: take_url(fields)?,
            template: take_template(fields)?,
            on_success: fields.flag("onSuccess", false)?,
            on_failure: fields.flag("onFailure", true)?,
        })
    }
}

/// Takes the address, which no refusal quotes.
fn take_url(fields: &mut Fields) -> ApiResult<Option<SecretString>> {
    let refuse = |problem: String| ApiError::field("field_invalid", "url", problem);
    match fields.take::<Value>("url", "field_invalid")? {
        None => Ok(None),
        Some(Value::String(text)) if text == HIDDEN => Ok(None),
        Some(Value::String(text)) if text.starts_with("https://") || text.starts_with("http://") => {
            if text.len() > MAX_URL || text.contains('\0') {
                return Err(refuse(format!("it has a NUL, or more than {MAX_URL} bytes")));
            }
            let url = SecretString::from(text);
            check_url(&url).map_err(|error| refuse(error.to_string()))?;
            Ok(Some(url))
        }
        Some(_) => Err(refuse("it must begin with https:// or http://".to_owned())),
    }
}

fn take_template(fields: &mut Fields) -> ApiResult<Option<String>> {
    let Some(template) = fields.take::<String>("template", "field_invalid")? else {
        return Ok(None);
    };
    let refuse = |problem: String| ApiError::field("field_invalid", "template", problem);
    check_text(&template, usize::MAX).map_err(refuse)?;
    check_template(&template).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(template))
}

/// Takes the list of them. Nothing that is wrong is quoted: an address may stand anywhere.
pub(crate) fn take_webhooks(fields: &mut Fields) -> ApiResult<Option<Vec<WebhookChange>>> {
    const NAME: &str = "webhooks";
    let refuse = |problem: String| ApiError::field("field_invalid", NAME, problem);
    let list = match fields.take::<Value>(NAME, "field_invalid")? {
        None => return Ok(None),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(refuse("it must be a list".to_owned())),
    };
    if list.len() > MAX_WEBHOOKS {
        return Err(refuse(format!("it has more than {MAX_WEBHOOKS} entries")));
    }
    let mut webhooks = Vec::with_capacity(list.len());
    for (index, webhook) in list.into_iter().enumerate() {
        let Value::Object(webhook) = webhook else {
            return Err(refuse(format!("entry {index} must be an object")));
        };
        let place = format!("{NAME}[{index}]");
        webhooks.push(read(webhook).map_err(|error| error.within(&place))?);
    }
    Ok(Some(webhooks))
}
