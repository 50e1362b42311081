//! What verification found, as text for people and JSON for programs.

use std::{collections::BTreeMap, fmt::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{segment::Damage, tree::Hash};

/// The judgement on a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is accounted for and the signed head is the log's.
    Sound,
    /// Sound up to an unfinished batch at the end, which a crash left and the next start sets aside.
    Unfinished {
        /// Bytes after the last commit line.
        bytes: u64,
    },
    /// Something was changed.
    Damaged(Damage),
    /// Records that were signed are missing at the end.
    Cut {
        /// Records covered by the checkpoint.
        signed: u64,
        /// Records found.
        found: u64,
    },
    /// The lines agree among themselves, but not with what was signed.
    Forked {
        /// Records covered by the checkpoint.
        signed: u64,
    },
    /// The checkpoint or `log.json` is not this log's and key's.
    Untrusted {
        /// Which file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The result of [`verify()`](super::verify()).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The log's name, from the verification key.
    pub origin: String,
    /// Records that are committed and in order.
    pub records: u64,
    /// Batches they came in.
    pub batches: u64,
    /// Bytes read up to the last commit line.
    pub bytes: u64,
    /// The root over the records.
    pub root: Hash,
    /// Records covered by the checkpoint; absent when there is no valid one.
    pub signed: Option<u64>,
    /// How many records there are of each kind.
    pub kinds: BTreeMap<String, u64>,
    /// The judgement.
    pub verdict: Verdict,
}

impl Report {
    /// Whether nothing was changed, removed, inserted, reordered or cut, as far as the checkpoint reaches.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.verdict == Verdict::Sound
    }

    /// The exit code of `fieldgate audit verify`: 0 sound, 65 damage, 66 cut or forked, 67 key or trust, 68 incomplete.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Sound => 0,
            Verdict::Damaged(_) => 65,
            Verdict::Cut { .. } | Verdict::Forked { .. } => 66,
            Verdict::Untrusted { .. } => 67,
            Verdict::Unfinished { .. } => 68,
        }
    }

    /// One word for the judgement.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Sound => "sound",
            Verdict::Unfinished { .. } => "unfinished",
            Verdict::Damaged(_) => "damaged",
            Verdict::Cut { .. } => "cut",
            Verdict::Forked { .. } => "forked",
            Verdict::Untrusted { .. } => "untrusted",
        }
    }

    /// What the judgement means, and what to do.
    #[must_use]
    pub fn explanation(&self) -> String {
        match &self.verdict {
            Verdict::Sound => "every line is accounted for and the signed tree head is the log's".into(),
            Verdict::Unfinished { bytes } => format!(
                "{bytes} bytes of an unfinished batch follow the last commit line; nothing of it was acknowledged. \
                 Start the gateway, which sets them aside, and verify again"
            ),
            Verdict::Damaged(damage) => format!("{damage}. Compare with a copy; keep this folder as evidence"),
            Verdict::Cut { signed, found } => {
                format!("{signed} records were signed and {found} are there: the end was cut off or rolled back")
            }
            Verdict::Forked { signed } => {
                format!("the first {signed} records are not the ones that were signed: history was rewritten")
            }
            Verdict::Untrusted { file, why } => format!("`{file}`: {why}"),
        }
    }

    /// A few lines for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "log       {}", self.origin);
        let _ = writeln!(out, "records   {} in {} batches, {} bytes", self.records, self.batches, self.bytes);
        match self.signed {
            Some(signed) if signed == self.records => _ = writeln!(out, "signed    all"),
            Some(signed) if signed < self.records => {
                _ = writeln!(out, "signed    {signed}; the last {} not yet", self.records - signed);
            }
            Some(signed) => _ = writeln!(out, "signed    {signed}"),
            None => _ = writeln!(out, "signed    no valid checkpoint"),
        }
        let kinds: Vec<String> = self.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        let _ = writeln!(out, "kinds     {}", kinds.join(", "));
        let _ = writeln!(out, "root      {}", BASE64_STANDARD.encode(self.root));
        let _ = writeln!(out, "verdict   {}: {}", self.word(), self.explanation());
        out
    }

    /// The same for programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let damage = match &self.verdict {
            Verdict::Damaged(damage) => json!({
                "file": damage.file, "offset": damage.offset, "index": damage.index, "what": damage.what.to_string(),
            }),
            _ => Value::Null,
        };
        json!({
            "origin": self.origin,
            "records": self.records,
            "batches": self.batches,
            "bytes": self.bytes,
            "root": BASE64_STANDARD.encode(self.root),
            "signed": self.signed,
            "kinds": self.kinds,
            "verdict": self.word(),
            "explanation": self.explanation(),
            "damage": damage,
        })
    }
}
