//! What catalog and storage do not have in common, on the wire.

use backup_core::BackupId;
use backup_engine::{Orphan, OrphanKind, Orphans};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiResult;
use crate::http::params::{FromParams, Params};
use crate::openapi::types;

/// Something that only one side has.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Orphan)]
pub(crate) struct OrphanBody {
    #[schema(value_type = types::OrphanKind)]
    kind: OrphanKind,
    /// The backup that it is, or would be.
    #[schema(value_type = types::Id)]
    backup_id: BackupId,
    /// What its storage is called.
    storage: String,
    /// Where it stands in the storage.
    path: Option<String>,
    /// Bytes of its archive.
    size_bytes: Option<u64>,
    /// What is wrong with it.
    problem: Option<String>,
}

/// What catalog and storage do not have in common.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrphanList)]
pub(crate) struct OrphanListBody {
    orphans: Vec<OrphanBody>,
    /// Whether there are more.
    more: bool,
    /// Configurations whose storage could not be looked at.
    unreachable: Vec<Unreachable>,
}

/// A configuration whose storage could not be looked at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Unreachable {
    config_key: String,
    /// Why, and what to do.
    problem: String,
}

impl From<Orphans> for OrphanListBody {
    fn from(orphans: Orphans) -> Self {
        Self {
            orphans: orphans.found.into_iter().map(OrphanBody::from).collect(),
            more: orphans.more,
            unreachable: orphans
                .unreachable
                .into_iter()
                .map(|(config_key, problem)| Unreachable { config_key, problem })
                .collect(),
        }
    }
}

impl From<Orphan> for OrphanBody {
    fn from(orphan: Orphan) -> Self {
        Self {
            kind: orphan.kind,
            backup_id: orphan.backup_id,
            storage: orphan.storage,
            path: orphan.path,
            size_bytes: orphan.size_bytes,
            problem: orphan.problem,
        }
    }
}

/// How many.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrphanQuery {
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: usize,
}

impl FromParams for OrphanQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            limit: params.number("limit", 1, 1000, 100)? as usize,
        })
    }
}
