//! Whether what was restored is what was backed up.

use std::collections::BTreeMap;

use backup_core::{JobControl, WarningCode, counted};

use super::DatabaseTarget;
use super::selection::Selection;
use crate::Error;
use crate::database::count::{Table, Tables, count_tables};
use crate::database::psql::Session;
use crate::database::shown;

impl DatabaseTarget {
    /// Every table must hold as many rows as were counted in the dump's snapshot.
    pub(super) fn compare(&self, recorded: &Tables, selection: &Selection, job: &JobControl) -> Result<(), Error> {
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        let restored = count_tables(&mut session)?;
        let found: BTreeMap<(&str, &str), Option<u64>> =
            restored.tables.iter().map(|table| (key(table), table.rows)).collect();
        let mut differences = Vec::new();
        for table in recorded.tables.iter().filter(|table| selection.holds(table)) {
            let name = table.full_name();
            match (found.get(&key(table)), table.rows) {
                (Some(_), None) => {}
                (Some(rows), Some(_)) if *rows == table.rows => {}
                // Of a whole database only what has rows is compared: what an extension makes may differ by its version.
                (None, None) if selection.is_everything() => {}
                (None, None) => differences.push(format!("{name} (not restored)")),
                (rows, Some(recorded)) => differences.push(format!(
                    "{name} ({} restored, {recorded} in the backup)",
                    rows.copied()
                        .flatten()
                        .map_or_else(|| "no rows".to_owned(), |rows| counted(rows, "row", "rows"))
                )),
            }
        }
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

fn key(table: &Table) -> (&str, &str) {
    (&table.schema, &table.name)
}
