//! The catalog, on SQLite and PostgreSQL. The only crate that names diesel.
//!
//! [`Store`] is asynchronous outside and one short transaction per call inside. No diesel type leaves the crate, no call
//! asks the database for the time, and both databases behave alike: one writer at a time, readers never wait for it.

mod alerts;
mod audit;
mod backups;
mod chains;
mod claims;
mod configs;
mod deletion;
mod dialect;
mod error;
mod events;
mod filter;
mod finish;
mod firings;
mod jobs;
mod keys;
mod kinds;
mod leases;
mod list;
mod logins;
mod mend;
mod migrate;
mod monitor;
mod notifications;
mod outcome;
mod overview;
mod pool;
mod readings;
mod rebuild;
mod restores;
mod retention;
mod schedules;
mod schema;
mod search;
mod sessions;
mod skip;
mod store;
mod tokens;
mod totals;
mod turns;
mod types;
mod url;
mod usage;
mod users;
mod verbatim;
mod verifications;

pub use alerts::Raised;
pub use audit::{AuditBatch, AuditListOptions, AuditPage, AuditPlace, NewAuditEntry};
pub use claims::{StorageLimit, StorageName};
pub use error::Error;
pub use events::{EVENTS_KEPT, Event, EventKind};
pub use finish::{BackupOutcome, CompletedBackup, Finished, RestoreOutcome, VerificationOutcome};
pub use firings::{Fired, Firing, FiringOutcome};
pub use jobs::{CancelResult, ClaimedJob, Heartbeat, Job, JobKind, Lease};
pub use keys::KeyUse;
pub use logins::LoginLimits;
pub use notifications::{ClaimedNotification, Delivery};
pub use rebuild::{ImportedBackup, ImportedSettings};
pub use restores::{NewRestore, RestoreListOptions};
pub use retention::{Leap, RetentionScope};
pub use schedules::{ScheduleListOptions, SchedulePage, ScheduleSummary};
pub use store::Store;
pub use users::{NewUser, OidcFound, OidcMatch, OidcPerson, OidcRefusal, OidcRole, UserChanges, UserCredentials};
pub use verifications::{NewVerification, VerificationAge};
