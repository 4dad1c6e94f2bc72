//! Walking the folder: one open directory for each level, whatever the number of files.

use std::fs::{self, ReadDir};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tokio::sync::mpsc;

use super::{Folder, is_missing};
use crate::error::{At, Error};
use crate::path;
use crate::store::BlobInfo;

/// How many entries wait between the walk and its reader.
const AHEAD: usize = 256;

pub(crate) fn list(folder: Arc<Folder>) -> BoxStream<'static, Result<BlobInfo, Error>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    drop(tokio::task::spawn_blocking(move || {
        if let Err(error) = walk(&folder, &sender) {
            // Nobody listens any more: nobody has to know.
            let _ = sender.blocking_send(Err(error));
        }
    }));
    stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    })
    .boxed()
}

fn walk(folder: &Folder, sender: &mpsc::Sender<Result<BlobInfo, Error>>) -> Result<(), Error> {
    let at = At::whole(&folder.describe, "list");
    let mut open: Vec<ReadDir> = vec![fs::read_dir(&folder.root).map_err(|error| at.io(error))?];
    while let Some(current) = open.last_mut() {
        let Some(entry) = current.next() else {
            open.pop();
            continue;
        };
        let entry = entry.map_err(|error| at.io(error))?;
        // What vanishes under the walk was deleted; what is neither file nor folder is none of ours.
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(at.io(error)),
        };
        if metadata.is_dir() {
            match fs::read_dir(entry.path()) {
                Ok(inner) => open.push(inner),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(at.io(error)),
            }
            continue;
        }
        let full = entry.path();
        let Some(path) = full.strip_prefix(&folder.root).ok().and_then(|path| path.to_str()) else {
            continue;
        };
        if !metadata.is_file() {
            continue;
        }
        let modified = metadata.modified().map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from);
        let info = BlobInfo {
            path: path.to_owned(),
            size: metadata.len(),
            modified,
            partial: path::is_partial(path),
        };
        if sender.blocking_send(Ok(info)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}
