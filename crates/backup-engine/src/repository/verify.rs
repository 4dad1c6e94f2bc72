use std::path::Path;
use std::sync::Arc;

use backup_archive::ArchiveReader;
use backup_core::{Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, Receipt, Step, VerifyLevel};

use super::{Fault, Repository};
use crate::bridge::blocking;

/// Where the database's dump stands in an archive.
const DATABASE_PART: &str = "database";
const DUMP: &[u8] = b"database.dump";

impl Repository {
    /// Checks a backup: CHECKSUM reads its whole stored file, and those of all that it builds on, and compares them with what
    /// was written; CONTENT also decrypts
    /// and inflates every member, checks each against its SHA-256 and the index for completeness, and lets `pg_restore`
    /// read the dump's table of contents. RESTORE is a job of its own and is refused here.
    ///
    /// # Errors
    /// `Integrity` where the backup is not what was written; anything else: it could not be checked.
    pub async fn verify(&self, receipt: &Receipt, level: VerifyLevel, job: &JobControl) -> Result<(), PipelineError> {
        Ok(self.verify_chain(receipt, level, job).await?)
    }

    /// [`Self::verify`], which says of an error which backup is at fault.
    pub(crate) async fn verify_chain(
        &self,
        receipt: &Receipt,
        level: VerifyLevel,
        job: &JobControl,
    ) -> Result<(), Fault> {
        let of = receipt.id;
        let itself = move |error| Fault { of, at: of, error };
        if level == VerifyLevel::Restore {
            return Err(itself(PipelineError::refused(
                "the level RESTORE needs places to restore into",
                "Verify with the level CONTENT, or restore the backup into a new database and folder.",
            )));
        }
        let chain = self.open_chain(receipt, job).await?;
        let content = if level == VerifyLevel::Content {
            receipt.size_bytes
        } else {
            0
        };
        job.begin(Step::Verify, chain.stored_bytes(receipt) + content);
        let (job, programs, receipt) = (job.clone(), self.programs.clone(), receipt.clone());
        let checked = blocking(move || {
            let checked = chain.verify_stored(&receipt, &job);
            Ok(checked.and_then(|()| match level {
                VerifyLevel::Checksum => Ok(()),
                _ => verify_content(&chain.archive, programs.as_deref(), &job).map_err(itself),
            }))
        });
        checked.await.map_err(itself)?
    }

    /// The first half of [`Self::verify`] without the stored files that it builds on, which must be there: compares the stored
    /// file with what was written. Gives back the archive, for [`Self::verify_inside`] where `level` asks for more.
    pub(crate) async fn verify_file(
        &self,
        receipt: &Receipt,
        level: VerifyLevel,
        job: &JobControl,
    ) -> Result<Arc<ArchiveReader>, PipelineError> {
        let archive = self.open(receipt, job).await?;
        let passes = if level == VerifyLevel::Content { 2 } else { 1 };
        job.begin(Step::Verify, receipt.size_bytes * passes);
        let job = job.clone();
        blocking(move || {
            archive.verify_stored(&job)?;
            Ok(archive)
        })
        .await
    }

    /// The second half.
    pub(super) async fn verify_inside(
        &self,
        archive: Arc<ArchiveReader>,
        level: VerifyLevel,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        if level == VerifyLevel::Checksum {
            return Ok(());
        }
        let (job, programs) = (job.clone(), self.programs.clone());
        blocking(move || verify_content(&archive, programs.as_deref(), &job)).await
    }
}

/// Checks every member and every record, and lets `pg_restore` read the dump's table of contents.
fn verify_content(archive: &ArchiveReader, programs: Option<&Path>, job: &JobControl) -> Result<(), PipelineError> {
    archive.verify_content(job)?;
    if archive.parts().iter().any(|part| part == DATABASE_PART) {
        let mut part = archive.part(DATABASE_PART)?;
        find_dump(&mut part)?;
        backup_sources::check_dump(programs, part.content(), job)?;
    }
    Ok(())
}

/// Moves on to the dump.
fn find_dump(part: &mut dyn PartReader) -> Result<Entry, PipelineError> {
    let wanted = EntryPath::new(DUMP).ok();
    while let Some(entry) = part.next_entry()? {
        if Some(&entry.path) == wanted.as_ref() && matches!(entry.kind, EntryKind::File { .. }) {
            return Ok(entry);
        }
    }
    Err(PipelineError::integrity(
        "the archive's database part has no dump",
        "The backup cannot be restored; use another.",
    ))
}
