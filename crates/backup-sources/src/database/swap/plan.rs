//! What an exchange would do, and everything that stands against it. Changes nothing.

use backup_core::restore::{Refusal, RefusalCode, Replaced, TargetPlan};
use backup_core::{JobControl, PipelineError};
use serde::Deserialize;

use super::DatabaseSwap;
use super::exchange::unendable;
use crate::Error;
use crate::database::psql::{Session, literal};
use crate::database::target::unreachable;
use crate::database::{DatabaseTarget, DatabaseTargetOptions, shown};

/// What matters of the database in use for exchanging it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Live {
    size_bytes: Option<u64>,
    sessions: u32,
    /// Users of sessions that this user may not end.
    unendable: Vec<String>,
    is_owner: bool,
    is_template: bool,
    allows_connections: bool,
    prepared: Vec<String>,
    subscriptions: Vec<String>,
    slots: Vec<String>,
}

/// `{name}` is the database's, `{unendable}` the query for users whose sessions with it this user may not end.
const LIVE: &str = "SELECT json_build_object(
    'sizeBytes', CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
        THEN pg_database_size(d.oid) END,
    'sessions', (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IS NOT NULL),
    'unendable', (SELECT coalesce(json_agg(name ORDER BY name), '[]') FROM ({unendable}) AS theirs),
    'isOwner', pg_has_role(d.datdba, 'USAGE'),
    'isTemplate', d.datistemplate,
    'allowsConnections', d.datallowconn,
    'prepared', (SELECT coalesce(json_agg(x.gid ORDER BY x.gid), '[]') FROM pg_prepared_xacts x WHERE x.database = d.datname),
    'subscriptions', (SELECT coalesce(json_agg(s.subname ORDER BY s.subname), '[]') FROM pg_subscription s
        WHERE s.subdbid = d.oid),
    'slots', (SELECT coalesce(json_agg(r.slot_name ORDER BY r.slot_name), '[]') FROM pg_replication_slots r
        WHERE r.database = d.datname)
) FROM pg_database d WHERE d.datname = {name}";

/// Tables that look like this system's catalog of backups, and whether this user may read them. Nothing else is read there:
/// a view or a policy of somebody else would act with this user's rights. No lock is taken: what comes to stand in the
/// table's place before it is read makes the reading fail, since a [`Session`] reads neither views nor foreign tables and obeys
/// no policy. And the catalog in use is never such a case: nobody exchanges its tables while this system runs.
const CATALOGS: &str = "SELECT to_json(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
        AND NOT row_security_active(c.oid))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relname = 'backups' AND c.relkind = 'r' AND 2 = (SELECT count(*) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attname IN ('id', 'config_key') AND a.atttypid = 'text'::regtype)";

impl DatabaseSwap {
    /// What restoring beside the database in use and exchanging the two would do, and every reason against it.
    /// `about_json` and `needed_bytes` are as for [`DatabaseTarget::plan`]; `options` are those of the restore.
    /// A database that holds the row `backup_id` in its table `public.backups` is this system's own catalog, and one whose
    /// table looks like it and cannot be read may be. What an earlier
    /// attempt of the same restore left beside is no reason. Changes nothing, and may be repeated.
    ///
    /// # Errors
    /// As [`DatabaseTarget::plan`].
    pub fn plan(
        &self,
        about_json: &[u8],
        needed_bytes: u64,
        options: DatabaseTargetOptions,
        backup_id: &str,
        job: &JobControl,
    ) -> Result<TargetPlan, PipelineError> {
        let mut plan = DatabaseTarget::new(self.beside(), options).plan(about_json, needed_bytes, job)?;
        plan.part.target = self.describe_live();
        plan.refusals
            .retain(|refusal| refusal.code != RefusalCode::TargetNotEmpty);
        match self.server(job) {
            Ok(mut server) => {
                self.look_at_names(&mut server, &mut plan)?;
                self.look_at_live(&mut server, backup_id, &mut plan, job)?;
            }
            // What nobody could look at is not free of reasons.
            Err(error) => {
                let refusal = unreachable(error)?;
                let is_told = |told: &Refusal| told.code == refusal.code || told.message == refusal.message;
                if !plan.refusals.iter().any(is_told) {
                    plan.refusals.push(refusal);
                }
            }
        }
        job.check()?;
        Ok(plan)
    }

    fn look_at_names(&self, server: &mut Session, plan: &mut TargetPlan) -> Result<(), Error> {
        let numbers = self.numbers(server)?;
        if numbers.old.is_some() {
            plan.refusals.push(Refusal::new(
                RefusalCode::InTheWay,
                format!("there is a database \"{}\" already", self.names.old),
                "It is what a restore replaced: roll that restore back, or discard it.",
            ));
        }
        let may_create = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user";
        let is_told = plan
            .refusals
            .iter()
            .any(|refusal| refusal.code == RefusalCode::NotPermitted);
        if !is_told && !server.query_one::<bool>(&format!("SELECT to_json(({may_create}))"))? {
            plan.refusals.push(not_permitted(
                "the user may neither create nor rename databases",
                "Give the user CREATEDB.",
            ));
        }
        Ok(())
    }

    fn look_at_live(
        &self,
        server: &mut Session,
        backup_id: &str,
        plan: &mut TargetPlan,
        job: &JobControl,
    ) -> Result<(), Error> {
        let question = LIVE
            .replace("{unendable}", &unendable("a.datid = d.oid"))
            .replace("{name}", &literal(&self.names.live));
        let Some(live) = server.query::<Live>(&question)?.pop() else {
            return Ok(());
        };
        plan.part.replaces = Some(Replaced {
            size_bytes: live.size_bytes,
            sessions: live.sessions,
        });
        plan.refusals.extend(self.rights_missing(&live));
        plan.refusals.extend(self.bound_to_it(&live));
        if live.allows_connections {
            match self.holds_this_system(backup_id, job) {
                Ok(held) => plan.refusals.extend(held.map(|message| {
                    let hint = "Restore into a new database, or with backupctl while the system is stopped.";
                    Refusal::new(RefusalCode::HoldsThisSystem, message, hint)
                })),
                Err(error) => plan.refusals.push(unreachable(error)?),
            }
        }
        Ok(())
    }

    fn rights_missing(&self, live: &Live) -> Vec<Refusal> {
        let mut refusals = Vec::new();
        if !live.is_owner {
            refusals.push(not_permitted(
                format!(
                    "the user is not the owner of {} and may not rename it",
                    self.describe_live()
                ),
                "Use the owner, a member of the owner's role, or a superuser.",
            ));
        }
        if !live.unendable.is_empty() {
            refusals.push(self.may_not_end(&live.unendable));
        }
        refusals
    }

    fn bound_to_it(&self, live: &Live) -> Vec<Refusal> {
        let bound = |what: String, hint: &str| {
            Refusal::new(
                RefusalCode::NotReplaceable,
                format!("{} {what}", self.describe_live()),
                hint,
            )
        };
        let named = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what}: {}", shown(names)));
        let mut refusals = Vec::new();
        if live.is_template {
            refusals.push(bound(
                "is a template for new databases".to_owned(),
                "Make it an ordinary database first (ALTER DATABASE … IS_TEMPLATE false).",
            ));
        }
        if !live.allows_connections {
            refusals.push(bound(
                "takes no connections".to_owned(),
                "Allow them first (ALTER DATABASE … ALLOW_CONNECTIONS true).",
            ));
        }
        if let Some(what) = named("holds prepared transactions", &live.prepared) {
            refusals.push(bound(what, "Commit them or roll them back first."));
        }
        if let Some(what) = named("receives subscriptions", &live.subscriptions) {
            refusals.push(bound(what, "Drop the subscriptions first."));
        }
        if let Some(what) = named("has logical replication slots", &live.slots) {
            refusals.push(bound(what, "Drop the slots first, and make them anew afterwards."));
        }
        refusals
    }

    /// Whether the database in use is the catalog that holds this backup, or may be.
    fn holds_this_system(&self, backup_id: &str, job: &JobControl) -> Result<Option<String>, Error> {
        let mut session = Session::open(&self.settings, &self.names.live, job)?;
        let is_it = match session.query::<bool>(CATALOGS)?.pop() {
            None => false,
            Some(false) => {
                return Ok(Some(format!(
                    "{} may hold the catalog of this backup system: the user may not read its table backups",
                    self.describe_live()
                )));
            }
            Some(true) => session.query_one(&format!(
                "SELECT to_json(EXISTS (SELECT FROM ONLY public.backups WHERE id = {}))",
                literal(backup_id)
            ))?,
        };
        Ok(is_it.then(|| {
            format!(
                "{} holds the catalog of this backup system, which would be replaced while it is used",
                self.describe_live()
            )
        }))
    }
}

fn not_permitted(message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(RefusalCode::NotPermitted, message, hint)
}
