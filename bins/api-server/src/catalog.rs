//! Opening the catalog, without which nothing works.

use std::sync::Arc;
use std::time::Duration;

use backup_core::{Clock, PipelineError};
use backup_db::Store;
use backup_engine::Action;
use backup_engine::settings::EngineArgs;
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep};

use crate::error::ServerError;

/// How long a catalog that cannot be reached is tried again: it may be starting too.
const PATIENCE: Duration = Duration::from_mins(1);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Opens the catalog and brings it up to date.
pub(crate) async fn open(args: &EngineArgs, clock: Arc<dyn Clock>) -> Result<Store, ServerError> {
    let url = args.catalog.url(&args.data)?;
    let data = args.data.absolute()?;
    std::fs::create_dir_all(&data).map_err(|error| {
        PipelineError::refused(
            format!("the folder '{}' cannot be made", data.display()),
            "Set BACKUP_DATA_DIR to a folder that this user may write.",
        )
        .because(error)
    })?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Store::open(url.expose_secret(), clock.clone())
            .await
            .map_err(PipelineError::from)
        {
            Ok(store) => return Ok(store),
            Err(error @ PipelineError::Unavailable { .. }) if Instant::now() < deadline => {
                tracing::warn!(action = %Action::CatalogUnavailable, "{}; trying again", error.full_text());
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
