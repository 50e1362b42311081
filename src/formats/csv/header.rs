//! The header line: which delimiter, which columns.

use super::cell::{self, Stop};
use crate::{formats::Fault, model::Delimiter};

/// The header line of `bytes`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) delimiter: u8,
    /// Each name, where its cell starts and ends, whether it is quoted.
    pub(super) columns: Vec<Column>,
    /// One past the line, its end included.
    pub(super) end: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) quoted: bool,
}

/// Reads the header line that `text` starts with; `None` while its end is missing.
///
/// # Errors
/// Where it is not one, or when its delimiter is not the one that was said.
pub(super) fn read(text: &str, said: Delimiter, last: bool) -> Result<Option<Header>, (usize, Fault)> {
    let bytes = text.as_bytes();
    let Some(end) = line_end(bytes, last)? else { return Ok(None) };
    let line = bytes.get(..end.text).unwrap_or_default();
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"sep=")) {
        // A hint for Excel: the names come in the next line, and the cells below would be nobody's.
        return Err((0, Fault::Delimiter));
    }
    let delimiter = match (delimiter(line), said.byte()) {
        (Found::None, said) => said.unwrap_or(b','),
        (Found::One(_, found), None) => found,
        (Found::One(_, found), Some(said)) if found == said => found,
        (Found::One(at, _), Some(_)) | (Found::Two(at), _) => return Err((at, Fault::Delimiter)),
    };
    let (mut columns, mut at) = (Vec::new(), 0);
    loop {
        let quoted = line.get(at) == Some(&b'"');
        let stop = if quoted {
            match cell::quoted_end(line, at + 1, delimiter, true)? {
                Stop::At(stop) => stop,
                Stop::More(_) => return Err((at, Fault::Truncated)),
            }
        } else {
            let rest = line.get(at..).unwrap_or_default();
            let stop = memchr::memchr2(delimiter, b'"', rest).map_or(line.len(), |found| at + found);
            if line.get(stop) == Some(&b'"') {
                return Err((stop, Fault::StrayQuote));
            }
            stop
        };
        let cell = text.get(at..stop).unwrap_or_default();
        let inner = if quoted { cell.get(1..cell.len() - 1).unwrap_or_default() } else { cell };
        let name = cell::unquoted(inner, &mut String::new()).to_owned();
        columns.push(Column { name, start: at, end: stop, quoted });
        if columns.len() > super::MAX_COLUMNS {
            return Err((at, Fault::TooManyColumns));
        }
        if stop >= line.len() {
            return Ok(Some(Header { delimiter, columns, end: end.next }));
        }
        at = stop + 1;
    }
}

struct LineEnd {
    /// One past the last cell.
    text: usize,
    /// The next line.
    next: usize,
}

fn line_end(bytes: &[u8], last: bool) -> Result<Option<LineEnd>, (usize, Fault)> {
    let (mut at, mut quoted) = (0, false);
    while let Some(found) = memchr::memchr3(b'"', b'\n', b'\r', bytes.get(at..).unwrap_or_default()) {
        at += found;
        match bytes.get(at) {
            Some(b'"') => quoted = !quoted,
            Some(b'\n') if !quoted => return Ok(Some(LineEnd { text: at, next: at + 1 })),
            Some(b'\r') if !quoted => {
                return match bytes.get(at + 1) {
                    Some(b'\n') => Ok(Some(LineEnd { text: at, next: at + 2 })),
                    None if !last => Ok(None),
                    _ => Err((at, Fault::BareReturn)),
                };
            }
            _ => {}
        }
        at += 1;
    }
    match (last, quoted) {
        (true, true) => Err((bytes.len(), Fault::Truncated)),
        (true, false) => Ok(Some(LineEnd { text: bytes.len(), next: bytes.len() })),
        (false, _) => Ok(None),
    }
}

enum Found {
    None,
    One(usize, u8),
    /// Where the second kind stands.
    Two(usize),
}

/// Which of the six delimiters stand outside of quotes.
fn delimiter(line: &[u8]) -> Found {
    let (mut found, mut quoted) = (Found::None, false);
    for (at, byte) in line.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' | b'\t' | b'|' | b';' | b'^' | b'`' if !quoted => match found {
                Found::None => found = Found::One(at, *byte),
                Found::One(_, known) if known != *byte => return Found::Two(at),
                Found::One(..) | Found::Two(_) => {}
            },
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, said: Delimiter) -> Result<(u8, Vec<String>), Fault> {
        let header = read(text, said, true).map_err(|(_, fault)| fault)?.unwrap();
        Ok((header.delimiter, header.columns.into_iter().map(|column| column.name).collect()))
    }

    #[test]
    fn each_of_the_six_delimiters_is_found_in_the_header_line() {
        for delimiter in Delimiter::ALL {
            let byte = delimiter.byte().unwrap();
            let line = format!("Id{0}\"First, Na\"\"me;\"{0}{0}E-Mail\r\n1", char::from(byte));
            let expected = (byte, ["Id", "First, Na\"me;", "", "E-Mail"].map(str::to_owned).to_vec());
            assert_eq!(names(&line, Delimiter::Auto), Ok(expected.clone()), "{line}");
            assert_eq!(names(&line, delimiter), Ok(expected));
        }
    }

    #[test]
    fn another_delimiter_than_the_map_says_is_refused() {
        assert_eq!(names("Id;Email\n", Delimiter::Comma), Err(Fault::Delimiter));
        assert_eq!(names("Id;Email,Phone\n", Delimiter::Auto), Err(Fault::Delimiter));
        assert_eq!(names("sep=;\nId;Email\n", Delimiter::Auto), Err(Fault::Delimiter), "a hint for Excel");
        assert_eq!(names("Id\n", Delimiter::Auto), Ok((b',', vec!["Id".to_owned()])));
        assert_eq!(names("\"Id\";\"Email\"\n", Delimiter::Comma), Err(Fault::Delimiter));
    }

    #[test]
    fn a_header_line_has_as_many_columns_as_the_limit_and_not_one_more() {
        let line = |columns: usize| vec!["a"; columns].join(",");
        assert!(names(&line(super::super::MAX_COLUMNS), Delimiter::Auto).is_ok());
        assert_eq!(names(&line(super::super::MAX_COLUMNS + 1), Delimiter::Auto), Err(Fault::TooManyColumns));
    }
}
