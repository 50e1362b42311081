//! An event stream (WHATWG HTML §9.2) in chunks in, its events out.

use crate::gateway::parts::PartError;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// Its name.
    pub(super) name: Option<String>,
    /// Where a stream is resumed.
    pub(super) id: Option<String>,
    /// How long a client waits before that.
    pub(super) retry: Option<u64>,
    /// Its lines, joined; absent for what only keeps a connection alive.
    pub(super) data: Option<String>,
}

/// Cuts a stream into events.
#[derive(Debug)]
pub(super) struct Splitter {
    line: Vec<u8>,
    event: Event,
    /// A comment, or a line of the event, came since the last one.
    begun: bool,
    /// The last byte was a carriage return.
    returned: bool,
    first: bool,
    /// Bytes of the event so far.
    bytes: usize,
    limit: usize,
}

impl Splitter {
    /// For events of up to `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { line: Vec::new(), event: Event::default(), begun: false, returned: false, first: true, bytes: 0, limit }
    }

    /// The events that `chunk` completes.
    ///
    /// # Errors
    /// An event is longer than the limit, or no text.
    pub(super) fn push(&mut self, chunk: &[u8], events: &mut Vec<Event>) -> Result<(), PartError> {
        for byte in chunk {
            match byte {
                b'\n' if self.returned => self.returned = false,
                b'\n' | b'\r' => {
                    self.returned = *byte == b'\r';
                    self.end_line(events)?;
                }
                _ => {
                    self.returned = false;
                    self.line.push(*byte);
                    self.bytes += 1;
                    if self.bytes > self.limit {
                        return Err(PartError::TooLarge);
                    }
                }
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) -> Result<(), PartError> {
        let line = std::mem::take(&mut self.line);
        let bytes =
            if std::mem::take(&mut self.first) { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line) } else { &line };
        let text = std::str::from_utf8(bytes).map_err(|_| PartError::Text)?;
        if text.is_empty() {
            if std::mem::take(&mut self.begun) {
                events.push(std::mem::take(&mut self.event));
            }
            self.bytes = 0;
            return Ok(());
        }
        self.begun = true;
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.name = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            "retry" => self.event.retry = value.parse().ok(),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.event.data = Some(value.to_owned()),
            },
            // Comments say nothing, and neither do fields that the standard does not have.
            _ => {}
        }
        Ok(())
    }
}

impl Event {
    /// The event as it goes out, with `data` in the place of its own.
    pub(super) fn written(&self, data: Option<&[u8]>) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.map_or(0, <[u8]>::len) + 64);
        let mut line = |name: &str, value: &[u8]| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.push(b'\n');
        };
        if let Some(name) = &self.name {
            line("event", name.as_bytes());
        }
        if let Some(id) = &self.id {
            line("id", id.as_bytes());
        }
        if let Some(retry) = self.retry {
            line("retry", retry.to_string().as_bytes());
        }
        if let Some(data) = data {
            data.split(|byte| matches!(byte, b'\n' | b'\r')).for_each(|part| line("data", part));
        }
        if out.is_empty() {
            out.extend_from_slice(b":\n");
        }
        out.push(b'\n');
        out
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(chunks: &[&[u8]]) -> Vec<Event> {
        let (mut splitter, mut events) = (Splitter::new(1_000), Vec::new());
        for chunk in chunks {
            splitter.push(chunk, &mut events).unwrap();
        }
        events
    }

    const STREAM: &str = "\u{feff}: hello\n\nevent: message\r\nid:7\rretry: 10\ndata: {\"a\":\ndata:  1}\n\nunknown: x\r\r\ndata\n\ndata: cut";

    #[test]
    fn events_are_what_the_standard_says() {
        let found = events(&[STREAM.as_bytes()]);
        let message = Event {
            name: Some("message".to_owned()),
            id: Some("7".to_owned()),
            retry: Some(10),
            data: Some("{\"a\":\n 1}".to_owned()),
        };
        let empty = Event { data: Some(String::new()), ..Event::default() };
        assert_eq!(found, [Event::default(), message.clone(), Event::default(), empty]);
        let written = message.written(Some(b"{\"a\":\n 1}"));
        assert_eq!(written, b"event: message\nid: 7\nretry: 10\ndata: {\"a\":\ndata:  1}\n\n");
        assert_eq!(events(&[&written]), [message]);
        assert_eq!(Event::default().written(None), b":\n\n");
    }

    #[test]
    fn an_event_has_as_many_bytes_as_the_limit_and_not_one_more() {
        let mut splitter = Splitter::new(7);
        assert!(splitter.push(b"data: x\n\ndata: y", &mut Vec::new()).is_ok());
        assert!(matches!(splitter.push(b"z", &mut Vec::new()), Err(PartError::TooLarge)));
        assert!(matches!(Splitter::new(9).push(b"data: \xff\n", &mut Vec::new()), Err(PartError::Text)));
    }

    proptest! {
        #[test]
        fn every_chunking_gives_the_same_events(cuts in proptest::collection::vec(0..STREAM.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (mut chunks, mut from) = (Vec::new(), 0);
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                chunks.push(&STREAM.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(events(&chunks), events(&[STREAM.as_bytes()]));
        }
    }
}
