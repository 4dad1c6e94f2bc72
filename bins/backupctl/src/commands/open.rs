use std::path::Path;

use backup_core::{JobControl, Step};
use serde_json::json;

use crate::cli::Settings;
use crate::commands::contents::place;
use crate::context::{full_options, job, repository};
use crate::exit::Failure;
use crate::output::{self, Output};
use crate::progress::{Counted, Progress, Unit};

/// Writes one file of a backup.
pub(crate) async fn extract(settings: &Settings, id: &str, path: &str, out: Option<&Path>) -> Result<(), Failure> {
    if !path.contains('/') {
        return Err(Failure::usage(format!(
            "'{path}' names no part: write it as files/a/b or database/database.dump"
        )));
    }
    let (part, inner) = place(path)?;
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    // Before the output is made: a name that is not there leaves no empty file behind.
    let entry = repository.entry(&receipt, part, &inner).await?;
    let target = Output::of(out);
    let job = job(settings)?;
    let writer = Counted {
        inner: target.open()?,
        job: job.clone(),
    };
    job.begin(Step::Files, entry.size);
    let progress = follow(settings, &job, &target);
    let extracted = repository.extract(&receipt, part, &inner, writer, &job).await;
    drop(progress);
    match extracted {
        Ok(entry) => {
            if let (true, Output::File(file)) = (settings.json, &target) {
                output::json(&json!({ "id": receipt.id, "path": path, "sizeBytes": entry.size, "output": file }))?;
            }
            Ok(())
        }
        Err(error) => {
            target.discard();
            Err(error.into())
        }
    }
}

/// Writes the plain archive.
pub(crate) async fn decrypt(settings: &Settings, id: &str, full: bool, out: &Path) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    let target = Output::of(Some(out));
    let writer = target.open()?;
    let job = job(settings)?;
    let progress = follow(settings, &job, &target);
    let decrypted = if full && receipt.base_id.is_some() {
        repository
            .write_full(&receipt, writer, true, &full_options(settings), &job)
            .await
    } else {
        repository.decrypt(&receipt, writer, &job).await
    };
    drop(progress);
    match decrypted {
        Ok(()) => {
            let base = receipt.base_id.filter(|_| !full);
            if let Some(base) = base {
                output::message(&format!(
                    "warning: backup {} builds on {base}, and only what is stored of it itself was written; --full writes \
                     all of it",
                    receipt.id
                ));
            }
            if let (true, Output::File(file)) = (settings.json, &target) {
                output::json(&json!({ "id": receipt.id, "output": file, "buildsOn": base }))?;
            }
            Ok(())
        }
        Err(error) => {
            target.discard();
            Err(error.into())
        }
    }
}

fn follow(settings: &Settings, job: &JobControl, target: &Output) -> Progress {
    if target.is_terminal() {
        Progress::hidden()
    } else {
        Progress::of(settings, job, Unit::Bytes)
    }
}
