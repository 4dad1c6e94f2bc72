//! The pause of the whole system on the wire.

use backup_core::pause::{MAX_PAUSE_REASON, SystemPause};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult};
use crate::http::body::{Fields, FromFields};

/// Since when the system is paused, by whom and why. No job is taken up meanwhile, no schedule fires, and no backup expires;
/// what runs goes on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SystemPause)]
pub(crate) struct PauseBody {
    paused_at: DateTime<Utc>,
    /// What the person is called who paused it; null where they are no longer a user.
    paused_by: Option<String>,
    reason: String,
}

impl From<SystemPause> for PauseBody {
    fn from(pause: SystemPause) -> Self {
        Self {
            paused_at: pause.paused_at,
            paused_by: pause.paused_by_name,
            reason: pause.reason,
        }
    }
}

/// The pause that has begun or is over.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PauseAnswer {
    pub(crate) pause: PauseBody,
    /// In the caller's language.
    pub(crate) message: String,
}

/// Why the system is paused.
#[derive(Debug, ToSchema)]
pub(crate) struct PauseSystem {
    /// For those who wonder why nothing is done.
    #[schema(min_length = 1, max_length = 500)]
    pub(crate) reason: String,
}

impl FromFields for PauseSystem {
    fn from_fields(fields: &mut Fields) -> ApiResult<Self> {
        let missing = || ApiError::field("field_missing", "reason", "it is required");
        Ok(Self {
            reason: fields.text("reason", MAX_PAUSE_REASON)?.ok_or_else(missing)?,
        })
    }
}
