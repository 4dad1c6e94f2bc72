//! SQL of ours within a written query, where the query builder has no words for it.
//!
//! Diesel's own literal has every statement that it stands in prepared anew at each use, since it may hold anything. To
//! prepare a list takes SQLite longer than to run it: these texts are fixed, so their statements are prepared once.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{
    AppearsOnTable, Expression, SelectableExpression, TypedExpressionType, ValidGrouping, is_aggregate,
};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;

/// A fixed text of SQL with the type of its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verbatim<ST> {
    sql: &'static str,
    of: PhantomData<ST>,
}

/// `sql`, whose value has the type `ST`.
pub(crate) fn verbatim<ST>(sql: &'static str) -> Verbatim<ST> {
    Verbatim { sql, of: PhantomData }
}

impl<ST: TypedExpressionType> Expression for Verbatim<ST> {
    type SqlType = ST;
}

impl<ST, DB: Backend> QueryFragment<DB> for Verbatim<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.sql);
        Ok(())
    }
}

impl<ST> QueryId for Verbatim<ST> {
    type QueryId = ();
    // The type does not tell the text: statements are told apart by theirs.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<QS, ST> SelectableExpression<QS> for Verbatim<ST> where Self: Expression {}

impl<QS, ST> AppearsOnTable<QS> for Verbatim<ST> where Self: Expression {}

impl<ST, GB> ValidGrouping<GB> for Verbatim<ST> {
    type IsAggregate = is_aggregate::Never;
}
