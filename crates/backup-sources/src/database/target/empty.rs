//! What is in a database, and how it is emptied.

use std::fmt::Write as _;

use crate::Error;
use crate::database::psql::{Session, literal};

/// Catalogues of what may stand in a database, in the order in which it is dropped, and what of them does not count.
const CATALOGUES: [(&str, &str); 21] = [
    ("pg_extension", "true"),
    ("pg_event_trigger", "true"),
    ("pg_publication", "true"),
    ("pg_namespace", "nspname !~ '^pg_'"),
    (
        "pg_class",
        "relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND relnamespace::regnamespace::text !~ '^pg_(toast|temp)'",
    ),
    ("pg_proc", "true"),
    ("pg_foreign_data_wrapper", "true"),
    ("pg_foreign_server", "true"),
    ("pg_cast", "true"),
    ("pg_ts_config", "true"),
    ("pg_ts_dict", "true"),
    ("pg_ts_parser", "true"),
    ("pg_ts_template", "true"),
    ("pg_opclass", "true"),
    ("pg_opfamily", "true"),
    ("pg_operator", "true"),
    ("pg_conversion", "true"),
    ("pg_type", "typnamespace::regnamespace::text !~ '^pg_(toast|temp)'"),
    ("pg_collation", "collnamespace <> 'pg_catalog'::regnamespace"),
    ("pg_language", "true"),
    ("pg_am", "true"),
];

/// The numbers below belong to the system and to what `template1` gave every database from the start.
const FIRST_OBJECT: u32 = 16_384;

const SUBSCRIPTIONS: &str =
    "pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// A query for everything that somebody made in the database: `class`, `oid` and `rank`. Not what is part of something
/// else, as a table's row type or what an extension brought.
fn objects() -> String {
    let mut all = String::new();
    for (rank, (catalogue, which)) in CATALOGUES.iter().enumerate() {
        let union = if rank == 0 { "" } else { " UNION ALL " };
        let _ = write!(
            all,
            "{union}SELECT '{catalogue}'::regclass AS class, oid, {rank} AS rank FROM {catalogue}
             WHERE oid >= {FIRST_OBJECT} AND {which}"
        );
    }
    format!(
        "SELECT * FROM ({all}) AS made WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = made.class
         AND d.objid = made.oid AND d.objsubid = 0 AND d.deptype IN ('i', 'e'))"
    )
}

/// How many things are in the session's database that somebody made. With `schemas`, its schemas themselves count too.
pub(super) fn count_objects(session: &mut Session, schemas: bool) -> Result<u64, Error> {
    let which = if schemas {
        ""
    } else {
        "WHERE class <> 'pg_namespace'::regclass"
    };
    session.query_one(&format!(
        "SELECT (SELECT count(*) FROM ({}) AS objects {which}) + (SELECT count(*) FROM pg_largeobject_metadata)
         + (SELECT count(*) FROM {SUBSCRIPTIONS})",
        objects()
    ))
}

/// What stood in a database that is empty all the same, and stays when it is emptied again.
#[derive(Debug)]
pub(in crate::database) struct Kept {
    /// Schemas without anything in them.
    pub(super) schemas: Vec<String>,
    /// Numbers of default grants.
    grants: Vec<u32>,
}

impl Kept {
    /// What stands in the session's database.
    pub(super) fn found(session: &mut Session) -> Result<Self, Error> {
        Ok(Self {
            schemas: session.query(&format!(
                "SELECT to_json(nspname) FROM pg_namespace WHERE oid >= {FIRST_OBJECT} AND nspname !~ '^pg_'"
            ))?,
            grants: session.query("SELECT oid FROM pg_default_acl")?,
        })
    }
}

/// Statements that give the default grants of a database back the form that the system has by itself, whereby they go.
const DEFAULT_GRANTS: &str = "SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I %s', pg_get_userbyid(a.defaclrole), what)
    FROM pg_default_acl a,
    LATERAL (SELECT CASE a.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
        WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
        acldefault(CASE a.defaclobjtype WHEN 'S' THEN 's' ELSE a.defaclobjtype END, a.defaclrole)) AS k(kind, by_itself),
    LATERAL (SELECT 1, format('REVOKE ALL ON %s FROM %s', kind,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END) FROM aclexplode(a.defaclacl)
        UNION SELECT 2, format('GRANT %s ON %s TO %s', privilege_type, kind,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END) FROM aclexplode(by_itself)
    ) AS s(step, what)
    WHERE a.defaclnamespace = 0 AND a.oid <> ALL (ARRAY[{kept}]::oid[]) ORDER BY a.oid, step";

/// Drops the subscriptions of the session's database as a restore made them: without a slot on the other server that would
/// have to be dropped there.
pub(in crate::database) fn drop_subscriptions(session: &mut Session) -> Result<(), Error> {
    session.query_generated(
        &format!(
            "SELECT unnest(ARRAY[format('ALTER SUBSCRIPTION %I DISABLE', subname),
                format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', subname),
                format('DROP SUBSCRIPTION %I', subname)]) FROM {SUBSCRIPTIONS}"
        ),
        &mut |_: serde_json::Value| {},
    )
}

/// Drops everything that somebody made in the session's database, but for what is kept. All or nothing, except for large
/// objects.
pub(super) fn drop_objects(session: &mut Session, kept: &Kept) -> Result<(), Error> {
    let schemas: Vec<String> = kept.schemas.iter().map(|name| literal(name)).collect();
    let grants: Vec<String> = kept.grants.iter().map(ToString::to_string).collect();
    let mut ignored = |_: serde_json::Value| {};
    // Not what goes along with each, where it fails.
    session.execute("SET client_min_messages = warning")?;
    session.execute("BEGIN")?;
    drop_subscriptions(session)?;
    // Much of it goes with what it hangs on, so that it is there no more when its turn comes.
    session.query_generated(
        &format!(
            "SELECT format('DROP %s IF EXISTS %s CASCADE', CASE class WHEN 'pg_proc'::regclass THEN 'routine'
                ELSE replace(what.type, '-', ' ') END, what.identity)
             FROM ({}) AS objects, pg_identify_object(class, oid, 0) AS what
             WHERE class <> 'pg_namespace'::regclass OR what.name <> ALL (ARRAY[{}]::text[])
             ORDER BY rank, oid",
            objects(),
            schemas.join(", ")
        ),
        &mut ignored,
    )?;
    session.query_generated(&DEFAULT_GRANTS.replace("{kept}", &grants.join(", ")), &mut ignored)?;
    session.execute("COMMIT")?;
    // Each takes a lock of its own until the end of its transaction.
    let unlink = "SELECT count(lo_unlink(oid)) FROM (SELECT oid FROM pg_largeobject_metadata LIMIT 1000) AS batch";
    while session.query_one::<u64>(unlink)? > 0 {}
    Ok(())
}
