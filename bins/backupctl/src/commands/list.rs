use std::cmp::Reverse;

use backup_core::{Receipt, counted};
use backup_engine::ListedReceipt;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use crate::cli::Settings;
use crate::context::repository;
use crate::exit::Failure;
use crate::output;

/// Lists every backup. Receipts that cannot be trusted or read, or whose archive is not there in its full length, are named on
/// stderr and make the exit code 4.
pub(crate) async fn list(settings: &Settings) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let mut good: Vec<Receipt> = Vec::new();
    let mut bad = 0_u64;
    let mut listed = repository.receipts();
    while let Some(receipt) = listed.try_next().await? {
        match receipt {
            ListedReceipt::Good(receipt) => good.push(*receipt),
            ListedReceipt::Bad { error, .. } | ListedReceipt::Unreadable { error, .. } => {
                bad += 1;
                output::message(&error.full_text());
            }
        }
    }
    drop(listed);
    for (_, error) in repository.unrestorable(&good).await? {
        bad += 1;
        output::message(&error.full_text());
    }
    good.sort_by_key(|receipt| Reverse((receipt.created_at, receipt.id)));
    if settings.json {
        let receipts = good.iter().map(to_json).collect::<Result<Vec<_>, _>>()?;
        output::json(&Value::from(receipts))?;
    } else {
        for receipt in &good {
            output::line(&format!(
                "{}  {}  {:<12} {:<11} {:<10} {:>10}  {}",
                receipt.id,
                receipt.created_at.format("%Y-%m-%d %H:%M:%SZ"),
                receipt.backup_type,
                receipt.source,
                receipt.config_key,
                human(receipt.size_bytes),
                receipt.name
            ))?;
        }
    }
    match bad {
        0 => Ok(()),
        bad => {
            let backups = counted(bad, "backup", "backups");
            Err(Failure::integrity(format!("{backups} cannot be trusted or read")))
        }
    }
}

/// Shows one receipt. Where another one cannot be read, nobody knows what builds on this one: that is told last.
pub(crate) async fn show(settings: &Settings, id: &str) -> Result<(), Failure> {
    let repository = repository(settings).await?;
    let receipt = repository.find_prefix(id).await?;
    let dependents = repository.dependents(receipt.id).await;
    if settings.json {
        let mut value = to_json(&receipt)?;
        value["dependents"] = json!(dependents.as_ref().ok());
        output::json(&value)?;
        dependents?;
        return Ok(());
    }
    let contents = &receipt.contents;
    let lines = [
        ("id", receipt.id.to_string()),
        ("name", receipt.name.clone()),
        ("description", receipt.description.clone().unwrap_or_default()),
        ("type", receipt.backup_type.to_string()),
        (
            "builds on",
            receipt.base_id.map_or_else(String::new, |base| base.to_string()),
        ),
        (
            "made of",
            receipt
                .consolidated_from
                .map_or_else(String::new, |origin| origin.to_string()),
        ),
        ("source", receipt.source.to_string()),
        ("config key", receipt.config_key.clone()),
        ("trigger", receipt.trigger.to_string()),
        ("created", receipt.created_at.to_rfc3339()),
        ("started", receipt.started_at.to_rfc3339()),
        ("completed", receipt.completed_at.to_rfc3339()),
        (
            "stored",
            format!("{} ({} bytes)", human(receipt.size_bytes), receipt.size_bytes),
        ),
        (
            "read",
            format!("{} ({} bytes)", human(receipt.source_bytes), receipt.source_bytes),
        ),
        ("path", receipt.storage_path.clone()),
        ("sha256", receipt.checksum.clone()),
        ("codec", receipt.archive.codec.to_string()),
        ("encrypted", receipt.archive.encrypted.to_string()),
        ("key", receipt.archive.key_fingerprint.clone()),
        (
            "database",
            contents.database.as_ref().map_or_else(String::new, |database| {
                format!(
                    "{} with {}, {}, PostgreSQL {}",
                    counted(database.tables.len(), "table", "tables"),
                    counted(database.row_count, "row", "rows"),
                    human(database.size_bytes),
                    database.server_version
                )
            }),
        ),
        (
            "files",
            contents.files.as_ref().map_or_else(String::new, |files| {
                let count = counted(files.file_count, "file", "files");
                format!("{count}, {}", human(files.size_bytes))
            }),
        ),
        (
            "config",
            contents.config.as_ref().map_or_else(String::new, |config| {
                counted(config.config_count, "setting or file", "settings and files")
            }),
        ),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        output::line(&format!("{name:<12} {value}"))?;
    }
    for dependent in dependents.iter().flatten() {
        output::line(&format!("{:<12} {dependent}", "needed by"))?;
    }
    for warning in &receipt.warnings {
        output::line(&format!("{:<12} {} {}", "warning", warning.code, warning.message))?;
    }
    dependents?;
    Ok(())
}

pub(crate) fn to_json(receipt: &Receipt) -> Result<Value, Failure> {
    let mut value =
        serde_json::to_value(receipt).map_err(|error| Failure::failed(format!("no JSON can be made: {error}")))?;
    if let Some(receipt) = value.as_object_mut() {
        // The MAC tells an operator nothing.
        receipt.remove("mac");
        receipt.entry("baseId").or_insert(json!(null));
    }
    Ok(value)
}

/// Bytes for people, in binary units.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}
