//! XML 1.0 in UTF-8 (SOAP) as a stream: the selected texts and attributes to a [`Handler`], the same bytes with its edits out.
//!
//! Elements are members by their local name, attributes are members named `@name`, a repeated element is just met again. A
//! document type declaration is refused, and with it every entity that is not one of the five. Comments and processing
//! instructions do not go out: they say nothing to a client, and nobody knows whom they name. Text is told without the white
//! space around it; references and CDATA are undone for the handler, and its edits are escaped.

mod elements;
mod guide;
#[cfg(test)]
mod guide_tests;
mod markup;
mod opening;
mod tag;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use elements::{Elements, Phase};
pub use tag::MAX_ATTRIBUTES;
pub use text::escape;

use super::{Fault, Handler, Limits, Stream, feed::Feed, path::Paths};

/// One XML document on its way through.
#[derive(Debug)]
pub struct Xml {
    feed: Feed,
    elements: Elements,
}

impl Xml {
    /// A reader of one document.
    #[must_use]
    pub fn new(paths: Arc<Paths>, limits: Limits) -> Self {
        Self { feed: Feed::default(), elements: Elements::new(paths, limits) }
    }

    fn guarded<H: Handler>(
        &mut self,
        out: &mut Vec<u8>,
        read: impl FnOnce(&mut Self, &mut Vec<u8>) -> Result<(), H::Error>,
    ) -> Result<(), H::Error> {
        let (before, written) = (out.len(), self.elements.written);
        let result = read(self, out);
        if result.is_err() {
            self.elements.phase = Phase::Failed;
            self.elements.written = written;
            out.truncate(before);
        }
        result
    }
}

impl Stream for Xml {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |xml, out| {
            let Self { feed, elements } = xml;
            if elements.phase == Phase::Failed {
                return Err(elements.fault(0, Fault::Failed).into());
            }
            if has_controls(chunk) {
                return Err(elements.fault(0, Fault::Control).into());
            }
            feed.push(chunk, elements.read, |text| elements.run(text, out, handler))
        })
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        self.guarded::<H>(out, |xml, _| {
            let Self { feed, elements } = xml;
            let held = feed.finish(elements.read)?;
            if elements.phase == Phase::Failed {
                return Err(elements.fault(0, Fault::Failed).into());
            }
            if !held.is_empty() || !elements.is_complete() {
                return Err(elements.fault(0, Fault::Truncated).into());
            }
            elements.close_document(handler);
            Ok(())
        })
    }

    fn written(&self) -> u64 {
        self.elements.written
    }

    fn moved(&mut self, written: u64) {
        self.elements.written = written;
    }
}

/// Whether `chunk` holds a byte that XML 1.0 §2.2 does not have. Written so that the compiler uses vectors.
fn has_controls(chunk: &[u8]) -> bool {
    let control = |byte: &u8| u8::from(*byte < 0x20) & u8::from(!matches!(*byte, b'\t' | b'\n' | b'\r'));
    chunk.chunks(4096).any(|part| part.iter().fold(0, |found, byte| found | control(byte)) != 0)
}
