//! The database that is restored to, apart from its content: whether it may be filled, making it, taking it away again.

use std::time::Duration;

use backup_core::restore::{Refusal, RefusalCode};
use backup_core::{JobControl, WarningCode, counted};

use super::DatabaseTarget;
use super::empty::{Kept, count_objects, drop_objects, drop_subscriptions};
use crate::Error;
use crate::database::about::{About, read_about};
use crate::database::psql::{Session, identifier, literal};

/// How long removing a half-restored database may take.
pub(super) const CLEANUP: Duration = Duration::from_mins(1);

/// What there is at the place that is restored to.
#[derive(Debug)]
pub(in crate::database) enum Place {
    Missing,
    /// A database in which nobody has made anything, except for schemas where only tables are restored.
    Empty {
        found: Box<About>,
        kept: Kept,
    },
}

/// What a restore has made so far in a database that was there.
#[derive(Debug, Default)]
pub(super) struct Made {
    /// Schemas, each in a transaction of its own.
    pub(super) schemas: Vec<String>,
    /// Whether the transaction that fills it has come to its end.
    pub(super) is_filled: bool,
}

impl DatabaseTarget {
    /// A session with the server that needs no database of ours.
    pub(in crate::database) fn maintenance(&self, job: &JobControl) -> Result<Session, Error> {
        Session::open_maintenance(&self.settings, &[], job)
    }

    /// Looks at the place, which must be one that may be filled.
    pub(in crate::database) fn look(&self, job: &JobControl) -> Result<Place, Error> {
        Ok(self.find(&mut self.maintenance(job)?, job)??)
    }

    /// Looks at the place by way of a session with the server; or says why it may not be filled.
    pub(super) fn find(&self, server: &mut Session, job: &JobControl) -> Result<Result<Place, Refusal>, Error> {
        let exists: bool = server.query_one(&format!(
            "SELECT to_json(EXISTS (SELECT FROM pg_database WHERE datname = {}))",
            literal(&self.settings.name)
        ))?;
        if !exists {
            let may_create = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user";
            if server.query_one(&format!("SELECT to_json(({may_create}))"))? {
                return Ok(Ok(Place::Missing));
            }
            return Ok(Err(Refusal::new(
                RefusalCode::NotPermitted,
                format!(
                    "{} does not exist, and the user may not create databases",
                    self.settings.describe()
                ),
                "Give the user CREATEDB, or create an empty database of this name.",
            )));
        }
        let mut session = Session::open(&self.settings, &self.settings.name, job)?;
        let objects = count_objects(&mut session, self.options.tables.is_empty())?;
        if objects > 0 {
            return Ok(Err(Refusal::new(
                RefusalCode::TargetNotEmpty,
                format!(
                    "{} is not empty: it holds {}",
                    self.settings.describe(),
                    counted(objects, "object", "objects")
                ),
                "Name a database that does not exist yet, or drop this one first.",
            )));
        }
        Ok(Ok(Place::Empty {
            found: Box::new(read_about(&mut session)?),
            kept: Kept::found(&mut session)?,
        }))
    }

    pub(super) fn create(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let version: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        let tablespace = self.tablespace_clause(about, &mut session, job)?;
        let base = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {}{tablespace}",
            identifier(&self.settings.name),
            literal(&about.encoding)
        );
        let exact = format!(
            "{base} LC_COLLATE {} LC_CTYPE {}{}",
            literal(&about.collate),
            literal(&about.ctype),
            provider(about, version)
        );
        let Err(error) = session.execute(&exact) else {
            return Ok(());
        };
        if !error.to_string().contains("locale") {
            return Err(error);
        }
        self.maintenance(job)?.execute(&base)?;
        job.warn(
            WarningCode::Other,
            None,
            format!(
                "the server does not know the locale {} of the backup: the database has the server's own, and texts sort by it",
                about.locale.as_ref().unwrap_or(&about.collate)
            ),
        );
        Ok(())
    }

    /// Takes away what a failed restore made: the database that it created, or the content of one that was empty. What
    /// others put into one that was empty goes only where it cannot be told from the content.
    pub(super) fn take_back(&self, place: &Place, made: &Made, job: &JobControl) {
        // The job may be cancelled; this has to happen nevertheless.
        let cleanup = JobControl::new(CLEANUP);
        let done = match place {
            Place::Missing => self.drop_database(&cleanup),
            Place::Empty { kept, .. } if made.is_filled => self.empty_again(kept, &cleanup),
            // The one transaction of `pg_restore` was never committed.
            Place::Empty { .. } => self.drop_schemas(&made.schemas, &cleanup),
        };
        if let Err(error) = done {
            tracing::error!(%error, database = self.settings.name, "cannot take back a half-restored database");
            job.warn(
                WarningCode::Other,
                None,
                format!(
                    "{} holds a half-finished restore that could not be taken back: drop it before the next attempt ({error})",
                    self.settings.describe()
                ),
            );
        }
    }

    /// Drops the database, whoever is connected to it, where it exists.
    pub(in crate::database) fn drop_database(&self, job: &JobControl) -> Result<(), Error> {
        let mut server = self.maintenance(job)?;
        match drop_database(&mut server, &self.settings.name) {
            Err(error) if error.to_string().contains("subscription") => {
                drop_subscriptions(&mut Session::open(&self.settings, &self.settings.name, job)?)?;
                drop_database(&mut self.maintenance(job)?, &self.settings.name)
            }
            result => result,
        }
    }

    fn drop_schemas(&self, schemas: &[String], job: &JobControl) -> Result<(), Error> {
        for schema in schemas {
            let mut session = Session::open(&self.settings, &self.settings.name, job)?;
            match session.execute(&format!("DROP SCHEMA IF EXISTS {}", identifier(schema))) {
                // It holds something by now, which is somebody else's: it stays with that.
                Err(Error::Failed { .. }) => {}
                dropped => dropped?,
            }
        }
        Ok(())
    }

    fn empty_again(&self, kept: &Kept, job: &JobControl) -> Result<(), Error> {
        let mut session = Session::open_for_long(&self.settings, &self.settings.name, job)?;
        drop_objects(&mut session, kept)?;
        match count_objects(&mut session, kept.schemas.is_empty())? {
            0 => Ok(()),
            left => {
                let objects = counted(left, "object is", "objects are");
                Err(Error::failed(format!("{objects} left in it"), ""))
            }
        }
    }
}

/// What makes a database on a server of this version sort and compare as the backup's did, as the end of its statement. Where
/// nothing is said, it gets the provider that the server was set up with.
fn provider(about: &About, version: u32) -> String {
    match (about.locale_provider.as_deref(), &about.locale, version) {
        // Before PostgreSQL 15, where none is recorded, there was no other.
        (None | Some("c"), _, 150_000..) => " LOCALE_PROVIDER libc".to_owned(),
        (Some("i"), Some(locale), 150_000..) => {
            let rules = about.icu_rules.as_ref().filter(|_| version >= 160_000);
            let rules = rules.map(|rules| format!(" ICU_RULES {}", literal(rules)));
            format!(
                " LOCALE_PROVIDER icu ICU_LOCALE {}{}",
                literal(locale),
                rules.unwrap_or_default()
            )
        }
        (Some("b"), Some(locale), 170_000..) => {
            format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale))
        }
        _ => String::new(),
    }
}

/// Drops the database `name`, where it exists, and ends the sessions in it. On the session of another database.
pub(in crate::database) fn drop_database(server: &mut Session, name: &str) -> Result<(), Error> {
    let version: u32 = server.query_one("SELECT current_setting('server_version_num')")?;
    dropping(version, name)
        .iter()
        .try_for_each(|statement| server.execute(statement))
}

/// What drops the database `name` on a server of this version. One that ends nobody's session with it has the sessions ended
/// before: a killed worker's `pg_restore` may still fill the database. For their end it waits a few seconds by itself.
fn dropping(version: u32, name: &str) -> Vec<String> {
    let drop = format!("DROP DATABASE IF EXISTS {}", identifier(name));
    if version >= 130_000 {
        return vec![format!("{drop} WITH (FORCE)")];
    }
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = {} AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        literal(name)
    );
    vec![end, drop]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_connected_keeps_no_database_on_any_server() {
        let of = |version| dropping(version, "it's");
        assert_eq!(of(130_000), ["DROP DATABASE IF EXISTS \"it's\" WITH (FORCE)"]);
        let [end, drop]: [String; 2] = of(120_022).try_into().unwrap();
        assert!(
            end.contains("pg_terminate_backend(pid)") && end.contains("datname = 'it''s'"),
            "{end}"
        );
        assert_eq!(drop, "DROP DATABASE IF EXISTS \"it's\"");
    }
    #[test]
    fn a_database_gets_the_provider_that_it_had_wherever_the_server_knows_it() {
        let provider = |name: Option<&str>, locale: Option<&str>, version| {
            let about = serde_json::json!({
                "name": "d", "serverVersion": "15.18", "serverVersionNum": 150_018, "encoding": "UTF8", "collate": "C",
                "ctype": "C", "localeProvider": name, "locale": locale, "icuRules": "&a < b", "owner": "o",
                "connectionLimit": -1, "settings": [], "extensions": [], "roles": []
            });
            provider(&serde_json::from_value(about).unwrap(), version)
        };
        for name in [Some("c"), None] {
            assert_eq!(provider(name, None, 140_022), "");
            assert_eq!(provider(name, None, 150_000), " LOCALE_PROVIDER libc");
            assert_eq!(provider(name, None, 180_000), " LOCALE_PROVIDER libc");
        }
        let icu = " LOCALE_PROVIDER icu ICU_LOCALE 'en'";
        assert_eq!(provider(Some("i"), Some("en"), 140_022), "");
        assert_eq!(provider(Some("i"), Some("en"), 150_000), icu);
        assert_eq!(
            provider(Some("i"), Some("en"), 160_000),
            format!("{icu} ICU_RULES '&a < b'")
        );
        assert_eq!(provider(Some("b"), Some("C.UTF-8"), 160_000), "");
        assert_eq!(
            provider(Some("b"), Some("C.UTF-8"), 170_000),
            " LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
        );
    }
}
