//! From the other crates' errors to HTTP.

use actix_web::http::StatusCode;
use backup_core::PipelineError;
use backup_db::Error as CatalogError;
use serde_json::json;

use super::ApiError;
use crate::oidc::OidcError;

impl From<CatalogError> for ApiError {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Unavailable { .. } => Self::unavailable("catalog_unavailable").because(error),
            CatalogError::NotFound { what, .. } => Self::not_found(match what {
                "backup" => "backup_not_found",
                "restore" => "restore_not_found",
                "token" => "token_not_found",
                "user" => "user_not_found",
                "alert" => "alert_not_found",
                "configuration" => "config_not_found",
                "schedule" => "schedule_not_found",
                _ => "not_found",
            }),
            CatalogError::WrongState { status, .. } => Self::conflict("conflict").details(json!({ "status": status })),
            CatalogError::Running(_) => Self::conflict("backup_running"),
            CatalogError::Protected(_) => Self::conflict("backup_protected"),
            CatalogError::InUse { jobs, .. } => Self::conflict("backup_in_use").details(json!({ "jobs": jobs })),
            CatalogError::PlaceTaken(other) => Self::conflict("conflict").details(json!({ "restoreId": other })),
            CatalogError::NothingKept(_) => Self::conflict("restore_keeps_nothing"),
            CatalogError::StillRunning { backup, .. } => {
                Self::conflict("schedule_running").details(json!({ "backupId": backup }))
            }
            CatalogError::Cron(error) => error.into(),
            CatalogError::HasDependents { dependents, .. } => {
                Self::conflict("backup_dependents").details(json!({ "dependents": dependents }))
            }
            CatalogError::StandsAlone(_) => Self::conflict("backup_stands_alone"),
            CatalogError::Damaged { problem, .. } => {
                Self::conflict("backup_damaged").details(json!({ "problem": problem }))
            }
            CatalogError::BeingConsolidated { by, .. } => {
                Self::conflict("backup_consolidating").details(json!({ "backupId": by }))
            }
            CatalogError::AlreadyExists { what, name } => {
                Self::conflict("already_exists").details(json!({ "what": what, "name": name }))
            }
            CatalogError::PausedAlready => Self::conflict("already_paused"),
            CatalogError::NotPaused => Self::conflict("not_paused"),
            CatalogError::Changed { .. } => Self::conflict("changed_meanwhile"),
            CatalogError::ConfigInUse { .. } => Self::conflict("config_in_use"),
            CatalogError::LastAdmin => Self::conflict("last_admin"),
            _ => Self::internal(error),
        }
    }
}

impl ApiError {
    /// The same mapping, with a code of its own where the state does not allow what was asked.
    pub(crate) fn in_state(code: &'static str) -> impl Fn(CatalogError) -> Self {
        move |error| match error {
            CatalogError::WrongState { status, .. } => Self::conflict(code).details(json!({ "status": status })),
            error => error.into(),
        }
    }
}

impl From<PipelineError> for ApiError {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Unavailable { .. } => Self::unavailable("storage_unavailable").because(error),
            PipelineError::Refused { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_refused").because(error)
            }
            PipelineError::Integrity { .. } => Self::conflict("archive_damaged").because(error),
            PipelineError::WrongKey { .. } => Self::conflict("archive_damaged")
                .sentence("archive_damaged.KEY")
                .details(json!({ "problem": error.to_string() }))
                .because(error),
            PipelineError::NotFound { .. } => Self::conflict("backup_unavailable").because(error),
            PipelineError::Cancelled | PipelineError::Failed { .. } => Self::internal(error),
        }
    }
}

impl From<backup_engine::Error> for ApiError {
    fn from(error: backup_engine::Error) -> Self {
        match error {
            backup_engine::Error::Catalog(error) => error.into(),
            backup_engine::Error::Pipeline(error) => error.into(),
        }
    }
}

impl From<OidcError> for ApiError {
    fn from(error: OidcError) -> Self {
        match error {
            OidcError::Unavailable(_) => Self::unavailable("oidc_unavailable").because(error),
            OidcError::Expired(_) => Self::bad_request("oidc_expired"),
            OidcError::Refused(_) => Self::new(StatusCode::UNAUTHORIZED, "oidc_refused"),
        }
    }
}
