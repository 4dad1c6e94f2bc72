//! Taking up jobs: which one is next, and what holds one back.
//!
//! Restores go first, with the backups that they wait for, since somebody waits for them; then verifications, which are
//! short; then backups. Of each of the latter two, the configurations take turns, so that one with a thousand jobs keeps no
//! other waiting. Limits hold back what is routine, and never a restore. All of it is settled in the transaction that takes
//! the job up, and writers take turns: so no limit is passed by two workers at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backup_core::alert::NewAlert;
use backup_core::config::BackupConfig;
use backup_core::schedule::Schedule;
use backup_core::{BackupId, BackupTrigger, JobStatus, ScheduleId};
use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Text, Timestamp};

use crate::alerts::raise;
use crate::dialect::on_db;
use crate::error::TxResult;
use crate::jobs::{ClaimedJob, JobKind, for_kind};
use crate::leases::restore_jobs;
use crate::pool::Db;
use crate::schedules::ScheduleRow;
use crate::schema::{backup_schedules, backups, config_turns, restore_records};
use crate::store::Tx;
use crate::types::{Time, Word, time};
use crate::verbatim::verbatim;
use crate::{Error, Store};

/// What the storage of a configuration is called; none is one that the catalog does not hold. Those of one name share it.
pub type StorageName = Arc<dyn Fn(Option<&BackupConfig>) -> String + Send + Sync>;

/// How many jobs may run at once on one storage, whichever configurations they belong to.
#[derive(Clone)]
pub struct StorageLimit {
    /// So many, restores among them; these are not held back.
    pub max_jobs: u32,
    /// Which storage is whose.
    pub name: StorageName,
}

/// Backups that are put off in one transaction: others may write in between.
const PUT_OFF_AT_ONCE: u32 = 50;

/// What saves something new goes before what is made of backups that are there: that one is dated as its origin, so by its date
/// it would always be first.
const MADE_FIRST: [&str; 2] = [
    " AND due.consolidated_from IS NULL",
    " AND due.consolidated_from IS NOT NULL",
];

/// A job to take up.
struct Next {
    kind: JobKind,
    id: String,
    taken_over: bool,
}

impl Store {
    /// Takes up the next job, for `lease_for` at first. A job whose lease ran out counts as waiting and comes with
    /// `taken_over`; one that was taken up more than `max_attempts` times comes with `exhausted`, so that it is ended and not
    /// forgotten. A schedule's backup outside of its hours is put off until they begin. `None`: there is nothing to do, what there is has to wait for a place, or the system is
    /// paused.
    pub async fn claim_job(
        &self,
        worker: &str,
        lease_for: Duration,
        max_attempts: u32,
        storage: Option<&StorageLimit>,
    ) -> Result<Option<ClaimedJob>, Error> {
        let (worker, storage) = (worker.to_owned(), storage.cloned());
        // Most asks find nothing: those should not queue up with the writers. What is found is asked for a second time among
        // them: by then another may have it, or the limits may be reached, which hold only where a job is taken up.
        let limit = storage.clone();
        let found = self
            .read("find_job", move |tx| Ok(next(tx, limit.as_ref())?.is_some()))
            .await?;
        if !found {
            return Ok(None);
        }
        self.write("claim_job", move |tx| {
            for _ in 0..PUT_OFF_AT_ONCE {
                let Some(Next { kind, id, taken_over }) = next(tx, storage.as_ref())? else {
                    return Ok(None);
                };
                if kind == JobKind::Backup && !taken_over && put_off(tx, &id)? {
                    continue;
                }
                return for_kind!(kind, jobs => jobs::take(tx, id, taken_over, &worker, lease_for, max_attempts));
            }
            // The others have their turn at the next ask.
            Ok(None)
        })
        .await
    }
}

/// Whether a schedule's backup came outside of the hours in which it may start: then it waits until they begin. That nobody
/// took it up in the hours that it had waited for is told.
fn put_off(tx: &mut Tx<'_>, id: &str) -> TxResult<bool> {
    type Row = (ScheduleRow, Time, Option<Time>, Option<Word<BackupId>>);
    let row: Option<Row> = backups::table
        .inner_join(backup_schedules::table.on(backup_schedules::id.nullable().eq(backups::schedule_id)))
        .filter(backups::id.eq(id))
        .filter(backups::trigger.eq(BackupTrigger::Scheduled.as_str()))
        .filter(backup_schedules::start_window.is_not_null())
        .select((
            ScheduleRow::as_select(),
            backups::created_at,
            backups::run_after,
            backups::consolidated_from,
        ))
        .first(tx.db)
        .optional()?;
    let Some((row, created_at, run_after, consolidated_from)) = row else {
        return Ok(false);
    };
    let schedule = Schedule::from(row);
    let opens_at = schedule.opens_at(tx.now);
    if opens_at <= tx.now {
        return Ok(false);
    }
    let could_start_at = schedule.opens_at(time(run_after).unwrap_or(created_at.0));
    // What is made of another saves nothing new. What no longer fires has nothing to be worried about, nor anything to end it.
    if could_start_at <= tx.now && consolidated_from.is_none() && schedule.is_enabled {
        raise(tx, &NewAlert::hours_missed(&schedule, created_at.0))?;
    }
    diesel::update(backups::table.filter(backups::id.eq(id)))
        .set(backups::run_after.eq(opens_at.naive_utc()))
        .execute(tx.db)?;
    Ok(true)
}

/// The hours of a schedule have changed: what it asked for is put off anew, where it still has to be.
pub(crate) fn forget_put_off(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<()> {
    diesel::update(
        backups::table
            .filter(backups::schedule_id.eq(id.to_string()))
            .filter(backups::status.eq(JobStatus::Pending.as_str()))
            .filter(backups::attempts.eq(0)),
    )
    .set(backups::run_after.eq(None::<NaiveDateTime>))
    .execute(tx.db)?;
    Ok(())
}

/// The job that is next.
fn next(tx: &mut Tx<'_>, storage: Option<&StorageLimit>) -> TxResult<Option<Next>> {
    if crate::pause::is_on(tx)? {
        return Ok(None);
    }
    let job = |kind, taken_over| move |id| Next { kind, id, taken_over };
    if let Some(id) = restore_jobs::expired(tx)? {
        return Ok(Some(job(JobKind::Restore, true)(id)));
    }
    if let Some(id) = waiting_restore(tx)? {
        return Ok(Some(job(JobKind::Restore, false)(id)));
    }
    if let Some(id) = expired_before_restore(tx)? {
        return Ok(Some(job(JobKind::Backup, true)(id)));
    }
    if let Some(id) = backup_before_restore(tx)? {
        return Ok(Some(job(JobKind::Backup, false)(id)));
    }
    for (kind, table, kinds) in [
        (JobKind::Verification, "verifications", &[""][..]),
        (JobKind::Backup, "backups", &MADE_FIRST[..]),
    ] {
        // It has a place already.
        if let Some(id) = for_kind!(kind, jobs => jobs::expired(tx)?) {
            return Ok(Some(job(kind, true)(id)));
        }
        let now = tx.now.naive_utc();
        let oldest = Oldest { table, kinds, now }.load(tx.db)?;
        if let Some(id) = whose_turn(tx, oldest, storage)? {
            return Ok(Some(job(kind, false)(id)));
        }
    }
    Ok(None)
}

/// The restore that has waited longest and is ready: none of which the PRE_RESTORE backup has not ended.
fn waiting_restore(tx: &mut Tx<'_>) -> TxResult<Option<String>> {
    let active = [JobStatus::Pending, JobStatus::InProgress].map(JobStatus::as_str);
    let backups_to_come = backups::table
        .filter(backups::status.eq_any(active))
        .select(backups::id.nullable());
    Ok(restore_records::table
        .filter(restore_records::status.eq(JobStatus::Pending.as_str()))
        .filter(
            restore_records::run_after
                .is_null()
                .or(restore_records::run_after.le(tx.now.naive_utc())),
        )
        .filter(
            restore_records::safety_backup_id
                .is_null()
                .or(restore_records::safety_backup_id.ne_all(backups_to_come)),
        )
        .order((restore_records::created_at, restore_records::id))
        .select(restore_records::id)
        .first(tx.db)
        .optional()?)
}

/// The backup that a restore waits for, the oldest first.
fn backup_before_restore(tx: &mut Tx<'_>) -> TxResult<Option<String>> {
    // As the index of them says it.
    let waits = verbatim::<Bool>("status = 'PENDING' AND \"trigger\" = 'PRE_RESTORE'");
    Ok(backups::table
        .filter(waits)
        .filter(
            backups::run_after
                .is_null()
                .or(backups::run_after.le(tx.now.naive_utc())),
        )
        .order((backups::created_at, backups::id))
        .select(backups::id)
        .first(tx.db)
        .optional()?)
}

/// The same of those whose worker is gone.
fn expired_before_restore(tx: &mut Tx<'_>) -> TxResult<Option<String>> {
    Ok(backups::table
        .filter(backups::status.eq(JobStatus::InProgress.as_str()))
        .filter(backups::trigger.eq(BackupTrigger::PreRestore.as_str()))
        .filter(backups::lease_expires_at.le(tx.now.naive_utc()))
        .order((backups::created_at, backups::id))
        .select(backups::id)
        .first(tx.db)
        .optional()?)
}

/// Of the jobs that have waited longest, one of each configuration, the one whose turn it is: of those that have a place,
/// the one of the configuration of which fewest run; of several, of the one that had its turn longest ago.
fn whose_turn(tx: &mut Tx<'_>, waiting: Vec<Waiting>, storage: Option<&StorageLimit>) -> TxResult<Option<String>> {
    if waiting.is_empty() {
        return Ok(None);
    }
    let configs = crate::configs::all(tx)?;
    let is_free = storage.is_none() && configs.iter().all(|config| config.max_concurrent_jobs.is_none());
    if is_free && waiting.len() == 1 {
        return Ok(waiting.into_iter().next().map(|(_, id, _)| id));
    }
    let running = running(tx)?;
    let taken: HashMap<String, Time> = config_turns::table.load(tx.db)?.into_iter().collect();
    let places = Places::new(&configs, &running, storage);
    Ok(waiting
        .into_iter()
        .filter(|(key, ..)| places.has_one(key))
        .min_by_key(|(key, id, asked_at)| {
            let turn: Option<DateTime<Utc>> = taken.get(key).map(|at| at.0);
            (running.get(key).copied().unwrap_or(0), turn, asked_at.0, id.clone())
        })
        .map(|(_, id, _)| id))
}

/// How many jobs of each configuration run, of all kinds.
fn running(tx: &mut Tx<'_>) -> TxResult<HashMap<String, u32>> {
    let mut all = HashMap::new();
    for kind in [JobKind::Restore, JobKind::Verification, JobKind::Backup] {
        for (key, jobs) in for_kind!(kind, jobs => jobs::running(tx)?) {
            *all.entry(key).or_insert(0) += crate::types::small(jobs);
        }
    }
    Ok(all)
}

/// What the limits leave room for.
struct Places<'a> {
    configs: &'a [BackupConfig],
    running: &'a HashMap<String, u32>,
    storage: Option<(&'a StorageLimit, HashMap<String, u32>)>,
}

impl<'a> Places<'a> {
    fn new(configs: &'a [BackupConfig], running: &'a HashMap<String, u32>, storage: Option<&'a StorageLimit>) -> Self {
        let storage = storage.map(|limit| {
            let mut on = HashMap::new();
            for (key, jobs) in running {
                *on.entry((limit.name)(find(configs, key))).or_insert(0) += jobs;
            }
            (limit, on)
        });
        Self {
            configs,
            running,
            storage,
        }
    }

    /// Whether one more job of this configuration may run.
    fn has_one(&self, key: &str) -> bool {
        let config = find(self.configs, key);
        let limit = config.and_then(|config| config.max_concurrent_jobs);
        let of_config = limit.is_none_or(|limit| self.running.get(key).is_none_or(|jobs| *jobs < limit));
        of_config
            && self
                .storage
                .as_ref()
                .is_none_or(|(limit, on)| on.get(&(limit.name)(config)).is_none_or(|jobs| *jobs < limit.max_jobs))
    }
}

fn find<'a>(configs: &'a [BackupConfig], key: &str) -> Option<&'a BackupConfig> {
    configs.iter().find(|config| config.key == key)
}

/// A job of this configuration has been taken up: the others have their turn first.
pub(crate) fn had_turn(tx: &mut Tx<'_>, config_key: &str) -> TxResult<()> {
    let taken_at = config_turns::taken_at.eq(tx.now.naive_utc());
    on_db!(tx.db, |connection| diesel::insert_into(config_turns::table)
        .values((config_turns::config_key.eq(config_key), taken_at))
        .on_conflict(config_turns::config_key)
        .do_update()
        .set(taken_at)
        .execute(connection))?;
    Ok(())
}

/// A configuration, the job of it that has waited longest, and since when.
type Waiting = (String, String, Time);

/// Of each configuration, the job of a table that has waited longest and is due.
struct Oldest {
    table: &'static str,
    /// Conditions: what meets the first goes before what meets the second.
    kinds: &'static [&'static str],
    now: NaiveDateTime,
}

/// The configurations are gone through by the index of what waits, from each to the next one, so that it takes as long as
/// there are configurations, and not jobs. The query builder has no words for it.
impl<DB> QueryFragment<DB> for Oldest
where
    DB: Backend + HasSqlType<Timestamp>,
    NaiveDateTime: ToSql<Timestamp, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let table = self.table;
        out.push_sql("WITH RECURSIVE configs (config_key) AS (SELECT MIN(config_key) FROM ");
        out.push_sql(table);
        out.push_sql(" WHERE status = 'PENDING' UNION ALL SELECT (SELECT MIN(job.config_key) FROM ");
        out.push_sql(table);
        out.push_sql(" job WHERE job.status = 'PENDING' AND job.config_key > configs.config_key)");
        out.push_sql(" FROM configs WHERE configs.config_key IS NOT NULL)");
        out.push_sql(" SELECT job.config_key, job.id, job.created_at FROM configs JOIN ");
        out.push_sql(table);
        out.push_sql(" job ON job.id = COALESCE(");
        for which in self.kinds {
            out.push_sql("(SELECT due.id FROM ");
            out.push_sql(table);
            out.push_sql(" due WHERE due.status = 'PENDING' AND due.config_key = configs.config_key");
            out.push_sql(which);
            out.push_sql(" AND (due.run_after IS NULL OR due.run_after <= ");
            out.push_bind_param::<Timestamp, _>(&self.now)?;
            out.push_sql(") ORDER BY due.created_at, due.id LIMIT 1), ");
        }
        out.push_sql("NULL)");
        Ok(())
    }
}

impl QueryId for Oldest {
    type QueryId = ();
    // The type does not tell the table: statements are told apart by their text, and prepared once.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Oldest {
    type SqlType = (Text, Text, Timestamp);
}

impl RunQueryDsl<Db> for Oldest {}
