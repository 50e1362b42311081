//! A guarded request body on its way to the CRM: what it writes of protected classes, and the same body in stored form.

use std::collections::HashMap;

use super::{Needs, Plan, RewriteError, base64, leaf, place::Place, view};
use crate::{
    formats::{Edit, Handler, Out, Side, Stream, Trace, path::Node},
    model::{Class, ClassId, Leaf, Mode, Sensitive, SubjectId, SubjectRef, TokenShape},
    protect::{self, Answers, Store, Stored, SubjectKey, Unstorable},
};

/// A value that needs a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAsk {
    /// Its class.
    pub class: ClassId,
    /// The shape the class's tokens have.
    pub shape: TokenShape,
    /// The value as it was written.
    pub text: Sensitive<String>,
}

/// One record that a body writes.
#[derive(Debug, Default)]
pub struct WrittenRecord {
    /// Its id, when the body names it.
    pub id: Option<SubjectId>,
    /// Whether it needs a data subject: something is sealed for it, or a token gets a holder.
    pub needs_subject: bool,
    /// Whether stored forms came in with it: they may go on when they are its own.
    pub holds_stored: bool,
    /// The values that need tokens.
    pub tokens: Vec<TokenAsk>,
}

/// What a body writes.
#[derive(Debug, Default)]
pub struct Writes {
    /// In the order in which their records start; the first is the document itself.
    pub records: Vec<WrittenRecord>,
    /// Stored forms that came in from outside, to be checked.
    pub needs: Needs,
}

impl Writes {
    /// Whether nothing of the body is stored in another form.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.needs.is_empty() && self.records.iter().all(|record| !record.needs_subject && record.tokens.is_empty())
    }
}

/// What the vault gave for one record.
#[derive(Debug, Default)]
pub struct RecordKeys {
    /// The subject's key.
    pub subject: Option<SubjectKey>,
    /// By class and text.
    pub tokens: HashMap<(ClassId, String), String>,
}

/// A body in stored form.
#[derive(Debug, Default)]
pub struct SealedBody {
    /// For the CRM.
    pub body: Vec<u8>,
    /// The stored forms: an error body must not echo them either.
    pub known: Vec<Sensitive<String>>,
}

/// What the complete `body` writes.
///
/// # Errors
/// When it is not a JSON text that may pass.
pub fn written(plan: &Plan, body: &[u8]) -> Result<Writes, RewriteError> {
    let Some(store) = &plan.tools.store else { return Ok(Writes::default()) };
    let mut reader = Reader { plan, store, records: Records::default(), writes: Writes::default() };
    reader.writes.records.push(WrittenRecord::default());
    run(plan, body, &mut reader)?;
    Ok(reader.writes)
}

/// The complete `body` in stored form; `keys` has one entry for each of [`Writes::records`], `answers` what the checks need.
///
/// # Errors
/// When a value does not fit its column, cannot be stored in its form, or is a stored form of somewhere else.
pub fn seal(
    plan: &Plan,
    body: &[u8],
    keys: &[RecordKeys],
    answers: &Answers,
    owner: Option<SubjectRef>,
) -> Result<SealedBody, RewriteError> {
    let Some(store) = &plan.tools.store else {
        return Ok(SealedBody { body: body.to_vec(), known: Vec::new() });
    };
    let mut sealer = Sealer {
        plan,
        store,
        keys,
        answers,
        owner,
        records: Records::default(),
        place: Place::default(),
        known: Vec::new(),
        refused: Refused::default(),
    };
    let body = run(plan, body, &mut sealer)?;
    let Sealer { known, refused, .. } = sealer;
    match refused {
        Refused { injected, .. } if !injected.is_empty() => Err(RewriteError::Injected { fields: injected }),
        Refused { too_long, .. } if !too_long.is_empty() => Err(RewriteError::TooLong { fields: too_long }),
        Refused { unstorable, .. } if !unstorable.is_empty() => Err(RewriteError::Unstorable { fields: unstorable }),
        Refused { missing: true, .. } => Err(RewriteError::NoKey),
        _ => Ok(SealedBody { body, known }),
    }
}

fn run<H: Handler<Error = RewriteError>>(plan: &Plan, body: &[u8], handler: &mut H) -> Result<Vec<u8>, RewriteError> {
    let mut reader = plan.layout.reader(plan.limits);
    let mut out = Vec::with_capacity(body.len() + body.len() / 2);
    reader.push(body, &mut out, handler)?;
    reader.finish(&mut out, handler)?;
    Ok(out)
}

/// Which record of the body is being read.
#[derive(Debug)]
struct Records {
    started: usize,
    open: Vec<usize>,
}

impl Default for Records {
    fn default() -> Self {
        Self { started: 0, open: vec![0] }
    }
}

impl Records {
    fn turn(&mut self, side: Side) {
        match side {
            Side::Start => {
                self.started += 1;
                self.open.push(self.started);
            }
            Side::End => {
                self.open.pop();
            }
        }
    }

    fn current(&self) -> usize {
        self.open.last().copied().unwrap_or_default()
    }
}

/// The class that `node` is stored as, when that is not clear.
fn stored_class<'p>(plan: &'p Plan, node: &Node) -> Option<(ClassId, &'p Class, super::layout::Rule)> {
    let rule = leaf::stored_as(view::rules(&plan.layout, node))?;
    Some((rule.class, plan.tools.classes.get(rule.class)?, rule))
}

struct Reader<'a> {
    plan: &'a Plan,
    store: &'a Store,
    records: Records,
    writes: Writes,
}

impl Handler for Reader<'_> {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let Some(record) = self.writes.records.get_mut(self.records.current()) else { return Ok(Edit::Keep) };
        if node.is_subject()
            && let Leaf::Text(id) | Leaf::Number(id) = leaf
            && !id.is_empty()
        {
            record.id.get_or_insert_with(|| Sensitive::new(id.to_owned()));
        }
        if node.fields().is_empty() {
            return Ok(Edit::Keep);
        }
        let Leaf::Text(text) = leaf else { return Ok(Edit::Keep) };
        match self.store.recognise(text) {
            Some(Stored::Sealed(envelope)) => {
                record.holds_stored = true;
                self.writes.needs.subjects.extend(envelope.subject());
            }
            Some(Stored::Token) => {
                record.holds_stored = true;
                self.writes.needs.tokens.insert(text.to_owned());
            }
            Some(Stored::Broken(_)) => {}
            None => {
                let Some((id, class, _)) = stored_class(self.plan, node) else { return Ok(Edit::Keep) };
                record.needs_subject |= class.storage.needs_vault();
                if let (Mode::Token(shape), false) = (class.storage.mode, text.is_empty()) {
                    let ask = TokenAsk { class: id, shape, text: Sensitive::new(text.to_owned()) };
                    if !record.tokens.contains(&ask) {
                        record.tokens.push(ask);
                    }
                }
            }
        }
        Ok(Edit::Keep)
    }

    fn record(&mut self, side: Side, _at: u64) {
        self.records.turn(side);
        if side == Side::Start {
            self.writes.records.push(WrittenRecord::default());
        }
    }
}

/// Fields that cannot be written, by reason.
#[derive(Debug, Default)]
struct Refused {
    injected: Vec<String>,
    too_long: Vec<String>,
    unstorable: Vec<String>,
    missing: bool,
}

struct Sealer<'a> {
    plan: &'a Plan,
    store: &'a Store,
    keys: &'a [RecordKeys],
    answers: &'a Answers,
    /// The subject of the record that the path names.
    owner: Option<SubjectRef>,
    records: Records,
    place: Place,
    known: Vec<Sensitive<String>>,
    refused: Refused,
}

impl Sealer<'_> {
    /// Whether a stored form that came in from outside may go on: of the same class, and of the very record it is written to
    /// (field-protection.md §9).
    fn is_round_trip(&self, node: &Node, stored: &Stored, text: &str) -> bool {
        let owner = self.keys.get(self.records.current()).and_then(|keys| keys.subject.as_ref());
        let owner = owner.map(SubjectKey::reference).or(self.owner);
        let same_class = |class: ClassId| view::rules(&self.plan.layout, node).any(|rule| rule.class == class);
        match self.store.open_anywhere(&self.plan.tools.classes, stored, text, self.answers) {
            Err(_) => false,
            Ok(opened) => {
                let own = match (opened.subject, stored) {
                    (Some(subject), _) => owner == Some(subject),
                    (None, Stored::Token) => owner.is_some_and(|owner| protect::holds(self.answers, text, owner)),
                    // Sealed for the whole class: it cannot be told whose it is.
                    (None, _) => false,
                };
                same_class(opened.class) && own
            }
        }
    }

    fn sealed(&mut self, id: ClassId, class: &Class, rule: super::layout::Rule, text: &str) -> Option<String> {
        let keys = self.keys.get(self.records.current());
        let stored = match class.storage.mode {
            Mode::Token(_) => keys
                .and_then(|keys| keys.tokens.get(&(id, text.to_owned())))
                .cloned()
                .ok_or(Unstorable::NoMaterial)
                .and_then(|token| protect::fits(&token, rule.column).map(|()| token)),
            _ => self.store.seal(class, text, keys.and_then(|keys| keys.subject.as_ref()), rule.column),
        };
        match stored {
            Ok(stored) => Some(stored),
            Err(Unstorable::TooLong { needed, limit }) => {
                let path = self.place.path();
                self.refused.too_long.push(format!("{path} ({needed} of {limit} characters)"));
                None
            }
            Err(_) => {
                self.refused.missing = true;
                None
            }
        }
    }
}

impl Handler for Sealer<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        if node.fields().is_empty() {
            return Ok(Edit::Keep);
        }
        let text = match leaf {
            Leaf::Text(text) => text,
            Leaf::Null => return Ok(Edit::Keep),
            Leaf::Number(_) | Leaf::Bool(_) => {
                // A sealed number would come back as a text: the CRM's column, or its clients, could not take it.
                if stored_class(self.plan, node).is_some() {
                    self.refused.unstorable.push(self.place.path());
                }
                return Ok(Edit::Keep);
            }
        };
        if let Some(stored) = self.store.recognise(text) {
            if !self.is_round_trip(node, &stored, text) {
                self.refused.injected.push(self.place.path());
            }
            return Ok(Edit::Keep);
        }
        let Some((id, class, rule)) = stored_class(self.plan, node) else { return Ok(Edit::Keep) };
        if text.is_empty() && matches!(class.storage.mode, Mode::Token(_) | Mode::Det) {
            return Ok(Edit::Keep);
        }
        let decoded = if rule.base64 { base64::decode(text) } else { None };
        if rule.base64 && decoded.is_none() {
            self.refused.unstorable.push(self.place.path());
            return Ok(Edit::Keep);
        }
        let clear = decoded.as_ref().map_or(text, |decoded| decoded.expose().as_str());
        let Some(stored) = self.sealed(id, class, rule, clear) else { return Ok(Edit::Keep) };
        if rule.base64 {
            out.exact(&base64::encode(&stored, text));
        } else {
            out.exact(&stored);
        }
        self.known.push(Sensitive::new(stored));
        Ok(Edit::Replaced)
    }

    fn record(&mut self, side: Side, _at: u64) {
        self.records.turn(side);
    }

    fn trace(&mut self, event: Trace<'_>) {
        self.place.trace(event);
    }
}
