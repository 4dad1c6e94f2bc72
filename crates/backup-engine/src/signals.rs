use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

/// A value that becomes true when the process is told to stop (SIGTERM, SIGINT). A second signal ends the process at once.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn stop_on_signal() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if asked {
                std::process::exit(1);
            }
            asked = true;
            sender.send_replace(true);
        }
    });
    Ok(receiver)
}

/// Sees `work` to its end, where nobody says to stop meanwhile. Else it has `patience` to come to it, lest it be half done; but
/// not longer, since a catalog may never answer: then `None`.
pub(crate) async fn see_through<T>(
    work: impl Future<Output = T>,
    stop: &mut watch::Receiver<bool>,
    patience: Duration,
) -> Option<T> {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => Some(done),
        _ = stop.changed() => {
            let _ = timeout(patience, work).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn what_never_ends_does_not_keep_a_process_from_stopping() {
        let (sender, mut stop) = watch::channel(false);
        let day = Duration::from_hours(24);
        assert_eq!(see_through(ready(1), &mut stop, day).await, Some(1));
        sender.send_replace(true);
        let hung = see_through(pending::<()>(), &mut stop, Duration::from_millis(1));
        assert_eq!(hung.await, None);
        // Nobody is left to say it.
        drop(sender);
        let hung = see_through(pending::<()>(), &mut stop, Duration::from_millis(1));
        assert_eq!(hung.await, None);
    }
}
