//! What a backup holds, on the wire.

use backup_core::{Entry, EntryPath};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::{ApiError, ApiResult};
use crate::http::params::{FromParams, Params};

/// A page of what stands in a folder of a backup.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EntryList)]
pub(crate) struct EntryListBody {
    pub(crate) entries: Vec<EntryBody>,
    /// What asks for the next page; `None` on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// One thing in a backup. Names are shown as [`EntryPath`] shows them, so that a `path` or a hard link's `target` can be
/// asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Entry)]
pub(crate) struct EntryBody {
    path: String,
    name: String,
    /// `FILE`, `DIRECTORY`, `SYMLINK`, `HARD_LINK`, `FIFO`, `CHAR_DEVICE` or `BLOCK_DEVICE`.
    kind: &'static str,
    size_bytes: u64,
    modified_at: Option<DateTime<Utc>>,
    /// Permission bits, four octal digits.
    mode: Option<String>,
    /// Of a symbolic link the text it holds, of a hard link the path of the file it is another name of.
    target: Option<String>,
}

impl EntryBody {
    pub(crate) fn new(part: &str, entry: &Entry) -> Self {
        Self {
            path: format!("{part}/{}", entry.path),
            name: shown_name(&entry.path),
            kind: entry.kind.as_str(),
            size_bytes: entry.size,
            modified_at: entry.modified_at(),
            mode: Some(format!("{:04o}", entry.mode & 0o7777)),
            target: entry.shown_target(part),
        }
    }

    /// A part: the folder that its source's entries stand in.
    pub(crate) fn part(name: &str) -> Self {
        Self {
            path: name.to_owned(),
            name: name.to_owned(),
            kind: "DIRECTORY",
            size_bytes: 0,
            modified_at: None,
            mode: None,
            target: None,
        }
    }
}

/// The last component of a path as it is shown.
pub(crate) fn shown_name(path: &EntryPath) -> String {
    EntryPath::show(path.components().last().unwrap_or_default())
}

/// The longest path that is looked for, in characters: what Linux allows, and what a request's line has room for.
const MAX_PATH: usize = 4096;

/// The longest name, every byte of which may take four characters.
const MAX_NAME: usize = 1024;

/// What of a backup is listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ContentsQuery {
    /// A part, or a folder in it, `PART/inner/path`, as an answer shows it; without it the parts.
    #[param(value_type = Option<String>, max_length = 4096)]
    pub(crate) path: String,
    /// How many at the most.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    pub(crate) limit: usize,
    /// The `nextCursor` of the page before.
    #[param(max_length = 1024)]
    pub(crate) cursor: Option<String>,
}

impl FromParams for ContentsQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        Ok(Self {
            path: params.text("path", MAX_PATH)?.unwrap_or_default(),
            cursor: params.text("cursor", MAX_NAME)?,
            limit: params.number("limit", 1, 1000, 100)? as usize,
        })
    }
}

/// Which file of a backup.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// The file, `PART/inner/path`, as the contents show it.
    #[param(max_length = 4096)]
    pub(crate) path: String,
}

impl FromParams for FileQuery {
    fn from_params(params: &mut Params) -> ApiResult<Self> {
        let path = params.text("path", MAX_PATH)?;
        let missing = || ApiError::field("parameter_invalid", "path", "it is required");
        Ok(Self {
            path: path.ok_or_else(missing)?,
        })
    }
}
