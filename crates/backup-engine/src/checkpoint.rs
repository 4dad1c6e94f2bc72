//! The moments of a job at which a crash matters. Tests stop there; a shipped program passes by.

use std::sync::Arc;

use backup_core::{PipelineError, text_enum};

text_enum! {
    /// A moment between two steps of a job.
    pub enum Checkpoint {
        /// The path stands in the catalog, no byte in the storage.
        BeforeFirstByte => "before-first-byte",
        /// Inside the database's part.
        InDatabase => "in-database",
        /// Inside the files' part.
        InFiles => "in-files",
        /// Inside the configuration's part.
        InConfig => "in-config",
        /// Inside what is made of another backup.
        InChain => "in-chain",
        /// What an attempt left is there, and the next of its files is about to be removed.
        BeforeRemoval => "before-removal",
        /// Every byte is handed to the storage, nothing is visible.
        BeforeCommit => "before-commit",
        /// The blob is whole, and the receipt is not there.
        BeforeReceipt => "before-receipt",
        /// The blob is whole, and the worker has made sure that the job is its own.
        ReceiptConfirmed => "receipt-confirmed",
        /// The receipt is there, and the worker does not know whether the job is still its own.
        ReceiptPut => "receipt-put",
        /// The receipt is there, and the row does not know.
        BeforeRow => "before-row",
        /// A restore: what will stand beside is in its row, and nothing else.
        RestoreBegun => "restore-begun",
        /// A restore: whole beside what is in use.
        RestoreWhole => "restore-whole",
        /// A restore: its row says that the exchange begins, and nothing is exchanged.
        RestoreSwapping => "restore-swapping",
        /// A restore: the database is exchanged, the files are not.
        RestoreDatabaseSwapped => "restore-database-swapped",
        /// A restore: all is exchanged, and its row does not know.
        RestoreSwapped => "restore-swapped",
        /// A deleted backup: its row is marked, everything else still there.
        DeleteMarked => "delete-marked",
        /// A deleted backup: the receipt is gone, the blob is not.
        DeleteReceiptGone => "delete-receipt-gone",
        /// A deleted backup: receipt and blob are gone, the row is not.
        DeleteBlobGone => "delete-blob-gone",
    }
}

/// Called at each checkpoint; an error ends the job there.
pub type Checkpoints = Arc<dyn Fn(Checkpoint) -> Result<(), PipelineError> + Send + Sync>;

/// Passes by every checkpoint.
pub(crate) fn none() -> Checkpoints {
    Arc::new(|_| Ok(()))
}

/// Kills the process at `at`, as `kill -9` would: nothing is cleaned up. For the end-to-end fault tests; a released program
/// does not have it.
#[cfg(debug_assertions)]
pub(crate) fn abort_at(at: Checkpoint) -> Checkpoints {
    Arc::new(move |reached| {
        if reached == at {
            std::process::abort();
        }
        Ok(())
    })
}
