//! Groups of digits and what stands between them: the candidates of every numeric recogniser.

use super::at;

/// What stands between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing: the group is the first.
    First,
    /// Spaces; also `%20` and `&nbsp;`.
    Space,
    /// `-`, with or without spaces.
    Dash,
    /// `_`: in identifiers and in program text.
    Low,
    /// `.`
    Dot,
    /// `/`, with or without spaces.
    Slash,
    /// Something with a parenthesis.
    Paren,
    /// A line break.
    Line,
}

/// A run of digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    pub(super) start: usize,
    pub(super) end: usize,
    /// What stands before it.
    pub(super) gap: Gap,
    /// Whether a recogniser claimed it, or it is a date, a time, an address of a machine or an amount.
    pub(super) taken: bool,
}

impl Group {
    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(super) fn digits<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// The value of a short group; large for a long one.
    pub(super) fn value(&self, bytes: &[u8]) -> u32 {
        self.digits(bytes)
            .iter()
            .fold(0, |sum: u32, digit| sum.saturating_mul(10).saturating_add((digit - b'0').into()))
    }
}

/// Reads the groups from the digit at `start`; returns where they end.
pub(super) fn read(bytes: &[u8], start: usize, groups: &mut Vec<Group>) -> usize {
    groups.clear();
    let (mut from, mut gap) = (start, Gap::First);
    loop {
        let end = from + bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        groups.push(Group { start: from, end, gap, taken: false });
        match gap_after(bytes, end) {
            Some((next, found)) => (from, gap) = (next, found),
            None => return end,
        }
    }
}

/// The gap that starts at `end` and the digit after it.
fn gap_after(bytes: &[u8], end: usize) -> Option<(usize, Gap)> {
    let (mut gap, mut next) = (Gap::First, end);
    for _ in 0..MAX_GAP_SIGNS {
        let (found, width) = match at(bytes, next) {
            b' ' | b'\t' => (Gap::Space, 1),
            b'%' if at(bytes, next + 1) == b'2' && at(bytes, next + 2) == b'0' => (Gap::Space, 3),
            b'&' => {
                match HARD_SPACES.iter().find(|name| bytes.get(next..).is_some_and(|rest| rest.starts_with(name))) {
                    Some(name) => (Gap::Space, name.len()),
                    None => break,
                }
            }
            b'-' => (Gap::Dash, 1),
            b'_' => (Gap::Low, 1),
            b'.' => (Gap::Dot, 1),
            b'/' => (Gap::Slash, 1),
            b'(' | b')' => (Gap::Paren, 1),
            b'\n' | b'\r' => (Gap::Line, 1),
            _ => break,
        };
        gap = match (gap, found) {
            (Gap::First | Gap::Space, found) => found,
            (gap, Gap::Space) => gap,
            (_, Gap::Paren) | (Gap::Paren, _) => Gap::Paren,
            (gap, found) if gap == found => gap,
            _ => return None,
        };
        next += width;
    }
    (gap != Gap::First && at(bytes, next).is_ascii_digit()).then_some((next, gap))
}

/// `) - ` and a line break after a space still join two groups.
const MAX_GAP_SIGNS: usize = 4;
/// No-break spaces as HTML writes them.
const HARD_SPACES: [&[u8]; 3] = [b"&nbsp;", b"&#160;", b"&#xa0;"];

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(text: &str) -> Vec<Gap> {
        let mut groups = Vec::new();
        read(text.as_bytes(), 0, &mut groups);
        groups.iter().map(|group| group.gap).collect()
    }

    #[test]
    fn gaps_join_what_people_write_as_one_number() {
        assert_eq!(gaps("4111 1111 - 1111%201111"), [Gap::First, Gap::Space, Gap::Dash, Gap::Space]);
        assert_eq!(gaps("49 (0) 30"), [Gap::First, Gap::Paren, Gap::Paren]);
        assert_eq!(gaps("41&nbsp;11&#160;11"), [Gap::First, Gap::Space, Gap::Space]);
        assert_eq!(gaps("41&amp;11"), [Gap::First]);
        assert_eq!(gaps("10:30"), [Gap::First]);
        assert_eq!(gaps("1, 2"), [Gap::First]);
    }
}
