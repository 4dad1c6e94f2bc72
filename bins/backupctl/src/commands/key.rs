use backup_core::{OsRandom, counted};
use backup_engine::reseal;
use serde_json::json;

use crate::cli::Settings;
use crate::context::{existing_catalog, keyring};
use crate::exit::Failure;
use crate::output;

/// Seals the catalog's secrets with the current passphrase.
pub(crate) async fn rotate(settings: &Settings) -> Result<(), Failure> {
    let keys = keyring(settings).await?;
    let store = existing_catalog(settings).await?;
    let done = reseal(&store, &keys, &OsRandom).await?;
    let fingerprint = keys.current().fingerprint();
    if settings.json {
        output::json(&json!({
            "catalog": store.describe(),
            "fingerprint": fingerprint,
            "resealed": done.secrets,
            "alreadyCurrent": done.current,
            "notOpened": done.unopened,
        }))?;
    } else {
        output::line(&format!(
            "{} sealed anew with key {fingerprint}, {} already, in the catalog {}",
            counted(done.secrets, "secret was", "secrets were"),
            counted(done.current, "was", "were"),
            store.describe()
        ))?;
    }
    if done.unopened.is_empty() {
        return Ok(());
    }
    Err(Failure::integrity(format!(
        "no passphrase opens some secrets of these configurations, which are left as they were: {} (HINT: Add the passphrase \
         of that time to BACKUP_ENCRYPTION_KEY_PREVIOUS, or set their secrets anew.)",
        done.unopened.join(", ")
    )))
}
