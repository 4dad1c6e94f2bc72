//! Ours: a whole api-server that restores in mode NEW, asked for by HTTP, from a backup in a local folder.

use std::io;
use std::path::Path;
use std::time::Instant;

use backup_tests::process::cpu_time;
use backup_tests::unique;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::data::Data;
use super::super::measure::{DiskWatch, Sample};
use super::super::ours::{completed, ended_well};
use super::super::served::Served;
use super::{Part, Place};
use crate::failed;

/// How ours is set up.
pub(super) struct Ours {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// What it has saved and restores.
    pub(super) part: Part,
    codec: &'static str,
}

/// The names that the aims speak of.
pub(super) const DATABASE_ZSTD: &str = "ours, database, zstd";
pub(super) const DATABASE_GZIP: &str = "ours, database, gzip";
pub(super) const FILES_ZSTD: &str = "ours, files, zstd";
pub(super) const FILES_GZIP: &str = "ours, files, gzip";

pub(super) const OURS: &[Ours] = &[
    Ours::new(DATABASE_ZSTD, Part::Database, "zstd"),
    Ours::new(DATABASE_GZIP, Part::Database, "gzip"),
    Ours::new(FILES_ZSTD, Part::Files, "zstd"),
    Ours::new(FILES_GZIP, Part::Files, "gzip"),
];

impl Ours {
    const fn new(name: &'static str, part: Part, codec: &'static str) -> Self {
        Self { name, part, codec }
    }
}

/// A backup in a folder of its own, with the catalog that knows it. Dropped, both go.
pub(super) struct Stored {
    folder: TempDir,
    ours: &'static Ours,
    password: String,
    backup: Value,
}

impl Stored {
    /// Makes the backup, by a server that ends then.
    pub(super) fn make(ours: &'static Ours, programs: &Path, data: &Data, keep: &Path) -> io::Result<Self> {
        let mut stored = Self {
            folder: tempfile::Builder::new().prefix("stored-").tempdir_in(keep)?,
            ours,
            password: unique(),
            backup: Value::Null,
        };
        let served = stored.serve(programs, data, Vec::new())?;
        let source = match ours.part {
            Part::Database => "DATABASE",
            Part::Files => "FILES",
        };
        stored.backup = completed(&served.client, source)?;
        Ok(stored)
    }

    /// Restores it by a server of its own, whose start and log-in are not part of the time.
    pub(super) fn restore(&self, programs: &Path, data: &Data, place: &Place) -> io::Result<Sample> {
        let temporary = ("TMPDIR", place.work.temporary().display().to_string());
        let served = self.serve(programs, data, vec![temporary])?;
        let is = |part| self.ours.part == part;
        let wanted = json!({
            "mode": "NEW", "restoreConfig": false,
            "restoreDatabase": is(Part::Database), "targetDatabase": place.database.name,
            "restoreFiles": is(Part::Files), "targetDir": place.folder(),
        });
        let id = self.backup["id"].as_str().unwrap_or_default();
        let pid = served.server.pid();
        let disk = DiskWatch::start(pid, vec![place.work.temporary(), self.folder.path().to_owned()]);
        let (before, started) = (cpu_time(pid), Instant::now());
        let made = served
            .client
            .post(&format!("/api/admin/backup/{id}/restore"), &wanted)?;
        let restore = made["restore"]["id"]
            .as_str()
            .ok_or_else(|| failed(format!("no id in {made}")))?;
        ended_well(&served.client, &format!("/api/admin/restore/{restore}"), "restore")?;
        let (wall, cpu) = (started.elapsed(), cpu_time(pid).saturating_sub(before));
        let temporary = disk.peak()?;
        Ok(Sample {
            wall,
            cpu,
            memory: served.server.terminate().usage.largest_memory,
            temporary,
            stored: self.backup["sizeBytes"].as_u64().unwrap_or_default(),
        })
    }

    fn serve(&self, programs: &Path, data: &Data, mut settings: Vec<(&'static str, String)>) -> io::Result<Served> {
        let database = &data.database;
        settings.extend(data.environment().into_iter().filter(|(name, _)| *name == "PATH"));
        settings.extend([
            ("BACKUP_COMPRESSION", self.ours.codec.to_owned()),
            ("DATABASE_HOST", database.host.clone()),
            ("DATABASE_PORT", database.port.to_string()),
            ("DATABASE_NAME", database.name.clone()),
            ("DATABASE_USER", database.user.clone()),
            ("DATABASE_PASSWORD", database.password.clone()),
            ("UPLOAD_DIR", data.uploads.display().to_string()),
        ]);
        Served::start_as(programs, self.folder.path(), &settings, &self.password)
    }
}
