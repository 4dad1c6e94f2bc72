//! A body that a job writes in the background, piece by piece, while the caller's connection takes it.

use std::future::Future;
use std::io::{BufWriter, Write};
use std::time::Duration;

use backup_core::{JobControl, PipelineError};
use backup_engine::{Action, Reading};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::error::ApiResult;

/// Pieces that wait for the caller's connection.
const WAITING: usize = 8;

/// Bytes of a piece.
const PIECE: usize = 256 << 10;

/// How long the storage may be silent.
const STALL: Duration = Duration::from_mins(1);

/// Where the job writes to. It blocks while the connection is behind, and fails once that is gone.
pub(crate) type PieceWriter = BufWriter<Pieces>;

/// The control of a job that somebody waits for at the other end of a connection.
pub(crate) fn download_job() -> JobControl {
    JobControl::new(STALL)
}

/// Starts `work` and waits for its first piece, so that what goes wrong before it is an answer, not a broken download. What
/// goes wrong later ends the stream with an error. When the stream is dropped, `job`, which is that of the work, is
/// cancelled. `turn` is over when nothing writes any more.
///
/// # Errors
/// What `work` ended with before it had written anything.
pub(crate) async fn written_by<F>(
    turn: OwnedSemaphorePermit,
    job: JobControl,
    work: impl FnOnce(PieceWriter) -> F,
) -> ApiResult<impl Stream<Item = Result<Bytes, PipelineError>> + 'static>
where
    F: Future<Output = Result<(), PipelineError>> + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let pieces = Pieces {
        sender: sender.clone(),
        _turn: turn,
    };
    let work = work(BufWriter::with_capacity(PIECE, pieces));
    tokio::spawn(async move {
        let result = tokio::select! {
            result = work => result,
            () = sender.closed() => {
                job.cancel();
                return;
            }
        };
        if let Err(error) = result {
            tracing::warn!(action = %Action::HttpRequest, error = error.full_text(), "a download ended early");
            // The caller may have gone in the meantime.
            let _ = sender.send(Err(error)).await;
        }
    });
    let first = receiver.recv().await.transpose()?;
    let rest = stream::poll_fn(move |context| receiver.poll_recv(context));
    Ok(stream::iter(first.map(Ok)).chain(rest))
}

/// The pieces of a backup's file, which is not deleted while they come. The last piece comes when it may be deleted again, so
/// that whoever has all of it finds nothing in the way. Where the connection ends before, so does the reading.
pub(crate) fn held<E: 'static>(
    pieces: impl Stream<Item = Result<Bytes, E>> + 'static,
    reading: Reading,
) -> impl Stream<Item = Result<Bytes, E>> + 'static {
    let pieces = Box::pin(pieces.fuse());
    let begun = (pieces, None, Some(reading));
    let held = stream::unfold(begun, |(mut pieces, ahead, mut reading)| async move {
        let piece = match ahead {
            Some(piece) => piece,
            None => pieces.next().await?,
        };
        let ahead = pieces.next().await;
        if ahead.is_none()
            && let Some(reading) = reading.take()
        {
            reading.end().await;
        }
        Some((piece, (pieces, ahead, reading)))
    });
    held.fuse()
}

/// Hands what is written to the response.
pub(crate) struct Pieces {
    sender: mpsc::Sender<Result<Bytes, PipelineError>>,
    // Goes where this goes: to the thread that writes, which may outlive the request.
    _turn: OwnedSemaphorePermit,
}

impl Write for Pieces {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(PIECE);
        self.sender
            .blocking_send(Ok(Bytes::copy_from_slice(&buffer[..count])))
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::BrokenPipe))?;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
