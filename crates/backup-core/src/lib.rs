//! The domain of the backup system: what a backup, a schedule and a restore are, which states a job may pass through,
//! and the traits a source of data implements. It does no I/O: time and randomness come in as values ([`Clock`],
//! [`Random`]), bytes through the traits of [`pipeline`].

pub mod alert;
pub mod backup;
pub mod chain;
pub mod clock;
pub mod config;
pub mod contents;
pub mod counted;
pub mod entry;
pub mod error;
pub mod id;
pub mod job;
pub mod language;
pub mod list;
pub mod notification;
pub mod outage;
pub mod pause;
pub mod percent;
pub mod pipeline;
pub mod progress;
pub mod random;
pub mod receipt;
pub mod restore;
pub mod retention;
pub mod schedule;
pub mod text_enum;
pub mod usage;
pub mod user;

pub use alert::{Alert, AlertKind, AlertSeverity, AlertState, NewAlert};
pub use backup::{Backup, BackupSource, BackupTrigger, BackupType, NewBackup, VerifyLevel};
pub use clock::{Clock, ManualClock, SystemClock};
pub use contents::{BackupContents, Warning, WarningCode};
pub use counted::counted;
pub use entry::{Entry, EntryKind, EntryPath, FileIdentity};
pub use error::PipelineError;
pub use id::{
    AlertId, AuditId, BackupId, IdGenerator, NotificationId, ReadingId, RestoreId, ScheduleId, SessionId, TokenId,
    UsageId, UserId, VerificationId,
};
pub use job::{JobStatus, Transition};
pub use language::Language;
pub use outage::Outage;
pub use pipeline::{ArchiveSink, JobControl, JobLog, LogLevel, LogLine, PartReader, Source, Target};
pub use progress::{Step, StepStart};
pub use random::{OsRandom, Random};
pub use receipt::{ArchiveSeal, Receipt};
