//! Elements: what is known between two bytes, and what becomes of tags and texts.

use std::sync::Arc;

use memchr::memmem;
use zeroize::Zeroizing;

use super::{
    guide::{Guide, StepId},
    markup::{Found, instruction, skip, text_end},
    tag,
    text::{self, CDATA, COMMENT},
};
use crate::{
    formats::{
        Edit, Fault, FormatError, Handler, Limits, Out, Spelling, Trace,
        path::{NodeId, Paths, Walker},
    },
    model::Leaf,
};

/// What is known between two bytes.
#[derive(Debug)]
pub(super) struct Elements {
    pub(super) walker: Walker,
    pub(super) limits: Limits,
    pub(super) phase: Phase,
    pub(super) open: Vec<Frame>,
    /// The names of the open elements, one after the other.
    pub(super) names: String,
    pub(super) root: Root,
    pub(super) guide: Guide,
    /// Bytes of the carried text that were searched for its end.
    searched: usize,
    pub(super) text: Zeroizing<String>,
    pub(super) read: u64,
    pub(super) written: u64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) node: NodeId,
    /// Where its name starts in [`Elements::names`].
    pub(super) name: usize,
    pub(super) record: bool,
    /// Somebody wants to see its text.
    pub(super) told: bool,
    /// Where the guide is.
    pub(super) step: StepId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Awaited,
    Met,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the first byte.
    Start,
    /// Between tags.
    Content,
    /// In a comment.
    Comment,
    /// In a CDATA section that nobody asked for.
    Cdata,
    /// After an error.
    Failed,
}

/// What became of a token.
pub(super) enum Step {
    /// It ended before this byte.
    To(usize),
    /// It is not complete.
    Wait,
}

/// The output, and which bytes of the input are still to be copied to it.
pub(super) struct Spliced<'a> {
    pub(super) input: &'a str,
    pub(super) kept: usize,
    origin: u64,
    pub(super) out: &'a mut Vec<u8>,
}

impl Spliced<'_> {
    /// Copies up to `at`; the next byte to copy is `next`.
    pub(super) fn until(&mut self, at: usize, next: usize) {
        self.out.extend_from_slice(self.input.as_bytes().get(self.kept..at).unwrap_or_default());
        self.kept = next;
    }

    /// Byte of the whole output at which input byte `at` goes out.
    pub(super) fn place(&self, at: usize) -> u64 {
        self.origin.wrapping_add((self.out.len() + at - self.kept) as u64)
    }
}

impl Elements {
    pub(super) fn new(paths: Arc<Paths>, limits: Limits) -> Self {
        Self {
            walker: Walker::new(paths),
            limits,
            phase: Phase::Start,
            open: Vec::new(),
            names: String::new(),
            root: Root::Awaited,
            guide: Guide::default(),
            searched: 0,
            text: Zeroizing::default(),
            read: 0,
            written: 0,
        }
    }

    pub(super) fn fault(&self, at: usize, fault: Fault) -> FormatError {
        FormatError { at: self.read + at as u64, fault }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.open.is_empty() && self.root == Root::Met && self.phase == Phase::Content
    }

    pub(super) fn close_document<H: Handler>(&self, handler: &mut H) {
        if H::TRACES {
            handler.trace(Trace::Close);
            handler.trace(Trace::End(self.read));
        }
    }

    /// Reads tokens until the input ends; answers how many of its bytes were used up.
    pub(super) fn run<H: Handler>(
        &mut self,
        input: &str,
        out: &mut Vec<u8>,
        handler: &mut H,
    ) -> Result<usize, H::Error> {
        let before = out.len();
        let origin = self.written.wrapping_sub(before as u64);
        let mut copy = Spliced { input, kept: 0, origin, out };
        let mut at = 0;
        loop {
            if !H::TRACES && self.phase == Phase::Content {
                at = self.follow(input.as_bytes(), at);
            }
            let step = match self.phase {
                Phase::Start => self.start(input, handler)?,
                Phase::Content => match input.as_bytes().get(at) {
                    None => break,
                    Some(b'<') => self.markup(at, &mut copy, handler)?,
                    Some(_) => self.characters(at, &mut copy, handler)?,
                },
                Phase::Comment => {
                    let step = skip(input, &mut at, "-->");
                    copy.kept = at;
                    if let Step::To(end) = step {
                        copy.kept = end;
                        self.phase = Phase::Content;
                    }
                    step
                }
                Phase::Cdata => {
                    let step = skip(input, &mut at, "]]>");
                    if let Step::To(_) = step {
                        self.phase = Phase::Content;
                    }
                    step
                }
                Phase::Failed => return Err(self.fault(at, Fault::Failed).into()),
            };
            match step {
                Step::To(end) => at = end,
                Step::Wait => {
                    // What is too long when it is complete is refused then, so that chunks make no difference.
                    if input.len() - at > self.limits.value_bytes + MARKUP_BYTES {
                        return Err(self.fault(at, Fault::ValueTooLong).into());
                    }
                    break;
                }
            }
        }
        copy.until(at, at);
        self.read += at as u64;
        self.written += (copy.out.len() - before) as u64;
        Ok(at)
    }

    fn fits(&self, at: usize, length: usize) -> Result<(), FormatError> {
        if length > self.limits.value_bytes { Err(self.fault(at, Fault::ValueTooLong)) } else { Ok(()) }
    }

    /// The byte order mark and the XML declaration.
    fn start<H: Handler>(&mut self, input: &str, handler: &mut H) -> Result<Step, H::Error> {
        let mark = if input.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let rest = input.get(mark..).unwrap_or_default();
        if rest.len() < DECLARATION.len() && DECLARATION.starts_with(rest) {
            return Ok(Step::Wait);
        }
        let mut end = mark;
        if let Some(after) = rest.strip_prefix(DECLARATION)
            && after.starts_with([' ', '\t', '\n', '\r'])
        {
            let Some((inner, _)) = after.split_once("?>") else { return Ok(Step::Wait) };
            self.fits(mark, inner.len())?;
            self.declaration(inner).map_err(|fault| self.fault(mark, fault))?;
            end += DECLARATION.len() + inner.len() + 2;
        } else if rest == DECLARATION {
            return Ok(Step::Wait);
        }
        self.phase = Phase::Content;
        if H::TRACES {
            handler.trace(Trace::Object);
        }
        Ok(Step::To(end))
    }

    fn declaration(&self, inner: &str) -> Result<(), Fault> {
        let mut found = Vec::new();
        tag::attributes(inner.trim_end(), &mut found)?;
        for attribute in found {
            let known = match attribute.name {
                "version" => attribute.raw == "1.0",
                "encoding" => ["utf-8", "us-ascii"].iter().any(|one| attribute.raw.eq_ignore_ascii_case(one)),
                "standalone" => true,
                _ => return Err(Fault::Tag),
            };
            if !known {
                return Err(Fault::Encoding);
            }
        }
        Ok(())
    }

    /// What starts with `<`.
    fn markup<H: Handler>(&mut self, at: usize, copy: &mut Spliced<'_>, handler: &mut H) -> Result<Step, H::Error> {
        let rest = copy.input.get(at..).unwrap_or_default();
        let told = self.open.last().is_some_and(|top| top.told);
        match rest.as_bytes().get(1) {
            None => Ok(Step::Wait),
            Some(b'!' | b'?') if told => self.told(at, copy, handler),
            Some(b'!') => {
                if rest.starts_with(COMMENT) {
                    copy.until(at, at + COMMENT.len());
                    self.phase = Phase::Comment;
                    return Ok(Step::To(at + COMMENT.len()));
                }
                if rest.starts_with(CDATA) && !self.open.is_empty() {
                    self.phase = Phase::Cdata;
                    return Ok(Step::To(at + CDATA.len()));
                }
                if COMMENT.starts_with(rest) || CDATA.starts_with(rest) {
                    return Ok(Step::Wait);
                }
                Err(self.fault(at, Fault::Doctype).into())
            }
            Some(b'?') => {
                let Some(end) = memmem::find(rest.as_bytes(), b"?>") else { return Ok(Step::Wait) };
                self.fits(at, end + 2)?;
                instruction(rest).map_err(|fault| self.fault(at, fault))?;
                copy.until(at, at + end + 2);
                Ok(Step::To(at + end + 2))
            }
            Some(b'/') => {
                self.leaves(at);
                if let Some(length) = self.closes(rest) {
                    self.fits(at, length)?;
                    self.end(at + length, copy, handler);
                    return Ok(Step::To(at + length));
                }
                let Some(end) = memchr::memchr(b'>', rest.as_bytes()) else { return Ok(Step::Wait) };
                self.fits(at, end + 1)?;
                self.close(rest.get(2..end).unwrap_or_default(), at, at + end + 1, copy, handler)?;
                Ok(Step::To(at + end + 1))
            }
            Some(_) => {
                let Some((length, name)) = tag::end(rest.as_bytes()) else { return Ok(Step::Wait) };
                self.fits(at, length)?;
                self.open((at, at + length), name, copy, handler)?;
                Ok(Step::To(at + length))
            }
        }
    }

    /// The length of the tag that `rest` starts with, when it closes the innermost element in the common spelling.
    #[inline]
    fn closes(&self, rest: &str) -> Option<usize> {
        let name = self.names.get(self.open.last()?.name..)?;
        let after = rest.get(2..)?.strip_prefix(name)?;
        after.starts_with('>').then_some(name.len() + 3)
    }

    /// Text between two tags.
    fn characters<H: Handler>(&mut self, at: usize, copy: &mut Spliced<'_>, handler: &mut H) -> Result<Step, H::Error> {
        let bytes = copy.input.as_bytes();
        let Some(top) = self.open.last() else {
            let end = tag::blanks(copy.input, at);
            if end == at {
                let fault = if self.root == Root::Met { Fault::Trailing } else { Fault::Unexpected };
                return Err(self.fault(at, fault).into());
            }
            return Ok(Step::To(end));
        };
        if top.told {
            return self.told(at, copy, handler);
        }
        let mut end = at;
        loop {
            let Some(found) = memchr::memchr2(b'<', b'&', bytes.get(end..).unwrap_or_default()) else {
                return Ok(Step::To(bytes.len()));
            };
            end += found;
            let rest = bytes.get(end..).unwrap_or_default();
            if rest.starts_with(b"<") {
                return Ok(Step::To(end));
            }
            match text::reference(rest).map_err(|fault| self.fault(end, fault))? {
                Some((_, length)) => end += length,
                // What comes before it passes.
                None if end > at => return Ok(Step::To(end)),
                None => return Ok(Step::Wait),
            }
        }
    }

    /// Text that somebody wants to see: all of it up to the next tag.
    fn told<H: Handler>(&mut self, at: usize, copy: &mut Spliced<'_>, handler: &mut H) -> Result<Step, H::Error> {
        let from = at + std::mem::take(&mut self.searched);
        let end = match text_end(copy.input.as_bytes(), from) {
            Ok(Found::At(end)) => end,
            Ok(Found::More(searched)) => {
                self.searched = searched - at;
                return Ok(Step::Wait);
            }
            Err(at) => return Err(self.fault(at, Fault::Doctype).into()),
        };
        self.fits(at, end - at)?;
        let start = tag::blanks(copy.input, at).min(end);
        let raw = copy.input.get(start..end).unwrap_or_default().trim_end_matches(BLANKS);
        let stop = start + raw.len();
        if raw.is_empty() {
            return Ok(Step::To(end));
        }
        let plain = text::is_plain(raw);
        let mut decoded = std::mem::take(&mut self.text);
        let value = if plain {
            raw
        } else {
            decoded.clear();
            text::decode(raw, &mut decoded).map_err(|fault| self.fault(start, fault))?;
            &*decoded
        };
        let node = self.open.last().and_then(|top| self.walker.node(top.node));
        copy.until(start, start);
        let place = copy.place(start);
        let mut edit = Edit::Keep;
        if let Some(node) = node.filter(|_| plain || !value.trim_start_matches(BLANKS).is_empty()) {
            edit = handler.leaf(node, Leaf::Text(value), place, &mut Out::new(copy.out, Spelling::Text))?;
        }
        if edit == Edit::Keep && !plain && (raw.contains(COMMENT) || raw.contains("<?")) {
            Out::new(copy.out, Spelling::Text).exact(value);
            edit = Edit::Replaced;
        }
        if edit == Edit::Replaced {
            copy.kept = stop;
        }
        self.text = decoded;
        Ok(Step::To(end))
    }
}

/// White space (XML 1.0 §2.3).
pub(super) const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

const DECLARATION: &str = "<?xml";

/// The longest start of markup that may follow a text before it is known what it is, in bytes.
const MARKUP_BYTES: usize = 16;
