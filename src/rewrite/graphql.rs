//! The answer to a GraphQL request in; what the caller may see of it out. Names that the caller gave to fields are undone before a
//! layout is followed, and given back after: how a document is written makes no difference to what is shown.

use std::{
    ops::Range,
    sync::{Arc, LazyLock},
};

use super::{
    Collector, Gate, Hidden, Layout, Needs, Notes, Plan, ResponseView, RewriteError, check, kept,
    mcp::MessageError,
    merged,
    twin::{Other, Twin},
};
use crate::{
    formats::{
        Edit, Handler, Limits, Out, Stream, Trace,
        json::{
            Splicer,
            spans::{elements, members},
        },
        path::{Node, Paths},
    },
    model::{BodyMap, ClassTable, Leaf, Selection, Sighting, SubjectId},
    protect::Answers,
};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    parts: Vec<(Range<usize>, Part)>,
}

#[derive(Debug)]
enum Part {
    /// The value of a root, with the names of the schema.
    Root { root: usize, document: Canonical },
    /// What no map describes, and people read.
    Other,
    /// What no map describes, and programs read: it can be anything.
    Strange,
    /// What nobody asked for.
    Unasked,
}

/// Of what can be anything, only the codes of errors are shown.
static STRANGE: LazyLock<Arc<Layout>> = LazyLock::new(|| {
    let codes = ["$.code", "$.errorCode", "$.classification", "$.statusCode"];
    let map = BodyMap {
        closed: "$".parse().into_iter().collect(),
        plain: codes.into_iter().flat_map(str::parse).collect(),
        ..BodyMap::default()
    };
    // Nothing in it names a class, so it is the same for every configuration.
    Arc::new(
        Layout::compile(&map, &ClassTable::default()).unwrap_or_else(|_| Layout::catch_all(&ClassTable::default())),
    )
});

/// A document with the names of the schema, and what the answer calls each of them, in order.
#[derive(Debug)]
struct Canonical {
    bytes: Vec<u8>,
    names: Vec<(String, String)>,
}

/// How one root is shown.
pub struct Shown {
    /// Its records.
    pub plan: Arc<Plan>,
    /// What the vault said.
    pub answers: Answers,
    /// Who may still be seen in full.
    pub gate: Option<Arc<dyn Gate>>,
    /// The caller searches.
    pub finds: bool,
}

/// What an answer shows.
#[derive(Debug, Default)]
pub struct Seen {
    /// The answer.
    pub bytes: Vec<u8>,
    /// What each root shows, by record, in order of the roots.
    pub roots: Vec<SeenRoot>,
    /// What everything else shows.
    pub other: Vec<Sighting>,
}

/// What a root shows.
#[derive(Debug, Default)]
pub struct SeenRoot {
    /// By record.
    pub sightings: Vec<Sighting>,
    /// What was met among stored values.
    pub notes: Vec<Notes>,
    /// Members that the map does not know.
    pub drift: u64,
    /// Protected leaves.
    pub protected: u64,
    /// The ids of its first records.
    pub named: Vec<SubjectId>,
}

impl Answer {
    /// Reads the complete answer `bytes`; `roots` are the response keys that lead to each root from `data` on, and `selection`
    /// is what they stand for.
    ///
    /// # Errors
    /// When it is not one that may pass.
    pub fn parse(
        bytes: &[u8],
        limits: Limits,
        roots: &[Vec<String>],
        selection: &Selection,
    ) -> Result<Self, MessageError> {
        check::stand_ins(bytes, limits)?;
        let mut answer = Self { bytes: bytes.to_vec(), parts: Vec::new() };
        let found = members(bytes).ok_or(MessageError::NotGraphQl)?;
        for member in found {
            match member.name.as_str() {
                "data" => answer.data(&member.value, limits, (roots, &mut Vec::new()), selection)?,
                "errors" => answer.errors(&member.value),
                _ => answer.parts.push((member.value, Part::Strange)),
            }
        }
        Ok(answer)
    }

    /// Errors (specification §7.1.2): a text, where it is in the document and in the answer, and anything at all.
    fn errors(&mut self, span: &Range<usize>) {
        let Some(found) = elements(self.raw(span)) else { return self.parts.push((span.clone(), Part::Strange)) };
        for error in found {
            let at = span.start + error.start..span.start + error.end;
            let Some(found) = members(self.raw(&at)) else {
                self.parts.push((at, Part::Strange));
                continue;
            };
            for member in found {
                let part = match member.name.as_str() {
                    "message" | "locations" | "path" => Part::Other,
                    _ => Part::Strange,
                };
                self.parts.push((at.start + member.value.start..at.start + member.value.end, part));
            }
        }
    }

    fn data(
        &mut self,
        span: &Range<usize>,
        limits: Limits,
        (roots, keys): (&[Vec<String>], &mut Vec<String>),
        selection: &Selection,
    ) -> Result<(), MessageError> {
        let Some(found) = members(self.raw(span)) else {
            if self.raw(span) != b"null" {
                self.parts.push((span.clone(), Part::Unasked));
            }
            return Ok(());
        };
        for member in found {
            let at = span.start + member.value.start..span.start + member.value.end;
            let Some(selected) = selection.keys.get(&member.name) else {
                self.parts.push((at, Part::Unasked));
                continue;
            };
            keys.push(member.name);
            if let Some(root) = roots.iter().position(|root| root == keys) {
                let document = canonical(self.raw(&at), limits, &selected.inner)?;
                self.parts.push((at, Part::Root { root, document }));
            } else if roots.iter().any(|root| root.starts_with(keys)) {
                self.data(&at, limits, (roots, keys), &selected.inner)?;
            } else if selected.field != "__typename" || self.raw(&at).first() != Some(&b'"') {
                self.parts.push((at, Part::Unasked));
            }
            keys.pop();
        }
        Ok(())
    }

    /// What opening the stored values of root number `root` takes.
    ///
    /// # Errors
    /// When it is not what may pass.
    pub fn needs(&self, root: usize, plan: &Arc<Plan>) -> Result<Needs, RewriteError> {
        let mut all = Needs::default();
        for (_, part) in &self.parts {
            let Part::Root { root: of, document } = part else { continue };
            if let (true, Some(mut collector)) = (*of == root, Collector::new(plan)) {
                let Needs { subjects, tokens, records } = collector.push(&document.bytes)?;
                all.subjects.extend(subjects);
                all.tokens.extend(tokens);
                all.records.extend(records);
            }
        }
        Ok(all)
    }

    /// Shows it; `roots` say how, in the order in which they were given, and `other` says so for everything else.
    ///
    /// # Errors
    /// When a document in it is not what may pass, or a budget is used up.
    pub fn show(&self, roots: &[Shown], other: &Arc<Plan>) -> Result<Seen, RewriteError> {
        let mut seen = Seen { roots: roots.iter().map(|_| SeenRoot::default()).collect(), ..Seen::default() };
        let (mut shown, mut hidden) = (Vec::new(), Vec::<Hidden>::new());
        for (_, part) in &self.parts {
            let Part::Root { root, document } = part else { continue };
            let (Some(how), Some(what)) = (roots.get(*root), seen.roots.get_mut(*root)) else {
                return Err(RewriteError::NoKey);
            };
            shown.push(renamed(&viewed(document, how, what)?, how.plan.limits, &document.names)?);
            hidden.extend(kept(&how.plan, &document.bytes, &how.answers)?.hidden);
        }
        let twin = Twin::new(hidden.iter());
        let strange = Arc::new(Plan { layout: Arc::clone(&STRANGE), ..(**other).clone() });
        let other = Other::new(other, &twin);
        let (mut kept, mut shown) = (0, shown.into_iter());
        for (span, part) in &self.parts {
            seen.bytes.extend_from_slice(self.raw(&(kept..span.start)));
            kept = span.end;
            match part {
                Part::Root { .. } => seen.bytes.extend(shown.next().unwrap_or_default()),
                Part::Unasked => seen.bytes.extend_from_slice(b"null"),
                Part::Other | Part::Strange => {
                    let plan = match part {
                        Part::Other => other.of(self.raw(span)),
                        _ => Arc::clone(&strange),
                    };
                    let mut view = ResponseView::new(plan);
                    view.push(self.raw(span), &mut seen.bytes)?;
                    seen.other.extend(view.finish(&mut seen.bytes)?);
                }
            }
        }
        seen.bytes.extend_from_slice(self.raw(&(kept..self.bytes.len())));
        seen.other = merged(std::mem::take(&mut seen.other));
        for root in &mut seen.roots {
            root.sightings = merged(std::mem::take(&mut root.sightings));
        }
        Ok(seen)
    }

    fn raw(&self, span: &Range<usize>) -> &[u8] {
        self.bytes.get(span.clone()).unwrap_or_default()
    }
}

fn viewed(document: &Canonical, how: &Shown, what: &mut SeenRoot) -> Result<Vec<u8>, RewriteError> {
    let mut view = ResponseView::new(Arc::clone(&how.plan));
    if let Some(gate) = &how.gate {
        view = view.gated(Arc::clone(gate));
    }
    if how.finds {
        view = view.finding();
    }
    view.answer(how.answers.clone());
    let mut out = Vec::with_capacity(document.bytes.len());
    view.push(&document.bytes, &mut out)?;
    what.notes.push(view.take_notes());
    what.drift += view.take_drift();
    what.protected += view.protected_leaves();
    what.sightings.extend(view.finish(&mut out)?);
    Ok(out)
}

/// `document` with the names of the schema.
fn canonical(document: &[u8], limits: Limits, selection: &Selection) -> Result<Canonical, RewriteError> {
    let mut reader = Resolving { next: Some(selection), open: Vec::new(), names: Vec::new() };
    let bytes = run(document, limits, &mut reader)?;
    Ok(Canonical { bytes, names: reader.names })
}

/// `document` with the names of the answer again; one that the view withheld stays withheld.
fn renamed(document: &[u8], limits: Limits, names: &[(String, String)]) -> Result<Vec<u8>, RewriteError> {
    run(document, limits, &mut Renaming { names: names.iter() })
}

fn run<H: Handler<Error = RewriteError>>(
    document: &[u8],
    limits: Limits,
    handler: &mut H,
) -> Result<Vec<u8>, RewriteError> {
    let mut lexer = Splicer::new(Arc::new(Paths::everything()), limits);
    let mut out = Vec::with_capacity(document.len());
    lexer.push(document, &mut out, handler)?;
    lexer.finish(&mut out, handler)?;
    Ok(out)
}

struct Resolving<'s> {
    /// What is selected of the value that comes next.
    next: Option<&'s Selection>,
    /// What is selected of each open object, or of the elements of each open array.
    open: Vec<Option<&'s Selection>>,
    names: Vec<(String, String)>,
}

impl Handler for Resolving<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, _node: &Node, _leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        Ok(Edit::Keep)
    }

    fn name(&mut self, name: &str, _at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let selected = self.open.last().copied().flatten().and_then(|open| open.keys.get(name));
        self.next = selected.map(|selected| &selected.inner);
        // A name that was not asked for is nobody's field, whatever it is called.
        let field = selected.map_or_else(|| format!("?{name}"), |selected| selected.field.clone());
        out.text(&field);
        self.names.push((field, name.to_owned()));
        Ok(Edit::Replaced)
    }

    fn trace(&mut self, event: Trace<'_>) {
        match event {
            Trace::Object | Trace::Array => self.open.push(self.next),
            Trace::Element(_) => self.next = self.open.last().copied().flatten(),
            Trace::Close => drop(self.open.pop()),
            Trace::Name { .. } | Trace::End(_) => {}
        }
    }
}

struct Renaming<'n> {
    names: std::slice::Iter<'n, (String, String)>,
}

impl Handler for Renaming<'_> {
    type Error = RewriteError;

    fn leaf(&mut self, _node: &Node, _leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        Ok(Edit::Keep)
    }

    fn name(&mut self, name: &str, _at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        match self.names.next() {
            Some((field, key)) if field == name => {
                out.text(key);
                Ok(Edit::Replaced)
            }
            _ => Ok(Edit::Keep),
        }
    }
}
