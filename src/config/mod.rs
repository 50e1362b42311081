//! Files in; every part's `Settings`, or every mistake at once as `file:line:col`, out. Binds no port and starts no task.

mod budget;
mod class;
mod detect;
mod locate;
mod read;
mod sections;

use std::path::{Path, PathBuf};

pub use budget::{BUILT_IN_GUESSES, BudgetRule, BudgetSettings, Counted, MAX_PEOPLE, MAX_RULES, Period};
pub use class::{ClassSettings, classes};
pub use detect::DetectSettings;
pub use sections::{
    AdminSettings, Bytes, GatewaySettings, LimitSettings, ListenerSettings, LogFormat, LogSettings, Seconds,
    TimeoutSettings,
};

use crate::{
    audit,
    detect::Sought,
    identity, keyring,
    model::{ClassTable, Diagnostic, Problem},
    policy, upstream, vault,
};
use locate::Locator;

/// A configuration whose every section was read; paths in it are relative to the folder of the file.
#[derive(Debug)]
pub struct Config {
    file: String,
    base: PathBuf,
    text: String,
    /// `[gateway]`.
    pub gateway: GatewaySettings,
    /// `[[listener]]`.
    pub listeners: Vec<ListenerSettings>,
    /// `[[upstream]]`.
    pub upstreams: Vec<upstream::Settings>,
    /// `[identity]`.
    pub identity: identity::Settings,
    /// `[[principal]]`.
    pub principals: Vec<identity::PrincipalSettings>,
    /// `[policy]`.
    pub policy: policy::Settings,
    /// `[[class]]`.
    pub classes: std::sync::Arc<ClassTable>,
    /// What is looked for in free text: `[detect]`, and what the classes detect.
    pub sought: Sought,
    /// `[keys]`; absent where nothing is sealed.
    pub keys: Option<keyring::Settings>,
    /// `[vault]`; absent where nothing is sealed.
    pub vault: Option<vault::Settings>,
    /// `[audit]`.
    pub audit: audit::Settings,
    /// `[budget]`.
    pub budget: BudgetSettings,
    /// `[limits]`.
    pub limits: LimitSettings,
    /// `[timeouts]`.
    pub timeouts: TimeoutSettings,
    /// `[admin]`.
    pub admin: AdminSettings,
    /// `[log]`.
    pub log: LogSettings,
}

impl Config {
    /// Reads `path`.
    ///
    /// # Errors
    /// Every mistake that can be seen without building the parts: unreadable file, TOML syntax, unknown or missing keys,
    /// wrong types, classes that clash, listeners without an upstream.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            vec![Diagnostic::of_file(
                &file,
                format!("cannot be read: {error}"),
                "give the path of a configuration with `--config`, or make one with `fieldgate init`",
            )]
        })?;
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Self::parse(&file, &base, text)
    }

    /// Reads `text`, the content of `file`; relative paths in it start at `base`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(file: &str, base: &Path, text: String) -> Result<Self, Vec<Diagnostic>> {
        read::read(file, base, text)
    }

    /// The folder of the file: where relative paths start.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The path `relative`, as this file means it.
    #[must_use]
    pub fn path(&self, relative: &Path) -> PathBuf {
        self.base.join(relative)
    }

    /// The file, as the user named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text that was read, for its fingerprint.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives a part's problem its line and column.
    #[must_use]
    pub fn diagnose(&self, problem: &Problem) -> Diagnostic {
        Locator::new(&self.file, &self.text).diagnose(problem)
    }
}
