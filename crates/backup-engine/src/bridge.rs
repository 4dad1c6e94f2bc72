//! The bridges between the asynchronous storage and the synchronous archive.
//!
//! The archive's threads are blocking threads of the runtime or threads of their own, never its asynchronous workers, so
//! they may wait for the runtime. Every bridge is bounded: the slower side holds the faster one up.

mod download;
mod throttle;
mod upload;

pub(crate) use download::BlobSource;
pub(crate) use throttle::Throttle;
pub(crate) use upload::{UploadSink, abort, cancelled, start_upload};

use backup_core::PipelineError;

/// Runs blocking work beside the runtime and waits for it. The work ends by itself when it is asked to: it cannot be
/// broken off from outside.
pub(crate) async fn blocking<T, F>(work: F) -> Result<T, PipelineError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, PipelineError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => {
            Err(PipelineError::failed("the job's thread broke down", "This is a fault of the program.").because(error))
        }
    }
}
