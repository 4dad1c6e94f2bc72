//! Signing and checking receipts.
//!
//! The MAC is over the receipt's JSON in canonical form: `mac` empty, keys sorted, no white space. It is taken over what
//! stands in the file and not over what this version understands of it, so a later version may add fields. Until it is
//! found right, a file may be anybody's: what is held of it is not much more than its length.

mod canonical;

use backup_archive::{ArchiveKey, Keyring};
use backup_core::receipt::{archive_path, receipt_path};
use backup_core::{JobStatus, PipelineError, Receipt};
use bytes::Bytes;
use serde::Deserialize;

use canonical::canonical;

const CONTEXT: &str = "receipt";

/// As much of a receipt as tells whether to trust it.
#[derive(Deserialize)]
struct Signed {
    archive: SignedArchive,
    mac: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedArchive {
    key_fingerprint: String,
}

/// Sets the receipt's MAC and returns the file to store.
///
/// # Errors
/// When the receipt cannot be written as JSON.
pub(crate) fn sign(receipt: &mut Receipt, key: &ArchiveKey) -> Result<Bytes, PipelineError> {
    let unwritable =
        |error: serde_json::Error| PipelineError::failed("the receipt cannot be written as JSON", "").because(error);
    let plain = serde_json::to_vec(&*receipt).map_err(unwritable)?;
    receipt.mac = key.mac(CONTEXT, canonical(&plain).map_err(unwritable)?.as_bytes());
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
    let unreadable = |error: serde_json::Error| {
        let what = if error.is_data() {
            "is not a receipt"
        } else {
            "is not JSON"
        };
        refuse(what).because(error)
    };
    let signed: Signed = serde_json::from_slice(file).map_err(unreadable)?;
    let fingerprint = &signed.archive.key_fingerprint;
    let key = keys.require(fingerprint, &format!("the receipt '{path}'"))?;
    let text = canonical(file).map_err(unreadable)?;
    if !same(&key.mac(CONTEXT, text.as_bytes()), &signed.mac) {
        return Err(refuse("does not match its MAC"));
    }
    drop(text);
    let receipt: Receipt = serde_json::from_slice(file).map_err(unreadable)?;
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

/// The fingerprint of the key that a receipt says it was made with, whoever wrote it; `None` where it says none.
pub(crate) fn key_named(file: &[u8]) -> Option<String> {
    let signed: Signed = serde_json::from_slice(file).ok()?;
    let fingerprint = signed.archive.key_fingerprint;
    let is_one = fingerprint.len() == 32 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then_some(fingerprint)
}

/// Compares in a time that does not tell where the texts differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The backup's identifier as its receipt's path says it; `None` where the file is no receipt.
pub(crate) fn id_of(path: &str) -> Option<backup_core::BackupId> {
    path.rsplit('/').next()?.strip_suffix(".json")?.parse().ok()
}
