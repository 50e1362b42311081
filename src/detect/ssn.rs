//! United States social security numbers: `AAA-GG-SSSS` by the rules of the Social Security Administration (no area
//! 000, 666 or 900–999, no group 00, no serial 0000). Areas from 900 on are taxpayers' (ITIN) and typing errors, and count
//! next to a word. So do nine bare digits, and numbers in which letters stand for a few digits they look like: `4l8-71-3S3O`.

use super::{
    Spot, at,
    chain::{Gap, Group},
    context::Text,
    ids,
    sought::Sought,
    topics::Topic,
};
use crate::model::Entity;

/// Claims the groups that make a number.
pub(super) fn claim(bytes: &Text<'_>, groups: &mut [Group], sought: &Sought, found: &mut Vec<Spot>) {
    for first in 0..groups.len() {
        let written = written(bytes, groups, first).filter(|(_, score)| sought.wants(Entity::UsSsn, *score));
        let Some((used, score)) = written else { continue };
        let claimed = groups.get_mut(first..first + used).unwrap_or_default();
        for group in claimed.iter_mut() {
            group.taken = true;
        }
        if let (Some(from), Some(to)) = (claimed.first(), claimed.last()) {
            found.push(Spot { start: from.start, end: to.end, entity: Entity::UsSsn, score });
        }
    }
}

/// How many groups from `first` make a number, and its score.
fn written(bytes: &Text<'_>, groups: &[Group], first: usize) -> Option<(usize, u8)> {
    let rest = groups.get(first..)?;
    let one = rest.first().filter(|group| !group.taken)?;
    let before = at(bytes, one.start.wrapping_sub(1));
    let named = || bytes.before(one.start).before(Topic::UsSsn);
    if before == b'+' || before == b'#' {
        return None;
    }
    if one.len() == 9 {
        let value = one.value(bytes);
        let number = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
        return (given(number) || (is_taxpayers(number) && named())).then(|| (1, if named() { 85 } else { BARE }));
    }
    if let [area, rest] = rest
        && rest.gap == Gap::Dash
        && matches!((area.len(), rest.len()), (3, 6) | (5, 4))
    {
        return Some((2, if named() { 85 } else { BARE }));
    }
    let [area, group, serial, after @ ..] = rest else { return None };
    let gap = group.gap;
    let alone = (area.gap == Gap::First || area.gap != gap) && after.first().is_none_or(|next| next.gap != gap);
    let sized = (area.len(), group.len(), serial.len()) == (3, 2, 4);
    if !sized || serial.gap != gap || !alone || group.taken || serial.taken {
        return None;
    }
    let score = match gap {
        Gap::Dash => 90,
        // `030 12 3456` is a telephone number in Berlin.
        Gap::Space | Gap::Dot if at(bytes, area.start) != b'0' || named() => 75,
        Gap::Space | Gap::Dot => BARE,
        _ => return None,
    };
    let number = (area.value(bytes), group.value(bytes), serial.value(bytes));
    (given(number) || (is_taxpayers(number) && named())).then_some((3, score))
}

/// The number next to the word in which a few letters look like digits, as text recognition leaves them and people hide
/// them: `418-71-3S3O`. Letters end a chain, so it starts before `groups` or at one of the last of them.
pub(super) fn disguised(bytes: &Text<'_>, groups: &[Group]) -> Option<Spot> {
    let (first, last) = (groups.first()?.start, groups.last()?.end);
    let set = |place: usize| SEPARATORS.contains(&at(bytes, place));
    let behind = alike(at(bytes, last)).is_some() || (set(last) && alike(at(bytes, last + 1)).is_some());
    let inside = groups.iter().rev().take(if behind { 3 } else { 0 }).map(|group| group.start);
    let before = |back: &usize| alike(at(bytes, first.wrapping_sub(*back))).is_some();
    let outside = [1, 2].into_iter().take_while(before).filter_map(|back| first.checked_sub(back));
    inside.chain(outside).find_map(|start| read(bytes, start))
}

/// The number with look-alikes that starts at `start`.
fn read(bytes: &Text<'_>, start: usize) -> Option<Spot> {
    let end = start + SHAPE.len();
    let text = bytes.get(start..end)?;
    let sign = text.get(3).filter(|sign| SEPARATORS.contains(sign))?;
    let (mut value, mut letters) = (0, 0);
    for (byte, place) in text.iter().zip(SHAPE) {
        match place {
            b'-' if byte == sign => {}
            b'-' => return None,
            _ => {
                let plain = if byte.is_ascii_digit() { *byte } else { alike(*byte)? };
                letters += u32::from(plain != *byte);
                value = value * 10 + u32::from(plain - b'0');
            }
        }
    }
    let number = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    if !(1..=MOST_LETTERS).contains(&letters) || !(given(number) || is_taxpayers(number)) {
        return None;
    }
    if !ids::bounded(bytes, start, end) {
        return None;
    }
    let words = bytes.before(start);
    let named = words.before(Topic::UsSsn) && !words.reference();
    named.then_some(Spot { start, end, entity: Entity::UsSsn, score: DISGUISED })
}

/// The digit that a letter or stroke looks like.
fn alike(byte: u8) -> Option<u8> {
    Some(match byte {
        b'O' | b'o' | b'D' | b'Q' => b'0',
        b'I' | b'i' | b'l' | b'L' | b'|' => b'1',
        b'Z' | b'z' => b'2',
        b'A' => b'4',
        b'S' | b's' => b'5',
        b'G' | b'b' => b'6',
        b'T' => b'7',
        b'B' => b'8',
        b'g' | b'q' => b'9',
        _ => return None,
    })
}

/// Nine digits and no word: it may be anything.
const BARE: u8 = 20;
/// Letters among the digits, and the word.
const DISGUISED: u8 = 72;
/// Seven true digits are left, which is what makes a text worth scanning; with fewer it is as well a code.
const MOST_LETTERS: u32 = 2;
const SHAPE: [u8; 11] = *b"999-99-9999";
const SEPARATORS: [u8; 3] = *b"- .";

/// Whether the number is given out.
fn given((area, group, serial): (u32, u32, u32)) -> bool {
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
}

/// Whether it is a taxpayer's, or a typing error away from one that is given out.
fn is_taxpayers((area, group, serial): (u32, u32, u32)) -> bool {
    area >= 900 && group != 0 && serial != 0
}

#[cfg(test)]
mod tests {
    use crate::detect::tests::found;
    use crate::model::Entity::UsSsn;

    #[test]
    fn numbers_are_found_with_separators() {
        for number in ["536-22-8726", "536 22 8726", "536–22–8726", "536.22.8726", "536\u{200b}-22-8726"] {
            assert_eq!(found(&format!("his number is {number}.")), [(UsSsn, number)], "{number}");
        }
        assert_eq!(found("SSN: 536228726"), [(UsSsn, "536228726")]);
    }

    #[test]
    fn taxpayers_numbers_count_next_to_the_word() {
        for number in ["900-70-8726", "987-12-3456", "936 22 8726", "936228726"] {
            assert_eq!(found(&format!("his SSN is {number}.")), [(UsSsn, number)], "{number}");
            assert_eq!(found(&format!("his number is {number}.")), [], "{number}");
        }
        assert_eq!(found("SSN 900-00-8726, SSN 900-12-0000, SSN 666-12-3456, SSN 000-12-3456"), []);
    }

    #[test]
    fn letters_that_look_like_digits_are_read_as_these_next_to_the_word() {
        for number in [
            "536-22-87Z6",
            "S36-22-8726",
            "l36-22-8726",
            "lO6-22-8726",
            "536-lO-8726",
            "536-22-lO26",
            "536-2Z-872G",
            "53|-22-8726",
            "5\u{41e}6-22-8726",
            "536 22 872b",
            "536.2Z.8726",
            "5\u{200b}3G–22–8726",
            "9B7-12-3456",
        ] {
            let text = format!("call about SSN {number}, Phone +1 (228) 345-1234");
            assert_eq!(found(&text).first(), Some(&(UsSsn, number)), "{number}");
            assert_eq!(found(&text).len(), 2, "{number}");
        }
        assert_eq!(found("SSN: 12 536-22-87Z6"), [(UsSsn, "536-22-87Z6")]);
        assert_eq!(found("{\"ssn\":\"536-22-B726\"}"), [(UsSsn, "536-22-B726")]);
    }

    #[test]
    fn codes_with_letters_are_left_alone() {
        for text in [
            "536-22-87Z6",
            "part 536-22-87Z6, serial S36-22-8726",
            "SSN on file. Serial S36-22-8726",
            "social club order 536-22-87Z6",
            "SSN missing, order 536-22-87Z6",
            "SSN SOS-IS-BOSS",
            "SSN 5OS-IS-8OS5",
            "SSN lOS-22-8726",
            "SSN 5O6-lZ-8726",
            "SSN 536-22.87Z6",
            "SSN 53-622-87Z6",
            "SSN 536-22-87X6",
            "SSN 536-22-87Z6A",
            "SSN A536-22-87Z6",
            "SSN 4-536-22-87Z6",
            "SSN 536-22-87Z6-9",
            "SSN OO0-22-8726",
            "SSN 53622B726",
            "SSN is 10 Apr 1984",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn numbers_never_given_out_are_left_alone() {
        for text in [
            "000-22-8726",
            "666-22-8726",
            "900-22-8726",
            "536-00-8726",
            "536-22-0000",
            "536228726",
            "536-22-87261",
            "1-536-22-8726-9",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
