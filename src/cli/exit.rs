//! The one place where failures become exit codes (sysexits.h) and two lines on standard error.

use std::{fmt, process::ExitCode};

use crate::model::Diagnostic;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The configuration has mistakes: 78.
    Configuration(Vec<Diagnostic>),
    /// Wrong use of a command: 64.
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// Something in the system refused: 74 for writes of the log, else 71.
    System {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
        /// The exit code.
        code: u8,
    },
    /// Already said on standard output; only the code is left to give.
    Silent(u8),
}

impl Failure {
    /// Something in the system refused.
    pub fn system(what: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::System { what: what.to_string(), help: help.into(), code: 71 }
    }

    /// Wrong use.
    pub fn usage(what: impl fmt::Display, help: impl Into<String>) -> Self {
        Self::Usage { what: what.to_string(), help: help.into() }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Configuration(diagnostics)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(diagnostics) => {
                for diagnostic in diagnostics {
                    writeln!(f, "{diagnostic}\n")?;
                }
                let (count, plural) = (diagnostics.len(), if diagnostics.len() == 1 { "" } else { "s" });
                write!(f, "{count} mistake{plural}; nothing was started or changed")
            }
            Self::Usage { what, help } | Self::System { what, help, .. } => write!(f, "error: {what}\n  help: {help}"),
            Self::Silent(_) => Ok(()),
        }
    }
}

/// Says what went wrong and gives the exit code.
pub(super) fn code(done: Result<(), Failure>) -> ExitCode {
    let Err(failure) = done else { return ExitCode::SUCCESS };
    let code = match &failure {
        Failure::Configuration(_) => 78,
        Failure::Usage { .. } => 64,
        Failure::System { code, .. } | Failure::Silent(code) => *code,
    };
    if !matches!(failure, Failure::Silent(_)) {
        eprintln!("{failure}");
    }
    ExitCode::from(code)
}
