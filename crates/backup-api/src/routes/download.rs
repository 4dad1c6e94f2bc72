//! The stored file of a backup, as it is or decrypted.

use std::io::Write;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use backup_core::{Backup, BackupId, JobControl, JobStatus, PipelineError, Receipt};
use backup_engine::Action;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use crate::app::Api;
use crate::audit;
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::http::params::{Query, path_id};
use crate::http::range::{Wanted, wanted};
use crate::openapi::types;
use crate::wire::backup::DownloadQuery;

/// Pieces of a decrypted archive that wait for the caller's connection.
const WAITING: usize = 8;

/// Bytes of one such piece.
const PIECE: usize = 256 << 10;

/// How long the storage may be silent.
const STALL: Duration = Duration::from_mins(1);

/// The stored file, streamed; `?decrypt=true`: the plain archive.
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
    )
)]
pub(crate) async fn download_backup(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    query: Query<DownloadQuery>,
) -> ApiResult {
    let id: BackupId = path_id(&request)?;
    let summary = api
        .store
        .get_backup(id)
        .await?
        .ok_or_else(|| ApiError::not_found("backup_not_found"))?;
    let stored = Stored::of(summary.backup)?;
    if query.0.decrypt {
        send_decrypted(&api, &caller, &request, stored).await
    } else {
        send_stored(&api, &caller, &request, stored).await
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
    fn of(mut backup: Backup) -> ApiResult<Self> {
        let whole = backup.status == JobStatus::Completed && !backup.deleting;
        match (backup.storage_path.take(), backup.size_bytes, backup.checksum.take()) {
            (Some(path), Some(size), Some(checksum)) if whole => Ok(Self {
                backup,
                path,
                size,
                checksum,
            }),
            _ => Err(ApiError::conflict("backup_unavailable")),
        }
    }

    /// The end of the stored file's name: all after the identifier.
    fn extension(&self) -> &str {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        file.split_once('.').map_or("tar.gz.enc", |(_, extension)| extension)
    }
}

async fn send_stored(api: &Api, caller: &Caller, request: &HttpRequest, stored: Stored) -> ApiResult {
    let repository = api.repository()?;
    // Before any header: a file that is gone is an error, not a connection that breaks.
    match repository
        .storage()
        .size(&stored.path)
        .await
        .map_err(PipelineError::from)?
    {
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
        .insert_header((
            header::CONTENT_DISPOSITION,
            attachment(&stored.backup.name, stored.extension()),
        ))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::ETAG, etag));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, stored.size);
        response.insert_header((header::CONTENT_RANGE, text));
    }
    let length = range.end - range.start;
    if request.method() == Method::HEAD {
        return Ok(response.body(SizedStream::new(
            length,
            stream::empty::<Result<Bytes, PipelineError>>(),
        )));
    }
    audit::record(api, request, caller, audit::download(&stored.backup, false)).await?;
    let bytes = repository
        .storage()
        .stream(&stored.path, range)
        .map(|piece| piece.map_err(PipelineError::from));
    Ok(response.body(SizedStream::new(length, bytes)))
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

async fn send_decrypted(api: &Api, caller: &Caller, request: &HttpRequest, stored: Stored) -> ApiResult {
    let repository = api.repository()?;
    let receipt = repository.find(stored.backup.id).await?;
    let mut response = HttpResponse::Ok();
    let extension = receipt.archive.codec.extension(false);
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, attachment(&stored.backup.name, extension)));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    let mut pieces = decrypt(&repository, receipt);
    // The whole file is checked before its first byte comes out: what is wrong with it is an answer, not a broken download.
    let first = pieces
        .recv()
        .await
        .ok_or_else(|| ApiError::internal("the decryption ended without a word"))??;
    audit::record(api, request, caller, audit::download(&stored.backup, true)).await?;
    let rest = stream::poll_fn(move |context| pieces.poll_recv(context));
    Ok(response.body(BodyStream::new(stream::once(async { Ok(first) }).chain(rest))))
}

/// Decrypts in the background. When the receiver is dropped, the next piece ends it.
fn decrypt(repository: &backup_engine::Repository, receipt: Receipt) -> mpsc::Receiver<Result<Bytes, PipelineError>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let repository = repository.clone();
    tokio::spawn(async move {
        let job = JobControl::new(STALL);
        let out = std::io::BufWriter::with_capacity(PIECE, Pieces(sender.clone()));
        let work = repository.decrypt(&receipt, out, &job);
        let result = tokio::select! {
            result = work => result,
            () = sender.closed() => {
                job.cancel();
                return;
            }
        };
        if let Err(error) = result {
            tracing::warn!(action = %Action::HttpRequest, error = error.full_text(), "a decrypted download ended early");
            // The caller may have gone in the meantime.
            let _ = sender.send(Err(error)).await;
        }
    });
    receiver
}

/// Hands what is written to the response, and blocks while that is behind.
struct Pieces(mpsc::Sender<Result<Bytes, PipelineError>>);

impl Write for Pieces {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(PIECE);
        self.0
            .blocking_send(Ok(Bytes::copy_from_slice(&buffer[..count])))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The name under which a browser saves it. Names of backups are ASCII; anything else is replaced.
fn attachment(name: &str, extension: &str) -> String {
    let safe = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!(
        "attachment; filename=\"{}.{extension}\"",
        name.chars().map(safe).collect::<String>()
    )
}
