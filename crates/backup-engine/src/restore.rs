//! The restore job, and where a backup can be restored to.

use std::path::PathBuf;

use backup_core::restore::RestoreMode;
use backup_core::restore::RestoreRecord;
use backup_core::{EntryPath, PipelineError, Receipt, RestoreId, Target};
use backup_sources::{
    ConfigTarget, DatabaseSettings, DatabaseTarget, DatabaseTargetOptions, FilesTarget, FilesTargetOptions,
};

use crate::backup::place;
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;
use crate::places::Place;

/// Where the parts of a backup are restored to; a part without a place is not restored.
#[derive(Debug, Clone, Default)]
pub struct RestoreInto {
    /// The database to create and fill; it must not exist or be empty.
    pub database: Option<DatabaseSettings>,
    /// Only these tables of the database; empty: all.
    pub tables: Vec<String>,
    /// Restore the database without owners and grants.
    pub skip_owner: bool,
    /// The folder for the files; it must not exist or be empty.
    pub files: Option<PathBuf>,
    /// Only these paths of the files; empty: all.
    pub paths: Vec<EntryPath>,
    /// The folder for the configuration; it must not exist or be empty.
    pub config: Option<PathBuf>,
}

impl RestoreInto {
    /// The targets, in the order in which a backup holds its parts.
    pub fn targets(self) -> Vec<Box<dyn Target>> {
        let mut targets: Vec<Box<dyn Target>> = Vec::new();
        if let Some(database) = self.database {
            let options = DatabaseTargetOptions {
                tables: self.tables,
                skip_owner: self.skip_owner,
                ..DatabaseTargetOptions::default()
            };
            targets.push(Box::new(DatabaseTarget::new(database, options)));
        }
        if let Some(folder) = self.files {
            let options = FilesTargetOptions { paths: self.paths };
            targets.push(Box::new(FilesTarget::new(folder, options)));
        }
        if let Some(folder) = self.config {
            targets.push(Box::new(ConfigTarget::new(folder)));
        }
        targets
    }
}

/// Restores what the record asks for. May be repeated: a target that an earlier attempt had made whole is not empty, and
/// is refused.
pub(crate) async fn run(engine: &Engine, held: &HeldLease, record: &RestoreRecord) -> Result<(), JobError> {
    let backup = held
        .tell(|| engine.store.get_backup(record.backup_id))
        .await
        .map_err(JobError::catalog)?;
    let config_key = backup.map_or_else(String::new, |summary| summary.backup.config_key);
    let place = place(engine, held, &config_key).await?;
    let repository = place.repository(engine);
    let receipt = repository.find(record.backup_id).await.map_err(JobError::storage)?;
    let into = into(engine, &place, record, &receipt)?;
    repository
        .restore(&receipt, into.targets(), held.job())
        .await
        .map_err(JobError::from)
}

fn into(
    engine: &Engine,
    place: &Place,
    record: &RestoreRecord,
    receipt: &Receipt,
) -> Result<RestoreInto, PipelineError> {
    let options = &record.options;
    if options.mode == RestoreMode::Replace {
        return Err(PipelineError::refused(
            "a restore in mode REPLACE is not possible in this version",
            "Restore in mode NEW into a new database and folder, check the result, then exchange them yourself.",
        ));
    }
    let contents = &receipt.contents;
    let mut into = RestoreInto {
        tables: options.tables.clone(),
        ..RestoreInto::default()
    };
    for path in &options.paths {
        into.paths.push(EntryPath::new(path.as_bytes()).map_err(|error| {
            PipelineError::refused(error.to_string(), "Give paths as the backup's contents show them.")
        })?);
    }
    if options.restore_database && contents.database.is_some() {
        let name = options
            .target_database
            .clone()
            .ok_or_else(|| missing("targetDatabase"))?;
        into.database = Some(DatabaseSettings {
            name,
            ..engine.database_settings(place.config.as_ref())?
        });
    }
    if options.restore_files && contents.files.is_some() {
        let folder = options.target_dir.clone().ok_or_else(|| missing("targetDir"))?;
        into.files = Some(PathBuf::from(folder));
    }
    if options.restore_config && contents.config.is_some() {
        into.config = Some(config_dir(engine, record.id));
    }
    if into.database.is_none() && into.files.is_none() && into.config.is_none() {
        return Err(PipelineError::refused(
            "the backup holds nothing of what is to be restored",
            "Choose parts that it has.",
        ));
    }
    Ok(into)
}

fn missing(name: &str) -> PipelineError {
    PipelineError::refused(
        format!("{name} is not given"),
        "In mode NEW name a database and a folder that do not exist yet, or leave that part out.",
    )
}

/// The configuration is restored for people to look at, below the data folder: `restores/ID/config`.
fn config_dir(engine: &Engine, id: RestoreId) -> PathBuf {
    engine
        .settings
        .data_dir
        .join("restores")
        .join(id.to_string())
        .join("config")
}
