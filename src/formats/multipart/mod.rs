//! multipart bodies (RFC 2046 §5.1): a whole body in, its parts out, and back. Preamble and epilogue are dropped, and what two
//! readers could split differently is refused.

mod header;
mod message;
#[cfg(test)]
mod tests;

pub use header::{Headers, MAX_HEADER_BYTES, MAX_HEADERS, Parameters, value_of};
pub use message::{InnerRequest, InnerResponse, write_request, write_response};

use memchr::memmem;

/// Why a multipart body was refused. Parts are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// No boundary, or one that RFC 2046 does not allow.
    #[error("the media type names no valid `boundary`")]
    Boundary,
    /// A line that one reader takes for a delimiter and another for content.
    #[error("a line at byte {0} could be read as a delimiter and is none")]
    Ambiguous(usize),
    /// The closing delimiter is missing.
    #[error("the closing delimiter is missing")]
    Truncated,
    /// Past the limit.
    #[error("more than {0} parts")]
    TooMany(usize),
    /// The header of a part is not one that every reader reads alike.
    #[error("the header of part {0} is not valid")]
    Header(usize),
    /// More fields or bytes than a part's header may have.
    #[error("the header of part {0} is too long")]
    HeaderTooLong(usize),
}

/// A part: its header fields in order, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// Each name once.
    pub headers: Headers,
    /// Without the line end that belongs to the delimiter.
    pub body: &'a [u8],
}

/// The boundary that the media type `content_type`, one of `multipart/…`, names.
///
/// # Errors
/// When it names none, or one that RFC 2046 §5.1.1 does not allow.
pub fn boundary(content_type: &str) -> Result<String, MultipartError> {
    let parameters = Parameters::parse(content_type).ok_or(MultipartError::Boundary)?;
    if !parameters.kind.starts_with("multipart/") {
        return Err(MultipartError::Boundary);
    }
    let boundary = parameters.get("boundary").ok_or(MultipartError::Boundary)?;
    if is_boundary(boundary) { Ok(boundary.to_owned()) } else { Err(MultipartError::Boundary) }
}

/// The parts of `body`, at most `most`.
///
/// # Errors
/// Where it is not a body that every reader splits alike.
pub fn read<'a>(boundary: &str, body: &'a [u8], most: usize) -> Result<Vec<Part<'a>>, MultipartError> {
    if !is_boundary(boundary) {
        return Err(MultipartError::Boundary);
    }
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    // Where the content of the open part starts.
    let (mut open, mut closed) = (None, false);
    for at in memmem::find_iter(body, delimiter.as_bytes()) {
        let Some(line) = line(body, at, delimiter.len())? else { continue };
        if closed {
            return Err(MultipartError::Ambiguous(at));
        }
        if let Some(start) = open {
            if parts.len() == most {
                return Err(MultipartError::TooMany(most));
            }
            // The line end before the delimiter belongs to it; a part that has none has no header either.
            let content = at.checked_sub(2).and_then(|end| body.get(start..end));
            parts.push(part(content.ok_or(MultipartError::Header(parts.len() + 1))?, parts.len() + 1)?);
        }
        match line {
            Line::Next(start) => open = Some(start),
            Line::Close => closed = true,
        }
    }
    if closed { Ok(parts) } else { Err(MultipartError::Truncated) }
}

/// The body with these parts, and a boundary that none of them holds.
#[must_use]
pub fn write<B: AsRef<[u8]>>(parts: &[(Headers, B)]) -> (String, Vec<u8>) {
    let boundary = fresh(parts);
    let mut out = Vec::with_capacity(parts.iter().map(|(_, body)| body.as_ref().len() + 128).sum());
    for (headers, body) in parts {
        out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        header::write(headers, &mut out);
        out.extend_from_slice(body.as_ref());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (boundary, out)
}

/// A boundary that is in no part: known to be so because they were searched for it, so it need not be secret.
fn fresh<B: AsRef<[u8]>>(parts: &[(Headers, B)]) -> String {
    let mut number = 0_u64;
    loop {
        let boundary = format!("fieldgate_{number:016x}");
        let finder = memmem::Finder::new(boundary.as_bytes());
        let inside = |(headers, body): &(Headers, B)| {
            finder.find(body.as_ref()).is_some()
                || headers.iter().any(|(_, value)| finder.find(value.as_bytes()).is_some())
        };
        if !parts.iter().any(inside) {
            return boundary;
        }
        number += 1;
    }
}

enum Line {
    /// A part begins at this byte.
    Next(usize),
    Close,
}

/// What the occurrence of the delimiter at `at` is; `None` inside of a line.
fn line(body: &[u8], at: usize, length: usize) -> Result<Option<Line>, MultipartError> {
    let before = body.get(..at).unwrap_or_default();
    if !before.is_empty() && !before.ends_with(b"\r\n") {
        // A line that ends with CR or LF alone ends for some readers only.
        let loose = before.ends_with(b"\n") || before.ends_with(b"\r");
        return if loose { Err(MultipartError::Ambiguous(at)) } else { Ok(None) };
    }
    let end = at + length;
    let rest = body.get(end..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(Some(Line::Next(end + 2)));
    }
    match rest.strip_prefix(b"--") {
        Some(after) if after.is_empty() || after.starts_with(b"\r\n") => Ok(Some(Line::Close)),
        _ => Err(MultipartError::Ambiguous(at)),
    }
}

fn part(content: &[u8], number: usize) -> Result<Part<'_>, MultipartError> {
    let (headers, body) = header::read(content).map_err(|fault| match fault {
        header::Fault::Syntax => MultipartError::Header(number),
        header::Fault::TooLong => MultipartError::HeaderTooLong(number),
    })?;
    Ok(Part { headers, body })
}

/// RFC 2046 §5.1.1: 1 to 70 characters, no blank at the end; blanks inside are refused too.
fn is_boundary(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    (1..=70).contains(&text.len()) && text.bytes().all(allowed)
}
