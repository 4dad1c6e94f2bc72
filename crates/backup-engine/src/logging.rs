//! The log: one JSON object a line with a fixed head (`timestamp`, `level`, `service`, `action`), or text for people.
//!
//! Events carry their [`Action`] as the field `action`, and further fields in snake case, which become camel case:
//! `tracing::info!(action = %Action::BackupStarted, backup_id = %id, "backup started")`. The message can be read alone.
//! No secret is ever a field or in a message.

mod json;
#[cfg(feature = "otlp")]
mod otlp;

use std::sync::Arc;

use backup_core::{Clock, text_enum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogArgs, LogFormat, SettingsError};
use json::JsonLines;

text_enum! {
    /// What a log line is about: the contract's fixed list.
    pub enum Action {
        /// A program has started.
        ServiceStarted => "service_started",
        /// A program is stopping.
        ServiceStopping => "service_stopping",
        /// A program has stopped.
        ServiceStopped => "service_stopped",
        /// A backup was asked for.
        BackupRequested => "backup_requested",
        /// A worker took a backup up.
        BackupStarted => "backup_started",
        /// A backup is whole and restorable.
        BackupCompleted => "backup_completed",
        /// A backup failed.
        BackupFailed => "backup_failed",
        /// A backup was cancelled.
        BackupCancelled => "backup_cancelled",
        /// A job waits again: its worker stops, or an attempt failed and another follows.
        JobReleased => "job_released",
        /// A job was taken over from a worker that is gone.
        JobTakenOver => "job_taken_over",
        /// The lease of a running job is lost; it is stopped without a trace.
        LeaseLost => "lease_lost",
        /// A backup of a dead worker was found whole.
        BackupAdopted => "backup_adopted",
        /// A restore was taken up.
        RestoreStarted => "restore_started",
        /// A restore is done.
        RestoreCompleted => "restore_completed",
        /// A restore failed.
        RestoreFailed => "restore_failed",
        /// A restore was cancelled.
        RestoreCancelled => "restore_cancelled",
        /// A verification was taken up.
        VerifyStarted => "verify_started",
        /// A verification ran to its end, whatever it found.
        VerifyCompleted => "verify_completed",
        /// A verification could not run to its end.
        VerifyFailed => "verify_failed",
        /// A verification was cancelled.
        VerifyCancelled => "verify_cancelled",
        /// A backup was deleted.
        BackupDeleted => "backup_deleted",
        /// A backup could not be deleted.
        DeleteFailed => "delete_failed",
        /// The leftovers of dead workers were looked for.
        Reconciled => "reconciled",
        /// A blob without a receipt was removed.
        OrphanRemoved => "orphan_removed",
        /// A completed backup has no receipt in the storage, or a false one.
        ReceiptMissing => "receipt_missing",
        /// A backup that others build on is missing or damaged.
        ChainBroken => "chain_broken",
        /// None of the keys at hand opens the newest backups.
        KeyMissing => "key_missing",
        /// The catalog does not answer.
        CatalogUnavailable => "catalog_unavailable",
        /// The storage does not answer.
        StorageUnavailable => "storage_unavailable",
        /// A schedule fired.
        ScheduleFired => "schedule_fired",
        /// A schedule's instant was passed over.
        ScheduleSkipped => "schedule_skipped",
        /// A backup is let go by its schedule's retention.
        BackupExpired => "backup_expired",
        /// What is done from time to time could not be done.
        HousekeepingFailed => "housekeeping_failed",
        /// A message was delivered.
        NotificationSent => "notification_sent",
        /// A message could not be delivered.
        NotificationFailed => "notification_failed",
        /// Somebody logged in.
        Login => "login",
        /// A log-in was refused.
        LoginRefused => "login_refused",
        /// A request was answered.
        HttpRequest => "http_request",
        /// A part of the program failed in a way that it was not written for.
        Panicked => "panicked",
        /// Anything that carries no action of its own.
        Diagnostic => "diagnostic",
    }
}

/// Starts the log of this process, on stderr. `service` is the program's name.
///
/// # Errors
/// When the filter cannot be read, or the log was started before.
pub fn init(args: &LogArgs, service: &'static str, clock: Arc<dyn Clock>) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(&args.filter).map_err(|error| {
        SettingsError::new(
            format!("RUST_LOG '{}' cannot be read: {error}", args.filter),
            "Set it to error, warn, info, debug or trace, or to directives such as 'info,backup_engine=debug'.",
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    #[cfg(feature = "otlp")]
    let registry = {
        let endpoint = args.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty());
        registry.with(endpoint.map(|endpoint| otlp::layer(endpoint, service)).transpose()?)
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match args.format {
        LogFormat::Json => registry
            .with(lines.event_format(JsonLines::new(service, clock)))
            .try_init(),
        LogFormat::Text => registry
            .with(lines.with_timer(ClockTime(clock)).with_target(false))
            .try_init(),
    };
    started.map_err(|error| {
        SettingsError::new(
            format!("the log cannot be started: {error}"),
            "Start it once in a process.",
        )
    })?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("of an unknown kind");
        tracing::error!(action = %Action::Panicked, at, "a panic: {what}");
    }));
    Ok(())
}

/// Ends the log: to be called before the process ends, so that what is exported is not cut short.
pub fn end() {
    #[cfg(feature = "otlp")]
    otlp::end();
}

struct ClockTime(Arc<dyn Clock>);

impl FormatTime for ClockTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", self.0.now().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}
