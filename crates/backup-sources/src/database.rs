//! The database of a backup: `about.json`, `database.dump`, `globals.sql`, `tables.json`.
//!
//! The dump is `pg_dump`'s custom format without compression, so that `pg_restore` reads it from the archive. What a restore
//! must know before the first byte of the dump (encoding, locale, extensions, roles) stands before it in `about.json`; the
//! rows of each table, counted while the dump runs and in its own snapshot, after it in `tables.json`.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use backup_core::Random;
use secrecy::SecretString;

mod about;
mod access;
mod check;
mod count;
mod drill;
mod dump;
mod options;
mod psql;
mod scratch;
mod server;
mod source;
mod swap;
mod target;

pub use access::DatabaseAccess;
pub use check::check_dump;
pub use drill::{DatabaseDrill, DatabaseDrillOptions};
pub use options::ConnectionOptions;
pub use scratch::ScratchServer;
pub use server::libpq_password;
pub use source::DatabaseSource;
pub use swap::{DatabaseSwap, DatabaseSwapState};
pub use target::{DatabaseTarget, DatabaseTargetOptions};

/// The part's name in the archive.
const PART: &str = "database";
const ABOUT: &str = "about.json";
const DUMP: &str = "database.dump";
const GLOBALS: &str = "globals.sql";
const TABLES: &str = "tables.json";

/// How many names or differences a message shows.
const SHOWN: usize = 20;

/// The first of `items`, and how many more there are.
fn shown(items: &[String]) -> String {
    let first: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Who named a database, and so where a person puts right what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    /// `DATABASE_HOST` and its neighbours, or a configuration over them.
    Settings,
    /// A `postgres://` URL.
    Url,
}

/// Where the database is and how to log in. `Debug` shows no password.
#[derive(Clone)]
pub struct DatabaseSettings {
    /// Host name, address, or folder of the server's socket.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the database.
    pub name: String,
    /// User; `None`: as libpq decides (`PGUSER`, else the system's user).
    pub user: Option<String>,
    /// Password; `None`: as libpq finds it for this host and user in a passfile (`PGPASSFILE`, `~/.pgpass`), or without. Where
    /// `PGPASSWORD` is to count, it is given here: see [`libpq_password`].
    pub password: Option<SecretString>,
    /// How connections are made, as to TLS.
    pub options: ConnectionOptions,
    /// Who says all this, for hints.
    pub named_by: NamedBy,
    /// Folder of `pg_dump`, `pg_dumpall`, `pg_restore` and `psql`; `None`: the `PATH`, then the newest of Debian's.
    pub programs: Option<PathBuf>,
    /// Randomness for what no server may guess.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for DatabaseSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("name", &self.name)
            .field("user", &self.user)
            .field("password", &self.password)
            .field("options", &self.options)
            .field("programs", &self.programs)
            .finish_non_exhaustive()
    }
}
