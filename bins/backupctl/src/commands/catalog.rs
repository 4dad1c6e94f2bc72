use backup_core::counted;
use backup_engine::{Rebuild, Rebuilt};
use serde_json::{Value, json};

use crate::cli::Settings;
use crate::context::{catalog, job, repository, storage_settings};
use crate::exit::Failure;
use crate::output;
use crate::progress::{Progress, Unit};

/// Rebuilds a lost catalog, with the settings of the backup that `settings_from` begins to name, where it is given. What
/// cannot be trusted or read is named on stderr, left out, and makes the exit code 4.
pub(crate) async fn rebuild(settings: &Settings, settings_from: Option<&str>, leaves_out: bool) -> Result<(), Failure> {
    // The storage first: without it, or without a passphrase, no catalog is made.
    let repository = repository(settings).await?;
    let settings_from = match settings_from {
        Some(id) => Some(repository.find_prefix(id).await?),
        None => None,
    };
    let store = catalog(settings).await?;
    let job = job(settings)?;
    let progress = Progress::of(settings, &job, Unit::Backups);
    let rebuild = Rebuild {
        store: &store,
        repository: &repository,
        environment: &storage_settings(settings)?,
        settings_from: settings_from.as_ref(),
        leaves_out,
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
    judge(&rebuilt, leaves_out)
}

/// Whether all that the storage holds is in the catalog.
fn judge(rebuilt: &Rebuilt, leaves_out: bool) -> Result<(), Failure> {
    let mut lacking = Vec::new();
    if rebuilt.unreadable > 0 && !leaves_out {
        lacking.push(format!(
            "{} now, and no backup expires until all can be (HINT: Let this user read them and run it again, or leave them out for good with --leave-out-unreadable.)",
            counted(rebuilt.unreadable, "backup cannot be read", "backups cannot be read")
        ));
    }
    let distrusted = rebuilt.bad - rebuilt.unreadable;
    if distrusted > 0 {
        lacking.push(format!(
            "{} not in the catalog (HINT: Where a passphrase is missing, add it to BACKUP_ENCRYPTION_KEY_PREVIOUS and rebuild \
             into another empty catalog.)",
            counted(
                distrusted,
                "backup cannot be trusted and is",
                "backups cannot be trusted and are"
            )
        ));
    }
    if rebuilt.unread_exports > 0 {
        lacking.push(format!(
            "{} cannot be read, so schedules and settings may be old or missing (HINT: Look through them. Those of \
             another backup come back by --settings-from ID into another empty catalog.)",
            counted(rebuilt.unread_exports, "configuration export", "configuration exports")
        ));
    }
    if !rebuilt.unread.is_empty() {
        lacking.push(format!(
            "{} not understood and not in the catalog (HINT: Use the newest programs and rebuild into another empty \
             catalog, or make it anew.)",
            counted(
                rebuilt.unread.len(),
                "schedule or setting was",
                "schedules or settings were"
            )
        ));
    }
    if !lacking.is_empty() {
        return Err(Failure::integrity(lacking.join("; ")));
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
        None => output::line(&format!("{}: make schedules and settings anew", why_none(rebuilt)))?,
    }
    if let Some(newest) = rebuilt.passed_over.first() {
        output::message(&format!(
            "{} nothing that anybody has set: an older one was taken (HINT: To take the newest all the same, rebuild into \
             another empty catalog with --settings-from {newest}.)",
            counted(
                rebuilt.passed_over.len(),
                "newer configuration export holds",
                "newer configuration exports hold"
            )
        ));
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

/// Why there are no settings.
fn why_none(rebuilt: &Rebuilt) -> &'static str {
    if rebuilt.unread_exports > 0 {
        "no configuration export can be read"
    } else if rebuilt.bad > 0 {
        "no backup that can be trusted holds a configuration export"
    } else {
        "no backup holds a configuration export"
    }
}

fn to_json(rebuilt: &Rebuilt, storage: &str, catalog: &str) -> Value {
    json!({
        "catalog": catalog,
        "storage": storage,
        "resumed": rebuilt.resumed,
        "backups": rebuilt.backups,
        "bad": rebuilt.bad,
        "unreadable": rebuilt.unreadable,
        "settings": rebuilt.settings.as_ref().map(|from| json!({
            "backupId": from.backup_id,
            "exportedAt": from.exported_at,
            "schedules": from.schedules,
            "configs": from.configs,
            "systemConfigs": from.system_configs,
            "users": from.users,
        })),
        "unreadExports": rebuilt.unread_exports,
        "passedOver": rebuilt.passed_over,
        "setAgain": rebuilt.set_again,
        "unread": rebuilt.unread,
        "unreachable": rebuilt.unreachable.iter()
            .map(|(key, problem)| json!({ "configKey": key, "problem": problem })).collect::<Vec<_>>(),
        "unknownConfigs": rebuilt.unknown_configs,
    })
}
