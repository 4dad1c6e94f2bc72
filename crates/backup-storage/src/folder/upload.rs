//! An archive on its way into the folder. The writing is done by a thread, so that no small write waits for a disk.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Folder;
use super::write::{Message, write_all};
use crate::error::{At, Error};
use crate::stall::within;

/// Bytes that are gathered before they are handed to the thread.
const BATCH_BYTES: usize = 1 << 20;
/// How many such batches may wait.
const BATCHES: usize = 4;

/// An upload into the folder. The thread removes the partial file when the upload ends in any way but
/// [`Self::finish`]; a killed program leaves it, hidden, for the next cleaning.
#[derive(Debug)]
pub(crate) struct FolderUpload {
    folder: Arc<Folder>,
    path: String,
    batch: Vec<Bytes>,
    batched: usize,
    /// Kept to the end: once it is gone, the thread knows that nobody waits for the archive any more.
    sender: Option<mpsc::Sender<Message>>,
    /// `None` once it has ended and told how.
    thread: Option<JoinHandle<Result<Option<u64>, Error>>>,
}

impl FolderUpload {
    pub(crate) async fn start(folder: Arc<Folder>, path: &str) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let (ready, is_ready) = oneshot::channel();
        let (shared, owned_path) = (Arc::clone(&folder), path.to_owned());
        let thread = tokio::task::spawn_blocking(move || {
            let partial = shared
                .partial(&owned_path)
                .map_err(|error| shared.at("write", &owned_path).io(error))?;
            // Nobody listens any more: the thread finds that out by itself.
            let _ = ready.send(());
            write_all(&shared, &owned_path, partial, receiver)
        });
        let mut upload = Self {
            folder,
            path: path.to_owned(),
            batch: Vec::new(),
            batched: 0,
            sender: Some(sender),
            thread: Some(thread),
        };
        let begun = within(upload.folder.stall_timeout, upload.at("write"), async {
            Ok(is_ready.await.is_ok())
        })
        .await?;
        if begun { Ok(upload) } else { Err(upload.failure().await) }
    }

    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.batched += bytes.len();
        self.batch.push(bytes);
        if self.batched >= BATCH_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    async fn flush(&mut self) -> Result<(), Error> {
        self.batched = 0;
        let batch = std::mem::take(&mut self.batch);
        self.send(Message::Write(batch)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Error> {
        let Some(sender) = self.sender.clone() else {
            return Err(self.at("write").failed("it has failed already", ""));
        };
        let sent = within(self.folder.stall_timeout, self.at("write"), async {
            Ok(sender.send(message).await.is_ok())
        })
        .await?;
        if sent { Ok(()) } else { Err(self.failure().await) }
    }

    // Why the thread ended.
    async fn failure(&mut self) -> Error {
        self.sender = None;
        match self.outcome("write").await {
            Ok(_) => self.at("write").failed("it has ended already", ""),
            Err(error) => error,
        }
    }

    // What the thread came to: the size of the published archive, `None` where there is none.
    async fn outcome(&mut self, action: &'static str) -> Result<Option<u64>, Error> {
        let at = At::new(self.folder.describe(), action, &self.path);
        let Some(thread) = &mut self.thread else {
            return Err(at.failed("it has failed already", ""));
        };
        let joined = within(self.folder.stall_timeout, at, async { Ok(thread.await) }).await?;
        self.thread = None;
        joined.unwrap_or_else(|error| Err(at.failed(format_args!("the writing thread ended: {error}"), "")))
    }

    pub(crate) async fn finish(mut self) -> Result<u64, Error> {
        self.flush().await?;
        self.send(Message::Finish).await?;
        match self.outcome("finish").await? {
            Some(size) => Ok(size),
            None => Err(self.at("finish").failed("it has ended already", "")),
        }
    }

    pub(crate) async fn abort(mut self) -> Result<(), Error> {
        self.sender = None;
        match self.outcome("abort").await {
            // The thread does not come to its end: what it has written is not gone yet.
            Err(error) if self.thread.is_some() => Err(error),
            // What failed before is not the matter any more: the thread has removed its file either way.
            _ => Ok(()),
        }
    }

    fn at(&self, action: &'static str) -> At<'_> {
        At::new(self.folder.describe(), action, &self.path)
    }
}
