use std::collections::HashSet;

use backup_core::user::AlertSeverity;
use backup_db::Error;

use super::Reconciled;
use crate::engine::Engine;

/// The kind of alert of a backup that the catalog calls good and the storage no longer has.
const KIND: &str = "BACKUP_LOST";

/// Open alerts that are looked at.
const OPEN: u32 = 1000;

/// Raises an alert for each backup that is lost, once, and resolves those of backups that are back or gone for good.
/// Nothing is resolved for configurations other than the `judged`, whose storage could not be looked at.
pub(super) async fn tell(engine: &Engine, judged: &[String], found: &Reconciled) -> Result<(), Error> {
    let store = &engine.store;
    let missing = [(&found.lost, "receipt"), (&found.damaged, "archive")];
    let mut subjects = HashSet::new();
    for (ids, what) in missing {
        for id in ids {
            let message =
                format!("backup {id} cannot be restored: its {what} is no longer in the storage as it was written");
            let subject = id.to_string();
            store
                .raise_alert(KIND, &subject, AlertSeverity::Critical, &message)
                .await?;
            subjects.insert(subject);
        }
    }
    for alert in store.list_alerts(false, OPEN).await? {
        if alert.kind != KIND || subjects.contains(&alert.subject) {
            continue;
        }
        let backup = match alert.subject.parse() {
            Ok(id) => store.get_backup(id).await?,
            Err(_) => None,
        };
        if backup.is_none_or(|summary| judged.contains(&summary.backup.config_key)) {
            store.resolve_alert(KIND, &alert.subject).await?;
        }
    }
    Ok(())
}
