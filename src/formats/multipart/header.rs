//! Header sections of parts (RFC 2045 §3, RFC 9112 §5), and values with parameters: `form-data; name="note"`.

/// Header fields in order, each name once; names as they were spelled.
pub type Headers = Vec<(String, String)>;

/// Fields of one header.
pub const MAX_HEADERS: usize = 64;
/// Bytes of one header section.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Why a header section was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not one that every reader reads alike.
    Syntax,
    /// Too many fields or bytes.
    TooLong,
}

/// The fields up to the empty line, and what comes after it.
pub(super) fn read(content: &[u8]) -> Result<(Headers, &[u8]), Fault> {
    let (mut headers, mut rest) = (Headers::new(), content);
    loop {
        let end = memchr::memchr(b'\n', rest).ok_or(Fault::Syntax)?;
        let (line, after) = rest.split_at_checked(end + 1).ok_or(Fault::Syntax)?;
        let line = line.strip_suffix(b"\r\n").ok_or(Fault::Syntax)?;
        rest = after;
        if line.is_empty() {
            return Ok((headers, rest));
        }
        if headers.len() == MAX_HEADERS || content.len() - rest.len() > MAX_HEADER_BYTES {
            return Err(Fault::TooLong);
        }
        let (name, value) = field(line).ok_or(Fault::Syntax)?;
        if headers.iter().any(|(known, _): &(String, String)| known.eq_ignore_ascii_case(name)) {
            return Err(Fault::Syntax);
        }
        headers.push((name.to_owned(), value.to_owned()));
    }
}

/// Appends the fields and the empty line.
pub(super) fn write(headers: &[(String, String)], out: &mut Vec<u8>) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The value of the field `name`.
#[must_use]
pub fn value_of<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A line is a token, a colon and text; folded lines (which start with a blank) have no token.
fn field(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    let value = value.trim_matches([' ', '\t']);
    let sound = !name.is_empty() && name.bytes().all(is_token) && !value.chars().any(|c| c.is_control() && c != '\t');
    sound.then_some((name, value))
}

/// RFC 9110 §5.6.2.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A value with parameters: a media type, a content disposition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// What stands before the first `;`, in lower case.
    pub kind: String,
    /// Names in lower case, each once.
    list: Vec<(String, String)>,
}

impl Parameters {
    /// Reads `text`; `None` where two readers could differ: a name that comes twice, a backslash between quotes, blanks or
    /// further characters in an unquoted value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, mut rest) = match text.split_once(';') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        let kind = kind.trim_matches([' ', '\t']);
        if kind.is_empty() || !kind.bytes().all(|byte| is_token(byte) || byte == b'/') {
            return None;
        }
        let mut list: Vec<(String, String)> = Vec::new();
        while let Some(text) = rest {
            let text = text.trim_start_matches([' ', '\t']);
            if text.is_empty() && !list.is_empty() {
                break;
            }
            let (name, value) = text.split_once('=')?;
            let name = name.to_ascii_lowercase();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => {
                    let (value, after) = quoted.split_once('"')?;
                    (value, after.trim_start_matches([' ', '\t']))
                }
                None => {
                    let end = value.find([';', ' ', '\t']).unwrap_or(value.len());
                    let (value, after) = value.split_at_checked(end)?;
                    (value.bytes().all(is_token_or_boundary) && !value.is_empty()).then_some(())?;
                    (value, after.trim_start_matches([' ', '\t']))
                }
            };
            let known = list.iter().any(|(known, _)| *known == name);
            if name.is_empty() || !name.bytes().all(is_token) || known || value.contains('\\') {
                return None;
            }
            list.push((name, value.to_owned()));
            rest = match after.strip_prefix(';') {
                Some(after) => Some(after),
                None if after.is_empty() => None,
                None => return None,
            };
        }
        Some(Self { kind: kind.to_ascii_lowercase(), list })
    }

    /// The value of the parameter `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|(name, _)| name.as_str())
    }
}

/// Clients send boundaries with these unquoted.
fn is_token_or_boundary(byte: u8) -> bool {
    is_token(byte) || b"()/:=?,".contains(&byte)
}
