//! Elements open and close: their names, their attributes.

use super::{
    elements::{BLANKS, Elements, Frame, Root, Spliced},
    guide::LOST,
    tag::{self, Attribute},
    text,
};
use crate::{
    formats::{
        Edit, Fault, Handler, Out, Side, Spelling, Trace,
        path::{DEAD, Node, NodeId},
    },
    model::Leaf,
};

impl Elements {
    /// The tag at `at`, which ends before `end` and of which the first `name` bytes may be a name, opens an element.
    pub(super) fn open<H: Handler>(
        &mut self,
        (at, end): (usize, usize),
        name: usize,
        copy: &mut Spliced<'_>,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let tag = copy.input.get(at + 1..end - 1).unwrap_or_default();
        let (inner, empty) = tag.strip_suffix('/').map_or((tag, false), |inner| (inner, true));
        let (name, attributes) = tag::named(inner, name).map_err(|fault| self.fault(at, fault))?;
        let local = tag::local(name).map_err(|fault| self.fault(at, fault))?;
        let parent = match (self.open.last(), self.root) {
            (Some(top), _) => top.node,
            (None, Root::Awaited) => self.walker.root(),
            (None, Root::Met) => return Err(self.fault(at, Fault::Trailing).into()),
        };
        self.root = Root::Met;
        if self.open.len() >= self.limits.depth {
            return Err(self.fault(at, Fault::TooDeep).into());
        }
        let node = if parent == DEAD { DEAD } else { self.walker.member(parent, local.as_bytes()) };
        if self.walker.is_exhausted() {
            return Err(self.fault(at, Fault::TooComplex).into());
        }
        let flags = self.walker.flags(node);
        if flags & Node::NAME != 0 {
            self.name(local, at, copy, handler)?;
        }
        if H::TRACES {
            handler.trace(Trace::Name { name: local, start: self.read + at as u64 });
            handler.trace(Trace::Object);
        }
        let record = flags & Node::RECORD != 0;
        if record {
            handler.record(Side::Start, copy.place(at));
        }
        if !attributes.is_empty() {
            self.attributes(node, at + 1 + name.len(), attributes, copy, handler)?;
        }
        let told = flags & Node::LEAF != 0;
        let is_plain = attributes.is_empty() && !empty && !record && flags & Node::NAME == 0;
        let step =
            if H::TRACES || !is_plain { LOST } else { self.learn(copy.input, (at, end), (parent, name), (node, told)) };
        self.open.push(Frame { node, name: self.names.len(), record, told, step });
        self.names.push_str(name);
        if empty {
            self.end(end, copy, handler);
        }
        Ok(())
    }

    /// A name that nobody described: one that says something personal cannot be replaced.
    fn name<H: Handler>(&self, name: &str, at: usize, copy: &Spliced<'_>, handler: &mut H) -> Result<(), H::Error> {
        let mut scratch = Vec::new();
        match handler.name(name, copy.place(at), &mut Out::new(&mut scratch, Spelling::Plain))? {
            Edit::Keep => Ok(()),
            Edit::Replaced => Err(self.fault(at, Fault::PersonalName).into()),
        }
    }

    fn attributes<H: Handler>(
        &mut self,
        node: NodeId,
        base: usize,
        text: &str,
        copy: &mut Spliced<'_>,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let mut found = Vec::new();
        tag::attributes(text, &mut found).map_err(|fault| self.fault(base, fault))?;
        if node == DEAD {
            return Ok(());
        }
        let everything = self.walker.flags(node) & Node::EVERYTHING != 0;
        for attribute in &found {
            let declares = attribute.name == "xmlns" || attribute.name.starts_with("xmlns:");
            if !everything && (declares || tag::is_technical(attribute)) {
                continue;
            }
            let local = tag::local(attribute.name).map_err(|fault| self.fault(base, fault))?;
            self.attribute(node, base, local, attribute, copy, handler)?;
        }
        Ok(())
    }

    fn attribute<H: Handler>(
        &mut self,
        element: NodeId,
        base: usize,
        local: &str,
        attribute: &Attribute<'_>,
        copy: &mut Spliced<'_>,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let mut decoded = std::mem::take(&mut self.text);
        decoded.clear();
        decoded.push('@');
        decoded.push_str(local);
        let node = self.walker.member(element, decoded.as_bytes());
        if self.walker.flags(node) & Node::LEAF == 0 {
            self.text = decoded;
            return Ok(());
        }
        if self.walker.flags(node) & Node::NAME != 0 {
            self.name(local, base, copy, handler)?;
        }
        if H::TRACES {
            handler.trace(Trace::Name { name: &decoded, start: self.read + (base + attribute.start) as u64 });
        }
        let (start, end) = (base + attribute.value, base + attribute.value + attribute.raw.len());
        let value = if text::is_plain(attribute.raw) {
            attribute.raw
        } else {
            decoded.clear();
            text::decode(attribute.raw, &mut decoded).map_err(|fault| self.fault(start, fault))?;
            &*decoded
        };
        copy.until(start, start);
        let place = copy.place(start);
        if let Some(node) = self.walker.node(node) {
            let mut out = Out::new(copy.out, Spelling::Attribute(attribute.quote));
            if handler.leaf(node, Leaf::Text(value), place, &mut out)? == Edit::Replaced {
                copy.kept = end;
            }
        }
        if H::TRACES {
            handler.trace(Trace::End(self.read + end as u64 + 1));
        }
        self.text = decoded;
        Ok(())
    }

    /// The end tag with the name `text`.
    pub(super) fn close<H: Handler>(
        &mut self,
        text: &str,
        at: usize,
        end: usize,
        copy: &mut Spliced<'_>,
        handler: &mut H,
    ) -> Result<(), H::Error> {
        let name = text.trim_end_matches(BLANKS);
        let open = self.open.last().and_then(|top| self.names.get(top.name..));
        if open != Some(name) {
            return Err(self.fault(at, Fault::Tag).into());
        }
        self.end(end, copy, handler);
        Ok(())
    }

    /// The innermost element ends before `end`.
    pub(super) fn end<H: Handler>(&mut self, end: usize, copy: &Spliced<'_>, handler: &mut H) {
        let Some(top) = self.open.pop() else { return };
        self.names.truncate(top.name);
        if top.record {
            handler.record(Side::End, copy.place(end));
        }
        if H::TRACES {
            handler.trace(Trace::Close);
            handler.trace(Trace::End(self.read + end as u64));
        }
    }
}
