use backup_core::counted;
use backup_engine::{Rebuild, Rebuilt};
use serde_json::{Value, json};

use crate::cli::Settings;
use crate::context::{catalog, job, repository, storage_settings};
use crate::exit::Failure;
use crate::output;
use crate::progress::{Progress, Unit};

/// Rebuilds a lost catalog. Backups that cannot be trusted are named on stderr, left out, and make the exit code 4.
pub(crate) async fn rebuild(settings: &Settings) -> Result<(), Failure> {
    // The storage first: without it, or without a passphrase, no catalog is made.
    let repository = repository(settings).await?;
    let store = catalog(settings).await?;
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Backups);
    let rebuild = Rebuild {
        store: &store,
        repository: &repository,
        environment: &storage_settings(settings)?,
        job: &job,
        tell: &|error| progress.message(&error.full_text()),
    };
    let rebuilt = rebuild.run().await?;
    store.close().await?;
    drop(progress);
    if settings.json {
        let (storage, catalog) = (repository.storage().describe(), store.describe());
        output::json(&to_json(&rebuilt, &storage, &catalog))?;
    } else {
        print(&rebuilt, &store.describe())?;
    }
    if rebuilt.bad > 0 {
        return Err(Failure::integrity(format!(
            "{} not in the catalog (HINT: Where a passphrase is missing, add it to BACKUP_ENCRYPTION_KEY_PREVIOUS and rebuild \
             into another empty catalog.)",
            counted(
                rebuilt.bad,
                "backup cannot be trusted and is",
                "backups cannot be trusted and are"
            )
        )));
    }
    if !rebuilt.unreachable.is_empty() {
        return Err(Failure::unavailable(format!(
            "{} not read",
            counted(
                rebuilt.unreachable.len(),
                "configuration's storage was",
                "configurations' storages were"
            )
        )));
    }
    Ok(())
}

fn print(rebuilt: &Rebuilt, catalog: &str) -> Result<(), Failure> {
    let backups = counted(rebuilt.backups, "backup is", "backups are");
    output::line(&format!("{backups} in the catalog {catalog}"))?;
    match &rebuilt.settings {
        Some(from) => output::line(&format!(
            "{}, {}, {} and {} as they were at {}, from backup {}",
            counted(from.schedules, "schedule", "schedules"),
            counted(from.configs, "configuration", "configurations"),
            counted(from.system_configs, "setting", "settings"),
            counted(from.users, "person", "people"),
            from.exported_at.format("%Y-%m-%d %H:%M:%SZ"),
            from.backup_id
        ))?,
        None => output::line("no backup holds a configuration export: make schedules and settings anew")?,
    }
    if rebuilt.settings.as_ref().is_some_and(|from| from.users > 0) {
        output::line(
            "nobody can log in yet: start api-server with BACKUP_ADMIN_EMAIL and BACKUP_ADMIN_PASSWORD, or use \
             'backupctl user add EMAIL'",
        )?;
    }
    for what in &rebuilt.set_again {
        output::line(&format!("set again: {what}"))?;
    }
    for what in &rebuilt.unread {
        output::message(&format!("not understood: {what}"));
    }
    for (config, problem) in &rebuilt.unreachable {
        output::message(&format!(
            "the storage of the configuration '{config}' was not read: {problem}"
        ));
    }
    for config in &rebuilt.unknown_configs {
        output::message(&format!(
            "backups belong to the configuration '{config}', which is not in the export: make it again"
        ));
    }
    Ok(())
}

fn to_json(rebuilt: &Rebuilt, storage: &str, catalog: &str) -> Value {
    json!({
        "catalog": catalog,
        "storage": storage,
        "resumed": rebuilt.resumed,
        "backups": rebuilt.backups,
        "bad": rebuilt.bad,
        "settings": rebuilt.settings.as_ref().map(|from| json!({
            "backupId": from.backup_id,
            "exportedAt": from.exported_at,
            "schedules": from.schedules,
            "configs": from.configs,
            "systemConfigs": from.system_configs,
            "users": from.users,
        })),
        "setAgain": rebuilt.set_again,
        "unread": rebuilt.unread,
        "unreachable": rebuilt.unreachable.iter()
            .map(|(key, problem)| json!({ "configKey": key, "problem": problem })).collect::<Vec<_>>(),
        "unknownConfigs": rebuilt.unknown_configs,
    })
}
