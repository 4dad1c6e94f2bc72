//! What a backup holds: browse it, and fetch one file without reading the rest.

use std::fmt;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::{EntryKind, EntryPath, PipelineError, Receipt};
use backup_engine::{Depth, Repository};
use bytes::Bytes;
use futures_util::stream;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::disposition::attachment;
use crate::http::params::Query;
use crate::http::pieces::{download_job, held, written_by};
use crate::openapi::types;
use crate::routes::backups::find_backup;
use crate::routes::download::begin_reading;
use crate::wire::entry::{ContentsQuery, EntryBody, EntryListBody, FileQuery, shown_name};

/// A page of what stands in a folder, in the order of the names; without a path, the parts.
#[utoipa::path(
    get,
    path = "/api/admin/backup/{id}/contents",
    params(ContentsQuery),
    responses(
        (status = 200, body = EntryListBody),
        (status = 404, description = "`backup_not_found`, `entry_not_found`"),
        (status = 409, description = "`backup_unavailable`: it is not a good backup, or its file is gone. `archive_damaged`."),
    )
)]
pub(crate) async fn list_contents(api: web::Data<Api>, request: HttpRequest, query: Query<ContentsQuery>) -> ApiResult {
    let ContentsQuery { path, limit, cursor } = query.0;
    let folder = if path.is_empty() {
        None
    } else {
        Some(Place::read(&path)?)
    };
    let backup = find_backup(&api, &request).await?.backup;
    let repository = api.repository_of(&backup).await?.impatient();
    let receipt = repository.find_known(&backup).await?;
    let body = match folder {
        None => parts(&repository, &receipt, cursor.as_deref(), limit).await?,
        Some(folder) => entries(&repository, &receipt, &folder, cursor.as_deref(), limit).await?,
    };
    Ok(HttpResponse::Ok().json(body))
}

async fn parts(
    repository: &Repository,
    receipt: &Receipt,
    cursor: Option<&str>,
    limit: usize,
) -> ApiResult<EntryListBody> {
    let mut parts = repository.browse(receipt).await?.parts().to_vec();
    if let Some(cursor) = cursor {
        let at = parts.iter().position(|part| part == cursor).ok_or_else(wrong_cursor)?;
        parts.drain(..=at);
    }
    let is_last = parts.len() <= limit;
    parts.truncate(limit);
    Ok(EntryListBody {
        next_cursor: parts.last().filter(|_| !is_last).cloned(),
        entries: parts.iter().map(|part| EntryBody::part(part)).collect(),
    })
}

/// The cursor is the name of the last entry before.
async fn entries(
    repository: &Repository,
    receipt: &Receipt,
    folder: &Place,
    cursor: Option<&str>,
    limit: usize,
) -> ApiResult<EntryListBody> {
    let after = cursor.map(|name| folder.child(name)).transpose()?;
    let contents = repository.browse(receipt).await?;
    let mut entries = contents
        .page(&folder.part, folder.inner.clone(), after, limit + 1, Depth::Folder)
        .await
        .map_err(missing_entry)?;
    let is_last = entries.len() <= limit;
    entries.truncate(limit);
    Ok(EntryListBody {
        next_cursor: entries.last().filter(|_| !is_last).map(|entry| shown_name(&entry.path)),
        entries: entries
            .iter()
            .map(|entry| EntryBody::new(&folder.part, entry))
            .collect(),
    })
}

/// One file, streamed; of a hard link the file that it is another name of. Audited, since it reveals what the file holds.
#[utoipa::path(
    get,
    path = "/api/admin/backup/{id}/contents/file",
    params(FileQuery),
    responses(
        (status = 200, body = types::Binary, content_type = "application/octet-stream", headers(
            ("Content-Disposition" = String, description = "The file's name."),
        )),
        (status = 404, description = "`backup_not_found`, `entry_not_found`"),
        (status = 409, description = "`entry_no_file`: it is no file. `backup_unavailable`, `archive_damaged`."),
        (status = 503, description = "`too_many_downloads`: as many as are made at once are under way. `catalog_unavailable`, \
            `storage_unavailable`, `storage_refused`."),
    )
)]
pub(crate) async fn download_file(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<FileQuery>,
) -> ApiResult {
    let place = Place::read(&query.0.path)?;
    let backup = find_backup(&api, &request).await?.backup;
    let repository = api.repository_of(&backup).await?;
    let reading = begin_reading(&api, &request, &backup).await?;
    let receipt = repository.impatient().find_known(&backup).await?;
    let job = download_job();
    let file = repository
        .file(&receipt, &place.part, &place.inner, &job)
        .await
        .map_err(missing_entry)?;
    if !matches!(file.entry().kind, EntryKind::File { .. }) {
        return Err(ApiError::conflict("entry_no_file"));
    }
    let size = file.entry().size;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, attachment(&shown_name(&place.inner))));
    let Some(reading) = reading else {
        let nothing = stream::empty::<Result<Bytes, PipelineError>>();
        return Ok(response.body(SizedStream::new(size, nothing)));
    };
    let pieces = written_by(api.download_turn()?, job, |out| file.write_to(out)).await?;
    audit::record(
        &api,
        &request,
        &caller,
        audit::download_file(&backup, &place.to_string()),
    )
    .await?;
    Ok(response.body(SizedStream::new(size, held(pieces, reading))))
}

/// The same, without the file.
#[utoipa::path(
    head,
    path = "/api/admin/backup/{id}/contents/file",
    params(FileQuery),
    responses(
        (status = 200, headers(("Content-Disposition" = String, description = "The file's name."))),
        (status = 404, description = "`backup_not_found`, `entry_not_found`"),
        (status = 409, description = "`entry_no_file`: it is no file. `backup_unavailable`, `archive_damaged`."),
    )
)]
pub(crate) async fn head_file(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<FileQuery>,
) -> ApiResult {
    download_file(api, caller, request, query).await
}

/// A part, and where in it.
struct Place {
    part: String,
    inner: EntryPath,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.inner)
    }
}

impl Place {
    /// Reads `PART/inner/path` as it is shown.
    fn read(text: &str) -> ApiResult<Self> {
        let (part, inner) = text.split_once('/').unwrap_or((text, ""));
        let inner =
            EntryPath::from_shown(inner).map_err(|error| ApiError::field("invalid_entry_path", "path", error))?;
        Ok(Self {
            part: part.to_owned(),
            inner,
        })
    }

    /// What stands directly in it under this name.
    fn child(&self, name: &str) -> ApiResult<EntryPath> {
        let name = EntryPath::from_shown(name).map_err(|_| wrong_cursor())?;
        if name.components().count() != 1 {
            return Err(wrong_cursor());
        }
        self.inner.join(name.as_bytes()).map_err(|_| wrong_cursor())
    }
}

fn wrong_cursor() -> ApiError {
    ApiError::field(
        "parameter_invalid",
        "cursor",
        "it is not what an answer gave as nextCursor",
    )
}

/// The receipt is found by then: what is not there is the part or the entry.
fn missing_entry(error: PipelineError) -> ApiError {
    match error {
        PipelineError::NotFound { .. } => ApiError::not_found("entry_not_found"),
        error => error.into(),
    }
}
