//! What a dump lacks without an error, since its user may not read it.

use backup_core::{JobControl, WarningCode};
use serde::Deserialize;

use crate::Error;
use crate::database::psql::Session;
use crate::database::shown;

/// What is hidden from the user, by name.
#[derive(Debug, Deserialize)]
pub(super) struct Hidden {
    subscriptions: Vec<String>,
    /// User mappings whose options are.
    mappings: Vec<String>,
}

/// Only a superuser's dump has subscriptions, and `pg_user_mappings` shows options to hardly anybody else.
const HIDDEN: &str = "SELECT json_build_object(
    'subscriptions', (SELECT coalesce(json_agg(subname ORDER BY subname), '[]') FROM pg_subscription
        WHERE NOT is_super AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
    'mappings', (SELECT coalesce(json_agg(format('%s on %s', m.usename, m.srvname) ORDER BY m.srvname, m.usename), '[]')
        FROM pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid
        WHERE NOT is_super AND m.umoptions IS NULL AND NOT CASE WHEN m.umuser = 0 THEN pg_has_role(s.srvowner, 'USAGE')
            ELSE m.usename = current_user AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END)
    ) FROM (SELECT rolsuper AS is_super FROM pg_roles WHERE rolname = current_user) AS me";

impl Hidden {
    /// What is hidden from the session's user in its database.
    pub(super) fn found(session: &mut Session) -> Result<Self, Error> {
        session.query_one(HIDDEN)
    }

    pub(super) fn warn(&self, job: &JobControl) {
        if !self.subscriptions.is_empty() {
            let text = format!(
                "only a superuser can save subscriptions: these are not in the backup: {}",
                shown(&self.subscriptions)
            );
            job.warn(WarningCode::Other, None, text);
        }
        if !self.mappings.is_empty() {
            let text = format!(
                "the options of user mappings, such as passwords, are hidden from this user: these are in the backup without: {}",
                shown(&self.mappings)
            );
            job.warn(WarningCode::Other, None, text);
        }
    }
}
