//! What reached the CRM: a bounded log of requests for tests to search.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, Method};

/// One request as the CRM saw it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method.
    pub method: Method,
    /// Path and query, byte for byte.
    pub target: String,
    /// The header fields; on HTTP/2 `host` is filled from `:authority`.
    pub headers: HeaderMap,
    /// The body as it stood on the wire (content coding not undone).
    pub body: Bytes,
}

impl Received {
    /// Whether `value` occurs in the target, a header value or the body.
    pub fn contains(&self, value: &str) -> bool {
        let has = |bytes: &[u8]| memchr::memmem::find(bytes, value.as_bytes()).is_some();
        has(self.target.as_bytes()) || has(&self.body) || self.headers.values().any(|header| has(header.as_bytes()))
    }

    /// The first value of header `name`, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The last requests.
#[derive(Debug, Default)]
pub(super) struct Log {
    requests: VecDeque<Received>,
    body_bytes: usize,
}

impl Log {
    /// Keeps `request` and drops the oldest ones beyond [`MAX_REQUESTS`] and [`MAX_BODY_BYTES`].
    pub(super) fn push(&mut self, request: Received) {
        self.body_bytes = self.body_bytes.saturating_add(request.body.len());
        self.requests.push_back(request);
        while self.requests.len() > MAX_REQUESTS || self.body_bytes > MAX_BODY_BYTES {
            let Some(oldest) = self.requests.pop_front() else { break };
            self.body_bytes = self.body_bytes.saturating_sub(oldest.body.len());
        }
    }

    pub(super) fn all(&self) -> Vec<Received> {
        self.requests.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.body_bytes = 0;
    }
}

/// Requests kept.
const MAX_REQUESTS: usize = 4_096;
/// Bytes of bodies kept.
const MAX_BODY_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, body: usize) -> Received {
        Received {
            method: Method::GET,
            target: target.into(),
            headers: HeaderMap::new(),
            body: Bytes::from(vec![b'x'; body]),
        }
    }

    #[test]
    fn the_oldest_request_goes_when_one_too_many_comes() {
        let mut log = Log::default();
        for n in 0..=MAX_REQUESTS {
            log.push(request(&n.to_string(), 0));
        }
        let all = log.all();
        assert_eq!(all.len(), MAX_REQUESTS);
        assert_eq!(all.first().map(|r| r.target.as_str()), Some("1"));
    }

    #[test]
    fn bodies_are_bounded_together() {
        let mut log = Log::default();
        log.push(request("a", MAX_BODY_BYTES));
        assert_eq!(log.all().len(), 1);
        log.push(request("b", 1));
        assert_eq!(log.all().len(), 1);
        assert!(log.all()[0].contains("b"));
    }
}
