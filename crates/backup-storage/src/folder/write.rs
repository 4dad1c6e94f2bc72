//! The thread that writes an archive into the folder.

use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::Folder;
use crate::error::Error;

/// Bytes after which what was written is brought to the disk: seconds of work for a slow one, so that it is never silent
/// for long and the end has little left to do.
const SYNC_BYTES: u64 = 64 << 20;

/// What the upload tells the thread.
#[derive(Debug)]
pub(super) enum Message {
    Write(Vec<Bytes>),
    Finish,
}

/// Writes what comes until the end, and then publishes the archive and returns its size. Where nobody waits for it any
/// more, nothing is published, and nothing is left.
pub(super) fn write_all(
    folder: &Folder,
    path: &str,
    partial: NamedTempFile,
    mut receiver: mpsc::Receiver<Message>,
) -> Result<Option<u64>, Error> {
    let at = folder.at("write", path);
    let mut archive = Archive {
        partial,
        size: 0,
        not_synced: 0,
        syncing: None,
    };
    let result = loop {
        match receiver.blocking_recv() {
            Some(Message::Write(batch)) => {
                if let Err(error) = archive.write(&batch) {
                    break Err(at.io(error));
                }
            }
            Some(Message::Finish) => match archive.sync() {
                // The sender is kept until the answer is there: without it nobody waits.
                Ok(()) if !receiver.is_closed() => {
                    let (size, partial) = (archive.size, archive.partial);
                    return publish(folder, path, partial, || !receiver.is_closed()).map(|()| Some(size));
                }
                Ok(()) => break Ok(None),
                Err(error) => break Err(at.io(error)),
            },
            None => break Ok(None),
        }
    };
    // Removed by hand, so that a failure to do so is at least in the log, and the empty folders with it. What a sync
    // under way says does not matter any more, but its space is free only after it.
    let _ = archive.end_syncing();
    if let Err(error) = archive.partial.close().and_then(|()| folder.tidy(&folder.full(path))) {
        tracing::warn!(path, %error, "the partial file of an upload could not be removed");
    }
    result
}

fn publish(folder: &Folder, path: &str, partial: NamedTempFile, wanted: impl Fn() -> bool) -> Result<(), Error> {
    let at = folder.at("finish", path);
    let published = folder.publish(partial, path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => at.upload_lost(
            "the partial file was removed by somebody else",
            "Make sure that one worker at a time writes this backup, and start it again.",
        ),
        _ => at.io(error),
    })?;
    if wanted() {
        return Ok(());
    }
    // The disk was silent for so long that the upload was given up in the meantime.
    folder.take_back(&published, path).map_err(|error| at.io(error))?;
    Err(at.failed("the upload was given up before its end", ""))
}

struct Archive {
    partial: NamedTempFile,
    size: u64,
    not_synced: u64,
    syncing: Option<Syncing>,
}

impl Archive {
    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = batch.iter().map(|bytes| IoSlice::new(bytes)).collect();
        let mut slices = slices.as_mut_slice();
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            match self.partial.as_file_mut().write_vectored(slices) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.size += written as u64;
                    self.not_synced += written as u64;
                    IoSlice::advance_slices(&mut slices, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.not_synced < SYNC_BYTES {
            return Ok(());
        }
        self.not_synced = 0;
        let syncing = match self.syncing.take() {
            Some(syncing) => syncing,
            None => Syncing::start(self.partial.as_file())?,
        };
        if self.syncing.insert(syncing).go_on() {
            Ok(())
        } else {
            self.end_syncing()
        }
    }

    // Everything is on the disk.
    fn sync(&mut self) -> io::Result<()> {
        self.end_syncing()?;
        self.partial.as_file().sync_all()
    }

    fn end_syncing(&mut self) -> io::Result<()> {
        self.syncing.take().map_or(Ok(()), Syncing::end)
    }
}

/// A thread that brings what was written to the disk while more is written: a fast disk is never left without work, and
/// no more than twice [`SYNC_BYTES`] are ever in the system's memory alone.
struct Syncing {
    asks: SyncSender<()>,
    thread: thread::JoinHandle<io::Result<()>>,
}

impl Syncing {
    fn start(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (asks, asked) = sync_channel(0);
        let thread = thread::Builder::new().name("storage-sync".to_owned()).spawn(move || {
            while asked.recv().is_ok() {
                file.sync_data()?;
            }
            Ok(())
        })?;
        Ok(Self { asks, thread })
    }

    // Begins to bring to the disk what is written so far, once what was written before is there. `false` when the thread
    // has ended: `end` tells why.
    fn go_on(&self) -> bool {
        self.asks.send(()).is_ok()
    }

    fn end(self) -> io::Result<()> {
        drop(self.asks);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the syncing thread broke down")))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    const PATH: &str = "2026/11-23/a.tar.gz.enc";

    fn folder_at(root: &Path) -> Folder {
        Folder::open(root.to_owned(), Duration::from_secs(10)).unwrap()
    }

    fn queued(folder: &Folder, kept: bool) -> Result<Option<u64>, Error> {
        let (sender, receiver) = mpsc::channel(4);
        let batch = vec![Bytes::from_static(b"all "), Bytes::new(), Bytes::from_static(b"of it")];
        sender.try_send(Message::Write(batch)).unwrap();
        sender.try_send(Message::Finish).unwrap();
        let _sender = kept.then_some(sender);
        write_all(folder, PATH, folder.partial(PATH).unwrap(), receiver)
    }

    #[test]
    fn an_upload_that_was_given_up_is_never_published() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder_at(dir.path());
        assert_eq!(queued(&folder, false).unwrap(), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
        assert_eq!(queued(&folder, true).unwrap(), Some(9));
        assert_eq!(fs::read(dir.path().join(PATH)).unwrap(), b"all of it");
    }

    #[test]
    fn an_upload_that_is_given_up_while_it_gets_its_name_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder_at(dir.path());
        publish(&folder, PATH, folder.partial(PATH).unwrap(), || false).unwrap_err();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // But not the archive of whoever came after it.
        let published = folder.publish(folder.partial(PATH).unwrap(), PATH).unwrap();
        folder.delete(PATH).unwrap();
        assert_eq!(queued(&folder, true).unwrap(), Some(9));
        folder.take_back(&published, PATH).unwrap();
        assert_eq!(folder.size(PATH).unwrap(), Some(9));
    }

    #[test]
    fn an_archive_of_many_syncs_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder_at(dir.path());
        let mut archive = Archive {
            partial: folder.partial(PATH).unwrap(),
            size: 0,
            not_synced: 0,
            syncing: None,
        };
        let batch = vec![Bytes::from(vec![7; 16 << 20])];
        for number in 1..=10_u64 {
            archive.write(&batch).unwrap();
            assert_eq!(archive.syncing.is_some(), number >= 4, "after {number} batches");
            assert!(archive.not_synced < SYNC_BYTES);
        }
        archive.sync().unwrap();
        assert_eq!(archive.size, 160 << 20);
        assert_eq!(archive.partial.as_file().metadata().unwrap().len(), 160 << 20);
    }
}
