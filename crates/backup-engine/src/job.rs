//! How a job can end badly.

use backup_core::PipelineError;
use backup_db::Error as CatalogError;

use crate::engine::MAX_ATTEMPTS;
use crate::error::Error;

/// Why a job did not reach its end. What it had made has been removed, unless the lease is lost.
#[derive(Debug)]
pub(crate) enum JobError {
    /// The job is another worker's now.
    LeaseLost,
    /// It was told to stop; the lease knows why.
    Stopped,
    /// It has put itself back, to go on once another job has ended.
    Waits,
    /// It has come too far to be given up: it is tried again until it is finished.
    Unfinished(PipelineError),
    /// The storage or the catalog is away: the whole job may be tried again.
    Again(PipelineError),
    /// A person has to act.
    Failed(PipelineError),
    /// It was ended, by whatever, and has left what a person has to see to: so it fails, though it was told to stop.
    Left(PipelineError),
}

impl JobError {
    /// An error of the storage, which may come back.
    pub(crate) fn storage(error: PipelineError) -> Self {
        match error {
            PipelineError::Cancelled => Self::Stopped,
            error @ PipelineError::Unavailable { .. } => Self::Again(error),
            error => Self::Failed(error),
        }
    }

    /// An error of the catalog, which may come back.
    pub(crate) fn catalog(error: CatalogError) -> Self {
        match error {
            CatalogError::LeaseLost { .. } => Self::LeaseLost,
            error => Self::storage(error.into()),
        }
    }
}

/// A configuration's place that cannot be had, which may come back.
impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Catalog(error) => Self::catalog(error),
            Error::Pipeline(error) => Self::storage(error),
        }
    }
}

/// An error of a source or a target: it is not tried again by itself, since a person is to know within seconds.
impl From<PipelineError> for JobError {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Cancelled => Self::Stopped,
            error => Self::Failed(error),
        }
    }
}

/// The error of a job whose workers all died.
pub(crate) fn given_up() -> PipelineError {
    PipelineError::failed(
        format!("given up after {MAX_ATTEMPTS} attempts, each of which ended with its worker"),
        "Look into the workers' logs for what ended them, then ask for it again.",
    )
}
