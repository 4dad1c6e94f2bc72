//! Letting old backups go: the plan is a pure function of the domain; here it is given what there is, and carried out in the
//! transaction that made it, so that nothing can have changed in between.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use backup_core::retention::{Candidate, Decision, Retention, Verdict, plan};
use backup_core::schedule::{Schedule, Zone};
use backup_core::{AlertKind, Backup, BackupId, BackupSource, BackupTrigger, JobStatus, ScheduleId};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::audit::{NewAuditEntry, insert};
use crate::backups::{BackupRow, find as find_backup};
use crate::deletion::{depth, removable};
use crate::error::{TxError, TxResult};
use crate::events::{EventKind, append};
use crate::schedules::find;
use crate::schema::{alerts, backups, retention_clock};
use crate::store::Tx;
use crate::types::{Time, Word, word};
use crate::{Error, Store};

/// Backups that are let go in one transaction; the others go the next time.
pub(crate) const AT_ONCE: usize = 200;

/// How far ahead of what was believed before a clock may be and still be believed.
const LEAP: TimeDelta = TimeDelta::days(1);

/// Whose backups a plan is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetentionScope {
    /// Those of this schedule, read in its zone.
    Schedule(ScheduleId),
    /// All good backups of this configuration, as if one schedule had made them.
    Config(String, Zone),
}

/// A clock that is ahead of all that retention has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leap {
    /// The time that retention goes by.
    pub believed: DateTime<Utc>,
    /// The time that the clock shows.
    pub shown: DateTime<Utc>,
}

impl Store {
    /// What retention would do now, newest backup first, by `policy` or else the schedule's own. Changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Cron`].
    pub async fn plan_retention(
        &self,
        scope: RetentionScope,
        policy: Option<Retention>,
    ) -> Result<Vec<Decision>, Error> {
        self.read("plan_retention", move |tx| {
            let (policy, zone, which) = match &scope {
                RetentionScope::Schedule(id) => {
                    let schedule: Schedule = find(tx, *id)?.ok_or_else(|| Error::not_found("schedule", id))?.into();
                    let zone = schedule.timing().map_err(Error::from)?.1;
                    (policy.unwrap_or(schedule.retention), zone, Which::of(&schedule))
                }
                RetentionScope::Config(key, zone) => (policy.unwrap_or_default(), *zone, Which::Config(key.clone())),
            };
            let candidates = candidates(tx, &which)?;
            let now = believed(tx)?;
            Ok(plan(&policy, zone, &candidates, now))
        })
        .await
    }

    /// Puts tombstones on the backups of a schedule that its retention lets go, as [`Self::begin_delete`] does, with a row in
    /// the audit log for each; backups that it made for another configuration than today's stay. What is being read or
    /// checked at the moment stays until the next time, and so does what that builds on. Gives back what is to be removed
    /// from storage, in that order.
    ///
    /// # Errors
    /// [`Error::Cron`]. A schedule that is gone expires nothing.
    pub async fn expire_backups(&self, id: ScheduleId) -> Result<Vec<Backup>, Error> {
        // Most asks find nothing: those should not queue up with the writers.
        let found = self.read("find_expired", move |tx| Ok(look(tx, id)?.is_some())).await?;
        if !found {
            return Ok(Vec::new());
        }
        self.write("expire_backups", move |tx| {
            let Some(Found {
                schedule,
                expired,
                bases,
                misdated,
            }) = look(tx, id)?
            else {
                return Ok(Vec::new());
            };
            for (id, over) in misdated.iter().take(AT_ONCE) {
                diesel::update(backups::table.filter(backups::id.eq(id)))
                    .set(backups::expires_at.eq(over.map(|over| over.naive_utc())))
                    .execute(tx.db)?;
            }
            let mut needed = HashSet::new();
            let mut let_go = Vec::new();
            for decision in &expired {
                if let_go.len() == AT_ONCE {
                    break;
                }
                let is_needed = needed.contains(&decision.backup_id);
                let gone = if is_needed {
                    None
                } else {
                    let_it_go(tx, &schedule, decision)?
                };
                match gone {
                    Some(backup) => let_go.push(backup),
                    None => needed.extend(bases.get(&decision.backup_id).copied().flatten()),
                }
            }
            Ok(let_go)
        })
        .await
    }

    /// Lets retention believe the clock, by a day at most: to be called about once an hour. Where the clock is further ahead
    /// than that, it says so: then retention goes by the time that it believes, and a wrong clock makes no backup old. After
    /// a long pause it has caught up within hours.
    pub async fn move_retention_clock(&self) -> Result<Option<Leap>, Error> {
        self.write("move_retention_clock", |tx| {
            let believed = believed(tx)?;
            believe(tx, believed)?;
            Ok((believed < tx.now).then_some(Leap {
                believed,
                shown: tx.now,
            }))
        })
        .await
    }
}

/// The time by which backups grow old: that of the clock, but no more than a day ahead of what was believed before.
pub(crate) fn believed(tx: &mut Tx<'_>) -> TxResult<DateTime<Utc>> {
    let before: Option<Time> = retention_clock::table
        .select(retention_clock::at)
        .first(tx.db)
        .optional()?;
    Ok(before.map_or(tx.now, |before| tx.now.min(before.0 + LEAP)))
}

/// From now on retention goes by this time, and by what follows from it.
pub(crate) fn believe(tx: &mut Tx<'_>, at: DateTime<Utc>) -> TxResult<()> {
    diesel::delete(retention_clock::table).execute(tx.db)?;
    diesel::insert_into(retention_clock::table)
        .values((retention_clock::id.eq(1), retention_clock::at.eq(at.naive_utc())))
        .execute(tx.db)?;
    Ok(())
}

/// What there is to do for a schedule.
struct Found {
    schedule: Schedule,
    /// What is let go, in order: the oldest first, but dependents before what they build on. So those that stay, whatever the
    /// reason, and those that are left for the next time never lose their base.
    expired: Vec<Decision>,
    /// What each candidate builds on.
    bases: HashMap<BackupId, Option<BackupId>>,
    /// The backups that show another day than the one on which they are too old, and that day, which changes with the
    /// schedule; none where the schedule is for another configuration by now, or the backup stays.
    misdated: Vec<(String, Option<DateTime<Utc>>)>,
}

/// `None`: nothing is to be done, or the schedule is gone.
fn look(tx: &mut Tx<'_>, id: ScheduleId) -> TxResult<Option<Found>> {
    // What is not known yet may be what keeps a backup: its protection, or another that builds on it.
    if crate::rebuild::is_unfinished(tx)? || crate::pause::is_on(tx)? {
        return Ok(None);
    }
    let Some(row) = find(tx, id)? else { return Ok(None) };
    let schedule: Schedule = row.into();
    let zone = schedule.timing().map_err(Error::from)?.1;
    let candidates = candidates(tx, &Which::of(&schedule))?;
    let now = believed(tx)?;
    let bases: HashMap<BackupId, Option<BackupId>> = candidates.iter().map(|one| (one.id, one.base_id)).collect();
    let mut expired = plan(&schedule.retention, zone, &candidates, now);
    expired.retain(|decision| decision.verdict == Verdict::Expire);
    expired.reverse();
    expired.sort_by_cached_key(|decision| Reverse(depth(&bases, decision.backup_id)));
    let misdated = misdated(tx, &schedule)?;
    Ok((!expired.is_empty() || !misdated.is_empty()).then_some(Found {
        schedule,
        expired,
        bases,
        misdated,
    }))
}

/// Which backups are looked at.
enum Which {
    /// Of this schedule, made for this configuration.
    Schedule(String, String),
    Config(String),
}

impl Which {
    fn of(schedule: &Schedule) -> Self {
        Self::Schedule(schedule.id.to_string(), schedule.config_key.clone())
    }
}

fn candidates(tx: &mut Tx<'_>, which: &Which) -> TxResult<Vec<Candidate>> {
    type Row = (
        Word<BackupId>,
        Word<BackupSource>,
        Word<BackupTrigger>,
        Time,
        bool,
        Option<Word<BackupId>>,
        Option<Word<BackupId>>,
        Option<String>,
        Option<String>,
    );
    let mut query = backups::table
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::deleting.eq(false))
        .select((
            backups::id,
            backups::source,
            backups::trigger,
            backups::created_at,
            backups::protected,
            backups::base_id,
            backups::consolidated_from,
            backups::verify_error,
            backups::missing,
        ))
        .into_boxed();
    query = match which {
        Which::Schedule(id, key) => query
            .filter(backups::schedule_id.eq(id))
            .filter(backups::config_key.eq(key)),
        Which::Config(key) => query.filter(backups::config_key.eq(key)),
    };
    let rows: Vec<Row> = query.load(tx.db)?;
    let ids: HashSet<BackupId> = rows.iter().map(|row| row.0.0).collect();
    let needed = needed(tx, which, &ids)?;
    let lost = lost(tx)?;
    Ok(rows
        .into_iter()
        .map(
            |(id, source, trigger, created_at, protected, base_id, origin, verify_error, missing)| {
                let consolidated_from = word(origin);
                Candidate {
                    id: id.0,
                    source: source.0,
                    created_at: created_at.0,
                    protected: protected || stays(trigger.0, consolidated_from),
                    base_id: word(base_id),
                    consolidated_from,
                    is_good: verify_error.is_none() && missing.is_none() && !lost.contains(&id.0.to_string()),
                    has_outside_dependents: needed.contains(&id.0),
                }
            },
        )
        .collect())
}

/// Whether no schedule lets it go: a full backup that somebody asked to be made of a schedule's is dated and listed as that one,
/// and stays until somebody deletes it.
pub(crate) fn stays(trigger: BackupTrigger, consolidated_from: Option<BackupId>) -> bool {
    trigger == BackupTrigger::Manual && consolidated_from.is_some()
}

/// The candidates that a living backup which is none of them builds on.
fn needed(tx: &mut Tx<'_>, which: &Which, candidates: &HashSet<BackupId>) -> TxResult<HashSet<BackupId>> {
    let living = [JobStatus::Pending, JobStatus::InProgress, JobStatus::Completed].map(JobStatus::as_str);
    let bases = diesel::alias!(backups as bases);
    // One written query for each, since neither database could use an index where a condition may be absent.
    macro_rules! built_on {
        ($mine:expr) => {
            backups::table
                .filter(backups::base_id.eq_any(bases.filter($mine).select(bases.field(backups::id).nullable())))
                .filter(backups::status.eq_any(living))
                .select((backups::id, backups::base_id))
                .load(tx.db)?
        };
    }
    let rows: Vec<(Word<BackupId>, Option<Word<BackupId>>)> = match which {
        Which::Schedule(id, _) => built_on!(bases.field(backups::schedule_id).eq(id)),
        Which::Config(key) => built_on!(bases.field(backups::config_key).eq(key)),
    };
    Ok(rows
        .into_iter()
        .filter(|(id, _)| !candidates.contains(&id.0))
        .filter_map(|(_, base)| word(base))
        .collect())
}

/// The backups that the storage no longer has, by the alerts that say so.
pub(crate) fn lost(tx: &mut Tx<'_>) -> TxResult<HashSet<String>> {
    let subjects: Vec<String> = alerts::table
        .filter(alerts::kind.eq(AlertKind::BackupLost.as_str()))
        .filter(alerts::resolved_at.is_null())
        .select(alerts::subject)
        .load(tx.db)?;
    Ok(subjects.into_iter().collect())
}

fn misdated(tx: &mut Tx<'_>, schedule: &Schedule) -> TxResult<Vec<(String, Option<DateTime<Utc>>)>> {
    type Row = (
        String,
        String,
        Word<BackupTrigger>,
        Time,
        Option<Word<BackupId>>,
        Option<Time>,
    );
    let rows: Vec<Row> = backups::table
        .filter(backups::schedule_id.eq(schedule.id.to_string()))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::deleting.eq(false))
        .select((
            backups::id,
            backups::config_key,
            backups::trigger,
            backups::created_at,
            backups::consolidated_from,
            backups::expires_at,
        ))
        .load(tx.db)?;
    let days = TimeDelta::days(schedule.retention.retention_days.into());
    Ok(rows
        .into_iter()
        .map(|(id, key, trigger, created_at, origin, shown)| {
            let expires = key == schedule.config_key && !stays(trigger.0, word(origin));
            let over = expires.then(|| created_at.0 + days);
            (id, over, shown)
        })
        .filter(|(_, over, shown)| shown.map(|at| at.0) != *over)
        .map(|(id, over, _)| (id, over))
        .collect())
}

fn let_it_go(tx: &mut Tx<'_>, schedule: &Schedule, decision: &Decision) -> TxResult<Option<Backup>> {
    let Some(row) = find_backup(tx, decision.backup_id)? else {
        return Ok(None);
    };
    let rules: Vec<&str> = decision.rules.iter().map(|rule| rule.as_str()).collect();
    let why = format!("排程 {}：{}", schedule.name, rules.join("、"));
    expire(tx, row, &why)
}

/// Puts a tombstone on a backup whose time is over, and writes it into the audit log; `None`: it is protected or in use.
pub(crate) fn expire(tx: &mut Tx<'_>, row: BackupRow, why: &str) -> TxResult<Option<Backup>> {
    let id = row.id.0;
    match removable(tx, &row) {
        Ok(()) => {}
        Err(TxError::Domain(Error::InUse { .. } | Error::Protected(_) | Error::Running(_))) => return Ok(None),
        Err(error) => return Err(error),
    }
    diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
        .set(backups::deleting.eq(true))
        .execute(tx.db)?;
    append(tx, EventKind::Backup, &id)?;
    insert(
        tx,
        &NewAuditEntry {
            user_id: None,
            action: "BACKUP_EXPIRE".to_owned(),
            resource_type: "Backup".to_owned(),
            resource_id: Some(id.to_string()),
            description: format!("刪除過期備份: {}（{why}）", row.name),
            address: None,
        },
    )?;
    Ok(Some(Backup {
        deleting: true,
        ..row.into()
    }))
}
