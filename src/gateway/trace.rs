//! W3C Trace Context: the caller's trace goes on, or a new one begins.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::crypto::{self, NoRandomness};

/// A `traceparent` (W3C Trace Context §3.2, version 00).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceParent {
    pub(super) trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// The caller's, when it is valid; else a new one with flags `00`.
    pub(super) fn of(
        headers: &HeaderMap,
        fresh: impl FnOnce() -> Result<[u8; 24], NoRandomness>,
    ) -> Result<Self, NoRandomness> {
        if let Some(parent) = headers.get(&TRACEPARENT).and_then(|value| Self::parse(value.as_bytes())) {
            return Ok(parent);
        }
        let random = fresh()?;
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.iter_mut().chain(&mut span).zip(random).for_each(|(slot, byte)| *slot = byte);
        Ok(Self { trace, span, flags: 0 })
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != "00" || parts.next().is_some() {
            return None;
        }
        let parent = Self { trace: unhex(trace)?, span: unhex(span)?, flags: unhex::<1>(flags)?.first().copied()? };
        (parent.trace != [0; 16] && parent.span != [0; 8]).then_some(parent)
    }

    /// The header for the CRM: same trace, `span` as the parent.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let (trace, span, flags) = (crypto::hex(&self.trace), crypto::hex(&self.span), crypto::hex(&[self.flags]));
        HeaderValue::try_from(["00", &trace, &span, &flags].join("-")).ok()
    }
}

/// The header's name.
pub(super) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if text.len() != N * 2 || !lower {
        return None;
    }
    let mut out = [0; N];
    for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> TraceParent {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_str(header).unwrap());
        TraceParent::of(&headers, || Ok([9; 24])).unwrap()
    }

    #[test]
    fn a_valid_parent_goes_on_and_a_broken_one_is_replaced() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(good).header().unwrap(), good);
        for bad in [
            "01-x",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "jane@example.com",
        ] {
            assert_eq!(of(bad).trace, [9; 16], "{bad}");
        }
    }
}
