//! What is in a dump, and in what two dumps differ.

use std::collections::{BTreeMap, BTreeSet};

use backup_core::counted;
use openssl::sha::sha256;

use super::rows::Digest;

/// Everything a dump holds that a restore has to bring back.
#[derive(Debug, Default)]
pub(in crate::database) struct DumpSummary {
    /// The encoding that its texts are in, by its own words.
    pub(in crate::database) encoding: Option<String>,
    /// Sorted.
    pub(in crate::database) objects: Vec<Object>,
    /// The rows of each table, by schema and name.
    pub(in crate::database) tables: BTreeMap<(String, String), Digest>,
    pub(in crate::database) large_objects: Digest,
    /// Where the positions of the data have to be written, so that `pg_restore` finds it without searching.
    pub(in crate::database) offsets: Vec<Offset>,
}

/// An object as the table of contents names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::database) struct Object {
    kind: String,
    schema: String,
    tag: String,
    /// Of a sequence where it stands.
    value: Option<[u8; 32]>,
}

/// Where in the table of contents the position of an entry's data stands, and where that data is. `pg_dump` cannot write
/// it into a pipe, since it knows it only later.
#[derive(Debug)]
pub(in crate::database) struct Offset {
    /// In bytes from the dump's beginning.
    pub(in crate::database) at: u64,
    /// What is to stand there.
    pub(in crate::database) bytes: Vec<u8>,
}

/// PostgreSQL's mark before a position that is known.
const IS_SET: u8 = 2;

impl Offset {
    pub(super) fn new(at: u64, data: u64, size: usize) -> Self {
        let mut bytes = vec![IS_SET];
        bytes.extend(data.to_le_bytes().into_iter().take(size));
        Self { at, bytes }
    }

    /// The data is at another place.
    pub(super) fn set(&mut self, data: u64) {
        *self = Self::new(self.at, data, self.bytes.len() - 1);
    }
}

/// Kinds that are compared by their data, or that say how the dump was made, not what is in it.
const UNCOMPARED: [&str; 10] = [
    "BLOB",
    "BLOB METADATA",
    "BLOBS",
    "DATABASE",
    "DATABASE PROPERTIES",
    "ENCODING",
    "SEARCHPATH",
    "STATISTICS DATA",
    "STDSTRINGS",
    "TABLE DATA",
];

impl Object {
    /// `None` where it is not compared.
    pub(super) fn new(kind: String, schema: String, tag: String, definition: &[u8]) -> Option<Self> {
        let of_rights = kind == "ACL" && tag.starts_with("LARGE OBJECT");
        // What belongs to the database as a whole has its name in it. The schema that every database begins with is in a
        // dump or not by the version and by who owns it.
        let of_all = tag.starts_with("DATABASE ") && matches!(kind.as_str(), "ACL" | "COMMENT" | "SECURITY LABEL");
        let of_public = tag == "SCHEMA public" || (kind == "SCHEMA" && tag == "public");
        if UNCOMPARED.contains(&kind.as_str()) || of_rights || of_all || of_public {
            return None;
        }
        // SELECT pg_catalog.setval('public.name', 5, true);
        let value = (kind == "SEQUENCE SET").then(|| {
            let name_end = definition.iter().rposition(|byte| *byte == b'\'').unwrap_or(0);
            sha256(&definition[name_end..])
        });
        Some(Self {
            kind,
            schema,
            tag,
            value,
        })
    }

    fn is_right(&self) -> bool {
        matches!(self.kind.as_str(), "ACL" | "DEFAULT ACL")
    }

    fn describe(&self) -> String {
        let schema = if self.schema.is_empty() {
            String::new()
        } else {
            format!("{}.", self.schema)
        };
        format!("{} {schema}{}", self.kind.to_lowercase(), self.tag)
    }
}

impl DumpSummary {
    /// What is not in `restored` as it is here, or only there, as texts for people. With `skip_rights` grants do not count.
    pub(in crate::database) fn differences(&self, restored: &Self, skip_rights: bool) -> Vec<String> {
        let mut texts = self.different_rows(restored);
        texts.extend(self.different_objects(restored, skip_rights));
        let (before, after) = (self.large_objects, restored.large_objects);
        if before.count != after.count {
            texts.push(format!(
                "large objects ({} restored, {} in the backup)",
                after.count, before.count
            ));
        } else if before != after {
            texts.push("large objects (other content)".to_owned());
        }
        texts
    }

    /// How many tables have as many rows as here, but others.
    pub(in crate::database) fn tables_of_other_text(&self, restored: &Self) -> usize {
        let differs = |(name, rows): &(&(String, String), &Digest)| {
            let after = restored.tables.get(*name).copied().unwrap_or_default();
            rows.count == after.count && **rows != after
        };
        self.tables.iter().filter(differs).count()
    }

    fn different_rows(&self, restored: &Self) -> Vec<String> {
        let mut texts = Vec::new();
        // A table without an entry of its own has no rows: of unlogged ones a standby dumps none.
        let all: BTreeSet<_> = self.tables.keys().chain(restored.tables.keys()).collect();
        for name in all {
            let rows = |summary: &Self| summary.tables.get(name).copied().unwrap_or_default();
            let (before, after) = (rows(self), rows(restored));
            let full_name = format!("{}.{}", name.0, name.1);
            if before.count != after.count {
                texts.push(format!(
                    "{full_name} ({} restored, {} in the backup)",
                    counted(after.count, "row", "rows"),
                    before.count
                ));
            } else if before != after {
                texts.push(format!("{full_name} (other rows)"));
            }
        }
        texts
    }

    fn different_objects(&self, restored: &Self, skip_rights: bool) -> Vec<String> {
        let mut counts: BTreeMap<&Object, i64> = BTreeMap::new();
        for (objects, change) in [(&self.objects, 1), (&restored.objects, -1)] {
            for object in objects.iter().filter(|object| !(skip_rights && object.is_right())) {
                *counts.entry(object).or_default() += change;
            }
        }
        let mut names: BTreeMap<String, (bool, bool)> = BTreeMap::new();
        for (object, count) in counts {
            let (is_missing, is_more) = names.entry(object.describe()).or_default();
            *is_missing |= count > 0;
            *is_more |= count < 0;
        }
        let described = names.into_iter().filter_map(|(name, found)| match found {
            (false, false) => None,
            (true, false) => Some(format!("{name} (not restored)")),
            (false, true) => Some(format!("{name} (not in the backup)")),
            (true, true) => Some(format!("{name} (another value)")),
        });
        described.collect()
    }
}
