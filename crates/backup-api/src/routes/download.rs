//! The stored file of a backup, as it is or decrypted.

use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::backup::full_name;
use backup_core::{Backup, PipelineError};
use backup_engine::{FullOptions, Reading, Repository};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::disposition::attachment;
use crate::http::params::Query;
use crate::http::pieces::{download_job, held, written_by};
use crate::http::range::{Wanted, wanted};
use crate::openapi::types;
use crate::routes::backups::find_backup;
use crate::wire::backup::DownloadQuery;

/// The stored file, streamed; `?decrypt=true`: the plain archive; `?full=true`: one that stands alone.
///
/// Only the stored file has a length, an `ETag` and ranges. Every request that reveals a byte is audited, a resumed one too.
#[utoipa::path(
    get,
    path = "/api/admin/backup/{id}/download",
    params(
        DownloadQuery,
        ("Range" = Option<String>, Header, description = "One range of bytes; anything else gives the whole file.",
            example = "bytes=0-1023"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` of the file whose beginning is there already."),
    ),
    responses(
        (status = 200, body = types::Binary, content_type = "application/octet-stream", headers(
            ("Content-Disposition" = String, description = "The file's name."),
        )),
        (status = 206, body = types::Binary, content_type = "application/octet-stream", headers(
            ("Content-Range" = String),
            ("ETag" = String, description = "The SHA-256 of the stored file."),
            ("Content-Disposition" = String, description = "The file's name."),
        )),
        (status = 409, description = "`backup_unavailable`: it is not a good backup, or its file is gone. `archive_damaged`."),
        (status = 416, description = "`range_not_satisfiable`.", headers(("Content-Range" = String))),
        (status = 503, description = "`too_many_downloads`: as many as are made at once are under way; the stored file is not \
            among them. `catalog_unavailable`, `storage_unavailable`, `storage_refused`."),
    )
)]
pub(crate) async fn download_backup(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<DownloadQuery>,
) -> ApiResult {
    let backup = find_backup(&api, &request).await?.backup;
    let repository = api.repository_of(&backup).await?;
    let stored = Stored::of(backup)?;
    if query.0.full && stored.backup.base_id.is_some() {
        send_full(&api, repository, &caller, &request, stored, query.0.decrypt).await
    } else if query.0.decrypt {
        send_decrypted(&api, repository, &caller, &request, stored).await
    } else {
        send_stored(&api, &repository, &caller, &request, stored).await
    }
}

/// The headers of a download, without the file.
#[utoipa::path(
    head,
    path = "/api/admin/backup/{id}/download",
    params(DownloadQuery),
    responses(
        (status = 200, headers(("Content-Disposition" = String, description = "The file's name."))),
        (status = 409, description = "The same as of the download."),
    )
)]
pub(crate) async fn head_download(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<DownloadQuery>,
) -> ApiResult {
    download_backup(api, caller, request, query).await
}

/// A backup whose file is there to be fetched.
struct Stored {
    backup: Backup,
    path: String,
    size: u64,
    checksum: String,
}

impl Stored {
    fn of(backup: Backup) -> ApiResult<Self> {
        match (backup.storage_path.clone(), backup.size_bytes, backup.checksum.clone()) {
            (Some(path), Some(size), Some(checksum)) => Ok(Self {
                backup,
                path,
                size,
                checksum,
            }),
            _ => Err(ApiError::conflict("backup_unavailable")),
        }
    }

    /// The name it is saved under: the backup's, with all that follows the identifier in the stored file's.
    fn file_name(&self) -> String {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        let extension = file.split_once('.').map_or("tar.gz.enc", |(_, extension)| extension);
        format!("{}.{extension}", self.backup.name)
    }
}

/// Keeps the backup from being deleted while its file is read; `None` for a HEAD, which reads none.
pub(crate) async fn begin_reading(api: &Api, request: &HttpRequest, backup: &Backup) -> ApiResult<Option<Reading>> {
    if request.method() == Method::HEAD {
        return Ok(None);
    }
    let reading = api.engine()?.begin_reading(backup.id).await;
    Ok(Some(reading.map_err(ApiError::in_state("backup_unavailable"))?))
}

async fn send_stored(
    api: &Api,
    repository: &Repository,
    caller: &Caller,
    request: &HttpRequest,
    stored: Stored,
) -> ApiResult {
    let reading = begin_reading(api, request, &stored.backup).await?;
    // Before any header: a file that is gone is an error, not a connection that breaks.
    let there = repository.impatient().storage().size(&stored.path).await;
    match there.map_err(PipelineError::from)? {
        Some(size) if size == stored.size => {}
        Some(_) => return Err(ApiError::conflict("archive_damaged")),
        None => return Err(ApiError::conflict("backup_unavailable")),
    }
    let etag = format!("\"{}\"", stored.checksum);
    let wanted = match *request.method() {
        // RFC 9110 knows ranges of a GET alone.
        Method::HEAD => Wanted::Whole,
        _ => range_of(request, &etag, stored.size),
    };
    let (status, range) = match wanted {
        Wanted::Whole => (StatusCode::OK, 0..stored.size),
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Unsatisfiable => {
            let size = HeaderValue::from_str(&format!("bytes */{}", stored.size)).map_err(ApiError::internal)?;
            let error = ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable");
            return Err(error.header(header::CONTENT_RANGE, size));
        }
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, attachment(&stored.file_name())))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::ETAG, etag));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, stored.size);
        response.insert_header((header::CONTENT_RANGE, text));
    }
    let length = range.end - range.start;
    let Some(reading) = reading else {
        return Ok(response.body(SizedStream::new(
            length,
            stream::empty::<Result<Bytes, PipelineError>>(),
        )));
    };
    audit::record(api, request, caller, audit::download(&stored.backup, false)).await?;
    let bytes = repository
        .storage()
        .stream(&stored.path, range)
        .map(|piece| piece.map_err(PipelineError::from));
    Ok(response.body(SizedStream::new(length, held(bytes, reading))))
}

fn range_of(request: &HttpRequest, etag: &str, size: u64) -> Wanted {
    let header = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    // A range of another file than the caller has the rest of is of no use: then all of it. A date never matches.
    if header(header::IF_RANGE).is_some_and(|condition| condition.trim() != etag) {
        return Wanted::Whole;
    }
    header(header::RANGE).map_or(Wanted::Whole, |range| wanted(range, size))
}

async fn send_decrypted(
    api: &Api,
    repository: Repository,
    caller: &Caller,
    request: &HttpRequest,
    stored: Stored,
) -> ApiResult {
    let reading = begin_reading(api, request, &stored.backup).await?;
    let receipt = repository.impatient().find_known(&stored.backup).await?;
    let mut response = HttpResponse::Ok();
    let name = format!("{}.{}", stored.backup.name, receipt.archive.codec.extension(false));
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, attachment(&name)));
    let Some(reading) = reading else {
        return Ok(response.finish());
    };
    // The whole file is checked before its first byte comes out: what is wrong with it is an answer, not a broken download.
    let job = download_job();
    let pieces = written_by(api.download_turn()?, job.clone(), move |out| async move {
        repository.decrypt(&receipt, out, &job).await
    })
    .await?;
    audit::record(api, request, caller, audit::download(&stored.backup, true)).await?;
    Ok(response.body(BodyStream::new(held(pieces, reading))))
}

async fn send_full(
    api: &Api,
    repository: Repository,
    caller: &Caller,
    request: &HttpRequest,
    stored: Stored,
    decrypted: bool,
) -> ApiResult {
    let reading = begin_reading(api, request, &stored.backup).await?;
    let receipt = repository.impatient().find_known(&stored.backup).await?;
    let Backup {
        name,
        source,
        backup_type,
        created_at,
        ..
    } = &stored.backup;
    let name = full_name(name, *source, *backup_type, *created_at);
    let extension = receipt.archive.codec.extension(receipt.archive.encrypted && !decrypted);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, attachment(&format!("{name}.{extension}"))));
    let Some(reading) = reading else {
        return Ok(response.finish());
    };
    let job = download_job();
    let engine = api.engine()?;
    let options = FullOptions {
        compressors: engine.settings.compressors,
        clock: engine.clock.clone(),
        random: engine.random.clone(),
        checkpoints: engine.checkpoints.clone(),
    };
    let pieces = written_by(api.download_turn()?, job.clone(), move |out| async move {
        repository.write_full(&receipt, out, decrypted, &options, &job).await
    })
    .await?;
    audit::record(api, request, caller, audit::download(&stored.backup, decrypted)).await?;
    Ok(response.body(BodyStream::new(held(pieces, reading))))
}
