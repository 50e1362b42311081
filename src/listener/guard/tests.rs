//! Every framing case, at every split of its bytes.

use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::listener::LimitSettings;

/// A stream that gives `chunk` bytes at a time and then ends.
struct Pieces<'a> {
    bytes: &'a [u8],
    chunk: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (piece, rest) = self.bytes.split_at(self.chunk.min(self.bytes.len()).min(buf.remaining()));
        buf.put_slice(piece);
        self.bytes = rest;
        Poll::Ready(Ok(()))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    passed: Vec<u8>,
    refused: Option<&'static str>,
    fault: Option<BodyFault>,
    /// How many requests reach the service, the substitute included.
    requests: u64,
}

fn limits() -> Arc<Limits> {
    let settings = LimitSettings { header_bytes: 1024, headers: 8, target_bytes: 64, ..LimitSettings::default() };
    Arc::new(settings.limits("l").unwrap())
}

/// What comes out of the guard when `bytes` arrive `chunk` at a time and are read `window` at a time.
fn through(bytes: &[u8], chunk: usize, window: usize) -> Outcome {
    let live = Arc::new(Live::new());
    let mut guard = Guard::new(Pieces { bytes, chunk }, Arc::clone(&live), limits());
    let mut cx = Context::from_waker(Waker::noop());
    let (mut passed, mut fault) = (Vec::new(), None);
    let mut space = vec![0; window];
    loop {
        let mut buf = ReadBuf::new(&mut space);
        match Pin::new(&mut guard).poll_read(&mut cx, &mut buf) {
            Poll::Ready(Ok(())) if buf.filled().is_empty() => break,
            Poll::Ready(Ok(())) => passed.extend_from_slice(buf.filled()),
            Poll::Ready(Err(error)) => {
                fault = body_fault(&error);
                break;
            }
            Poll::Pending => break,
        }
    }
    let heads = guard.heads;
    let mut refused = None;
    let mut tokens = Vec::new();
    for _ in 0..=heads {
        let (token, refusal) = live.begin();
        tokens.push(token);
        refused = refused.or(refusal.map(|refusal| refusal.code));
    }
    Outcome { passed, refused, fault, requests: heads + u64::from(refused.is_some()) }
}

/// Whole, byte-wise, and cut at every single place: the outcome must be one.
fn at_every_split(bytes: &[u8]) -> Outcome {
    let whole = through(bytes, usize::MAX, 65_536);
    assert_eq!(through(bytes, 1, 65_536), whole, "byte-wise: {}", bytes.escape_ascii());
    assert_eq!(through(bytes, 3, 5), whole, "small window: {}", bytes.escape_ascii());
    for first in 1..bytes.len().min(600) {
        assert_eq!(through(bytes, first, 65_536), whole, "pieces of {first}: {}", bytes.escape_ascii());
    }
    whole
}

fn assert_refused(bytes: &[u8], code: &str) {
    let outcome = at_every_split(bytes);
    assert_eq!(outcome.refused, Some(code), "{}", bytes.escape_ascii());
    assert_eq!(outcome.passed, SYNTHETIC, "{}", bytes.escape_ascii());
    assert_eq!(outcome.requests, 1);
}

fn assert_passes(bytes: &[u8], requests: u64) {
    let expected = Outcome { passed: bytes.to_vec(), refused: None, fault: None, requests };
    assert_eq!(at_every_split(bytes), expected, "{}", bytes.escape_ascii());
}

#[test]
fn unambiguous_requests_pass_byte_for_byte() {
    for (bytes, requests) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], 1),
        (b"GET /?a=b&c[]=%20{x}|y HTTP/1.1\r\nHost: a.example:8443\r\n\r\n", 1),
        (b"GET https://A.example/x HTTP/1.1\r\nhost: a.example:443\r\n\r\n", 1),
        (b"GET https://a.example?q HTTP/1.1\r\nhost: a.example\r\n\r\n", 1),
        (b"GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", 1),
        (b"GET / HTTP/1.0\r\n\r\n", 1),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \t z\t \r\nZ: caf\xc3\xa9\r\n\r\n", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nGET / H", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\n\r\n\n\r\n0\r\nA: b\r\n\r\n", 1),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", 1),
        (b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 2),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiPOST / HTTP/1.1\r\nHost: a\r\n\
              Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            3,
        ),
    ] {
        assert_passes(bytes, requests);
    }
}

#[test]
fn ambiguous_framing_is_refused() {
    for (head, code) in [
        ("POST / HTTP/1.1|Host: a|Content-Length: 5|Transfer-Encoding: chunked", "length_and_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Content-Length: 0", "length_and_coding"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 5|Content-Length: 6", "several_lengths"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 5|content-length: 5", "several_lengths"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 5, 5", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: +5", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: -5", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 0x5", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 5 5", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length:", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 9223372036854775808", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Content-Length: 99999999999999999999", "bad_length"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: gzip, chunked", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked, chunked", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked|Transfer-Encoding: chunked", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: xchunked", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: \"chunked\"", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked;q=1", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: identity", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding:", "transfer_coding"),
        ("POST / HTTP/1.1|Host: a|Transfer-Encoding: \u{b}chunked", "bad_field_value"),
        ("POST / HTTP/1.0|Host: a|Transfer-Encoding: chunked", "coding_in_http_1_0"),
        ("GET / HTTP/1.1|Host: a|X: y| folded", "obs_fold"),
        ("GET / HTTP/1.1|Host: a|X: y|\tfolded", "obs_fold"),
        ("GET / HTTP/1.1| Host: a", "obs_fold"),
        ("GET / HTTP/1.1|Host : a", "space_before_colon"),
        ("POST / HTTP/1.1|Host: a|Content-Length\t: 5", "space_before_colon"),
        ("GET / HTTP/1.1|Host: a|: y", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|no colon", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|X\0Y: z", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|X Y: z", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|X\u{e9}: z", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|X(Y): z", "bad_field_name"),
        ("GET / HTTP/1.1|Host: a|X: y\0z", "bad_field_value"),
        ("GET / HTTP/1.1|Host: a|X: y\u{1b}z", "bad_field_value"),
        ("GET / HTTP/1.1|Host: a|X: y\u{7f}z", "bad_field_value"),
    ] {
        assert_refused(format!("{}\r\n\r\n5\r\nhello\r\n0\r\n\r\n", head.replace('|', "\r\n")).as_bytes(), code);
    }
}

#[test]
fn unclear_targets_hosts_and_methods_are_refused() {
    for (head, code) in [
        ("GET / HTTP/1.1", "missing_host"),
        ("GET / HTTP/1.1|X: y", "missing_host"),
        ("GET https://a/ HTTP/1.1", "missing_host"),
        ("GET / HTTP/1.1|Host: a|Host: a", "several_hosts"),
        ("GET / HTTP/1.1|Host: a|HOST: b", "several_hosts"),
        ("GET / HTTP/1.1|Host:", "bad_host"),
        ("GET / HTTP/1.1|Host: a b", "bad_host"),
        ("GET / HTTP/1.1|Host: a, b", "bad_host"),
        ("GET / HTTP/1.1|Host: a/b", "bad_host"),
        ("GET / HTTP/1.1|Host: u@a", "bad_host"),
        ("GET / HTTP/1.1|Host: a:", "bad_host"),
        ("GET / HTTP/1.1|Host: a:0", "bad_host"),
        ("GET / HTTP/1.1|Host: a:65536", "bad_host"),
        ("GET / HTTP/1.1|Host: a:8443x", "bad_host"),
        ("GET / HTTP/1.1|Host: [::1", "bad_host"),
        ("GET / HTTP/1.1|Host: ::1", "bad_host"),
        ("GET / HTTP/1.1|Host: [a]", "bad_host"),
        ("GET https://a/ HTTP/1.1|Host: b", "host_disagrees"),
        ("GET https://a:8443/ HTTP/1.1|Host: a", "host_disagrees"),
        ("GET https://a.b/ HTTP/1.1|Host: a.b.", "host_disagrees"),
        ("GET http://a/ HTTP/1.1|Host: a", "bad_target"),
        ("GET ftp://a/ HTTP/1.1|Host: a", "bad_target"),
        ("GET https://u@a/ HTTP/1.1|Host: a", "bad_target"),
        ("GET https:///x HTTP/1.1|Host: a", "bad_target"),
        ("GET a HTTP/1.1|Host: a", "bad_target"),
        ("GET a:443 HTTP/1.1|Host: a", "bad_target"),
        ("GET * HTTP/1.1|Host: a", "bad_target"),
        ("OPTIONS * HTTP/1.1|Host: a", "bad_target"),
        ("GET /a#b HTTP/1.1|Host: a", "bad_target"),
        ("GET /a\u{e9} HTTP/1.1|Host: a", "bad_target"),
        ("GET /a\u{7f} HTTP/1.1|Host: a", "bad_target"),
        ("GET /a\0 HTTP/1.1|Host: a", "bad_target"),
        ("CONNECT a:443 HTTP/1.1|Host: a:443", "method_refused"),
        ("TRACE / HTTP/1.1|Host: a", "method_refused"),
        ("GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: websocket", "upgrade_refused"),
        ("GET / HTTP/1.1|Host: a|Upgrade: h2c", "upgrade_refused"),
        ("GET / HTTP/1.1|Host: a|Expect: 200-ok", "expectation_refused"),
        ("GET / HTTP/2.0|Host: a", "bad_version"),
        ("PRI * HTTP/2.0|Host: a", "bad_version"),
        ("GET / HTTP/1.2|Host: a", "bad_version"),
        ("GET / http/1.1|Host: a", "bad_request_line"),
        ("GET / HTTP/1.1 |Host: a", "bad_request_line"),
        ("GET /  HTTP/1.1|Host: a", "bad_request_line"),
        ("GET  / HTTP/1.1|Host: a", "bad_request_line"),
        ("GET\t/ HTTP/1.1|Host: a", "bad_request_line"),
        (" GET / HTTP/1.1|Host: a", "bad_request_line"),
        ("GET /|Host: a", "bad_request_line"),
        ("GET|Host: a", "bad_request_line"),
        ("G(T / HTTP/1.1|Host: a", "bad_request_line"),
        ("GET / HTTP/01.1|Host: a", "bad_request_line"),
    ] {
        assert_refused(format!("{}\r\n\r\n", head.replace('|', "\r\n")).as_bytes(), code);
    }
}

#[test]
fn bare_line_ends_are_refused() {
    for (bytes, code) in [
        (&b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..], "bare_lf"),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", "bare_lf"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", "bare_lf"),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "bare_lf"),
        (b"GET / HTTP/1.1\rHost: a\r\n\r\n", "bare_cr"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n", "bare_cr"),
        (b"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "bare_cr"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\rX", "bare_cr"),
        (b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "empty_line"),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", "bare_lf"),
    ] {
        assert_refused(bytes, code);
    }
}

#[test]
fn a_refused_request_in_a_pipeline_leaves_the_one_before_it_alone() {
    let first = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
    let second = b"GET / HTTP/1.1\r\nHost : a\r\n\r\nGET /secret HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = at_every_split(&[&first[..], second].concat());
    assert_eq!(outcome.passed, [&first[..], SYNTHETIC].concat());
    assert_eq!((outcome.refused, outcome.requests), (Some("space_before_colon"), 2));
}

#[test]
fn a_broken_chunked_body_passes_up_to_its_fault_and_no_further() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, fault) in [
        ("5\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n", BodyFault::ChunkEnd),
        ("5\r\nhello\r\nx\r\n", BodyFault::ChunkSize),
        ("ffffffffffffffff\r\n", BodyFault::ChunkSize),
        ("5;\nhello", BodyFault::ChunkExtension),
        ("0\r\nContent-Length: 5\r\n\r\n", BodyFault::Trailer),
        ("0\r\nX : y\r\n\r\n", BodyFault::Trailer),
        ("0\r\nX: y\n\r\n", BodyFault::Trailer),
        ("0\r\n folded\r\n\r\n", BodyFault::Trailer),
        ("0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BodyFault::Trailer),
    ] {
        let bytes = format!("{head}{body}");
        for chunk in 1..=bytes.len() {
            let outcome = through(bytes.as_bytes(), chunk, 65_536);
            assert_eq!(outcome.fault, Some(fault), "{body:?} in pieces of {chunk}");
            assert_eq!((outcome.refused, outcome.requests), (None, 1));
            assert!(bytes.as_bytes().starts_with(&outcome.passed) && outcome.passed.len() >= head.len());
        }
    }
}

#[test]
fn a_head_passes_at_each_limit_and_not_one_past_it() {
    let head_of = |length: usize| {
        let rest = length - "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(rest))
    };
    assert_passes(head_of(1024).as_bytes(), 1);
    assert_refused(head_of(1025).as_bytes(), "headers_too_large");
    // Also when the end never comes.
    assert_refused(head_of(2000).trim_end().as_bytes(), "headers_too_large");

    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    assert_passes(fields(8).as_bytes(), 1);
    assert_refused(fields(9).as_bytes(), "too_many_headers");

    let target = |length: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 1));
    assert_passes(target(64).as_bytes(), 1);
    assert_refused(target(65).as_bytes(), "target_too_long");

    let method = |length: usize| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(length));
    assert_passes(method(24).as_bytes(), 1);
    assert_refused(method(25).as_bytes(), "bad_request_line");

    let host = |length: usize| format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "h".repeat(length));
    assert_passes(host(255).as_bytes(), 1);
    assert_refused(host(256).as_bytes(), "bad_host");

    let length = |text: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {text}\r\n\r\n");
    assert_passes(length("9223372036854775807").as_bytes(), 1);
    assert_refused(length("9223372036854775808").as_bytes(), "bad_length");
}

#[test]
fn a_trailer_section_passes_at_its_limits_and_not_one_past_them() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let sized = |length: usize| format!("{head}X: {}\r\n\r\n", "x".repeat(length - "X: \r\n\r\n".len()));
    assert_passes(sized(1024).as_bytes(), 1);
    assert_eq!(through(sized(1025).as_bytes(), 7, 65_536).fault, Some(BodyFault::Trailer));
    let counted = |count: usize| format!("{head}{}\r\n", "X: y\r\n".repeat(count));
    assert_passes(counted(8).as_bytes(), 1);
    assert_eq!(through(counted(9).as_bytes(), 7, 65_536).fault, Some(BodyFault::Trailer));
}

const PIECES: [&[u8]; 9] = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"abc",
    b"\r\n",
    b"\n",
    b"\0",
];

proptest! {
    #[test]
    fn any_bytes_give_one_outcome_at_any_split(
        bytes in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
        chunk in 1_usize..64,
        window in 1_usize..64,
    ) {
        let bytes = bytes.concat();
        let whole = through(&bytes, usize::MAX, 65_536);
        let pieces = through(&bytes, chunk, window);
        prop_assert_eq!(&whole, &pieces);
        // Nothing passes but a prefix of what came, and the substitute.
        let original = whole.passed.strip_suffix(SYNTHETIC).filter(|_| whole.refused.is_some()).unwrap_or(&whole.passed);
        prop_assert!(bytes.starts_with(original));
    }
}

/// How many requests the parser behind the guard hands to a service.
fn served(bytes: &[u8]) -> u64 {
    use std::{cell::Cell, convert::Infallible};

    let calls = Cell::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (near, mut far) = tokio::io::duplex(65_536);
        tokio::io::AsyncWriteExt::write_all(&mut far, bytes).await.unwrap();
        let guard = Guard::new(near, Arc::new(Live::new()), limits());
        let service = hyper::service::service_fn(|_| {
            calls.set(calls.get() + 1);
            async { Ok::<_, Infallible>(http::Response::new(http_body_util::Empty::<bytes::Bytes>::new())) }
        });
        let builder = crate::listener::connection::http1_builder(&limits());
        let connection = builder.serve_connection(hyper_util::rt::TokioIo::new(guard), service);
        let mut connection = std::pin::pin!(connection);
        // Until it waits for more bytes, or ends.
        for _ in 0..8 {
            let step = std::future::poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready()));
            if step.await {
                break;
            }
        }
    });
    calls.get()
}

const SEEDS: [&str; 4] = [
    "GET /a/b?c=d&e[]=%20 HTTP/1.1\r\nHost: crm.example:8443\r\nAccept: */*\r\nX-Y: z\r\n\r\n",
    "GET https://crm.example/a?b HTTP/1.1\r\nHost: crm.example\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: [::1]:8443\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Otherwise the parser would answer by itself, and nobody would record it.
    #[test]
    fn what_the_guard_passes_the_parser_takes(
        seed in prop::sample::select(&SEEDS[..]),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..4),
    ) {
        let mut bytes = seed.as_bytes().to_vec();
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        let guarded = through(&bytes, usize::MAX, 65_536);
        prop_assert_eq!(served(&bytes), guarded.requests, "{}", bytes.escape_ascii());
    }
}
