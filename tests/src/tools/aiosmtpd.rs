//! aiosmtpd, a mail server in Python, from PyPI.

use std::io;
use std::path::PathBuf;

use super::python;

/// The Python that can import it, installed where it is missing.
pub fn install() -> io::Result<PathBuf> {
    Ok(python::environment("aiosmtpd")?.join("bin/python"))
}
