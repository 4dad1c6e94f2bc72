use backup_core::{PipelineError, VerifyLevel, counted};
use backup_engine::{Checked, ListedReceipt};
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::cli::Settings;
use crate::context::{job, repository};
use crate::exit::Failure;
use crate::output;
use crate::progress::{Progress, Unit};

/// Checks one backup.
pub(crate) async fn verify(settings: &Settings, id: &str, level: VerifyLevel) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Bytes);
    let checked = repository.verify(&receipt, level, &job).await;
    drop(progress);
    if settings.json && matches!(&checked, Ok(()) | Err(PipelineError::Integrity { .. })) {
        output::json(&json!({
            "id": receipt.id,
            "level": level,
            "ok": checked.is_ok(),
            "error": checked.as_ref().err().map(PipelineError::full_text),
        }))?;
    }
    checked?;
    if !settings.json {
        output::line(&format!("{} is what was written ({level})", receipt.id))?;
    }
    Ok(())
}

/// Checks every backup in the storage.
pub(crate) async fn verify_all(settings: &Settings, level: VerifyLevel) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Bytes);
    let mut checked = Vec::new();
    let verified = repository.verify_all(level, &job, |one| checked.push(one)).await;
    drop(progress);
    let mut found = Vec::new();
    for one in &checked {
        let (id, error) = match one {
            Checked::Good(id) => (Some(id), None),
            Checked::Bad(id, error) => (Some(id), Some(error)),
            Checked::BadReceipt(error) => (None, Some(error)),
        };
        let error = error.map(PipelineError::full_text);
        if let Some(error) = &error {
            output::message(error);
        }
        found.push(json!({ "id": id, "level": level, "ok": error.is_none(), "error": error }));
    }
    // What was found is told, whatever kept the rest from being checked.
    if settings.json && (verified.is_ok() || !found.is_empty()) {
        output::json(&Value::from(found))?;
    }
    let bad = verified?;
    if !settings.json {
        let good = checked.len() as u64 - bad;
        let (good, not) = (counted(good, "backup is", "backups are"), counted(bad, "is", "are"));
        output::line(&format!("{good} what was written ({level}), {not} not"))?;
    }
    match bad {
        0 => Ok(()),
        bad => {
            let backups = counted(bad, "backup is", "backups are");
            Err(Failure::integrity(format!(
                "{backups} not what was written, or cannot be read"
            )))
        }
    }
}

/// Checks that the passphrases open every backup in the storage.
pub(crate) async fn key(settings: &Settings) -> Result<(), Failure> {
    for warning in settings.keys.warnings() {
        output::message(&format!("warning: {warning}"));
    }
    let repository = repository(settings).await?;
    let current = repository.keys().current().fingerprint();
    let (mut by_current, mut by_previous, mut bad) = (0_u64, 0_u64, 0_u64);
    let mut listed = repository.receipts();
    while let Some(receipt) = listed.try_next().await? {
        match receipt {
            ListedReceipt::Good(receipt) if receipt.archive.key_fingerprint == current => by_current += 1,
            ListedReceipt::Good(_) => by_previous += 1,
            ListedReceipt::Bad { error, .. } | ListedReceipt::Unreadable { error, .. } => {
                bad += 1;
                output::message(&error.full_text());
            }
        }
    }
    if settings.json {
        output::json(&json!({
            "fingerprint": current,
            "openedByCurrent": by_current,
            "openedByPrevious": by_previous,
            "notOpened": bad,
        }))?;
    } else {
        let by_current = counted(by_current, "backup", "backups");
        output::line(&format!(
            "key {current}: opens {by_current}, previous keys open {by_previous}, none opens {bad}"
        ))?;
    }
    match bad {
        0 => Ok(()),
        bad => Err(Failure::integrity(format!(
            "{} cannot be opened with these passphrases, or cannot be read",
            counted(bad, "backup", "backups")
        ))),
    }
}
