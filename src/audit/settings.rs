//! `[audit]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::Problem;

/// Where the access log lies, who signs it, and how much may wait.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The log's folder; made by [`init`](super::init).
    pub dir: PathBuf,
    /// The log's name, as its checkpoints carry it: `fieldgate.example.com/audit/gw-1`.
    pub origin: String,
    /// File with the Ed25519 key that signs checkpoints.
    pub signing_key: PathBuf,
    /// Milliseconds between the starts of two commits: 1–100, default 1. When the last commit held eight records or more,
    /// the next batch also stays open that long for others (at most 20 ms); a caller on its own never waits for company.
    /// More makes larger batches: less CPU per record, and that much more time until a record is durable.
    #[serde(default = "one")]
    pub commit_millis: u32,
    /// Seconds between two checkpoints while the log grows: 1–60, default 1.
    #[serde(default = "one")]
    pub checkpoint_seconds: u32,
    /// Seconds without a record after which `log.tick` is written, so that idle time is sealed too: 1–86400, default 300.
    #[serde(default = "five_minutes")]
    pub tick_seconds: u32,
    /// Records that may wait to be durable: 16–1048576, default 8192. Past it requests are answered 503. The records that
    /// end exchanges may use as many again, so that no exchange ends unrecorded.
    #[serde(default = "queue_records")]
    pub queue_records: usize,
    /// Bytes that may wait to be durable: 131072–1073741824, default 8 MiB; with the same allowance.
    #[serde(default = "queue_bytes")]
    pub queue_bytes: usize,
    /// Whether the log may lie in memory (tmpfs, ramfs), where nothing survives a reboot. Default `false`: refused.
    #[serde(default)]
    pub allow_volatile: bool,
}

impl Settings {
    /// Settings for the log in `dir` called `origin`, everything else as by default.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, origin: impl Into<String>, signing_key: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            origin: origin.into(),
            signing_key: signing_key.into(),
            commit_millis: one(),
            checkpoint_seconds: one(),
            tick_seconds: five_minutes(),
            queue_records: queue_records(),
            queue_bytes: queue_bytes(),
            allow_volatile: false,
        }
    }

    /// The values that are out of range.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let ranges = [
            ("commit_millis", self.commit_millis as usize, 1, 100),
            ("checkpoint_seconds", self.checkpoint_seconds as usize, 1, 60),
            ("tick_seconds", self.tick_seconds as usize, 1, 86_400),
            ("queue_records", self.queue_records, 16, 1 << 20),
            ("queue_bytes", self.queue_bytes, 128 * 1024, 1 << 30),
        ];
        let outside = ranges.into_iter().filter(|(_, value, low, high)| !(low..=high).contains(&value));
        outside
            .map(|(key, value, low, high)| {
                Problem::new(
                    format!("audit.{key}"),
                    format!("`{key}` is {value}, which is out of range"),
                    format!("choose a number from {low} to {high}"),
                )
            })
            .collect()
    }
}

fn one() -> u32 {
    1
}

fn five_minutes() -> u32 {
    300
}

fn queue_records() -> usize {
    8192
}

fn queue_bytes() -> usize {
    8 * 1024 * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_takes_the_defaults_and_unknown_keys_are_refused() {
        let text = "dir = 'audit'\norigin = 'a/b'\nsigning_key = 'k'\n";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings, Settings::new("audit", "a/b", "k"));
        assert!(settings.problems().is_empty());
        assert!(toml::from_str::<Settings>(&format!("{text}best_effort = true\n")).is_err());
    }

    #[test]
    fn limits_hold_at_the_limit_and_not_past_it() {
        let with = |records| Settings { queue_records: records, ..Settings::new("a", "b", "c") };
        assert!(with(16).problems().is_empty());
        assert_eq!(with(15).problems()[0].path, "audit.queue_records");
        assert!(with(1 << 20).problems().is_empty());
        assert_eq!(with((1 << 20) + 1).problems().len(), 1);
    }
}
