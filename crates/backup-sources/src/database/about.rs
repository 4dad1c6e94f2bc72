//! What a database is, apart from its content: `about.json`.

use serde::{Deserialize, Serialize};

use super::psql::Session;
use crate::Error;

/// What must be known before a dump can be restored, so it stands before the dump.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct About {
    /// The database's name.
    pub(super) name: String,
    /// The server's version, as it calls itself.
    pub(super) server_version: String,
    /// The same as a number, 150018 for 15.18.
    pub(super) server_version_num: u32,
    /// Version of the `pg_dump` that wrote the dump.
    #[serde(default)]
    pub(super) dump_version: String,
    pub(super) encoding: String,
    pub(super) collate: String,
    pub(super) ctype: String,
    /// `c` libc, `i` ICU, `b` built in; `None` before PostgreSQL 15.
    pub(super) locale_provider: Option<String>,
    /// Locale of the provider where it is not libc.
    pub(super) locale: Option<String>,
    /// Rules that change ICU's order of texts; `None` before PostgreSQL 16.
    #[serde(default)]
    pub(super) icu_rules: Option<String>,
    /// Its tablespace; `None`: `pg_default`, or an archive made before this was recorded.
    #[serde(default)]
    pub(super) tablespace: Option<String>,
    /// Whether others may copy it. Kept for people: a restored database is never made one, since it could not be dropped.
    #[serde(default)]
    pub(super) is_template: bool,
    /// Unlogged tables that were read from a standby, and so without rows.
    #[serde(default)]
    pub(super) unlogged: Vec<String>,
    pub(super) owner: String,
    pub(super) comment: Option<String>,
    pub(super) connection_limit: i32,
    /// `ALTER DATABASE … SET` and `ALTER ROLE … IN DATABASE … SET`.
    pub(super) settings: Vec<Setting>,
    /// Grants on the database itself; `None`: the defaults.
    pub(super) grants: Option<Vec<Grant>>,
    pub(super) extensions: Vec<Extension>,
    /// Every role that owns something in it, or that a grant, a policy or a mapping of users names.
    pub(super) roles: Vec<String>,
    /// Partitions and tables that inherit; `None` in archives made before this was recorded.
    #[serde(default)]
    pub(super) children: Option<Vec<Child>>,
    /// Tables, as schema and name, with columns of types that no server has by itself; none in archives made before this was
    /// recorded.
    #[serde(default)]
    pub(super) own_types: Vec<(String, String)>,
    /// How values were written as text; `None` in archives made before this was recorded.
    #[serde(default)]
    pub(super) formats: Option<Formats>,
}

/// What the text of some values depends on in the session that dumps them, and `pg_dump` leaves to the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Formats {
    /// In which zone times are written.
    pub(super) time_zone: String,
    /// How `bytea` is written.
    pub(super) bytea_output: String,
    /// By which locale amounts of money are written; `None` in archives made before this was recorded.
    #[serde(default)]
    pub(super) lc_monetary: Option<String>,
    /// How it writes some amount; `None` where nothing in the database has money, or as above.
    #[serde(default)]
    pub(super) money: Option<String>,
}

/// A table that is a partition of another or inherits from it. One that inherits from several comes several times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Child {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) parent_schema: String,
    pub(super) parent: String,
    /// Of a partition which rows it holds, as `ATTACH PARTITION` wants it.
    pub(super) bound: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Setting {
    /// For this role only; `None`: for all.
    pub(super) role: Option<String>,
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Grant {
    /// To whom; `None`: to everybody.
    pub(super) grantee: Option<String>,
    pub(super) privilege: Privilege,
    pub(super) grantable: bool,
}

/// What may be granted on a database. Anything else stands in no honest `about.json`, and does not become a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Privilege {
    Create,
    Connect,
    #[serde(alias = "TEMP")]
    Temporary,
}

impl Privilege {
    /// As SQL has it.
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Connect => "CONNECT",
            Self::Temporary => "TEMPORARY",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Extension {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) schema: String,
}

/// Columns that only some versions have are asked for through `to_jsonb`, which gives null for what is not there.
const ABOUT: &str = "SELECT json_build_object(
    'name', d.datname,
    'serverVersion', current_setting('server_version'),
    'serverVersionNum', current_setting('server_version_num')::int,
    'encoding', pg_encoding_to_char(d.encoding),
    'collate', d.datcollate,
    'ctype', d.datctype,
    'localeProvider', to_jsonb(d) ->> 'datlocprovider',
    'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
    'icuRules', to_jsonb(d) ->> 'daticurules',
    'tablespace', (SELECT nullif(spcname, 'pg_default') FROM pg_tablespace WHERE oid = d.dattablespace),
    'isTemplate', d.datistemplate,
    'unlogged', (SELECT coalesce(json_agg(format('%s.%s', n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE pg_is_in_recovery() AND c.relpersistence = 'u' AND c.relkind = 'r'),
    'owner', pg_get_userbyid(d.datdba),
    'comment', shobj_description(d.oid, 'pg_database'),
    'connectionLimit', d.datconnlimit,
    'settings', (SELECT coalesce(json_agg(json_build_object('role', r.rolname, 'name', split_part(c, '=', 1),
            'value', substr(c, strpos(c, '=') + 1)) ORDER BY r.rolname, c), '[]')
        FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
        WHERE s.setdatabase = d.oid),
    'grants', CASE WHEN d.datacl IS NOT NULL THEN (SELECT coalesce(json_agg(json_build_object('grantee', r.rolname,
            'privilege', a.privilege_type, 'grantable', a.is_grantable)), '[]')
        FROM aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee) END,
    'extensions', (SELECT coalesce(json_agg(json_build_object('name', e.extname, 'version', e.extversion,
            'schema', n.nspname) ORDER BY e.extname), '[]')
        FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace),
    'roles', (SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_roles r WHERE r.oid IN ({roles})),
    'children', (SELECT coalesce(json_agg(child), '[]') FROM ({children}) AS children(child)),
    'ownTypes', (SELECT coalesce(json_agg(json_build_array(n.nspname, c.relname) ORDER BY n.nspname, c.relname), '[]')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN ({own_types})),
    'formats', json_build_object('timeZone', current_setting('TimeZone'), 'byteaOutput', current_setting('bytea_output'),
        'lcMonetary', current_setting('lc_monetary'),
        'money', CASE WHEN EXISTS ({money}) THEN (-1234567.89)::numeric::money::text END)
) FROM pg_database d WHERE d.datname = current_database()";

/// The numbers of the tables with columns of types that come with no server, and with no other table as its row's type does.
const OWN_TYPES: &str = "SELECT a.attrelid FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
        JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_type item ON item.oid = y.typelem AND y.typelem <> 0
    WHERE t.relkind IN ('r', 'p', 'f') AND a.atttypid >= 16384 AND NOT a.attisdropped
    AND NOT EXISTS (SELECT FROM pg_class r WHERE r.oid = coalesce(item.typrelid, y.typrelid) AND r.relkind <> 'c')";

/// What has amounts of money.
const MONEY: &str = "SELECT 1 FROM pg_attribute
        WHERE atttypid IN ('money'::regtype, 'money[]'::regtype) AND attrelid >= 16384 AND NOT attisdropped
    UNION ALL SELECT 1 FROM pg_type WHERE typbasetype IN ('money'::regtype, 'money[]'::regtype)
    UNION ALL SELECT 1 FROM pg_range WHERE rngsubtype = 'money'::regtype";

/// The numbers of the roles without which the dump cannot be restored. The server keeps a list of them all but for its first
/// superuser, whatever that is called: where that one owns something, or is named by a grant or a policy, only the objects
/// themselves tell. Those that an extension brings, or another object, are not dumped by themselves.
const ROLES: &str = "WITH made(class, object, owner, acl) AS ({made}), dumped(owner, acl) AS (SELECT owner, acl FROM made
        WHERE (object >= 16384 OR class IN ('pg_namespace'::regclass, 'pg_largeobject_metadata'::regclass))
        AND NOT EXISTS (SELECT FROM pg_depend b WHERE b.classid = class AND b.objid = object AND b.deptype IN ('e', 'i')))
    SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND dbid = d.oid
    UNION SELECT owner FROM dumped
    UNION SELECT unnest(ARRAY[a.grantor, a.grantee]) FROM dumped, aclexplode(acl) a
    UNION SELECT unnest(polroles) FROM pg_policy
    UNION SELECT umuser FROM pg_user_mappings
    UNION SELECT subowner FROM pg_subscription WHERE subdbid = d.oid";

/// Whatever has an owner or grants in a database, but for subscriptions, whose numbers not everybody may read.
const MADE: &str = "SELECT tableoid, oid, relowner, relacl FROM pg_class
    UNION ALL SELECT 'pg_class'::regclass, attrelid, NULL, attacl FROM pg_attribute WHERE attacl IS NOT NULL
    UNION ALL SELECT tableoid, oid, proowner, proacl FROM pg_proc
    UNION ALL SELECT tableoid, oid, typowner, typacl FROM pg_type
    UNION ALL SELECT tableoid, oid, nspowner, nspacl FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    UNION ALL SELECT tableoid, oid, lomowner, lomacl FROM pg_largeobject_metadata
    UNION ALL SELECT tableoid, oid, lanowner, lanacl FROM pg_language
    UNION ALL SELECT tableoid, oid, fdwowner, fdwacl FROM pg_foreign_data_wrapper
    UNION ALL SELECT tableoid, oid, srvowner, srvacl FROM pg_foreign_server
    UNION ALL SELECT tableoid, oid, defaclrole, defaclacl FROM pg_default_acl
    UNION ALL SELECT tableoid, oid, oprowner, NULL FROM pg_operator
    UNION ALL SELECT tableoid, oid, opcowner, NULL FROM pg_opclass
    UNION ALL SELECT tableoid, oid, opfowner, NULL FROM pg_opfamily
    UNION ALL SELECT tableoid, oid, collowner, NULL FROM pg_collation
    UNION ALL SELECT tableoid, oid, conowner, NULL FROM pg_conversion
    UNION ALL SELECT tableoid, oid, cfgowner, NULL FROM pg_ts_config
    UNION ALL SELECT tableoid, oid, dictowner, NULL FROM pg_ts_dict
    UNION ALL SELECT tableoid, oid, stxowner, NULL FROM pg_statistic_ext
    UNION ALL SELECT tableoid, oid, evtowner, NULL FROM pg_event_trigger
    UNION ALL SELECT tableoid, oid, pubowner, NULL FROM pg_publication";

/// Which tables are partitions of others or inherit from them.
const CHILDREN: &str = "SELECT json_build_object('schema', cn.nspname, 'name', c.relname, 'parentSchema', pn.nspname,
        'parent', p.relname, 'bound', pg_get_expr(c.relpartbound, c.oid))
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
    JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE p.relkind IN ('r', 'p', 'f')
    ORDER BY cn.nspname COLLATE \"C\", c.relname COLLATE \"C\", i.inhseqno";

/// About how many bytes a dump will read: tables with their TOAST, and large objects, without indexes.
const ESTIMATE: &str = "SELECT (coalesce(sum(pg_table_size(c.oid)), 0)
    + pg_table_size('pg_catalog.pg_largeobject'))::bigint
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// Reads what the session's database is.
pub(super) fn read_about(session: &mut Session) -> Result<About, Error> {
    let roles = ROLES.replace("{made}", MADE);
    let parts = [
        ("{children}", CHILDREN),
        ("{own_types}", OWN_TYPES),
        ("{money}", MONEY),
        ("{roles}", roles.as_str()),
    ];
    let about = parts
        .into_iter()
        .fold(ABOUT.to_owned(), |sql, (place, part)| sql.replace(place, part));
    session.query_one(&about)
}

/// Reads which tables are partitions of others or inherit from them.
pub(super) fn read_children(session: &mut Session) -> Result<Vec<Child>, Error> {
    session.query(CHILDREN)
}

/// About how many bytes a dump of the session's database will read.
pub(super) fn estimate(session: &mut Session) -> Result<u64, Error> {
    session.query_one(ESTIMATE)
}
