//! Finds records by reading all of them (there is no index yet), in the order of the log. Only committed ones are shown.

use std::{collections::VecDeque, fs::File, path::Path};

use memchr::memmem::Finder;
use serde_json::Value;

use super::{
    error::AuditError,
    layout,
    manifest::{self, Manifest},
    scan::{self, End, Tail},
    segment::{Line, Replay, kind},
    summary::summary,
    tree::Hash,
};
use crate::model::Timestamp;

/// What to look for; everything given must hold. The default finds every record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// The actor's name, or the human it acts for.
    pub actor: Option<String>,
    /// A subject's reference: [`subject_reference`](super::subject_reference).
    pub subject: Option<String>,
    /// A case's reference: [`case_reference`](super::case_reference).
    pub case: Option<String>,
    /// The record's kind: `access.reveal`, or a group: `access`.
    pub kind: Option<String>,
    /// A class that was shown in any view, withheld, written or searched by.
    pub class: Option<String>,
    /// The route's name.
    pub route: Option<String>,
    /// `permit`, `permit-protected` or `deny`.
    pub effect: Option<String>,
    /// The purpose code.
    pub purpose: Option<String>,
    /// The exchange: a UUID.
    pub request: Option<String>,
    /// Only records after this one; a cursor.
    pub after: Option<u64>,
    /// At most so many: the first ones after the cursor when there is one, else the newest.
    pub limit: Option<usize>,
}

/// A record that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number.
    pub index: u64,
    /// The exact line, without its line feed; the leaf of the tree.
    pub line: String,
}

impl Row {
    /// The record, parsed.
    #[must_use]
    pub fn record(&self) -> Value {
        serde_json::from_str(&self.line).unwrap_or_default()
    }

    /// One line for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{:>8}  {}", self.index, summary(&self.record()))
    }

    /// `{"index":…,"record":…}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({ "index": self.index, "record": self.record() })
    }
}

/// Reads the log in `dir` and returns what matches.
///
/// # Errors
/// When a file cannot be read, or the lines do not add up (run `verify`: this looks at no signature).
pub fn query(dir: &Path, query: &Query) -> Result<Vec<Row>, AuditError> {
    let needles: Vec<Finder<'_>> = query.needles().map(Finder::new).collect();
    let mut found = VecDeque::new();
    let newest = query.after.is_none();
    let limit = query.limit.unwrap_or(usize::MAX);
    each(dir, |row, _| {
        let bytes = row.line.as_bytes();
        let fits = query.after.is_none_or(|after| row.index > after)
            && needles.iter().all(|needle| needle.find(bytes).is_some())
            && (newest || found.len() < limit)
            && query.matches(&row);
        if fits {
            found.push_back(row);
            if found.len() > limit {
                found.pop_front();
            }
        }
    })?;
    Ok(found.into())
}

/// Calls `visit` with every committed record and its leaf hash; returns how many there are.
pub(super) fn each(dir: &Path, mut visit: impl FnMut(Row, Hash)) -> Result<u64, AuditError> {
    let path = dir.join(manifest::FILE);
    let manifest = Manifest::parse(&path, &layout::read_small(&path)?)?;
    let name = layout::segment(dir)?;
    let path = dir.join(&name);
    let unreadable = |error| AuditError::io(&path, "the segment cannot be read")(error);
    let mut segment = File::open(&path).map_err(unreadable)?;
    let mut replay = Replay::new(&manifest.origin, &manifest.sha256);
    let mut batch: Vec<(Row, Hash)> = Vec::new();
    let end = scan::lines(&mut segment, &mut replay, |_, line, text| match line {
        Line::Header => {}
        Line::Record { index, leaf } => {
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            batch.push((Row { index, line: String::from_utf8_lossy(text).into_owned() }, leaf));
        }
        Line::Commit => batch.drain(..).for_each(|(row, leaf)| visit(row, leaf)),
    });
    if let End::Stopped(fault) = end.map_err(unreadable)? {
        let damage = replay.damage(&name.to_string_lossy(), fault);
        if replay.commits() == 0
            || scan::tail(&mut segment, replay.committed_offset()).map_err(unreadable)? == Tail::Damage
        {
            return Err(AuditError::Damaged(damage));
        }
    }
    Ok(replay.tree().size())
}

impl Query {
    /// Texts a line must hold to match, as far as they are spelt in it as they are given.
    fn needles(&self) -> impl Iterator<Item = &str> {
        [&self.actor, &self.subject, &self.case, &self.class, &self.route, &self.request, &self.purpose]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'))
    }

    fn matches(&self, row: &Row) -> bool {
        if let Some(wanted) = &self.kind {
            let kind = kind(row.line.as_bytes());
            let group = kind.strip_prefix(wanted.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'.'));
            if kind != wanted.as_bytes() && !group {
                return false;
            }
        }
        let record = row.record();
        let is = |pointer: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| record.pointer(pointer).and_then(Value::as_str) == Some(wanted))
        };
        is("/op/route", &self.route)
            && is("/decision/effect", &self.effect)
            && is("/purpose/code", &self.purpose)
            && is("/purpose/case", &self.case)
            && is("/req", &self.request)
            && (is("/actor/sub", &self.actor) || is("/actor/on_behalf_of/sub", &self.actor))
            && self.in_time(&record)
            && self.class.as_ref().is_none_or(|class| names_class(&record, class))
            && self.subject.as_ref().is_none_or(|wanted| subjects(&record).any(|subject| subject["ref"] == **wanted))
    }

    fn in_time(&self, record: &Value) -> bool {
        // Times of records are all of one length and in UTC, so they sort as text.
        let at = record["ts"].as_str().unwrap_or_default();
        self.since.is_none_or(|since| *at >= *since.to_string())
            && self.until.is_none_or(|until| *at < *until.to_string())
    }
}

fn subjects(record: &Value) -> impl Iterator<Item = &Value> {
    record["subjects"].as_array().into_iter().flatten()
}

fn names_class(record: &Value, class: &str) -> bool {
    let among = |list: &Value| list.as_array().is_some_and(|names| names.iter().any(|name| name == class));
    among(&record["written"])
        || among(&record["searched"])
        || subjects(record)
            .any(|subject| ["reveal", "mask", "pseudonym", "redact"].iter().any(|view| among(&subject[*view])))
}
