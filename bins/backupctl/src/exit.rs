use std::fmt;
use std::process::ExitCode;

use backup_core::PipelineError;
use backup_engine::StartError;
use backup_engine::settings::SettingsError;

/// Why a command did not do what was asked: a line for people and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 2,
        }
    }

    pub(crate) fn integrity(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 4,
        }
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 5,
        }
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        let code = match &error {
            PipelineError::NotFound { .. } => 3,
            PipelineError::Integrity { .. } | PipelineError::WrongKey { .. } => 4,
            PipelineError::Unavailable { .. } => 5,
            PipelineError::Cancelled | PipelineError::Refused { .. } | PipelineError::Failed { .. } => 1,
        };
        Self {
            message: error.full_text(),
            code,
        }
    }
}

impl From<backup_storage::Error> for Failure {
    fn from(error: backup_storage::Error) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<backup_db::Error> for Failure {
    fn from(error: backup_db::Error) -> Self {
        PipelineError::from(error).into()
    }
}

impl From<backup_engine::Error> for Failure {
    fn from(error: backup_engine::Error) -> Self {
        match error {
            backup_engine::Error::Catalog(error) => error.into(),
            backup_engine::Error::Pipeline(error) => error.into(),
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Settings(error) => error.into(),
            StartError::Pipeline(error) => error.into(),
        }
    }
}
