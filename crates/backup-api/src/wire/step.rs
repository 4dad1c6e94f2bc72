//! The steps of a job on the wire.

use backup_core::{JobStatus, Step, StepStart};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::language::Language;
use crate::openapi::types;

/// A step of a job's last attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JobStep)]
pub(crate) struct StepBody {
    #[schema(value_type = types::Step)]
    step: Step,
    started_at: DateTime<Utc>,
    /// Milliseconds until the next step or the job's end; null: it is still at it.
    duration_ms: Option<u64>,
}

impl StepBody {
    /// The steps of a job that ended at `ended`, or has not yet.
    pub(crate) fn all(steps: &[StepStart], ended: Option<DateTime<Utc>>) -> Vec<Self> {
        let ends = steps.iter().skip(1).map(|next| Some(next.at)).chain([ended]);
        steps
            .iter()
            .zip(ends)
            .map(|(begun, end)| Self {
                step: begun.step,
                started_at: begun.at,
                // A clock that was put back makes no step shorter than nothing.
                duration_ms: end.map(|end| u64::try_from((end - begun.at).num_milliseconds()).unwrap_or(0)),
            })
            .collect()
    }
}

/// What a job is doing, or how it ended, in a sentence. `kind` is the prefix of the catalogue's keys.
pub(crate) fn step_text(language: Language, kind: &str, status: JobStatus, step: Step) -> String {
    let key = match status {
        JobStatus::Pending => Step::Queued.as_str(),
        JobStatus::InProgress => step.as_str(),
        JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => status.as_str(),
    };
    language.say(&format!("{kind}.{key}"), &[])
}
