//! Alerts on the wire.

use backup_core::AlertId;
use backup_core::alert::{Alert, AlertDetails, AlertKind, AlertSeverity, AlertState};
use backup_notify::templates::alert_sentence;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::http::params::{FromParams, Params};
use crate::language::Language;
use crate::openapi::types;

/// Which alerts.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertQuery {
    /// Only the open ones, or all.
    #[param(inline, value_type = Option<types::AlertState>, default = "ALL")]
    pub(crate) state: AlertState,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: u32,
    /// How many to pass over.
    #[param(value_type = Option<u64>, maximum = 9_223_372_036_854_775_807_i64, default = 0)]
    pub(crate) offset: u64,
}

impl FromParams for AlertQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let (limit, offset) = params.page(50, 200)?;
        Ok(Self {
            state: params.take("state")?.unwrap_or(AlertState::All),
            limit,
            offset,
        })
    }
}

/// One alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertAnswer {
    pub(crate) alert: AlertBody,
}

/// A page of alerts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AlertList)]
pub(crate) struct AlertListBody {
    pub(crate) alerts: Vec<AlertBody>,
    pub(crate) total: u64,
    pub(crate) limit: u32,
    pub(crate) offset: u64,
}

/// Something to act on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Alert)]
pub(crate) struct AlertBody {
    #[schema(value_type = types::Id)]
    id: AlertId,
    #[schema(value_type = types::AlertKind)]
    kind: AlertKind,
    /// What it is about, as the kind says; may be empty.
    subject: String,
    #[schema(value_type = types::AlertSeverity)]
    severity: AlertSeverity,
    /// One sentence for people, in the caller's language.
    message: String,
    /// What the sentence names, as values: `config`, `schedule`, `error` and the like.
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    details: AlertDetails,
    raised_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
}

impl AlertBody {
    pub(crate) fn new(alert: Alert, language: Language) -> Self {
        Self {
            message: alert_sentence(language.of_messages(), alert.kind, &alert.details, &alert.message),
            id: alert.id,
            kind: alert.kind,
            subject: alert.subject,
            severity: alert.severity,
            details: alert.details,
            raised_at: alert.raised_at,
            acknowledged_at: alert.acknowledged_at,
            resolved_at: alert.resolved_at,
        }
    }
}
