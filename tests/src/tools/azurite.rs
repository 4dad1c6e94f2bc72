//! Azurite, Microsoft's Azure Storage emulator, from npm.

use std::io;
use std::path::PathBuf;

/// The script that `node` runs, installed where it is missing.
pub fn install() -> io::Result<PathBuf> {
    Ok(super::npm::install()?.join("node_modules/azurite/dist/src/blob/main.js"))
}
