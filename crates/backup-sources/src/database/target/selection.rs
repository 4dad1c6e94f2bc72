//! Which tables are restored.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::{JobControl, PipelineError};

use super::DatabaseTarget;
use crate::Error;
use crate::database::about::{About, Child, read_children};
use crate::database::count::{Table, Tables};
use crate::database::psql::{Session, literal};
use crate::database::shown;

/// Schema and name.
type Name = (String, String);

/// What is said of tables that are restored alone: `pg_restore --table` leaves out all that belongs to them.
pub(super) const ALONE: &str = "selected tables come with their columns and rows alone: without keys, other constraints, indexes, \
    identity, sequences and the defaults that they give, triggers and policies; restore the whole database where those are needed";

/// The tables that were asked for, and all that are part of them. None: everything.
pub(super) struct Selection {
    asked: Vec<Name>,
    tables: BTreeSet<Name>,
    /// The partitions among them.
    partitions: Vec<Child>,
    /// Whether the archive says which tables are part of others.
    is_told: bool,
}

impl Selection {
    /// The tables called `asked`, with all that `about` says to be part of them. Refused where it says that one cannot come
    /// back alone.
    pub(super) fn of(asked: &[String], about: Option<&About>) -> Result<Self, Error> {
        let children = about.and_then(|about| about.children.as_deref());
        let asked: Vec<Name> = asked
            .iter()
            .map(|table| table.split_once('.').unwrap_or(("public", table)))
            .map(|(schema, name)| (schema.to_owned(), name.to_owned()))
            .collect();
        if asked.iter().any(|(schema, _)| *schema != asked[0].0) {
            return Err(Error::refused(
                "tables of several schemas cannot be restored at once",
                "Restore the tables of one schema at a time.",
            ));
        }
        let mut below: BTreeMap<(&str, &str), Vec<&Child>> = BTreeMap::new();
        for child in children.unwrap_or_default() {
            below
                .entry((&child.parent_schema, &child.parent))
                .or_default()
                .push(child);
        }
        let mut tables: BTreeSet<Name> = asked.iter().cloned().collect();
        let mut partitions = Vec::new();
        let mut to_visit: Vec<(&str, &str)> = asked.iter().map(|(schema, name)| (&**schema, &**name)).collect();
        while let Some(parent) = to_visit.pop() {
            // Each parent is left behind once, so that hostile circles end.
            for child in below.remove(&parent).unwrap_or_default() {
                tables.insert((child.schema.clone(), child.name.clone()));
                to_visit.push((&child.schema, &child.name));
                if child.bound.is_some() {
                    partitions.push(child.clone());
                }
            }
        }
        let own_types = about.map(|about| about.own_types.as_slice()).unwrap_or_default();
        refuse_own_types(own_types.iter().filter(|table| tables.contains(*table)))?;
        Ok(Self {
            asked,
            tables,
            partitions,
            is_told: children.is_some(),
        })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.asked.is_empty()
    }

    pub(super) fn holds(&self, table: &Table) -> bool {
        self.is_everything() || self.tables.contains(&(table.schema.clone(), table.name.clone()))
    }

    pub(super) fn schemas(&self) -> BTreeSet<&str> {
        self.tables.iter().map(|(schema, _)| schema.as_str()).collect()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> = self.tables.iter().map(|(_, name)| name.as_str()).collect();
        names.into_iter()
    }

    /// Refuses what the backup does not hold, or holds in a way that this archive does not tell.
    pub(super) fn check(&self, recorded: &Tables) -> Result<(), Error> {
        for (schema, name) in &self.asked {
            let found = recorded
                .tables
                .iter()
                .find(|table| table.schema == *schema && table.name == *name);
            match found {
                None => {
                    return Err(PipelineError::not_found(
                        format!("the backup holds no table {schema}.{name}"),
                        "Look up the names in the backup's tables.json.",
                    )
                    .into());
                }
                Some(table) if table.kind == "p" && !self.is_told => {
                    return Err(Error::refused(
                        format!(
                            "{schema}.{name} is partitioned, and this backup was made before backups recorded which \
                             partitions belong to a table"
                        ),
                        "Name the partitions themselves, or restore the whole database.",
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// `pg_restore` brings no type along with a single table, and a database that has one is not empty. So it would fail with the
/// table, or where that is partitioned by the hash of an enum with its rows: `pg_dump` lets them be loaded by way of the topmost
/// table, whose partitions come to be that only afterwards.
fn refuse_own_types<'a>(tables: impl Iterator<Item = &'a Name>) -> Result<(), Error> {
    let names: Vec<String> = tables.map(|(schema, name)| format!("{schema}.{name}")).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        format!(
            "tables with columns of types that the database has made itself, such as enums, or an extension, cannot be restored \
             alone: {}",
            shown(&names)
        ),
        "Restore the whole database into a new one, and take the tables from there.",
    ))
}

impl DatabaseTarget {
    /// Makes partitions of the selected tables what they were: `pg_restore` gives back single tables only.
    pub(super) fn attach(&self, selection: &Selection, job: &JobControl) -> Result<(), Error> {
        if selection.partitions.is_empty() {
            return Ok(());
        }
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        let attached = read_children(&mut session)?;
        for child in &selection.partitions {
            let is_there = attached
                .iter()
                .any(|there| (&there.schema, &there.name) == (&child.schema, &child.name));
            if let (Some(bound), false) = (&child.bound, is_there) {
                // The bound is SQL and cannot be quoted: only the server reads it, as it reads the dump.
                session.query_generated(
                    &format!(
                        "SELECT format('ALTER TABLE ONLY %I.%I ATTACH PARTITION %I.%I %s', {}, {}, {}, {}, {})",
                        literal(&child.parent_schema),
                        literal(&child.parent),
                        literal(&child.schema),
                        literal(&child.name),
                        literal(bound)
                    ),
                    &mut |_: serde_json::Value| {},
                )?;
            }
        }
        Ok(())
    }
}
