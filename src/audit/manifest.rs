//! `log.json`: which log this is. Its SHA-256 is in record 0, so it cannot change unnoticed.

use std::path::Path;

use serde::Deserialize;

use super::{checkpoint::Trust, error::AuditError, json::Json};
use crate::{crypto::sha256, model::Timestamp};

/// File name.
pub(super) const FILE: &str = "log.json";
const FORMAT: &str = "fg-log/1";
/// The epoch of a log that has not been closed and continued.
pub(super) const FIRST_EPOCH: u32 = 1;

/// What `log.json` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    fmt: String,
    pub(super) origin: String,
    pub(super) epoch: u32,
    schema: u32,
    #[serde(rename = "created")]
    _created: String,
    pub(super) vkey: String,
    #[serde(skip)]
    pub(super) sha256: [u8; 32],
}

/// The text of a new `log.json`.
pub(super) fn text(trust: &Trust, created: Timestamp) -> Vec<u8> {
    let mut out = Vec::new();
    let mut json = Json::new(&mut out);
    json.open(b'{');
    json.member("fmt", FORMAT);
    json.member("origin", trust.origin());
    json.count("epoch", u64::from(FIRST_EPOCH));
    json.count("schema", 1);
    json.member("created", &created.to_string());
    json.plain("vkey", |out| out.extend_from_slice(trust.to_vkey().as_bytes()));
    json.close(b'}');
    out.push(b'\n');
    out
}

impl Manifest {
    /// Reads `log.json` of this version.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, AuditError> {
        let wrong = |what: String| AuditError::NotALog { path: path.to_owned(), what };
        let mut manifest: Self =
            serde_json::from_slice(bytes).map_err(|_| wrong("it is not the `log.json` of an access log".into()))?;
        if manifest.fmt != FORMAT || manifest.schema != 1 || manifest.epoch != FIRST_EPOCH {
            return Err(wrong("it was written by another version, which has to read it".into()));
        }
        manifest.sha256 = sha256(&[bytes]);
        Ok(manifest)
    }
}
