//! What a caller writes back in; the same with the real values in the place of pseudonyms that were shown for the same field of
//! the same record out. Everything else that stands for a value is refused.

use std::{collections::HashSet, sync::Arc};

use super::{Plan, RewriteError, standing::Standing, view};
use crate::{
    formats::{
        Edit, Handler, Out, Side, Stream, Trace,
        json::{Splicer, spans},
        path::Node,
    },
    model::{ClassId, Leaf, Sensitive, SubjectId},
    protect,
};

/// A pseudonym that came back.
#[derive(Debug, Clone, Copy)]
pub struct WrittenBack<'a> {
    /// The class of the field it stands in.
    pub class: ClassId,
    /// The field, from its record on.
    pub field: &'a str,
    /// The pseudonym.
    pub text: &'a str,
}

/// A document that may go on to the guard.
#[derive(Debug, Default)]
pub struct Reopened {
    /// With the real values.
    pub body: Vec<u8>,
    /// Each of them, and the pseudonym that the caller knows it by.
    pub values: Vec<(Sensitive<String>, String)>,
}

/// The only id that the complete `document` gives, as the layout of `plan` says.
///
/// # Errors
/// When `document` is not a JSON text that may pass, or gives two different ids.
pub fn subject(plan: &Plan, document: &[u8]) -> Result<Option<SubjectId>, RewriteError> {
    let mut reader = Ids(Vec::new());
    run(plan, document, &mut reader)?;
    reader.0.dedup();
    match reader.0.as_slice() {
        [] => Ok(None),
        [id] => Ok(Some(id.clone())),
        _ => Err(RewriteError::TooManySubjects),
    }
}

struct Ids(Vec<SubjectId>);

impl Handler for Ids {
    type Error = RewriteError;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        if let (true, Leaf::Text(id) | Leaf::Number(id)) = (node.is_subject(), leaf)
            && !id.is_empty()
        {
            self.0.push(Sensitive::new(id.to_owned()));
        }
        Ok(Edit::Keep)
    }
}

/// The complete `document` with the pseudonyms opened for which `value` answers a JSON value. Paths of stand-ins that stand
/// anywhere in it are in `stand_ins`: those outside of mapped fields are refused, and so are pseudonyms that nothing answers
/// for. Masks in mapped fields are left to the guard.
///
/// # Errors
/// When `document` is not a JSON text that may pass, or holds a stand-in that has no place there.
pub fn reopen(
    plan: &Plan,
    document: &[u8],
    stand_ins: &[String],
    value: &mut dyn FnMut(WrittenBack<'_>) -> Option<Sensitive<String>>,
) -> Result<Reopened, RewriteError> {
    let mut reader = Reader {
        plan,
        value,
        standing: Standing::default(),
        met: HashSet::new(),
        refused: Vec::new(),
        values: Vec::new(),
    };
    let body = run(plan, document, &mut reader)?;
    let Reader { met, mut refused, values, .. } = reader;
    refused.extend(stand_ins.iter().filter(|path| !met.contains(*path)).cloned());
    if refused.is_empty() { Ok(Reopened { body, values }) } else { Err(RewriteError::MaskedValue { fields: refused }) }
}

fn run<H: Handler<Error = RewriteError>>(plan: &Plan, body: &[u8], handler: &mut H) -> Result<Vec<u8>, RewriteError> {
    let mut lexer = Splicer::new(Arc::clone(&plan.layout.paths), plan.limits);
    let mut out = Vec::with_capacity(body.len());
    lexer.push(body, &mut out, handler)?;
    lexer.finish(&mut out, handler)?;
    Ok(out)
}

struct Reader<'a> {
    plan: &'a Plan,
    value: &'a mut dyn FnMut(WrittenBack<'_>) -> Option<Sensitive<String>>,
    standing: Standing,
    /// Stand-ins in mapped fields.
    met: HashSet<String>,
    refused: Vec<String>,
    values: Vec<(Sensitive<String>, String)>,
}

impl Handler for Reader<'_> {
    type Error = RewriteError;
    const TRACES: bool = true;

    fn leaf(&mut self, node: &Node, leaf: Leaf<'_>, _at: u64, out: &mut Out<'_>) -> Result<Edit, RewriteError> {
        let (Leaf::Text(text) | Leaf::Number(text)) = leaf else { return Ok(Edit::Keep) };
        if !protect::is_stand_in(text) {
            return Ok(Edit::Keep);
        }
        let mut rules = view::rules(&self.plan.layout, node);
        let (Some(rule), None) = (rules.next(), rules.next()) else { return Ok(Edit::Keep) };
        self.met.insert(self.standing.path());
        if !protect::is_pseudonym(text) {
            return Ok(Edit::Keep);
        }
        let field = self.standing.field();
        let asked = WrittenBack { class: rule.class, field: &field, text };
        let opened = if rule.base64 || rule.free_text { None } else { (self.value)(asked) };
        match opened {
            Some(value) => {
                let plain = spans::string(value.expose().as_bytes()).map(Sensitive::new);
                out.same(match &plain {
                    Some(plain) => Leaf::Text(plain.expose()),
                    None => Leaf::Number(value.expose()),
                });
                self.values.push((plain.unwrap_or(value), text.to_owned()));
                Ok(Edit::Replaced)
            }
            None => {
                self.refused.push(self.standing.path());
                Ok(Edit::Keep)
            }
        }
    }

    fn record(&mut self, side: Side, _at: u64) {
        self.standing.record(side);
    }

    fn trace(&mut self, event: Trace<'_>) {
        self.standing.trace(event);
    }
}
