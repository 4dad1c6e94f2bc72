use std::path::PathBuf;
use std::sync::Arc;

use backup_core::{Random, percent};
use backup_sources::{ConnectionOptions, DatabaseSettings, NamedBy, libpq_password};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::{SettingsError, given, given_path, given_text, path};

/// The PostgreSQL database that is backed up.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Database that is backed up")]
pub struct DatabaseArgs {
    /// Host, or the folder of the server's socket
    #[arg(
        long = "database-host",
        env = "DATABASE_HOST",
        value_name = "HOST",
        default_value = "localhost"
    )]
    pub host: String,

    /// Port
    #[arg(
        long = "database-port",
        env = "DATABASE_PORT",
        value_name = "PORT",
        default_value_t = 5432
    )]
    pub port: u16,

    /// Name of the database
    #[arg(long = "database-name", env = "DATABASE_NAME", value_name = "NAME")]
    pub name: Option<String>,

    /// User
    #[arg(long = "database-user", env = "DATABASE_USER", value_name = "USER")]
    pub user: Option<String>,

    /// Password; never on a child's command line, never in a log
    #[arg(
        long = "database-password",
        env = "DATABASE_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub password: Option<SecretString>,

    /// Folder of pg_dump, pg_restore and psql [default: searched in PATH]
    #[arg(long = "database-programs", env = "DATABASE_PROGRAMS", value_name = "DIR", value_parser = path())]
    pub programs: Option<PathBuf>,
}

impl DatabaseArgs {
    /// How to reach it, by `PGPASSWORD` where no password is named. Without a name the settings still say on which server
    /// databases are restored.
    pub fn settings(&self, random: Arc<dyn Random>) -> DatabaseSettings {
        DatabaseSettings {
            host: self.host.clone(),
            port: self.port,
            name: given_text(self.name.as_ref()).unwrap_or_default(),
            user: given_text(self.user.as_ref()),
            password: password(self.password.as_ref(), libpq_password()),
            options: ConnectionOptions::default(),
            named_by: NamedBy::Settings,
            programs: self.programs(),
            random,
        }
    }

    /// The folder of PostgreSQL's programs, where one is named.
    pub fn programs(&self) -> Option<PathBuf> {
        given_path(self.programs.as_ref())
    }

    /// How to reach the database of a `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=…` URL, with these settings'
    /// programs, and by `PGPASSWORD` where it holds no password. Of libpq's parameters it takes `host`, `port` and those of
    /// [`ConnectionOptions::names`], and passes over `application_name`, which the connections have for themselves.
    ///
    /// # Errors
    /// Where it is no such URL, or has another parameter; the message does not repeat it, since it may hold a password.
    pub fn settings_of_url(
        &self,
        url: &SecretString,
        random: Arc<dyn Random>,
    ) -> Result<DatabaseSettings, SettingsError> {
        let refuse = |what: &str| {
            SettingsError::new(
                format!("the database's URL {what}"),
                "Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded.",
            )
        };
        let parsed = url::Url::parse(url.expose_secret()).map_err(|_| refuse("cannot be read"))?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") {
            return Err(refuse("is not postgres://"));
        }
        let text = |encoded: &str| percent::decode(encoded).ok_or_else(|| refuse("has a bad percent-encoding"));
        let name = text(parsed.path().trim_start_matches('/'))?;
        if name.is_empty() {
            return Err(refuse("names no database"));
        }
        let (mut host, mut port, mut options) = (None, None, ConnectionOptions::default());
        let parameters = parsed.query().unwrap_or_default().split('&');
        for parameter in parameters.filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').ok_or_else(bad_parameter)?;
            let value = text(value)?;
            match name {
                "host" => host = Some(value),
                "port" => port = Some(value.parse::<u16>().map_err(|_| refuse("has a port that is none"))?),
                "application_name" => {}
                name if options.set(name, &value) => {}
                _ => return Err(bad_parameter()),
            }
        }
        let host = match parsed.host_str().filter(|host| !host.is_empty()) {
            Some(host) => text(host)?.trim_matches(['[', ']']).to_owned(),
            None => host.unwrap_or_else(|| "localhost".to_owned()),
        };
        let own = parsed.password().map(text).transpose()?.map(SecretString::from);
        Ok(DatabaseSettings {
            host,
            port: parsed.port().or(port).unwrap_or(5432),
            name,
            user: match parsed.username() {
                "" => None,
                user => Some(text(user)?),
            },
            password: password(own.as_ref(), libpq_password()),
            options,
            named_by: NamedBy::Url,
            programs: self.programs(),
            random,
        })
    }
}

/// The password that is named, else libpq's. It is known here, and not left to libpq, so that it goes no further than what it is
/// for, and is kept out of messages like any other.
fn password(named: Option<&SecretString>, libpqs: Option<SecretString>) -> Option<SecretString> {
    given(named).cloned().or(libpqs)
}

/// What is said where a service of libpq's is named: whoever set up TLS by it must not believe that it holds.
const NO_SERVICE: &str = "PGSERVICE counts for none of the databases that are backed up and restored, since what it says would \
    outrank their settings (HINT: name host, user and password in the settings, and what it says of TLS in PGSSLMODE and its like)";

pub(super) fn warning() -> Option<&'static str> {
    std::env::var_os("PGSERVICE")
        .is_some_and(|service| !service.is_empty())
        .then_some(NO_SERVICE)
}

fn bad_parameter() -> SettingsError {
    SettingsError::new(
        "the database's URL has a parameter that is not known, or with a value that it cannot have",
        format!(
            "After the question mark may stand host, port, {}; what else libpq knows stands in its variables (PGOPTIONS …).",
            ConnectionOptions::names().join(", ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use backup_core::OsRandom;
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        database: DatabaseArgs,
    }

    fn of(url: &str) -> Result<DatabaseSettings, SettingsError> {
        Program::parse_from(["x"])
            .database
            .settings_of_url(&SecretString::from(url), Arc::new(OsRandom))
    }

    #[test]
    fn a_url_names_everything() {
        let database = of("postgres://us%40er:p%2Fw%3A@db.example:6543/na%20me").unwrap();
        assert_eq!((database.host.as_str(), database.port), ("db.example", 6543));
        assert_eq!(database.name, "na me");
        assert_eq!(database.user.as_deref(), Some("us@er"));
        assert_eq!(database.password.unwrap().expose_secret(), "p/w:");
    }

    #[test]
    fn libpqs_password_is_the_settings_own_where_they_name_none() {
        let of = |named: Option<&str>, libpqs: Option<&str>| {
            let named = named.map(SecretString::from);
            let password = password(named.as_ref(), libpqs.map(SecretString::from));
            password.map(|password| password.expose_secret().to_owned())
        };
        for (named, libpqs, expected) in [
            (None, None, None),
            (None, Some("libpq's"), Some("libpq's")),
            (Some(""), Some("libpq's"), Some("libpq's")),
            (Some("named"), Some("libpq's"), Some("named")),
        ] {
            assert_eq!(of(named, libpqs).as_deref(), expected);
        }
    }

    #[test]
    fn what_a_url_demands_of_the_connection_is_not_lost() {
        let mut options = ConnectionOptions::default();
        for (name, value) in [
            ("sslmode", "verify-full"),
            ("sslrootcert", "/etc/my c+a.pem"),
            ("channel_binding", "require"),
            ("connect_timeout", "7"),
        ] {
            assert!(options.set(name, value));
        }
        let database = of(
            "postgres://u@db.example/d?sslmode=verify-full&sslrootcert=/etc/my%20c+a.pem&channel_binding=require\
             &connect_timeout=7&application_name=mine",
        )
        .unwrap();
        assert_eq!(database.options, options);
        let database = of("postgres:///d?host=%2Frun%2Fpostgresql&port=6543").unwrap();
        assert_eq!((database.host.as_str(), database.port), ("/run/postgresql", 6543));
        assert_eq!(database.options, ConnectionOptions::default());
    }

    #[test]
    fn a_bad_url_is_refused_without_its_password() {
        for url in [
            "postgres://u:hunter2@h",
            "mysql://u:hunter2@h/d",
            "hunter2",
            "postgres://u:hunter2%zz@h/d",
            "postgres://u@h/d?hunter2",
            "postgres://u@h/d?password=hunter2",
            "postgres://u@h/d?sslmode=hunter2",
            "postgres://u@h/d?sslmode=require&sslMode=hunter2",
            "postgres://u@/d?port=hunter2",
        ] {
            let error = of(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
