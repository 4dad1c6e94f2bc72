//! Writing an archive into the folder, on a thread of its own so that no small write has to wait for a disk.

use std::io::{self, IoSlice, Write as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Folder;
use crate::error::{At, Error};
use crate::stall::within;

/// Bytes that are gathered before they are handed to the thread.
const BATCH_BYTES: usize = 1 << 20;
/// How many such batches may wait.
const BATCHES: usize = 4;

#[derive(Debug)]
enum Message {
    Write(Vec<Bytes>),
    Finish,
}

/// An upload into the folder. The thread removes the partial file when the upload ends in any way but
/// [`Self::finish`]; a killed program leaves it, hidden, for the next cleaning.
#[derive(Debug)]
pub(crate) struct FolderUpload {
    folder: Arc<Folder>,
    path: String,
    stall_timeout: Duration,
    batch: Vec<Bytes>,
    batched: usize,
    sender: Option<mpsc::Sender<Message>>,
    thread: JoinHandle<Result<Option<u64>, Error>>,
}

impl FolderUpload {
    pub(crate) async fn start(folder: Arc<Folder>, path: &str, stall_timeout: Duration) -> Result<Self, Error> {
        let (sender, receiver) = mpsc::channel(BATCHES);
        let (ready, is_ready) = tokio::sync::oneshot::channel();
        let (shared, owned_path) = (Arc::clone(&folder), path.to_owned());
        let thread = tokio::task::spawn_blocking(move || {
            let partial = shared
                .partial(&owned_path)
                .map_err(|error| shared.at("write", &owned_path).io(error))?;
            let _ = ready.send(());
            write_all(&shared, &owned_path, partial, receiver)
        });
        let mut upload = Self {
            folder,
            path: path.to_owned(),
            stall_timeout,
            batch: Vec::new(),
            batched: 0,
            sender: Some(sender),
            thread,
        };
        match is_ready.await {
            Ok(()) => Ok(upload),
            Err(_) => Err(upload.failure().await),
        }
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
            return Err(self.at().failed("it has failed already", ""));
        };
        let sent = within(self.stall_timeout, self.at(), async {
            Ok(sender.send(message).await.is_ok())
        })
        .await?;
        if sent { Ok(()) } else { Err(self.failure().await) }
    }

    // Why the thread ended.
    async fn failure(&mut self) -> Error {
        self.sender = None;
        match (&mut self.thread).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => self.at().failed("it has ended already", ""),
            Err(error) => self.at().failed(format_args!("the writing thread ended: {error}"), ""),
        }
    }

    pub(crate) async fn finish(mut self) -> Result<u64, Error> {
        self.flush().await?;
        self.send(Message::Finish).await?;
        let at = At::new(self.folder.describe(), "write", &self.path);
        within(self.stall_timeout, at, async {
            match (&mut self.thread).await {
                Ok(Ok(Some(size))) => Ok(size),
                Ok(Ok(None)) => Err(at.failed("it has ended already", "")),
                Ok(Err(error)) => Err(error),
                Err(error) => Err(at.failed(format_args!("the writing thread ended: {error}"), "")),
            }
        })
        .await
    }

    pub(crate) async fn abort(mut self) -> Result<(), Error> {
        self.sender = None;
        let at = At::new(self.folder.describe(), "abort", &self.path);
        within(self.stall_timeout, at, async {
            // What failed before is not the matter any more: the thread has removed its file either way.
            let _ = (&mut self.thread).await;
            Ok(())
        })
        .await
    }

    fn at(&self) -> At<'_> {
        At::new(self.folder.describe(), "write", &self.path)
    }
}

fn write_all(
    folder: &Folder,
    path: &str,
    mut partial: NamedTempFile,
    mut receiver: mpsc::Receiver<Message>,
) -> Result<Option<u64>, Error> {
    let at = folder.at("write", path);
    let mut size = 0;
    let result = loop {
        match receiver.blocking_recv() {
            Some(Message::Write(batch)) => match write_batch(&mut partial, &batch) {
                Ok(bytes) => size += bytes,
                Err(error) => break Err(at.io(error)),
            },
            Some(Message::Finish) => return publish(folder, path, partial).map(|()| Some(size)),
            None => break Ok(None),
        }
    };
    // Removed by hand, so that a failure to do so is at least in the log, and the empty folders with it.
    if let Err(error) = partial.close().and_then(|()| folder.tidy(&folder.full(path))) {
        tracing::warn!(path, %error, "the partial file of an upload could not be removed");
    }
    result
}

fn publish(folder: &Folder, path: &str, partial: NamedTempFile) -> Result<(), Error> {
    let at = folder.at("finish", path);
    folder.publish(partial, path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => at.upload_lost(
            "the partial file was removed by somebody else",
            "Make sure that one worker at a time writes this backup, and start it again.",
        ),
        _ => at.io(error),
    })
}

fn write_batch(partial: &mut NamedTempFile, batch: &[Bytes]) -> io::Result<u64> {
    let total = batch.iter().map(|bytes| bytes.len() as u64).sum();
    let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|bytes| IoSlice::new(bytes)).collect();
    let mut slices = slices.as_mut_slice();
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match partial.as_file_mut().write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(total)
}
