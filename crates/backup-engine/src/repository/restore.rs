use backup_core::{JobControl, LogLevel, PipelineError, Receipt, Step, Target};

use super::Repository;
use crate::bridge::blocking;

impl Repository {
    /// Restores the parts that `targets` name, in their order. First every target is asked whether it is fit, then every stored
    /// file of its chain is checked; only then a byte reaches a target. A part that the backup does not have is an
    /// error. After an error the targets before the failing one stand as restored; the failing one has cleaned up.
    ///
    /// # Errors
    /// `NotFound` without such a part, `Integrity`, and whatever the targets say.
    pub async fn restore(
        &self,
        receipt: &Receipt,
        mut targets: Vec<Box<dyn Target>>,
        job: &JobControl,
    ) -> Result<(), PipelineError> {
        let chain = self.open_chain(receipt, job).await?;
        let (job, receipt) = (job.clone(), receipt.clone());
        blocking(move || {
            job.begin(Step::Preparing, 0);
            let archive = &chain.archive;
            for target in &mut targets {
                if !archive.parts().iter().any(|part| part == target.part()) {
                    return Err(PipelineError::not_found(
                        format!("the backup has no part '{}'", target.part()),
                        format!("It has: {}.", archive.parts().join(", ")),
                    ));
                }
                target.prepare(&job)?;
            }
            job.begin(Step::Verify, chain.stored_bytes(&receipt));
            chain.verify_stored(&receipt, &job)?;
            for target in &mut targets {
                job.check()?;
                job.begin(target.step(), receipt.source_bytes);
                let before = job.bytes_read();
                let mut stream = archive.part(target.part())?;
                target.restore(&mut stream, &job)?;
                let part = target.part();
                // Not every target counts.
                let text = match job.bytes_read().saturating_sub(before) {
                    0 => format!("{part}: restored"),
                    bytes => format!("{part}: restored, {bytes} bytes"),
                };
                job.log(LogLevel::Info, text);
            }
            Ok(())
        })
        .await
    }
}
