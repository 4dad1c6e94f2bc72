use backup_core::{Entry, EntryKind, EntryPath, JobControl, PartReader, PipelineError, Receipt, Step, VerifyLevel};

use super::Repository;
use crate::bridge::blocking;

/// Where the database's dump stands in an archive.
const DATABASE_PART: &str = "database";
const DUMP: &[u8] = b"database.dump";

impl Repository {
    /// Checks a backup: CHECKSUM reads the whole stored file and compares it with what was written; CONTENT also decrypts
    /// and inflates every member, checks each against its SHA-256 and the index for completeness, and lets `pg_restore`
    /// read the dump's table of contents. RESTORE is a job of its own and is refused here.
    ///
    /// # Errors
    /// `Integrity` where the backup is not what was written; anything else: it could not be checked.
    pub async fn verify(&self, receipt: &Receipt, level: VerifyLevel, job: &JobControl) -> Result<(), PipelineError> {
        if level == VerifyLevel::Restore {
            return Err(PipelineError::refused(
                "the level RESTORE needs places to restore into",
                "Verify with the level CONTENT, or restore the backup into a new database and folder.",
            ));
        }
        let archive = self.open(receipt, job).await?;
        let (job, programs) = (job.clone(), self.programs.clone());
        let passes = if level == VerifyLevel::Content { 2 } else { 1 };
        job.begin(Step::Verify, receipt.size_bytes * passes);
        blocking(move || {
            archive.verify_stored(&job)?;
            if level == VerifyLevel::Checksum {
                return Ok(());
            }
            archive.verify_content(&job)?;
            if archive.parts().iter().any(|part| part == DATABASE_PART) {
                let mut part = archive.part(DATABASE_PART)?;
                find_dump(&mut part)?;
                backup_sources::check_dump(programs.as_deref(), part.content(), &job)?;
            }
            Ok(())
        })
        .await
    }
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
