//! National ids of digits: every chain of groups is offered to every one of them. A number counts by its check digits and
//! by what speaks for it: a word, or the way it is set; check digits that many numbers have by chance never do alone.

mod check;
mod lettered;
mod table;

pub(super) use self::{
    lettered::{bounded, claim as claim_word, written_apart},
    table::Kinds,
};

use self::table::{IDS, Id, Layout};
use super::{
    Spot, at,
    chain::{Gap, Group},
    context::{Text, Words},
    fold::LETTER,
    phone,
    sought::Sought,
    topics::Topic,
};
use crate::model::Entity;

/// A way to read some groups.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offer {
    first: usize,
    last: usize,
    spot: Spot,
}

/// Every reading of `groups` that counts, best first.
pub(super) fn offers(bytes: &Text<'_>, groups: &[Group], kinds: Kinds, sought: &Sought, offers: &mut Vec<Offer>) {
    offers.clear();
    for (first, from) in groups.iter().enumerate() {
        if phone::plus_before(bytes, from.start).is_some() {
            continue;
        }
        let mut digits = [0_u8; MOST_DIGITS];
        let mut count = 0;
        let mut words = None;
        for (more, group) in groups.get(first..).unwrap_or_default().iter().enumerate().take(MOST_GROUPS) {
            let Some(slots) = digits.get_mut(count..count + group.len()) else { break };
            slots.copy_from_slice(group.digits(bytes));
            count += group.len();
            let last = first + more;
            let layout = if more == 0 { Layout::Bare } else { Layout::Set };
            // No country sets its ids otherwise.
            if more > 0 && !matches!(group.gap, Gap::Space | Gap::Dash | Gap::Dot | Gap::Slash) {
                break;
            }
            let kinds = kinds.of(count);
            if kinds.is_empty() || !stands_alone(bytes, groups, first, last, layout) {
                continue;
            }
            let (Some(number), Some(used)) = (digits.get(..count), groups.get(first..=last)) else { break };
            for id in kinds.ids() {
                if (layout == Layout::Set && !id.sets(used)) || !(id.check)(number) {
                    continue;
                }
                let words = *words.get_or_insert_with(|| bytes.around(from.start, group.end));
                let score = score(id, layout, words);
                if sought.wants(id.entity, score) {
                    let spot = Spot { start: from.start, end: group.end, entity: id.entity, score };
                    offers.push(Offer { first, last, spot });
                }
            }
        }
    }
    // Of two readings with one score, the longer one.
    offers.sort_by_key(|offer| std::cmp::Reverse((offer.spot.score, offer.spot.end - offer.spot.start)));
}

/// Claims the groups of the offers that score `least`.
pub(super) fn claim(offers: &[Offer], least: u8, groups: &mut [Group], spots: &mut Vec<Spot>) {
    for offer in offers.iter().take_while(|offer| offer.spot.score >= least) {
        let Some(claimed) = groups.get_mut(offer.first..=offer.last) else { continue };
        if claimed.iter().any(|group| group.taken) {
            continue;
        }
        for group in claimed {
            group.taken = true;
        }
        spots.push(offer.spot);
    }
}

/// Whether `number`, in capitals and without gaps, has the form and the check digits of `entity`.
pub(super) fn is_right(entity: Entity, number: &[u8]) -> bool {
    let lettered = || lettered::kind(number).is_some_and(|(kind, ..)| kind == entity);
    let digits = |id: &&Id| id.entity == entity && id.digits.contains(&number.len());
    match IDS.iter().find(digits) {
        Some(id) if number.iter().all(u8::is_ascii_digit) => (id.check)(number),
        _ => lettered() || (entity == Entity::FiHetu && lettered::is_hetu(number)),
    }
}

/// How sure a number with right check digits is.
fn score(id: &Id, layout: Layout, words: Words) -> u8 {
    let named = words.around(id.topic);
    let generic = words.around(Topic::AnyId);
    let base = match layout {
        Layout::Bare => id.bare,
        Layout::Set => id.set,
    };
    let other = words.reference() || words.before(Topic::Phone) || words.before(Topic::Card);
    match (named, generic, other) {
        (true, ..) => base.max(NAMED),
        (_, true, _) => base.saturating_add(GENERIC).min(NAMED),
        (_, _, true) => base.saturating_sub(OTHER),
        _ => base,
    }
}

/// Whether a number starts and ends at its groups: not glued to letters, not cut out of a longer chain of one kind.
fn stands_alone(bytes: &[u8], groups: &[Group], first: usize, last: usize, layout: Layout) -> bool {
    let (Some(from), Some(to)) = (groups.get(first), groups.get(last)) else { return false };
    let inner = groups.get(first + 1).filter(|_| layout == Layout::Set).map(|group| group.gap);
    let joined = |gap: Gap| !matches!(gap, Gap::First | Gap::Space | Gap::Line) || Some(gap) == inner;
    if joined(from.gap) || groups.get(last + 1).is_some_and(|next| joined(next.gap)) {
        return false;
    }
    let (before, after) = (at(bytes, from.start.wrapping_sub(1)), at(bytes, to.end));
    let glued = is_word(before)
        || b"#$_".contains(&before)
        || (b"-/.,:".contains(&before) && is_word(at(bytes, from.start.wrapping_sub(2))));
    let goes_on =
        is_word(after) || b"_%".contains(&after) || (b"-/.,:".contains(&after) && is_word(at(bytes, to.end + 1)));
    // `PESEL:44051401458` is a name and its value.
    let labelled = before == b':' && at(bytes, from.start.wrapping_sub(2)).is_ascii_alphabetic();
    (!glued || labelled) && !goes_on
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == LETTER
}

/// A word names the number.
const NAMED: u8 = 92;
/// A word such as `identity`.
const GENERIC: u8 = 25;
/// A word names something else.
const OTHER: u8 = 40;
/// From this score on an id is read before cards.
pub(super) const SURE: u8 = 85;
const MOST_DIGITS: usize = 15;
const MOST_GROUPS: usize = 8;

#[cfg(test)]
mod tests;
