//! What stands in a storage, as one listing tells it, and where it belongs.

use std::collections::HashMap;

use backup_core::receipt::receipt_path;
use backup_core::{Backup, BackupId, PipelineError};
use backup_storage::{BlobInfo, BlobStore};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;

use crate::engine::Engine;
use crate::receipts;

/// A blob younger than this many leases may belong to a job that is just finishing.
const GRACE_LEASES: i32 = 4;

/// What stands in a storage.
#[derive(Default)]
pub(super) struct Stored {
    /// When it was looked through: what ended later is not judged by it.
    pub(super) at: DateTime<Utc>,
    /// Where each receipt stands; of several of one backup, one of them.
    pub(super) receipts: HashMap<BackupId, String>,
    /// Where each archive stands, and its bytes; of several of one backup, one of them.
    pub(super) archives: HashMap<BackupId, (String, u64)>,
    /// Blobs old enough to be nobody's current work, that belong to no receipt.
    pub(super) suspects: Vec<BlobInfo>,
}

impl Stored {
    /// Whether receipt and archive of a completed backup stand where they belong, the archive in its full length. Elsewhere
    /// nobody finds them who restores it.
    pub(super) fn holds(&self, backup: &Backup) -> bool {
        let archive = self.archives.get(&backup.id).map(|(path, size)| (path, *size));
        archive.is_some()
            && archive == backup.storage_path.as_ref().zip(backup.size_bytes)
            && self.receipts.get(&backup.id) == Some(&own_receipt(backup))
    }

    /// [`super::Reconciled::astray`] of a receipt that is not at its `own` path.
    pub(super) fn receipt_astray(&self, id: BackupId, own: &str) -> Option<String> {
        let path = self.receipts.get(&id)?;
        (path != own).then(|| astray(path, own))
    }

    /// [`super::Reconciled::astray`] of an archive that is not at its own path.
    pub(super) fn archive_astray(&self, backup: &Backup) -> Option<String> {
        let own = backup.storage_path.as_ref()?;
        let (path, size) = self.archives.get(&backup.id)?;
        (path != own && Some(*size) == backup.size_bytes).then(|| astray(path, own))
    }
}

impl Engine {
    /// Lists a storage.
    pub(super) async fn look_around(&self, storage: &BlobStore, now: DateTime<Utc>) -> Result<Stored, PipelineError> {
        let mut stored = Stored {
            at: now,
            ..Stored::default()
        };
        let mut paths = storage.receipts();
        while let Some(path) = paths.try_next().await? {
            stored.receipts.extend(receipts::id_of(&path).map(|id| (id, path)));
        }
        drop(paths);
        let grace = TimeDelta::from_std(self.settings.lease).unwrap_or(TimeDelta::MAX) * GRACE_LEASES;
        let mut blobs = storage.blobs();
        while let Some(blob) = blobs.try_next().await? {
            let id = blob_id(&blob);
            let listed = id.is_some_and(|id| stored.receipts.contains_key(&id));
            if let Some(id) = id.filter(|_| !blob.partial) {
                stored.archives.insert(id, (blob.path.clone(), blob.size));
            }
            if now - blob.modified > grace && (blob.partial || (id.is_some() && !listed)) {
                stored.suspects.push(blob);
            }
        }
        Ok(stored)
    }
}

fn astray(path: &str, own: &str) -> String {
    format!("it stands at '{path}' (HINT: Move it back to '{own}'.)")
}

/// The path of the receipt of a backup that the catalog knows.
pub(super) fn own_receipt(backup: &Backup) -> String {
    receipt_path(backup.id, backup.started_at.unwrap_or(backup.created_at))
}

/// The identifier in an archive's name, `ID.tar.gz.enc` and the like, or in that of a partial file, `.ID.tar.gz.enc.x.partial`.
/// A copy that somebody keeps elsewhere than where archives are has none: it is his own.
pub(crate) fn blob_id(blob: &BlobInfo) -> Option<BackupId> {
    if !blob.is_in_place() {
        return None;
    }
    let name = blob.path.rsplit('/').next()?;
    let name = if blob.partial { name.strip_prefix('.')? } else { name };
    let (id, extension) = name.split_once('.')?;
    if blob.partial || extension.starts_with("tar.") {
        id.parse().ok()
    } else {
        None
    }
}

/// The path of the receipt that would stand beside this blob.
pub(super) fn beside(path: &str, id: BackupId) -> String {
    match path.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{id}.json"),
        None => format!("{id}.json"),
    }
}
