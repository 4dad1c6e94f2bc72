//! Roles that a throw-away server lacks.

use std::collections::BTreeSet;

use backup_core::JobControl;

use super::DatabaseTarget;
use super::refusals::missing_of;
use crate::Error;
use crate::database::about::About;
use crate::database::psql::identifier;

impl DatabaseTarget {
    /// Makes the roles that the backup names and the server lacks. Nobody can log in as one of them.
    pub(super) fn make_roles(&self, about: &About, job: &JobControl) -> Result<(), Error> {
        let mut session = self.maintenance(job)?;
        let settings = about.settings.iter().filter_map(|setting| setting.role.as_ref());
        let grants = about.grants.iter().flatten().filter_map(|grant| grant.grantee.as_ref());
        let roles: BTreeSet<&str> = (about.roles.iter().chain([&about.owner]).chain(settings).chain(grants))
            .map(String::as_str)
            .collect();
        let missing: Vec<String> = session.query(&missing_of(roles.into_iter(), "SELECT rolname FROM pg_roles"))?;
        for role in missing {
            // Which of them were superusers the backup tells too late, and only superusers can own an event trigger.
            session.execute(&format!("CREATE ROLE {} NOLOGIN SUPERUSER", identifier(&role)))?;
        }
        Ok(())
    }
}
