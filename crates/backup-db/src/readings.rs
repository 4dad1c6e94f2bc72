//! Who reads a backup's file at the moment: such a backup is not deleted. A reading runs out by itself where its reader died.

use std::time::Duration;

use backup_core::{BackupId, ReadingId};
use diesel::prelude::*;

use crate::backups::{completed, find};
use crate::error::TxResult;
use crate::jobs::add;
use crate::schema::backup_readings;
use crate::store::Tx;
use crate::types::Word;
use crate::{Error, Store};

impl Store {
    /// Begins to read a backup: for `hold` from now it is not deleted. Readings that ran out are removed by the way.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is gone or being deleted, [`Error::WrongState`] where it is not COMPLETED.
    pub async fn begin_reading(&self, backup: BackupId, hold: Duration) -> Result<ReadingId, Error> {
        self.write("begin_reading", move |tx| {
            completed(tx, backup)?;
            diesel::delete(backup_readings::table.filter(backup_readings::expires_at.le(tx.now.naive_utc())))
                .execute(tx.db)?;
            let id: ReadingId = tx.id()?;
            diesel::insert_into(backup_readings::table)
                .values((
                    backup_readings::id.eq(id.to_string()),
                    backup_readings::backup_id.eq(backup.to_string()),
                    backup_readings::expires_at.eq(add(tx.now, hold).naive_utc()),
                ))
                .execute(tx.db)?;
            Ok(id)
        })
        .await
    }

    /// Goes on reading for `hold` from now. `false`: it had run out, and the backup is being deleted or may be gone.
    pub async fn keep_reading(&self, id: ReadingId, hold: Duration) -> Result<bool, Error> {
        self.write("keep_reading", move |tx| {
            let backup: Option<Word<BackupId>> = backup_readings::table
                .filter(backup_readings::id.eq(id.to_string()))
                .select(backup_readings::backup_id)
                .first(tx.db)
                .optional()?;
            let Some(backup) = backup else { return Ok(false) };
            // Once it had run out, a deletion may have begun that no longer waits for it.
            if find(tx, backup.0)?.is_none_or(|row| row.deleting) {
                return Ok(false);
            }
            let rows = diesel::update(backup_readings::table.filter(backup_readings::id.eq(id.to_string())))
                .set(backup_readings::expires_at.eq(add(tx.now, hold).naive_utc()))
                .execute(tx.db)?;
            Ok(rows > 0)
        })
        .await
    }

    /// Ends a reading.
    pub async fn end_reading(&self, id: ReadingId) -> Result<(), Error> {
        self.write("end_reading", move |tx| {
            diesel::delete(backup_readings::table.filter(backup_readings::id.eq(id.to_string()))).execute(tx.db)?;
            Ok(())
        })
        .await
    }
}

/// The identifiers of who reads this backup now.
pub(crate) fn of(tx: &mut Tx<'_>, backup: BackupId) -> TxResult<Vec<String>> {
    Ok(backup_readings::table
        .filter(backup_readings::backup_id.eq(backup.to_string()))
        .filter(backup_readings::expires_at.gt(tx.now.naive_utc()))
        .select(backup_readings::id)
        .load(tx.db)?)
}
