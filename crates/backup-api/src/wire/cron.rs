//! Cron expressions on the wire: what they mean, and common ones to choose from.

use backup_core::schedule::{CRON_PRESETS, CronExpression, CronPreset, DEFAULT_TIMEZONE, Zone};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};
use crate::language::Language;
use crate::openapi::types;

/// Takes `cronExpression`. Not trimmed first: a text that is too long is refused as it is.
pub(crate) fn take_cron(fields: &mut Fields) -> ApiResult<Option<CronExpression>> {
    let text = fields.take::<String>("cronExpression", "field_invalid")?;
    Ok(text.as_deref().map(CronExpression::parse).transpose()?)
}

/// Takes `timezone`.
pub(crate) fn take_zone(fields: &mut Fields) -> ApiResult<Option<Zone>> {
    let name = fields.take::<String>("timezone", "field_invalid")?;
    Ok(name.map(|name| name.parse()).transpose()?)
}

/// The zone that was given, or else the one of a schedule that names none.
pub(crate) fn zone_or_default(given: Option<Zone>) -> ApiResult<Zone> {
    match given {
        Some(zone) => Ok(zone),
        None => DEFAULT_TIMEZONE.parse().map_err(ApiError::internal),
    }
}

/// An expression to be explained.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct CronPreview {
    /// Five fields: minute, hour, day of the month, month, day of the week; or `@daily` and the like.
    #[schema(schema_with = types::cron)]
    cron_expression: CronExpression,
    /// The IANA name of the time zone that it is read in.
    #[schema(schema_with = types::zone, required = false)]
    timezone: Zone,
    /// Of how many runs the times are wanted.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100, default = 5)]
    count: u32,
}

impl FromFields for CronPreview {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        Ok(Self {
            cron_expression: take_cron(fields)?
                .ok_or_else(|| ApiError::field("field_missing", "cronExpression", "it is required"))?,
            timezone: zone_or_default(take_zone(fields)?)?,
            count: fields.number("count", 1..=100)?.unwrap_or(5),
        })
    }
}

/// When an expression is due.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CronRuns {
    /// The next times, rising; fewer than wanted where there are no more.
    runs: Vec<DateTime<Utc>>,
    /// The expression in words, in the caller's language.
    description: String,
}

impl CronRuns {
    pub(crate) fn new(preview: &CronPreview, now: DateTime<Utc>, language: Language) -> Self {
        let CronPreview {
            cron_expression: cron,
            timezone,
            count,
        } = preview;
        Self {
            runs: cron.upcoming(now, *timezone).take(*count as usize).collect(),
            description: cron.describe(language.of_messages()),
        }
    }
}

/// A common schedule to choose from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CronPreset)]
pub(crate) struct PresetBody {
    /// Stable, for programs.
    key: &'static str,
    expression: &'static str,
    /// In the caller's language.
    label: &'static str,
}

/// Common schedules to choose from.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CronPresetList)]
pub(crate) struct PresetListBody {
    presets: Vec<PresetBody>,
}

impl PresetListBody {
    pub(crate) fn new(language: Language) -> Self {
        let body = |preset: &CronPreset| PresetBody {
            key: preset.key,
            expression: preset.expression,
            label: match language {
                Language::ZhTw => preset.label_zh,
                Language::En => preset.label_en,
            },
        };
        Self {
            presets: CRON_PRESETS.iter().map(body).collect(),
        }
    }
}
