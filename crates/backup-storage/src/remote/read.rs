//! Reading from a remote store.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{GetOptions, GetRange};
use tokio::task::JoinSet;

use super::Remote;
use crate::error::Error;
use crate::stall::within;

/// Bytes of one ranged request of a stream, and how many of them are on their way at once: one connection alone
/// reaches half of what the store can give.
const READ_BYTES: u64 = 4 << 20;
const READS: usize = 4;

impl Remote {
    /// Exactly the bytes of `range`. Every piece that comes starts the stall clock again: a slow line is no silent one.
    pub(crate) async fn get(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let at = self.at("read", path);
        let location = self.location(at, path)?;
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            ..GetOptions::default()
        };
        let mut pieces = within(self.stall_timeout, at, async {
            let answer = self.store.get_opts(&location, options).await;
            answer.map_err(|error| self.error(at, &error))
        })
        .await?
        .into_stream();
        let wanted = (range.end - range.start) as usize;
        let mut bytes = BytesMut::with_capacity(wanted);
        while let Some(piece) = within(self.stall_timeout, at, async {
            pieces.try_next().await.map_err(|error| self.error(at, &error))
        })
        .await?
        {
            bytes.extend_from_slice(&piece);
        }
        if bytes.len() == wanted {
            return Ok(bytes.freeze());
        }
        Err(at.failed(
            format_args!("it ends before byte {}", range.end),
            "The blob was cut short: verify the backup.",
        ))
    }

    /// The bytes of `range` in order, by several ranged requests side by side. Each can be repeated alone, so a line
    /// that breaks does not begin the whole again; and each is a task that goes on by itself, so a reader that pauses
    /// does not look like a store that is silent. They end with the stream.
    pub(crate) fn stream(self: Arc<Self>, path: String, range: Range<u64>) -> BoxStream<'static, Result<Bytes, Error>> {
        let path: Arc<str> = path.into();
        let end = range.end;
        let starts = (range.start..end).step_by(READ_BYTES as usize);
        stream::iter(starts)
            .map(move |start| {
                let (remote, path) = (Arc::clone(&self), Arc::clone(&path));
                let mut task = JoinSet::new();
                let read = {
                    let (remote, path) = (Arc::clone(&remote), Arc::clone(&path));
                    async move { remote.get(&path, start..end.min(start + READ_BYTES)).await }
                };
                task.spawn(read);
                async move {
                    let at = remote.at("read", &path);
                    match task.join_next().await {
                        Some(Ok(result)) => result,
                        Some(Err(error)) => Err(at.failed(format_args!("the reading task ended: {error}"), "")),
                        None => Err(at.failed("the reading task never began", "")),
                    }
                }
            })
            .buffered(READS)
            .boxed()
    }
}
