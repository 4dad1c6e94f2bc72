//! What did not work on the way, for which the rest must not suffer.

use backup_core::PipelineError;

use crate::error::Error;

/// The first thing that did not work.
#[derive(Default)]
pub(super) struct Trouble(Option<Error>);

impl Trouble {
    pub(super) fn keep(&mut self, error: impl Into<Error>) {
        self.0.get_or_insert_with(|| error.into());
    }

    /// What came of one file or backup; `None` where that one cannot be read, removed or repaired, which is kept in mind.
    ///
    /// # Errors
    /// Where the catalog or the whole storage is away, so that there is no use in going on.
    pub(super) fn of_one<T>(&mut self, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Pipeline(error)) if !is_of_all(&error) => {
                self.keep(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// # Errors
    /// The first thing that was kept.
    pub(super) fn unless<T>(self, done: T) -> Result<T, Error> {
        self.0.map_or(Ok(done), Err)
    }
}

fn is_of_all(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Cancelled | PipelineError::Unavailable { .. })
}
