//! The stream of one listener: what it missed from the catalog, then what is new.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use backup_engine::Action;
use bytes::Bytes;
use futures_util::stream::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::listeners::Place;
use super::{News, PAGE, record};
use crate::app::Api;
use crate::auth::Caller;
use crate::error::ApiResult;
use crate::language::Language;

/// Pieces of the stream that wait for the listener's connection.
const WAITING: usize = 16;

/// Told to a listener whose last event the catalog no longer has: read everything anew.
const RESET: &str = "event: reset\ndata: {}\n\n";

/// The stream as it goes out. Its place is taken as long as the connection holds: by its end alone, a listener that takes in
/// nothing makes no room for others.
pub(crate) struct Frames {
    receiver: mpsc::Receiver<Bytes>,
    _place: Place,
}

impl Stream for Frames {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// Begins a stream for `caller`, after the event `last` where it names one. It ends when the caller may no longer listen,
/// cannot keep up, or the server stops.
///
/// # Errors
/// 429 where there are too many streams.
pub(crate) async fn listen(api: Arc<Api>, caller: Caller, language: Language, last: Option<i64>) -> ApiResult<Frames> {
    let place = api.events.listeners.admit(caller.whose())?;
    // First listen, then look where the catalog stands: nothing falls between the two.
    let (changes, ended) = api.events.subscribe();
    let now = api.store.last_event_seq().await?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let listener = Listener {
        api,
        caller,
        language,
        sender,
        cursor: last.unwrap_or(now),
    };
    tokio::spawn(listener.run(changes, ended, now));
    Ok(Frames {
        receiver,
        _place: place,
    })
}

struct Listener {
    api: Arc<Api>,
    caller: Caller,
    language: Language,
    sender: mpsc::Sender<Bytes>,
    cursor: i64,
}

impl Listener {
    async fn run(mut self, changes: broadcast::Receiver<News>, mut ended: watch::Receiver<bool>, now: i64) {
        let closed = self.sender.clone();
        tokio::select! {
            () = self.send_all(changes, now) => {}
            _ = ended.wait_for(|ended| *ended) => {}
            () = closed.closed() => {}
        }
    }

    /// Returns when the stream is to end.
    async fn send_all(&mut self, mut changes: broadcast::Receiver<News>, now: i64) {
        if !self.catch_up(now).await {
            return;
        }
        let period = self.api.settings.keep_alive;
        let mut alive = interval_at(Instant::now() + period, period);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let sent = tokio::select! {
                change = changes.recv() => match change {
                    Ok(News::Change(change)) if change.seq > self.cursor => {
                        self.cursor = change.seq;
                        self.send(change.frame(self.language)).await
                    }
                    Ok(News::Change(_)) => true,
                    Ok(News::Rewound) | Err(RecvError::Lagged(_) | RecvError::Closed) => false,
                },
                _ = alive.tick() => self.may_listen().await && self.send(Bytes::from_static(b": alive\n\n")).await,
            };
            if !sent {
                return;
            }
        }
    }

    /// Sends what happened since the listener's last event, and where the stream stands now, so that even a listener
    /// that never saw an event can resume.
    async fn catch_up(&mut self, now: i64) -> bool {
        match self.missed(now).await {
            Ok(true) => {}
            Ok(false) => {
                if !self.send(Bytes::from_static(RESET.as_bytes())).await {
                    return false;
                }
                self.cursor = now;
            }
            Err(error) => {
                tracing::warn!(action = %Action::CatalogUnavailable, %error, "missed events cannot be read");
                return false;
            }
        }
        self.send(Bytes::from(format!("id: {}\n\n", self.cursor))).await
    }

    /// `Ok(false)`: the catalog no longer has all of them.
    async fn missed(&mut self, now: i64) -> Result<bool, backup_db::Error> {
        if self.cursor > now {
            return Ok(false);
        }
        while self.cursor < now {
            let events = self.api.store.events_after(self.cursor, PAGE).await?;
            if events.first().is_none_or(|first| first.seq != self.cursor + 1) {
                return Ok(false);
            }
            let last = events.last().map_or(now, |event| event.seq);
            for change in record::changes(&self.api.store, events).await? {
                if !self.send(change.frame(self.language)).await {
                    // Nobody listens; the next thing sent ends the stream.
                    return Ok(true);
                }
            }
            self.cursor = last;
        }
        Ok(true)
    }

    async fn may_listen(&self) -> bool {
        self.caller.is_still_valid(&self.api).await.unwrap_or(true)
    }

    async fn send(&self, frame: Bytes) -> bool {
        hand_over(&self.sender, frame, self.api.settings.keep_alive).await
    }
}

/// `false`: nobody listens any more, or nothing was taken in for so long. Whoever waited on would never ask whether the caller
/// still may listen.
async fn hand_over(sender: &mpsc::Sender<Bytes>, frame: Bytes, patience: Duration) -> bool {
    matches!(timeout(patience, sender.send(frame)).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_in_is_not_waited_for() {
        let (sender, mut receiver) = mpsc::channel(1);
        let send = async |patience: Duration| hand_over(&sender, Bytes::from_static(b"x"), patience).await;
        assert!(send(Duration::from_mins(1)).await);
        assert!(!send(Duration::from_millis(1)).await, "nobody takes it in");
        receiver.recv().await.unwrap();
        assert!(send(Duration::from_mins(1)).await, "who goes on is served on");
        drop(receiver);
        assert!(!send(Duration::from_mins(1)).await, "nobody is there");
    }
}
