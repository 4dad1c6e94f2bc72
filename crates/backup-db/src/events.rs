//! What changed, in order: each change of a row that people watch appends an event in the same transaction.

use backup_core::text_enum;
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::error::TxResult;
use crate::pool::Db;
use crate::schema::{event_counter, events};
use crate::store::Tx;
use crate::types::{Time, Word};
use crate::{Error, Store};

/// How many events are kept. Whoever missed more than these reads everything anew.
pub const EVENTS_KEPT: i64 = 10_000;

text_enum! {
    /// What an event is about.
    pub enum EventKind {
        /// A backup was made, changed, verified or removed.
        Backup => "backup",
        /// A restore was made or changed.
        Restore => "restore",
        /// A schedule was made, changed, removed, or fired.
        Schedule => "schedule",
        /// An alert was raised, acknowledged or resolved.
        Alert => "alert",
    }
}

/// A row has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its place in the order of all changes; grows by one.
    pub seq: i64,
    /// What it is about.
    pub kind: EventKind,
    /// The identifier of the row, which may be gone by now.
    pub id: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Store {
    /// The events after `seq`, oldest first, at most `limit`. Where the first one's `seq` is not `seq + 1`, some were
    /// already trimmed and the caller should read everything anew.
    pub async fn events_after(&self, seq: i64, limit: u32) -> Result<Vec<Event>, Error> {
        self.read("events_after", move |tx| {
            let rows: Vec<(i64, Word<EventKind>, String, Time)> = events::table
                .filter(events::seq.gt(seq))
                .order(events::seq)
                .limit(i64::from(limit))
                .select((events::seq, events::kind, events::subject_id, events::at))
                .load(tx.db)?;
            Ok(rows
                .into_iter()
                .map(|(seq, kind, id, at)| Event {
                    seq,
                    kind: kind.0,
                    id,
                    at: at.0,
                })
                .collect())
        })
        .await
    }

    /// The place of the newest event; 0 before the first.
    pub async fn last_event_seq(&self) -> Result<i64, Error> {
        self.glance("last_event_seq", last_seq).await
    }
}

pub(crate) fn last_seq(tx: &mut Tx<'_>) -> TxResult<i64> {
    Ok(event_counter::table.select(event_counter::last_seq).first(tx.db)?)
}

/// Appends an event.
pub(crate) fn append(tx: &mut Tx<'_>, kind: EventKind, id: &impl ToString) -> TxResult<()> {
    append_all(tx, &[(kind, id.to_string())])
}

/// Appends events, in this order. The counter's row is changed in the same transaction, so that events commit in the order
/// of `seq`.
pub(crate) fn append_all(tx: &mut Tx<'_>, changed: &[(EventKind, String)]) -> TxResult<()> {
    let many = changed.len() as i64;
    if many == 0 {
        return Ok(());
    }
    let last: i64 = diesel::update(event_counter::table)
        .set(event_counter::last_seq.eq(event_counter::last_seq + many))
        .returning(event_counter::last_seq)
        .get_result(tx.db)?;
    let at = tx.now.naive_utc();
    let rows: Vec<_> = changed
        .iter()
        .zip(last - many + 1..)
        .map(|((kind, id), seq)| {
            (
                events::seq.eq(seq),
                events::kind.eq(kind.as_str()),
                events::subject_id.eq(id),
                events::at.eq(at),
            )
        })
        .collect();
    // One journey to the server for all; a single one goes by a statement that is prepared once.
    if many > 1
        && let Db::Pg(connection) = tx.db
    {
        diesel::insert_into(events::table).values(rows).execute(connection)?;
    } else {
        for row in rows {
            diesel::insert_into(events::table).values(row).execute(tx.db)?;
        }
    }
    diesel::delete(events::table.filter(events::seq.le(last - EVENTS_KEPT))).execute(tx.db)?;
    Ok(())
}
