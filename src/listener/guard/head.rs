//! Checks a complete request head byte by byte and says how its body is framed (RFC 9112 §3, §5, §6).

use http::Uri;

use crate::listener::{Limits, Refusal, refusal};

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; zero when nothing says that there is a body.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// What the header fields say that matters for framing and routing.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    expectation: bool,
}

/// Checks `head`, which ends with its empty line.
pub(crate) fn check(head: &[u8], limits: &Limits) -> Result<Framing, Refusal> {
    let mut lines = lines(head);
    let request = request_line(lines.next().ok_or(refusal::EMPTY_LINE)?, limits)?;
    let mut seen = Seen::default();
    for (index, line) in lines.enumerate() {
        if index >= limits.headers {
            return Err(refusal::TOO_MANY_HEADERS);
        }
        let (name, value) = field(line)?;
        seen.field(name, value)?;
    }
    if seen.chunked && seen.length.is_some() {
        return Err(refusal::LENGTH_AND_CODING);
    }
    if seen.chunked && request.version == Version::Http10 {
        return Err(refusal::CODING_IN_1_0);
    }
    if matches!(request.method, b"CONNECT" | b"TRACE") {
        return Err(refusal::METHOD_REFUSED);
    }
    check_target(&request, seen.host)?;
    if seen.upgrade {
        return Err(refusal::UPGRADE_REFUSED);
    }
    if seen.expectation {
        return Err(refusal::EXPECTATION_REFUSED);
    }
    Ok(if seen.chunked { Framing::Chunked } else { Framing::Length(seen.length.unwrap_or(0)) })
}

/// Checks a complete trailer section: well-formed fields, none of which frames or routes (RFC 9110 §6.5.1).
pub(crate) fn check_trailers(section: &[u8], limits: &Limits) -> Result<(), Refusal> {
    for (index, line) in lines(section).enumerate() {
        if index >= limits.headers {
            return Err(refusal::TOO_MANY_HEADERS);
        }
        let (name, _) = field(line)?;
        if FORBIDDEN_TRAILERS.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden)) {
            return Err(refusal::BAD_FIELD_NAME);
        }
    }
    Ok(())
}

/// Whether two authorities of https URLs are the same host and port.
pub(crate) fn same_authority(one: &[u8], other: &[u8]) -> bool {
    let bare = |authority: &'_ [u8]| authority.strip_suffix(b":443").unwrap_or(authority).to_ascii_lowercase();
    bare(one) == bare(other)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: Version,
}

/// The lines of a section whose line ends were checked by `Scan`, without the empty line at its end.
fn lines(section: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = section.strip_suffix(b"\r\n").unwrap_or(section);
    std::iter::from_fn(move || {
        let end = memchr::memchr(b'\n', rest)?;
        let (line, after) = rest.split_at_checked(end + 1)?;
        rest = after;
        Some(line.strip_suffix(b"\r\n").unwrap_or(line))
    })
}

fn request_line<'a>(line: &'a [u8], limits: &Limits) -> Result<RequestLine<'a>, Refusal> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refusal::BAD_REQUEST_LINE);
    };
    if method.is_empty() || method.len() > METHOD_BYTES || !method.iter().all(|byte| is_token(*byte)) {
        return Err(refusal::BAD_REQUEST_LINE);
    }
    if target.len() > limits.target_bytes {
        return Err(refusal::TARGET_TOO_LONG);
    }
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(refusal::BAD_VERSION);
        }
        _ => return Err(refusal::BAD_REQUEST_LINE),
    };
    Ok(RequestLine { method, target, version })
}

/// One field line: a token, a colon, a value without controls.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(refusal::OBS_FOLD);
    }
    let colon = memchr::memchr(b':', line).ok_or(refusal::BAD_FIELD_NAME)?;
    let (name, rest) = line.split_at_checked(colon).ok_or(refusal::BAD_FIELD_NAME)?;
    if matches!(name.last(), Some(b' ' | b'\t')) {
        return Err(refusal::SPACE_BEFORE_COLON);
    }
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(refusal::BAD_FIELD_NAME);
    }
    let value = rest.get(1..).unwrap_or_default();
    // Without an early end the compiler checks 16 bytes at a time; a token makes this the longest loop over a head.
    let control = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    if value.iter().fold(false, |any, byte| any | control(*byte)) {
        return Err(refusal::BAD_FIELD_VALUE);
    }
    Ok((name, value.trim_ascii()))
}

impl<'a> Seen<'a> {
    fn field(&mut self, name: &[u8], value: &'a [u8]) -> Result<(), Refusal> {
        // The length first: most names are none of these and cost one comparison.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                once(self.host.replace(value).is_none(), refusal::SEVERAL_HOSTS)?;
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expectation |= !value.eq_ignore_ascii_case(b"100-continue");
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.upgrade = true,
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = decimal(value).ok_or(refusal::BAD_LENGTH)?;
                once(self.length.replace(length).is_none(), refusal::SEVERAL_LENGTHS)?;
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(refusal::TRANSFER_CODING);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

fn once(is_first: bool, again: Refusal) -> Result<(), Refusal> {
    if is_first { Ok(()) } else { Err(again) }
}

/// Digits only: `+5`, `5, 5`, `0x5` and the empty string are none. Below 2^63, so that no reader's sign bit is met.
fn decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    value
        .iter()
        .try_fold(0_u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
        .filter(|length| *length < 1 << 63)
}

fn check_target(request: &RequestLine<'_>, host: Option<&[u8]>) -> Result<(), Refusal> {
    let host = match host {
        Some(host) if is_authority(host) => Some(host),
        Some(_) => return Err(refusal::BAD_HOST),
        None if request.version == Version::Http11 => return Err(refusal::MISSING_HOST),
        None => None,
    };
    let target = request.target;
    // A fragment is never sent (RFC 9112 §3.2); the parser behind this would cut it off without a word.
    if !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(refusal::BAD_TARGET);
    }
    if target.first() == Some(&b'/') {
        // `//host/path` is a path here and a host elsewhere; API maps refuse it, framing need not.
        if !target.iter().all(|byte| is_plain(*byte)) && Uri::try_from(target).is_err() {
            return Err(refusal::BAD_TARGET);
        }
        return Ok(());
    }
    let rest = match target.get(..8) {
        Some(scheme) if scheme.eq_ignore_ascii_case(b"https://") => target.get(8..).unwrap_or_default(),
        _ => return Err(refusal::BAD_TARGET),
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    if !is_authority(authority) || Uri::try_from(target).is_err() {
        return Err(refusal::BAD_TARGET);
    }
    match host {
        Some(host) if !same_authority(authority, host) => Err(refusal::HOST_DISAGREES),
        _ => Ok(()),
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; no user information, no empty host.
pub(crate) fn is_authority(authority: &[u8]) -> bool {
    let (host, port) = match authority.strip_prefix(b"[") {
        Some(rest) => {
            let Some((host, rest)) = memchr::memchr(b']', rest).and_then(|at| rest.split_at_checked(at)) else {
                return false;
            };
            let port = match rest {
                b"]" => None,
                [b']', b':', port @ ..] => Some(port),
                _ => return false,
            };
            let v6 = std::str::from_utf8(host).ok().and_then(|host| host.parse::<std::net::Ipv6Addr>().ok());
            if v6.is_none() {
                return false;
            }
            (host, port)
        }
        None => match memchr::memchr(b':', authority).and_then(|at| authority.split_at_checked(at)) {
            Some((host, port)) => (host, port.get(1..)),
            None => (authority, None),
        },
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    let port_fits = port.is_none_or(|port| {
        (1..=5).contains(&port.len()) && decimal(port).is_some_and(|port| (1..=65_535).contains(&port))
    });
    !host.is_empty() && host.len() <= HOST_BYTES && host.iter().all(plain) && port_fits
}

/// `tchar` (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    const TOKEN: [bool; 256] = table(b"!#$%&'*+-.^_`|~");
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// What a path and a query are made of (RFC 3986 §3.3, §3.4); other bytes are left to the URI parser.
fn is_plain(byte: u8) -> bool {
    const PLAIN: [bool; 256] = table(b"-._~!$&'()*+,;=:@/?%");
    PLAIN.get(usize::from(byte)).copied().unwrap_or(false)
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler; a wrong index does not build")]
const fn table(marks: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut mark = 0;
    while mark < marks.len() {
        table[marks[mark] as usize] = true;
        mark += 1;
    }
    table
}

/// Longest method name; the longest registered one has 17.
const METHOD_BYTES: usize = 24;
/// Longest host name (RFC 1035 §2.3.4) or address.
const HOST_BYTES: usize = 255;
const FORBIDDEN_TRAILERS: [&[u8]; 8] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
    b"upgrade",
    b"te",
    b"authorization",
    b"content-encoding",
];
