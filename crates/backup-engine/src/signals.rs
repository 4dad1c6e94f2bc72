use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
