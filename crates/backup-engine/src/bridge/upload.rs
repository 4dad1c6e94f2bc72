use std::sync::Arc;
use std::time::Duration;

use backup_archive::ByteSink;
use backup_core::{JobControl, PipelineError};
use backup_storage::Upload;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::bridge::Throttle;
use crate::logging::Action;
use crate::quota::exceeded;

/// Pieces of the archive (about 1 MiB each) that wait for the upload.
const QUEUE: usize = 4;
/// How often a blocked upload looks whether its job was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(200);

/// How long a storage has to give an upload up.
const ABORT: Duration = Duration::from_secs(5);

/// The archive's end of an upload.
pub(crate) struct UploadSink(mpsc::Sender<Bytes>);

impl ByteSink for UploadSink {
    fn write(&mut self, bytes: Bytes) -> Result<(), PipelineError> {
        // The reason why the upload ended is the transfer's own result, and the job reports that one.
        self.0
            .blocking_send(bytes)
            .map_err(|_| PipelineError::failed("the upload has ended before the archive", ""))
    }
}

/// The storage's end of an upload: a task that ends when the archive is through, the storage fails or the job is
/// cancelled. Dropped, it ends as well, and nothing becomes visible.
pub(crate) struct Transfer(JoinHandle<Result<Upload, PipelineError>>);

/// Connects an archive to an upload.
///
/// More than `limit` bytes end it; `throttle` lets them go as fast as the process may.
pub(crate) fn start_upload(
    upload: Upload,
    job: JobControl,
    limit: Option<u64>,
    throttle: Option<Arc<Throttle>>,
) -> (UploadSink, Transfer) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (
        UploadSink(sender),
        Transfer(tokio::spawn(transfer(upload, receiver, job, limit, throttle))),
    )
}

impl Transfer {
    /// Waits until everything that went into the sink is with the storage; the sink must be gone. The upload is not yet
    /// committed. On an error it has been aborted.
    pub(crate) async fn done(mut self) -> Result<Upload, PipelineError> {
        match (&mut self.0).await {
            Ok(result) => result,
            Err(error) => Err(PipelineError::failed("the upload broke down", "").because(error)),
        }
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn transfer(
    mut upload: Upload,
    mut receiver: mpsc::Receiver<Bytes>,
    job: JobControl,
    limit: Option<u64>,
    throttle: Option<Arc<Throttle>>,
) -> Result<Upload, PipelineError> {
    let sent = tokio::select! {
        result = send_all(&mut upload, &mut receiver, limit, throttle.as_deref()) => result,
        () = cancelled(&job) => Err(PipelineError::Cancelled),
    };
    drop(receiver);
    match sent {
        Ok(()) => Ok(upload),
        Err(error) => {
            abort(upload).await;
            Err(error)
        }
    }
}

/// Gives an upload up. What a storage that does not answer keeps of it is invisible, and removed later.
pub(crate) async fn abort(upload: Upload) {
    match tokio::time::timeout(ABORT, upload.abort()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            action = %Action::StorageUnavailable, error = %error, "an upload could not be given up"
        ),
        Err(_) => tracing::warn!(
            action = %Action::StorageUnavailable, "an upload could not be given up: the storage does not answer"
        ),
    }
}

async fn send_all(
    upload: &mut Upload,
    receiver: &mut mpsc::Receiver<Bytes>,
    limit: Option<u64>,
    throttle: Option<&Throttle>,
) -> Result<(), PipelineError> {
    let mut sent = 0;
    while let Some(bytes) = receiver.recv().await {
        sent += bytes.len() as u64;
        if let Some(limit) = limit.filter(|limit| sent > *limit) {
            return Err(exceeded(&format!("it is larger than the {limit} bytes that are left")));
        }
        if let Some(throttle) = throttle {
            throttle.pass(bytes.len()).await;
        }
        upload.write(bytes).await?;
    }
    Ok(())
}

/// Ends once the job was cancelled.
pub(crate) async fn cancelled(job: &JobControl) {
    while !job.is_cancelled() {
        tokio::time::sleep(CANCEL_POLL).await;
    }
}
