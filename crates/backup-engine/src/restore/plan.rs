//! The plan of a restore: what would be read, written and replaced, and every reason against it.

use std::path::Path;

use backup_archive::Amount;
use backup_core::restore::{PlannedArchive, PlannedPart, Refusal, RefusalCode, RestorePart, RestorePlan, TargetPlan};
use backup_core::{EntryPath, JobControl, PipelineError, Receipt, counted};
use backup_sources::{DatabaseTarget, DatabaseTargetOptions, FilesTarget, FilesTargetOptions};

use super::Order;
use super::way::{DatabaseWay, FilesWay, Way};
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::places::Place;

/// The parts of an archive that hold the database and the files.
const DATABASE_PART: &str = "database";
const FILES_PART: &str = "files";
/// What of the database's part tells what a server must have.
const ABOUT: &str = "about.json";
/// The most that is read of it, in bytes.
const MAX_ABOUT: u64 = 64 << 20;

pub(super) async fn make(
    engine: &Engine,
    place: &Place,
    order: &Order<'_>,
    receipt: &Receipt,
    way: &Way,
    job: &JobControl,
) -> Result<RestorePlan, PipelineError> {
    let mut plan = RestorePlan {
        backup_id: order.backup_id,
        mode: order.options.mode,
        archives: vec![archive(receipt)],
        read_bytes: 0,
        parts: Vec::new(),
        makes_safety_backup: false,
        keeps_old_hours: None,
        warnings: Vec::new(),
        refusals: Vec::new(),
    };
    let found = look_at_archives(place, engine, receipt, way, job).await;
    let (about, chosen) = match found {
        Ok(found) => {
            plan.archives.extend(found.bases.iter().map(archive));
            plan.refusals.extend(found.refusals);
            (found.about, found.chosen)
        }
        Err(error @ (PipelineError::Unavailable { .. } | PipelineError::Cancelled)) => return Err(error),
        Err(error) => {
            plan.refusals.push(Refusal::new(
                RefusalCode::ArchiveUnreadable,
                error.to_string(),
                "Restore another backup.",
            ));
            (None, None)
        }
    };
    // Once to check them, once to restore them.
    let stored: u64 = plan.archives.iter().map(|archive| archive.size_bytes).sum();
    plan.read_bytes = stored.saturating_mul(2);
    if let (Some(database), Some(about)) = (&way.database, about) {
        let found = look_at_database(database, about, order, receipt, job).await?;
        add(&mut plan, found, database.is_configured, order);
    }
    if let Some(files) = &way.files {
        let amount = if files.is_whole() { whole(receipt) } else { chosen };
        let found = look_at_files(engine, place, files, order, amount, job).await?;
        add(&mut plan, found, files.is_configured, order);
    }
    if let Some(config) = &way.config {
        plan.parts.push(PlannedPart {
            part: RestorePart::Config,
            target: config.display().to_string(),
            replaces: None,
            needed_bytes: receipt.contents.config.as_ref().map_or(0, |config| config.size_bytes),
            free_bytes: None,
        });
    }
    Ok(plan)
}

fn add(plan: &mut RestorePlan, found: TargetPlan, is_configured: bool, order: &Order<'_>) {
    if found.part.replaces.is_some() && order.replaces() {
        plan.keeps_old_hours = Some(order.options.keep_old_hours);
        if is_configured {
            plan.makes_safety_backup |= order.options.safety_backup;
        } else if order.options.safety_backup {
            plan.warnings.push(format!(
                "no backup of {} is made first, since the configuration does not name it; it is kept for {}",
                found.part.target,
                counted(order.options.keep_old_hours, "hour", "hours")
            ));
        }
    }
    plan.parts.push(found.part);
    plan.warnings.extend(found.warnings);
    plan.refusals.extend(found.refusals);
}

fn archive(receipt: &Receipt) -> PlannedArchive {
    PlannedArchive {
        backup_id: receipt.id,
        storage_path: receipt.storage_path.clone(),
        size_bytes: receipt.size_bytes,
    }
}

/// What the archives say, before anything else is looked at.
struct Found {
    /// What the backup builds on.
    bases: Vec<Receipt>,
    /// What a server must have, where the database is to be restored.
    about: Option<Vec<u8>>,
    /// How much of the files is to be restored, where only some are; `None`: all are, or it was not counted to its end.
    chosen: Option<Amount>,
    refusals: Vec<Refusal>,
}

async fn look_at_archives(
    place: &Place,
    engine: &Engine,
    receipt: &Receipt,
    way: &Way,
    job: &JobControl,
) -> Result<Found, PipelineError> {
    let chain = place.repository(engine).open_chain(receipt, job).await?;
    let about = if way.database.is_some() {
        let path = EntryPath::new(ABOUT).map_err(|error| PipelineError::failed(error.to_string(), ""))?;
        Some(chain.file(DATABASE_PART, &path).await?.read(MAX_ABOUT).await?)
    } else {
        None
    };
    let lacking = match &way.files {
        Some(files) => chain.lacking(FILES_PART, &files.paths).await?,
        None => Vec::new(),
    };
    let chosen = match &way.files {
        Some(files) if !files.is_whole() => chain.amount(FILES_PART, &files.paths).await?,
        _ => None,
    };
    let refusals = lacking.into_iter().map(|(path, hint)| {
        Refusal::new(
            RefusalCode::NotInBackup,
            format!("the backup's files do not hold '{path}'"),
            hint,
        )
    });
    Ok(Found {
        refusals: refusals.collect(),
        bases: chain.bases,
        about,
        chosen,
    })
}

/// How much all files of the backup are.
fn whole(receipt: &Receipt) -> Option<Amount> {
    receipt.contents.files.as_ref().map(|files| Amount {
        entries: files.entry_count.max(files.file_count),
        stored_bytes: files.size_bytes,
    })
}

async fn look_at_database(
    way: &DatabaseWay,
    about: Vec<u8>,
    order: &Order<'_>,
    receipt: &Receipt,
    job: &JobControl,
) -> Result<TargetPlan, PipelineError> {
    // How much room single tables need is not known; that of the whole database is no reason against them.
    let needed = match &receipt.contents.database {
        Some(database) if order.options.tables.is_empty() => database.size_bytes,
        _ => 0,
    };
    let (way, job, backup_id) = (way.clone(), job.clone(), order.backup_id.to_string());
    let replaces = order.replaces();
    let options = DatabaseTargetOptions {
        tables: order.options.tables.clone(),
        skip_owner: order.options.skip_owner,
        skip_tablespaces: order.options.skip_tablespaces,
        ..DatabaseTargetOptions::default()
    };
    blocking(move || {
        if replaces {
            return way.swap().plan(&about, needed, options, &backup_id, &job);
        }
        DatabaseTarget::new(way.settings, options).plan(&about, needed, &job)
    })
    .await
}

async fn look_at_files(
    engine: &Engine,
    place: &Place,
    way: &FilesWay,
    order: &Order<'_>,
    amount: Option<Amount>,
    job: &JobControl,
) -> Result<TargetPlan, PipelineError> {
    let Amount { entries, stored_bytes } = amount.unwrap_or_default();
    let mut keep_out = vec![engine.settings.data_dir.clone()];
    keep_out.extend(place.storage.folder().map(Path::to_owned));
    let config = place.config.as_ref();
    let is_named = order.options.target_dir.is_some() || config.is_some_and(|config| config.upload_dir.is_some());
    let checked = if is_named {
        engine.check_target(Path::new(&way.names.live), config)
    } else {
        // The environment's: it is the operator's to answer for.
        Ok(())
    };
    let (way, job, replaces) = (way.clone(), job.clone(), order.replaces());
    let mut found = blocking(move || {
        if replaces {
            return way.swap().plan(stored_bytes, entries, &keep_out, &job);
        }
        FilesTarget::new(way.names.live.into(), FilesTargetOptions::default()).plan(stored_bytes, entries, &job)
    })
    .await?;
    if amount.is_none() {
        found
            .warnings
            .push("how much room the files need is not known".to_owned());
    }
    let is_told = |refusal: &Refusal| refusal.code == RefusalCode::HoldsThisSystem;
    match checked {
        Err(PipelineError::Refused { message, hint, .. }) if !found.refusals.iter().any(is_told) => {
            let refusal = Refusal::new(RefusalCode::HoldsThisSystem, message, hint);
            found.refusals.push(refusal);
        }
        Ok(()) | Err(PipelineError::Refused { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(found)
}
