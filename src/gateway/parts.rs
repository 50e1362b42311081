//! A CRM body that holds protected fields: decoded, rewritten, recorded and released part by part.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt;

use super::{
    body::{Clearance, Held, MAX_FRAME_BYTES, Nothing},
    budget::{self, Meter},
    coding::{CodingError, Decoder},
    ending::Ending,
    opening::Opening,
    paced::Cut,
    respond::Refusal,
};
use crate::{
    audit::AuditError,
    model::{Sighting, Subject},
    rewrite::{ResponseView, RewriteError, mcp::MessageError},
    upstream::{self, UpstreamError},
    vault::VaultError,
};

/// Why a part cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    /// The CRM went away in the middle.
    #[error("the CRM's body stopped half-way")]
    Truncated,
    /// The CRM was silent for too long.
    #[error("the CRM's body stalled")]
    Stalled,
    /// The exchange as a whole took too long.
    #[error("the exchange took longer than `timeouts.total`")]
    Late,
    /// More bytes than `[limits] response_body_bytes`.
    #[error("the CRM's body is larger than `limits.response_body_bytes`")]
    TooLarge,
    /// The coding is damaged or expands too far.
    #[error(transparent)]
    Coding(#[from] CodingError),
    /// Not what the map says, or not valid.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// A text that is not UTF-8.
    #[error("the CRM sent a text that is not UTF-8")]
    Text,
    /// Not a message that may pass.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The record is not durable.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// What is needed to open stored values is not to be had.
    #[error("stored values cannot be opened at the moment")]
    Vault(#[from] VaultError),
}

impl PartError {
    /// Why the CRM's body ended early.
    pub(super) fn of_body(error: &UpstreamError) -> Self {
        if error.is_timeout() { Self::Stalled } else { Self::Truncated }
    }

    /// Why a body of the CRM that was read within bounds ended early.
    pub(super) fn of_cut(cut: &Cut<UpstreamError>) -> Self {
        match cut {
            Cut::Sender(error) => Self::of_body(error),
            Cut::Stalled => Self::Stalled,
            Cut::Late => Self::Late,
            Cut::TooLarge => Self::TooLarge,
        }
    }

    /// Whether the caller has seen as many people as it may.
    pub(super) fn is_over_budget(&self) -> bool {
        matches!(
            self,
            Self::Rewrite(RewriteError::OverBudget) | Self::Message(MessageError::Rewrite(RewriteError::OverBudget))
        )
    }

    /// The problem code.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Truncated => "upstream_truncated",
            Self::Stalled => "upstream_timeout",
            Self::Late => "timeout",
            Self::TooLarge => "response_too_large",
            Self::Coding(CodingError::Unsupported) => "unsupported_coding",
            Self::Coding(_) => "invalid_coding",
            _ if self.is_over_budget() => budget::CODE,
            Self::Rewrite(_) | Self::Message(_) | Self::Text => "invalid_response",
            Self::Audit(_) => "audit_unavailable",
            Self::Vault(_) => "vault_unavailable",
        }
    }
}

/// Bounds of one body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) window_bytes: usize,
    pub(super) body_bytes: u64,
    pub(super) patience: Duration,
}

/// A body between two parts.
pub(super) struct Parts {
    resource: Arc<str>,
    body: upstream::Body,
    decoder: Option<Decoder>,
    view: Option<ResponseView>,
    /// Opens stored values, where there are any.
    opening: Option<Opening>,
    meter: Option<Arc<Meter>>,
    bounds: Bounds,
    /// Coded bytes that came and are not decoded yet.
    coded: Bytes,
    out: Vec<u8>,
    /// Output bytes that left `out` already.
    taken: u64,
    received: u64,
    recorded: u32,
    /// What was released and is not handed over yet.
    ready: Option<Bytes>,
}

/// One window of output.
pub(super) struct Window {
    held: Held,
    sightings: Vec<Sighting>,
}

/// Coded bytes decoded at once, so that a window that is full stops decoding too.
const CODED_STEP_BYTES: usize = 2 * 1024;

/// How much is rewritten before the first record: small answers need one, large ones start early.
const FIRST_WINDOW_BYTES: usize = 128 * 1024;

impl Parts {
    pub(super) fn new(
        body: upstream::Body,
        decoder: Decoder,
        view: ResponseView,
        bounds: Bounds,
        resource: Arc<str>,
    ) -> Self {
        Self {
            resource,
            body,
            decoder: Some(decoder),
            view: Some(view),
            opening: None,
            meter: None,
            bounds,
            coded: Bytes::new(),
            out: Vec::new(),
            taken: 0,
            received: 0,
            recorded: 0,
            ready: None,
        }
    }

    /// Opens stored values too.
    pub(super) fn with_stored(mut self, opening: Opening) -> Self {
        if let Some(view) = &mut self.view {
            opening.begin(view);
        }
        self.opening = Some(opening);
        self
    }

    /// How many values could not be opened so far.
    pub(super) fn hidden(&self) -> u64 {
        self.opening.as_ref().map_or(0, Opening::hidden)
    }

    /// Settles with `meter` what is shown.
    pub(super) fn metered(mut self, meter: Option<Arc<Meter>>) -> Self {
        self.meter = meter;
        self
    }

    pub(super) fn meter(&self) -> Option<&Arc<Meter>> {
        self.meter.as_ref()
    }

    /// Why the caller gets nothing, when a budget is the reason.
    pub(super) fn refusal(&self) -> Option<Box<Refusal>> {
        Some(Box::new(self.meter.as_ref()?.stopped()?.refusal()))
    }

    /// Whether everything was rewritten.
    pub(super) fn is_complete(&self) -> bool {
        self.view.is_none()
    }

    /// The first part, recorded: what the response's head waits for. The second value is the record's reference.
    pub(super) async fn first(&mut self, ending: &Ending) -> Result<(Bytes, Option<String>), PartError> {
        let enough = FIRST_WINDOW_BYTES.min(self.bounds.window_bytes);
        if let Some(length) = self.body.size_hint().exact() {
            // Masks are seldom much longer than what they stand for.
            let room = usize::try_from(length).unwrap_or(usize::MAX);
            let room = room.saturating_add(room / 4 + 256);
            self.out.reserve_exact(room.min(enough + MAX_FRAME_BYTES));
        }
        let window = self.window(enough, ending).await?;
        let (bytes, clearance) = self.clear(window, ending).await?;
        Ok((bytes, clearance.reference()))
    }

    /// Puts the first part back in front of the stream.
    pub(super) fn start_with(&mut self, first: Bytes) {
        self.ready = Some(first);
    }

    /// The next part; `None` at the end.
    pub(super) async fn part(&mut self, ending: &mut Ending) -> Result<Option<Bytes>, PartError> {
        let mut bytes = match self.ready.take() {
            Some(ready) => ready,
            None if self.is_complete() => return Ok(None),
            None => {
                let window = self.window(self.bounds.window_bytes, ending).await?;
                self.clear(window, ending).await?.0
            }
        };
        if bytes.len() > MAX_FRAME_BYTES {
            self.ready = Some(bytes.split_off(MAX_FRAME_BYTES));
        }
        ending.bytes += bytes.len() as u64;
        ending.released = self.is_complete() && self.ready.is_none();
        Ok((!bytes.is_empty()).then_some(bytes))
    }

    async fn clear(&mut self, window: Window, ending: &Ending) -> Result<(Bytes, Clearance), PartError> {
        let nothing = Nothing::found(!ending.searched.is_empty() && self.recorded == 0);
        let found = !window.sightings.is_empty();
        let subject = |seen| Subject { kind: Arc::clone(&self.resource), seen };
        let subjects = window.sightings.into_iter().map(subject).collect();
        let clearance = Clearance::of(ending, subjects, &mut self.recorded, nothing).await?;
        if let Some(meter) = &self.meter {
            meter.settle(ending.shared().now());
            if found {
                meter.found_somebody();
            }
            if self.is_complete() {
                meter.end_find();
            }
        }
        Ok((window.held.release(&clearance), clearance))
    }

    /// Rewrites until `enough` bytes can be recorded, or to the end.
    async fn window(&mut self, enough: usize, ending: &Ending) -> Result<Window, PartError> {
        let mut sightings = Vec::new();
        while let Some(view) = &mut self.view {
            if usize::try_from(view.releasable() - self.taken).unwrap_or(usize::MAX) >= enough {
                break;
            }
            if !self.coded.is_empty() {
                let step = self.coded.split_to(self.coded.len().min(CODED_STEP_BYTES));
                self.push(&step, ending).await?;
                continue;
            }
            let frame = tokio::time::timeout(self.bounds.patience, self.body.frame()).await;
            match frame.map_err(|_| PartError::Stalled)? {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if self.decoder.as_ref().is_some_and(Decoder::is_identity) {
                        self.push(&data, ending).await?;
                    } else {
                        self.coded = data;
                    }
                }
                Some(Err(error)) => return Err(PartError::of_body(&error)),
                None => sightings = self.end(ending).await?,
            }
        }
        let ready = match &mut self.view {
            Some(view) => {
                ending.drifted(view.take_drift());
                sightings = view.take_sightings();
                usize::try_from(view.releasable() - self.taken).unwrap_or(usize::MAX).min(self.out.len())
            }
            None => self.out.len(),
        };
        let rest = self.out.split_off(ready);
        let bytes = std::mem::replace(&mut self.out, rest);
        self.taken += bytes.len() as u64;
        Ok(Window { held: Held::new(bytes), sightings })
    }

    async fn push(&mut self, data: &[u8], ending: &Ending) -> Result<(), PartError> {
        self.received += data.len() as u64;
        if self.opening.is_some() {
            return Box::pin(self.push_stored(data, ending)).await;
        }
        let (Some(decoder), Some(view)) = (&mut self.decoder, &mut self.view) else { return Ok(()) };
        let (out, status) = (&mut self.out, &ending.shared().status);
        decoder.push(data, |decoded| {
            status.rewritten_bytes.fetch_add(decoded.len() as u64, Ordering::Relaxed);
            view.push(decoded, out).map_err(PartError::Rewrite)
        })?;
        if self.taken + self.out.len() as u64 > self.bounds.body_bytes {
            return Err(PartError::TooLarge);
        }
        Ok(())
    }

    /// As [`Self::push`], with what is stored in another form.
    async fn push_stored(&mut self, data: &[u8], ending: &Ending) -> Result<(), PartError> {
        let mut decoded = Vec::new();
        if let Some(decoder) = &mut self.decoder {
            decoder.push(data, |bytes| {
                decoded.extend_from_slice(bytes);
                Ok::<(), PartError>(())
            })?;
        }
        self.show_stored(&decoded, ending).await
    }

    async fn show_stored(&mut self, decoded: &[u8], ending: &Ending) -> Result<(), PartError> {
        let (Some(opening), Some(view)) = (&mut self.opening, &mut self.view) else { return Ok(()) };
        ending.shared().status.rewritten_bytes.fetch_add(decoded.len() as u64, Ordering::Relaxed);
        opening.push(view, decoded, &mut self.out, ending).await?;
        if self.taken + self.out.len() as u64 > self.bounds.body_bytes {
            return Err(PartError::TooLarge);
        }
        Ok(())
    }

    async fn end(&mut self, ending: &Ending) -> Result<Vec<Sighting>, PartError> {
        let Some(decoder) = self.decoder.take() else { return Ok(Vec::new()) };
        if self.opening.is_some() {
            let mut decoded = Vec::new();
            decoder.finish(|bytes| {
                decoded.extend_from_slice(bytes);
                Ok::<(), PartError>(())
            })?;
            Box::pin(self.show_stored(&decoded, ending)).await?;
        } else if let Some(view) = &mut self.view {
            decoder.finish(|decoded| view.push(decoded, &mut self.out).map_err(PartError::Rewrite))?;
        }
        let Some(mut view) = self.view.take() else { return Ok(Vec::new()) };
        if self.received == 0 {
            // 200 with no body at all: there is nothing to show, and nothing that could be invalid.
            return Ok(Vec::new());
        }
        let sightings = match &mut self.opening {
            Some(opening) => Box::pin(opening.finish(&mut view, &mut self.out, ending)).await?,
            None => view.finish(&mut self.out)?,
        };
        if let Some(route) = &ending.route {
            route.leaves.fetch_add(view.protected_leaves(), Ordering::Relaxed);
        }
        ending.drifted(view.take_drift());
        Ok(sightings)
    }
}
