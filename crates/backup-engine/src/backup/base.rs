//! What an incremental or differential backup builds on. The catalog says what there is; only what is read of the storage is
//! trusted.

use backup_core::chain::{ChainPlan, WantedBackup, WhyFull, plan};
use backup_core::{Backup, BackupId, BackupType, LogLevel, PipelineError, Receipt, VerifyLevel, WarningCode};
use backup_db::Error as CatalogError;

use crate::engine::Engine;
use crate::job::JobError;
use crate::lease::HeldLease;
use crate::logging::Action;
use crate::places::Place;
use crate::repository::{Chain, Fault, Repository};

/// The backup that the new one builds on, opened.
pub(super) struct Base {
    pub(super) receipt: Receipt,
    pub(super) chain: Chain,
}

/// What came of looking at one that the catalog offers.
enum Looked {
    Good(Box<Base>),
    /// It is no base for this backup, and nothing is wrong with it.
    Unfit(WhyFull),
    /// The catalog offers something else by now.
    Changed,
}

/// Finds what the backup builds on, and holds it against deletion; `None`: nothing, so it is made FULL, which a warning
/// says where another type was asked for. What is found to be missing or damaged is condemned in the catalog.
///
/// The row keeps the type that was asked for until the backup is made, so that an attempt after this one plans anew.
pub(super) async fn find(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    place: &Place,
    encrypt: bool,
) -> Result<Option<Base>, JobError> {
    if backup.backup_type == BackupType::Full {
        if backup.consolidated_from.is_none() {
            held.job().log(LogLevel::Info, "made FULL, as it was asked for");
        }
        return Ok(None);
    }
    let repository = place.repository(engine);
    let key = place.keys.current().fingerprint();
    let wanted = WantedBackup {
        backup_type: backup.backup_type,
        source: backup.source,
        key_fingerprint: encrypt.then_some(key.as_str()),
    };
    let why = loop {
        held.job().check()?;
        let links = held
            .tell(|| engine.store.chain_links(&backup.config_key, backup.source))
            .await
            .map_err(JobError::catalog)?;
        // Each round either ends or leaves one candidate less.
        let id = match plan(&wanted, &links, engine.settings.chain) {
            ChainPlan::On(id) => id,
            ChainPlan::Full(why) => break why,
        };
        match look(engine, held, backup, &repository, id).await? {
            Looked::Good(base) if base.receipt.archive.key_fingerprint == key => {
                let Receipt {
                    id,
                    backup_type,
                    created_at,
                    ..
                } = &base.receipt;
                let text = format!("builds on the {backup_type} backup {id} of {}", created_at.to_rfc3339());
                held.job().log(LogLevel::Info, text);
                return Ok(Some(*base));
            }
            // What is not encrypted is authenticated by a key all the same.
            Looked::Good(_) => break WhyFull::KeyChanged,
            Looked::Unfit(why) => break why,
            Looked::Changed => {}
        }
    };
    hold(engine, held, backup, None).await.map_err(JobError::catalog)?;
    let asked = backup.backup_type;
    let message = format!("{asked} was asked for; made FULL, since {}", why.reason());
    held.job().warn(WarningCode::PromotedToFull, None, message);
    Ok(None)
}

/// Holds the backup `id`, so that nobody deletes it any more, then looks whether the storage has it.
async fn look(
    engine: &Engine,
    held: &HeldLease,
    backup: &Backup,
    repository: &Repository,
    id: BackupId,
) -> Result<Looked, JobError> {
    match hold(engine, held, backup, Some(id)).await {
        Ok(()) => {}
        Err(CatalogError::NotFound { .. } | CatalogError::WrongState { .. }) => return Ok(Looked::Changed),
        Err(error) => return Err(JobError::catalog(error)),
    }
    match open(engine, held, repository, id).await? {
        Ok(base) => Ok(Looked::Good(Box::new(base))),
        Err(fault) if fault.is_broken() => {
            condemn(engine, held, repository, &fault).await?;
            Ok(Looked::Changed)
        }
        Err(Fault {
            error: PipelineError::WrongKey { .. },
            ..
        }) => Ok(Looked::Unfit(WhyFull::KeyChanged)),
        // Where the storage is there and this one file lets nothing be read, waiting for it would leave the night without a backup.
        Err(fault) => {
            let error = repository.of_one_file(fault.error).await.map_err(JobError::storage)?;
            // Who may read nothing at all is told so now, and not behind a full backup's last byte.
            let probed = repository.storage().probe().await;
            probed.map_err(|error| JobError::storage(error.into()))?;
            let text = format!("backup {} cannot be read: {}", fault.at, error.full_text());
            held.job().log(LogLevel::Warning, text);
            Ok(Looked::Unfit(WhyFull::BaseUnreadable))
        }
    }
}

async fn hold(engine: &Engine, held: &HeldLease, backup: &Backup, base: Option<BackupId>) -> Result<(), CatalogError> {
    held.tell(|| engine.store.set_base(held.lease(), backup.backup_type, base))
        .await
}

/// Reads receipt and index of the backup and of all that it builds on, and asks for the length of each archive.
pub(super) async fn open(
    engine: &Engine,
    held: &HeldLease,
    repository: &Repository,
    id: BackupId,
) -> Result<Result<Base, Fault>, JobError> {
    let fault = |error| Fault { of: id, at: id, error };
    let row = held
        .tell(|| engine.store.get_backup(id))
        .await
        .map_err(JobError::catalog)?;
    let Some(row) = row else {
        return Ok(Err(fault(PipelineError::not_found(
            format!("the catalog has no backup {id} any more"),
            "",
        ))));
    };
    let receipt = match repository.find_known(&row.backup).await {
        Ok(receipt) => receipt,
        Err(error) => return Ok(Err(fault(error))),
    };
    let opened = repository.open_chain(&receipt, held.job()).await;
    Ok(opened.map(|chain| Base { receipt, chain }))
}

/// After an attempt that failed by damaged bytes: where those are of what it built on, looked at by `level`, that is condemned,
/// and the job is to be tried again on something else.
pub(super) async fn examine(
    engine: &Engine,
    held: &HeldLease,
    repository: &Repository,
    base: &Receipt,
    level: VerifyLevel,
    error: PipelineError,
) -> JobError {
    match repository.verify_chain(base, level, held.job()).await {
        Err(fault) if fault.is_broken() => match condemn(engine, held, repository, &fault).await {
            Ok(()) => JobError::Again(error),
            Err(error) => error,
        },
        _ => JobError::Failed(error),
    }
}

/// Says in the catalog of what is at fault, and of all that builds on it, that it cannot be restored: where it is not there, for
/// as long as it is not.
pub(super) async fn condemn(
    engine: &Engine,
    held: &HeldLease,
    repository: &Repository,
    fault: &Fault,
) -> Result<(), JobError> {
    let (at, problem) = (fault.at, fault.error.full_text());
    tracing::error!(
        action = %Action::ChainBroken, backup_id = %at, error = problem,
        "backup {at}, which others build on, is missing or damaged"
    );
    let text = format!("backup {at}, which others build on, is missing or damaged: {problem}");
    held.job().log(LogLevel::Warning, text);
    let told = if is_missing(engine, held, repository, fault).await? {
        held.tell(|| engine.store.miss_backup(at, &problem)).await
    } else {
        held.tell(|| engine.store.condemn_backup(at, &problem)).await
    };
    told.map_err(JobError::catalog)
}

/// Whether what is at fault is not there, rather than damaged: it may be there again.
pub(crate) async fn is_missing(
    engine: &Engine,
    held: &HeldLease,
    repository: &Repository,
    fault: &Fault,
) -> Result<bool, JobError> {
    Ok(matches!(fault.error, PipelineError::NotFound { .. })
        || lacks_archive(engine, held, repository, fault.at).await?)
}

/// Whether the storage has no archive of this backup at all: its receipt alone may be there, and the archive may come back.
async fn lacks_archive(
    engine: &Engine,
    held: &HeldLease,
    repository: &Repository,
    id: BackupId,
) -> Result<bool, JobError> {
    let row = held
        .tell(|| engine.store.get_backup(id))
        .await
        .map_err(JobError::catalog)?;
    let Some(path) = row.and_then(|row| row.backup.storage_path) else {
        return Ok(false);
    };
    let size = repository.storage().size(&path).await;
    Ok(size.map_err(|error| JobError::storage(error.into()))?.is_none())
}
