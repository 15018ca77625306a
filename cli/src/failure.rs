//! Why the program stops, and the exit code that says so.

use std::fmt;
use std::process::ExitCode;

use wgnorm::ErrorKind;

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// Results differ from the reference.
    Mismatch(String),
    /// Wrong arguments, a file that cannot be read or written, or something that the device cannot take.
    Input(String),
    /// No adapter, or no device on it.
    Adapter(String),
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Mismatch(_) => 1,
            Self::Input(_) => 2,
            Self::Adapter(_) => 3,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mismatch(message) | Self::Input(message) | Self::Adapter(message) => f.write_str(message),
        }
    }
}

impl From<wgnorm::Error> for Failure {
    fn from(error: wgnorm::Error) -> Self {
        match error.kind() {
            ErrorKind::Adapter => Self::Adapter(error.to_string()),
            _ => Self::Input(error.to_string()),
        }
    }
}
