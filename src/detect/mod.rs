//! Free text in, findings (span, entity, score) out. Never logs what it matched.

mod card;
mod chain;
mod context;
mod email;
mod fold;
mod iban;
mod phone;
mod ssn;

use self::{chain::Group, fold::Folded};
use crate::model::Entity;

/// A finding: bytes `start..end` of the text, on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finding {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it is.
    pub entity: Entity,
    /// 0–100.
    pub score: u8,
}

/// The recognisers. Hand-written: one pass over the bytes finds `@` and groups of digits, and only these are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Detector {}

impl Detector {
    /// All recognisers.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }

    /// Whether [`scan`](Self::scan) can find anything in `text`: false for most texts, and cheap. `text` is unescaped.
    #[must_use]
    pub fn worth_scanning(&self, text: &str) -> bool {
        let mut before = 0;
        text.as_bytes().chunks(GATE_BYTES).any(|chunk| {
            let (mut signs, mut digits) = (0_u8, 0_u8);
            for byte in chunk {
                signs |= u8::from(*byte == b'@') | u8::from(*byte == b'%') | u8::from(*byte == 0xEF);
                // Digits outside ASCII start with one of these bytes; so do many letters, which costs a scan at worst.
                digits += u8::from(byte.is_ascii_digit()) + u8::from((0xD9..0xF5).contains(byte));
            }
            let near = before + digits;
            before = digits;
            signs != 0 || near >= LEAST_DIGITS
        })
    }

    /// Replaces `findings` with those of `text`: sorted, not overlapping, on character boundaries.
    ///
    /// Where findings overlap, one that covers them all takes their place and has the entity of the strongest (check
    /// digits before form), so that no part of either is left.
    pub fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        findings.clear();
        if !self.worth_scanning(text) {
            return;
        }
        let folded = Folded::new(text);
        let mut spots = Vec::new();
        spot(folded.bytes(), &mut spots);
        spots.sort_unstable_by_key(|spot| (spot.start, spot.end));
        let mut open: Option<Spot> = None;
        for spot in spots {
            open = Some(match open {
                Some(previous) if spot.start < previous.end => previous.merged(spot),
                Some(previous) => {
                    findings.push(previous.in_text(&folded));
                    spot
                }
                None => spot,
            });
        }
        findings.extend(open.map(|last| last.in_text(&folded)));
    }
}

/// A finding in folded bytes.
#[derive(Debug, Clone, Copy)]
struct Spot {
    start: usize,
    end: usize,
    entity: Entity,
    score: u8,
}

impl Spot {
    fn merged(self, other: Self) -> Self {
        let strongest = if other.strength() > self.strength() { other } else { self };
        Self { start: self.start.min(other.start), end: self.end.max(other.end), ..strongest }
    }

    fn strength(self) -> u8 {
        match self.entity {
            Entity::Card => 5,
            Entity::Iban => 4,
            Entity::UsSsn => 3,
            Entity::Email => 2,
            Entity::Phone => 1,
        }
    }

    fn in_text(self, folded: &Folded<'_>) -> Finding {
        let (start, end) = folded.span(self.start, self.end);
        Finding { start, end, entity: self.entity, score: self.score }
    }
}

/// Adds what the recognisers find, in no order and with overlaps.
fn spot(bytes: &[u8], spots: &mut Vec<Spot>) {
    let mut groups = Vec::new();
    let mut from = 0;
    while let Some(next) = bytes.get(from..).and_then(next_sign) {
        let here = from + next;
        from = match at(bytes, here) {
            b'@' => {
                spots.extend(email::around(bytes, here, 1));
                here + 1
            }
            b'%' if bytes.get(here..).is_some_and(|rest| rest.starts_with(b"%40")) => {
                spots.extend(email::around(bytes, here, 3));
                here + 3
            }
            // The digits of an escaped byte (`%20`) belong to no number.
            b'%' if at(bytes, here + 1).is_ascii_hexdigit() && at(bytes, here + 2).is_ascii_hexdigit() => here + 3,
            b'%' => here + 1,
            _ => match iban::around(bytes, here) {
                Some(found) => {
                    spots.push(found);
                    found.end
                }
                None => numbers(bytes, here, &mut groups, spots),
            },
        };
    }
}

/// The first byte a recogniser starts from. Whole chunks are judged at once, which compilers turn into vector code.
fn next_sign(bytes: &[u8]) -> Option<usize> {
    let sign = |byte: &u8| byte.is_ascii_digit() | (*byte == b'@') | (*byte == b'%');
    let clean =
        bytes.chunks_exact(CHUNK_BYTES).take_while(|chunk| !chunk.iter().fold(false, |any, byte| any | sign(byte)));
    let skipped = clean.count() * CHUNK_BYTES;
    bytes.get(skipped..)?.iter().position(sign).map(|at| skipped + at)
}

/// Offers the digits from `start` to every numeric recogniser, strongest first; returns where they end.
fn numbers(bytes: &[u8], start: usize, groups: &mut Vec<Group>, spots: &mut Vec<Spot>) -> usize {
    let end = chain::read(bytes, start, groups);
    if groups.iter().map(Group::len).sum::<usize>() >= usize::from(LEAST_DIGITS) {
        card::claim(bytes, groups, spots);
        ssn::claim(bytes, groups, spots);
        phone::claim(bytes, groups, spots);
    }
    end
}

/// The byte at `position`, or 0 outside the text.
fn at(bytes: &[u8], position: usize) -> u8 {
    bytes.get(position).copied().unwrap_or(0)
}

/// No recogniser takes fewer digits.
const LEAST_DIGITS: u8 = 7;
/// Digits are counted over two neighbouring chunks of this size.
const GATE_BYTES: usize = 64;
/// One or two vector registers.
const CHUNK_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is found in `text`.
    pub(super) fn found(text: &str) -> Vec<(Entity, &str)> {
        let mut findings = Vec::new();
        Detector::new().scan(text, &mut findings);
        findings.iter().map(|finding| (finding.entity, &text[finding.start..finding.end])).collect()
    }

    #[test]
    fn prose_is_not_worth_scanning() {
        assert!(
            !Detector::new().worth_scanning("The customer called twice about order 4711, and was 20 minutes late.")
        );
        assert!(!Detector::new().worth_scanning(""));
        assert!(Detector::new().worth_scanning("jane@example.com"));
        let apart = format!("4111{}1111 1111 1111", " ".repeat(62));
        assert!(Detector::new().worth_scanning(&apart));
    }

    #[test]
    fn an_overlap_is_covered_whole_and_counts_as_the_strongest() {
        assert_eq!(found("jane.4111111111111111@example.com"), [(Entity::Card, "jane.4111111111111111@example.com")]);
        assert_eq!(found("+4915112345678@example.com"), [(Entity::Email, "+4915112345678@example.com")]);
    }

    #[test]
    fn a_note_gives_everything_in_order() {
        let text = "Jane (jane@example.com, +49 151 12345678) paid with 4111 1111 1111 1111; refund to \
                    DE89 3704 0044 0532 0130 00. SSN 536-22-8726.";
        let entities: Vec<_> = found(text).iter().map(|hit| hit.0).collect();
        assert_eq!(entities, [Entity::Email, Entity::Phone, Entity::Card, Entity::Iban, Entity::UsSsn]);
    }

    fn planted() -> impl Strategy<Value = (Entity, &'static str)> {
        prop_oneof![
            Just((Entity::Card, "4111 1111 1111 1111")),
            Just((Entity::Card, "378282246310005")),
            Just((Entity::Email, "jane.doe@example.com")),
            Just((Entity::Phone, "+49 151 12345678")),
            Just((Entity::Phone, "(555) 123-4567")),
            Just((Entity::Iban, "DE89 3704 0044 0532 0130 00")),
            Just((Entity::UsSsn, "536-22-8726")),
        ]
    }

    proptest! {
        #[test]
        fn findings_are_sorted_apart_and_on_character_boundaries(text in "([0-9]{1,6}|[ .+()/@%-]|[a-zü٣４\u{200b}–]){0,80}") {
            let mut findings = Vec::new();
            Detector::new().scan(&text, &mut findings);
            let mut end = 0;
            for finding in findings {
                prop_assert!(finding.start >= end && finding.end > finding.start);
                prop_assert!(text.get(finding.start..finding.end).is_some());
                end = finding.end;
            }
        }

        #[test]
        fn any_text_is_scanned_without_harm(text in any::<String>()) {
            found(&text);
        }

        #[test]
        fn planted_values_are_found_between_any_words(
            before in "([a-zA-Zäß]{1,8} ){0,12}", (entity, value) in planted(), after in "[.,;!?]?( [a-zA-Zäß]{1,8}){0,12}",
        ) {
            let text = format!("{before}: {value}{after}");
            prop_assert_eq!(found(&text), [(entity, value)]);
        }
    }

    /// Prints MB/s: `cargo test --release --lib detect::tests::speed -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn speed() {
        let clean = "The customer called about order 4711 and wants the second item, ordered on 24 May, sent again. "
            .repeat(10_000);
        let dense = "On 2026-11-24 10:30 Jane (jane@example.com, 030 12345678) paid 19.90 with 4111 1111 1111 1111. "
            .repeat(10_000);
        let umlauts =
            "Die Kundin möchte den zweiten Artikel zurückgeben; die Größe passt nicht, 3 für 12,50 €. ".repeat(10_000);
        for (name, text) in [("clean", clean), ("dense", dense), ("umlauts", umlauts)] {
            let (mut findings, started) = (Vec::new(), std::time::Instant::now());
            for _ in 0..20 {
                Detector::new().scan(&text, &mut findings);
            }
            let gated = started.elapsed();
            for _ in 0..20 {
                spot(Folded::new(&text).bytes(), &mut Vec::new());
            }
            let rate = |time: std::time::Duration| 20.0 * text.len() as f64 / time.as_secs_f64() / 1e6;
            println!("{name}: {:.0} MB/s, without the gate {:.0} MB/s", rate(gated), rate(started.elapsed() - gated));
        }
    }
}
