//! A list's filters, and the index that they are to be answered from.
//!
//! SQLite chooses an index by the number of different values that a column has, not by how often each occurs: it takes the
//! state that nearly all backups are in for a rare one. The program knows better, since the counts of every kind are at
//! hand, and leaves SQLite one choice: a column with a plus before it is not looked up in an index. PostgreSQL knows
//! the frequent values, and is only told whether to read an order's index or to sort.

use backup_core::list::{BackupListOptions, SortBy};
use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};

use crate::pool::Db;
use crate::schema::backups;

type DbBackend = <Db as Connection>::Backend;
pub(crate) type Boxed<'a, SqlType> = backups::BoxedQuery<'a, DbBackend, SqlType>;

/// How a list's backups are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By reading the index of the list's order, until the page is full.
    Order,
    /// All that the filters leave, from the index of the dates, to be sorted.
    Dates,
    /// The same kind by kind, by `kinds`.
    Kinds,
    /// The same from the index of the schedules.
    Schedule,
    /// From the index of what stands in their texts.
    Text,
}

/// All filters but the text, for every way but [`Way::Kinds`].
pub(crate) fn filtered<'a, SqlType>(
    db: &Db,
    mut query: Boxed<'a, SqlType>,
    options: &'a BackupListOptions,
    way: Way,
) -> Boxed<'a, SqlType> {
    let sqlite = matches!(db, Db::Sqlite(_));
    let in_range = way == Way::Dates || (way == Way::Order && options.sort_by == SortBy::CreatedAt);
    let created_at = Plus::new(backups::created_at, sqlite && !in_range);
    if let Some(from) = options.date_from {
        query = query.filter(created_at.ge(from.naive_utc()));
    }
    if let Some(to) = options.date_to {
        query = query.filter(created_at.le(to.naive_utc()));
    }
    if let Some(schedule_id) = options.schedule_id {
        let column = Plus::new(backups::schedule_id, sqlite && way != Way::Schedule);
        query = query.filter(column.eq(schedule_id.to_string()));
    }
    query = query.filter(Plus::new(backups::deleting, sqlite).eq(false));
    if let Some(status) = options.status {
        query = query.filter(Plus::new(backups::status, sqlite).eq(status.as_str()));
    }
    if let Some(backup_type) = options.backup_type {
        query = query.filter(Plus::new(backups::backup_type, sqlite).eq(backup_type.as_str()));
    }
    if let Some(source) = options.source {
        query = query.filter(Plus::new(backups::source, sqlite).eq(source.as_str()));
    }
    if let Some(trigger) = options.trigger {
        query = query.filter(Plus::new(backups::trigger, sqlite).eq(trigger.as_str()));
    }
    if let Some(config_key) = &options.config_key {
        query = query.filter(Plus::new(backups::config_key, sqlite).eq(config_key));
    }
    query
}

/// Whether the filters leave out any kind.
pub(crate) fn has_kinds(options: &BackupListOptions) -> bool {
    options.status.is_some()
        || options.backup_type.is_some()
        || options.source.is_some()
        || options.trigger.is_some()
        || options.config_key.is_some()
}

/// A column, with a plus before it where SQLite is not to look it up in an index.
#[derive(Debug, Clone, Copy)]
struct Plus<E> {
    column: E,
    plus: bool,
}

impl<E> Plus<E> {
    fn new(column: E, plus: bool) -> Self {
        Self { column, plus }
    }
}

impl<E: Expression> Expression for Plus<E> {
    type SqlType = E::SqlType;
}

impl<E: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Plus<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        if self.plus {
            out.push_sql("+");
        }
        self.column.walk_ast(out)
    }
}

impl<E> QueryId for Plus<E> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<E: SelectableExpression<QS>, QS> SelectableExpression<QS> for Plus<E> {}

impl<E: AppearsOnTable<QS>, QS> AppearsOnTable<QS> for Plus<E> {}

impl<E: ValidGrouping<GB>, GB> ValidGrouping<GB> for Plus<E> {
    type IsAggregate = E::IsAggregate;
}
