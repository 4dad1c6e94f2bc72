//! Where each part of a restore goes, and what stands beside it meanwhile.

use std::path::{Path, PathBuf};

use backup_core::config::DEFAULT_CONFIG_KEY;
use backup_core::restore::{ReplacedDatabase, ReplacedFolder, Replacement, ReplacementStage, RestoreOptions};
use backup_core::{EntryPath, JobControl, PipelineError, Receipt, Target};
use backup_sources::{
    DatabaseSettings, DatabaseSwap, DatabaseSwapState, DatabaseTarget, DatabaseTargetOptions, FolderSwap, shown_path,
};

use super::{Order, RestoreInto, restore_connections};
use crate::bridge::blocking;
use crate::engine::Engine;
use crate::places::Place;

/// Where each part goes; a part without a way is not restored.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) database: Option<DatabaseWay>,
    pub(super) files: Option<FilesWay>,
    pub(super) config: Option<PathBuf>,
}

/// The way of the database.
#[derive(Debug, Clone)]
pub(super) struct DatabaseWay {
    /// The server, and the name that the database has in the end.
    pub(super) settings: DatabaseSettings,
    pub(super) names: ReplacedDatabase,
    /// An empty database that is there is filled where it is: nothing is beside it.
    is_in_place: bool,
    /// Whether the configuration's own backups save what gives way.
    pub(super) is_configured: bool,
}

/// The way of the files.
#[derive(Debug, Clone)]
pub(super) struct FilesWay {
    pub(super) names: ReplacedFolder,
    /// An empty folder that is there is filled where it is.
    is_in_place: bool,
    pub(super) is_configured: bool,
    /// Only these; empty: all.
    pub(super) paths: Vec<EntryPath>,
}

impl DatabaseWay {
    pub(super) fn swap(&self) -> DatabaseSwap {
        DatabaseSwap::new(self.settings.clone(), self.names.clone())
    }
}

impl FilesWay {
    /// Whether all files are restored.
    pub(super) fn is_whole(&self) -> bool {
        self.paths.is_empty() || self.paths.iter().any(EntryPath::is_root)
    }

    pub(super) fn swap(&self) -> FolderSwap {
        FolderSwap::new(self.names.clone())
    }
}

impl Way {
    /// The way of what `order` asks for and the backup has. Looks at nothing but the real path of the folder.
    pub(super) fn of(
        engine: &Engine,
        place: &Place,
        order: &Order<'_>,
        receipt: &Receipt,
    ) -> Result<Self, PipelineError> {
        let (options, contents) = (order.options, &receipt.contents);
        if order.replaces() && !(options.tables.is_empty() && options.paths.is_empty()) {
            return Err(PipelineError::refused(
                "single tables and paths do not replace a whole database or folder",
                "Restore them in mode NEW, into a new database or folder.",
            ));
        }
        // For `default` the environment may speak alone. What it names is no other configuration's to replace.
        let is_known = place.config.is_some() || receipt.config_key == DEFAULT_CONFIG_KEY;
        let mut way = Self {
            database: None,
            files: None,
            config: None,
        };
        if options.restore_database && contents.database.is_some() {
            let configured = engine.database_settings(place.config.as_ref())?;
            let mut name = options.target_database.clone();
            if name.is_none() && order.replaces() {
                if !is_known {
                    return Err(unknown_config(&receipt.config_key, "targetDatabase"));
                }
                name = Some(configured.name.clone()).filter(|name| !name.is_empty());
            }
            let name = name.ok_or_else(|| missing("targetDatabase"))?;
            way.database = Some(DatabaseWay {
                names: ReplacedDatabase::of(&name, order.attempt),
                is_in_place: false,
                is_configured: is_known && name == configured.name,
                settings: DatabaseSettings { name, ..configured },
            });
        }
        if options.restore_files && contents.files.is_some() {
            let configured = engine.upload_dir(place.config.as_ref());
            let mut folder = options.target_dir.as_ref().map(PathBuf::from);
            if folder.is_none() && order.replaces() {
                if !is_known {
                    return Err(unknown_config(&receipt.config_key, "targetDir"));
                }
                folder = Some(configured.clone());
            }
            let live = FolderSwap::resolve(&folder.ok_or_else(|| missing("targetDir"))?)?;
            way.files = Some(FilesWay {
                names: ReplacedFolder::of(&live, order.attempt),
                is_in_place: false,
                is_configured: is_known && FolderSwap::resolve(&configured).is_ok_and(|configured| configured == live),
                paths: paths(options)?,
            });
        }
        if options.restore_config && contents.config.is_some() {
            way.config = Some(config_dir(engine, &order.id.to_string()));
        }
        if way.database.is_none() && way.files.is_none() && way.config.is_none() {
            return Err(PipelineError::refused(
                "the backup holds nothing of what is to be restored",
                "Choose parts that it has.",
            ));
        }
        Ok(way)
    }

    /// Finds out which places of a restore in mode NEW are there already: those are filled where they are. To be asked once
    /// the plan has found them empty.
    pub(super) async fn settle(&mut self, options: &RestoreOptions, job: &JobControl) -> Result<(), PipelineError> {
        if options.mode == backup_core::restore::RestoreMode::Replace {
            return Ok(());
        }
        if let Some(files) = &mut self.files {
            files.is_in_place = Path::new(&files.names.live).exists();
        }
        if let Some(database) = &mut self.database {
            let (swap, job) = (database.swap(), job.clone());
            let state = blocking(move || swap.state(&job)).await?;
            database.is_in_place = matches!(state, DatabaseSwapState::Beside { live_exists: true, .. });
        }
        Ok(())
    }

    /// Whether anything is made beside its place.
    pub(super) fn exchanges(&self) -> bool {
        self.database.as_ref().is_some_and(|database| !database.is_in_place)
            || self.files.as_ref().is_some_and(|files| !files.is_in_place)
    }

    /// Whether something is in use where it is to be exchanged, as [`Self::identify`] found.
    pub(super) fn has_live(&self) -> bool {
        let database = self.database.as_ref().filter(|database| !database.is_in_place);
        let files = self.files.as_ref().filter(|files| !files.is_in_place);
        database.is_some_and(|database| database.names.had_live) || files.is_some_and(|files| files.names.had_live)
    }

    /// What is written down of it.
    pub(super) fn replacement(&self, stage: ReplacementStage) -> Replacement {
        let database = self.database.as_ref().filter(|database| !database.is_in_place);
        let files = self.files.as_ref().filter(|files| !files.is_in_place);
        Replacement {
            stage,
            database: database.map(|database| database.names.clone()),
            files: files.map(|files| files.names.clone()),
            kept_until: None,
        }
    }

    /// The targets, in the order in which a backup holds its parts.
    pub(super) fn targets(&self, engine: &Engine, options: &RestoreOptions) -> Vec<Box<dyn Target>> {
        let database = self.database.as_ref().map(|database| {
            if database.is_in_place {
                database.settings.clone()
            } else {
                database.swap().beside()
            }
        });
        let files = self.files.as_ref().map(|files| {
            if files.is_in_place {
                PathBuf::from(&files.names.live)
            } else {
                files.swap().beside()
            }
        });
        let data = &engine.settings.data_dir;
        // Where it cannot be made, the database is restored by one connection.
        let staging = std::fs::create_dir_all(data).is_ok().then(|| data.clone());
        let into = RestoreInto {
            database,
            tables: options.tables.clone(),
            skip_owner: options.skip_owner,
            skip_tablespaces: options.skip_tablespaces,
            staging,
            jobs: restore_connections(engine.settings.compressors),
            files,
            paths: self.files.as_ref().map_or_else(Vec::new, |files| files.paths.clone()),
            config: self.config.clone(),
        };
        into.targets()
    }

    /// Removes what this attempt made beside. To be called while nothing has been exchanged.
    pub(super) async fn clear(&self, engine: &Engine) -> Result<(), PipelineError> {
        let (way, job) = (self.clone(), JobControl::new(engine.settings.stall_timeout));
        blocking(move || {
            if let Some(files) = way.files.filter(|files| !files.is_in_place) {
                files.swap().clear_beside(&job)?;
            }
            if let Some(config) = &way.config {
                gone(std::fs::remove_dir_all(config), config)?;
            }
            match way.database.filter(|database| !database.is_in_place) {
                Some(database) => database.swap().clear_beside(&job),
                None => Ok(()),
            }
        })
        .await
    }

    /// What was to be filled where it is and is not known to be empty: nobody removes that, since it cannot be told from what
    /// others have put there.
    pub(super) async fn left_filled(
        &self,
        engine: &Engine,
        options: &RestoreOptions,
    ) -> Result<Vec<String>, PipelineError> {
        let (way, job) = (self.clone(), JobControl::new(engine.settings.stall_timeout));
        let options = DatabaseTargetOptions {
            tables: options.tables.clone(),
            ..DatabaseTargetOptions::default()
        };
        blocking(move || {
            let mut left = Vec::new();
            if let Some(database) = way.database.filter(|database| database.is_in_place) {
                let name = format!("database \"{}\"", database.settings.name);
                match DatabaseTarget::new(database.settings, options).is_filled(&job) {
                    Ok(false) => {}
                    Ok(true) => left.push(name),
                    Err(error) => left.push(format!("{name} ({error})")),
                }
            }
            if let Some(files) = way.files.filter(|files| files.is_in_place) {
                let found = std::fs::read_dir(&files.names.live).map(|mut entries| entries.next().is_some());
                match found {
                    Ok(false) => {}
                    Ok(true) => left.push(files.names.live),
                    Err(error) => left.push(format!("{} ({error})", files.names.live)),
                }
            }
            Ok(left)
        })
        .await
    }

    /// Finds out which database and which folder were restored, before they are exchanged.
    pub(super) async fn identify(&mut self, job: &JobControl) -> Result<(), PipelineError> {
        let (mut way, job) = (self.clone(), job.clone());
        *self = blocking(move || {
            if let Some(database) = way.database.as_mut().filter(|database| !database.is_in_place) {
                database.names = database.swap().identify(&job)?;
            }
            if let Some(files) = way.files.as_mut().filter(|files| !files.is_in_place) {
                let mut swap = files.swap();
                swap.identify()?;
                files.names = swap.names().clone();
            }
            Ok(way)
        })
        .await?;
        Ok(())
    }
}

/// The configuration is restored for people to look at, below the data folder: `restores/ID/config`.
fn config_dir(engine: &Engine, id: &str) -> PathBuf {
    engine.settings.data_dir.join("restores").join(id).join("config")
}

fn gone(removed: std::io::Result<()>, path: &Path) -> Result<(), PipelineError> {
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(PipelineError::failed(
            format!("{} cannot be removed", path.display()),
            "Remove it by hand.",
        )
        .because(error)),
        _ => Ok(()),
    }
}

/// The paths that are asked for, which are given as the backup's contents show them.
fn paths(options: &RestoreOptions) -> Result<Vec<EntryPath>, PipelineError> {
    let read = |path: &String| {
        shown_path(path).map_err(|error| {
            PipelineError::refused(error.to_string(), "Give paths as the backup's contents show them.")
        })
    };
    options.paths.iter().map(read).collect()
}

fn missing(name: &str) -> PipelineError {
    PipelineError::refused(
        format!("{name} is not given"),
        "Name a database and a folder that do not exist yet or are empty, or leave that part out.",
    )
}

fn unknown_config(key: &str, name: &str) -> PipelineError {
    PipelineError::refused(
        format!("the catalog has no configuration '{key}', which would say what the backup replaces"),
        format!("Make the configuration again, or name what is to be replaced ({name})."),
    )
}
