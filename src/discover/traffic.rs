//! Recorded traffic in (HAR 1.2, or JSON lines of `{method, url, status, request, response}`), the operations it shows out.
//! What is kept of a value is what a detector said about it.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{
    DiscoverError, MAX_OPERATIONS, beside,
    leaf::{Kind, Leaf, Level, Seen, Seg},
    observe,
    openapi::last_literal,
    operation::{Content, Operation, Parameter, format_of},
    path,
    schema::Body,
};
use crate::detect::Detector;

/// One recorded exchange.
struct Exchange<'d> {
    method: String,
    url: &'d str,
    status: u64,
    request: Option<Value>,
    response: Option<Value>,
    /// The media types of bodies that are not JSON.
    foreign: [Option<&'d str>; 2],
}

/// What was left out of a recording as a whole, in words.
pub(super) type Notes = Vec<String>;

/// Whether `document` is a HAR file.
pub(super) fn is_har(document: &Value) -> bool {
    document.pointer("/log/entries").is_some_and(Value::is_array)
}

/// The operations of a HAR file.
pub(super) fn har(document: &Value) -> Result<(Vec<Operation>, Notes), DiscoverError> {
    let entries = document.pointer("/log/entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut recording = Recording::default();
    let hosts = entries.iter().filter_map(|entry| host(entry.pointer("/request/url")?.as_str()?));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    hosts.for_each(|host| *counts.entry(host).or_default() += 1);
    let main = counts.iter().max_by_key(|(_, count)| **count).map(|(host, _)| *host);
    for entry in entries {
        let text = |pointer: &str| entry.pointer(pointer).and_then(Value::as_str);
        let Some(url) = text("/request/url") else { continue };
        if host(url) != main {
            recording.others += 1;
            continue;
        }
        let (sent, got) = (text("/request/postData/text"), text("/response/content/text"));
        let got = match (got, text("/response/content/encoding")) {
            (Some(got), Some("base64")) => {
                BASE64_STANDARD.decode(got).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            }
            (got, _) => got.map(str::to_owned),
        };
        let media = [text("/request/postData/mimeType"), text("/response/content/mimeType")];
        let parse = |body: Option<&str>| body.and_then(|body| serde_json::from_str::<Value>(body).ok());
        let [request, response] = [parse(sent), parse(got.as_deref())];
        let foreign = |at: usize, body: &Option<Value>, text: Option<&str>| {
            let media = media.get(at).copied().flatten();
            (body.is_none() && text.is_some_and(|text| !text.is_empty())).then_some(media.unwrap_or("no media type"))
        };
        let foreign = [foreign(0, &request, sent), foreign(1, &response, got.as_deref())];
        let status = entry.pointer("/response/status").and_then(Value::as_u64).unwrap_or(0);
        let method = text("/request/method").unwrap_or_default().to_owned();
        recording.take(&Exchange { method, url, status, request, response, foreign })?;
    }
    Ok(recording.finish())
}

/// The operations of JSON lines.
pub(super) fn lines(text: &str) -> Result<(Vec<Operation>, Notes), DiscoverError> {
    let mut recording = Recording::default();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: &'static str| DiscoverError::Line { number: number + 1, what };
        let value: Value = serde_json::from_str(line).map_err(|_| wrong("not JSON"))?;
        let url = value.get("url").and_then(Value::as_str).ok_or(wrong("no `url`"))?;
        let method = value.get("method").and_then(Value::as_str).ok_or(wrong("no `method`"))?.to_owned();
        let status = value.get("status").and_then(Value::as_u64).ok_or(wrong("no `status`"))?;
        let body = |key: &str| match value.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => serde_json::from_str(text).ok(),
            Some(body) => Some(body.clone()),
        };
        let foreign = |key: &str| {
            let text = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())?;
            serde_json::from_str::<Value>(text).is_err().then_some("text that is not JSON")
        };
        let (request, response) = (body("request"), body("response"));
        recording.take(&Exchange {
            method,
            url,
            status,
            request,
            response,
            foreign: [foreign("request"), foreign("response")],
        })?;
    }
    Ok(recording.finish())
}

fn host(url: &str) -> Option<&str> {
    url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next())
}

#[derive(Default)]
struct Recording {
    calls: BTreeMap<(String, String), Call>,
    detector: Detector,
    nodes: usize,
    others: usize,
    failed: usize,
    unnamed: usize,
}

#[derive(Default)]
struct Call {
    request: Node,
    response: Node,
    foreign: [Option<String>; 2],
    variables: Vec<(String, Node)>,
    query: BTreeMap<String, Node>,
}

/// What was seen at one place.
#[derive(Default)]
struct Node {
    members: BTreeMap<String, Node>,
    /// Members whose names are values.
    any: Option<Box<Node>>,
    each: Option<Box<Node>>,
    seen: Seen,
    text: bool,
    number: bool,
    bool: bool,
    links: bool,
    bodies: u32,
}

impl Recording {
    fn take(&mut self, exchange: &Exchange<'_>) -> Result<(), DiscoverError> {
        if !(200..300).contains(&exchange.status) {
            self.failed += 1;
            return Ok(());
        }
        let url = exchange.url.split('#').next().unwrap_or_default();
        let (target, query) = url.split_once('?').unwrap_or((url, ""));
        let start = host(target).map_or(0, |host| target.find(host).unwrap_or(0) + host.len());
        let target = target.get(start..).unwrap_or_default();
        let (template, values) = templated(target);
        let key = (exchange.method.to_ascii_uppercase(), template);
        if self.calls.len() == MAX_OPERATIONS && !self.calls.contains_key(&key) {
            return Err(DiscoverError::TooManyOperations);
        }
        let call = self.calls.entry(key).or_default();
        for (at, (name, value)) in values.into_iter().enumerate() {
            if call.variables.len() == at {
                call.variables.push((name, Node::default()));
            }
            if let Some((_, node)) = call.variables.get_mut(at) {
                node.scalar(&value, &self.detector);
            }
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name), decoded(value));
            if is_member_name(&name, &self.detector) {
                call.query.entry(name).or_default().scalar(&value, &self.detector);
            } else {
                self.unnamed += 1;
            }
        }
        for (node, body) in [(&mut call.request, &exchange.request), (&mut call.response, &exchange.response)] {
            if let Some(body) = body {
                node.bodies += 1;
                node.learn(body, &self.detector, &mut self.nodes);
            }
        }
        for (slot, media) in call.foreign.iter_mut().zip(exchange.foreign) {
            if let Some(media) = media {
                slot.get_or_insert_with(|| super::openapi::printable(media.split(';').next().unwrap_or_default()));
            }
        }
        if self.nodes > MAX_NODES { Err(DiscoverError::TooManyPlaces) } else { Ok(()) }
    }

    fn finish(self) -> (Vec<Operation>, Notes) {
        let mut notes = Notes::new();
        for (count, what) in [
            (self.failed, "exchanges without success were not read"),
            (self.others, "exchanges with other hosts were not read"),
            (self.unnamed, "query parameters have names that may be values; none of them is mapped"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
        let operations = self.calls.into_iter().map(|((method, path), call)| call.operation(method, path)).collect();
        (operations, notes)
    }
}

impl Call {
    fn operation(self, method: String, path: String) -> Operation {
        let around = last_literal(&path);
        let scalar = |(name, node): (String, Node)| {
            let mut leaves = Vec::new();
            let level = Level { property: around.as_str().into(), schema: "".into() };
            node.leaf(&[Seg::Name(name.as_str().into())], &[level], Default::default(), &mut leaves);
            Parameter { name, leaves, ..Parameter::default() }
        };
        let [request, response] = [(self.request, 0), (self.response, 1)].map(|(node, at)| {
            let foreign = self.foreign.get(at).cloned().flatten();
            match foreign {
                Some(media) if format_of(&media) != Some("json") || node.bodies == 0 => {
                    Content::Unmapped(format!("a body of `{media}` was recorded"))
                }
                _ if node.bodies == 0 => Content::Empty,
                _ => node.body(&around),
            }
        });
        let variables = self.variables.into_iter().map(scalar).collect();
        let query = self.query.into_iter().map(scalar).collect();
        Operation { method, path, query, variables, request, response, ..Operation::default() }
    }
}

impl Node {
    fn scalar(&mut self, text: &str, detector: &Detector) {
        self.text = true;
        observe::text(text, detector, &mut self.seen);
    }

    fn learn(&mut self, value: &Value, detector: &Detector, nodes: &mut usize) {
        *nodes += 1;
        match value {
            Value::Null => {}
            Value::Bool(_) => self.bool = true,
            Value::Number(_) => {
                self.number = true;
                observe::value(value, detector, &mut self.seen);
            }
            Value::String(text) => {
                self.links |= text.starts_with("http") || text.starts_with('/');
                self.scalar(text, detector);
            }
            Value::Array(elements) => {
                let each = self.each.get_or_insert_default();
                elements.iter().for_each(|element| each.learn(element, detector, nodes));
            }
            Value::Object(members) => {
                for (name, member) in members {
                    let known = self.members.contains_key(name);
                    if known || (self.members.len() < MAX_MEMBERS && is_member_name(name, detector)) {
                        self.members.entry(name.clone()).or_default().learn(member, detector, nodes);
                    } else {
                        self.any.get_or_insert_default().learn(member, detector, nodes);
                    }
                }
            }
        }
    }

    fn body(mut self, around: &str) -> Content {
        self.fold();
        let mut leaves = Vec::new();
        self.walk(
            &mut Vec::new(),
            &[Level { property: around.into(), schema: "".into() }],
            Default::default(),
            &mut leaves,
        );
        let deep = leaves.iter().any(|leaf| leaf.path.len() > MAX_DEPTH);
        if deep || leaves.len() > MAX_LEAVES {
            return Content::Unmapped("a recorded body is too large or too deep to be described".to_owned());
        }
        Content::Known("json", Body { leaves, incomplete: None })
    }

    /// Objects that are maps get one member for all: their names are values.
    fn fold(&mut self) {
        let mut members = std::mem::take(&mut self.members);
        members.values_mut().for_each(Self::fold);
        let shape = |node: &Self| node.members.keys().cloned().collect::<Vec<_>>();
        let first = members.values().next().map(shape).filter(|shape| !shape.is_empty());
        let alike = members.len() >= MAP_MEMBERS
            && first.is_some_and(|first| members.values().all(|node| shape(node) == first));
        if alike || (self.any.is_some() && members.len() >= MAX_MEMBERS) {
            let any = self.any.get_or_insert_default();
            members.into_values().for_each(|member| any.absorb(member));
        } else {
            self.members = members;
        }
        self.any.as_mut().into_iter().chain(self.each.as_mut()).for_each(|node| node.fold());
    }

    fn absorb(&mut self, other: Self) {
        for (name, member) in other.members {
            self.members.entry(name).or_default().absorb(member);
        }
        for (own, theirs) in [(&mut self.any, other.any), (&mut self.each, other.each)] {
            if let Some(theirs) = theirs {
                own.get_or_insert_default().absorb(*theirs);
            }
        }
        self.seen.values += other.seen.values;
        self.seen.part += other.seen.part;
        self.seen.prose += other.seen.prose;
        self.seen.whole.iter_mut().zip(other.seen.whole).for_each(|(own, theirs)| *own += theirs);
        self.text |= other.text;
        self.number |= other.number;
        self.bool |= other.bool;
        self.links |= other.links;
    }

    fn walk(&self, path: &mut Vec<Seg>, around: &[Level], beside: super::leaf::Beside, out: &mut Vec<Leaf>) {
        if path.len() > MAX_DEPTH || out.len() > MAX_LEAVES {
            out.push(Leaf { path: path.clone(), ..Leaf::default() });
            return;
        }
        if self.text
            || self.number
            || self.bool
            || (self.members.is_empty() && self.any.is_none() && self.each.is_none())
        {
            self.leaf(path, around, beside, out);
        }
        let name = path.iter().rev().find_map(|seg| match seg {
            Seg::Name(name) => Some(name.clone()),
            _ => None,
        });
        let mut inner = around.to_vec();
        if let Some(name) = name {
            inner.insert(0, Level { property: name, schema: "".into() });
        }
        let own = beside::of(self.members.keys().map(String::as_str));
        let named = self.members.iter().map(|(name, node)| (Seg::Name(name.as_str().into()), node));
        for (seg, node) in named.chain(self.any.iter().map(|node| (Seg::Any, &**node))) {
            path.push(seg);
            node.walk(path, &inner, own, out);
            path.pop();
        }
        if let Some(each) = &self.each {
            path.push(Seg::Each);
            each.walk(path, around, beside, out);
            path.pop();
        }
    }

    fn leaf(&self, path: &[Seg], around: &[Level], beside: super::leaf::Beside, out: &mut Vec<Leaf>) {
        // Only `null`, or nothing at all, was ever seen here.
        let kind = match self {
            Self { text: true, .. } => Kind::Text,
            Self { number: true, .. } => Kind::Number,
            Self { bool: true, .. } => Kind::Bool,
            _ => Kind::Open,
        };
        out.push(Leaf {
            path: path.to_vec(),
            kind,
            around: around.to_vec(),
            beside,
            seen: self.seen.clone(),
            links: self.links,
            ..Leaf::default()
        });
    }
}

/// The template of a recorded path: a segment that is no word of an API is a variable. And the variables with their values.
fn templated(target: &str) -> (String, Vec<(String, String)>) {
    let (mut template, mut values, mut before) = (String::new(), Vec::new(), String::new());
    for segment in target.split('/').skip(1) {
        template.push('/');
        if segment.is_empty() || path::is_public(segment) {
            template.push_str(segment);
            before = segment.to_owned();
        } else {
            let name = if before.is_empty() { "id".to_owned() } else { format!("{}_id", path::name_of(&before)) };
            template.push_str(&format!("{{{name}}}"));
            values.push((name, decoded(segment)));
        }
    }
    (template, values)
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Whether `name` is a member's name and not a value that stands where names do.
fn is_member_name(name: &str, detector: &Detector) -> bool {
    let starts = name.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '$' | '@'));
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let tame = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '.' | '-' | ' ' | ':' | '[' | ']');
    let mut findings = Vec::new();
    detector.scan(name, &mut findings);
    starts && name.len() <= 64 && digits < 5 && name.chars().all(tame) && findings.is_empty()
}

/// Members of one object before its names count as values.
const MAX_MEMBERS: usize = 400;
/// Members of one shape from which an object counts as a map.
const MAP_MEMBERS: usize = 6;
/// Steps of a path.
const MAX_DEPTH: usize = 26;
/// Places of one body.
const MAX_LEAVES: usize = 4_000;
/// Values of one recording.
const MAX_NODES: usize = 20_000_000;
