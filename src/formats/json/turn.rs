//! The turns of a document that every path through the lexer takes: to the next element, out of a container, to a leaf.

use super::token::{Frame, Phase, State};
use crate::{
    formats::{
        Edit, Handler, Out, Side, Spelling, Trace,
        path::{DEAD, Node, Walker},
    },
    model::Leaf,
};

pub(super) fn element<H: Handler>(state: &mut State, walker: &mut Walker, handler: &mut H) {
    let parent = state.top.node;
    state.node = if parent == DEAD { DEAD } else { walker.element(parent, state.top.index) };
    state.phase = Phase::Value;
    if H::TRACES {
        handler.trace(Trace::Element(state.top.index));
    }
}

pub(super) fn close<H: Handler>(state: &mut State, stack: &mut Vec<Frame>, handler: &mut H, read: u64, written: u64) {
    if state.top.record {
        handler.record(Side::End, written);
    }
    if let Some(outer) = stack.pop() {
        state.top = outer;
    }
    state.phase = Phase::Next;
    if H::TRACES {
        handler.trace(Trace::Close);
        handler.trace(Trace::End(read));
    }
}

pub(super) fn tell<H: Handler>(
    handler: &mut H,
    node: &Node,
    leaf: Leaf<'_>,
    origin: u64,
    out: &mut Vec<u8>,
) -> Result<Edit, H::Error> {
    let at = origin.wrapping_add(out.len() as u64);
    handler.leaf(node, leaf, at, &mut Out::new(out, Spelling::Json))
}
