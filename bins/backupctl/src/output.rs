//! Data to stdout, messages to stderr.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::exit::Failure;

/// Whether stdout was a pipe whose reader went away, such as `head`.
static READER_GONE: AtomicBool = AtomicBool::new(false);

/// Whether nobody reads the output any more: what the command failed of then is no failure to tell of.
pub(crate) fn is_reader_gone() -> bool {
    READER_GONE.load(Ordering::SeqCst)
}

/// Where all data goes. Errors may reach the end of the program by many ways; that the reader is gone is known here.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).inspect_err(note)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().inspect_err(note)
    }
}

fn note(error: &io::Error) {
    if error.kind() == io::ErrorKind::BrokenPipe {
        READER_GONE.store(true, Ordering::SeqCst);
    }
}

/// A message for people.
pub(crate) fn message(text: &str) {
    // Nobody is left to be told where stderr is gone.
    let _ = writeln!(io::stderr(), "backupctl: {text}");
}

/// A line of data.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    writeln!(Stdout, "{text}").map_err(|error| unwritable(&error))
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
            Self::Stdout => Ok(Box::new(BufWriter::with_capacity(256 << 10, Stdout))),
            Self::File(path) => Ok(Box::new(BufWriter::with_capacity(256 << 10, Synced(create(path)?)))),
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

/// A new file. Once it is flushed it outlives a loss of power, and what the disk or a server refuses only then is told.
struct Synced(File);

impl Write for Synced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            let path = path.display();
            Failure::failed(match error.kind() {
                io::ErrorKind::AlreadyExists => format!(
                    "'{path}' is there already (HINT: Nothing is written over: name another file, or remove this one \
                     first.)"
                ),
                _ => format!("'{path}' cannot be made: {error}"),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_put_on_a_disk_is_not_called_written() {
        // A device takes everything, and can be asked for none of it to be kept.
        let device = OpenOptions::new().write(true).open("/dev/null").unwrap();
        let mut file = BufWriter::new(Synced(device));
        file.write_all(b"restored").unwrap();
        assert_eq!(file.flush().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
