//! An archive in memory: what a source appended, to be looked at, changed and read back by a target.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};

use backup_core::contents::{BackupContents, Warning};
use backup_core::{
    ArchiveSink, Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, Source, WarningCode,
};

/// When a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the entry's content is read.
    Before,
    /// After the first bytes of it were read.
    During,
    /// After all of it was read.
    After,
}

type Hook<'a> = Box<dyn FnMut(When, &EntryPath) + 'a>;

/// What was appended, in order.
#[derive(Default)]
pub(crate) struct Archive<'a> {
    pub(crate) entries: Vec<(Entry, Vec<u8>)>,
    hook: Option<Hook<'a>>,
}

impl<'a> Archive<'a> {
    pub(crate) fn with_hook(hook: impl FnMut(When, &EntryPath) + 'a) -> Self {
        Self {
            entries: Vec::new(),
            hook: Some(Box::new(hook)),
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<&(Entry, Vec<u8>)> {
        self.entries
            .iter()
            .find(|(entry, _)| entry.path.as_bytes() == path.as_bytes())
    }

    pub(crate) fn content(&self, path: &str) -> &[u8] {
        &self
            .find(path)
            .unwrap_or_else(|| panic!("no {path} in {:?}", self.paths()))
            .1
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.entries.iter().map(|(entry, _)| entry.path.to_string()).collect()
    }

    /// The same entries, to be changed.
    pub(crate) fn copy(&self) -> Archive<'static> {
        Archive {
            entries: self.entries.clone(),
            hook: None,
        }
    }

    pub(crate) fn replay(&self) -> Replay {
        Replay::of(self.entries.iter().cloned())
    }

    fn tell(&mut self, when: When, path: &EntryPath) {
        if let Some(hook) = &mut self.hook {
            hook(when, path);
        }
    }

    /// Every archive relies on the order, so every test checks it.
    fn check_order(&self, path: &EntryPath) {
        if let Some((last, _)) = self.entries.last() {
            assert!(last.path < *path, "{path} comes after {}", last.path);
        }
    }
}

impl ArchiveSink for Archive<'_> {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.check_order(&entry.path);
        self.tell(When::Before, &entry.path);
        let stored = usize::try_from(entry.stored_bytes()).unwrap();
        let mut bytes = vec![0; stored];
        let mut done = 0;
        while done < stored {
            let end = stored.min(done + 65_536);
            match content.read(&mut bytes[done..end]).map_err(|error| broken(&error))? {
                0 => break,
                length => done += length,
            }
            self.tell(When::During, &entry.path);
        }
        self.tell(When::After, &entry.path);
        self.entries.push((entry.clone(), bytes));
        Ok(done as u64)
    }

    fn append_file(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        is_same: &mut dyn FnMut() -> bool,
    ) -> Result<u64, PipelineError> {
        let read = self.append(entry, content)?;
        let is_whole = is_same() && read == entry.stored_bytes();
        if let Some((kept, _)) = self.entries.last_mut()
            && !is_whole
        {
            kept.identity = None;
        }
        Ok(read)
    }

    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError> {
        self.check_order(path);
        self.tell(When::Before, path);
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 65_536];
        loop {
            match content.read(&mut buffer).map_err(|error| broken(&error))? {
                0 => break,
                length => bytes.extend_from_slice(&buffer[..length]),
            }
            self.tell(When::During, path);
        }
        let size = bytes.len() as u64;
        self.entries.push((Entry::plain_file(path.clone(), size, 0), bytes));
        Ok(size)
    }
}

/// As an archive does that knows nothing of what the source's error holds.
fn broken(error: &io::Error) -> PipelineError {
    PipelineError::failed(format!("the source broke off: {error}"), "")
}

/// Yields entries to a target.
pub(crate) struct Replay {
    entries: VecDeque<(Entry, Vec<u8>)>,
    content: Box<dyn Read>,
}

impl Replay {
    pub(crate) fn of(entries: impl IntoIterator<Item = (Entry, Vec<u8>)>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
            content: Box::new(io::empty()),
        }
    }

    /// Like [`Self::of`]; after the last entry the archive turns out to be damaged.
    pub(crate) fn damaged(entries: impl IntoIterator<Item = (Entry, Vec<u8>)>) -> Self {
        let mut all: VecDeque<_> = entries.into_iter().collect();
        let mut bad = Entry::plain_file(EntryPath::new(b"\xff\xff".to_vec()).unwrap(), u64::MAX, 0);
        bad.kind = EntryKind::Fifo;
        all.push_back((bad, Vec::new()));
        Self {
            entries: all,
            content: Box::new(io::empty()),
        }
    }
}

impl PartReader for Replay {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        let Some((entry, bytes)) = self.entries.pop_front() else {
            return Ok(None);
        };
        if entry.size == u64::MAX {
            return Err(PipelineError::integrity(
                "a chunk does not match its hash",
                "Restore another backup.",
            ));
        }
        self.content = Box::new(Cursor::new(bytes));
        Ok(Some(entry))
    }

    fn content(&mut self) -> &mut dyn Read {
        &mut self.content
    }
}

/// Runs a source as the engine does.
pub(crate) fn back_up(
    source: &dyn Source,
    archive: &mut Archive<'_>,
    job: &JobControl,
) -> Result<BackupContents, PipelineError> {
    source.prepare(job)?;
    let mut contents = BackupContents::default();
    source.backup(archive, job, &mut contents)?;
    Ok(contents)
}

/// The remarks of one kind, as `path`.
pub(crate) fn warned(job: &JobControl, code: WarningCode) -> Vec<String> {
    let about = |warning: Warning| warning.path.unwrap_or(warning.message);
    job.warnings()
        .into_iter()
        .filter(|warning| warning.code == code)
        .map(about)
        .collect()
}
