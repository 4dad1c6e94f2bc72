//! The jobs: backup, restore, verify, delete; the worker that claims and leases them.
//!
//! [`Engine`] composes catalog, storage and [`Environment`], which is keys and settings; [`Worker`] runs the catalog's jobs with it, and keeps house;
//! [`Scheduler`] fires schedules; [`Repository`] does what needs no catalog. The archive and the sources are synchronous, the storage and the catalog asynchronous: the
//! bridges between them are here and nowhere else.

mod backup;
mod bridge;
mod checkpoint;
mod delete;
mod delivery;
mod empty;
mod engine;
mod environment;
mod error;
mod housekeeping;
mod job;
mod lease;
mod logging;
mod missing_keys;
mod own_folders;
mod places;
mod progress;
mod question;
mod quota;
mod readiness;
mod reading;
mod rebuild;
mod receipts;
mod reconcile;
mod repository;
mod reseal;
mod restore;
mod retention;
mod scheduler;
pub mod settings;
mod signals;
mod start;
mod trial;
mod verify;
mod watch;
mod worker;

pub use backup_notify::Language as MessageLanguage;
pub use backup_notify::smtp::Mailer;
pub use backup_sources::shown_path;
pub use checkpoint::{Checkpoint, Checkpoints};
pub use engine::{Engine, JobSettings, MAX_ATTEMPTS, Parts};
pub use environment::Environment;
pub use error::Error;
pub use logging::{Action, end as end_logging, init as init_logging};
pub use missing_keys::MissingKeys;
pub use places::{Place, is_same_login, open_storage};
pub use quota::Room;
pub use readiness::{Away, StorageProbe, catalog_answers};
pub use reading::Reading;
pub use rebuild::{Rebuild, Rebuilt, RebuiltSettings};
pub use reconcile::{Orphan, OrphanKind, Orphans, Reconciled};
pub use repository::{ArchivedFile, Checked, Contents, Depth, FullOptions, ListedReceipt, Repository};
pub use reseal::{Resealed, reseal};
pub use restore::{RestoreInto, restore_connections};
pub use scheduler::Scheduler;
pub use signals::stop_on_signal;
pub use start::{StartError, storage_at_start};
pub use verify::DrillSettings;
pub use watch::Watch;
pub use worker::Worker;
