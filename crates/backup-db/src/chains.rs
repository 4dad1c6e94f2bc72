//! Chains of backups that build on each other: what the next one may build on, and what becomes of all that build on one
//! which is missing or damaged.

use std::collections::HashSet;

use backup_core::alert::{Alert, AlertKind, AlertSeverity, CONFIG_DETAIL, NewAlert};
use backup_core::chain::Link;
use backup_core::{Backup, BackupId, BackupSource, BackupType, JobStatus, VerifyLevel, counted};
use diesel::prelude::*;

use crate::backups::{BackupRow, find};
use crate::error::TxResult;
use crate::events::{EventKind, append};
use crate::schema::backups;
use crate::store::Tx;
use crate::types::{Time, Word, count, word};
use crate::{Error, Store};

/// The newest backups that are looked at as a base for the next one.
const NEWEST: i64 = 500;
/// The name of the detail that says which source a broken chain is of.
const SOURCE_DETAIL: &str = "source";
/// The name of the detail that says which backup broke it, by its name.
const BACKUP_DETAIL: &str = "backup";

impl Store {
    /// The newest COMPLETED backups that a configuration has of `source`, and all that those build on: what
    /// [`backup_core::chain::plan`] decides by. Where it has none, the newest of another source.
    pub async fn chain_links(&self, config_key: &str, source: BackupSource) -> Result<Vec<Link>, Error> {
        let config_key = config_key.to_owned();
        self.read("chain_links", move |tx| links(tx, &config_key, source)).await
    }

    /// Says of a COMPLETED backup that what the storage has of it is not what was written: so it cannot be restored, nor can
    /// anything that builds on it. Their verification says so, nothing builds on them any more, and an alert is raised. One
    /// that is gone from the catalog is no error.
    pub async fn condemn_backup(&self, id: BackupId, problem: &str) -> Result<(), Error> {
        let problem = problem.to_owned();
        let how = Finding::Read(VerifyLevel::Checksum);
        self.write("condemn_backup", move |tx| condemn(tx, id, how, &problem))
            .await
    }
}

/// How it came to be known that a backup cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Its stored bytes were read: a verification, which another one may refute.
    Read(VerifyLevel),
    /// It, or one that it builds on, is not there: over once it is.
    Missing,
}

/// See [`Store::chain_links`].
pub(crate) fn links(tx: &mut Tx<'_>, config_key: &str, source: BackupSource) -> TxResult<Vec<Link>> {
    let lost = crate::retention::lost(tx)?;
    let mut known = HashSet::new();
    let mut links: Vec<Link> = Vec::new();
    let mut rows = candidates(tx, config_key, Which::NewestOf(source))?;
    if rows.is_empty() {
        rows = candidates(tx, config_key, Which::Newest)?;
    }
    loop {
        let before = links.len();
        for row in rows {
            if known.insert(row.0.0) {
                links.push(link(row, &lost));
            }
        }
        // What the newest build on may be older; what is not there is not asked for again.
        let bases = links[before..].iter().filter_map(|link| link.base_id);
        let missing: Vec<String> = bases
            .filter(|base| !known.contains(base))
            .map(|base| base.to_string())
            .collect();
        if missing.is_empty() {
            return Ok(links);
        }
        rows = candidates(tx, config_key, Which::These(&missing))?;
    }
}

/// Which backups are asked for.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// The newest [`NEWEST`] of a source.
    NewestOf(BackupSource),
    /// The newest one, of whatever source.
    Newest,
    /// Those of these identifiers.
    These(&'a [String]),
}

type Row = (
    Word<BackupId>,
    Word<BackupType>,
    Word<BackupSource>,
    Time,
    Option<Word<BackupId>>,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn candidates(tx: &mut Tx<'_>, config_key: &str, which: Which<'_>) -> TxResult<Vec<Row>> {
    let mut query = backups::table
        .filter(backups::config_key.eq(config_key))
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::deleting.eq(false))
        .order((backups::created_at.desc(), backups::id.desc()))
        .limit(NEWEST)
        .select((
            backups::id,
            backups::backup_type,
            backups::source,
            backups::created_at,
            backups::base_id,
            backups::size_bytes,
            backups::key_fingerprint,
            backups::verify_error,
            backups::missing,
        ))
        .into_boxed();
    query = match which {
        Which::NewestOf(source) => query.filter(backups::source.eq(source.as_str())),
        Which::Newest => query.limit(1),
        Which::These(ids) => query.filter(backups::id.eq_any(ids)),
    };
    Ok(query.load(tx.db)?)
}

fn link(row: Row, lost: &HashSet<String>) -> Link {
    let (id, backup_type, source, created_at, base_id, size_bytes, key_fingerprint, verify_error, missing) = row;
    Link {
        id: id.0,
        backup_type: backup_type.0,
        source: source.0,
        created_at: created_at.0,
        base_id: word(base_id),
        size_bytes: size_bytes.map_or(0, count),
        key_fingerprint,
        is_good: verify_error.is_none() && missing.is_none() && !lost.contains(&id.0.to_string()),
    }
}

/// See [`Store::condemn_backup`].
pub(crate) fn condemn(tx: &mut Tx<'_>, id: BackupId, how: Finding, problem: &str) -> TxResult<()> {
    match note_all(tx, id, how, problem)? {
        Some((row, dependents)) => tell(tx, &row, dependents, problem),
        None => Ok(()),
    }
}

/// See [`Store::miss_backup`].
pub(crate) fn miss(tx: &mut Tx<'_>, id: BackupId, problem: &str) -> TxResult<()> {
    match note_all(tx, id, Finding::Missing, problem)? {
        Some((row, dependents)) if dependents > 0 => tell(tx, &row, dependents, problem),
        // No chain is broken; that it is gone is told by an alert of its own.
        _ => Ok(()),
    }
}

/// Says of a COMPLETED backup, and of all that build on it, that they cannot be restored, and how many those are.
fn note_all(tx: &mut Tx<'_>, id: BackupId, how: Finding, problem: &str) -> TxResult<Option<(BackupRow, usize)>> {
    let Some(row) = find(tx, id)?.filter(|row| row.status.0 == JobStatus::Completed) else {
        return Ok(None);
    };
    note(tx, id, how, problem)?;
    let dependents = condemn_dependents(tx, id, how, problem)?;
    Ok(Some((row, dependents)))
}

/// A verification found something wrong with a backup, which its row says already.
pub(crate) fn found_broken(tx: &mut Tx<'_>, row: &BackupRow, level: VerifyLevel, problem: &str) -> TxResult<()> {
    match condemn_dependents(tx, row.id.0, Finding::Read(level), problem)? {
        0 => Ok(()),
        dependents => tell(tx, row, dependents, problem),
    }
}

/// Says of all COMPLETED backups that build on this one that they cannot be restored, and how many those are.
fn condemn_dependents(tx: &mut Tx<'_>, id: BackupId, how: Finding, problem: &str) -> TxResult<usize> {
    let problem = inherited(id, problem);
    let mut seen = HashSet::from([id]);
    let mut next = vec![id];
    while let Some(base) = next.pop() {
        let dependents: Vec<Word<BackupId>> = backups::table
            .filter(backups::base_id.eq(base.to_string()))
            .filter(backups::status.eq(JobStatus::Completed.as_str()))
            .select(backups::id)
            .load(tx.db)?;
        for dependent in dependents {
            if seen.insert(dependent.0) {
                note(tx, dependent.0, how, &problem)?;
                next.push(dependent.0);
            }
        }
    }
    Ok(seen.len() - 1)
}

fn note(tx: &mut Tx<'_>, id: BackupId, how: Finding, problem: &str) -> TxResult<()> {
    match how {
        Finding::Read(level) => mark(tx, id, level, Some(problem))?,
        // What its last verification found stays beside it, and holds again once it is back.
        Finding::Missing => {
            diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
                .set(backups::missing.eq(problem))
                .execute(tx.db)?;
        }
    }
    append(tx, EventKind::Backup, &id)
}

/// Writes on a backup what a verification of this level found. While it is broken, the level is that of the most thorough one
/// that found it so: no lesser one may call it good.
pub(crate) fn mark(tx: &mut Tx<'_>, id: BackupId, level: VerifyLevel, problem: Option<&str>) -> TxResult<()> {
    let before = find(tx, id)?.and_then(|row| row.found_broken_at());
    let level = match problem {
        Some(_) => before.map_or(level, |before| before.max(level)),
        None => level,
    };
    diesel::update(backups::table.filter(backups::id.eq(id.to_string())))
        .set((
            backups::verified_at.eq(tx.now.naive_utc()),
            backups::verify_level.eq(level.as_str()),
            backups::verify_error.eq(problem),
        ))
        .execute(tx.db)?;
    Ok(())
}

fn tell(tx: &mut Tx<'_>, row: &BackupRow, dependents: usize, problem: &str) -> TxResult<()> {
    let message = format!(
        "backup {} cannot be restored, nor can the {} it: {problem}",
        row.name,
        counted(dependents, "backup that builds on", "backups that build on")
    );
    let subject = subject(tx, &row.config_key, row.source.0)?;
    let alert = NewAlert::new(AlertKind::ChainBroken, subject, message)
        .severity(AlertSeverity::Critical)
        .with(CONFIG_DETAIL, &row.config_key)
        .with(SOURCE_DETAIL, row.source.0)
        .with(BACKUP_DETAIL, &row.name)
        .with("dependents", dependents)
        .with("error", problem);
    crate::alerts::raise(tx, &alert)?;
    Ok(())
}

/// The subject of the alert about the chains of this source. An earlier version had one alert for all sources of a
/// configuration: where it is still open, and of this source, it is the one that goes on and ends.
fn subject(tx: &mut Tx<'_>, config_key: &str, source: BackupSource) -> TxResult<String> {
    let of_all = crate::alerts::open(tx, AlertKind::ChainBroken, config_key)?;
    let is_of_it = |alert: Alert| alert.details.get(SOURCE_DETAIL).is_some_and(|of| of == source.as_str());
    Ok(if of_all.is_some_and(is_of_it) {
        config_key.to_owned()
    } else {
        format!("{config_key} {source}")
    })
}

/// What was found of its base while a backup was being made holds for the backup too: as long as it was not COMPLETED, nobody
/// could say so of it. Returns why it cannot be restored, as far as is known.
pub(crate) fn inherit(tx: &mut Tx<'_>, backup: &Backup) -> TxResult<Option<String>> {
    let base = match backup.base_id {
        Some(base) => find(tx, base)?,
        None => None,
    };
    let Some(base) = base else { return Ok(None) };
    let level = base.found_broken_at().unwrap_or(VerifyLevel::Checksum);
    let findings = [
        (Finding::Read(level), base.verify_error.as_deref()),
        (Finding::Missing, base.missing.as_deref()),
    ];
    let mut found = None;
    for (how, problem) in findings {
        let Some(problem) = problem else { continue };
        let text = inherited(base.id.0, problem);
        note(tx, backup.id, how, &text)?;
        // Where it broke a chain before, that is told already.
        let subject = subject(tx, &base.config_key, base.source.0)?;
        if crate::alerts::open(tx, AlertKind::ChainBroken, &subject)?.is_none() {
            tell(tx, &base, 1, problem)?;
        }
        found.get_or_insert(text);
    }
    Ok(found)
}

/// What is wrong with a backup because of one that it builds on.
fn inherited(base: BackupId, problem: &str) -> String {
    format!("it builds on backup {base}, which cannot be read: {problem}")
}

/// A good backup has come to be: from here on the configuration has one of this source again, whatever was broken before.
pub(crate) fn mended(
    tx: &mut Tx<'_>,
    config_key: &str,
    source: BackupSource,
    ended: chrono::DateTime<chrono::Utc>,
) -> TxResult<()> {
    let subject = subject(tx, config_key, source)?;
    let broken = crate::alerts::open(tx, AlertKind::ChainBroken, &subject)?;
    if broken.is_some_and(|alert| crate::alerts::is_older(tx, &alert, ended)) {
        crate::alerts::resolve(tx, AlertKind::ChainBroken, &subject)?;
    }
    Ok(())
}

/// What was not there is there again: where it is what broke the chain, the chain is whole.
pub(crate) fn found_again(tx: &mut Tx<'_>, row: &BackupRow) -> TxResult<()> {
    let subject = subject(tx, &row.config_key, row.source.0)?;
    let broken = crate::alerts::open(tx, AlertKind::ChainBroken, &subject)?;
    if broken.is_some_and(|alert| alert.details.get(BACKUP_DETAIL) == Some(&row.name)) {
        crate::alerts::resolve(tx, AlertKind::ChainBroken, &subject)?;
    }
    // A verification that had found nothing but this said no more than that.
    if row.verify_error.is_none() {
        crate::alerts::resolve(tx, AlertKind::VerificationFailed, &row.id.0.to_string())?;
    }
    Ok(())
}

/// Condemns what was brought back from receipts and builds on a backup that was not.
pub(crate) fn condemn_torn(tx: &mut Tx<'_>) -> TxResult<()> {
    let rows: Vec<(Word<BackupId>, Option<Word<BackupId>>)> = backups::table
        .filter(backups::base_id.is_not_null())
        .filter(backups::status.eq(JobStatus::Completed.as_str()))
        .filter(backups::verify_error.is_null())
        .filter(backups::missing.is_null())
        .order((backups::created_at, backups::id))
        .select((backups::id, backups::base_id))
        .load(tx.db)?;
    for (id, base) in rows {
        let Some(base) = word(base) else { continue };
        if !find(tx, base)?.is_some_and(|row| row.status.0 == JobStatus::Completed && !row.deleting) {
            let problem = format!("backup {base}, which it builds on, is not in the storage");
            condemn(tx, id.0, Finding::Missing, &problem)?;
        }
    }
    Ok(())
}
