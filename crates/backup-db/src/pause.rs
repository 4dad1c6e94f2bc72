//! The whole system at rest. One row says of the newest pause who began it, when and why, and when it was over.

use backup_core::UserId;
use backup_core::alert::{AlertKind, NewAlert};
use backup_core::pause::SystemPause;
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;

use crate::alerts::{raise, resolve};
use crate::error::TxResult;
use crate::schema::{system_pause, users};
use crate::store::Tx;
use crate::types::{Time, Word, word};
use crate::{Error, Store};

impl Store {
    /// Pauses the system from now on, until [`Self::resume_system`]: no job is taken up, no schedule fires, no backup expires.
    /// What runs goes on. An alert is open meanwhile, so that nobody forgets it.
    ///
    /// # Errors
    /// [`Error::PausedAlready`].
    pub async fn pause_system(&self, reason: &str, by: Option<UserId>) -> Result<SystemPause, Error> {
        let reason = reason.to_owned();
        self.write("pause_system", move |tx| {
            if is_on(tx)? {
                return Err(Error::PausedAlready.into());
            }
            diesel::delete(system_pause::table).execute(tx.db)?;
            diesel::insert_into(system_pause::table)
                .values((
                    system_pause::id.eq(1),
                    system_pause::paused_at.eq(tx.now.naive_utc()),
                    system_pause::paused_by.eq(by.map(|id| id.to_string())),
                    system_pause::reason.eq(&reason),
                ))
                .execute(tx.db)?;
            let pause = current(tx)?.ok_or(Error::NotPaused)?;
            let by = pause.paused_by_name.as_deref().unwrap_or("-");
            let since = tx.now.to_rfc3339_opts(SecondsFormat::Secs, true);
            let alert = NewAlert::new(
                AlertKind::SystemPaused,
                "",
                format!("{by} has paused the system: {reason}"),
            )
            .with("since", since)
            .with("by", by)
            .with("reason", &reason);
            raise(tx, &alert)?;
            Ok(pause)
        })
        .await
    }

    /// Ends the pause: jobs are taken up again, and each schedule that would have fired meanwhile fires once. Gives back the
    /// pause that is over.
    ///
    /// # Errors
    /// [`Error::NotPaused`].
    pub async fn resume_system(&self) -> Result<SystemPause, Error> {
        self.write("resume_system", |tx| {
            let pause = current(tx)?.ok_or(Error::NotPaused)?;
            diesel::update(system_pause::table)
                .set(system_pause::resumed_at.eq(tx.now.naive_utc()))
                .execute(tx.db)?;
            resolve(tx, AlertKind::SystemPaused, "")?;
            Ok(pause)
        })
        .await
    }

    /// The pause, while there is one.
    pub async fn system_pause(&self) -> Result<Option<SystemPause>, Error> {
        self.read("system_pause", current).await
    }
}

/// Whether the system is paused.
pub(crate) fn is_on(tx: &mut Tx<'_>) -> TxResult<bool> {
    let rows: i64 = system_pause::table
        .filter(system_pause::resumed_at.is_null())
        .count()
        .get_result(tx.db)?;
    Ok(rows > 0)
}

/// The pause, while there is one.
pub(crate) fn current(tx: &mut Tx<'_>) -> TxResult<Option<SystemPause>> {
    type Row = (Time, Option<Word<UserId>>, Option<String>, String);
    let row: Option<Row> = system_pause::table
        .left_join(users::table.on(users::id.nullable().eq(system_pause::paused_by)))
        .filter(system_pause::resumed_at.is_null())
        .select((
            system_pause::paused_at,
            system_pause::paused_by,
            users::display_name.nullable(),
            system_pause::reason,
        ))
        .first(tx.db)
        .optional()?;
    Ok(row.map(|(paused_at, paused_by, paused_by_name, reason)| SystemPause {
        paused_at: paused_at.0,
        paused_by: word(paused_by),
        paused_by_name,
        reason,
    }))
}

/// From when to when the newest pause was, where it is over.
pub(crate) fn last(tx: &mut Tx<'_>) -> TxResult<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    let row: Option<(Time, Option<Time>)> = system_pause::table
        .select((system_pause::paused_at, system_pause::resumed_at))
        .first(tx.db)
        .optional()?;
    Ok(row.and_then(|(from, to)| Some((from.0, to?.0))))
}
