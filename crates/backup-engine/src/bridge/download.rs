use std::io::{self, Read};
use std::sync::Arc;

use backup_archive::ByteSource;
use backup_core::{JobControl, PipelineError};
use backup_storage::BlobStore;
use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::upload::cancelled;

/// Pieces of a stream that are fetched ahead of its reader.
const READ_AHEAD: usize = 8;

/// A blob as the archive reads it. To be read from blocking threads only.
pub(crate) struct BlobSource {
    storage: BlobStore,
    path: Arc<str>,
    size: u64,
    runtime: Handle,
    job: JobControl,
}

impl BlobSource {
    /// The blob at `path`; reading it ends when `job` is cancelled.
    pub(crate) async fn open(storage: BlobStore, path: &str, job: JobControl) -> Result<Self, PipelineError> {
        let Some(size) = storage.size(path).await? else {
            return Err(PipelineError::integrity(
                format!(
                    "{} has no file '{path}', though its receipt is there",
                    storage.describe()
                ),
                "The backup is lost; make a new one, and find out who removed the file.",
            ));
        };
        Ok(Self {
            storage,
            path: path.into(),
            size,
            runtime: Handle::current(),
            job,
        })
    }
}

impl ByteSource for BlobSource {
    fn len(&self) -> Result<u64, PipelineError> {
        Ok(self.size)
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Bytes, PipelineError> {
        let end = offset + len as u64;
        if end > self.size {
            return Err(PipelineError::integrity(
                format!(
                    "'{}' ends at byte {}, and byte {end} is asked for",
                    self.path, self.size
                ),
                "The file was cut short in the storage; use another backup.",
            ));
        }
        self.runtime.block_on(async {
            tokio::select! {
                bytes = self.storage.get(&self.path, offset..end) => Ok(bytes?),
                () = cancelled(&self.job) => Err(PipelineError::Cancelled),
            }
        })
    }

    fn stream(&self, offset: u64) -> Result<Box<dyn Read + Send>, PipelineError> {
        let (sender, receiver) = mpsc::channel(READ_AHEAD);
        let (storage, path, range, job) = (
            self.storage.clone(),
            self.path.clone(),
            offset..self.size,
            self.job.clone(),
        );
        let task = self.runtime.spawn(async move {
            let fetch = async {
                let mut stream = storage.stream(&path, range);
                while let Some(piece) = stream.next().await {
                    if sender.send(piece.map_err(PipelineError::from)).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = fetch => {}
                () = cancelled(&job) => {
                    // The reader is gone, or takes this as its last piece.
                    let _ = sender.send(Err(PipelineError::Cancelled)).await;
                }
            }
        });
        Ok(Box::new(BlobStream {
            receiver,
            piece: Bytes::new(),
            left: self.size.saturating_sub(offset),
            path: self.path.clone(),
            task,
        }))
    }
}

/// A stream of a blob, fetched ahead by a task. It ends with the last byte or with an error, never quietly before.
struct BlobStream {
    receiver: mpsc::Receiver<Result<Bytes, PipelineError>>,
    piece: Bytes,
    left: u64,
    path: Arc<str>,
    task: JoinHandle<()>,
}

impl Read for BlobStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None if self.left == 0 => return Ok(0),
                None => {
                    return Err(io::Error::other(PipelineError::unavailable(
                        format!("the storage ended '{}' {} bytes early", self.path, self.left),
                        "Try again.",
                    )));
                }
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}

impl Drop for BlobStream {
    fn drop(&mut self) {
        self.task.abort();
    }
}
