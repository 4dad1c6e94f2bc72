//! Walking the folder, where archives and receipts can be: in the folder itself, in `YYYY` and in `YYYY/MM-DD`. Whatever
//! else there is (`lost+found`, snapshots of the file system) is none of ours, and may be closed to us.

use std::fs::{self, ReadDir};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use super::{Folder, is_missing, received};
use crate::error::{At, Error};
use crate::path;
use crate::store::BlobInfo;

/// How many entries wait between the walk and its reader.
const AHEAD: usize = 256;

pub(crate) fn list(folder: Arc<Folder>) -> BoxStream<'static, Result<BlobInfo, Error>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let walked = Arc::clone(&folder);
    drop(tokio::task::spawn_blocking(move || {
        if let Err(error) = walk(&walked, &sender) {
            // Nobody listens any more: nobody has to know.
            let _ = sender.blocking_send(Err(error));
        }
    }));
    received(folder, "list", None, receiver)
}

// One open directory for each level, whatever the number of files. A folder of a date that cannot be read is an error:
// without what is in it the list would be a lie.
fn walk(folder: &Folder, sender: &mpsc::Sender<Result<BlobInfo, Error>>) -> Result<(), Error> {
    let at = At::whole(&folder.describe, "list");
    let mut open: Vec<ReadDir> = vec![fs::read_dir(&folder.root).map_err(|error| at.io(error))?];
    while let Some(current) = open.last_mut() {
        let Some(entry) = current.next() else {
            open.pop();
            continue;
        };
        let full = entry.map_err(|error| at.io(error))?.path();
        let Some(path) = full.strip_prefix(&folder.root).ok().and_then(Path::to_str) else {
            continue;
        };
        let at = folder.at("list", path);
        // What vanishes under the walk was deleted; what is neither file nor folder is none of ours. Links are followed, as
        // reading does: a year may have been moved to another disk. They lead no deeper than dates do.
        let metadata = match fs::metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) if is_missing(&error) => continue,
            // A link of others, into what is closed to us or in a circle.
            Err(_) if !path::is_date(path) && !path::is_in_day(path) => continue,
            Err(error) => return Err(at.io(error)),
        };
        if metadata.is_dir() && path::is_date(path) {
            match fs::read_dir(&full) {
                Ok(inner) => open.push(inner),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(at.io(error)),
            }
        } else if metadata.is_file() {
            let info = BlobInfo {
                path: path.to_owned(),
                size: metadata.len(),
                modified: metadata.modified().map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from),
                partial: path::is_partial(path),
            };
            if sender.blocking_send(Ok(info)).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}
