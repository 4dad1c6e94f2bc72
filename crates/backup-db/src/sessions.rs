//! Log-in sessions. The catalog holds a hash of each secret and never the secret.

use backup_core::user::{Session, User};
use backup_core::{SessionId, UserId};
use chrono::{DateTime, Utc};
use diesel::prelude::*;

use crate::schema::{sessions, users};
use crate::types::{Time, Word};
use crate::users::UserRow;
use crate::{Error, Store};

impl Store {
    /// Begins a session of a user, until `expires_at`. Sessions that have run out are removed by the way.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the user is gone.
    pub async fn create_session(
        &self,
        user_id: UserId,
        secret_hash: &str,
        expires_at: DateTime<Utc>,
    ) -> Result<Session, Error> {
        let secret_hash = secret_hash.to_owned();
        self.write("create_session", move |tx| {
            if crate::users::find(tx, user_id)?.is_none() {
                return Err(Error::not_found("user", &user_id).into());
            }
            diesel::delete(sessions::table.filter(sessions::expires_at.le(tx.now.naive_utc()))).execute(tx.db)?;
            let session = Session {
                id: tx.id()?,
                user_id,
                created_at: tx.now,
                expires_at,
            };
            diesel::insert_into(sessions::table)
                .values((
                    sessions::id.eq(session.id.to_string()),
                    sessions::user_id.eq(user_id.to_string()),
                    sessions::secret_hash.eq(&secret_hash),
                    sessions::created_at.eq(tx.now.naive_utc()),
                    sessions::expires_at.eq(expires_at.naive_utc()),
                ))
                .execute(tx.db)?;
            Ok(session)
        })
        .await
    }

    /// The session of this secret and its user, where it has not run out and the user may log in.
    pub async fn find_session(&self, secret_hash: &str) -> Result<Option<(Session, User)>, Error> {
        type Row = (Word<SessionId>, Word<UserId>, Time, Time);
        let secret_hash = secret_hash.to_owned();
        self.glance("find_session", move |tx| {
            let row: Option<(Row, UserRow)> = sessions::table
                .inner_join(users::table.on(users::id.eq(sessions::user_id)))
                .filter(sessions::secret_hash.eq(&secret_hash))
                .filter(sessions::expires_at.gt(tx.now.naive_utc()))
                .filter(users::is_active.eq(true))
                .select((
                    (
                        sessions::id,
                        sessions::user_id,
                        sessions::created_at,
                        sessions::expires_at,
                    ),
                    UserRow::as_select(),
                ))
                .first(tx.db)
                .optional()?;
            Ok(row.map(|((id, user_id, created_at, expires_at), user)| {
                let session = Session {
                    id: id.0,
                    user_id: user_id.0,
                    created_at: created_at.0,
                    expires_at: expires_at.0,
                };
                (session, user.into())
            }))
        })
        .await
    }

    /// Ends a session. `false`: it had ended already.
    pub async fn delete_session(&self, id: SessionId) -> Result<bool, Error> {
        self.write("delete_session", move |tx| {
            Ok(diesel::delete(sessions::table.filter(sessions::id.eq(id.to_string()))).execute(tx.db)? > 0)
        })
        .await
    }

    /// Ends every session of a user.
    pub async fn delete_sessions_of(&self, user_id: UserId) -> Result<(), Error> {
        self.write("delete_sessions_of", move |tx| {
            diesel::delete(sessions::table.filter(sessions::user_id.eq(user_id.to_string()))).execute(tx.db)?;
            Ok(())
        })
        .await
    }
}
