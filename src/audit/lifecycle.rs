//! Records that are not about one access: what happened to the log itself, to policy, configuration and reviewers.

use super::json::{Json, push_hex};
use crate::model::Lifecycle;

/// What happens to the log itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogEvent {
    /// Record 0: binds the log to its `log.json`.
    Born {
        /// SHA-256 of `log.json`.
        manifest: [u8; 32],
    },
    /// The writer started after a clean end.
    Opened(Start),
    /// The writer started after a crash: the log did not end with `log.close`, or an unfinished batch was set aside.
    Recovered {
        /// As for a clean start.
        start: Start,
        /// Bytes set aside, and their SHA-256.
        tail: Option<(u64, [u8; 32])>,
    },
    /// Nothing was recorded for a while.
    Tick,
    /// The writer ended.
    Closed,
}

/// What a start records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    /// Records found.
    pub(super) size: u64,
    /// First eight hex digits of the kernel's boot id, where it has one.
    pub(super) boot: Option<String>,
}

/// The member of record 0 that binds it to `log.json`.
pub(super) const MANIFEST: &str = "manifest";

impl LogEvent {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Born { .. } | Self::Opened(_) => "log.open",
            Self::Recovered { .. } => "log.recover",
            Self::Tick => "log.tick",
            Self::Closed => CLOSED,
        }
    }

    pub(super) fn members(&self, json: &mut Json<'_>) {
        match self {
            Self::Born { manifest } => json.plain(MANIFEST, |out| push_sha256(out, manifest)),
            Self::Opened(start) => begin(json, start, true),
            Self::Recovered { start, tail } => {
                begin(json, start, false);
                if let Some((bytes, hash)) = tail {
                    json.count("tail_bytes", *bytes);
                    json.plain("tail_sha256", |out| push_hex(out, hash));
                }
            }
            Self::Tick | Self::Closed => {}
        }
    }
}

/// The kind of the last record of a log that was closed.
pub(super) const CLOSED: &str = "log.close";

fn begin(json: &mut Json<'_>, start: &Start, clean: bool) {
    json.count("size", start.size);
    json.flag("clean", clean);
    json.optional("boot", start.boot.as_deref());
}

/// `sha256:` and hex.
pub(super) fn push_sha256(out: &mut Vec<u8>, hash: &[u8; 32]) {
    out.extend_from_slice(b"sha256:");
    push_hex(out, hash);
}

pub(super) fn kind(what: &Lifecycle) -> &'static str {
    match what {
        Lifecycle::PolicyLoaded { .. } => "policy.load",
        Lifecycle::Reloaded { .. } => "admin.reload",
        Lifecycle::Reviewed { .. } => "review.query",
    }
}

pub(super) fn members(what: &Lifecycle, json: &mut Json<'_>) {
    match what {
        Lifecycle::PolicyLoaded { policy } => json.member("policy", policy),
        Lifecycle::Reloaded { outcome, config } => {
            json.member("outcome", outcome);
            json.member("config", config);
        }
        Lifecycle::Reviewed { reviewer, verb } => {
            json.member("reviewer", reviewer);
            json.member("verb", verb);
        }
    }
}
