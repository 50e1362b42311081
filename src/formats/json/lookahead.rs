//! An object that a filter asks about: its end, and which filters its members satisfy. Judges nothing else; the lexer does.

use super::{
    number,
    scan::{self, Stop},
    text,
};

/// A search for the end of an object or array that goes on when more bytes arrive.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Skim {
    at: usize,
    depth: usize,
    in_string: bool,
}

impl Skim {
    /// One past the end of the container that `bytes` starts with, when it is there.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        while let Some(byte) = bytes.get(self.at) {
            if self.in_string {
                let rest = bytes.get(self.at..).unwrap_or_default();
                let Some(found) = memchr::memchr2(b'"', b'\\', rest) else {
                    self.at = bytes.len();
                    return None;
                };
                self.at += found;
                if rest.get(found) == Some(&b'\\') {
                    if rest.len() < found + 2 {
                        return None;
                    }
                    self.at += 2;
                } else {
                    self.in_string = false;
                    self.at += 1;
                }
                continue;
            }
            self.at += 1;
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The filters of `filters` (position, member, value) that `object` satisfies. One equal member is enough when a name
/// comes twice. An object that cannot be read satisfies all: the lexer is about to refuse it, and nothing slips out before.
pub(super) fn satisfied<'a>(object: &[u8], filters: impl Iterator<Item = (u16, &'a str, &'a str)>) -> Vec<u16> {
    let filters: Vec<_> = filters.collect();
    let mut passed = vec![false; filters.len()];
    let complete = members(object, |name, value| {
        for (passed, (_, member, wanted)) in passed.iter_mut().zip(&filters) {
            *passed |= name == *member && value == *wanted;
        }
    });
    let all = complete.is_none();
    filters.iter().zip(passed).filter(|(_, passed)| all || *passed).map(|((at, ..), _)| *at).collect()
}

/// Calls `found` for each member of `object` whose value is a string.
fn members(object: &[u8], mut found: impl FnMut(&str, &str)) -> Option<()> {
    let mut at = scan::blanks(object, 1);
    if object.get(at) == Some(&b'}') {
        return Some(());
    }
    let (mut name, mut value) = (String::new(), String::new());
    loop {
        at = scan::blanks(object, string(object, scan::blanks(object, at), &mut name)?);
        if object.get(at) != Some(&b':') {
            return None;
        }
        at = scan::blanks(object, at + 1);
        at = match object.get(at)? {
            b'"' => {
                let end = string(object, at, &mut value)?;
                found(&name, &value);
                end
            }
            b'{' | b'[' => at + Skim::default().advance(object.get(at..)?)?,
            b't' | b'n' => at + 4,
            b'f' => at + 5,
            _ => number::end(object, at),
        };
        at = scan::blanks(object, at);
        match object.get(at)? {
            b',' => at += 1,
            b'}' => return Some(()),
            _ => return None,
        }
    }
}

/// One past the string at `at`, whose text replaces `into`.
fn string(bytes: &[u8], at: usize, into: &mut String) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let Stop::Close(end) = scan::Blocks::new().string(bytes, at + 1).stop else { return None };
    into.clear();
    text::unescape(str::from_utf8(bytes.get(at + 1..end)?).ok()?, into).ok()?;
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_at_any_split() {
        let text = br#"{"a":[{"b":"}\"]\\"},2],"c":{}}, 5"#;
        let end = text.len() - 3;
        for split in 1..text.len() {
            let mut skim = Skim::default();
            let early = skim.advance(&text[..split]);
            assert_eq!(early.or_else(|| skim.advance(text)), Some(end), "{split}");
        }
    }

    #[test]
    fn any_equal_member_passes_and_a_broken_object_passes_all() {
        let filters = || [(3, "name", "Card"), (9, "kind", "x")].into_iter();
        assert_eq!(satisfied(br#"{"name":"Other","n":[1,{"name":"Card"}],"name":"C\u0061rd"}"#, filters()), [3]);
        assert_eq!(satisfied(br#"{ "kind" : null , "name" : "card" }"#, filters()), [0_u16; 0]);
        assert_eq!(satisfied(br#"{}"#, filters()), [0_u16; 0]);
        assert_eq!(satisfied(br#"{"v":1,,"name":"Other"}"#, filters()), [3, 9]);
    }
}
