//! United States social security numbers: `AAA-GG-SSSS` by the rules of the Social Security Administration (no area
//! 000, 666 or 900–999, no group 00, no serial 0000). Areas from 900 on
//! are taxpayers' (ITIN) and count next to a word. Nine bare digits count next to the word only.

use super::{
    Spot, at,
    chain::{Gap, Group},
    context,
    sought::Sought,
    topics::Topic,
};
use crate::model::Entity;

/// Claims the groups that make a number.
pub(super) fn claim(bytes: &[u8], groups: &mut [Group], sought: &Sought, found: &mut Vec<Spot>) {
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
fn written(bytes: &[u8], groups: &[Group], first: usize) -> Option<(usize, u8)> {
    let rest = groups.get(first..)?;
    let one = rest.first().filter(|group| !group.taken)?;
    let before = at(bytes, one.start.wrapping_sub(1));
    let named = || context::words(bytes, one.start, one.start).before(Topic::UsSsn);
    if before == b'+' || before == b'#' {
        return None;
    }
    if one.len() == 9 {
        let value = one.value(bytes);
        let right = given(value / 1_000_000, value / 10_000 % 100, value % 10_000);
        return right.then(|| (1, if named() { 85 } else { BARE }));
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
    let (area, group, serial) = (area.value(bytes), group.value(bytes), serial.value(bytes));
    let right = given(area, group, serial) || (area >= 900 && group >= 50 && serial != 0 && named());
    right.then_some((3, score))
}

/// Nine digits and no word: it may be anything.
const BARE: u8 = 20;

fn given(area: u32, group: u32, serial: u32) -> bool {
    !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0
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
