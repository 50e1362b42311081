//! One reader for every format that a map can name.

use std::sync::Arc;

use super::{
    Handler, Limits,
    csv::Csv,
    json::{Lines, Splicer},
    path::Paths,
    sse::Events,
    xml::Xml,
};
use crate::model::BodyFormat;

/// A body on its way through: push style, the same output for every chunking.
pub trait Stream {
    /// Reads `chunk` and appends to `out` what may go out.
    ///
    /// # Errors
    /// What is wrong with the body or what `handler` has against it; `out` is as it was, and every further call fails.
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error>;

    /// Ends the body.
    ///
    /// # Errors
    /// When it is not complete; else as [`Stream::push`].
    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error>;

    /// Output bytes so far.
    fn written(&self) -> u64;

    /// Corrects [`Stream::written`] after bytes of the output were replaced by longer or shorter ones.
    fn moved(&mut self, written: u64);
}

/// A body of any format.
#[derive(Debug)]
pub enum Reader {
    /// One JSON text; a form is read as one.
    Json(Box<Splicer>),
    /// NDJSON.
    Lines(Box<Lines>),
    /// CSV.
    Csv(Box<Csv>),
    /// An event stream.
    Events(Box<Events>),
    /// XML.
    Xml(Box<Xml>),
}

impl Reader {
    /// A reader of one body. What has no fields is read as JSON, and refused when it is none.
    #[must_use]
    pub fn new(format: BodyFormat, paths: Arc<Paths>, limits: Limits) -> Self {
        match format {
            BodyFormat::Ndjson => Self::Lines(Box::new(Lines::new(paths, limits))),
            BodyFormat::Csv(delimiter) => Self::Csv(Box::new(Csv::new(paths, limits, delimiter))),
            BodyFormat::Sse => Self::Events(Box::new(Events::new(paths, limits))),
            BodyFormat::Json
            | BodyFormat::Form
            | BodyFormat::Multipart
            | BodyFormat::Batch(_)
            | BodyFormat::Mcp
            | BodyFormat::GraphQl
            | BodyFormat::Opaque
            | BodyFormat::Empty => Self::Json(Box::new(Splicer::new(paths, limits))),
            BodyFormat::Xml => Self::Xml(Box::new(Xml::new(paths, limits))),
        }
    }
}

/// Does the same with whatever reader it is.
macro_rules! each {
    ($reader:expr, $one:ident => $what:expr) => {
        match $reader {
            Reader::Json($one) => $what,
            Reader::Lines($one) => $what,
            Reader::Csv($one) => $what,
            Reader::Events($one) => $what,
            Reader::Xml($one) => $what,
        }
    };
}

impl Stream for Reader {
    fn push<H: Handler>(&mut self, chunk: &[u8], out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        each!(self, reader => reader.push(chunk, out, handler))
    }

    fn finish<H: Handler>(&mut self, out: &mut Vec<u8>, handler: &mut H) -> Result<(), H::Error> {
        each!(self, reader => reader.finish(out, handler))
    }

    fn written(&self) -> u64 {
        each!(self, reader => reader.written())
    }

    fn moved(&mut self, written: u64) {
        each!(self, reader => reader.moved(written));
    }
}
