//! Silence has an end.

use std::future::Future;
use std::time::Duration;

use backup_core::{Outage, counted};

use crate::error::{At, Error};

/// What `work` yields, or an error that names the store once it took longer than `limit`.
pub(crate) async fn within<T>(
    limit: Duration,
    at: At<'_>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    if let Ok(result) = tokio::time::timeout(limit, work).await {
        return result;
    }
    let error = at.unavailable(
        format_args!(
            "nothing moved for {}",
            counted(limit.as_secs_f32().round(), "second", "seconds")
        ),
        "Check the network and the storage service, then try again; a slow line needs a longer BACKUP_STALL_SECONDS.",
    );
    Err(error.away(Outage::Silent))
}
