//! `application/http` parts (RFC 9112 §10.2): a whole request or response as the content of a part.

use super::header::{self, Headers, is_token, value_of};

/// A request inside a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerRequest<'a> {
    /// The method, a token.
    pub method: &'a str,
    /// As it was written: absolute, from the root, or relative.
    pub target: &'a str,
    /// Each name once.
    pub headers: Headers,
    /// What comes after the empty line, without the line ends that some writers add.
    pub body: &'a [u8],
}

/// A response inside a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerResponse<'a> {
    /// 100 to 599.
    pub status: u16,
    /// Each name once.
    pub headers: Headers,
    /// As in [`InnerRequest::body`].
    pub body: &'a [u8],
}

impl<'a> InnerRequest<'a> {
    /// Reads the content of a part; `None` where two readers could differ.
    #[must_use]
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let (line, rest) = start_line(content)?;
        let mut words = line.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let sound = !method.is_empty() && method.bytes().all(is_token) && !target.is_empty();
        if words.next().is_some() || !sound || version != "HTTP/1.1" {
            return None;
        }
        let (headers, body) = section(rest)?;
        Some(Self { method, target, headers, body })
    }
}

impl<'a> InnerResponse<'a> {
    /// As [`InnerRequest::parse`].
    #[must_use]
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let (line, rest) = start_line(content)?;
        let (version, status) = line.split_once(' ')?;
        let code = status.get(..3)?;
        let sound = matches!(version, "HTTP/1.1" | "HTTP/1.0") && code.bytes().all(|byte| byte.is_ascii_digit());
        let reason = status.get(3..)?;
        if !sound || !(reason.is_empty() || reason.starts_with(' ')) {
            return None;
        }
        let status = code.parse().ok().filter(|status| (100..600).contains(status))?;
        let (headers, body) = section(rest)?;
        Some(Self { status, headers, body })
    }
}

fn start_line(content: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(b'\n', content)?;
    let (line, rest) = content.split_at_checked(end + 1)?;
    let line = line.strip_suffix(b"\r\n")?;
    // No control character, and nothing outside ASCII: a target is one of ASCII.
    line.iter().all(|byte| (b' '..=b'~').contains(byte)).then_some(())?;
    Some((std::str::from_utf8(line).ok()?, rest))
}

/// The header and the body. A part without a body may end with its header.
fn section(rest: &[u8]) -> Option<(Headers, &[u8])> {
    if rest.is_empty() {
        return Some((Headers::new(), rest));
    }
    let ended;
    let (headers, body) = match header::read(rest) {
        Ok(read) => read,
        // The last field's line end, or the empty line, was taken for the delimiter's.
        Err(header::Fault::Syntax) if memchr::memmem::find(rest, b"\r\n\r\n").is_none() => {
            ended = [rest.strip_suffix(b"\r\n").unwrap_or(rest), b"\r\n\r\n"].concat();
            (header::read(&ended).ok()?.0, &[][..])
        }
        Err(_) => return None,
    };
    let mut body = body;
    while let Some(shorter) = body.strip_suffix(b"\r\n") {
        body = shorter;
    }
    // Whoever reads by these would see another body than whoever reads to the delimiter.
    let length = value_of(&headers, "content-length").map(str::parse::<usize>);
    let trimmed = rest.len();
    let fits = match length {
        None => true,
        Some(Ok(length)) => length >= body.len() && length <= trimmed,
        Some(Err(_)) => false,
    };
    (fits && value_of(&headers, "transfer-encoding").is_none()).then_some((headers, body))
}

/// A request as the content of a part. `Content-Length` is for the caller to leave out: the delimiter ends the body.
#[must_use]
pub fn write_request(method: &str, target: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {target} HTTP/1.1\r\n").into_bytes();
    header::write(headers, &mut out);
    out.extend_from_slice(body);
    out
}

/// A response as the content of a part.
#[must_use]
pub fn write_response(status: u16, reason: &str, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} {reason}\r\n").into_bytes();
    header::write(headers, &mut out);
    out.extend_from_slice(body);
    out
}
