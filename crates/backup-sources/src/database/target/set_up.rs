//! What belongs to a database itself and so stands in no dump of its content.

use backup_core::{JobControl, WarningCode};

use super::DatabaseTarget;
use crate::Error;
use crate::database::about::{About, Grant, Setting};
use crate::database::psql::{identifier, literal};

/// Settings whose value is a list of names, each quoted by itself; of all others the value is one text.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Settings that would hinder the restore itself. They come last.
const HINDERING: [&str; 12] = [
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "local_preload_libraries",
    "lock_timeout",
    "role",
    "row_security",
    "session_preload_libraries",
    "statement_timeout",
    "transaction_timeout",
];

impl DatabaseTarget {
    /// Gives a new database those settings of the backup's that its content may depend on, before the first row: a check, an
    /// index or a view may ask for one.
    pub(super) fn set_up_first(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        self.apply(self.settings(about, false), job)?;
        self.set_money(about, job)
    }

    /// Lets a scratch database write amounts of money as the dump has them, since it is dumped again.
    fn set_money(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        if !self.is_scratch {
            return Ok(());
        }
        let Some(value) = self.money_locale(about, job)? else {
            return Ok(());
        };
        let setting = Setting {
            role: None,
            name: "lc_monetary".to_owned(),
            value,
        };
        let statement = setting_statement(&identifier(&self.settings.name), &setting);
        self.maintenance(job)?.execute(&statement)
    }

    /// Gives a new database what else the backup's had: owner, grants, comment, the settings that would have hindered the
    /// restore, and last the limit of connections.
    pub(super) fn set_up(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        self.apply(self.statements(about), job)?;
        if about.is_template {
            job.warn(
                WarningCode::Other,
                None,
                "the database was a template; the restored one is none, since it could not be dropped then",
            );
        }
        Ok(())
    }

    fn apply(&self, statements: Vec<String>, job: &JobControl) -> Result<(), Error> {
        if statements.is_empty() {
            return Ok(());
        }
        // From outside of the database: what is set here holds for every new session in it.
        let mut session = self.maintenance(job)?;
        for statement in statements {
            // What this user may not set is told, not a reason to throw the content away.
            match session.execute(&statement) {
                Ok(()) => {}
                Err(Error::Failed { message, .. }) => {
                    job.warn(
                        WarningCode::Other,
                        None,
                        format!("a setting of the database was not restored: {message}"),
                    );
                    session = self.maintenance(job)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn statements(&self, about: &About) -> Vec<String> {
        let database = identifier(&self.settings.name);
        let mut statements = Vec::new();
        if !self.options.skip_owner {
            statements.push(format!(
                "ALTER DATABASE {database} OWNER TO {}",
                identifier(&about.owner)
            ));
            if let Some(grants) = &about.grants {
                statements.push(format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC"));
                statements.extend(grants.iter().map(|grant| grant_statement(&database, grant)));
            }
        }
        if let Some(comment) = &about.comment {
            statements.push(format!("COMMENT ON DATABASE {database} IS {}", literal(comment)));
        }
        statements.extend(self.settings(about, true));
        statements.push(format!(
            "ALTER DATABASE {database} CONNECTION LIMIT {}",
            about.connection_limit
        ));
        statements
    }

    /// Statements for those of the backup's settings that hinder a restore, or for the others.
    fn settings(&self, about: &About, is_hindering: bool) -> Vec<String> {
        let database = identifier(&self.settings.name);
        // Single tables need what all roles are set to, and bring no role along.
        let with_roles = !self.options.skip_owner && self.options.tables.is_empty();
        let settings = about.settings.iter();
        settings
            .filter(|setting| with_roles || setting.role.is_none())
            .filter(|setting| HINDERING.contains(&setting.name.as_str()) == is_hindering)
            .map(|setting| setting_statement(&database, setting))
            .collect()
    }

    /// Tells what of the backup's database a database that was there does not have, and does not get.
    pub(super) fn tell_differences(&self, about: &About, found: &About, job: &JobControl) {
        if let Some(text) = self.differences(about, found) {
            job.warn(WarningCode::Other, None, text);
        }
    }

    /// What of the backup's database a database that was there does not have, and does not get.
    pub(super) fn differences(&self, about: &About, found: &About) -> Option<String> {
        let mut texts = Vec::new();
        if about.encoding != found.encoding {
            texts.push(format!("its encoding is {}, not {}", found.encoding, about.encoding));
        }
        let order = |about: &About| {
            let provider = about.locale_provider.as_deref().unwrap_or("c");
            let locale = about.locale.as_deref().filter(|_| provider != "c");
            let locale = locale.unwrap_or(&about.collate);
            format!("{locale} ({provider}), {}", about.ctype)
        };
        if order(about) != order(found) || about.icu_rules != found.icu_rules {
            texts.push(format!(
                "it sorts and compares texts by {}, not by {}",
                order(found),
                order(about)
            ));
        }
        if self.options.tables.is_empty() {
            let sorted = |about: &About| {
                let (mut settings, mut grants) = (about.settings.clone(), about.grants.clone());
                settings.sort();
                if let Some(grants) = &mut grants {
                    grants.sort();
                }
                (settings, grants)
            };
            let (before, after) = (sorted(about), sorted(found));
            let with_roles = !self.options.skip_owner;
            let tablespace = self.wanted_tablespace(about);
            let missing: Vec<&str> = [
                ("owner", with_roles && about.owner != found.owner),
                ("grants", with_roles && before.1 != after.1),
                ("comment", about.comment != found.comment),
                ("settings", before.0 != after.0),
                ("limit of connections", about.connection_limit != found.connection_limit),
                (
                    "tablespace",
                    tablespace.is_some() && tablespace != found.tablespace.as_deref(),
                ),
            ]
            .into_iter()
            .filter_map(|(what, differs)| differs.then_some(what))
            .collect();
            if !missing.is_empty() {
                texts.push(format!("it keeps its own {}", missing.join(", ")));
            }
        }
        let told = texts.join("; ");
        (!told.is_empty()).then(|| format!("the database was there already and differs from the backup's: {told}"))
    }
}

fn grant_statement(database: &str, grant: &Grant) -> String {
    let grantee = grant.grantee.as_deref().map_or_else(|| "PUBLIC".to_owned(), identifier);
    let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
    format!(
        "GRANT {} ON DATABASE {database} TO {grantee}{option}",
        grant.privilege.keyword()
    )
}

fn setting_statement(database: &str, setting: &Setting) -> String {
    let whose = match &setting.role {
        Some(role) => format!("ALTER ROLE {} IN DATABASE {database}", identifier(role)),
        None => format!("ALTER DATABASE {database}"),
    };
    let name: Vec<String> = setting.name.split('.').map(identifier).collect();
    let value: Vec<String> = if LISTS.contains(&setting.name.as_str()) {
        list_items(&setting.value).iter().map(|item| literal(item)).collect()
    } else {
        vec![literal(&setting.value)]
    };
    format!("{whose} SET {} TO {}", name.join("."), value.join(", "))
}

/// The names in a list as the server keeps it: `"$user", public, "a ""b"""`. At least one, perhaps empty.
fn list_items(list: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut is_quoted = false;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        let Some(item) = items.last_mut() else { break };
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                item.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => items.push(String::new()),
            character if character.is_whitespace() && !is_quoted => {}
            character => item.push(character),
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_taken_apart_and_anything_else_is_one_text() {
        let set = |name: &str, value: &str| {
            let setting = Setting {
                role: None,
                name: name.to_owned(),
                value: value.to_owned(),
            };
            setting_statement("\"d\"", &setting)
        };
        assert_eq!(
            set("search_path", "\"$user\", public,\"a \"\"b\"\", c\""),
            "ALTER DATABASE \"d\" SET \"search_path\" TO '$user', 'public', 'a \"b\", c'"
        );
        assert_eq!(
            set("search_path", "\"\""),
            "ALTER DATABASE \"d\" SET \"search_path\" TO ''"
        );
        assert_eq!(
            set("app.tenant", "a, 'b'"),
            "ALTER DATABASE \"d\" SET \"app\".\"tenant\" TO 'a, ''b'''"
        );
    }
}
