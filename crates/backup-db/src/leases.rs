//! The statements of a job's life, written once for the three job tables, whose job columns are the same.

use std::time::Duration;

use backup_core::{JobLog, JobStatus, Step, StepStart, Transition};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::jobs::{CancelResult, ClaimedJob, Heartbeat, Job, JobKind, JobPosition, Lease, add, lost, new_token};
use crate::store::Tx;
use crate::types::{Json, Time, json, small};
use crate::{Error, EventKind};

/// What is to be done to a job that its worker ends.
pub(crate) struct Ending<'a> {
    pub(crate) transition: Transition,
    pub(crate) error_message: Option<&'a str>,
    pub(crate) at: chrono::DateTime<chrono::Utc>,
}

macro_rules! job_table {
    ($module:ident, $table:ident, $row:path, $kind:ident, $what:literal, $event:expr) => {
        pub(crate) mod $module {
            use super::*;
            use crate::schema::$table::{self, dsl};

            type Row = $row;

            /// The job whose lease ran out, the oldest first.
            pub(crate) fn expired(tx: &mut Tx<'_>) -> TxResult<Option<String>> {
                Ok($table::table
                    .filter(dsl::status.eq(JobStatus::InProgress.as_str()))
                    .filter(dsl::lease_expires_at.le(tx.now.naive_utc()))
                    .order((dsl::created_at.asc(), dsl::id.asc()))
                    .select(dsl::id)
                    .first(tx.db)
                    .optional()?)
            }

            /// How many jobs of each configuration run; those of a worker that is gone, until somebody has taken them over.
            pub(crate) fn running(tx: &mut Tx<'_>) -> TxResult<Vec<(String, i64)>> {
                Ok($table::table
                    .filter(dsl::status.eq(JobStatus::InProgress.as_str()))
                    .group_by(dsl::config_key)
                    .select((dsl::config_key, diesel::dsl::count_star()))
                    .load(tx.db)?)
            }

            /// Takes up a job that waits, or whose lease ran out. That it still does is asked again where it is changed, so
            /// that it is nobody else's even where writers did not take turns.
            pub(crate) fn take(
                tx: &mut Tx<'_>,
                id: String,
                taken_over: bool,
                worker: &str,
                lease_for: Duration,
                max_attempts: u32,
            ) -> TxResult<Option<ClaimedJob>> {
                let now = tx.now.naive_utc();
                let token = new_token(tx)?;
                let expires_at = add(tx.now, lease_for);
                let from = if taken_over {
                    JobStatus::InProgress
                } else {
                    JobStatus::Pending
                };
                let Some(status) = from.after(Transition::Claim) else {
                    return Ok(None);
                };
                let taken = diesel::update(
                    $table::table
                        .filter(dsl::id.eq(&id))
                        .filter(dsl::status.eq(from.as_str()))
                        .filter(dsl::lease_expires_at.is_null().or(dsl::lease_expires_at.le(now))),
                )
                .set((
                    dsl::status.eq(status.as_str()),
                    dsl::lease_owner.eq(worker),
                    dsl::lease_token.eq(&token),
                    dsl::lease_expires_at.eq(expires_at.naive_utc()),
                    dsl::attempts.eq(dsl::attempts + 1),
                    dsl::progress.eq(0),
                    dsl::current_step.eq(Step::Preparing.as_str()),
                    dsl::run_after.eq(None::<chrono::NaiveDateTime>),
                    dsl::steps.eq("[]"),
                ))
                .execute(tx.db)?;
                let Some(mut row) = row(tx, &id)?.filter(|_| taken > 0) else {
                    return Ok(None);
                };
                if row.started_at.is_none() {
                    diesel::update($table::table.filter(dsl::id.eq(&id)))
                        .set(dsl::started_at.eq(now))
                        .execute(tx.db)?;
                    row.started_at = Some(Time(tx.now));
                }
                announce(tx, &row)?;
                crate::claims::had_turn(tx, &row.config_key)?;
                let attempts = small(row.attempts.into());
                let log = log(tx, &id)?;
                Ok(Some(ClaimedJob {
                    lease: Lease {
                        kind: JobKind::$kind,
                        id,
                        token,
                        expires_at,
                        attempts,
                    },
                    job: Job::$kind(row.into()),
                    taken_over,
                    exhausted: attempts > max_attempts,
                    log,
                }))
            }

            /// Whether a worker is at work on any job.
            pub(crate) fn anybody_works(tx: &mut Tx<'_>) -> TxResult<bool> {
                let rows: i64 = $table::table
                    .filter(dsl::status.eq(JobStatus::InProgress.as_str()))
                    .filter(dsl::lease_expires_at.gt(tx.now.naive_utc()))
                    .count()
                    .get_result(tx.db)?;
                Ok(rows > 0)
            }

            /// Ends every job that no worker has ever taken up and that was asked for before `asked_before`. Gives back which.
            pub(crate) fn fail_waiting(
                tx: &mut Tx<'_>,
                message: &str,
                asked_before: chrono::DateTime<chrono::Utc>,
            ) -> TxResult<Vec<String>> {
                let waiting: Vec<Row> = $table::table
                    .filter(dsl::status.eq(JobStatus::Pending.as_str()))
                    .filter(dsl::started_at.is_null())
                    .filter(dsl::created_at.le(asked_before.naive_utc()))
                    // What is made of another backup is dated as that one, and may be taken up since it was asked for.
                    .filter(
                        dsl::run_after
                            .is_null()
                            .or(dsl::run_after.le(asked_before.naive_utc())),
                    )
                    .select(Row::as_select())
                    .load(tx.db)?;
                let mut failed = Vec::new();
                for row in &waiting {
                    let status = after(row, Transition::Fail)?;
                    // A worker may have taken it up since it was looked for.
                    let changed = diesel::update($table::table.filter(dsl::id.eq(row.id.0.to_string())))
                        .filter(dsl::status.eq(JobStatus::Pending.as_str()))
                        .set((
                            dsl::status.eq(status.as_str()),
                            dsl::current_step.eq(Step::Finished.as_str()),
                            dsl::error_message.eq(message),
                            dsl::completed_at.eq(tx.now.naive_utc()),
                            dsl::run_after.eq(None::<chrono::NaiveDateTime>),
                        ))
                        .execute(tx.db)?;
                    if changed > 0 {
                        announce(tx, row)?;
                        failed.push(row.id.0.to_string());
                    }
                }
                Ok(failed)
            }

            pub(crate) fn heartbeat(
                tx: &mut Tx<'_>,
                lease: &Lease,
                at: &JobPosition,
                lease_for: Duration,
            ) -> TxResult<Heartbeat> {
                let row = held(tx, lease)?;
                let expires_at = add(tx.now, lease_for);
                let progress = i32::from(at.progress.min(100));
                diesel::update($table::table.filter(dsl::id.eq(&lease.id)))
                    .set((
                        dsl::lease_expires_at.eq(expires_at.naive_utc()),
                        dsl::progress.eq(progress),
                        dsl::current_step.eq(at.step.as_str()),
                        dsl::steps.eq(json(&at.steps)?),
                    ))
                    .execute(tx.db)?;
                let is_new = match &at.log {
                    Some(log) => write_log(tx, &lease.id, log)?,
                    None => false,
                };
                if is_new || row.progress != progress || row.current_step.0 != at.step {
                    announce(tx, &row)?;
                }
                Ok(Heartbeat {
                    cancel_requested: row.cancel_requested,
                    expires_at,
                })
            }

            /// The job, where `lease` still holds it.
            pub(crate) fn held(tx: &mut Tx<'_>, lease: &Lease) -> TxResult<Row> {
                $table::table
                    .filter(dsl::id.eq(&lease.id))
                    .filter(dsl::status.eq(JobStatus::InProgress.as_str()))
                    .filter(dsl::lease_token.eq(&lease.token))
                    .select(Row::as_select())
                    .first(tx.db)
                    .optional()?
                    .ok_or_else(|| lost(lease))
            }

            /// Lets the job wait again: as if it had not been taken up, or with a reason and not before a time.
            pub(crate) fn put_back(
                tx: &mut Tx<'_>,
                lease: &Lease,
                error_message: Option<&str>,
                run_after: Option<chrono::DateTime<chrono::Utc>>,
            ) -> TxResult<()> {
                let row = held(tx, lease)?;
                let status = after(&row, Transition::Release)?;
                let attempts = row.attempts - i32::from(run_after.is_none());
                diesel::update($table::table.filter(dsl::id.eq(&lease.id)))
                    .set((
                        dsl::status.eq(status.as_str()),
                        dsl::attempts.eq(attempts.max(0)),
                        dsl::progress.eq(0),
                        dsl::current_step.eq(Step::Queued.as_str()),
                        dsl::error_message.eq(error_message),
                        dsl::run_after.eq(run_after.map(|at| at.naive_utc())),
                        dsl::lease_token.eq(None::<String>),
                        dsl::lease_expires_at.eq(None::<chrono::NaiveDateTime>),
                    ))
                    .execute(tx.db)?;
                announce(tx, &row)
            }

            pub(crate) fn cancel(tx: &mut Tx<'_>, id: &str) -> TxResult<CancelResult> {
                let row = row(tx, id)?.ok_or_else(|| Error::not_found($what, &id))?;
                let status = after(&row, Transition::Cancel)?;
                let result = if row.status.0 == JobStatus::Pending {
                    diesel::update($table::table.filter(dsl::id.eq(id)))
                        .set((
                            dsl::status.eq(status.as_str()),
                            dsl::cancel_requested.eq(true),
                            dsl::current_step.eq(Step::Finished.as_str()),
                            dsl::completed_at.eq(tx.now.naive_utc()),
                            dsl::run_after.eq(None::<chrono::NaiveDateTime>),
                        ))
                        .execute(tx.db)?;
                    CancelResult::Cancelled
                } else {
                    diesel::update($table::table.filter(dsl::id.eq(id)))
                        .set(dsl::cancel_requested.eq(true))
                        .execute(tx.db)?;
                    CancelResult::Requested
                };
                announce(tx, &row)?;
                Ok(result)
            }

            /// Ends the job. `false`: this worker had ended it in the same way before, and could not know.
            pub(crate) fn end(tx: &mut Tx<'_>, lease: &Lease, ending: &Ending<'_>) -> TxResult<bool> {
                let row = row(tx, &lease.id)?.ok_or_else(|| lost(lease))?;
                if row.lease_token.as_deref() != Some(lease.token.as_str()) {
                    return Err(lost(lease));
                }
                let status = JobStatus::InProgress
                    .after(ending.transition)
                    .ok_or_else(|| wrong_state(&row))?;
                if row.status.0.is_final() {
                    return if row.status.0 == status {
                        Ok(false)
                    } else {
                        Err(lost(lease))
                    };
                }
                let progress = if status == JobStatus::Completed {
                    100
                } else {
                    row.progress
                };
                diesel::update($table::table.filter(dsl::id.eq(&lease.id)))
                    .set((
                        dsl::status.eq(status.as_str()),
                        dsl::progress.eq(progress),
                        dsl::current_step.eq(Step::Finished.as_str()),
                        dsl::error_message.eq(ending.error_message),
                        dsl::completed_at.eq(ending.at.naive_utc()),
                        dsl::lease_expires_at.eq(None::<chrono::NaiveDateTime>),
                    ))
                    .execute(tx.db)?;
                announce(tx, &row)?;
                Ok(true)
            }

            /// When the steps of the job's last attempt began.
            pub(crate) fn steps(tx: &mut Tx<'_>, id: &str) -> TxResult<Vec<StepStart>> {
                let steps: Option<Json<Vec<StepStart>>> = $table::table
                    .filter(dsl::id.eq(id))
                    .select(dsl::steps)
                    .first(tx.db)
                    .optional()?;
                Ok(steps.map(|steps| steps.0).unwrap_or_default())
            }

            /// The log of the job.
            pub(crate) fn log(tx: &mut Tx<'_>, id: &str) -> TxResult<JobLog> {
                let log: Option<Json<JobLog>> = $table::table
                    .filter(dsl::id.eq(id))
                    .select(dsl::log)
                    .first(tx.db)
                    .optional()?;
                Ok(log.map(|log| log.0).unwrap_or_default())
            }

            /// Writes the log, unless a heartbeat that set out later has come first. Says whether it did.
            fn write_log(tx: &mut Tx<'_>, id: &str, new: &JobLog) -> TxResult<bool> {
                if new.count() <= log(tx, id)?.count() {
                    return Ok(false);
                }
                diesel::update($table::table.filter(dsl::id.eq(id)))
                    .set(dsl::log.eq(json(new)?))
                    .execute(tx.db)?;
                Ok(true)
            }

            pub(crate) fn count(tx: &mut Tx<'_>, status: JobStatus) -> TxResult<u64> {
                // What is put off, such as until its schedule's hours begin, waits for no worker.
                let due = dsl::run_after.is_null().or(dsl::run_after.le(tx.now.naive_utc()));
                let rows: i64 = $table::table
                    .filter(dsl::status.eq(status.as_str()))
                    .filter(due)
                    .count()
                    .get_result(tx.db)?;
                Ok(crate::types::count(rows))
            }

            pub(crate) fn row(tx: &mut Tx<'_>, id: &str) -> TxResult<Option<Row>> {
                Ok($table::table
                    .filter(dsl::id.eq(id))
                    .select(Row::as_select())
                    .first(tx.db)
                    .optional()?)
            }

            fn after(row: &Row, transition: Transition) -> TxResult<JobStatus> {
                Ok(row.status.0.after(transition).ok_or_else(|| wrong_state(row))?)
            }

            fn wrong_state(row: &Row) -> Error {
                Error::WrongState {
                    what: $what,
                    id: row.id.0.to_string(),
                    status: row.status.0,
                }
            }

            pub(crate) fn announce(tx: &mut Tx<'_>, row: &Row) -> TxResult<()> {
                let (kind, id): (EventKind, String) = $event(row);
                crate::events::append(tx, kind, &id)
            }
        }
    };
}

job_table!(
    backup_jobs,
    backups,
    crate::backups::BackupRow,
    Backup,
    "backup",
    |row: &Row| (EventKind::Backup, row.id.0.to_string())
);
job_table!(
    restore_jobs,
    restore_records,
    crate::restores::RestoreRow,
    Restore,
    "restore",
    |row: &Row| (EventKind::Restore, row.id.0.to_string())
);
// A verification is shown on its backup.
job_table!(
    verification_jobs,
    verifications,
    crate::verifications::VerificationRow,
    Verification,
    "verification",
    |row: &Row| (EventKind::Backup, row.backup_id.0.to_string())
);
