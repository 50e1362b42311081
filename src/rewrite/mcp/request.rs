//! A message of the caller: what it asks for, and where its arguments stand.

use std::ops::Range;

use super::MessageError;
use crate::{
    formats::{
        Limits,
        json::spans::{members, string},
    },
    rewrite::{RewriteError, check},
};

/// A message of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, as it is spelled; absent in a notification.
    pub id: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// Where masks and pseudonyms stand in it.
    stand_ins: Vec<String>,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `tools/call`.
    Call {
        /// The tool's name.
        tool: String,
        /// Where its arguments stand.
        arguments: Option<Range<usize>>,
    },
    /// Another request.
    Request {
        /// Its method.
        method: String,
    },
    /// A notification.
    Notification {
        /// Its method.
        method: String,
    },
    /// The answer to a request of the server.
    Response,
}

impl Message {
    /// Reads `bytes`.
    ///
    /// # Errors
    /// When they are not one message that may pass.
    pub fn parse(bytes: &[u8], limits: Limits) -> Result<Self, MessageError> {
        let stand_ins = check::stand_ins(bytes, limits)?;
        let Some(found) = members(bytes) else {
            let batch = bytes.trim_ascii_start().first() == Some(&b'[');
            return Err(if batch { MessageError::Batch } else { MessageError::NotRpc });
        };
        let at = |name: &str| found.iter().find(|member| member.name == name).map(|member| member.value.clone());
        let raw = |at: &Range<usize>| bytes.get(at.clone()).unwrap_or_default();
        if at("jsonrpc").and_then(|at| string(raw(&at))).as_deref() != Some("2.0") {
            return Err(MessageError::NotRpc);
        }
        let id = match at("id") {
            None => None,
            Some(at) => Some(id(raw(&at)).ok_or(MessageError::NotRpc)?),
        };
        let method = match at("method") {
            None => None,
            Some(at) => Some(string(raw(&at)).ok_or(MessageError::NotRpc)?),
        };
        let answers = at("result").is_some() || at("error").is_some();
        let kind = match (method, &id, answers) {
            (Some(method), Some(_), false) if method == CALL => called(bytes, at("params"))?,
            (Some(method), Some(_), false) => Kind::Request { method },
            (Some(method), None, false) => Kind::Notification { method },
            (None, Some(_), true) => Kind::Response,
            _ => return Err(MessageError::NotRpc),
        };
        Ok(Self { id, kind, stand_ins })
    }

    /// The stand-ins in the arguments, as paths of the arguments.
    #[must_use]
    pub fn stand_ins(&self) -> Vec<String> {
        self.stand_ins.iter().filter_map(|path| in_arguments(path)).collect()
    }

    /// Refuses masks and pseudonyms anywhere but in arguments.
    ///
    /// # Errors
    /// Where they stand.
    pub fn check_surroundings(&self) -> Result<(), RewriteError> {
        let is_call = matches!(self.kind, Kind::Call { .. });
        let outside = |path: &&String| !is_call || in_arguments(path).is_none();
        let fields: Vec<String> = self.stand_ins.iter().filter(outside).cloned().collect();
        if fields.is_empty() { Ok(()) } else { Err(RewriteError::MaskedValue { fields }) }
    }
}

/// The path from the arguments on of what stands in them.
fn in_arguments(path: &str) -> Option<String> {
    let rest = path.strip_prefix(ARGUMENTS)?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("${rest}"))
}

fn called(bytes: &[u8], params: Option<Range<usize>>) -> Result<Kind, MessageError> {
    let params = params.ok_or(MessageError::BadCall)?;
    let inner = bytes.get(params.clone()).unwrap_or_default();
    let found = members(inner).ok_or(MessageError::BadCall)?;
    let at = |name: &str| found.iter().find(|member| member.name == name).map(|member| member.value.clone());
    let name = at("name").and_then(|at| string(inner.get(at)?));
    let tool = name.ok_or(MessageError::BadCall)?;
    let arguments = match at("arguments") {
        None => None,
        Some(at) => {
            let raw = inner.get(at.clone()).unwrap_or_default();
            if raw == b"null" {
                None
            } else if raw.first() == Some(&b'{') {
                Some(params.start + at.start..params.start + at.end)
            } else {
                return Err(MessageError::BadCall);
            }
        }
    };
    Ok(Kind::Call { tool, arguments })
}

/// A text or a number (JSON-RPC 2.0 §4, without `null`: MCP 2025-06-18, base protocol).
fn id(raw: &[u8]) -> Option<String> {
    let text = str::from_utf8(raw).ok()?;
    let first = *raw.first()?;
    (text.len() <= MAX_ID_BYTES && (first == b'"' || first == b'-' || first.is_ascii_digit())).then(|| text.to_owned())
}

const CALL: &str = "tools/call";

/// Where the arguments of a call stand.
const ARGUMENTS: &str = "$.params.arguments";

/// Longest id, in bytes with its quotes.
const MAX_ID_BYTES: usize = 256;
