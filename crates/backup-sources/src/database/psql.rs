//! SQL by way of a `psql` that stays open: one statement in, its rows out as lines of JSON.
//!
//! libpq does the talking, so TLS, authentication and passfiles are the same as for `pg_dump`. Names and values never
//! pass a shell, and statements about tables are made by the server itself (`\gexec`).
//!
//! Whoever owns a database must command neither this machine nor the session's user. So every name and value is quoted:
//! within quotes `psql` looks for no commands of its own (`\! …`). Where it knows how (`\restrict`), it takes none at all
//! while it reads a statement. And the first statement of a session takes the search path out of the owner's hands.

use std::io::{BufRead, BufReader, Write};

use backup_core::JobControl;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::server::{Program, hint_for, libpq_password};
use super::{DatabaseSettings, NamedBy};
use crate::Error;
use crate::child::{Child, Exit};

/// The line after a statement's rows. Every row is JSON, which no such line is.
const END: &str = "--end";

/// From here on only the system's own functions are found: the path that the database is set to may begin with others of
/// the same names. This itself depends on no path.
const SEARCH_PATH: &str = "SELECT pg_catalog.set_config('search_path', 'pg_catalog', false)";

/// Makes the session independent of what else servers and roles are set to, and keeps it from everything that would act with
/// its user's rights where a table is asked for: policies, and a view or foreign table that has come to be in the table's
/// place since it was looked at (no lock keeps an owner from renaming the schema). `set_config` over `pg_settings` passes over
/// what a version does not know.
const SETTINGS: &str = "SELECT set_config(name, CASE name WHEN 'client_encoding' THEN 'UTF8' \
    WHEN 'row_security' THEN 'off' WHEN 'standard_conforming_strings' THEN 'on' \
    WHEN 'restrict_nonsystem_relation_kind' THEN 'view, foreign-table' \
    WHEN 'default_transaction_read_only' THEN 'off' ELSE '0' END, false) IS NULL AS unset FROM pg_catalog.pg_settings \
    WHERE name IN ('client_encoding', 'row_security', 'standard_conforming_strings', \
    'restrict_nonsystem_relation_kind', 'default_transaction_read_only', 'statement_timeout', 'lock_timeout', \
    'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')";

/// An open session. Dropped, it ends, and the server rolls back what was open.
pub(super) struct Session {
    child: Option<BufReader<Child>>,
    target: String,
    settings: DatabaseSettings,
    /// What ends the mode in which `psql` takes no commands of its own; `None`: it does not know that mode.
    key: Option<String>,
}

impl Session {
    /// Connects to `database` on the server of `settings`. Errors name the cause and what to do. A session that is silent
    /// for too long is ended.
    pub(super) fn open(settings: &DatabaseSettings, database: &str, job: &JobControl) -> Result<Self, Error> {
        Self::connect(settings, database, |program| {
            Child::spawn(program.name, program.command, settings.password.clone(), job)
        })
    }

    /// The same for work that may take the server long: while it is silent, the server is asked whether it is at work.
    pub(super) fn open_for_long(settings: &DatabaseSettings, database: &str, job: &JobControl) -> Result<Self, Error> {
        Self::connect(settings, database, |program| settings.spawn(program, job))
    }

    /// A session that needs no database of ours: with `postgres`, else with `template1`, and with none of `others`, which
    /// could be neither renamed nor dropped from within.
    pub(super) fn open_maintenance(
        settings: &DatabaseSettings,
        others: &[&str],
        job: &JobControl,
    ) -> Result<Self, Error> {
        if others.contains(&"postgres") {
            return Self::open(settings, "template1", job);
        }
        Self::open(settings, "postgres", job).or_else(|error| match error {
            Error::Refused { ref message, .. } if message.contains("does not exist") => {
                Self::open(settings, "template1", job)
            }
            error => Err(error),
        })
    }

    fn connect(
        settings: &DatabaseSettings,
        database: &str,
        spawn: impl FnOnce(Program) -> Result<Child, Error>,
    ) -> Result<Self, Error> {
        let mut program = settings.program("psql")?;
        program
            .command
            .args(["-XAtq", "--no-password", "--set=ON_ERROR_STOP=1"]);
        program.command.arg(format!("--dbname={}", settings.conninfo(database)));
        let mut session = Self {
            child: Some(BufReader::new(spawn(program)?)),
            target: database.to_owned(),
            settings: settings.clone(),
            key: None,
        };
        session.key = session.restrict_key()?;
        session.execute(SEARCH_PATH)?;
        session.execute(SETTINGS)?;
        Ok(session)
    }

    /// Runs one statement and throws its rows away.
    pub(super) fn execute(&mut self, sql: &str) -> Result<(), Error> {
        self.send(sql, ";", &mut |_| Ok(()))
    }

    /// Runs one query of one column, which must be JSON or print as such, and reads every row of it.
    pub(super) fn query<T: DeserializeOwned>(&mut self, sql: &str) -> Result<Vec<T>, Error> {
        let mut rows = Vec::new();
        self.send(sql, ";", &mut |line| {
            rows.push(parse(line)?);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Runs one query that gives exactly one row.
    pub(super) fn query_one<T: DeserializeOwned>(&mut self, sql: &str) -> Result<T, Error> {
        let mut rows = self.query(sql)?;
        match rows.len() {
            1 => Ok(rows.remove(0)),
            count => Err(Error::failed(
                format!("the server gave {count} rows where one was asked for"),
                "",
            )),
        }
    }

    /// Runs one query whose rows are statements themselves, and those statements, and hands on each row of theirs.
    pub(super) fn query_generated<T: DeserializeOwned>(
        &mut self,
        sql: &str,
        each: &mut dyn FnMut(T),
    ) -> Result<(), Error> {
        self.send(sql, "\\gexec", &mut |line| {
            each(parse(line)?);
            Ok(())
        })
    }

    /// A key that nobody can guess, where this `psql` has a use for it.
    fn restrict_key(&mut self) -> Result<Option<String>, Error> {
        let mut version: u32 = 0;
        self.send("", "\\echo :VERSION_NUM", &mut |line| {
            version = parse(line)?;
            Ok(())
        })?;
        if !can_restrict(version) {
            return Ok(None);
        }
        let mut bytes = [0; 16];
        self.settings
            .random
            .fill(&mut bytes)
            .map_err(|error| Error::io("read random bytes from", "the system", error))?;
        Ok(Some(format!("{:032x}", u128::from_ne_bytes(bytes))))
    }

    fn send(&mut self, sql: &str, run: &str, each: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        // psql would cut the line off there, and all quotes behind it would begin where they should end.
        if sql.contains('\0') {
            return Err(Error::refused(
                "a name or a value for the server holds a NUL character",
                "Where it comes from a backup, restore another, and report this one.",
            ));
        }
        let Some(reader) = &mut self.child else {
            return Err(Error::failed("the session with the server has ended", ""));
        };
        let statement = match &self.key {
            Some(key) => format!("\\restrict {key}\n{sql}\n\\unrestrict {key}\n"),
            None => sql.to_owned(),
        };
        let text = format!("{statement} {run}\n\\echo {END}\n");
        // Where psql has ended, its last words say why, better than a broken pipe.
        let written = reader.get_mut().write_all(text.as_bytes());
        let mut line = Vec::new();
        while written.is_ok() {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(Error::content("psql", error)),
            }
            let line = line.trim_ascii_end();
            if line == END.as_bytes() {
                return Ok(());
            }
            each(line)?;
        }
        Err(self.why_it_ended())
    }

    fn why_it_ended(&mut self) -> Error {
        let Some(reader) = self.child.take() else {
            return Error::failed("the session with the server has ended", "");
        };
        let child = reader.into_inner();
        if let Some(fault) = child.fault() {
            return fault.into();
        }
        match child.finish() {
            // psql's own exit code for a connection that could not be made or was lost.
            Ok(exit) if exit.code() == Some(2) => connection_error(&self.settings, &self.target, &exit.stderr),
            Ok(exit) => {
                let hint = hint_for(&exit.stderr);
                match exit.check(hint) {
                    Ok(_) => Error::unavailable("psql ended early", "Try again."),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        }
    }
}

/// Whether a `psql` of this version knows `\restrict`, which came with these minor versions.
fn can_restrict(version: u32) -> bool {
    let (major, minor) = (version / 10_000, version % 10_000);
    let since = match major {
        13 => 22,
        14 => 19,
        15 => 14,
        16 => 10,
        17 => 6,
        _ => 0,
    };
    major >= 13 && minor >= since
}

/// `text` as a string constant of SQL, whatever the server's `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// `name` as an identifier of SQL. A backslash in it means nothing.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Error> {
    let text = String::from_utf8_lossy(line);
    serde_json::from_str(&text).map_err(|error| Error::failed(format!("cannot read the server's answer: {error}"), ""))
}

impl DatabaseSettings {
    /// The error of a program that could not reach the server or lost it; `None` where it ended for another reason.
    pub(super) fn lost(&self, exit: &Exit) -> Option<Error> {
        let words = [
            "connection to server",
            "no connection to the server",
            "server closed the connection",
            "terminating connection",
        ];
        let lost = exit.code().is_some_and(|code| code != 0) && words.iter().any(|word| exit.stderr.contains(word));
        lost.then(|| connection_error(self, &self.name, &exit.stderr))
    }
}

impl NamedBy {
    /// Where name, log-in and address of the database stand.
    fn places(self) -> [&'static str; 3] {
        match self {
            Self::Settings => [
                "DATABASE_NAME",
                "DATABASE_USER and DATABASE_PASSWORD",
                "DATABASE_HOST and DATABASE_PORT",
            ],
            Self::Url => [
                "the name in the database's URL",
                "user and password in the database's URL",
                "host and port in the database's URL",
            ],
        }
    }
}

/// What a failed connection means for a person, by what libpq and the server say of it.
pub(super) fn connection_error(settings: &DatabaseSettings, database: &str, said: &str) -> Error {
    let message = format!(
        "cannot connect to database \"{database}\" on {}: {said}",
        settings.address()
    );
    let [name, login, address] = settings.named_by.places();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&[
        "starting up",
        "shutting down",
        "in recovery mode",
        "too many clients",
        "too many connections",
        "remaining connection slots",
    ]) {
        Error::unavailable(
            message,
            "Wait until the server takes connections, or allow it more of them.",
        )
    } else if said.contains("does not exist") && said.contains("database \"") {
        Error::refused(message, format!("Check {name}, or create the database."))
    } else if says(&[
        "password authentication failed",
        "no password supplied",
        "role \"",
        "Peer authentication",
        "SCRAM",
    ]) {
        let is_libpqs = |password: &str| libpq_password().is_some_and(|libpqs| libpqs.expose_secret() == password);
        let elsewhere = match &settings.password {
            Some(password) if is_libpqs(password.expose_secret()) => ", and PGPASSWORD, which gives the password",
            Some(_) => "",
            None => ": no password is there, so PGPASSWORD or a passfile (PGPASSFILE, ~/.pgpass) has to give it",
        };
        Error::refused(message, format!("Check {login}{elsewhere}."))
    } else if says(&["pg_hba.conf", "permission denied", "SSL", "certificate"]) {
        Error::refused(
            message,
            "Check what the server allows this host and user (pg_hba.conf, grants, TLS).",
        )
    } else if says(&["invalid port", "invalid connection option", " value: \""]) {
        Error::refused(
            message,
            format!("Check {address}, and libpq's variables (PGSSLMODE …)."),
        )
    } else {
        Error::unavailable(
            message,
            format!("Check {address}, and that PostgreSQL runs and can be reached."),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backup_core::OsRandom;

    use super::*;
    use crate::database::ConnectionOptions;

    fn settings(named_by: NamedBy, password: Option<&str>) -> DatabaseSettings {
        DatabaseSettings {
            host: "h".to_owned(),
            port: 5432,
            name: "d".to_owned(),
            user: None,
            password: password.map(Into::into),
            options: ConnectionOptions::default(),
            named_by,
            programs: None,
            random: Arc::new(OsRandom),
        }
    }

    #[test]
    fn a_server_that_takes_no_more_connections_is_away_and_refuses_nobody() {
        for said in [
            "FATAL:  too many connections for role \"backup\"",
            "FATAL:  too many connections for database \"shop\"",
            "FATAL:  sorry, too many clients already",
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        ] {
            let error = connection_error(&settings(NamedBy::Settings, Some("given")), "d", said);
            let Error::Unavailable { hint, .. } = error else {
                panic!("{said}: {error:?}")
            };
            assert!(hint.contains("allow it more"), "{said}: {hint}");
        }
    }

    #[test]
    fn a_refused_log_in_is_put_right_where_it_is_written() {
        let hint = |named_by, password: Option<&str>| match connection_error(
            &settings(named_by, password),
            "d",
            "fe_sendauth: no password supplied",
        ) {
            Error::Refused { hint, .. } => hint,
            error => panic!("{error}"),
        };
        let by_url = hint(NamedBy::Url, None);
        assert!(by_url.contains("URL") && by_url.contains("PGPASSWORD"), "{by_url}");
        // It counts for nothing there.
        assert!(!by_url.contains("DATABASE_PASSWORD"), "{by_url}");
        assert!(!hint(NamedBy::Url, Some("given")).contains("PGPASSWORD"));
        assert!(hint(NamedBy::Settings, Some("given")).contains("DATABASE_PASSWORD"));
        assert!(hint(NamedBy::Settings, None).contains("PGPASSFILE"));
    }

    #[test]
    fn nothing_ends_a_quoted_text_but_its_end() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\n\\! sh\n"), "E'\n\\\\! sh\n'");
        assert_eq!(literal("\\' OR ''='"), "E'\\\\'' OR ''''='''");
        assert_eq!(identifier("a\"; \\! sh"), "\"a\"\"; \\! sh\"");
    }

    #[test]
    fn psql_is_restricted_from_the_versions_on_that_know_how() {
        for (version, knows) in [
            (120_022, false),
            (130_021, false),
            (130_022, true),
            (150_013, false),
            (150_014, true),
            (170_005, false),
            (170_006, true),
            (180_000, true),
            (190_001, true),
        ] {
            assert_eq!(can_restrict(version), knows, "{version}");
        }
    }
}
