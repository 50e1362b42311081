//! A stream of messages on its way to the caller: each is shown and recorded by itself, and leaves as soon as it is.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use http_body_util::BodyExt;

use super::{
    show::Show,
    split::{Event, Splitter},
};
use crate::{
    gateway::{budget::Meter, coding::Decoder, ending::Ending, parts::PartError},
    rewrite::carries_personal,
    upstream,
};

/// A stream between two events.
pub(in crate::gateway) struct Events {
    body: upstream::Body,
    decoder: Option<Decoder>,
    splitter: Splitter,
    show: Show,
    waiting: VecDeque<Event>,
    /// Decoded bytes that may still come.
    left: u64,
}

impl Events {
    /// `most` is how long one event may be, and all of them.
    pub(super) fn new(body: upstream::Body, decoder: Decoder, show: Show, most: (usize, u64)) -> Self {
        let splitter = Splitter::new(most.0);
        Self { body, decoder: Some(decoder), splitter, show, waiting: VecDeque::new(), left: most.1 }
    }

    /// The next event; `None` at the end.
    pub(in crate::gateway) async fn event(&mut self, ending: &mut Ending) -> Result<Option<Bytes>, PartError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                let bytes = self.shown(event, ending).await?;
                ending.bytes += bytes.len() as u64;
                return Ok(Some(bytes));
            }
            // A server may be silent for as long as it likes: the connection to it and the exchange have their own bounds.
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.push(&data)?;
                }
                Some(Err(error)) => return Err(PartError::of_body(&error)),
                None => {
                    if let Some(decoder) = self.decoder.take() {
                        // Everything was handed out as it came; what is missing is the end.
                        decoder.finish(|_| Ok::<(), PartError>(()))?;
                    }
                    // What does not end with an empty line is no event (WHATWG HTML §9.2.6).
                    ending.released = true;
                    self.show.end();
                    return Ok(None);
                }
            }
        }
    }

    pub(in crate::gateway) fn meter(&self) -> Option<&Arc<Meter>> {
        self.show.meter()
    }

    fn push(&mut self, data: &[u8]) -> Result<(), PartError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let (splitter, left, mut events) = (&mut self.splitter, &mut self.left, Vec::new());
        decoder.push(data, |decoded| {
            *left = left.checked_sub(decoded.len() as u64).ok_or(PartError::TooLarge)?;
            splitter.push(decoded, &mut events)
        })?;
        self.waiting.extend(events);
        Ok(())
    }

    async fn shown(&mut self, mut event: Event, ending: &Ending) -> Result<Bytes, PartError> {
        let (tools, known) = (&self.show.other.tools, &self.show.other.known);
        for text in [&mut event.name, &mut event.id] {
            text.take_if(|text| carries_personal(tools, known, text));
        }
        let shown = match event.data.take() {
            None => return Ok(Bytes::from(event.written(None))),
            Some(data) if data.trim().is_empty() => Bytes::new(),
            // What is no message, a batch among it, ends the stream.
            Some(data) => self.show.message(data.as_bytes(), ending).await?.0,
        };
        Ok(Bytes::from(event.written(Some(&shown))))
    }
}
