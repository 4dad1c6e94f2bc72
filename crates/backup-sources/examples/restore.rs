//! Restores a folder from memory and says how fast: `restore FOLDER TARGET`. With no archive to open and no storage to wait
//! for, what is measured is the target alone.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use backup_core::contents::BackupContents;
use backup_core::{ArchiveSink, Entry, EntryPath, JobControl, PartReader, PipelineError, Source, Target};
use backup_sources::{FilesSource, FilesTarget, FilesTargetOptions};

/// An archive in memory.
#[derive(Default)]
struct Memory {
    entries: VecDeque<(Entry, Vec<u8>)>,
    content: Cursor<Vec<u8>>,
}

impl ArchiveSink for Memory {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        let mut bytes = Vec::new();
        let read = content.read_to_end(&mut bytes);
        let read = read.map_err(|error| PipelineError::failed("cannot read", "").because(error))?;
        bytes.resize(usize::try_from(entry.stored_bytes()).unwrap_or(0), 0);
        self.entries.push_back((entry.clone(), bytes));
        Ok(read as u64)
    }

    fn append_stream(&mut self, path: &EntryPath, _content: &mut dyn Read) -> Result<u64, PipelineError> {
        Err(PipelineError::failed(format!("{path} is a stream"), ""))
    }
}

impl PartReader for Memory {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let Some((entry, content)) = self.entries.pop_front() else {
            return Ok(None);
        };
        self.content = Cursor::new(content);
        Ok(Some(entry))
    }

    fn content(&mut self) -> &mut dyn Read {
        &mut self.content
    }
}

#[expect(clippy::print_stdout, reason = "it is for people")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(target)) = (args.next(), args.next()) else {
        return Err(io::Error::other("restore FOLDER TARGET").into());
    };
    let job = JobControl::new(Duration::from_mins(5));
    let mut archive = Memory::default();
    FilesSource::new(folder).backup(&mut archive, &job, &mut BackupContents::default())?;
    let count = archive.entries.len();
    let begin = Instant::now();
    FilesTarget::new(target, FilesTargetOptions::default()).restore(&mut archive, &job)?;
    println!("{count} entries in {:.2?}", begin.elapsed());
    Ok(())
}
