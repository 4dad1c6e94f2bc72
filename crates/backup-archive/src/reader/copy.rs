//! A full archive from any one.

use backup_core::{ArchiveSink, JobControl, PartReader, PipelineError};

use super::{ArchiveReader, PartStream};
use crate::ArchiveWriter;
use crate::error::damaged;

impl ArchiveReader {
    /// Appends every part with every entry and its content to `writer`, which builds on nothing: so it becomes a full
    /// archive that restores to the same, whatever this one builds on. Streams stay streams; those of archives that do
    /// not tell become files. Advances `job` by the bytes of content. An interrupted copy is thrown away by its writer.
    ///
    /// # Errors
    /// As reading and writing; `Refused` where content stands in an archive that is not attached.
    pub fn copy_to(&self, writer: &mut ArchiveWriter, job: &JobControl) -> Result<(), PipelineError> {
        for name in self.parts() {
            let mut stream = self.part(name)?;
            let mut part = writer.part(name)?;
            while let Some((entry, is_stream)) = stream.next()? {
                job.check()?;
                let expected = entry.stored_bytes();
                let mut content = Watched {
                    stream: &mut stream,
                    job,
                };
                let copied = if is_stream {
                    part.append_stream(&entry.path, &mut content)?
                } else {
                    part.append(&entry, &mut content)?
                };
                if copied != expected {
                    return Err(damaged(format!(
                        "'{}' has another length than its index says",
                        entry.path
                    )));
                }
            }
            part.finish()?;
        }
        Ok(())
    }
}

/// Content that shows its progress and stops when the job is cancelled.
struct Watched<'a> {
    stream: &'a mut PartStream,
    job: &'a JobControl,
}

impl std::io::Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.job.check().map_err(std::io::Error::other)?;
        let read = self.stream.content().read(buffer)?;
        self.job.advance(read as u64);
        Ok(read)
    }
}
