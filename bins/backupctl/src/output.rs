//! Data to stdout, messages to stderr.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::exit::Failure;

/// A message for people.
pub(crate) fn message(text: &str) {
    // Nobody is left to be told where stderr is gone.
    let _ = writeln!(io::stderr(), "backupctl: {text}");
}

/// A line of data.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{text}").map_err(|error| unwritable(&error))
}

/// Data as JSON.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&format!("{value:#}"))
}

pub(crate) fn unwritable(error: &io::Error) -> Failure {
    Failure::failed(format!("the output cannot be written: {error}"))
}

/// Where extracted data goes: stdout, or a new file that only its owner may read and that is removed again unless it
/// becomes whole.
pub(crate) enum Output {
    Stdout,
    File(PathBuf),
}

impl Output {
    /// `-` and nothing are stdout.
    pub(crate) fn of(path: Option<&Path>) -> Self {
        match path {
            Some(path) if path != Path::new("-") => Self::File(path.to_owned()),
            _ => Self::Stdout,
        }
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Write + Send>, Failure> {
        match self {
            Self::Stdout => Ok(Box::new(BufWriter::with_capacity(256 << 10, io::stdout()))),
            Self::File(path) => Ok(Box::new(BufWriter::with_capacity(256 << 10, create(path)?))),
        }
    }

    /// Whether the data itself goes to a terminal, where a progress bar would stand in its way.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self, Self::Stdout) && io::stdout().is_terminal()
    }

    /// Removes the file of a failed command.
    pub(crate) fn discard(&self) {
        if let Self::File(path) = self
            && let Err(error) = std::fs::remove_file(path)
        {
            message(&format!(
                "'{}' is not whole and cannot be removed: {error}",
                path.display()
            ));
        }
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::failed(format!("'{}' cannot be made: {error}", path.display())))
}
