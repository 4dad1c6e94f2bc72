use backup_core::PipelineError;

/// Why something that was asked of the engine did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog said no; it has changed nothing.
    #[error(transparent)]
    Catalog(#[from] backup_db::Error),
    /// The storage, or what stands in it.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}
