//! The stored values of a body: what its leaves need is asked of the vault ahead of the view that opens them.

use std::sync::Arc;

use super::{ending::Ending, parts::PartError, stored::Resolver};
use crate::{
    model::{Sighting, SubjectRef},
    rewrite::{self, Collector, ResponseView},
};

/// What opening the stored values of a body takes.
pub(super) struct Opening {
    resolver: Resolver,
    /// Absent when no field of the body is mapped.
    collector: Option<Collector>,
    /// Subjects whose records this body names.
    unnamed: Vec<SubjectRef>,
    hidden: u64,
}

/// Decoded bytes whose stored values are asked for at once.
const STEP_BYTES: usize = 32 * 1024;

impl Opening {
    /// Absent when there is nothing to open in the body, and no record of it to remember.
    pub(super) fn new(resolver: Resolver, plan: &Arc<rewrite::Plan>, unnamed: Vec<SubjectRef>) -> Option<Self> {
        let collector = Collector::new(plan);
        let naming = !unnamed.is_empty() && plan.layout.names_subjects();
        (collector.is_some() || naming).then_some(Self { resolver, collector, unnamed, hidden: 0 })
    }

    /// Has `view` remember the records that this has to name.
    pub(super) fn begin(&self, view: &mut ResponseView) {
        view.name_records(self.unnamed.len() + 1);
    }

    /// Shows `bytes`, which are decoded, after the vault was asked for what their leaves need.
    pub(super) async fn push(
        &mut self,
        view: &mut ResponseView,
        bytes: &[u8],
        out: &mut Vec<u8>,
        ending: &Ending,
    ) -> Result<(), PartError> {
        for step in bytes.chunks(STEP_BYTES) {
            if let Some(collector) = &mut self.collector {
                view.answer(self.resolver.answers(&collector.push(step)?).await?);
            }
            view.push(step, out)?;
            self.note(view, ending).await;
        }
        Ok(())
    }

    /// Ends the body, as [`ResponseView::finish`] does, and names the records that it has met.
    pub(super) async fn finish(
        &mut self,
        view: &mut ResponseView,
        out: &mut Vec<u8>,
        ending: &Ending,
    ) -> Result<Vec<Sighting>, PartError> {
        if let Some(collector) = &mut self.collector {
            view.answer(self.resolver.answers(&collector.finish()?).await?);
        }
        let sightings = view.finish(out)?;
        self.note(view, ending).await;
        self.resolver.name(&self.unnamed, view.named_records()).await;
        Ok(sightings)
    }

    /// How many values could not be opened so far.
    pub(super) fn hidden(&self) -> u64 {
        self.hidden
    }

    async fn note(&mut self, view: &mut ResponseView, ending: &Ending) {
        let notes = view.take_notes();
        self.hidden += notes.hidden();
        self.resolver.noted(notes, &ending.shared().status, &ending.classes).await;
    }
}
