//! The traits between what is backed up and the archive: what a linking service implements ([`Source`], [`Target`]) and
//! what it is driven with ([`ArchiveSink`], [`PartReader`], [`JobControl`]).
//!
//! All of it is synchronous and streams: a source pushes entries into the sink, which blocks while the archive or the
//! storage is behind, so memory stays bounded whatever the amount of data.

mod control;
mod log;

use std::io::Read;

pub use self::control::{JobControl, MAX_WARNINGS};
pub use self::log::{JobLog, LogLevel, LogLine, MAX_LOG_LINES, MAX_LOG_TEXT};
use crate::contents::BackupContents;
use crate::{Entry, EntryPath, PipelineError, Step};

/// Something that is backed up: the database, the uploaded files, the configuration, or what a linking service brings.
pub trait Source: Send + Sync {
    /// The part's name: the top folder in the archive. ASCII letters, digits, `-` and `_`; unique in one backup.
    fn part(&self) -> &str;

    /// The step that is shown while this source is read.
    fn step(&self) -> Step;

    /// Checks that it can be backed up at all (reachable, right versions, readable) and says about how many bytes it
    /// will read. Called for every source before the first byte is stored, so that what cannot work fails in seconds.
    fn prepare(&self, job: &JobControl) -> Result<u64, PipelineError>;

    /// Writes everything into `sink`, in ascending order of paths, and says in `contents` what it was. Calls
    /// [`JobControl::advance`] for the bytes it read and [`JobControl::check`] often. What is in the sink when this
    /// returns an error is thrown away.
    fn backup(
        &self,
        sink: &mut dyn ArchiveSink,
        job: &JobControl,
        contents: &mut BackupContents,
    ) -> Result<(), PipelineError>;
}

/// Where a part of a backup is restored to.
pub trait Target: Send {
    /// The part it restores: the top folder in the archive.
    fn part(&self) -> &str;

    /// The step that is shown while it works.
    fn step(&self) -> Step;

    /// Checks that the target is there and fit, and changes nothing.
    fn prepare(&mut self, job: &JobControl) -> Result<(), PipelineError>;

    /// Restores the part. Every byte that `part` yields has been authenticated. On an error the target removes what it
    /// had made, as far as it can, and leaves what was there before as it was.
    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError>;
}

/// Takes the entries of one part of an archive.
pub trait ArchiveSink {
    /// Appends an entry. For a regular file, `content` yields its data (for a sparse file: the data ranges one after the
    /// other, without the holes); exactly [`Entry::stored_bytes`] are taken. Where `content` ends early, the rest is
    /// filled with zero bytes, since the length stands in the archive already. Returns how many bytes were really read.
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError>;

    /// Appends a regular file that others may write to meanwhile. Behind its last byte `is_same` is asked whether the file is
    /// still what `entry` says. Where it is not, or where `content` ended early, no later backup takes what is stored for that
    /// file ([`Self::append_unchanged`]), but reads it again. A sink that does not ask keeps no identity at all.
    fn append_file(
        &mut self,
        entry: &Entry,
        content: &mut dyn Read,
        is_same: &mut dyn FnMut() -> bool,
    ) -> Result<u64, PipelineError> {
        let _ = is_same;
        let unknown = Entry {
            identity: None,
            ..entry.clone()
        };
        self.append(&unknown, content)
    }

    /// Appends a regular file as the backup that this one builds on has it, without reading it, where that backup vouches
    /// that it is the same: by path, size, modification time and identity, and the file was not touched while that backup
    /// was made. Returns how many bytes of content it has there, of a sparse file its data; `None`: it was not appended, and is to
    /// be with its content. What `entry` need not know are extended attributes and ranges of data, which did not change
    /// either. Without a base: never.
    fn append_unchanged(&mut self, entry: &Entry) -> Result<Option<u64>, PipelineError> {
        let _ = entry;
        Ok(None)
    }

    /// Appends a stream whose length nobody knows, to its end. Restored, it is one entry of kind file at `path`; in the
    /// tar it is a folder of numbered files that concatenate to it. Returns its length in bytes.
    fn append_stream(&mut self, path: &EntryPath, content: &mut dyn Read) -> Result<u64, PipelineError>;
}

/// Yields the entries of one part of an archive, in the order in which they were appended.
pub trait PartReader {
    /// The next entry, or `None` after the last. What was left of the content before is skipped.
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError>;

    /// The current entry's content: [`Entry::stored_bytes`] bytes, for a sparse file its data ranges one after the other.
    /// Every byte it yields has been checked. A damaged archive is an [`std::io::Error`] that holds a [`PipelineError`].
    fn content(&mut self) -> &mut dyn Read;
}
