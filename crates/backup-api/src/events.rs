//! Live events: one task of the process reads what is new in the catalog and hands it to every listener. A listener that
//! cannot keep up is dropped: it comes back with `Last-Event-ID` and reads what it missed from the catalog.

use std::sync::Arc;
use std::time::Duration;

use backup_db::Store;
use backup_engine::Action;
use bytes::Bytes;
use tokio::sync::{broadcast, watch};

use crate::language::Language;

mod listeners;
mod record;
mod stream;

use listeners::Listeners;
pub(crate) use stream::listen;

/// Events that a listener may lag behind.
const LAG: usize = 256;

/// Events that are read from the catalog at once.
const PAGE: u32 = 200;

/// How long the task waits after the catalog could not be read.
const PAUSE: Duration = Duration::from_secs(2);

/// A change as it goes out, said in every language.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) seq: i64,
    frames: Arc<[Bytes; Language::ALL.len()]>,
}

impl Change {
    /// The event as bytes of the stream.
    pub(crate) fn frame(&self, language: Language) -> Bytes {
        self.frames[language.index()].clone()
    }
}

/// What every listener hears.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// A change.
    Change(Change),
    /// The catalog has lost its newest events: whoever listened has to ask anew, and is told to read everything.
    Rewound,
}

/// Hands new events to listeners.
#[derive(Debug)]
pub(crate) struct EventHub {
    listeners: Listeners,
    changes: broadcast::Sender<News>,
    closed: watch::Sender<bool>,
}

impl EventHub {
    /// Starts the one task that reads new events; it ends with the hub.
    pub(crate) fn start(store: Store, interval: Duration) -> Self {
        let changes = broadcast::Sender::new(LAG);
        let closed = watch::Sender::new(false);
        let ended = closed.subscribe();
        tokio::spawn(read_on(store, interval, changes.clone(), ended));
        Self {
            listeners: Listeners::default(),
            changes,
            closed,
        }
    }

    /// What comes from now on, and the word that it is over.
    pub(crate) fn subscribe(&self) -> (broadcast::Receiver<News>, watch::Receiver<bool>) {
        (self.changes.subscribe(), self.closed.subscribe())
    }

    /// Ends the task and every listener's stream.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }
}

async fn read_on(store: Store, interval: Duration, changes: broadcast::Sender<News>, mut ended: watch::Receiver<bool>) {
    let mut cursor = None;
    loop {
        let pause = match read_new(&store, &mut cursor, &changes).await {
            Ok(()) => interval,
            Err(error) => {
                tracing::warn!(action = %Action::CatalogUnavailable, %error, "new events cannot be read");
                PAUSE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            // An error: the hub itself is gone.
            _ = ended.changed() => return,
        }
    }
}

async fn read_new(
    store: &Store,
    cursor: &mut Option<i64>,
    changes: &broadcast::Sender<News>,
) -> Result<(), backup_db::Error> {
    let Some(mut after) = *cursor else {
        *cursor = Some(store.last_event_seq().await?);
        return Ok(());
    };
    loop {
        let events = store.events_after(after, PAGE).await?;
        let Some(last) = events.last() else {
            let newest = store.last_event_seq().await?;
            if newest < after {
                // A server that took over from another did not have all of it yet: nothing would come until it has caught up.
                tracing::warn!(action = %Action::CatalogUnavailable, after, newest, "the catalog has lost its newest events");
                *cursor = Some(newest);
                let _nobody_may_listen = changes.send(News::Rewound);
            }
            return Ok(());
        };
        let (seq, more) = (last.seq, events.len() == PAGE as usize);
        // Who comes later than this begins after these events.
        if changes.receiver_count() > 0 {
            for change in record::changes(store, events).await? {
                // Nobody listening any more is no error.
                let _ = changes.send(News::Change(change));
            }
        }
        after = seq;
        *cursor = Some(seq);
        if !more {
            return Ok(());
        }
    }
}
