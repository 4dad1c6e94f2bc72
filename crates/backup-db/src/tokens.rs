//! API tokens. The catalog holds a hash of each secret and never the secret.

use backup_core::user::{ApiToken, Role, TokenScope};
use backup_core::{TokenId, UserId};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::schema::{api_tokens, users};
use crate::types::{Time, Word, time, word};
use crate::{Error, Store};

/// How exactly the last use of a token is known: a write for each request would be too much.
const USE_EXACTNESS: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = api_tokens)]
struct TokenRow {
    id: Word<TokenId>,
    name: String,
    scope: Word<TokenScope>,
    created_by: Option<Word<UserId>>,
    created_at: Time,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
}

impl From<TokenRow> for ApiToken {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            scope: row.scope.0,
            created_by: word(row.created_by),
            created_at: row.created_at.0,
            expires_at: time(row.expires_at),
            last_used_at: time(row.last_used_at),
        }
    }
}

impl Store {
    /// Makes a token whose secret has this hash.
    pub async fn create_token(
        &self,
        name: &str,
        secret_hash: &str,
        scope: TokenScope,
        created_by: Option<UserId>,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<ApiToken, Error> {
        let (name, secret_hash) = (name.to_owned(), secret_hash.to_owned());
        self.write("create_token", move |tx| {
            let token = ApiToken {
                id: tx.id()?,
                name: name.clone(),
                scope,
                created_by,
                created_at: tx.now,
                expires_at,
                last_used_at: None,
            };
            diesel::insert_into(api_tokens::table)
                .values((
                    api_tokens::id.eq(token.id.to_string()),
                    api_tokens::name.eq(&name),
                    api_tokens::secret_hash.eq(&secret_hash),
                    api_tokens::scope.eq(scope.as_str()),
                    api_tokens::created_by.eq(created_by.map(|id| id.to_string())),
                    api_tokens::created_at.eq(tx.now.naive_utc()),
                    api_tokens::expires_at.eq(expires_at.map(|at| at.naive_utc())),
                ))
                .execute(tx.db)?;
            Ok(token)
        })
        .await
    }

    /// The token of this secret, where it has not run out and who made it may still log in; its scope is never more than
    /// what that person may do. Notes that it was used, to the minute.
    pub async fn use_token(&self, secret_hash: &str) -> Result<Option<ApiToken>, Error> {
        let secret_hash = secret_hash.to_owned();
        let found = self
            .glance("find_token", move |tx| {
                let row: Option<(TokenRow, Option<Word<Role>>, Option<bool>)> = api_tokens::table
                    .left_join(users::table.on(users::id.nullable().eq(api_tokens::created_by)))
                    .filter(api_tokens::secret_hash.eq(&secret_hash))
                    .filter(
                        api_tokens::expires_at
                            .is_null()
                            .or(api_tokens::expires_at.gt(tx.now.naive_utc())),
                    )
                    .select((
                        TokenRow::as_select(),
                        users::role.nullable(),
                        users::is_active.nullable(),
                    ))
                    .first(tx.db)
                    .optional()?;
                let Some((row, role, is_active)) = row else {
                    return Ok(None);
                };
                let mut token = ApiToken::from(row);
                if token.created_by.is_some() {
                    match word(role).filter(|_| is_active == Some(true)) {
                        Some(Role::Admin) => {}
                        Some(Role::Viewer) => token.scope = TokenScope::Read,
                        None => return Ok(None),
                    }
                }
                let stale = token.last_used_at.is_none_or(|at| tx.now - at >= USE_EXACTNESS);
                Ok(Some((token, stale)))
            })
            .await?;
        if let Some((token, true)) = &found {
            let id = token.id.to_string();
            self.write("use_token", move |tx| {
                diesel::update(api_tokens::table.filter(api_tokens::id.eq(&id)))
                    .set(api_tokens::last_used_at.eq(tx.now.naive_utc()))
                    .execute(tx.db)?;
                Ok(())
            })
            .await?;
        }
        Ok(found.map(|(token, _)| token))
    }

    /// Every token, oldest first.
    pub async fn list_tokens(&self) -> Result<Vec<ApiToken>, Error> {
        self.read("list_tokens", |tx| {
            let rows: Vec<TokenRow> = api_tokens::table
                .order((api_tokens::created_at, api_tokens::id))
                .select(TokenRow::as_select())
                .load(tx.db)?;
            Ok(rows.into_iter().map(Into::into).collect())
        })
        .await
    }

    /// Removes a token: it opens nothing any more. `false`: there was none.
    pub async fn delete_token(&self, id: TokenId) -> Result<bool, Error> {
        self.write("delete_token", move |tx| {
            Ok(diesel::delete(api_tokens::table.filter(api_tokens::id.eq(id.to_string()))).execute(tx.db)? > 0)
        })
        .await
    }
}
