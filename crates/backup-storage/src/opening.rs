//! Opening a store when it is first used.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::error::{At, Error};
use crate::settings::StorageSettings;

/// Comes to be when the opening has ended.
type Told = watch::Receiver<Option<Result<(), Error>>>;

/// The opening of a store: done once where it succeeds, and anew with the next use where it failed. Whoever comes while it is
/// under way waits for that one, and it goes on though nobody waits any more: a folder that hangs holds one thread.
#[derive(Debug)]
pub(crate) struct Opening {
    /// What is opened.
    pub(crate) settings: StorageSettings,
    last: Mutex<Option<Told>>,
}

impl Opening {
    pub(crate) fn new(settings: StorageSettings) -> Self {
        Self {
            settings,
            last: Mutex::default(),
        }
    }

    /// What has come of it, or comes of it now; by `open`, where it is neither done nor under way.
    pub(crate) async fn opened<F>(&self, at: At<'_>, open: impl FnOnce() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let mut told = self.last_or(open);
        if let Ok(answer) = told.wait_for(Option::is_some).await
            && let Some(opened) = &*answer
        {
            return opened.clone();
        }
        Err(at.failed("it broke down while it was opened", ""))
    }

    fn last_or<F>(&self, open: impl FnOnce() -> F) -> Told
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(told) = &*last
            && stands(told)
        {
            return told.clone();
        }
        let (tell, told) = watch::channel(None);
        let open = open();
        tokio::spawn(async move {
            let opened = open.await;
            tell.send_replace(Some(opened));
        });
        last.insert(told).clone()
    }
}

/// Whether an opening is under way, or was the last one that is needed.
fn stands(told: &Told) -> bool {
    match &*told.borrow() {
        Some(opened) => opened.is_ok(),
        None => told.has_changed().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;

    const AT: At<'static> = At {
        store: "folder /x",
        path: None,
        action: "open",
    };

    /// Hangs until it is woken.
    #[derive(Clone, Default)]
    struct Disk {
        begun: Arc<AtomicU32>,
        wakes: Arc<Notify>,
    }

    impl Disk {
        fn begun(&self) -> u32 {
            self.begun.load(Ordering::SeqCst)
        }

        async fn open(self, is_there: bool) -> Result<(), Error> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.wakes.notified().await;
            if is_there {
                Ok(())
            } else {
                Err(AT.unavailable("it is away", ""))
            }
        }
    }

    fn opening() -> Opening {
        Opening::new(StorageSettings::new("/x"))
    }

    #[tokio::test]
    async fn what_hangs_is_opened_once_however_many_come_and_go() {
        let (opening, disk) = (opening(), Disk::default());
        let open = |is_there| {
            let disk = disk.clone();
            opening.opened(AT, move || disk.open(is_there))
        };
        for _ in 0..3 {
            let silence = timeout(Duration::from_millis(20), open(true)).await;
            assert!(silence.is_err(), "{silence:?}");
        }
        disk.wakes.notify_one();
        let (first, second) = tokio::join!(open(true), open(true));
        first.and(second).unwrap();
        // It is open once and for all.
        open(false).await.unwrap();
        assert_eq!(disk.begun(), 1);
    }

    #[tokio::test]
    async fn what_failed_is_opened_anew_by_the_next_use() {
        let (opening, disk) = (opening(), Disk::default());
        let open = |is_there| {
            let disk = disk.clone();
            opening.opened(AT, move || disk.open(is_there))
        };
        disk.wakes.notify_one();
        let (first, second) = tokio::join!(open(false), open(false));
        for told in [first, second] {
            assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
        }
        assert_eq!(disk.begun(), 1, "who waits for the same is told the same");
        disk.wakes.notify_one();
        open(true).await.unwrap();
        assert_eq!(disk.begun(), 2);
    }

    async fn break_down() -> Result<(), Error> {
        tokio::task::yield_now().await;
        panic!("on purpose")
    }

    #[tokio::test]
    async fn one_that_breaks_down_is_none_that_is_under_way() {
        let opening = opening();
        let broken = opening.opened(AT, break_down).await;
        assert!(matches!(broken, Err(Error::Failed(_))), "{broken:?}");
        opening.opened(AT, || async { Ok(()) }).await.unwrap();
    }
}
