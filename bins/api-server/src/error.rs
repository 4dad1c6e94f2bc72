//! Why the server ended, and its exit code.

use backup_api::AdminError;
use backup_core::PipelineError;
use backup_engine::settings::SettingsError;

/// Why the server could not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The settings do not make sense.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The catalog or something else that the settings name cannot be reached or refuses.
    #[error("{}", .0.full_text())]
    Pipeline(#[from] PipelineError),
    /// The first administrator cannot be created.
    #[error("the first administrator cannot be created: {0}")]
    Admin(#[from] AdminError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source} (HINT: Set LISTEN_ADDR to a free address of this machine.)")]
    Listen {
        /// Which.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system failed.
    #[error("the server failed: {0}")]
    Io(#[source] std::io::Error),
}

impl ServerError {
    /// 2: wrong settings; 5: the catalog cannot be reached; 1: anything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Admin(AdminError::Unfit(_)) => 2,
            Self::Pipeline(PipelineError::Unavailable { .. }) => 5,
            Self::Pipeline(_) | Self::Admin(_) | Self::Listen { .. } | Self::Io(_) => 1,
        }
    }
}
