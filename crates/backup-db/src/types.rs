//! How values stand in a column: enums and identifiers as text, times as UTC timestamps, lists and objects as JSON.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::sql_types;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value whose text is its only form: an enum, an identifier, a secret under seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T, DB> FromSql<sql_types::Text, DB> for Word<T>
where
    DB: Backend,
    String: FromSql<sql_types::Text, DB>,
    T: FromStr,
    T::Err: Display,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        let text = String::from_sql(bytes)?;
        text.parse().map(Self).map_err(|error: T::Err| error.to_string().into())
    }
}

/// A time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromSqlRow)]
#[diesel(sql_type = sql_types::Timestamp)]
pub(crate) struct Time(pub(crate) DateTime<Utc>);

impl<DB> FromSql<sql_types::Timestamp, DB> for Time
where
    DB: Backend,
    NaiveDateTime: FromSql<sql_types::Timestamp, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(|time| Self(time.and_utc()))
    }
}

/// A value as JSON text.
#[derive(Debug, Clone, PartialEq, Eq, FromSqlRow)]
#[diesel(sql_type = sql_types::Text)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T, DB> FromSql<sql_types::Text, DB> for Json<T>
where
    DB: Backend,
    String: FromSql<sql_types::Text, DB>,
    T: DeserializeOwned,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(serde_json::from_str(&String::from_sql(bytes)?)?))
    }
}

/// The JSON text of `value`, for a column that [`Json`] reads.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, diesel::result::Error> {
    serde_json::to_string(value).map_err(|error| diesel::result::Error::SerializationError(error.into()))
}

/// A count as the database holds it.
pub(crate) fn big(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A count as the program holds it; the schema lets no negative one in.
pub(crate) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A small count as the program holds it.
pub(crate) fn small(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// The optional time of a nullable column.
pub(crate) fn time(value: Option<Time>) -> Option<DateTime<Utc>> {
    value.map(|time| time.0)
}

/// The optional word of a nullable column.
pub(crate) fn word<T>(value: Option<Word<T>>) -> Option<T> {
    value.map(|word| word.0)
}
