//! What one process at a time does, so that many of them do not do it at once, nor contradict each other.

use std::time::Duration;

use diesel::prelude::*;

use crate::jobs::add;
use crate::schema::turns;
use crate::{Error, Store};

impl Store {
    /// Whether it is `owner`'s turn to do what is called `name`, which it is then for `hold` from now. It is until the owner
    /// does not ask for so long; then it is that of whoever asks first.
    pub async fn take_turn(&self, name: &'static str, owner: &str, hold: Duration) -> Result<bool, Error> {
        let owner = owner.to_owned();
        self.write("take_turn", move |tx| {
            let mine = turns::table.filter(turns::name.eq(name)).filter(
                turns::owner
                    .eq(&owner)
                    .or(turns::expires_at.le(tx.now.naive_utc()))
                    // A clock that was ahead must not keep everybody else from it.
                    .or(turns::expires_at.gt(add(tx.now, hold * 2).naive_utc())),
            );
            let until = add(tx.now, hold).naive_utc();
            let taken = diesel::update(mine)
                .set((turns::owner.eq(&owner), turns::expires_at.eq(until)))
                .execute(tx.db)?;
            if taken > 0 {
                return Ok(true);
            }
            let others: i64 = turns::table.filter(turns::name.eq(name)).count().get_result(tx.db)?;
            if others > 0 {
                return Ok(false);
            }
            diesel::insert_into(turns::table)
                .values((
                    turns::name.eq(name),
                    turns::owner.eq(&owner),
                    turns::expires_at.eq(until),
                ))
                .execute(tx.db)?;
            Ok(true)
        })
        .await
    }

    /// Gives a turn back, for somebody else to take at once.
    pub async fn end_turn(&self, name: &'static str, owner: &str) -> Result<(), Error> {
        let owner = owner.to_owned();
        self.write("end_turn", move |tx| {
            diesel::delete(
                turns::table
                    .filter(turns::name.eq(name))
                    .filter(turns::owner.eq(&owner)),
            )
            .execute(tx.db)?;
            Ok(())
        })
        .await
    }
}
