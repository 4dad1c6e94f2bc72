//! The level RESTORE: the backup is restored into a scratch place, compared with what it holds, and removed again.

use std::path::PathBuf;

use backup_core::{JobControl, PipelineError, Receipt, Target, VerificationId, VerifyLevel};
use backup_sources::{ConfigTarget, DatabaseDrill, DatabaseDrillOptions, DatabaseSettings, FilesDrill, ScratchServer};

use super::scratch::Scratch;
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::repository::Repository;
use crate::restore::restore_connections;

/// Where restores are tried.
#[derive(Debug, Clone)]
pub struct DrillSettings {
    /// A server for scratch databases; `None`: a throw-away server of our own is started for each drill.
    pub server: Option<DatabaseSettings>,
    /// The folder for scratch trees and throw-away servers. As root, PostgreSQL runs as another user, which must be able to
    /// get there.
    pub folder: PathBuf,
}

/// Which attempt at which drill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: VerificationId,
    /// From 1 on. Whoever takes over a drill from a worker that may still be at it has a higher one.
    pub(super) number: u32,
}

impl Attempt {
    /// Its scratch database. Nobody else's: a worker that has lost the drill and wakes up late takes away its own, and not
    /// that of its successor.
    fn database(self) -> String {
        format!("drill_{}_{}", self.id.to_string().replace('-', "_"), self.number)
    }
}

/// Drops the scratch databases that this attempt and those before it left on the server of the settings.
///
/// # Errors
/// `Unavailable`, `Refused` or `Failed` as the server says.
pub(super) async fn clear(engine: &Engine, attempt: Attempt, job: &JobControl) -> Result<(), PipelineError> {
    let Some(server) = engine.settings.drill.server.clone() else {
        return Ok(());
    };
    let job = job.clone();
    blocking(move || {
        (1..=attempt.number).try_for_each(|number| {
            let name = Attempt { number, ..attempt }.database();
            let settings = DatabaseSettings { name, ..server.clone() };
            DatabaseDrill::clear(settings, &job)
        })
    })
    .await
}

/// Proves that the backup can be restored. What a killed drill leaves is removed by the next attempt at it, and what it
/// leaves on this machine also by the next drill, and when a worker starts.
///
/// # Errors
/// `Integrity` where the backup is at fault; anything else: it could not be tried.
pub(super) async fn run(
    engine: &Engine,
    repository: &Repository,
    receipt: &Receipt,
    attempt: Attempt,
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
    let (server, targets) = prepare(engine, receipt, attempt, &scratch, job).await?;
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
    attempt: Attempt,
    scratch: &Scratch,
    job: &JobControl,
) -> Result<(Option<ScratchServer>, Vec<Box<dyn Target>>), PipelineError> {
    let mut targets: Vec<Box<dyn Target>> = Vec::new();
    let mut server = None;
    if let Some(database) = &receipt.contents.database {
        let name = attempt.database();
        let options = DatabaseDrillOptions {
            create_roles: engine.settings.drill.server.is_none(),
            staging: Some(scratch.path().to_owned()),
            jobs: restore_connections(engine.settings.compressors),
        };
        let (folder, control) = (scratch.server(), job.clone());
        let (programs, major) = (
            engine.settings.database.programs.clone(),
            major(&database.server_version),
        );
        clear(engine, attempt, job).await?;
        let (configured, random) = (engine.settings.drill.server.clone(), engine.random.clone());
        let (started, settings) = blocking(move || {
            if let Some(server) = configured {
                return Ok((None, DatabaseSettings { name, ..server }));
            }
            let server = ScratchServer::start(&folder, major, programs.as_deref(), random, &control)?;
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
