//! Signing and checking receipts.
//!
//! The MAC is over the receipt's JSON in canonical form: `mac` empty, keys sorted, no white space. It is taken over what
//! stands in the file and not over what this version understands of it, so a later version may add fields.

use backup_archive::{ArchiveKey, Keyring};
use backup_core::receipt::{archive_path, receipt_path};
use backup_core::{JobStatus, PipelineError, Receipt};
use bytes::Bytes;
use serde_json::Value;

const CONTEXT: &str = "receipt";

/// Sets the receipt's MAC and returns the file to store.
///
/// # Errors
/// When the receipt cannot be written as JSON.
pub(crate) fn sign(receipt: &mut Receipt, key: &ArchiveKey) -> Result<Bytes, PipelineError> {
    let unwritable =
        |error: serde_json::Error| PipelineError::failed("the receipt cannot be written as JSON", "").because(error);
    let value = serde_json::to_value(&*receipt).map_err(unwritable)?;
    receipt.mac = key.mac(CONTEXT, canonical(value).as_bytes());
    let mut file = serde_json::to_vec_pretty(receipt).map_err(unwritable)?;
    file.push(b'\n');
    Ok(file.into())
}

/// Reads a receipt and checks that it is ours, whole, and at its own place.
///
/// # Errors
/// `WrongKey` where none of `keys` made it; else `Integrity`. Both name the path and say what is wrong with it.
pub(crate) fn open(path: &str, file: &[u8], keys: &Keyring) -> Result<Receipt, PipelineError> {
    let refuse = |what: &str| {
        PipelineError::integrity(
            format!("the receipt '{path}' {what}"),
            "The file was damaged or exchanged in the storage; its backup must not be trusted.",
        )
    };
    let value: Value = serde_json::from_slice(file).map_err(|error| refuse("is not JSON").because(error))?;
    let receipt: Receipt =
        serde_json::from_value(value.clone()).map_err(|error| refuse("is not a receipt").because(error))?;
    let fingerprint = &receipt.archive.key_fingerprint;
    let Some(key) = keys.find(fingerprint) else {
        return Err(PipelineError::wrong_key(
            format!("the receipt '{path}' was made with another key, {fingerprint}"),
            "Set BACKUP_ENCRYPTION_KEY, or BACKUP_ENCRYPTION_KEY_PREVIOUS, to the passphrase of that time.",
        ));
    };
    if !same(&key.mac(CONTEXT, canonical(value).as_bytes()), &receipt.mac) {
        return Err(refuse("does not match its MAC"));
    }
    if path != receipt_path(receipt.id, receipt.started_at)
        || receipt.storage_path
            != archive_path(
                receipt.id,
                receipt.started_at,
                receipt.archive.codec,
                receipt.archive.encrypted,
            )
    {
        return Err(refuse("belongs elsewhere: it was exchanged with another"));
    }
    if receipt.status != JobStatus::Completed
        || receipt.size_bytes != receipt.archive.size_bytes
        || receipt.checksum != receipt.archive.sha256
    {
        return Err(refuse("contradicts itself"));
    }
    Ok(receipt)
}

/// `serde_json` sorts the keys of an object and writes no white space.
fn canonical(mut value: Value) -> String {
    if let Some(mac) = value.get_mut("mac") {
        *mac = Value::from("");
    }
    value.to_string()
}

/// Compares in a time that does not tell where the texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The backup's identifier as its receipt's path says it; `None` where the file is no receipt.
pub(crate) fn id_of(path: &str) -> Option<backup_core::BackupId> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}
