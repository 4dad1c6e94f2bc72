//! The peers: `pg_restore` of a dump in a local file, and `tar` of an archive in one.

use std::io;
use std::path::Path;
use std::process::Command;

use backup_tests::tools;
use tempfile::TempDir;

use super::super::contest::Work;
use super::super::data::Data;
use super::super::measure::{self, Sample, size_of};
use super::{Part, Place, jobs};
use crate::failed;

/// A peer: two scripts for the shell, which know `UPLOADS`, `SOURCE`, `TARGET`, `JOBS` and how to reach the server.
pub(super) struct Peer {
    /// What the table calls it.
    pub(super) name: &'static str,
    /// What it restores.
    pub(super) part: Part,
    /// Makes what is restored from, in the folder `SOURCE`.
    save: &'static str,
    /// Restores it into `TARGET`: a database, or a folder.
    restore: &'static str,
    /// The program that it needs, which is also the name of Debian's package; empty: what is there anyway.
    program: &'static str,
}

/// The names that the aims speak of.
pub(super) const PG_RESTORE: &str = "pg_restore -jN, uncompressed dump";
pub(super) const PG_RESTORE_GZIP: &str = "pg_restore -jN, compressed dump";
pub(super) const TAR: &str = "tar xf, uncompressed";
pub(super) const TAR_FLUSHED: &str = "tar xf, uncompressed, then sync";
pub(super) const TAR_GZIP: &str = "tar xf, tar.gz";
pub(super) const TAR_ZSTD: &str = "tar xf, tar.zst";

const RESTORE_DATABASE: &str = r#"createdb -T template0 "$TARGET"; pg_restore -j "$JOBS" -d "$TARGET" "$SOURCE/dump""#;
const RESTORE_FILES: &str = r#"mkdir "$TARGET"; tar -xf "$SOURCE"/tree.* -C "$TARGET""#;

pub(super) const PEERS: &[Peer] = &[
    Peer::new(
        PG_RESTORE,
        Part::Database,
        r#"pg_dump -Fc -Z0 -f "$SOURCE/dump""#,
        RESTORE_DATABASE,
    ),
    Peer::new(
        PG_RESTORE_GZIP,
        Part::Database,
        r#"pg_dump -Fc -f "$SOURCE/dump""#,
        RESTORE_DATABASE,
    ),
    Peer::new(
        TAR,
        Part::Files,
        r#"tar -cf "$SOURCE/tree.tar" -C "$UPLOADS" ."#,
        RESTORE_FILES,
    ),
    // As ours, which calls nothing restored that is not on the disk.
    Peer::new(
        TAR_FLUSHED,
        Part::Files,
        r#"tar -cf "$SOURCE/tree.tar" -C "$UPLOADS" ."#,
        r#"mkdir "$TARGET"; tar -xf "$SOURCE/tree.tar" -C "$TARGET"; sync -f "$TARGET""#,
    ),
    Peer::new(
        TAR_GZIP,
        Part::Files,
        r#"tar -czf "$SOURCE/tree.tar.gz" -C "$UPLOADS" ."#,
        RESTORE_FILES,
    ),
    Peer {
        program: "zstd",
        ..Peer::new(
            TAR_ZSTD,
            Part::Files,
            r#"tar --zstd -cf "$SOURCE/tree.tar.zst" -C "$UPLOADS" ."#,
            RESTORE_FILES,
        )
    },
];

impl Peer {
    const fn new(name: &'static str, part: Part, save: &'static str, restore: &'static str) -> Self {
        Self {
            name,
            part,
            save,
            restore,
            program: "",
        }
    }

    /// Whether it can run here; by root, its program is installed where it is missing.
    pub(super) fn is_there(&self) -> bool {
        let found = || self.program.is_empty() || tools::find_on_path(self.program).is_some();
        found() || (tools::is_root() && tools::apt_install(&[self.program]).is_ok() && found())
    }
}

/// A peer with what it restores from. Dropped, that goes.
pub(super) struct Prepared {
    peer: &'static Peer,
    source: TempDir,
}

impl Prepared {
    /// Makes what it restores from.
    pub(super) fn make(peer: &'static Peer, data: &Data, keep: &Path) -> io::Result<Self> {
        let source = tempfile::Builder::new().prefix("stored-").tempdir_in(keep)?;
        let prepared = Self { peer, source };
        prepared.run(peer.save, data, "", &Work::new(keep)?)?;
        Ok(prepared)
    }

    /// Restores once.
    pub(super) fn restore(&self, data: &Data, place: &Place) -> io::Result<Sample> {
        let target = match self.peer.part {
            Part::Database => place.database.name.clone(),
            Part::Files => place.folder().display().to_string(),
        };
        let sample = self.run(self.peer.restore, data, &target, &place.work)?;
        Ok(Sample {
            stored: size_of(self.source.path()),
            ..sample
        })
    }

    fn run(&self, script: &str, data: &Data, target: &str, work: &Work) -> io::Result<Sample> {
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", script])
            .envs(data.environment())
            .env("UPLOADS", &data.uploads)
            .env("SOURCE", self.source.path())
            .env("TARGET", target)
            .env("JOBS", jobs().to_string())
            .env("TMPDIR", work.temporary());
        let ran = measure::run(&mut command, work);
        let (sample, _) = ran.map_err(|error| failed(format!("{}: {error}", self.peer.name)))?;
        Ok(sample)
    }
}
