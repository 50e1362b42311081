//! One look at a whole message: it is JSON that both sides read alike, and where masks and pseudonyms stand in it.

use std::{collections::HashSet, sync::Arc};

use super::{mcp::MessageError, place::Place};
use crate::{
    formats::{
        Edit, Handler, Limits, Out, Stream, Trace,
        json::Splicer,
        path::{Node, Paths},
    },
    model::Leaf,
    protect,
};

/// The normalised JSONPath of every value and member name of `message` that is a mask or a pseudonym, or holds one.
///
/// # Errors
/// When `message` is not JSON within `limits`, or a member name stands twice in one object.
pub fn stand_ins(message: &[u8], limits: Limits) -> Result<Vec<String>, MessageError> {
    let mut lexer = Splicer::new(Arc::new(Paths::everything()), limits);
    let mut reader = Reader { place: Place::default(), names: Vec::new(), twice: false, found: Vec::new() };
    let mut out = Vec::with_capacity(message.len());
    lexer.push(message, &mut out, &mut reader)?;
    lexer.finish(&mut out, &mut reader)?;
    if reader.twice { Err(MessageError::Twice) } else { Ok(reader.found) }
}

struct Reader {
    place: Place,
    /// The names of each open object or array.
    names: Vec<HashSet<String>>,
    twice: bool,
    found: Vec<String>,
}

impl Handler for Reader {
    type Error = MessageError;
    const TRACES: bool = true;

    fn leaf(&mut self, _node: &Node, leaf: Leaf<'_>, _at: u64, _out: &mut Out<'_>) -> Result<Edit, MessageError> {
        if let Leaf::Text(text) | Leaf::Number(text) = leaf
            && protect::is_stand_in(text)
        {
            self.found.push(self.place.path());
        }
        Ok(Edit::Keep)
    }

    fn trace(&mut self, event: Trace<'_>) {
        self.place.trace(event);
        match event {
            Trace::Object | Trace::Array => self.names.push(HashSet::new()),
            Trace::Close => drop(self.names.pop()),
            Trace::Name { name, .. } => {
                if protect::is_stand_in(name) {
                    self.found.push(self.place.path());
                }
                if let Some(names) = self.names.last_mut() {
                    self.twice |= !names.insert(name.to_owned());
                }
            }
            Trace::Element(_) | Trace::End(_) => {}
        }
    }
}
