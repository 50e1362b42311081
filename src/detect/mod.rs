//! Free text in, findings (span, entity, score) out. Never logs what it matched.

mod card;
mod chain;
mod context;
mod document;
mod email;
mod fold;
mod iban;
mod ids;
mod machine;
pub mod notes;
mod phone;
mod scan;
mod secret;
mod sought;
mod ssn;
mod topics;

pub use self::sought::Sought;
use self::{
    context::Text,
    fold::Folded,
    scan::{Scan, Wants},
};
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

/// The recognisers. Hand-written: one pass over the bytes finds signs and groups of digits, and only these are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Detector {
    sought: Sought,
    wants: Wants,
}

impl Default for Detector {
    fn default() -> Self {
        Self::of(Sought::default())
    }
}

impl Detector {
    /// Cards, e-mail addresses, telephone numbers, IBANs and social security numbers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is `sought`.
    #[must_use]
    pub fn of(sought: Sought) -> Self {
        Self { sought, wants: Wants::of(&sought) }
    }

    /// Whether [`scan`](Self::scan) can find anything in `text`: false for most texts, and cheap. `text` is unescaped.
    #[must_use]
    pub fn worth_scanning(&self, text: &str) -> bool {
        let names = u8::from(self.wants.named());
        let least = self.wants.least_digits;
        let mut before = 0;
        text.as_bytes().chunks(GATE_BYTES).any(|chunk| {
            let (mut signs, mut digits) = (0_u8, 0_u8);
            for byte in chunk {
                signs |= u8::from(*byte == b'@') | u8::from(*byte == b'%') | u8::from(*byte == b'&');
                signs |= u8::from(*byte == 0xEF) | (names & (u8::from(*byte == b':') | u8::from(*byte == b'=')));
                // Digits outside ASCII start with one of these bytes; so do many letters, which costs a scan at worst.
                let digit = u8::from(byte.is_ascii_digit()) | u8::from((0xD9..0xF5).contains(byte));
                // At most one per byte of a chunk; a checked sum would keep compilers from vector code.
                digits = digits.wrapping_add(digit);
            }
            let near = before + digits;
            before = digits;
            signs != 0 || near >= least
        }) || email::has_spelled_sign(text.as_bytes())
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
        let mut folded = Folded::new(text);
        let mut spots = Scan::new(&Text::new(folded.bytes()), &self.sought, self.wants).run();
        // Found nearly in order, which this sort makes use of.
        spots.sort_by_key(|spot| (spot.start, spot.end));
        let mut open: Option<Spot> = None;
        for spot in spots {
            open = Some(match open {
                Some(previous) if spot.start < previous.end => previous.merged(spot),
                Some(previous) => {
                    findings.push(previous.in_text(&mut folded));
                    spot
                }
                None => spot,
            });
        }
        findings.extend(open.map(|last| last.in_text(&mut folded)));
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

    fn strength(self) -> (u8, u8) {
        let kind = match self.entity {
            Entity::Secret => 6,
            Entity::Card => 5,
            Entity::Iban => 4,
            Entity::Email => 2,
            Entity::Phone | Entity::Ip | Entity::Mac | Entity::BirthDate | Entity::BankAccount => 1,
            Entity::Passport | Entity::DrivingLicence => 0,
            _ => 3,
        };
        (kind, self.score)
    }

    fn in_text(self, folded: &mut Folded<'_>) -> Finding {
        let (start, end) = folded.span(self.start, self.end);
        Finding { start, end, entity: self.entity, score: self.score }
    }
}

/// The byte at `position`, or 0 outside the text.
fn at(bytes: &[u8], position: usize) -> u8 {
    bytes.get(position).copied().unwrap_or(0)
}

/// Where the first sign is. Whole chunks are judged at once, by whether `in_chunk` gives anything but 0 for a byte in them.
fn first(bytes: &[u8], in_chunk: impl Fn(u8) -> u8, is_sign: impl Fn(u8) -> bool) -> Option<usize> {
    let any = |chunk: &[u8]| chunk.iter().fold(0, |any, byte| any | in_chunk(*byte));
    let skipped = bytes.chunks_exact(CHUNK_BYTES).take_while(|chunk| any(chunk) == 0).count() * CHUNK_BYTES;
    bytes.get(skipped..)?.iter().position(|byte| is_sign(*byte)).map(|at| skipped + at)
}

/// One or two vector registers.
const CHUNK_BYTES: usize = 32;
/// Digits are counted over two neighbouring chunks of this size.
const GATE_BYTES: usize = 64;

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
        fn whatever_looks_like_an_address_is_passed_once(text in "[0-9a-f:./%= -]{0,40}") {
            found(&text);
        }

        #[test]
        fn any_text_is_scanned_without_harm(text in any::<String>()) {
            found(&text);
        }

        #[test]
        fn planted_values_are_found_between_any_words(
            before in "([bdfgkpß]{2,6}q ){0,12}", (entity, value) in planted(), after in "[.,;!?]?( [bdfgkpß]{2,6}q){0,12}",
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
                std::hint::black_box(
                    Scan::new(
                        &Text::new(Folded::new(&text).bytes()),
                        &Sought::default(),
                        Wants::of(&Sought::default()),
                    )
                    .run(),
                );
            }
            let rate = |time: std::time::Duration| 20.0 * text.len() as f64 / time.as_secs_f64() / 1e6;
            println!("{name}: {:.0} MB/s, without the gate {:.0} MB/s", rate(gated), rate(started.elapsed() - gated));
        }
    }
}
