//! What is backed up and restored: the database, the uploaded files, the configuration.
//!
//! Every source streams into an [`backup_core::ArchiveSink`] in ascending order of paths, with bounded memory and no
//! temporary file; every target reads a [`backup_core::PartReader`] and removes what it made when it fails. PostgreSQL is
//! spoken to through its own programs (`pg_dump`, `pg_restore`, `psql`) only, so that TLS, passfiles and nearly every other
//! libpq setting of the operator work the same everywhere.

mod child;
mod config;
mod database;
mod error;
mod files;

pub use config::{ConfigExport, ConfigInputs, ConfigSource, ConfigTarget};
pub use database::{
    ConnectionOptions, DatabaseAccess, DatabaseDrill, DatabaseDrillOptions, DatabaseSettings, DatabaseSource,
    DatabaseSwap, DatabaseSwapState, DatabaseTarget, DatabaseTargetOptions, NamedBy, ScratchServer, check_dump,
    libpq_password,
};
pub use error::Error;
pub use files::{FilesDrill, FilesSource, FilesTarget, FilesTargetOptions, FolderSwap, FolderSwapState, shown_path};
