//! Request targets: raw text in, decoded parts out; whatever two servers could read differently is refused.

use std::borrow::Cow;

/// Bytes per request target.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;
/// Path segments per target and per template.
pub const MAX_SEGMENTS: usize = 32;
/// Query parameters per target.
pub const MAX_PARAMETERS: usize = 256;

/// Why a target was refused.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not the form this gateway forwards.
    #[error("the request target is not in canonical form: {0}")]
    Bad(&'static str),
    /// No route has this method and path.
    #[error("no route maps this method and path")]
    Unmapped,
    /// The route does not name this query parameter.
    #[error("the route does not accept one of the query parameters")]
    UnmappedParameter,
}

impl TargetError {
    /// The problem code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bad(_) => "bad_target",
            Self::Unmapped => "unmapped_route",
            Self::UnmappedParameter => "unmapped_parameter",
        }
    }
}

/// Path and query of an origin-form target.
pub(super) fn split(target: &str) -> Result<(&str, &str), TargetError> {
    if target.len() > MAX_TARGET_BYTES {
        return Err(TargetError::Bad("longer than 16384 bytes"));
    }
    if target.bytes().any(|byte| !(0x21..=0x7e).contains(&byte)) {
        return Err(TargetError::Bad("a byte outside printable ASCII"));
    }
    if target.contains('#') {
        return Err(TargetError::Bad("a fragment"));
    }
    Ok(target.split_once('?').unwrap_or((target, "")))
}

/// A path whose segments were checked and decoded one by one.
pub(super) struct RawPath<'a> {
    segments: Vec<Segment<'a>>,
}

impl<'a> RawPath<'a> {
    pub(super) fn parse(path: &'a str) -> Result<Self, TargetError> {
        let rest = path.strip_prefix('/').ok_or(TargetError::Bad("the path does not start with `/`"))?;
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new() });
        }
        let mut segments = Vec::with_capacity(8);
        for raw in rest.split('/') {
            if segments.len() == MAX_SEGMENTS {
                return Err(TargetError::Bad("more than 32 path segments"));
            }
            segments.push(Segment::parse(raw)?);
        }
        Ok(Self { segments })
    }

    pub(super) fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }
}

/// One path segment.
pub(super) struct Segment<'a> {
    raw: &'a str,
    decoded: Cow<'a, str>,
}

impl<'a> Segment<'a> {
    fn parse(raw: &'a str) -> Result<Self, TargetError> {
        if raw.is_empty() {
            return Err(TargetError::Bad("an empty path segment or a trailing slash"));
        }
        if raw == "." || raw == ".." {
            return Err(TargetError::Bad("a dot segment"));
        }
        if !raw.bytes().all(|byte| is_segment_byte(byte) || matches!(byte, b'%' | b'+')) {
            return Err(TargetError::Bad("a character that a path segment cannot hold"));
        }
        if !raw.contains('%') {
            return Ok(Self { raw, decoded: Cow::Borrowed(raw) });
        }
        let decoded = decode(raw, Plus::Literal)?;
        let escaped_unreserved = raw.split('%').skip(1).any(|tail| hex_pair(tail).is_some_and(is_unreserved));
        if escaped_unreserved {
            return Err(TargetError::Bad("an escaped character that needs no escape"));
        }
        // An escape that survives decoding would be decoded by a server that decodes twice.
        if decoded.split('%').skip(1).any(|tail| hex_pair(tail).is_some()) {
            return Err(TargetError::Bad("a path segment that is escaped twice"));
        }
        if decoded.chars().any(|c| matches!(c, '/' | '\\') || c.is_control()) {
            return Err(TargetError::Bad("an escaped separator or control character in the path"));
        }
        Ok(Self { raw, decoded: Cow::Owned(decoded) })
    }

    /// As it was sent.
    pub(super) fn raw(&self) -> &str {
        self.raw
    }

    /// Decoded.
    pub(super) fn decoded(&self) -> &str {
        &self.decoded
    }

    /// Appends the one spelling this gateway sends.
    pub(super) fn write_canonical(&self, out: &mut String) {
        write_segment(&self.decoded, out);
    }
}

/// The parameters of a query, decoded, in order (`application/x-www-form-urlencoded`: `+` is a blank).
pub(super) struct Query(pub(super) Vec<(String, Option<String>)>);

impl Query {
    pub(super) fn parse(query: &str) -> Result<Self, TargetError> {
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            if parameters.len() == MAX_PARAMETERS {
                return Err(TargetError::Bad("more than 256 query parameters"));
            }
            let (name, value) = match pair.split_once('=') {
                Some((name, value)) => (name, Some(decode(value, Plus::Blank)?)),
                None => (pair, None),
            };
            let name = decode(name, Plus::Blank)?;
            let blank = |c: char| matches!(c, '\t' | '\n' | '\r');
            if name.chars().any(char::is_control)
                || value.iter().any(|v| v.chars().any(|c| c.is_control() && !blank(c)))
            {
                return Err(TargetError::Bad("a control character in the query"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }
}

/// Appends one path segment in the one spelling this gateway sends.
pub(super) fn write_segment(decoded: &str, out: &mut String) {
    encode(decoded, is_segment_byte, out);
}

/// Appends one parameter in the one spelling this gateway sends: `;` and `+` are escaped, since some servers read them as
/// `&` and as a blank.
pub(super) fn write_parameter(name: &str, value: Option<&str>, out: &mut String) {
    encode(name, is_unreserved, out);
    if let Some(value) = value {
        out.push('=');
        encode(value, is_unreserved, out);
    }
}

/// RFC 3986 §2.3.
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What stands unescaped in a segment: `pchar` (RFC 3986 §3.3) without `;`, which starts path parameters, and without
/// `+`, which some servers decode as a blank.
pub(super) fn is_segment_byte(byte: u8) -> bool {
    is_unreserved(byte) || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b',' | b'=' | b':' | b'@')
}

#[derive(Clone, Copy)]
enum Plus {
    Literal,
    Blank,
}

fn decode(raw: &str, plus: Plus) -> Result<String, TargetError> {
    let (mut out, mut rest) = (Vec::with_capacity(raw.len()), raw);
    while let Some(byte) = rest.bytes().next() {
        let length = match byte {
            b'%' => {
                let tail = rest.get(1..).unwrap_or_default();
                out.push(hex_pair(tail).ok_or(TargetError::Bad("an escape that is not `%` and two hex digits"))?);
                3
            }
            b'+' if matches!(plus, Plus::Blank) => {
                out.push(b' ');
                1
            }
            _ => {
                out.push(byte);
                1
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    String::from_utf8(out).map_err(|_| TargetError::Bad("an escape sequence that is not UTF-8"))
}

fn hex_pair(tail: &str) -> Option<u8> {
    let mut digits = tail.bytes();
    let mut next = || digits.next().and_then(|byte| char::from(byte).to_digit(16));
    let (high, low) = (next()?, next()?);
    u8::try_from(high << 4 | low).ok()
}

fn encode(text: &str, plain: fn(u8) -> bool, out: &mut String) {
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 0xf] {
                out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
}
