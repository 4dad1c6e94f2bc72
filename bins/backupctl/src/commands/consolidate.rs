use crate::cli::Settings;
use crate::commands::list::to_json;
use crate::context::{full_options, job, repository};
use crate::exit::Failure;
use crate::output;
use crate::progress::{Progress, Unit};

/// Makes a FULL backup of one that builds on others.
pub(crate) async fn consolidate(settings: &Settings, id: &str) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Bytes);
    let made = repository.consolidate(&receipt, &full_options(settings), &job).await;
    drop(progress);
    let full = made?;
    if settings.json {
        return output::json(&to_json(&full)?);
    }
    output::line(&format!("{} is a full backup of what {} holds", full.id, receipt.id))
}
