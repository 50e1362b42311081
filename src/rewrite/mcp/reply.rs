//! A message of the server: read into parts, then shown part by part.

use std::{ops::Range, sync::Arc};

use super::MessageError;
use crate::{
    formats::{
        Limits,
        json::{
            quote,
            spans::{Member, elements, members, string},
        },
    },
    model::{Sensitive, Sighting, SubjectId},
    protect::Answers,
    rewrite::{
        Collector, Gate, Hidden, Known, Needs, Notes, Plan, Pseudonym, ResponseView, RewriteError, carries_personal,
        check, kept, merged,
        twin::{Other, Twin},
    },
};

/// What a message may be the answer to.
#[derive(Clone, Copy)]
pub enum Expected<'e> {
    /// A call of a tool, whose request has this id.
    Tool {
        /// As the request spelled it.
        id: &'e str,
        /// Pictures, sounds and blobs are shown.
        media: bool,
    },
    /// `tools/list`; only these tools are shown.
    List {
        /// As the request spelled it.
        id: &'e str,
        /// Whether the caller may see this tool.
        shows: &'e dyn Fn(&str) -> bool,
    },
    /// Another request.
    Other {
        /// As the request spelled it; absent after a notification.
        id: Option<&'e str>,
    },
    /// Nothing: what the server sends on its own. Results are withheld, since nobody knows what was asked for.
    Nothing,
}

/// A message of the server.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    parts: Vec<(Range<usize>, Part)>,
    limits: Limits,
    media: bool,
    /// The tool failed: what it says is no record.
    failed: bool,
}

/// What a part of a message is.
#[derive(Debug)]
enum Part {
    /// JSON that the tool's map describes.
    Document,
    /// A text that holds such JSON, one document or one in each line.
    Text(Vec<String>),
    /// A text that people read.
    Prose(String),
    /// The place of a resource.
    Place(String),
    /// Anything that no map describes.
    Other,
    /// Withheld, and what stands there instead.
    Withheld(Vec<u8>),
    /// A resource that cannot be read, with its place.
    Blob(Option<String>),
}

/// How a message is shown.
pub struct Seen<'s> {
    /// The records of the tool.
    pub tool: &'s Arc<Plan>,
    /// Everything else.
    pub other: &'s Arc<Plan>,
    /// What the vault said.
    pub answers: &'s Answers,
    /// Real values that the caller knows under another name, and that name.
    pub opened: &'s [(Sensitive<String>, String)],
    /// Who may still be seen in full.
    pub gate: Option<Arc<dyn Gate>>,
    /// The caller searches.
    pub finds: bool,
    /// Ids that are wanted of the first records.
    pub names: usize,
}

/// What the caller sees, and what that was.
#[derive(Debug, Default)]
pub struct Answered {
    /// The message.
    pub bytes: Vec<u8>,
    /// What it shows, by record.
    pub sightings: Vec<Sighting>,
    /// What was met among stored values.
    pub notes: Vec<Notes>,
    /// Members that the map does not know.
    pub drift: u64,
    /// Protected leaves.
    pub protected: u64,
    /// The pseudonyms it shows of records with an id.
    pub pseudonyms: Vec<Pseudonym>,
    /// The ids of its first records.
    pub named: Vec<SubjectId>,
}

impl Reply {
    /// Reads the complete message `bytes`.
    ///
    /// # Errors
    /// When it is not one that may pass.
    pub fn parse(bytes: &[u8], limits: Limits, expected: Expected<'_>) -> Result<Self, MessageError> {
        check::stand_ins(bytes, limits)?;
        let media = matches!(expected, Expected::Tool { media: true, .. });
        let mut reply = Self { bytes: bytes.to_vec(), parts: Vec::new(), limits, media, failed: false };
        if let Expected::List { shows, .. } = expected {
            reply.keep_tools(shows)?;
        }
        let found = members(&reply.bytes).ok_or(MessageError::NotRpc)?;
        let id = match expected {
            Expected::Tool { id, .. } | Expected::List { id, .. } => Some(id),
            Expected::Other { id } => id,
            Expected::Nothing => None,
        };
        let asks = found.iter().any(|member| member.name == "method");
        for member in &found {
            match (member.name.as_str(), expected) {
                ("jsonrpc", _) if reply.raw(&member.value) == b"\"2.0\"" => {}
                ("id", _) if id.is_some_and(|id| id.as_bytes() == reply.raw(&member.value)) => {}
                ("result", Expected::Tool { .. }) if !asks => reply.result(&member.value),
                ("result", Expected::Nothing) if !asks => return Ok(reply.unasked(&found)),
                _ => reply.part(&member.value, Part::Other),
            }
        }
        Ok(reply)
    }

    /// What opening its stored values takes.
    ///
    /// # Errors
    /// When a document in it is not what may pass.
    pub fn needs(&self, plan: &Arc<Plan>) -> Result<Needs, RewriteError> {
        let mut all = Needs::default();
        for document in self.documents() {
            let Some(mut collector) = Collector::new(plan) else { break };
            let Needs { subjects, tokens, records } = collector.push(document)?;
            all.subjects.extend(subjects);
            all.tokens.extend(tokens);
            all.records.extend(records);
        }
        Ok(all)
    }

    /// Shows it.
    ///
    /// # Errors
    /// When a document in it is not what may pass, or a budget is used up.
    pub fn show(&self, seen: &Seen<'_>) -> Result<Answered, RewriteError> {
        let mut answered = Answered::default();
        let mut shown = Vec::new();
        for document in self.documents() {
            shown.push(self.document(document, seen, &mut answered)?);
        }
        // A record that a budget masks is masked in the texts next to it as well.
        let capped = answered.sightings.iter().any(|sighting| !sighting.capped.is_empty());
        let masked = || Plan { views: seen.tool.views.at_most(crate::model::View::Mask), ..(**seen.tool).clone() };
        let tool = if capped { Arc::new(masked()) } else { Arc::clone(seen.tool) };
        let mut hidden: Vec<Hidden> = Vec::new();
        for document in self.documents() {
            let kept = kept(&tool, document, seen.answers)?;
            hidden.extend(kept.hidden);
            answered.pseudonyms.extend(kept.pseudonyms);
        }
        let opened = seen.opened.iter().map(|(value, shown)| Hidden {
            value: value.clone(),
            shown: shown.clone(),
            known: Known::Classified,
        });
        hidden.extend(opened);
        let twin = Twin::new(hidden.iter());
        let other = Other::new(seen.other, &twin);
        let (mut kept, mut shown) = (0, shown.into_iter());
        for (span, part) in &self.parts {
            answered.bytes.extend_from_slice(self.raw(&(kept..span.start)));
            kept = span.end;
            match part {
                Part::Document => answered.bytes.extend(shown.next().unwrap_or_default()),
                Part::Text(documents) => {
                    let texts: Vec<String> = shown.by_ref().take(documents.len()).map(text).collect();
                    quote(&texts.join("\n"), &mut answered.bytes);
                }
                Part::Prose(prose) => {
                    let (replaced, sighting) = twin.prose(&tool, prose);
                    answered.sightings.extend(sighting);
                    match replaced {
                        Some(replaced) => quote(&replaced, &mut answered.bytes),
                        None => answered.bytes.extend_from_slice(self.raw(span)),
                    }
                }
                Part::Place(at) => quote(place(at, &twin, &tool), &mut answered.bytes),
                Part::Other => {
                    let mut view = ResponseView::new(other.of(self.raw(span)));
                    view.push(self.raw(span), &mut answered.bytes)?;
                    answered.protected += view.protected_leaves();
                    answered.sightings.extend(view.finish(&mut answered.bytes)?);
                }
                Part::Withheld(instead) => answered.bytes.extend_from_slice(instead),
                Part::Blob(at) => {
                    answered.bytes.extend_from_slice(br#"{"uri":"#);
                    quote(place(at.as_deref().unwrap_or(NOWHERE), &twin, &tool), &mut answered.bytes);
                    answered.bytes.extend_from_slice(br#","mimeType":"text/plain","text":"#);
                    quote("[blob •••]", &mut answered.bytes);
                    answered.bytes.push(b'}');
                }
            }
        }
        answered.bytes.extend_from_slice(self.raw(&(kept..self.bytes.len())));
        answered.sightings = merged(std::mem::take(&mut answered.sightings));
        Ok(answered)
    }

    fn document(&self, document: &[u8], seen: &Seen<'_>, answered: &mut Answered) -> Result<Vec<u8>, RewriteError> {
        let mut view = ResponseView::new(Arc::clone(seen.tool));
        if let Some(gate) = &seen.gate {
            view = view.gated(Arc::clone(gate));
        }
        if seen.finds {
            view = view.finding();
        }
        view.name_records(seen.names);
        view.answer(seen.answers.clone());
        let mut out = Vec::with_capacity(document.len());
        view.push(document, &mut out)?;
        answered.notes.push(view.take_notes());
        answered.drift += view.take_drift();
        answered.protected += view.protected_leaves();
        if answered.named.is_empty() {
            answered.named = view.named_records().to_vec();
        }
        answered.sightings.extend(view.finish(&mut out)?);
        Ok(out)
    }

    /// Every document, in order of the parts.
    fn documents(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().flat_map(|(span, part)| -> Vec<&[u8]> {
            match part {
                Part::Document => vec![self.raw(span)],
                Part::Text(documents) => documents.iter().map(String::as_bytes).collect(),
                _ => Vec::new(),
            }
        })
    }

    fn raw(&self, span: &Range<usize>) -> &[u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }

    fn part(&mut self, span: &Range<usize>, part: Part) {
        self.parts.push((span.clone(), part));
    }

    /// Something that has a place in the map, unless the tool failed: then nobody knows what it is.
    fn described(&mut self, span: &Range<usize>) {
        self.part(span, if self.failed { Part::Other } else { Part::Document });
    }

    /// Members of the object at `span`, at their places in the message.
    fn inner(&self, span: &Range<usize>) -> Option<Vec<(String, Range<usize>)>> {
        let found = members(self.raw(span))?;
        let shifted = |at: Range<usize>| span.start + at.start..span.start + at.end;
        Some(found.into_iter().map(|member| (member.name, shifted(member.value))).collect())
    }

    fn result(&mut self, span: &Range<usize>) {
        let Some(found) = self.inner(span) else { return self.part(span, Part::Document) };
        self.failed = found.iter().any(|(name, at)| name == "isError" && self.raw(at) == b"true");
        for (name, at) in found {
            match name.as_str() {
                "isError" if matches!(self.raw(&at), b"true" | b"false") => {}
                "content" => match elements(self.raw(&at)) {
                    Some(items) => {
                        items.into_iter().for_each(|item| self.item(&(at.start + item.start..at.start + item.end)));
                    }
                    None => self.described(&at),
                },
                _ => self.described(&at),
            }
        }
    }

    /// An item of `content`.
    fn item(&mut self, span: &Range<usize>) {
        let Some(found) = self.inner(span) else { return self.part(span, withheld("content")) };
        let kind = found.iter().find(|(name, _)| name == "type").and_then(|(_, at)| string(self.raw(at)));
        let kind = kind.unwrap_or_default();
        match kind.as_str() {
            "image" | "audio" if !self.media => return self.part(span, withheld(&kind)),
            "text" | "image" | "audio" | "resource" | "resource_link" => {}
            _ => return self.part(span, withheld("content")),
        }
        for (name, at) in found {
            match (name.as_str(), kind.as_str()) {
                ("type", _) | ("data", "image" | "audio") => {}
                ("text", "text") => self.text(&at),
                ("resource", "resource") => self.resource(&at),
                ("uri", "resource_link") => self.at(&at),
                ("name" | "title" | "description", "resource_link") => self.prose(&at),
                ("mimeType" | "annotations" | "size" | "icons", _) => self.part(&at, Part::Other),
                _ => self.described(&at),
            }
        }
    }

    fn resource(&mut self, span: &Range<usize>) {
        let Some(found) = self.inner(span) else { return self.described(span) };
        let has_blob = found.iter().any(|(name, _)| name == "blob");
        if has_blob && !self.media {
            let place = found.iter().find(|(name, _)| name == "uri").and_then(|(_, at)| string(self.raw(at)));
            return self.part(span, Part::Blob(place));
        }
        for (name, at) in found {
            match name.as_str() {
                "uri" => self.at(&at),
                "text" => self.text(&at),
                "blob" => {}
                "name" | "title" | "description" => self.prose(&at),
                "mimeType" | "annotations" | "size" => self.part(&at, Part::Other),
                _ => self.described(&at),
            }
        }
    }

    fn at(&mut self, span: &Range<usize>) {
        match string(self.raw(span)) {
            Some(place) => self.part(span, Part::Place(place)),
            None => self.described(span),
        }
    }

    fn prose(&mut self, span: &Range<usize>) {
        match string(self.raw(span)) {
            _ if self.failed => self.part(span, Part::Other),
            Some(text) => self.part(span, Part::Prose(text)),
            None => self.described(span),
        }
    }

    /// A text: records as JSON, one or one in each line; what starts like JSON and is none cannot be read.
    fn text(&mut self, span: &Range<usize>) {
        let Some(text) = string(self.raw(span)).filter(|_| !self.failed) else { return self.described(span) };
        if !text.trim_start().starts_with(['{', '[']) {
            return self.part(span, Part::Prose(text));
        }
        let sound = |text: &str| check::stand_ins(text.as_bytes(), self.limits).is_ok();
        let lines = || text.lines().filter(|line| !line.trim().is_empty());
        let part = if sound(&text) {
            Part::Text(vec![text])
        } else if lines().all(|line| line.trim_start().starts_with(['{', '[']) && sound(line)) {
            Part::Text(lines().map(str::to_owned).collect())
        } else {
            Part::Withheld(quoted("[text •••]"))
        };
        self.part(span, part);
    }

    /// Takes the tools out of a list that the caller may not see.
    fn keep_tools(&mut self, shows: &dyn Fn(&str) -> bool) -> Result<(), MessageError> {
        let of = |found: Option<Vec<(String, Range<usize>)>>, name: &str| {
            found.into_iter().flatten().find(|(known, _)| known == name).map(|(_, at)| at)
        };
        let Some(result) = of(self.inner(&(0..self.bytes.len())), "result") else { return Ok(()) };
        let Some(tools) = of(self.inner(&result), "tools") else { return Ok(()) };
        let items = elements(self.raw(&tools)).ok_or(MessageError::NotRpc)?;
        let mut list = vec![b'['];
        for item in items {
            let item = tools.start + item.start..tools.start + item.end;
            let name = of(self.inner(&item), "name").and_then(|at| string(self.raw(&at)));
            if name.is_some_and(|name| shows(&name)) {
                if list.len() > 1 {
                    list.push(b',');
                }
                list.extend_from_slice(self.raw(&item));
            }
        }
        list.push(b']');
        self.bytes.splice(tools, list);
        Ok(())
    }

    /// An answer that nobody here asked for: what it answers is all that is left of it.
    fn unasked(self, found: &[Member]) -> Self {
        let id = found.iter().find(|member| member.name == "id");
        let id = id.map_or(&b"null"[..], |id| self.raw(&id.value)).to_vec();
        let message = "an answer on a stream of its own is withheld; send the request again";
        let mut bytes = br#"{"jsonrpc":"2.0","id":"#.to_vec();
        let at = bytes.len()..bytes.len() + id.len();
        bytes.extend(id);
        bytes.extend_from_slice(br#","error":{"code":-32000,"message":"#);
        quote(message, &mut bytes);
        bytes.extend_from_slice(b"}}");
        Self { bytes, parts: vec![(at, Part::Other)], ..self }
    }
}

/// The place of a resource, unless it says what records hide or detectors find.
fn place<'p>(place: &'p str, twin: &Twin, plan: &Plan) -> &'p str {
    let says = twin.replaced(place).is_some() || twin.is_hinted(place);
    if says || carries_personal(&plan.tools, &[], place) { NOWHERE } else { place }
}

/// A text item in the place of one that cannot be read.
fn withheld(kind: &str) -> Part {
    let mut instead = br#"{"type":"text","text":"#.to_vec();
    quote(&format!("[{kind} •••]"), &mut instead);
    instead.push(b'}');
    Part::Withheld(instead)
}

fn quoted(text: &str) -> Vec<u8> {
    let mut token = Vec::with_capacity(text.len() + 2);
    quote(text, &mut token);
    token
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// Stands for a place that may not be named (RFC 2606 §2).
const NOWHERE: &str = "withheld://gateway.invalid/";
