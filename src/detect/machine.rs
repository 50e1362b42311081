//! Addresses of machines: IPv4 and IPv6 with a prefix length or zone, MAC addresses in pairs or fours.

use std::net::Ipv6Addr;

use super::{
    Spot, at,
    chain::{Gap, Group},
    context::Text,
    fold::LETTER,
    sought::Sought,
};
use crate::model::Entity;

/// Four groups from `first` that are an IPv4 address.
pub(super) fn dotted(bytes: &[u8], groups: &[Group], first: usize) -> bool {
    let Some([a, b, c, d, after @ ..]) = groups.get(first..) else { return false };
    let octet = |group: &Group| group.len() <= 3 && group.value(bytes) <= 255;
    let dots = [b, c, d].iter().all(|group| group.gap == Gap::Dot);
    let alone = a.gap != Gap::Dot && after.first().is_none_or(|next| next.gap != Gap::Dot);
    dots && alone && [a, b, c, d].into_iter().all(octet)
}

/// The IPv4 addresses among `groups`.
pub(super) fn ipv4(bytes: &Text<'_>, groups: &mut [Group], sought: &Sought, spots: &mut Vec<Spot>) {
    for first in 0..groups.len().saturating_sub(3) {
        if !dotted(bytes, groups, first) {
            continue;
        }
        let used = groups.get_mut(first..first + 4).unwrap_or_default();
        let (Some(from), Some(to)) = (used.first().map(|group| group.start), used.last().map(|group| group.end)) else {
            return;
        };
        let padded = used.iter().any(|group| group.len() > 1 && at(bytes, group.start) == b'0');
        let before = at(bytes, from.wrapping_sub(1));
        let glued = is_word(before)
            || (b"-_.".contains(&before) && is_word(at(bytes, from.wrapping_sub(2))))
            || is_word(at(bytes, to))
            || (at(bytes, to) == b'.' && is_word(at(bytes, to + 1)));
        let small = used.iter().filter(|group| group.value(bytes) < 20).count();
        let private = used.first().is_some_and(|group| matches!(group.value(bytes), 10 | 127 | 172 | 192));
        let low = small == 4 || (small == 3 && !private);
        if glued || padded || (before == b':' && at(bytes, from.wrapping_sub(2)) == b':') {
            continue;
        }
        let reference = bytes.before(from).reference();
        // Four small numbers are as often a version or a chapter.
        let score = match (reference, low) {
            (true, _) => 30,
            (_, true) => 55,
            _ => 85,
        };
        if sought.wants(Entity::Ip, score) {
            used.iter_mut().for_each(|group| group.taken = true);
            spots.push(Spot { start: from, end: prefixed(bytes, to, 32), entity: Entity::Ip, score });
        }
    }
}

/// The IPv6 address around the `:` at `colon`, which is not before `least`; and where its run ends.
pub(super) fn ipv6(bytes: &[u8], colon: usize, least: usize) -> (Option<Spot>, usize) {
    let in_run = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let back = bytes.get(colon.saturating_sub(MOST_BYTES).max(least)..colon).unwrap_or_default();
    let start = colon - back.iter().rev().take_while(|byte| in_run(byte) && **byte != b'.').count();
    let rest = bytes.get(colon..bytes.len().min(colon + MOST_BYTES)).unwrap_or_default();
    let run_end = colon + rest.iter().take_while(|byte| in_run(byte)).count();
    let mut end = run_end;
    while end > start
        && (at(bytes, end - 1) == b'.' || (at(bytes, end - 1) == b':' && at(bytes, end.wrapping_sub(2)) != b':'))
    {
        end -= 1;
    }
    let text = bytes.get(start..end).and_then(|run| str::from_utf8(run).ok()).unwrap_or_default();
    // `dead::beef` is as well a name in a program.
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let before = at(bytes, start.wrapping_sub(1));
    let glued = is_word(before) || b"_-.%@".contains(&before) || is_word(at(bytes, end)) || at(bytes, end) == b'_';
    if text.len() < 2 || glued || text.parse::<Ipv6Addr>().is_err() {
        return (None, run_end);
    }
    let end = prefixed(bytes, zoned(bytes, end), 128);
    let score = if digits { 85 } else { 30 };
    (Some(Spot { start, end, entity: Entity::Ip, score }), end.max(run_end))
}

/// The MAC address of which the two or four hex digits at `start` are a part.
pub(super) fn mac(bytes: &[u8], start: usize) -> Option<Spot> {
    let hex = |from: usize, count: usize| (from..from + count).all(|place| at(bytes, place).is_ascii_hexdigit());
    let size = if hex(start, 4) { 4 } else { 2 };
    let after = at(bytes, start + size);
    let sign = if b":-.".contains(&after) { after } else { at(bytes, start.wrapping_sub(1)) };
    let groups = match (size, sign) {
        (2, b':' | b'-') => 6,
        (4, b'.') => 3,
        _ => return None,
    };
    let mut start = start;
    for _ in 1..groups {
        match start.checked_sub(size + 1) {
            Some(earlier) if hex(earlier, size) && at(bytes, earlier + size) == sign => start = earlier,
            _ => break,
        }
    }
    let whole = (0..groups).all(|group| {
        let from = start + group * (size + 1);
        hex(from, size) && (group + 1 == groups || at(bytes, from + size) == sign)
    });
    let end = start + groups * (size + 1) - 1;
    let (before, after) = (at(bytes, start.wrapping_sub(1)), at(bytes, end));
    let glued = is_word(before)
        || is_word(after)
        || (before == sign && is_word(at(bytes, start.wrapping_sub(2))))
        || (after == sign && is_word(at(bytes, end + 1)));
    // Nobody's: all zeros, and everybody's: all ones.
    let text = bytes.get(start..end)?;
    let nobody = text.iter().all(|byte| *byte == sign || *byte == b'0')
        || text.iter().all(|byte| *byte == sign || byte.eq_ignore_ascii_case(&b'f'));
    // Pairs of digits alone may be anything.
    let score = if text.iter().all(|byte| *byte == sign || byte.is_ascii_digit()) && sign != b':' { 62 } else { 88 };
    (whole && !glued && !nobody).then_some(Spot { start, end, entity: Entity::Mac, score })
}

/// Past `/24`, at most `/most`.
fn prefixed(bytes: &[u8], end: usize, most: u32) -> usize {
    let digits =
        bytes.get(end + 1..).unwrap_or_default().iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let value = bytes.get(end + 1..end + 1 + digits).unwrap_or_default();
    let value = value.iter().fold(0, |sum: u32, digit| sum * 10 + u32::from(digit - b'0'));
    if at(bytes, end) == b'/' && (1..=3).contains(&digits) && value <= most { end + 1 + digits } else { end }
}

/// Past `%eth0`.
fn zoned(bytes: &[u8], end: usize) -> usize {
    let zone = bytes.get(end + 1..).unwrap_or_default().iter().take(16).take_while(|byte| byte.is_ascii_alphanumeric());
    let length = zone.count();
    if at(bytes, end) == b'%' && length > 0 { end + 1 + length } else { end }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
const MOST_BYTES: usize = 46;

#[cfg(test)]
mod tests {
    use crate::{
        detect::{Detector, Sought},
        model::Entity::{self, Ip, Mac},
    };

    fn found(text: &str) -> Vec<(Entity, &str)> {
        let mut findings = Vec::new();
        Detector::of(Sought::these(&[Ip, Mac])).scan(text, &mut findings);
        findings.iter().map(|finding| (finding.entity, &text[finding.start..finding.end])).collect()
    }

    #[test]
    fn addresses_of_machines_are_found() {
        for (entity, address) in [
            (Ip, "192.168.100.200"),
            (Ip, "10.20.30.40/24"),
            (Ip, "2001:db8::1"),
            (Ip, "2001:db8:0:0:0:0:0:1"),
            (Ip, "::ffff:192.0.2.128"),
            (Ip, "fe80::1%eth0"),
            (Ip, "2001:db8::/32"),
            (Ip, "::1"),
            (Mac, "00:1a:2B:3c:4d:5e"),
            (Mac, "00-1A-2B-3C-4D-5E"),
            (Mac, "ab:cd:ef:ab:cd:ef"),
            (Mac, "001a.2b3c.4d5e"),
        ] {
            assert_eq!(found(&format!("from {address}, today")), [(entity, address)], "{address}");
            assert_eq!(found(address), [(entity, address)], "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_left_alone() {
        for text in [
            "version 10.20.30.40",
            "v1.2.3.4",
            "1.2.3.4.5",
            "256.1.1.1",
            "10.020.30.40",
            "12:30:45",
            "std::vec::Vec",
            "abc::def",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01-23-45-67-89",
            "a:b:c",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
