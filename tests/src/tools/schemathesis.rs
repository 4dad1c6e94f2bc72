//! Schemathesis, which holds an HTTP API against its OpenAPI document.

use std::io;
use std::path::PathBuf;

use super::python;

/// The program, installed where it is missing.
pub fn install() -> io::Result<PathBuf> {
    Ok(python::environment("schemathesis")?.join("bin/schemathesis"))
}
