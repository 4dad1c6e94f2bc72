//! An archive on its way to a remote store, in parts that go side by side.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{
    Attributes, Error as StoreError, GetOptions, MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload,
};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pace::Pace;
use super::{Remote, UPLOAD, at_most};
use crate::error::{At, Error};
use crate::parts::PartSizes;
use crate::stall::within;

/// Pieces below this are copied together, so that a few bytes do not hold a large buffer.
const SMALL: usize = 64 << 10;

/// An upload in parts. The first part is held until it is full, so that a small archive is one request. Dropped, its
/// parts are no more sent, and what was sent, which is invisible, is removed.
#[derive(Debug)]
pub(crate) struct RemoteUpload {
    remote: Arc<Remote>,
    path: String,
    location: Path,
    attributes: Attributes,
    sizes: PartSizes,
    number: u64,
    written: u64,
    part: Vec<Bytes>,
    small: BytesMut,
    filled: usize,
    multipart: Option<Box<dyn MultipartUpload>>,
    in_flight: JoinSet<Sent>,
    bytes_in_flight: usize,
    pace: Pace,
    failed: bool,
}

/// A part that is through, or failed.
#[derive(Debug)]
struct Sent {
    size: usize,
    took: Duration,
    result: Result<(), StoreError>,
}

impl RemoteUpload {
    pub(crate) fn new(
        remote: Arc<Remote>,
        path: &str,
        location: Path,
        attributes: Attributes,
        sizes: PartSizes,
    ) -> Self {
        Self {
            pace: Pace::new(remote.stall_timeout, remote.max_in_flight),
            remote,
            path: path.to_owned(),
            location,
            attributes,
            sizes,
            number: 0,
            written: 0,
            part: Vec::new(),
            small: BytesMut::new(),
            filled: 0,
            multipart: None,
            in_flight: JoinSet::new(),
            bytes_in_flight: 0,
            failed: false,
        }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        if self.failed {
            return Err(self.at("write").failed("it has failed already", ""));
        }
        let result = self.append(bytes).await;
        if result.is_err() {
            self.give_up().await;
        }
        result
    }

    async fn append(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        while !bytes.is_empty() {
            let Some(size) = self.sizes.size(self.number) else {
                return Err(self.at("write").failed(
                    format_args!("the store takes no more parts after {} bytes", self.written),
                    "Back up less at once, or into a store without this limit.",
                ));
            };
            let piece = bytes.split_to(bytes.len().min(size - self.filled));
            self.filled += piece.len();
            self.written += piece.len() as u64;
            if piece.len() < SMALL {
                self.small.extend_from_slice(&piece);
            } else {
                self.gather();
                self.part.push(piece);
            }
            if self.filled == size {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    fn gather(&mut self) {
        if !self.small.is_empty() {
            self.part.push(self.small.split().freeze());
        }
    }

    fn take_part(&mut self) -> PutPayload {
        self.gather();
        self.filled = 0;
        std::mem::take(&mut self.part).into_iter().collect()
    }

    async fn send_part(&mut self) -> Result<(), Error> {
        let size = self.filled;
        while !self.in_flight.is_empty()
            && (self.in_flight.len() >= self.pace.allowed() || self.bytes_in_flight + size > self.remote.upload_memory)
        {
            self.wait_for_part().await?;
        }
        if self.multipart.is_none() {
            self.multipart = Some(self.begin().await?);
        }
        let payload = self.take_part();
        if let Some(multipart) = &mut self.multipart {
            let sending = multipart.put_part(payload);
            self.number += 1;
            self.bytes_in_flight += size;
            self.in_flight.spawn(async move {
                let begun = Instant::now();
                let result = sending.await;
                let took = begun.elapsed();
                Sent { size, took, result }
            });
        }
        Ok(())
    }

    async fn begin(&mut self) -> Result<Box<dyn MultipartUpload>, Error> {
        let options = PutMultipartOptions {
            attributes: self.attributes.clone(),
            ..PutMultipartOptions::default()
        };
        let at = self.at("write");
        within(self.remote.stall_timeout, at, async {
            let begun = self.remote.store.put_multipart_opts(&self.location, options).await;
            begun.map_err(|error| self.remote.error(at, &error))
        })
        .await
    }

    // Every part that arrives starts the stall clock again, and the pace sees to it that one arrives in time as long as
    // the line carries something: a slow line is no silent one.
    async fn wait_for_part(&mut self) -> Result<(), Error> {
        let limit = self.remote.stall_timeout;
        let at = At::new(&self.remote.describe, "write", &self.path);
        let joined = within(limit, at, async { Ok(self.in_flight.join_next().await) }).await?;
        let sent = match joined {
            None => return Ok(()),
            Some(Ok(sent)) => sent,
            Some(Err(error)) => return Err(at.failed(format_args!("the sending task ended: {error}"), "")),
        };
        self.bytes_in_flight -= sent.size;
        self.pace.took(sent.took);
        sent.result.map_err(|error| self.remote.error(at, &error))
    }

    pub(crate) async fn finish(mut self) -> Result<u64, Error> {
        if self.failed {
            return Err(self.at("finish").failed("it has failed already", ""));
        }
        let mut result = self.commit().await;
        // A commit whose answer is lost on the way is sent again, and then finds nothing left to commit, or its own blob.
        if matches!(result, Err(Error::UploadLost(_) | Error::AlreadyExists(_))) && self.is_there().await {
            result = Ok(());
        }
        if let Err(error) = result {
            self.give_up().await;
            return Err(error);
        }
        // Nothing is left to abort.
        self.multipart = None;
        size_in_store(&self.remote, &self.path, self.written).await
    }

    // Whether this very upload stands there, whole. Of a store that keeps no attributes nobody knows.
    async fn is_there(&mut self) -> bool {
        let at = At::new(&self.remote.describe, "look at", &self.path);
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = within(self.remote.stall_timeout, at, async {
            let found = self.remote.store.get_opts(&self.location, options).await;
            found.map_err(|error| self.remote.error(at, &error))
        })
        .await;
        match found {
            Ok(found) => {
                found.meta.size == self.written && found.attributes.get(&UPLOAD) == self.attributes.get(&UPLOAD)
            }
            Err(Error::NotFound(_)) => false,
            Err(error) => {
                tracing::warn!(path = self.path, %error, "whether an upload went through could not be seen");
                false
            }
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if self.multipart.is_none() {
            let payload = self.take_part();
            let attributes = self.attributes.clone();
            return self
                .remote
                .create_once(self.at("finish"), &self.location, payload, attributes)
                .await;
        }
        if self.filled > 0 {
            self.send_part().await?;
        }
        while !self.in_flight.is_empty() {
            self.wait_for_part().await?;
        }
        // A commit replaces what is there, and no store offers otherwise: so look, right before, whether somebody
        // else has finished this archive.
        if self.remote.size(&self.path).await?.is_some() {
            return Err(self
                .at("finish")
                .already_exists("there is one already", "Blobs are never replaced: delete it first."));
        }
        let at = At::new(&self.remote.describe, "finish", &self.path);
        let Some(multipart) = &mut self.multipart else {
            return Ok(());
        };
        within(self.remote.stall_timeout, at, async {
            multipart
                .complete()
                .await
                .map(drop)
                .map_err(|error| self.remote.error(at, &error))
        })
        .await
    }

    // After a failure: best effort, since the failure is what matters and nothing that is left is visible.
    async fn give_up(&mut self) {
        self.failed = true;
        if let Err(error) = self.cancel().await {
            tracing::warn!(path = self.path, %error, "a failed upload could not be aborted");
        }
    }

    async fn cancel(&mut self) -> Result<(), Error> {
        self.in_flight.shutdown().await;
        self.part.clear();
        self.small = BytesMut::new();
        match self.multipart.take() {
            Some(multipart) => abort_parts(&self.remote, &self.path, multipart).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn abort(mut self) -> Result<(), Error> {
        self.cancel().await
    }

    fn at(&self, action: &'static str) -> At<'_> {
        At::new(&self.remote.describe, action, &self.path)
    }
}

impl Drop for RemoteUpload {
    // Parts of an upload that is neither committed nor aborted stay for ever in S3 and GCS, and cost. Outside of a runtime,
    // and where this fails, the bucket's lifecycle rule ends them.
    fn drop(&mut self) {
        let (Some(multipart), Ok(runtime)) = (self.multipart.take(), Handle::try_current()) else {
            return;
        };
        let (remote, path) = (Arc::clone(&self.remote), std::mem::take(&mut self.path));
        let mut in_flight = std::mem::take(&mut self.in_flight);
        runtime.spawn(async move {
            // A part that arrives after the end would stay.
            in_flight.shutdown().await;
            if let Err(error) = abort_parts(&remote, &path, multipart).await {
                tracing::warn!(path, %error, "an upload that was given up could not be aborted");
            }
        });
    }
}

async fn abort_parts(remote: &Remote, path: &str, mut multipart: Box<dyn MultipartUpload>) -> Result<(), Error> {
    let at = At::new(&remote.describe, "abort", path);
    match at_most(remote.open_timeout, multipart.abort()).await {
        Some(Ok(()) | Err(StoreError::NotFound { .. })) => Ok(()),
        Some(Err(error)) => Err(remote.error(at, &error)),
        None => Err(at.unavailable(
            "it does not answer",
            "What is left is invisible; the store cleans it up by its own rules.",
        )),
    }
}

// What the store says that it has, which is what counts; an error where that is not what was written.
async fn size_in_store(remote: &Remote, path: &str, written: u64) -> Result<u64, Error> {
    let told = match remote.size(path).await? {
        Some(size) if size == written => return Ok(size),
        Some(size) => format!("the store has {size} bytes of it"),
        None => "the store does not have it".to_owned(),
    };
    Err(At::new(&remote.describe, "finish", path).failed(
        format_args!("{told}, and {written} bytes were written"),
        "Check the storage, then start a new backup.",
    ))
}
