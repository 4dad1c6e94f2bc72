//! The database that is restored to, apart from its content: whether it may be filled, making it, taking it away again.

use std::time::Duration;

use backup_core::{JobControl, WarningCode};

use super::{DatabaseTarget, shown};
use crate::Error;
use crate::database::about::About;
use crate::database::psql::{Session, identifier, literal};

/// How long removing a half-restored database may take.
const CLEANUP: Duration = Duration::from_mins(1);

/// What there is at the place that is restored to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Missing,
    Empty,
}

impl DatabaseTarget {
    /// A session with the server that needs no database of ours.
    fn maintenance(&self, job: &JobControl) -> Result<Session, Error> {
        Session::open(&self.settings, "postgres", job).or_else(|error| match error {
            Error::Refused { ref message, .. } if message.contains("does not exist") => {
                Session::open(&self.settings, "template1", job)
            }
            error => Err(error),
        })
    }

    pub(super) fn look(&self, job: &JobControl) -> Result<Place, Error> {
        let exists: bool = self.maintenance(job)?.query_one(&format!(
            "SELECT to_json(EXISTS (SELECT FROM pg_database WHERE datname = {}))",
            literal(&self.settings.name)
        ))?;
        if !exists {
            return Ok(Place::Missing);
        }
        // Objects of the system and of what template1 gave every database from the start have numbers below 16384.
        let objects: u64 = Session::open(&self.settings, &self.settings.name, job)?.query_one(
            "SELECT (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace)
                + (SELECT count(*) FROM pg_proc WHERE oid >= 16384) + (SELECT count(*) FROM pg_type WHERE oid >= 16384)
                + (SELECT count(*) FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_')
                + (SELECT count(*) FROM pg_largeobject_metadata)",
        )?;
        if objects > 0 {
            return Err(Error::refused(
                format!("{} is not empty: it holds {objects} objects", self.settings.describe()),
                "Name a database that does not exist yet, or drop this one first.",
            ));
        }
        Ok(Place::Empty)
    }

    /// What would fail after hours is looked for before the first byte.
    pub(super) fn check_server(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let extensions = about.extensions.iter().map(|extension| extension.name.as_str());
        let missing: Vec<String> =
            session.query(&missing_of(extensions, "SELECT name FROM pg_available_extensions"))?;
        if !missing.is_empty() {
            return Err(Error::refused(
                format!(
                    "the server on {} lacks extensions of the backup: {}",
                    self.settings.address(),
                    missing.join(", ")
                ),
                "Install the packages of these extensions on the server.",
            ));
        }
        if self.options.skip_owner {
            return Ok(());
        }
        let roles = about.roles.iter().map(String::as_str);
        let missing: Vec<String> = session.query(&missing_of(roles, "SELECT rolname FROM pg_roles"))?;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::refused(
            format!(
                "the server on {} lacks roles of the backup: {}",
                self.settings.address(),
                shown(&missing)
            ),
            "Create them (the backup's globals.sql does), or restore without owners and grants.",
        ))
    }

    pub(super) fn create(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let version: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
        let base = format!(
            "CREATE DATABASE {} TEMPLATE template0 ENCODING {}",
            identifier(&self.settings.name),
            literal(&about.encoding)
        );
        let provider = match (&about.locale_provider, &about.locale, version) {
            (Some(provider), Some(locale), 150_000..) if provider == "i" => {
                format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale))
            }
            (Some(provider), Some(locale), 170_000..) if provider == "b" => {
                format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale))
            }
            _ => String::new(),
        };
        let exact = format!(
            "{base} LC_COLLATE {} LC_CTYPE {}{provider}",
            literal(&about.collate),
            literal(&about.ctype)
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

    pub(super) fn drop_database(&self) {
        // The job may be cancelled; this has to happen nevertheless.
        let job = JobControl::new(CLEANUP);
        let dropped = self.maintenance(&job).and_then(|mut session| {
            let version: u32 = session.query_one("SELECT current_setting('server_version_num')")?;
            let force = if version >= 130_000 { " WITH (FORCE)" } else { "" };
            session.execute(&format!(
                "DROP DATABASE IF EXISTS {}{force}",
                identifier(&self.settings.name)
            ))
        });
        if let Err(error) = dropped {
            tracing::error!(%error, database = self.settings.name, "cannot drop the half-restored database");
        }
    }

    /// What belongs to the database itself and so stands in no dump of its content.
    pub(super) fn set_up(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let database = identifier(&self.settings.name);
        let mut statements = vec![format!(
            "ALTER DATABASE {database} CONNECTION LIMIT {}",
            about.connection_limit
        )];
        if let Some(comment) = &about.comment {
            statements.push(format!("COMMENT ON DATABASE {database} IS {}", literal(comment)));
        }
        for setting in about
            .settings
            .iter()
            .filter(|setting| setting.role.is_none() || !self.options.skip_owner)
        {
            let whose = match &setting.role {
                Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", identifier(role)),
                None => format!("ALTER DATABASE {database}"),
            };
            // Lists such as search_path have a form of their own, which only the server knows.
            statements.push(format!(
                "SELECT set_config({}, {}, false); {whose} SET {} FROM CURRENT",
                literal(&setting.name),
                literal(&setting.value),
                setting.name.split('.').map(identifier).collect::<Vec<_>>().join(".")
            ));
        }
        if !self.options.skip_owner {
            if let Some(grants) = &about.grants {
                statements.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"));
                for grant in grants {
                    let grantee = grant.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), identifier);
                    let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
                    statements.push(format!(
                        "GRANT {} ON DATABASE {database} TO {grantee}{option}",
                        grant.privilege
                    ));
                }
            }
            statements.push(format!(
                "ALTER DATABASE {database} OWNER TO {}",
                identifier(&about.owner)
            ));
        }
        for statement in statements {
            // The content is whole; what this user may not set is told, not a reason to throw it away.
            let applied =
                Session::open(&self.settings, &self.settings.name, job).and_then(|mut s| s.execute(&statement));
            match applied {
                Ok(()) => {}
                Err(Error::Failed { message, .. }) => {
                    job.warn(
                        WarningCode::Other,
                        None,
                        format!("a setting of the database was not restored: {message}"),
                    );
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A query for those of `names` that `known` does not give.
fn missing_of<'a>(names: impl Iterator<Item = &'a str>, known: &str) -> String {
    let names: Vec<String> = names.map(literal).collect();
    format!(
        "SELECT to_json(name) FROM unnest(ARRAY[{}]::text[]) AS wanted(name) WHERE name NOT IN ({known}) ORDER BY name",
        names.join(", ")
    )
}
