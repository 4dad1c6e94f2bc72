//! How the PostgreSQL programs are found, started and told where to connect.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use backup_core::{JobControl, Random};
use secrecy::{ExposeSecret, SecretString};

use super::DatabaseSettings;
use crate::Error;
use crate::child::Child;

mod work;

use work::Watch;

/// Seconds to wait for a connection where the operator's `PGCONNECT_TIMEOUT` says nothing.
const CONNECT_TIMEOUT: &str = "5";

/// Variables that a child inherits, by the beginning of their names. Everything else, our own secrets above all, stays here.
const INHERITED: [&str; 15] = [
    "PATH", "HOME", "USER", "LOGNAME", "TZ", "TMPDIR", "LANG", "LC_", "LD_", "PG", "KRB5", "GSS", "SSL_", "OPENSSL_",
    "XDG_",
];

/// Those that begin so and stay here nevertheless. The dump stays in the database's encoding, and messages in the language that
/// we read. And connections go to the host that settings or a URL name: an address in the environment would outrank every one of
/// them, a throw-away server's socket too, and lead a backup or a restore to another server than it says. A password would
/// follow them to any host: see [`libpq_password`]. What a service says, addresses and passwords too, outranks all that we say
/// by variables.
const WITHHELD: [&str; 5] = ["LANGUAGE", "PGCLIENTENCODING", "PGHOSTADDR", PASSWORD, "PGSERVICE"];

/// Where libpq looks for a password.
const PASSWORD: &str = "PGPASSWORD";

/// The password that libpq would take from this process's environment (`PGPASSWORD`). No program of PostgreSQL inherits it.
/// Whoever makes [`DatabaseSettings`] of the environment gives it to them, and so knows which host and user it is for.
pub fn libpq_password() -> Option<SecretString> {
    let password = std::env::var(PASSWORD).ok().filter(|password| !password.is_empty());
    password.map(SecretString::from)
}

/// A program with the environment that lets it log in, not yet started.
pub(super) struct Program {
    /// Its name, for messages.
    pub(super) name: &'static str,
    /// The command; arguments may be added.
    pub(super) command: Command,
    /// What the server knows its connections by.
    pub(super) application: String,
}

impl Program {
    /// Gives its connections these settings (`-c name=value …`) too: they outrank those of the operator, those that were given
    /// before, and what a role or a database is set to.
    pub(super) fn set(&mut self, settings: &str) {
        let given = self.command.get_envs().find(|(name, _)| *name == "PGOPTIONS");
        let mut all = given.and_then(|(_, value)| value).unwrap_or_default().to_owned();
        all.push(" ");
        all.push(settings);
        self.command.env("PGOPTIONS", all);
    }

    /// Gives its connections one setting, whatever stands in its value.
    pub(super) fn set_to(&mut self, name: &str, value: &str) {
        self.set(&format!("-c {name}={}", escaped(value)));
    }
}

impl DatabaseSettings {
    /// The program `name` with its environment. The password is there only, never among the arguments.
    pub(super) fn program(&self, name: &'static str) -> Result<Program, Error> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let application = format!(
            "backup {} {} {}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed),
            process_name(&*self.random)?
        );
        let mut command = client(self.programs.as_deref(), name)?;
        command.env("PGAPPNAME", &application);
        if let Some(password) = &self.password {
            command.env(PASSWORD, password.expose_secret());
        }
        Ok(Program {
            name,
            command,
            application,
        })
    }

    /// Starts `program`; while it is silent, it is looked at whether it gets on nevertheless.
    pub(super) fn spawn(&self, program: Program, job: &JobControl) -> Result<Child, Error> {
        let mut child = Child::spawn(program.name, program.command, self.password.clone(), job)?;
        let mut watch = Watch::new(self, program.application, &child, job);
        child.ask_before_ending(Box::new(move || watch.is_at_work()));
        Ok(child)
    }

    /// A connection string for `database`, without the password. A dead network is noticed by keep-alive within a minute.
    pub(super) fn conninfo(&self, database: &str) -> String {
        let mut text = format!(
            "host={} port={} dbname={} keepalives_idle=30 keepalives_interval=10 keepalives_count=3",
            quote(&self.host),
            self.port,
            quote(database)
        );
        if let Some(user) = &self.user {
            text.push_str(" user=");
            text.push_str(&quote(user));
        }
        for (name, value) in self.options.iter() {
            text.extend([" ", name, "=", &quote(value)]);
        }
        text
    }

    /// `database "name" on host:port`, for messages.
    pub(super) fn describe(&self) -> String {
        format!("database \"{}\" on {}", self.name, self.address())
    }

    /// `host:port`, for messages.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// [`version_of`] one of these settings' programs.
    pub(super) fn program_version(&self, name: &'static str, job: &JobControl) -> Result<(String, u32), Error> {
        version_of(self.programs.as_deref(), name, job)
    }
}

/// A program with the environment that it may see and no log-in: of the folder that is named, else of the `PATH`, else of the
/// newest version of Debian's.
pub(super) fn client(programs: Option<&Path>, name: &str) -> Result<Command, Error> {
    let mut command = Command::new(find_program(programs, name)?);
    command.env_clear();
    command.env("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT);
    command.envs(std::env::vars_os().filter(|(variable, _)| is_inherited(&variable.to_string_lossy())));
    command.env("LC_ALL", "C");
    Ok(command)
}

fn is_inherited(variable: &str) -> bool {
    INHERITED.iter().any(|start| variable.starts_with(start)) && !WITHHELD.contains(&variable)
}

/// What `program --version` says, and the major version in it.
pub(super) fn version_of(
    programs: Option<&Path>,
    name: &'static str,
    job: &JobControl,
) -> Result<(String, u32), Error> {
    let mut command = client(programs, name)?;
    command.arg("--version");
    let mut child = Child::spawn(name, command, None, job)?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child, &mut text).map_err(|error| Error::content(name, error))?;
    child.finish()?.check("")?;
    let version = text
        .split(") ")
        .nth(1)
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_default();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let major = digits.parse().map_err(|_| {
        Error::refused(
            format!("{name} does not say its version, but \"{}\"", text.trim()),
            "Name the folder that holds the PostgreSQL client programs.",
        )
    })?;
    Ok((version.to_owned(), major))
}

fn find_program(programs: Option<&Path>, name: &str) -> Result<PathBuf, Error> {
    let found = match programs {
        Some(folder) => Some(folder.join(name)).filter(|path| path.is_file()),
        None => std::env::var_os("PATH")
            .and_then(|path| {
                std::env::split_paths(&path)
                    .map(|folder| folder.join(name))
                    .find(|path| path.is_file())
            })
            .or_else(|| newest_of_debian(name)),
    };
    found.ok_or_else(|| {
        let place = match programs {
            Some(folder) => format!("in {}", folder.display()),
            None => "on the PATH".to_owned(),
        };
        Error::refused(
            format!("the program {name} is missing: it is not {place}"),
            "Install the PostgreSQL client programs (Debian: postgresql-client) of the server's version or a newer one.",
        )
    })
}

/// Tells this process from those of other hosts and containers, whose numbers may be the same.
fn process_name(random: &dyn Random) -> Result<&'static str, Error> {
    static NAME: OnceLock<String> = OnceLock::new();
    if let Some(name) = NAME.get() {
        return Ok(name);
    }
    let mut bytes = [0; 8];
    random
        .fill(&mut bytes)
        .map_err(|error| Error::io("read random bytes from", "the system", error))?;
    Ok(NAME.get_or_init(|| format!("{:016x}", u64::from_ne_bytes(bytes))))
}

/// What a person should do about an error in the server's or a program's own words.
pub(super) fn hint_for(said: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if says(&["unsupported version", "version mismatch"]) {
        "Install PostgreSQL client programs as new as the server and as those that made the backup."
    } else if says(&[
        "permission denied",
        "row-level security",
        "must be owner",
        "must be superuser",
        "must be member",
    ]) {
        "Give the user the rights that are missing (to read everything: pg_read_all_data and BYPASSRLS), or use the owner."
    } else if says(&["ERROR:  role \""]) && says(&["\" does not exist"]) {
        "Create the roles that are missing (the backup's globals.sql does)."
    } else if says(&["could not set default_tablespace", "ERROR:  tablespace \""]) {
        "Create the tablespaces that are missing, or restore without them (skipTablespaces, --skip-tablespaces)."
    } else if says(&["for type money"]) {
        "Install the locale by which the backup's database writes amounts of money (its lc_monetary) on the server, and set it there."
    // `pg_dump` takes the one for the other.
    } else if says(&["lock timeout"]) || says(&["statement timeout"]) && says(&["LOCK TABLE"]) {
        "Something holds a table locked: back up at another time, or raise BACKUP_STALL_SECONDS."
    } else if says(&["No space left", "could not extend file"]) {
        "Make room on the server's disk."
    } else {
        "See the server's log for the cause."
    }
}

/// Debian keeps the programs of each version in a folder of its own.
fn newest_of_debian(name: &str) -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    folders
        .flatten()
        .filter_map(|folder| {
            let version: u32 = folder.file_name().to_str()?.parse().ok()?;
            let path: PathBuf = Path::new(&folder.path()).join("bin").join(name);
            path.is_file().then_some((version, path))
        })
        .max()
        .map(|(_, path)| path)
}

/// A value in `PGOPTIONS`, which the server takes apart at white space.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        if character == '\\' || character.is_whitespace() {
            text.push('\\');
        }
        text.push(character);
    }
    text
}

/// A value of a connection string.
fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use backup_core::OsRandom;

    use super::*;
    use crate::database::{ConnectionOptions, NamedBy};

    #[test]
    fn connections_are_made_as_the_settings_say() {
        let mut options = ConnectionOptions::default();
        assert!(options.set("sslmode", "verify-full") && options.set("sslrootcert", "/etc/o'brien \\ca.pem"));
        for (name, value) in [
            ("sslmode", "verify"),
            ("sslpassword", "x"),
            ("host", "h"),
            ("sslcert", "a\0b"),
        ] {
            assert!(!options.set(name, value), "{name}");
        }
        let settings = DatabaseSettings {
            host: "h".to_owned(),
            port: 5432,
            name: "d".to_owned(),
            user: None,
            password: None,
            options,
            named_by: NamedBy::Settings,
            programs: None,
            random: Arc::new(OsRandom),
        };
        let text = settings.conninfo("d");
        assert!(
            text.ends_with(" sslmode='verify-full' sslrootcert='/etc/o\\'brien \\\\ca.pem'"),
            "{text}"
        );
    }

    /// Settings with a program of the name `psql`, which is none, in this folder.
    fn with_psql_in(folder: &Path) -> DatabaseSettings {
        std::fs::write(folder.join("psql"), "").unwrap();
        DatabaseSettings {
            host: String::new(),
            port: 0,
            name: String::new(),
            user: None,
            password: None,
            options: ConnectionOptions::default(),
            named_by: NamedBy::Settings,
            programs: Some(folder.to_owned()),
            random: Arc::new(OsRandom),
        }
    }

    #[test]
    fn settings_of_a_connection_do_not_take_away_those_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = with_psql_in(folder.path()).program("psql").unwrap();
        program.command.env("PGOPTIONS", "-c work_mem=1MB");
        program.set("-c default_transaction_read_only=off");
        program.set_to("application_name", "a b");
        let options = program.command.get_envs().find(|(name, _)| *name == "PGOPTIONS");
        assert_eq!(
            options.unwrap().1.unwrap(),
            "-c work_mem=1MB -c default_transaction_read_only=off -c application_name=a\\ b"
        );
    }

    #[test]
    fn a_value_in_the_options_stays_one() {
        assert_eq!(escaped("hex"), "hex");
        assert_eq!(escaped("hex -c\tx=\ny\u{b}\\"), "hex\\ -c\\\tx=\\\ny\\\u{b}\\\\");
    }

    #[test]
    fn programs_see_libpqs_variables_but_none_that_leads_elsewhere_or_follows_to_any_host() {
        for variable in ["PGSSLMODE", "PGPASSFILE", "PGOPTIONS", "LANG", "PATH"] {
            assert!(is_inherited(variable), "{variable}");
        }
        for variable in [
            "PGHOSTADDR",
            "PGPASSWORD",
            "PGSERVICE",
            "PGCLIENTENCODING",
            "LANGUAGE",
            "BACKUP_ENCRYPTION_KEY",
        ] {
            assert!(!is_inherited(variable), "{variable}");
        }
    }

    #[test]
    fn no_other_process_has_connections_of_the_same_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = with_psql_in(folder.path());
        let name = || settings.program("psql").unwrap().application;
        let (one, two) = (name(), name());
        assert_ne!(one, two);
        let parts: Vec<&str> = one.split(' ').collect();
        assert_eq!((parts.len(), parts[3].len()), (4, 16), "{one}");
        // The server cuts off what is longer.
        assert!(one.len() < 64);
    }
}
