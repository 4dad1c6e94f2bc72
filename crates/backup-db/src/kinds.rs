//! The backups that a list's filters leave, collected kind by kind: no more rows are looked at than are left.

use backup_core::list::BackupListOptions;
use chrono::NaiveDateTime;
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text, Timestamp};

use crate::error::TxResult;
use crate::list::sorting;
use crate::pool::Db;
use crate::store::Tx;

/// The identifiers of those that the filters leave and whose text contains `text`, in the list's order.
pub(crate) fn collected(
    tx: &mut Tx<'_>,
    options: &BackupListOptions,
    text: Option<&str>,
    limit: i64,
    offset: i64,
) -> TxResult<Vec<String>> {
    let kinds = [
        ("status", options.status.map(|status| status.to_string())),
        ("backup_type", options.backup_type.map(|kind| kind.to_string())),
        ("source", options.source.map(|source| source.to_string())),
        ("\"trigger\"", options.trigger.map(|trigger| trigger.to_string())),
        ("config_key", options.config_key.clone()),
    ];
    let query = Collected {
        sqlite: matches!(tx.db, Db::Sqlite(_)),
        kinds: kinds
            .into_iter()
            .filter_map(|(column, value)| Some((column, value?)))
            .collect(),
        from: options.date_from.map(|at| at.naive_utc()),
        to: options.date_to.map(|at| at.naive_utc()),
        text: text.map(ToOwned::to_owned),
        order: sorting(options),
        limit,
        offset,
    };
    Ok(query.load(tx.db)?)
}

/// The query builder joins no tables in this order and names no index; left to itself, SQLite takes an index of one column.
#[derive(Debug)]
struct Collected {
    sqlite: bool,
    kinds: Vec<(&'static str, String)>,
    from: Option<NaiveDateTime>,
    to: Option<NaiveDateTime>,
    text: Option<String>,
    order: &'static str,
    limit: i64,
    offset: i64,
}

impl<DB> QueryFragment<DB> for Collected
where
    DB: Backend + HasSqlType<Text> + HasSqlType<Timestamp> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    NaiveDateTime: ToSql<Timestamp, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT backups.id FROM backup_counts CROSS JOIN backups");
        if self.sqlite {
            out.push_sql(" INDEXED BY backups_by_kind");
        }
        out.push_sql(
            " WHERE NOT backups.deleting AND backups.config_key = backup_counts.config_key \
             AND backups.status = backup_counts.status AND backups.backup_type = backup_counts.backup_type \
             AND backups.source = backup_counts.source AND backups.\"trigger\" = backup_counts.\"trigger\" \
             AND backup_counts.backups > 0",
        );
        for (column, value) in &self.kinds {
            out.push_sql(" AND backup_counts.");
            out.push_sql(column);
            out.push_sql(" = ");
            out.push_bind_param::<Text, String>(value)?;
        }
        if let Some(from) = &self.from {
            out.push_sql(" AND backups.created_at >= ");
            out.push_bind_param::<Timestamp, NaiveDateTime>(from)?;
        }
        if let Some(to) = &self.to {
            out.push_sql(" AND backups.created_at <= ");
            out.push_bind_param::<Timestamp, NaiveDateTime>(to)?;
        }
        if let Some(text) = &self.text {
            out.push_sql(if self.sqlite { " AND instr(" } else { " AND strpos(" });
            out.push_sql("backups.search_text, ");
            out.push_bind_param::<Text, String>(text)?;
            out.push_sql(") > 0");
        }
        out.push_sql(" ORDER BY ");
        out.push_sql(self.order);
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, i64>(&self.limit)?;
        out.push_sql(" OFFSET ");
        out.push_bind_param::<BigInt, i64>(&self.offset)
    }
}

impl QueryId for Collected {
    type QueryId = ();
    // Which filters there are is not told by the type: statements are told apart by their text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Collected {
    type SqlType = Text;
}

impl<Conn> RunQueryDsl<Conn> for Collected {}
