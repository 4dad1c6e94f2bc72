use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use backup_core::OsRandom;
use backup_engine::{RestoreInto, restore_connections, shown_path};
use serde_json::json;

use crate::cli::{RestoreArgs, Settings};
use crate::context::{job, repository};
use crate::exit::Failure;
use crate::output;
use crate::progress::{Progress, Unit};

/// Where much is put down for a while. Not `/tmp`, which many systems keep in memory.
fn staging() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

/// Restores into new places. The whole stored file is checked before a byte reaches one of them.
pub(crate) async fn restore(settings: &Settings, args: RestoreArgs) -> Result<(), Failure> {
    if args.to_database.is_none() && args.to_files.is_none() && args.to_config.is_none() {
        return Err(Failure::usage(
            "nowhere to restore to: give --to-database, --to-files or --to-config",
        ));
    }
    let mut into = RestoreInto {
        tables: args.tables,
        skip_owner: args.skip_owner,
        skip_tablespaces: args.skip_tablespaces,
        jobs: args.jobs.unwrap_or_else(|| restore_connections(cores())),
        staging: Some(args.staging.unwrap_or_else(staging)),
        files: args.to_files,
        config: args.to_config,
        ..RestoreInto::default()
    };
    if let Some(url) = &args.to_database {
        into.database = Some(settings.database.settings_of_url(url, Arc::new(OsRandom))?);
    }
    for path in &args.paths {
        let path = shown_path(path).map_err(|error| {
            Failure::usage(format!(
                "{error} (HINT: Write paths as 'backupctl contents ID' shows them, such as files/a/b.)"
            ))
        });
        into.paths.push(path?);
    }
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(&args.backup.id).await?;
    if !into.paths.is_empty() {
        repository.check_paths(&receipt, &into.paths).await?;
    }
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Bytes);
    let restored = repository.restore(&receipt, into.clone().targets(), &job).await;
    drop(progress);
    restored?;
    for warning in job.warnings() {
        output::message(&format!("warning: {} {}", warning.code, warning.message));
    }
    if settings.json {
        return output::json(&json!({
            "id": receipt.id,
            "database": into.database.as_ref().map(|database| &database.name),
            "files": into.files,
            "config": into.config,
            "warnings": job.warnings(),
        }));
    }
    output::line(&format!("{} is restored", receipt.id))
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}
