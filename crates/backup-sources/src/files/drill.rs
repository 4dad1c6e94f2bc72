//! Restores files for a trial and looks whether they are what the backup holds.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backup_core::{ArchiveSink, Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, Step, Target};

use super::digest::{Block, TreeDigest};
use super::remove::remove_tree;
use super::{Made, PART, Saver, restore_tree};
use crate::Error;

mod possible;

use possible::Possible;

/// Bytes that are read at once.
const BLOCK: usize = 256 * 1024;
/// So many devices are remembered at the most.
const MOST_LEFT_OUT: usize = 10_000;

/// A restore of the files into a scratch folder that is removed again, to prove that it works.
///
/// While the entries pass, digests of them are made; then the restored tree is read as a backup reads it, and must come to
/// the same digests: every name, kind, content, link, mode, time, attribute and, as root, owner. What this user cannot set
/// or this file system cannot hold is left out on both sides. Every folder must have an entry of its own, as
/// [`super::FilesSource`] writes them. Memory is bounded: 32 bytes and a path for 4096 entries.
#[derive(Debug)]
pub struct FilesDrill {
    scratch: PathBuf,
}

impl FilesDrill {
    /// In the folder `drill-NAME` in `folder`, which is made where it is missing. What stands at that name is taken for
    /// what an earlier attempt left, and is removed, so `name` is the job's own: letters, digits and `-`.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self {
            scratch: folder.join(format!("drill-{name}")),
        }
    }

    /// Removes what an attempt that was killed left.
    ///
    /// # Errors
    /// Where something of it cannot be removed. `Cancelled` leaves a part.
    pub fn clear(&self, job: &JobControl) -> Result<(), PipelineError> {
        Ok(remove_tree(&self.scratch, job)?)
    }

    fn run(&self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), Error> {
        let (tree, samples) = (self.scratch.join("files"), self.scratch.join("samples"));
        for folder in [&self.scratch, &tree, &samples] {
            // Nobody else is to see what is restored.
            let made = std::fs::DirBuilder::new().mode(0o700).create(folder);
            made.map_err(|error| Error::io("create the folder", folder, error))?;
        }
        let possible = Possible::new(samples)?;
        let mut passing = Passing {
            part,
            possible: &possible,
            digest: TreeDigest::new(possible.sets_owners),
            blocks: Vec::new(),
            left_out: BTreeSet::new(),
        };
        // All of the scratch folder goes, whatever was made. A copy in the place of a further name would be no tree of the backup's.
        restore_tree(&tree, &[], false, &mut passing, &mut Made::default(), job)?;
        let mut blocks = passing.blocks;
        blocks.extend(passing.digest.finish());
        let mut found = Comparison {
            job,
            possible: &possible,
            digest: TreeDigest::new(possible.sets_owners),
            expected: &blocks,
            compared: 0,
            buffer: vec![0; BLOCK],
        };
        let mut saver = Saver::new(&mut found, job);
        saver.save_tree(&tree, EntryPath::root())?;
        saver.finish()?;
        found.finish()
    }
}

impl Target for FilesDrill {
    fn part(&self) -> &'static str {
        PART
    }

    fn step(&self) -> Step {
        Step::Files
    }

    fn prepare(&mut self, job: &JobControl) -> Result<(), PipelineError> {
        self.clear(job)?;
        let above = self.scratch.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(above).map_err(|error| Error::io("create the folder", above, error))?;
        Ok(())
    }

    /// # Errors
    /// `Integrity` where what was restored is not what the backup holds, or where the archive cannot be restored.
    fn restore(&mut self, part: &mut dyn PartReader, job: &JobControl) -> Result<(), PipelineError> {
        self.prepare(job)?;
        let result = self.run(part, job);
        // Whatever came of it, and also where it was cancelled.
        let removed = remove_tree(&self.scratch, &JobControl::new(Duration::MAX));
        Ok(result.and(removed)?)
    }
}

/// Digests what passes on its way to the restore.
struct Passing<'a> {
    part: &'a mut dyn PartReader,
    possible: &'a Possible,
    digest: TreeDigest,
    blocks: Vec<Block>,
    /// Devices that cannot be made here.
    left_out: BTreeSet<EntryPath>,
}

impl PartReader for Passing<'_> {
    fn next_entry(&mut self) -> Result<Option<Entry>, PipelineError> {
        while let Some(entry) = self.part.next_entry()? {
            if matches!(&entry.kind, EntryKind::HardLink { target } if self.left_out.contains(target)) {
                continue;
            }
            let path = entry.path.clone();
            if let Some(entry) = self.possible.of(entry)? {
                self.blocks.extend(self.digest.begin(&entry));
                return Ok(Some(entry));
            }
            if self.left_out.len() < MOST_LEFT_OUT {
                self.left_out.insert(path);
            }
        }
        Ok(None)
    }

    fn content(&mut self) -> &mut dyn Read {
        self
    }
}

impl Read for Passing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.part.content().read(buffer)?;
        self.digest.content(&buffer[..length]);
        Ok(length)
    }
}

/// Digests what stands in the restored tree, and compares.
struct Comparison<'a> {
    job: &'a JobControl,
    possible: &'a Possible,
    digest: TreeDigest,
    expected: &'a [Block],
    /// How many blocks are the same.
    compared: usize,
    buffer: Vec<u8>,
}

impl Comparison<'_> {
    fn compare(&mut self, block: &Block) -> Result<(), Error> {
        let expected = self.expected.get(self.compared);
        if expected == Some(block) {
            self.compared += 1;
            return Ok(());
        }
        Err(self.differs(expected.map_or(&block.first, |expected| &expected.first)))
    }

    fn finish(mut self) -> Result<(), Error> {
        let digest = std::mem::replace(&mut self.digest, TreeDigest::new(false));
        if let Some(last) = digest.finish() {
            self.compare(&last)?;
        }
        match self.expected.get(self.compared) {
            None => Ok(()),
            Some(missing) => Err(self.differs(&missing.first)),
        }
    }

    fn differs(&self, from: &EntryPath) -> Error {
        let shown = |path: &EntryPath| {
            if path.is_root() {
                ".".to_owned()
            } else {
                path.to_string()
            }
        };
        let to = match self.expected.get(self.compared + 1) {
            Some(next) => format!("before '{}'", shown(&next.first)),
            None => "the end".to_owned(),
        };
        Error::mismatch(
            format!(
                "the restored files are not what the backup holds: a difference lies from '{}' to {to}",
                shown(from)
            ),
            "Check the disk that was restored to; if it is sound, do not rely on this backup.",
        )
    }
}

impl ArchiveSink for Comparison<'_> {
    fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<u64, PipelineError> {
        if let Some(block) = self.digest.begin(&self.possible.found(entry)) {
            self.compare(&block)?;
        }
        let mut read = 0;
        loop {
            self.job.check()?;
            match content.read(&mut self.buffer) {
                Ok(0) => return Ok(read),
                Ok(length) => {
                    self.digest.content(&self.buffer[..length]);
                    read += length as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::content(entry.path.to_string(), error).into()),
            }
        }
    }

    fn append_stream(&mut self, path: &EntryPath, _content: &mut dyn Read) -> Result<u64, PipelineError> {
        Err(PipelineError::failed(format!("a folder holds no stream: {path}"), ""))
    }
}
