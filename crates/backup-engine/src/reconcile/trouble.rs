//! What did not work on the way, for which the rest must not suffer.

use std::collections::BTreeMap;

use backup_core::PipelineError;

use crate::error::Error;

/// The first thing that did not work, and what is to be told of single files.
#[derive(Default)]
pub(super) struct Trouble {
    first: Option<Error>,
    unsettled: BTreeMap<String, Unsettled>,
}

/// Files and backups of a configuration that could not be read, removed or repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsettled {
    /// How many.
    pub(crate) count: u64,
    /// What the first one is called.
    pub(crate) first: String,
    /// What is wrong with that.
    pub(crate) error: String,
}

impl Trouble {
    pub(super) fn keep(&mut self, error: impl Into<Error>) {
        self.first.get_or_insert_with(|| error.into());
    }

    /// Keeps what is wrong with one file or backup of a configuration, that people are told of.
    pub(super) fn keep_of(&mut self, config_key: &str, name: &str, error: PipelineError) {
        let unsettled = self.unsettled.entry(config_key.to_owned());
        let first = || Unsettled {
            count: 0,
            first: name.to_owned(),
            error: error.full_text(),
        };
        unsettled.or_insert_with(first).count += 1;
        self.keep(error);
    }

    /// What came of one file or backup of a configuration; `None` where that one cannot be read, removed or repaired, which is
    /// kept in mind.
    ///
    /// # Errors
    /// Where the catalog or the whole storage is away, so that there is no use in going on.
    pub(super) fn of_one<T>(
        &mut self,
        config_key: &str,
        name: &str,
        result: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Pipeline(error)) if !is_of_all(&error) => {
                self.keep_of(config_key, name, error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Tells nobody of single files of a configuration: others tell that nothing of it can be had.
    pub(super) fn leave_out(&mut self, config_key: &str) {
        self.unsettled.remove(config_key);
    }

    /// What is to be told, by configuration.
    pub(super) fn unsettled(&self) -> &BTreeMap<String, Unsettled> {
        &self.unsettled
    }

    /// # Errors
    /// The first thing that was kept.
    pub(super) fn unless<T>(self, done: T) -> Result<T, Error> {
        self.first.map_or(Ok(done), Err)
    }
}

fn is_of_all(error: &PipelineError) -> bool {
    matches!(error, PipelineError::Cancelled | PipelineError::Unavailable { .. })
}
