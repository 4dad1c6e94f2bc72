//! One database of a cluster.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::SUPERUSER;
use crate::tools;

/// A database and the way to it. Dropped, the database goes too, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    /// Always the loopback address.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// The database's name, as it is (not quoted).
    pub name: String,
    /// The superuser.
    pub user: String,
    /// Its password.
    pub password: String,
    pub(super) bin: PathBuf,
}

impl Database {
    /// `postgres://USER:PASSWORD@HOST:PORT/NAME`, the name percent-encoded.
    pub fn url(&self) -> String {
        format!(
            "postgres://{}:{}@{}:{}/{}",
            self.user,
            self.password,
            self.host,
            self.port,
            percent(&self.name)
        )
    }

    /// Runs SQL and gives what it prints, unaligned, without headers, columns separated by `|`. Panics on an error.
    pub fn psql(&self, sql: &str) -> String {
        self.try_psql(sql)
            .unwrap_or_else(|e| panic!("SQL in database {}: {e}", self.name))
    }

    /// Like [`Self::psql`], with the error returned.
    pub fn try_psql(&self, sql: &str) -> io::Result<String> {
        psql(&self.bin, self.port, &self.password, &self.name, sql)
    }

    /// The database as plain SQL by `pg_dump`, for comparisons: what differs from run to run (the `\restrict` token) is
    /// taken out, and the rows of each table are sorted, since the server puts rows of different lengths where there is room.
    /// Two databases with the same dump are the same.
    pub fn dump(&self) -> String {
        let mut command = client(&self.bin, "pg_dump", self.port, &self.password);
        let output = tools::run(command.args(["--dbname", &conninfo(&self.name)])).expect("pg_dump");
        let text = String::from_utf8(output.stdout).expect("a dump in UTF-8");
        let mut lines = text
            .lines()
            .filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
        let mut dump = String::with_capacity(text.len());
        while let Some(line) = lines.next() {
            dump.extend([line, "\n"]);
            if line.starts_with("COPY ") && line.ends_with(" FROM stdin;") {
                let mut rows: Vec<&str> = lines.by_ref().take_while(|line| *line != "\\.").collect();
                rows.sort_unstable();
                dump.extend(rows.into_iter().chain(["\\."]).flat_map(|row| [row, "\n"]));
            }
        }
        dump
    }

    /// The names of all tables, with schema and quoted as needed, and how many rows each holds itself (for partitioned
    /// tables: 0), ordered by name.
    pub fn row_counts(&self) -> Vec<(String, u64)> {
        let list = "SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                    WHERE c.relkind IN ('r', 'm') AND c.relispopulated AND n.nspname !~ '^(pg_|information_schema)' ORDER BY n.nspname, c.relname";
        let tables = self.psql(&format!("SET search_path = pg_catalog; {list}"));
        let count = |table: &str| format!("SELECT count(*) FROM ONLY {table};");
        let queries: String = tables.lines().map(count).collect();
        let counts = self.psql(&queries);
        tables
            .lines()
            .zip(counts.lines())
            .map(|(table, count)| (table.to_owned(), count.parse().expect("a count")))
            .collect()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(&self.name));
        let _server_may_be_gone = psql(&self.bin, self.port, &self.password, "postgres", &sql);
    }
}

/// A name as SQL wants it, whatever is in it.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A client program with its way to the server; the password goes by environment.
fn client(bin: &Path, program: &str, port: u16, password: &str) -> Command {
    let mut command = Command::new(bin.join(program));
    command
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "10")
        .env("PGOPTIONS", "")
        .args(["--host=127.0.0.1", "--no-password", "--username", SUPERUSER])
        .arg(format!("--port={port}"));
    command
}

/// A connection string with just the database's name in it: as a bare argument, a name with `=` or `://` would be read
/// as one.
fn conninfo(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

pub(super) fn psql(bin: &Path, port: u16, password: &str, database: &str, sql: &str) -> io::Result<String> {
    use std::io::Write as _;

    let mut script = tempfile::NamedTempFile::new()?;
    script.write_all(sql.as_bytes())?;
    let output = tools::run(
        client(bin, "psql", port, password)
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "--dbname",
                &conninfo(database),
            ])
            .arg("--file")
            .arg(script.path()),
    )?;
    let text = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(text.trim_end_matches('\n').to_owned())
}

pub(super) fn is_ready(bin: &Path, port: u16) -> bool {
    let probe = Command::new(bin.join("pg_isready"))
        .args(["--quiet", "--host=127.0.0.1", "--dbname=postgres"])
        .arg(format!("--port={port}"))
        .status();
    probe.is_ok_and(|status| status.success())
}

fn percent(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    name.bytes().map(encode).collect()
}
