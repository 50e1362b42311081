//! One record with everything of its exchange and the proof of its place in the log.

use std::{fmt::Write, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    error::AuditError,
    proof::inclusion,
    query::{Row, each},
    tree::{Hash, Tree},
};

/// A record and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The record.
    pub row: Row,
    /// The other records of the same exchange.
    pub exchange: Vec<Row>,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Records in the log.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// The RFC 6962 inclusion proof of the leaf in that root.
    pub proof: Vec<Hash>,
}

/// Record `index` of the log in `dir`. The proof is against the tree as it is; whether that tree is the signed one is what
/// [`verify()`](super::verify()) tells.
///
/// # Errors
/// When there is no such record, a file cannot be read, or the lines do not add up.
pub fn show(dir: &Path, index: u64) -> Result<Shown, AuditError> {
    let mut leaves = Vec::new();
    let mut found = None;
    let size = each(dir, |row, leaf| {
        leaves.push(leaf);
        if row.index == index {
            found = Some(row);
        }
    })?;
    let missing = || AuditError::NoRecord { index, size };
    let row = found.ok_or_else(missing)?;
    let request = request(&row);
    let mut exchange = Vec::new();
    if let Some(request) = &request {
        each(dir, |other, _| {
            if other.index != index
                && other.index < size
                && other.line.contains(request.as_str())
                && self::request(&other).as_ref() == Some(request)
            {
                exchange.push(other);
            }
        })?;
    }
    let at = usize::try_from(index).map_err(|_| missing())?;
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    let leaf = leaves.get(at).copied().ok_or_else(missing)?;
    let proof = inclusion(&leaves, at).ok_or_else(missing)?;
    Ok(Shown { row, exchange, leaf, size, root: tree.root(), proof })
}

fn request(row: &Row) -> Option<String> {
    row.record().get("req")?.as_str().map(str::to_owned)
}

impl Shown {
    /// The record as indented JSON, the exchange around it, and the proof.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let record = serde_json::to_string_pretty(&self.row.record()).unwrap_or_default();
        let _ = writeln!(out, "record    {}\n{record}", self.row.index);
        for row in &self.exchange {
            let _ = writeln!(out, "exchange  {}", row.to_text().trim_start());
        }
        let _ = writeln!(out, "leaf      {}", BASE64_STANDARD.encode(self.leaf));
        let _ = writeln!(out, "root      {} over {} records", BASE64_STANDARD.encode(self.root), self.size);
        let _ = writeln!(
            out,
            "proof     {} hashes; `fieldgate audit verify` checks that the root is signed",
            self.proof.len()
        );
        out
    }

    /// The same for programs; `line` is the exact text that the leaf hashes.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let base64 = |hash: &Hash| BASE64_STANDARD.encode(hash);
        json!({
            "index": self.row.index,
            "line": self.row.line,
            "record": self.row.record(),
            "exchange": self.exchange.iter().map(Row::to_json).collect::<Vec<_>>(),
            "leaf": base64(&self.leaf),
            "size": self.size,
            "root": base64(&self.root),
            "proof": self.proof.iter().map(base64).collect::<Vec<_>>(),
        })
    }
}
