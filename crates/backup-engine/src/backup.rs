//! The backup job, from the claimed row to the finished one.
//!
//! The order is what makes it safe to be killed between any two steps: base into the row, which holds it, path into the row,
//! bytes, commit of the blob, receipt, row. The blob is invisible until it is committed and unlisted until the receipt stands; a row that says
//! IN_PROGRESS always names the path where its leftovers are.

mod base;
mod before;
mod commit;
mod consolidation;
mod recover;
mod sources;
mod write;

use std::time::Duration;

use backup_core::backup::backup_name;
use backup_core::receipt::{Codec, archive_path, receipt_path};
use backup_core::{Backup, BackupType, PipelineError, Receipt, Step, VerifyLevel, WarningCode};
use backup_db::BackupOutcome;
use backup_storage::Upload;
use chrono::{DateTime, Utc};

use crate::engine::Engine;
use crate::job::{JobError, given_up};
use crate::lease::HeldLease;
use crate::places::Place;
use crate::quota::{self, Room};

pub(crate) use base::is_missing;
pub(crate) use commit::remove_all;
pub(crate) use recover::{attempt_key, whole};

/// What is decided before the first byte.
struct Plan {
    path: String,
    receipt_path: String,
    started_at: DateTime<Utc>,
    codec: Codec,
    encrypt: bool,
    place: Place,
    /// What it builds on; `None`: it is FULL.
    base: Option<base::Base>,
    /// Bytes that it may take up at the most.
    limit: Option<u64>,
}

/// How long the removal of leftovers may take before it is left to the reconciliation.
const CLEAN_UP: Duration = Duration::from_secs(10);

/// Makes the backup. What comes back is final: the caller writes it into the row.
pub(crate) async fn run(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    exhausted: bool,
) -> Result<BackupOutcome, JobError> {
    let place = place(engine, held, &backup.config_key).await?;
    if let Some(path) = &backup.storage_path
        && let Some(receipt) = recover::recover(engine, held, &place, backup, path).await?
    {
        return Ok(completed(&receipt));
    }
    held.job().check()?;
    if exhausted {
        return Err(JobError::Failed(given_up()));
    }
    let mut plan = plan(engine, backup, place);
    if let Some(origin) = backup.consolidated_from {
        let origin = held
            .tell(|| engine.store.get_backup(origin))
            .await
            .map_err(JobError::catalog)?;
        // What was encrypted once is not put down in the clear because new backups are.
        plan.encrypt |= origin.is_some_and(|row| row.backup.key_fingerprint.is_some());
        plan.path = archive_path(backup.id, plan.started_at, plan.codec, plan.encrypt);
    }
    plan.base = base::find(engine, held, backup, &plan.place, plan.encrypt).await?;
    plan.limit = room(engine, held, backup, plan.backup_type(backup)).await?.limit();
    let key = plan.place.keys.current().fingerprint();
    held.tell(|| engine.store.set_storage_path(held.lease(), &plan.path, &key))
        .await
        .map_err(JobError::catalog)?;
    let made = attempt(engine, held, backup, &plan).await;
    if let Err(error) = &made {
        // What another worker holds now is not ours to remove, and only the catalog knows who holds it.
        if !matches!(error, JobError::LeaseLost) && held.owned().await.is_ok() {
            let removal = commit::remove_own(engine, held, &plan.place.storage, &plan.path, &plan.receipt_path);
            match tokio::time::timeout(CLEAN_UP, removal).await {
                // Lost meanwhile, it is another worker's to remove.
                Ok(Ok(()) | Err(PipelineError::Cancelled)) => {}
                Ok(Err(problem)) => log_leftover(backup, &problem),
                Err(_) => log_leftover(backup, &PipelineError::unavailable("the storage does not answer", "")),
            }
        }
    }
    made.map(|receipt| completed(&receipt))
}

async fn attempt(engine: &Engine, held: &HeldLease, backup: &Backup, plan: &Plan) -> Result<Receipt, JobError> {
    let (upload, written) = match backup.consolidated_from {
        Some(origin) => consolidation::write(engine, held, backup, plan, origin).await?,
        None => write_sources(engine, held, backup, plan).await?,
    };
    held.job().begin(Step::Upload, 0);
    commit::commit(engine, held, backup, plan, upload, written).await
}

async fn write_sources(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    plan: &Plan,
) -> Result<(Upload, write::Written), JobError> {
    let job = held.job();
    let sources = sources::of(engine, held, backup, plan).await?;
    let sources = write::prepare(sources, job).await?;
    engine.checkpoint(crate::Checkpoint::BeforeFirstByte).await?;
    match (write::write(engine, job, backup, plan, sources).await, &plan.base) {
        (Err(JobError::Failed(error @ PipelineError::Integrity { .. })), Some(base)) => {
            let repository = plan.place.repository(engine);
            let level = VerifyLevel::Checksum;
            Err(base::examine(engine, held, &repository, &base.receipt, level, error).await)
        }
        (written, _) => written,
    }
}

/// The place of a job's configuration.
pub(crate) async fn place(engine: &Engine, held: &HeldLease, config_key: &str) -> Result<Place, JobError> {
    let configs = held
        .tell(|| engine.store.list_configs())
        .await
        .map_err(JobError::catalog)?;
    let config = configs.iter().find(|config| config.key == config_key);
    engine.place_of(config, &configs).await.map_err(JobError::storage)
}

/// Whether the quota has room: refused where it has none, or remarked on.
async fn room(engine: &Engine, held: &HeldLease, backup: &Backup, backup_type: BackupType) -> Result<Room, JobError> {
    let quota = engine.settings.quota_bytes;
    let room = held
        .tell(|| Room::of(&engine.store, quota, &backup.config_key, backup.source, backup_type))
        .await
        .map_err(JobError::catalog)?;
    if !room.fits() {
        if room.refuses() {
            return Err(quota::exceeded(&room.describe()).into());
        }
        held.job().warn(WarningCode::QuotaExceeded, None, room.describe());
    }
    Ok(room)
}

fn plan(engine: &Engine, backup: &Backup, place: Place) -> Plan {
    let started_at = backup.started_at.unwrap_or(backup.created_at);
    let codec = match &place.config {
        Some(config) if !config.compression_enabled => Codec::None,
        Some(config) => config.compression_algorithm.unwrap_or(engine.settings.codec),
        None => engine.settings.codec,
    };
    let encrypt = place.config.as_ref().is_none_or(|config| config.encryption_enabled);
    Plan {
        path: archive_path(backup.id, started_at, codec, encrypt),
        receipt_path: receipt_path(backup.id, started_at),
        started_at,
        codec,
        encrypt,
        place,
        base: None,
        limit: None,
    }
}

impl Plan {
    /// The type that it is really made.
    fn backup_type(&self, asked: &Backup) -> BackupType {
        match self.base {
            Some(_) => asked.backup_type,
            None => BackupType::Full,
        }
    }

    /// The name that it has then, as the catalog gives it.
    fn name(&self, asked: &Backup) -> String {
        let made = self.backup_type(asked);
        if made == asked.backup_type {
            return asked.name.clone();
        }
        backup_name(asked.source, made, asked.created_at)
    }
}

fn completed(receipt: &Receipt) -> BackupOutcome {
    BackupOutcome::Completed(Box::new(receipt.into()))
}

fn log_leftover(backup: &Backup, problem: &PipelineError) {
    tracing::warn!(
        action = %crate::logging::Action::StorageUnavailable, backup_id = %backup.id, error = %problem.full_text(),
        "what backup {} left in the storage could not be removed yet", backup.id
    );
}
