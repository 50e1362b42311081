//! A response that is complete in; what of it is hidden from the caller, and which pseudonym stands for which field of which
//! record, out. Nothing is rewritten.

use std::sync::Arc;

use super::{
    Plan, RewriteError, base64,
    leaf::{self, UNKNOWN_TEXT, Viewer},
    standing::Standing,
    stored, view,
};
use crate::{
    formats::{
        Edit, Handler, Out, Side, Stream, Trace,
        json::{Splicer, quote},
        path::Node,
    },
    model::{ClassId, Leaf, Sensitive, SubjectId, View},
    protect::Answers,
};

/// A pseudonym in the place of a field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudonym {
    /// The record's id.
    pub record: SubjectId,
    /// The field's class.
    pub class: ClassId,
    /// The field, from its record on: `$.emails[0].value`.
    pub field: String,
    /// What the caller sees.
    pub shown: String,
    /// What the CRM holds, as a JSON value; a stored value in clear.
    pub value: Sensitive<String>,
}

/// A value that the caller does not see, and what it sees instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The text of the value.
    pub value: Sensitive<String>,
    /// What stands for it.
    pub shown: String,
    /// Whether a map calls it personal, or nobody knows it.
    pub known: Known,
}

/// Why a value is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is somebody's name: each of its words is.
    Name,
    /// The map gives it a class.
    Classified,
    /// A closed object does not know it.
    Unknown,
}

/// What one document keeps from the caller.
#[derive(Debug, Default)]
pub struct Kept {
    /// Every value.
    pub hidden: Vec<Hidden>,
    /// The pseudonyms of records that have an id.
    pub pseudonyms: Vec<Pseudonym>,
}

/// What the view of the complete `document` keeps from the caller, with what the vault said to its needs.
///
/// # Errors
/// When `document` is not a JSON text that may pass.
pub fn kept(plan: &Arc<Plan>, document: &[u8], answers: &Answers) -> Result<Kept, RewriteError> {
    let mut reader = Reader {
        plan,
        answers,
        viewer: Viewer::new(plan),
        standing: Standing::default(),
        open: vec![Open::default()],
        kept: Kept::default(),
        unnamed: Vec::new(),
    };
    let mut lexer = Splicer::new(Arc::clone(&plan.layout.paths), plan.limits);
    let mut out = zeroize::Zeroizing::new(Vec::with_capacity(document.len()));
    lexer.push(document, &mut out, &mut reader)?;
    lexer.finish(&mut out, &mut reader)?;
    reader.close(plan.subject.as_ref());
    Ok(reader.kept)
}

/// An open record.
#[derive(Debug, Default)]
struct Open {
    id: Option<String>,
    /// It has two ids: nobody can say whose its fields are.
    ambiguous: bool,
    /// Its first pseudonym in [`Reader::unnamed`].
    from: usize,
}

struct Reader<'a> {
    plan: &'a Plan,
    answers: &'a Answers,
    viewer: Viewer,
    standing: Standing,
    open: Vec<Open>,
    kept: Kept,
    /// Pseudonyms of open records, whose ids may still come.
    unnamed: Vec<Pseudonym>,
}

impl Handler for Reader<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let (Leaf::Text(text) | Leaf::Number(text)) = leaf else { return Ok(Edit::Keep) };
        if node.is_subject()
            && let Some(open) = self.open.last_mut()
        {
            open.ambiguous |= open.id.as_ref().is_some_and(|known| known != text);
            open.id = Some(text.to_owned());
        }
        if node.is_unknown() {
            self.hide(text, UNKNOWN_TEXT.to_owned(), Known::Unknown);
        } else if !text.is_empty() {
            self.field(node, leaf, text);
        }
        Ok(Edit::Keep)
    }

    fn record(&mut self, side: Side, _at: u64) {
        match side {
            Side::Start => self.open.push(Open { from: self.unnamed.len(), ..Open::default() }),
            Side::End => self.close(None),
        }
        self.standing.record(side);
    }

    fn trace(&mut self, event: Trace<'_>) {
        self.standing.trace(event);
    }
}

impl Reader<'_> {
    fn field(&mut self, node: &Node, leaf: Leaf<'_>, text: &str) {
        let plan = self.plan;
        let Some(choice) = leaf::strictest(plan, view::rules(&plan.layout, node)) else { return };
        let decoded = if choice.rule.base64 { base64::decode(text) } else { None };
        let (text, encoded) = decoded.as_ref().map_or((text, false), |decoded| (decoded.expose().as_str(), true));
        let stored = plan.tools.store.as_ref().and_then(|store| Some((store, store.recognise(text)?)));
        let (choice, opened) = match stored {
            Some((store, stored)) => {
                let record = self.open.last().and_then(|open| open.id.as_deref());
                let record = record.or(plan.subject.as_ref().map(|id| id.expose().as_str()));
                // What cannot be opened is shown to nobody, and says nothing in its stored form.
                let Ok(opened) = store.open(&plan.tools.classes, &stored, text, self.answers, record) else { return };
                let Some((choice, _)) = stored::stricter(plan, choice, opened.class) else { return };
                (choice, Some(opened.text))
            }
            None if plan.tools.store.is_some() => (self.viewer.legacy(plan, choice), None),
            None => (choice, None),
        };
        let value = opened.as_ref().map_or(text, |opened| opened.expose().as_str());
        let Some(class) = plan.tools.classes.get(choice.rule.class) else { return };
        if choice.view == View::Reveal || value.is_empty() {
            return;
        }
        let mut shown = String::new();
        plan.tools.protector.span(class, choice.view, value, &mut shown);
        let known = if class.mask == crate::model::MaskStyle::Name { Known::Name } else { Known::Classified };
        if choice.view == View::Pseudonym && !encoded && !choice.rule.free_text {
            let token = match leaf {
                Leaf::Number(number) if opened.is_none() => number.as_bytes().to_vec(),
                _ => {
                    let mut token = Vec::with_capacity(value.len() + 2);
                    quote(value, &mut token);
                    token
                }
            };
            self.unnamed.push(Pseudonym {
                record: SubjectId::default(),
                class: choice.rule.class,
                field: self.standing.field(),
                shown: shown.clone(),
                value: Sensitive::new(String::from_utf8(token).unwrap_or_default()),
            });
        }
        self.hide(value, shown, known);
    }

    fn hide(&mut self, value: &str, shown: String, known: Known) {
        self.kept.hidden.push(Hidden { value: Sensitive::new(value.to_owned()), shown, known });
    }

    /// The innermost record ends; one without an id of its own is `otherwise`.
    fn close(&mut self, otherwise: Option<&SubjectId>) {
        let Some(open) = self.open.pop() else { return };
        let own = open.id.map(Sensitive::new);
        let id = if open.ambiguous { None } else { own.as_ref().or(otherwise) };
        for mut pseudonym in self.unnamed.drain(open.from.min(self.unnamed.len())..) {
            if let Some(id) = id {
                pseudonym.record = id.clone();
                self.kept.pseudonyms.push(pseudonym);
            }
        }
    }
}
