//! The lines of an event stream (WHATWG HTML §9.2.5): chunks in, whole events out.

use zeroize::Zeroizing;

use crate::formats::{Fault, FormatError, intake::Intake};

/// A line of an event, as far as it means something to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A comment: what it says is for nobody.
    Comment,
    /// The event's name.
    Name(String),
    /// Its id.
    Id(String),
    /// How long to wait before connecting again, in milliseconds.
    Retry(String),
    /// The place of the first line of data; all of it is in [`Event::data`].
    Data,
}

/// An event on its way.
#[derive(Debug, Default)]
pub struct Event {
    /// Its lines in order; the data once.
    pub lines: Vec<Line>,
    /// The lines of data, joined by line feeds.
    pub data: Zeroizing<String>,
    /// Byte of the stream after its last line.
    pub end: u64,
    bytes: usize,
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub struct Cutter {
    intake: Intake,
    /// The line being read.
    line: Zeroizing<String>,
    event: Event,
    /// A line feed that comes now belongs to the carriage return before it.
    after_return: bool,
    /// A line was read: no byte order mark comes any more.
    started: bool,
    read: u64,
}

impl Cutter {
    /// Hands every event that `chunk` completes to `take`; none may be longer than `limit` bytes.
    ///
    /// # Errors
    /// What `take` says, or why the stream is none that may pass.
    pub fn push<E: From<FormatError>>(
        &mut self,
        chunk: &[u8],
        limit: usize,
        mut take: impl FnMut(Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let held = self.line.len();
        let text = self.intake.take(chunk, &mut self.line);
        let mut rest = text.map_err(|at| self.fault(at as u64, Fault::Utf8))?;
        let completed = self.line.len() - held;
        self.read += completed as u64;
        self.after_return &= completed == 0;
        loop {
            if !rest.is_empty() && std::mem::take(&mut self.after_return) && rest.starts_with('\n') {
                rest = rest.get(1..).unwrap_or_default();
                self.read += 1;
            }
            let end = memchr::memchr2(b'\r', b'\n', rest.as_bytes());
            let part = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            self.read += part.len() as u64;
            self.event.bytes += part.len();
            if self.event.bytes > limit {
                return Err(self.fault(0, Fault::ObjectTooLong).into());
            }
            self.line.push_str(part);
            let Some(end) = end else { return Ok(()) };
            self.read += 1;
            self.after_return = rest.as_bytes().get(end) == Some(&b'\r');
            rest = rest.get(end + 1..).unwrap_or_default();
            self.line()?;
            if self.line.is_empty() {
                let event = std::mem::take(&mut self.event);
                take(Event { end: self.read, ..event })?;
            }
            self.line.clear();
        }
    }

    /// What is left at the end of the stream: a client that follows the standard drops it, another may not.
    ///
    /// # Errors
    /// When a character is not complete.
    pub fn finish(&mut self) -> Result<Option<Event>, FormatError> {
        if self.intake.is_cut() {
            return Err(self.fault(0, Fault::Truncated));
        }
        if !self.line.is_empty() {
            self.line()?;
            self.line.clear();
        }
        let event = Event { end: self.read, ..std::mem::take(&mut self.event) };
        Ok((!event.lines.is_empty()).then_some(event))
    }

    /// Bytes so far.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read
    }

    fn fault(&self, at: u64, fault: Fault) -> FormatError {
        FormatError { at: self.read + at, fault }
    }

    /// Takes over the line that was read.
    fn line(&mut self) -> Result<(), FormatError> {
        if !std::mem::replace(&mut self.started, true) && self.line.starts_with('\u{feff}') {
            self.line.drain(..'\u{feff}'.len_utf8());
        }
        if self.line.contains('\0') {
            return Err(self.fault(0, Fault::Nul));
        }
        if self.line.is_empty() {
            return Ok(());
        }
        let (name, value) = self.line.split_once(':').unwrap_or((&self.line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        let event = &mut self.event;
        match name {
            "" => event.lines.push(Line::Comment),
            "data" if event.lines.contains(&Line::Data) => {
                event.data.push('\n');
                event.data.push_str(value);
            }
            "data" => {
                event.lines.push(Line::Data);
                event.data.push_str(value);
            }
            "event" => event.lines.push(Line::Name(value.to_owned())),
            "id" => event.lines.push(Line::Id(value.to_owned())),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                event.lines.push(Line::Retry(value.to_owned()));
            }
            // A client ignores it, and nobody knows what it holds.
            _ => {}
        }
        if event.lines.len() > MAX_LINES {
            return Err(self.fault(0, Fault::ObjectTooLong));
        }
        Ok(())
    }
}

/// Lines of one event, all of its data counted as one.
pub const MAX_LINES: usize = 1_024;
