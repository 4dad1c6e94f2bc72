//! The search in the text of backups: which of them contain it, the first [`BackupListOptions::MAX_HITS`] in the list's
//! order. `docs/decisions/0002-search.md` has the measurements.
//!
//! What many backups contain is found soonest by reading them in the list's order until there are enough; what few contain,
//! by the index of grams, three letters in a row. The first rows in that order tell which it is.

mod grams;

use std::collections::HashSet;

use backup_core::list::BackupListOptions;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Float, Text};

use crate::error::TxResult;
use crate::filter::{Boxed, Way, filtered};
use crate::kinds::collected;
use crate::list::{collecting, ordered, sorted};
use crate::pool::Db;
use crate::schema::backups;
use crate::store::Tx;
use crate::totals::{count_filtered, of_kinds};
use grams::{GRAM, date, grams, joined, rarest};

/// Rows that are read first.
const SAMPLE: usize = 2_000;

/// On PostgreSQL, where each costs ten times as much to look at, so many of them come first: without a hit there, the text is
/// rare. Of the texts that one row in 170 contains, one in twenty is taken for rarer than it is, and is found all the same.
const GLANCE: usize = 500;

/// With so many hits among them (0.6 %), the others are soonest found in the list's order too.
const MANY: usize = 12;

/// So few rows, left by the other filters, are looked at one by one.
const FEW: u64 = 5_000;

/// The same where an index holds their texts, which is on SQLite alone.
const FEW_INDEXED: u64 = 50_000;

/// About so many texts tell which those are.
const TEXTS: u32 = 200;

/// Texts from all over PostgreSQL's catalog, of this part of its pages in percent.
const SPREAD_PG: &str = "SELECT search_text FROM backups TABLESAMPLE SYSTEM ($1) REPEATABLE (1)";

/// The same on SQLite, of so many numbers strewn over those of its rows: in equal steps, each would be of the same kind where
/// kinds take turns.
const SPREAD_SQLITE: &str = "SELECT search_text FROM backup_grams_rows WHERE id IN ( \
     WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1), \
     ends(first, last) AS MATERIALIZED ( \
         SELECT (SELECT min(id) FROM backup_grams_rows), (SELECT max(id) FROM backup_grams_rows)) \
     SELECT first + (n * 2654435769 % 4294967296) * (last - first + 1) / 4294967296 FROM numbers, ends)";

/// The texts beside SQLite's index of grams, which are looked at where the index has found them.
const CONTAINING_SQLITE: &str = "backups.id IN (SELECT backup_id FROM backup_grams_rows WHERE instr(search_text, ";

#[diesel::declare_sql_function]
extern "SQL" {
    /// Where `part` begins in `whole`, from 1 on; 0: nowhere. SQLite's name.
    fn instr(whole: Text, part: Text) -> Integer;
    /// The same by PostgreSQL's name.
    fn strpos(whole: Text, part: Text) -> Integer;
}

/// The identifiers of the page, how many hits there are on all pages, and whether that is all of them.
pub(crate) fn search(tx: &mut Tx<'_>, options: &BackupListOptions, text: &str) -> TxResult<(Vec<String>, u64, bool)> {
    let text = text.to_lowercase();
    let enough = BackupListOptions::MAX_HITS as usize;
    let limit = enough as i64 + 1;
    let ids = backups::table.select(backups::id);
    let total = count_filtered(tx, options)?;
    let mut hits: Vec<String>;
    let few = collecting(options).filter(|way| total <= few_of(tx.db, *way));
    if few == Some(Way::Kinds) {
        hits = collected(tx, options, Some(&text), limit, 0)?;
    } else if let Some(way) = few {
        let query = filtered(tx.db, ids.into_boxed(), options, way);
        hits = sorted(containing(tx.db, query, &text), options)
            .limit(limit)
            .load(tx.db)?;
    } else {
        let sample = sample(tx, options, &text)?;
        let all_read = sample.rows < SAMPLE;
        hits = sample.hits;
        hits.truncate(enough + 1);
        if !all_read && hits.len() <= enough {
            let query = if hits.len() >= MANY {
                let query = filtered(tx.db, ids.into_boxed(), options, Way::Order);
                containing(tx.db, ordered(query, options), &text)
            } else {
                let query = filtered(tx.db, ids.into_boxed(), options, Way::Text);
                let texts = spread(tx)?;
                sorted(found_by_grams(tx.db, query, &text, &texts), options)
            };
            hits = query.limit(limit).load(tx.db)?;
        }
    }
    let exact = hits.len() <= enough;
    hits.truncate(enough);
    let total = hits.len() as u64;
    let limit = options.limit.clamp(1, BackupListOptions::MAX_LIMIT);
    let page = hits
        .into_iter()
        .skip(usize::try_from(options.offset).unwrap_or(usize::MAX))
        .take(limit as usize)
        .collect();
    Ok((page, total, exact))
}

/// How many rows that are found so are few.
fn few_of(db: &Db, way: Way) -> u64 {
    match (db, way) {
        (Db::Sqlite(_), Way::Kinds | Way::Dates) => FEW_INDEXED,
        _ => FEW,
    }
}

/// What the first rows of a list tell.
struct Sample {
    /// How many there are.
    rows: usize,
    /// Those that contain the text: all of them, unless the text is rare and there are others behind these rows.
    hits: Vec<String>,
}

/// Looks at the first rows. PostgreSQL would not read the order in an index alone if the texts were to come along; SQLite
/// finds each of them at once when it has the row.
fn sample(tx: &mut Tx<'_>, options: &BackupListOptions, text: &str) -> TxResult<Sample> {
    let limit = SAMPLE as i64;
    if matches!(tx.db, Db::Pg(_)) {
        let query = filtered(
            tx.db,
            backups::table.select(backups::id).into_boxed(),
            options,
            Way::Order,
        );
        let mut ids: Vec<String> = ordered(query, options).limit(limit).load(tx.db)?;
        let rows = ids.len();
        let (first, others) = ids.split_at(rows.min(GLANCE));
        let mut hits = containing_among(tx.db, first, text)?;
        if !hits.is_empty() || rows < SAMPLE {
            hits.extend(containing_among(tx.db, others, text)?);
        }
        ids.retain(|id| hits.contains(id));
        return Ok(Sample { rows, hits: ids });
    }
    let query = filtered(
        tx.db,
        backups::table.select((backups::id, backups::search_text)).into_boxed(),
        options,
        Way::Order,
    );
    let found: Vec<(String, String)> = ordered(query, options).limit(limit).load(tx.db)?;
    let rows = found.len();
    let hits = found.into_iter().filter(|(_, whole)| whole.contains(text));
    Ok(Sample {
        rows,
        hits: hits.map(|(id, _)| id).collect(),
    })
}

/// A text of the spread.
#[derive(QueryableByName)]
struct SearchText {
    #[diesel(sql_type = Text)]
    search_text: String,
}

/// Texts from all over the catalog: those of the first rows of a list by time would be of one month alone.
fn spread(tx: &mut Tx<'_>) -> TxResult<Vec<String>> {
    let all = match tx.db {
        Db::Pg(_) => of_kinds(tx, &BackupListOptions::default())?,
        Db::Sqlite(_) => 0,
    };
    let rows: Vec<SearchText> = match tx.db {
        Db::Pg(connection) => {
            let percent = (100.0 * TEXTS as f32 / all.max(1) as f32).min(100.0);
            sql_query(SPREAD_PG).bind::<Float, _>(percent).load(connection)?
        }
        Db::Sqlite(connection) => sql_query(SPREAD_SQLITE)
            .bind::<BigInt, _>(i64::from(TEXTS))
            .load(connection)?,
    };
    Ok(rows.into_iter().map(|row| row.search_text).collect())
}

/// Those of these backups that contain the text.
fn containing_among(db: &mut Db, ids: &[String], text: &str) -> TxResult<HashSet<String>> {
    let hits: Vec<String> = match db {
        Db::Pg(connection) => backups::table
            .filter(backups::id.eq_any(ids))
            .filter(strpos(backups::search_text, text).gt(0))
            .select(backups::id)
            .load(connection)?,
        Db::Sqlite(connection) => backups::table
            .filter(backups::id.eq_any(ids))
            .filter(instr(backups::search_text, text).gt(0))
            .select(backups::id)
            .load(connection)?,
    };
    Ok(hits.into_iter().collect())
}

/// Those that contain the text. Not by LIKE: whoever guesses how many rows match a pattern guesses wrong.
fn containing<'a, SqlType: 'a>(db: &Db, query: Boxed<'a, SqlType>, text: &str) -> Boxed<'a, SqlType> {
    match db {
        Db::Sqlite(_) => query.filter(instr(backups::search_text, text.to_owned()).gt(0)),
        Db::Pg(_) => query.filter(strpos(backups::search_text, text.to_owned()).gt(0)),
    }
}

/// Those that contain the text, looked for among those that have its grams. `texts` tell which grams are rare.
fn found_by_grams<'a, SqlType: 'a>(
    db: &Db,
    query: Boxed<'a, SqlType>,
    text: &str,
    texts: &[String],
) -> Boxed<'a, SqlType> {
    let letters: Vec<char> = text.chars().collect();
    let whole = letters.len() >= GRAM;
    match db {
        Db::Sqlite(_) => {
            let containing = sql::<Bool>(CONTAINING_SQLITE).bind::<Text, _>(text.to_owned());
            if whole {
                let having =
                    containing.sql(") > 0 AND id IN (SELECT rowid FROM backup_grams WHERE backup_grams MATCH ");
                let rarest = joined(&rarest(grams(&letters), texts, 1), '"', " AND ");
                query.filter(having.bind::<Text, _>(rarest).sql("))"))
            } else {
                let from = containing.sql(") > 0 AND id IN (SELECT doc FROM backup_grams_words WHERE term >= ");
                let to = from.bind::<Text, _>(text.to_owned()).sql(" AND term <= ");
                query.filter(to.bind::<Text, _>(format!("{text}{0}{0}", char::MAX)).sql("))"))
            }
        }
        Db::Pg(_) => {
            let beginning = |gram: String| joined(&[gram], '\'', "") + ":*";
            let grams = match date(&letters) {
                _ if !whole => beginning(text.to_owned()),
                None => joined(&rarest(grams(&letters), texts, 1), '\'', " & "),
                Some(date) => {
                    let mut others = grams(&letters);
                    others.retain(|(at, _)| at + GRAM <= date.start || *at >= date.end);
                    let others = rarest(others, texts, 0)
                        .into_iter()
                        .map(|gram| joined(&[gram], '\'', ""));
                    let date = beginning(letters[date].iter().collect());
                    std::iter::once(date).chain(others).collect::<Vec<_>>().join(" & ")
                }
            };
            let having = sql::<Bool>("backup_grams(search_text) @@ ").bind::<Text, _>(grams);
            containing(db, query.filter(having.sql("::tsquery")), text)
        }
    }
}
