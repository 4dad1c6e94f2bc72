//! The level RESTORE: the backup is restored into a scratch place, compared with what it holds, and removed again.

use std::path::PathBuf;

use backup_core::{JobControl, PipelineError, Receipt, Target, VerificationId, VerifyLevel};
use backup_sources::{ConfigTarget, DatabaseDrill, DatabaseDrillOptions, DatabaseSettings, FilesDrill, ScratchServer};

use super::scratch::Scratch;
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::repository::Repository;

/// Where restores are tried.
#[derive(Debug, Clone)]
pub struct DrillSettings {
    /// A server for scratch databases; `None`: a throw-away server of our own is started for each drill.
    pub server: Option<DatabaseSettings>,
    /// The folder for scratch trees and throw-away servers. As root, PostgreSQL runs as another user, which must be able to
    /// get there.
    pub folder: PathBuf,
}

/// Proves that the backup can be restored. What a killed drill leaves is removed by the next one, and when a worker starts.
///
/// # Errors
/// `Integrity` where the backup is at fault; anything else: it could not be tried.
pub(super) async fn run(
    engine: &Engine,
    repository: &Repository,
    receipt: &Receipt,
    id: VerificationId,
    job: &JobControl,
) -> Result<(), PipelineError> {
    if !receipt.contents.other.is_empty() {
        // What a linking service brought only it can restore.
        repository.verify(receipt, VerifyLevel::Content, job).await?;
    }
    let (settings, control) = (engine.settings.drill.clone(), job.clone());
    // Nobody else's, not even that of a worker which has lost this drill and does not know it yet.
    let name = engine.new_id::<VerificationId>()?.to_string();
    let scratch = blocking(move || Scratch::make(&settings.folder, &name, &control)).await?;
    let (server, targets) = prepare(engine, receipt, id, &scratch, job).await?;
    let tried = repository.restore(receipt, targets, job).await;
    blocking(move || {
        // The server ends before its folder goes.
        drop(server);
        drop(scratch);
        tried
    })
    .await
}

async fn prepare(
    engine: &Engine,
    receipt: &Receipt,
    id: VerificationId,
    scratch: &Scratch,
    job: &JobControl,
) -> Result<(Option<ScratchServer>, Vec<Box<dyn Target>>), PipelineError> {
    let mut targets: Vec<Box<dyn Target>> = Vec::new();
    let mut server = None;
    if let Some(database) = &receipt.contents.database {
        let name = format!("drill_{}", id.to_string().replace('-', "_"));
        let options = DatabaseDrillOptions {
            create_roles: engine.settings.drill.server.is_none(),
            staging: Some(scratch.path().to_owned()),
            jobs: engine.settings.compressors,
        };
        let (folder, control) = (scratch.server(), job.clone());
        let (programs, major) = (
            engine.settings.database.programs.clone(),
            major(&database.server_version),
        );
        let configured = engine.settings.drill.server.clone();
        let (started, settings) = blocking(move || {
            if let Some(server) = configured {
                let settings = DatabaseSettings { name, ..server };
                DatabaseDrill::clear(settings.clone(), &control)?;
                return Ok((None, settings));
            }
            let server = ScratchServer::start(&folder, major, programs.as_deref(), &control)?;
            let settings = server.settings(&name);
            Ok((Some(server), settings))
        })
        .await?;
        server = started;
        targets.push(Box::new(DatabaseDrill::new(settings, options)));
    }
    if receipt.contents.files.is_some() {
        targets.push(Box::new(FilesDrill::new(scratch.path(), "files")));
    }
    if receipt.contents.config.is_some() {
        targets.push(Box::new(ConfigTarget::new(scratch.path().join("config"))));
    }
    Ok((server, targets))
}

/// The major version in what a server calls itself; 0 where it says none.
fn major(version: &str) -> u32 {
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}
