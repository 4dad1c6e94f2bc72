use std::sync::Arc;

use backup_core::config::BackupConfig;
use backup_core::schedule::Schedule;
use backup_core::{Backup, BackupSource, PipelineError, Source};
use backup_db::{Error as CatalogError, ScheduleListOptions, Store};
use backup_sources::{ConfigInputs, ConfigSource, DatabaseSettings, DatabaseSource, FilesSource};

use super::write::Part;
use super::{Plan, before};
use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;

/// Schedules that are read at once.
const PAGE: u32 = 200;

/// The sources of a backup, in the order in which they are saved.
pub(super) async fn of(engine: &Engine, held: &HeldLease, backup: &Backup, plan: &Plan) -> Result<Vec<Part>, JobError> {
    let config = plan.place.config.as_ref();
    let mut sources: Vec<Arc<dyn Source>> = Vec::new();
    if backup.source.has_database() {
        sources.push(Arc::new(DatabaseSource::new(database(engine, config)?)));
    }
    if backup.source.has_files() {
        engine.check_upload_dir(config)?;
        let before = before::files(engine, held, backup).await?;
        let files = FilesSource::new(engine.upload_dir(config)).that_held(before);
        let carries = plan.base.is_some() && !engine.settings.read_all_files;
        sources.push(Arc::new(files.carrying_unchanged(carries)));
    }
    if backup.source.has_config() {
        let inputs = held.tell(|| exported(engine)).await.map_err(JobError::catalog)?;
        sources.push(Arc::new(ConfigSource::new(inputs)));
    }
    if backup.source == BackupSource::FullSystem {
        sources.extend(engine.sources.iter().cloned());
    }
    Ok(sources.into_iter().map(|source| Part { source, expected: 0 }).collect())
}

/// The environment's database, with what the catalog's configuration says instead.
fn database(engine: &Engine, config: Option<&BackupConfig>) -> Result<DatabaseSettings, PipelineError> {
    let database = engine.database_settings(config)?;
    if database.name.is_empty() {
        return Err(PipelineError::refused(
            "no database is named, so none can be backed up",
            "Set DATABASE_NAME, or back up FILES or CONFIG only.",
        ));
    }
    Ok(database)
}

async fn exported(engine: &Engine) -> Result<ConfigInputs, CatalogError> {
    let store = &engine.store;
    let schedules = every_schedule(store).await?;
    Ok(ConfigInputs {
        system_configs: store.list_system_configs().await?,
        schedules,
        configs: store.list_configs().await?,
        users: store.list_users().await?,
        protected: store.protected_backups().await?,
        environment: engine.settings.environment.clone(),
        paths: engine.settings.config_paths.clone(),
        exported_at: engine.clock.now(),
        version: application_version(&engine.settings.environment),
    })
}

/// The version of the application that is backed up, as its environment says; the specification's where it does not.
fn application_version(environment: &[(String, String)]) -> String {
    let named = environment.iter().find(|(name, _)| name == "APP_VERSION");
    named
        .map(|(_, version)| version.as_str())
        .filter(|version| !version.is_empty())
        .unwrap_or("1.0.0")
        .to_owned()
}

async fn every_schedule(store: &Store) -> Result<Vec<Schedule>, CatalogError> {
    let mut schedules = Vec::new();
    let mut options = ScheduleListOptions {
        limit: PAGE,
        ..ScheduleListOptions::default()
    };
    loop {
        let page = store.list_schedules(&options).await?.schedules;
        let is_last = page.len() < PAGE as usize;
        options.offset += u64::from(PAGE);
        schedules.extend(page.into_iter().map(|summary| summary.schedule));
        if is_last {
            return Ok(schedules);
        }
    }
}
