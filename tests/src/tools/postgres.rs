//! The programs of PostgreSQL: server and clients, contrib modules included.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{cache, debian, find_on_path, is_root, locked};

/// The folder with `postgres`, `initdb`, `pg_dump`…: `$BACKUP_PG_BIN`, else the newest that Debian's packages installed,
/// else the one on the `PATH`, else what [`install`] unpacked.
pub fn find() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("BACKUP_PG_BIN") {
        return Some(PathBuf::from(dir));
    }
    newest_below(Path::new("/usr/lib/postgresql"))
        .or_else(|| find_on_path("initdb")?.canonicalize().ok()?.parent().map(PathBuf::from))
        .or_else(|| Some(cache().join("postgresql/bin")).filter(|bin| bin.join("initdb").is_file()))
}

fn newest_below(versions: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(versions).into_iter().flatten().flatten();
    versions
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse::<u32>().ok()?,
                entry.path().join("bin"),
            ))
        })
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max()
        .map(|(_, bin)| bin)
}

/// The same folder, with Debian's packages installed first where nothing is there: by root into the system, by anybody
/// else unpacked below [`cache`].
pub fn install() -> io::Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    locked("postgresql", |folder| {
        if let Some(found) = find() {
            return Ok(found);
        }
        crate::note("installing PostgreSQL");
        if is_root() {
            super::apt_install(&["postgresql", "postgresql-contrib"])?;
            find().ok_or_else(|| io::Error::other("PostgreSQL's programs are not there after its installation"))
        } else {
            unpack(folder)
        }
    })
}

fn unpack(folder: &Path) -> io::Result<PathBuf> {
    let root = debian::unpack(&["postgresql", "postgresql-contrib"], folder)?;
    let missing = || io::Error::other("PostgreSQL's programs are not in the packages");
    let programs = newest_below(&root.join("usr/lib/postgresql")).ok_or_else(missing)?;
    let mut names: Vec<_> = fs::read_dir(&programs)?
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    // `initdb` last: it tells that all is there.
    names.sort_by_key(|name| name == "initdb");
    let bin = folder.join("bin");
    for name in names {
        debian::wrap(&programs.join(&name), &root, &bin.join(name))?;
    }
    Ok(bin)
}
