//! Whether what was restored is what was backed up.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::{JobControl, WarningCode, counted};

use super::DatabaseTarget;
use super::selection::Selection;
use crate::Error;
use crate::database::about::{Child, read_children};
use crate::database::count::{Table, Tables, count_tables};
use crate::database::psql::Session;
use crate::database::shown;

/// Schema and name.
type Name<'a> = (&'a str, &'a str);

impl DatabaseTarget {
    /// Every table must hold as many rows as were counted in the dump's snapshot.
    pub(super) fn compare(&self, recorded: &Tables, selection: &Selection, job: &JobControl) -> Result<(), Error> {
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        let restored = count_tables(&mut session)?;
        let mut different = different_tables(recorded, &restored, selection);
        if !different.is_empty() {
            let children = read_children(&mut session)?;
            let whole = whole_partitions(recorded, &restored, &children);
            different.retain(|(table, _)| !whole.contains(&key(table)));
        }
        let mut differences: Vec<String> = different.into_iter().map(|(_, text)| text).collect();
        if selection.is_everything() {
            if restored.large_objects != recorded.large_objects {
                differences.push(format!(
                    "large objects ({} restored, {} in the backup)",
                    restored.large_objects, recorded.large_objects
                ));
            }
        } else {
            tell_more(&restored, selection, job);
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::mismatch(
            format!(
                "the restored database differs from what the backup recorded: {}",
                shown(&differences)
            ),
            "Do not use it: restore another backup, and report this one.",
        ))
    }
}

/// The tables that hold other rows than `recorded`, or are not there, with words for people.
fn different_tables<'a>(recorded: &'a Tables, restored: &'a Tables, selection: &Selection) -> Vec<(&'a Table, String)> {
    let found: BTreeMap<Name<'_>, Option<u64>> = restored.tables.iter().map(|table| (key(table), table.rows)).collect();
    let mut different = Vec::new();
    for table in recorded.tables.iter().filter(|table| selection.holds(table)) {
        let name = table.full_name();
        match (found.get(&key(table)), table.rows) {
            (Some(_), None) => {}
            (Some(rows), Some(_)) if *rows == table.rows => {}
            // Of a whole database only what has rows is compared: what an extension makes may differ by its version.
            (None, None) if selection.is_everything() => {}
            (None, None) => different.push((table, format!("{name} (not restored)"))),
            (rows, Some(recorded)) => {
                let rows = rows.copied().flatten();
                let rows = rows.map_or_else(|| "no rows".to_owned(), |rows| counted(rows, "row", "rows"));
                different.push((table, format!("{name} ({rows} restored, {recorded} in the backup)")));
            }
        }
    }
    different
}

/// The restored partitions whose topmost table holds, in all of them together, as many rows as were recorded. Which of them a
/// row is in may change: by hash an enum's values go by numbers that every database gives anew, so `pg_dump` leaves it to
/// the server.
fn whole_partitions<'a>(recorded: &'a Tables, restored: &'a Tables, children: &'a [Child]) -> BTreeSet<Name<'a>> {
    let parents: BTreeMap<Name<'a>, Name<'a>> = children
        .iter()
        .filter(|child| child.bound.is_some())
        .map(|child| ((&*child.schema, &*child.name), (&*child.parent_schema, &*child.parent)))
        .collect();
    let topmost = |mut table: Name<'a>| {
        while let Some(parent) = parents.get(&table) {
            table = *parent;
        }
        table
    };
    // Of each topmost table its rows, and whether all were counted.
    let sums = |tables: &'a Tables| {
        let mut sums: BTreeMap<Name<'a>, (u64, bool)> = BTreeMap::new();
        for table in tables.tables.iter().filter(|table| table.kind == "r") {
            let (rows, is_counted) = sums.entry(topmost(key(table))).or_insert((0, true));
            *rows = rows.saturating_add(table.rows.unwrap_or(0));
            *is_counted &= table.rows.is_some();
        }
        sums
    };
    let (before, after) = (sums(recorded), sums(restored));
    let is_whole = |table: Name<'a>| {
        let table = topmost(table);
        match (before.get(&table), after.get(&table)) {
            (Some((before, true)), Some((after, _))) => after == before,
            // What was not counted adds to the others.
            (Some((before, false)), Some((after, _))) => after >= before,
            _ => false,
        }
    };
    parents.keys().copied().filter(|table| is_whole(*table)).collect()
}

/// `pg_restore` takes schemas and names apart, so tables of several schemas may bring others of the same names along.
fn tell_more(restored: &Tables, selection: &Selection, job: &JobControl) {
    let more: Vec<String> = restored
        .tables
        .iter()
        .filter(|table| !selection.holds(table))
        .map(Table::full_name)
        .collect();
    if !more.is_empty() {
        let text = format!(
            "what has the same names in other schemas was restored as well: {}",
            shown(&more)
        );
        job.warn(WarningCode::Other, None, text);
    }
}

fn key(table: &Table) -> Name<'_> {
    (&table.schema, &table.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(rows: [(&str, Option<u64>); 4]) -> Tables {
        let table = |(name, rows): (&str, Option<u64>)| Table {
            schema: "public".to_owned(),
            name: name.to_owned(),
            kind: "r".to_owned(),
            rows,
        };
        Tables {
            tables: rows.into_iter().map(table).collect(),
            large_objects: 0,
        }
    }

    #[test]
    fn rows_may_be_in_another_partition_of_their_table_and_none_may_be_missing() {
        let child = |name: &str, parent: &str, is_partition: bool| Child {
            schema: "public".to_owned(),
            name: name.to_owned(),
            parent_schema: "public".to_owned(),
            parent: parent.to_owned(),
            bound: is_partition.then(|| "FOR VALUES WITH (modulus 2, remainder 0)".to_owned()),
        };
        let children = [
            child("a", "sub", true),
            child("b", "sub", true),
            child("sub", "t", true),
            child("c", "t", true),
            child("heir", "t", false),
        ];
        let different = |recorded: &[Option<u64>; 4], restored: [u64; 4]| {
            let names = ["a", "b", "c", "heir"];
            let recorded = tables(std::array::from_fn(|at| (names[at], recorded[at])));
            let restored = tables(std::array::from_fn(|at| (names[at], Some(restored[at]))));
            let whole = whole_partitions(&recorded, &restored, &children);
            let selection = Selection::of(&[], None).unwrap();
            let mut different = different_tables(&recorded, &restored, &selection);
            different.retain(|(table, _)| !whole.contains(&key(table)));
            different.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        let recorded = [Some(3), Some(4), Some(5), Some(1)];
        assert_eq!(different(&recorded, [3, 4, 5, 1]), [""; 0]);
        assert_eq!(different(&recorded, [5, 2, 5, 1]), [""; 0]);
        assert_eq!(different(&recorded, [0, 4, 8, 1]), [""; 0]);
        assert_eq!(
            different(&recorded, [3, 3, 5, 1]),
            ["public.b (3 rows restored, 4 in the backup)"]
        );
        assert_eq!(different(&recorded, [4, 4, 5, 1]).len(), 1);
        // Who merely inherits keeps its own.
        assert_eq!(
            different(&recorded, [3, 4, 6, 0]),
            [
                "public.c (6 rows restored, 5 in the backup)",
                "public.heir (0 rows restored, 1 in the backup)"
            ]
        );
        let recorded = [Some(3), None, Some(5), Some(1)];
        assert_eq!(different(&recorded, [2, 9, 7, 1]), [""; 0]);
        assert_eq!(
            different(&recorded, [2, 0, 5, 1]),
            ["public.a (2 rows restored, 3 in the backup)"]
        );
    }
}
