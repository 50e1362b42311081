//! A description of an API in (an OpenAPI 3 document, or recorded traffic), a proposed API map out: routes, fields with their
//! classes, and for each the reason and how sure it is. Never repeats a value it saw; never proposes what `crm` refuses.
//!
//! A proposal is a draft for a person: what is not sure is said, and what cannot be mapped is left out, which the gateway
//! refuses.

mod beside;
mod body;
mod judge;
mod leaf;
mod naming;
mod observe;
mod openapi;
mod operation;
mod path;
mod query;
mod render;
mod report;
mod route;
mod schema;
mod sets;
mod traffic;
mod vocabulary;
mod words;
mod yaml;

use serde_json::Value;

pub use report::{Field, LeftOut, Report, RouteReport};

use crate::{
    crm::Api,
    model::{ClassTable, Diagnostic},
};
use operation::Operation;
use render::Syntax;
use route::Route;
use schema::Budget;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The map's name.
    pub name: String,
    /// From which confidence (0–100) a class is proposed.
    pub min_confidence: u8,
}

impl Options {
    /// Surer than not.
    pub const MIN_CONFIDENCE: u8 = 50;
}

/// A proposed map.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The map, which [`Api::parse`] takes.
    pub map: String,
    /// What was proposed and why, and what was not.
    pub report: Report,
}

/// Why nothing is proposed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// Past [`MAX_DOCUMENT_BYTES`].
    #[error("the document has {0} bytes, and {MAX_DOCUMENT_BYTES} are read")]
    TooLarge(usize),
    /// Bytes that are no text.
    #[error("the document is not UTF-8 (byte {0})")]
    NotUtf8(usize),
    /// Text that is no JSON.
    #[error("the document is not JSON: line {line}, column {column}{deep}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// Says so when the nesting is the reason.
        deep: &'static str,
    },
    /// Text that is meant as YAML and is none that is read.
    #[error("the document is not YAML that can be read: line {line}, column {column}{bound}")]
    NotYaml {
        /// The line, from 1; 0 when it is all of it.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// Says so when a bound is the reason.
        bound: &'static str,
    },
    /// JSON of another kind.
    #[error("neither an OpenAPI document, a HAR file nor lines of recorded traffic")]
    UnknownKind,
    /// An older OpenAPI.
    #[error("OpenAPI 2 (Swagger) is not read")]
    Swagger,
    /// OpenAPI without `paths`.
    #[error("the OpenAPI document has no `paths`")]
    NoPaths,
    /// A line of recorded traffic.
    #[error("line {number} of the recording: {what}")]
    Line {
        /// The line, from 1.
        number: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Past [`MAX_OPERATIONS`].
    #[error("more than {MAX_OPERATIONS} operations")]
    TooManyOperations,
    /// Recorded bodies with too many values.
    #[error("the recording holds too many values")]
    TooManyPlaces,
    /// Everything was left out; the first reasons.
    #[error("no operation can be mapped: {0}")]
    Nothing(String),
    /// The proposal does not load: a mistake of this program.
    #[error("the proposed map was refused: {0}")]
    Refused(String),
}

impl DiscoverError {
    /// What to do.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::TooLarge(_) | Self::TooManyOperations | Self::TooManyPlaces => {
                "split it, by tag or by path, and merge the proposals"
            }
            Self::NotUtf8(_) => "convert it to UTF-8, for example with `iconv -t utf-8`",
            Self::NotJson { .. } => "give valid JSON (nested at most 127 levels deep) or YAML (at most 64)",
            Self::NotYaml { .. } => {
                "give one YAML 1.2 document without a name twice, or the same as JSON, for example from `yq -o json`"
            }
            Self::UnknownKind => {
                "give an OpenAPI 3 document, a HAR 1.2 file, or lines of {\"method\",\"url\",\"status\",\"request\",\"response\"}"
            }
            Self::Swagger => "convert it to OpenAPI 3, for example with `npx swagger2openapi`",
            Self::NoPaths => "give the document that has them; webhooks alone make no map",
            Self::Line { .. } => {
                "write one object with `method`, `url`, `status`, `request` and `response` on each line"
            }
            Self::Nothing(_) => "bundle outside references, or record traffic and give that",
            Self::Refused(_) => "report this as a mistake of `fieldgate discover`, with the document",
        }
    }
}

/// Proposes a map for the API that `input` describes, with the classes of `classes`.
///
/// # Errors
/// The input cannot be read, or nothing in it can be mapped.
pub fn discover(input: &[u8], options: &Options, classes: &ClassTable) -> Result<Proposal, DiscoverError> {
    let syntax = Syntax::of_loader(classes);
    let read = read(input)?;
    let mut draft = route::propose(read.operations, options, classes);
    draft.report.notes.extend(read.notes);
    let map = settle(&mut draft, &read.kind, options, classes, syntax)?;
    Ok(Proposal { map, report: draft.report.finish(&draft.routes, read.kind) })
}

/// The class of every leaf of every named schema, whether an operation uses it or not: for measuring.
///
/// # Errors
/// The input is not an OpenAPI document.
pub fn schemas(input: &[u8], options: &Options, classes: &ClassTable) -> Result<Vec<Field>, DiscoverError> {
    let document = json(text(input)?)?;
    let leaves = openapi::schemas(&document, &mut Budget { visits: MAX_VISITS });
    Ok(leaves.iter().filter_map(|leaf| body::judged(leaf, options, classes)).collect())
}

/// Writes the map and lets the loader read it, without what it refuses, until it takes all of it.
fn settle(
    draft: &mut route::Draft,
    kind: &str,
    options: &Options,
    classes: &ClassTable,
    mut syntax: Syntax,
) -> Result<String, DiscoverError> {
    let mut refused = String::new();
    for _ in 0..MAX_ROUNDS {
        if draft.routes.is_empty() {
            let reasons = draft.report.left_out.iter().map(|left| left.why.as_str()).next();
            return Err(DiscoverError::Nothing(reasons.unwrap_or("it describes none").to_owned()));
        }
        let (map, starts) = render::map(draft, kind, options, &syntax);
        let Err(found) = Api::parse("proposal", &map, classes) else { return Ok(map) };
        refused = found.first().map(|found| found.what.clone()).unwrap_or_default();
        if !drop_refused(draft, &starts, &found) {
            // Not a route's own: the sets, or a syntax that is only half there.
            if !syntax.simplify() {
                break;
            }
        }
    }
    Err(DiscoverError::Refused(refused))
}

/// Leaves out the routes that `found` is about; false when it is about none.
fn drop_refused(draft: &mut route::Draft, starts: &[usize], found: &[Diagnostic]) -> bool {
    let mut reasons: Vec<Option<&str>> = vec![None; draft.routes.len()];
    for diagnostic in found {
        let line = diagnostic.position.map_or(0, |position| position.line);
        let at = starts.partition_point(|start| *start <= line);
        if let Some(slot) = at.checked_sub(1).and_then(|at| reasons.get_mut(at)) {
            slot.get_or_insert(&diagnostic.what);
        }
    }
    let before = draft.routes.len();
    let mut reasons = reasons.into_iter();
    let (report, routes) = (&mut draft.report, &mut draft.routes);
    routes.retain(|route: &Route| match reasons.next().flatten() {
        Some(why) => {
            report.left_out.push(LeftOut { what: route.target.clone(), why: why.to_owned() });
            false
        }
        None => true,
    });
    routes.len() < before
}

/// An input, read.
struct Read {
    kind: String,
    operations: Vec<Operation>,
    notes: Vec<String>,
}

fn read(input: &[u8]) -> Result<Read, DiscoverError> {
    let text = text(input)?;
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let several = first.starts_with('{') && first.ends_with('}') && text.trim() != first;
    // One whole object in the first of several lines: a recording. A lone one is told by its members.
    if several && serde_json::from_str::<Value>(first).is_ok() {
        let (operations, notes) = traffic::lines(text)?;
        return Ok(Read { kind: "recorded traffic".to_owned(), operations, notes });
    }
    let document = json(text)?;
    if traffic::is_har(&document) {
        let (operations, notes) = traffic::har(&document)?;
        return Ok(Read { kind: "recorded traffic (HAR)".to_owned(), operations, notes });
    }
    if document.get("url").is_some() && document.get("method").is_some() {
        let (operations, notes) = traffic::lines(&document.to_string())?;
        return Ok(Read { kind: "recorded traffic".to_owned(), operations, notes });
    }
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if document.get("swagger").is_some() {
        return Err(DiscoverError::Swagger);
    }
    if !version.starts_with("3.") {
        return Err(DiscoverError::UnknownKind);
    }
    let operations = openapi::operations(&document, &mut Budget { visits: MAX_VISITS })?;
    Ok(Read { kind: format!("OpenAPI {}", openapi::printable(version)), operations, notes: Vec::new() })
}

fn text(input: &[u8]) -> Result<&str, DiscoverError> {
    if input.len() > MAX_DOCUMENT_BYTES {
        return Err(DiscoverError::TooLarge(input.len()));
    }
    let text = std::str::from_utf8(input).map_err(|error| DiscoverError::NotUtf8(error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A document in JSON, or in YAML.
fn json(text: &str) -> Result<Value, DiscoverError> {
    serde_json::from_str(text).or_else(|error| {
        if yaml::is_meant(text) {
            return yaml::read(text);
        }
        let deep = if error.to_string().starts_with("recursion limit") { ", where it is nested too deep" } else { "" };
        Err(DiscoverError::NotJson { line: error.line(), column: error.column(), deep })
    })
}

/// A document, in bytes: the largest public one (Microsoft Graph) has 35 MB.
pub const MAX_DOCUMENT_BYTES: usize = 64 << 20;
/// Operations of one document.
pub const MAX_OPERATIONS: usize = 20_000;
/// Schemas visited for one document.
const MAX_VISITS: usize = 4_000_000;
/// Times the loader is asked.
const MAX_ROUNDS: usize = 12;
