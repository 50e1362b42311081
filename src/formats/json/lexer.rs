//! The push lexer: validates every byte, follows the selectors, copies what nobody asked for in runs.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{
    guide::{self, Guide, LOST},
    lookahead::{self, Skim},
    number,
    scan::{self, Blocks, Stop},
    token::{self, Frame, Kind, Phase, State, Token},
    turn::{close, element, tell},
};
use crate::{
    formats::{
        Edit, Fault, FormatError, Handler, Limits, Out, Side, Spelling, Trace,
        feed::carried,
        intake::Intake,
        path::{DEAD, Node, Paths, Walker},
    },
    model::Leaf,
};

/// One JSON text on its way through.
///
/// Tokens that are complete in a chunk are read in place; one that is cut by the chunk's end and that somebody has to see
/// whole waits in `carry`, bounded by [`Limits`].
#[derive(Debug)]
pub struct Splicer {
    pub(super) walker: Walker,
    pub(super) limits: Limits,
    pub(super) state: State,
    pub(super) stack: Vec<Frame>,
    pub(super) intake: Intake,
    pub(super) carry: Zeroizing<String>,
    /// Bytes of the carried token that were searched for its end.
    pub(super) searched: usize,
    pub(super) skim: Skim,
    guide: Guide,
    /// More texts follow: what one taught serves the next.
    is_sequence: bool,
    text: Zeroizing<String>,
    pub(super) read: u64,
    pub(super) written: u64,
}

impl Splicer {
    /// A lexer for one document.
    #[must_use]
    pub fn new(paths: Arc<Paths>, limits: Limits) -> Self {
        let walker = Walker::new(paths);
        let node = walker.root();
        let top = Frame { kind: Kind::Document, node: DEAD, index: 0, record: false, step: LOST, within: LOST };
        Self {
            walker,
            limits,
            state: State { phase: Phase::Value, node, top },
            stack: Vec::new(),
            intake: Intake::default(),
            carry: Zeroizing::default(),
            searched: 0,
            skim: Skim::default(),
            guide: Guide::default(),
            is_sequence: false,
            text: Zeroizing::default(),
            read: 0,
            written: 0,
        }
    }

    /// A lexer for one text after another, each started by [`Splicer::restart`].
    pub(in crate::formats) fn sequence(paths: Arc<Paths>, limits: Limits) -> Self {
        Self { is_sequence: true, ..Self::new(paths, limits) }
    }

    /// Reads what is carried and then `text`, which is copied only as far as the carried token may need it.
    pub(super) fn read<H: Handler>(&mut self, text: &str, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        let mut carry = std::mem::take(&mut self.carry);
        let result = carried(&mut carry, text, |input| self.guarded(input, false, out, handler));
        self.carry = carry;
        result
    }

    pub(super) fn guarded<H: Handler>(
        &mut self,
        input: &str,
        last: bool,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let before = out.len();
        let state = self.state;
        self.state.phase = Phase::Failed;
        match self.run(state, input, last, out, handler) {
            Ok(used) => {
                self.read += used as u64;
                self.written += (out.len() - before) as u64;
                Ok(used)
            }
            Err(error) => {
                out.truncate(before);
                Err(error)
            }
        }
    }

    /// Reads tokens until the input ends; answers how many of its bytes were used up.
    fn run<H: Handler>(
        &mut self,
        mut state: State,
        input: &str,
        last: bool,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let Self { walker, limits, stack, skim, text, guide, is_sequence, .. } = self;
        let is_sequence = *is_sequence;
        let bytes = input.as_bytes();
        let (mut at, mut kept, mut blocks) = (0, 0, Blocks::new());
        let (base, origin) = (self.read, self.written.wrapping_sub(out.len() as u64));
        let fault = |at: usize, fault| Err(H::Error::from(FormatError { at: base + at as u64, fault }));
        // What the carried token was searched for; nothing is carried but the token that comes first.
        let mut searched = std::mem::take(&mut self.searched);
        // Where what leads to the next member's value started, for the guide to learn.
        let mut glue = None;
        'tokens: loop {
            if !H::TRACES && guide.is_open() {
                if matches!(state.phase, Phase::Next | Phase::FirstName) && state.top.kind == Kind::Object {
                    let from = at;
                    at = guide::follow(guide, &mut state, &mut blocks, bytes, at);
                    if at != from {
                        // The carried token is behind.
                        searched = 0;
                    }
                    glue = (state.phase != Phase::Value).then_some((at, state.phase));
                }
                if state.phase == Phase::Value
                    && let Some((from, phase)) = glue.take()
                {
                    at = scan::blanks(bytes, at);
                    let glue = bytes.get(from..at).unwrap_or_default();
                    guide::learn(guide, &mut state, walker, phase, glue, base + at as u64);
                }
            }
            if state.phase != Phase::Inside {
                at = scan::blanks(bytes, at);
            }
            let Some(first) = bytes.get(at).copied() else { break };
            match state.phase {
                Phase::Next => match (first, state.top.kind) {
                    (b',', Kind::Object) => {
                        at += 1;
                        state.phase = Phase::Name;
                    }
                    (b',', Kind::Array) => {
                        at += 1;
                        state.top.index += 1;
                        element(&mut state, walker, handler);
                    }
                    (b'}', Kind::Object) | (b']', Kind::Array) => {
                        at += 1;
                        close(&mut state, stack, handler, base + at as u64, token::place(origin, out, at, kept));
                    }
                    (_, Kind::Document) => return fault(at, Fault::Trailing),
                    _ => return fault(at, Fault::Unexpected),
                },
                Phase::Name | Phase::FirstName => {
                    if first != b'"' {
                        if first == b'}' && state.phase == Phase::FirstName {
                            at += 1;
                            close(&mut state, stack, handler, base + at as u64, token::place(origin, out, at, kept));
                            continue;
                        }
                        return fault(at, Fault::Unexpected);
                    }
                    'member: loop {
                        let token = token::string(
                            &mut blocks,
                            input,
                            at + 1,
                            std::mem::take(&mut searched),
                            limits.value_bytes,
                        );
                        let (raw, escaped) = match token {
                            Ok(Token::Whole { raw, escaped }) => (raw, escaped),
                            Ok(Token::Open(length)) => {
                                self.searched = length;
                                break 'tokens;
                            }
                            Err((at, found)) => return fault(at, found),
                        };
                        let end = at + 1 + raw.len();
                        let name = match token::decode(raw, escaped, text) {
                            Ok(name) => name,
                            Err(found) => return fault(at, found),
                        };
                        if H::TRACES {
                            handler.trace(Trace::Name { name, start: base + at as u64 });
                        }
                        if state.top.node == DEAD {
                            state.node = DEAD;
                        } else {
                            state.node = walker.member(state.top.node, name.as_bytes());
                            if walker.flags(state.node) & Node::NAME != 0 {
                                out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
                                let place = origin.wrapping_add(out.len() as u64);
                                let edit = handler.name(name, place, &mut Out::new(out, Spelling::Json))?;
                                kept = if edit == Edit::Keep { at } else { end + 1 };
                            }
                        }
                        at = end + 1;
                        // The common spelling saves a turn, and so does the common member: a text that nobody asked for.
                        state.phase = Phase::Colon;
                        if bytes.get(at) != Some(&b':') {
                            break;
                        }
                        at += 1;
                        state.phase = Phase::Value;
                        if H::TRACES || guide.is_open() || walker.flags(state.node) & Node::LEAF != 0 {
                            break;
                        }
                        at = scan::blanks(bytes, at);
                        if bytes.get(at) != Some(&b'"') {
                            break;
                        }
                        let Stop::Close(end) = blocks.string(bytes, at + 1).stop else { break };
                        at = end + 1;
                        state.phase = Phase::Next;
                        if bytes.get(at) != Some(&b',') {
                            break;
                        }
                        at = scan::blanks(bytes, at + 1);
                        state.phase = Phase::Name;
                        if bytes.get(at) != Some(&b'"') {
                            break 'member;
                        }
                    }
                }
                Phase::Colon => {
                    if first != b':' {
                        return fault(at, Fault::Unexpected);
                    }
                    at += 1;
                    state.phase = Phase::Value;
                }
                Phase::FirstElement => {
                    if first == b']' {
                        at += 1;
                        close(&mut state, stack, handler, base + at as u64, token::place(origin, out, at, kept));
                    } else {
                        element(&mut state, walker, handler);
                    }
                }
                Phase::Value => {
                    let flags = walker.flags(state.node);
                    let end = match first {
                        b'"' if flags & Node::LEAF == 0 => {
                            at += 1;
                            state.phase = Phase::Inside;
                            continue;
                        }
                        b'"' => {
                            let token = token::string(
                                &mut blocks,
                                input,
                                at + 1,
                                std::mem::take(&mut searched),
                                limits.value_bytes,
                            );
                            let (raw, escaped) = match token {
                                Ok(Token::Whole { raw, escaped }) => (raw, escaped),
                                Ok(Token::Open(length)) => {
                                    self.searched = length;
                                    break;
                                }
                                Err((at, found)) => return fault(at, found),
                            };
                            let end = at + 1 + raw.len();
                            let leaf = match token::decode(raw, escaped, text) {
                                Ok(value) => Leaf::Text(value),
                                Err(found) => return fault(at, found),
                            };
                            if let Some(node) = walker.node(state.node) {
                                out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
                                let edit = tell(handler, node, leaf, origin, out)?;
                                kept = if edit == Edit::Keep { at } else { end + 1 };
                            }
                            end + 1
                        }
                        b'{' | b'[' => {
                            let mut node = state.node;
                            if flags & Node::FILTER != 0 && first == b'{' {
                                let object = bytes.get(at..).unwrap_or_default();
                                let Some(length) = skim.advance(object) else {
                                    if object.len() > limits.record_bytes {
                                        return fault(at, Fault::ObjectTooLong);
                                    }
                                    break;
                                };
                                *skim = Skim::default();
                                if length > limits.record_bytes {
                                    return fault(at, Fault::ObjectTooLong);
                                }
                                let object = object.get(..length).unwrap_or_default();
                                let satisfied = lookahead::satisfied(object, walker.filters(node));
                                node = walker.resolve(node, &satisfied);
                            }
                            if stack.len() >= limits.depth {
                                return fault(at, Fault::TooDeep);
                            }
                            if walker.is_exhausted() {
                                return fault(at, Fault::TooComplex);
                            }
                            let record = walker.flags(node) & Node::RECORD != 0;
                            if record {
                                handler.record(Side::Start, token::place(origin, out, at, kept));
                            }
                            let object = first == b'{';
                            // The second record of a list that is long enough to be worth learning.
                            let list = object
                                && (is_sequence && state.top.kind == Kind::Document
                                    || state.top.kind == Kind::Array && state.top.index > 0);
                            if list && state.top.step == LOST && base + at as u64 >= WORTH_LEARNING_BYTES {
                                state.top.step = guide.anchor();
                            }
                            stack.push(state.top);
                            let kind = if object { Kind::Object } else { Kind::Array };
                            state.top =
                                Frame { kind, node, index: 0, record, step: state.top.step, within: state.top.step };
                            state.phase = if object { Phase::FirstName } else { Phase::FirstElement };
                            if H::TRACES {
                                handler.trace(if object { Trace::Object } else { Trace::Array });
                            }
                            at += 1;
                            continue;
                        }
                        b'-' | b'0'..=b'9' => {
                            let known = std::mem::take(&mut searched);
                            let quick = if known == 0 { number::whole(bytes, at) } else { None };
                            let end = quick.unwrap_or_else(|| number::end(bytes, at + known));
                            if end - at > limits.value_bytes {
                                return fault(at, Fault::ValueTooLong);
                            }
                            if end == bytes.len() && !last {
                                self.searched = end - at;
                                break;
                            }
                            let token = bytes.get(at..end).unwrap_or_default();
                            if quick.is_none() && !number::is_valid(token) {
                                return fault(at, Fault::Number);
                            }
                            if flags & Node::LEAF != 0
                                && let Some(node) = walker.node(state.node)
                            {
                                out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
                                let leaf = Leaf::Number(str::from_utf8(token).unwrap_or_default());
                                let edit = tell(handler, node, leaf, origin, out)?;
                                kept = if edit == Edit::Keep { at } else { end };
                            }
                            end
                        }
                        _ => {
                            let rest = bytes.get(at..).unwrap_or_default();
                            let (word, leaf) = match first {
                                b't' => (&b"true"[..], Leaf::Bool(true)),
                                b'f' => (&b"false"[..], Leaf::Bool(false)),
                                b'n' => (&b"null"[..], Leaf::Null),
                                0xef if base + at as u64 == 0 => return fault(at, Fault::ByteOrderMark),
                                _ => return fault(at, Fault::Unexpected),
                            };
                            if !rest.starts_with(word) {
                                if word.starts_with(rest) {
                                    break;
                                }
                                return fault(at, Fault::Unexpected);
                            }
                            let end = at + word.len();
                            if flags & Node::LEAF != 0
                                && let Some(node) = walker.node(state.node)
                            {
                                out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
                                let edit = tell(handler, node, leaf, origin, out)?;
                                kept = if edit == Edit::Keep { at } else { end };
                            }
                            end
                        }
                    };
                    at = end;
                    state.phase = Phase::Next;
                    if H::TRACES {
                        handler.trace(Trace::End(base + at as u64));
                    }
                }
                Phase::Inside => {
                    let scan = blocks.string(bytes, at);
                    match scan.stop {
                        Stop::Close(end) => {
                            at = end + 1;
                            state.phase = Phase::Next;
                            if H::TRACES {
                                handler.trace(Trace::End(base + at as u64));
                            }
                        }
                        Stop::More(end) => {
                            at = end;
                            break;
                        }
                        Stop::Bad(bad) => return fault(bad, Fault::String),
                    }
                }
                Phase::Failed => return fault(at, Fault::Failed),
            }
        }
        out.extend_from_slice(bytes.get(kept..at).unwrap_or_default());
        self.state = state;
        Ok(at)
    }
}

/// Where lists start to be learned: a document that is shorter is read before that pays.
const WORTH_LEARNING_BYTES: u64 = 1024;
