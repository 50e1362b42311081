//! Detection in figures: recall and precision on generated notes, lines that look like something and are nothing, and, where
//! labelled texts of others are at hand (`FIELDGATE_PII_DATA`), on those.

use std::collections::BTreeMap;

use fieldgate::{
    detect::{
        Detector, Finding, Sought,
        notes::{Label, Notes},
    },
    model::Entity,
};
use proptest::prelude::*;
use serde_json::Value;

/// The least recall and precision, by overlap.
const TARGETS: [(Entity, f64, f64); 10] = [
    (Entity::Card, 0.99, 0.99),
    (Entity::Email, 0.99, 0.99),
    (Entity::Iban, 0.99, 0.99),
    (Entity::UsSsn, 0.99, 0.99),
    (Entity::Phone, 0.88, 0.92),
    (Entity::Secret, 0.95, 0.97),
    (Entity::Ip, 0.97, 0.97),
    (Entity::Mac, 0.97, 0.97),
    (Entity::BirthDate, 0.95, 0.97),
    (Entity::Passport, 0.9, 0.9),
];
/// Of the ids of states.
const ID_RECALL: f64 = 0.97;
const ID_PRECISION: f64 = 0.95;

fn everything() -> Detector {
    Detector::of(Sought::these(&Entity::ALL))
}

/// What the classes that `init` writes look for.
fn usual() -> Detector {
    let sought =
        Entity::ALL.into_iter().filter(|entity| !matches!(entity, Entity::Ip | Entity::Mac)).collect::<Vec<_>>();
    Detector::of(Sought::these(&sought))
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    labels: u32,
    hit: u32,
    found: u32,
    right: u32,
}

impl Tally {
    fn recall(self) -> f64 {
        f64::from(self.hit) / f64::from(self.labels.max(1))
    }

    fn precision(self) -> f64 {
        if self.found == 0 { 1.0 } else { f64::from(self.right) / f64::from(self.found) }
    }
}

type Table = BTreeMap<Entity, Tally>;

fn count(table: &mut Table, labels: &[Label], findings: &[Finding]) {
    let meets = |label: &Label, finding: &Finding| {
        label.entity == finding.entity && label.start < finding.end && finding.start < label.end
    };
    for label in labels {
        let tally = table.entry(label.entity).or_default();
        tally.labels += 1;
        tally.hit += u32::from(findings.iter().any(|finding| meets(label, finding)));
    }
    for finding in findings {
        let tally = table.entry(finding.entity).or_default();
        tally.found += 1;
        tally.right += u32::from(labels.iter().any(|label| meets(label, finding)));
    }
}

#[track_caller]
fn reaches(name: &str, table: &Table, entity: Entity, recall: f64, precision: f64) {
    let tally = table.get(&entity).copied().unwrap_or_default();
    let good = tally.recall() >= recall && tally.precision() >= precision;
    assert!(
        good || tally.labels == 0,
        "{name}: {} {:.3} / {:.3} {tally:?}",
        entity.as_str(),
        tally.recall(),
        tally.precision()
    );
}

#[test]
fn generated_notes_are_read_as_well_as_the_table_says() {
    let (detector, mut findings, mut table) = (everything(), Vec::new(), Table::new());
    for note in Notes::new(20_261_124).take(6_000) {
        detector.scan(&note.text, &mut findings);
        count(&mut table, &note.labels, &findings);
    }
    for (entity, recall, precision) in TARGETS {
        assert!(table[&entity].labels > 20, "{entity:?} is rare");
        reaches("notes", &table, entity, recall, precision);
    }
    for entity in Entity::ALL.into_iter().filter(|entity| entity.is_national_id()) {
        reaches("notes", &table, entity, ID_RECALL, ID_PRECISION);
    }
}

#[test]
fn one_harmless_line_in_two_hundred_is_flagged_at_most() {
    let (detector, mut findings) = (everything(), Vec::new());
    let mut flagged = 0;
    for note in Notes::harmless(20_261_124).take(4_000) {
        // Addresses of machines and words like passwords are what some of these lines are about.
        detector.scan(&note.text, &mut findings);
        flagged += u32::from(!findings.is_empty());
    }
    assert!(flagged <= 4_000 / 200, "{flagged} of 4000");
}

/// FNV-1a over findings.
fn digest(detector: &Detector, texts: &[String]) -> u64 {
    let mut findings = Vec::new();
    let mut digest = 0xCBF2_9CE4_8422_2325_u64;
    for text in texts {
        detector.scan(text, &mut findings);
        for finding in &findings {
            for byte in format!("{} {} {:?} {};", finding.start, finding.end, finding.entity, finding.score).bytes() {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
            }
        }
    }
    digest
}

/// Whoever changes what is found changes these numbers with the reason; whoever makes the search faster does not.
#[test]
fn the_findings_of_notes_are_what_they_were() {
    let mut texts: Vec<String> =
        Notes::new(7).take(3_000).chain(Notes::harmless(7).take(3_000)).map(|note| note.text).collect();
    // Notes that follow each other without a gap, cut anywhere: values next to and in each other.
    let mixed: Vec<char> = texts.iter().step_by(3).flat_map(|text| text.chars()).collect();
    texts.extend(mixed.chunks(61).map(|piece| piece.iter().collect()));
    texts.push(texts.concat());
    let unsure = Entity::ALL.iter().fold(Sought::nothing(), |sought, entity| sought.with(*entity, 1));
    let digests = [everything(), Detector::new(), Detector::of(unsure)].map(|detector| digest(&detector, &texts));
    assert_eq!(digests, [0x55AD_78D5_905D_D734, 0xC308_205F_F2C2_25E5, 0xE3B3_8827_AFA5_C81F]);
}

/// The file of `FIELDGATE_PII_DATA` whose name starts and ends so, or a word on standard error that it is not there.
fn data(start: &str, end: &str) -> Vec<String> {
    let folder = std::env::var_os("FIELDGATE_PII_DATA").and_then(|folder| std::fs::read_dir(folder).ok());
    let mut texts = Vec::new();
    for entry in folder.into_iter().flatten().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.starts_with(start) && name.ends_with(end) {
            texts.push(std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    if texts.is_empty() {
        eprintln!("skipped: no `{start}*{end}` in the folder `FIELDGATE_PII_DATA` names");
    }
    texts
}

/// The place of a character in bytes.
fn byte(text: &str, chars: &Value) -> usize {
    let chars = chars.as_u64().unwrap() as usize;
    text.char_indices().nth(chars).map_or(text.len(), |(at, _)| at)
}

fn labelled(table: &mut Table, text: &str, spans: &Value, [kind, start, end]: [&str; 3]) {
    let labels: Vec<Label> = spans
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|span| {
            let entity = match span[kind].as_str()? {
                "CREDIT_CARD" => Entity::Card,
                "EMAIL_ADDRESS" => Entity::Email,
                "PHONE_NUMBER" => Entity::Phone,
                "IBAN_CODE" => Entity::Iban,
                "US_SSN" | "SOCIAL_SECURITY_NUMBER" => Entity::UsSsn,
                _ => return None,
            };
            Some(Label { start: byte(text, &span[start]), end: byte(text, &span[end]), entity })
        })
        .collect();
    let mut findings = Vec::new();
    usual().scan(text, &mut findings);
    count(table, &labels, &findings);
}

#[test]
fn labelled_sentences_of_others_are_read_as_well() {
    for (file, phone_recall, phone_precision) in
        [("presidio_synth_dataset", 0.88, 0.92), ("presidio_generated_large", 0.75, 0.90)]
    {
        for text in data(file, ".json") {
            let mut table = Table::new();
            for row in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
                labelled(
                    &mut table,
                    row["full_text"].as_str().unwrap(),
                    &row["spans"],
                    ["entity_type", "start_position", "end_position"],
                );
            }
            for entity in [Entity::Card, Entity::Iban, Entity::Email, Entity::UsSsn] {
                reaches(file, &table, entity, 0.99, 0.99);
            }
            reaches(file, &table, Entity::Phone, phone_recall, phone_precision);
        }
    }
}

#[test]
fn disguised_values_of_others_are_found() {
    for text in data("pii_anon_adversarial", ".jsonl") {
        let mut table = Table::new();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            labelled(&mut table, row["text"].as_str().unwrap(), &row["spans"], ["type", "start", "end"]);
        }
        reaches("adversarial", &table, Entity::Email, 0.95, 0.99);
        reaches("adversarial", &table, Entity::UsSsn, 0.99, 0.99);
    }
}

#[test]
fn a_log_of_others_holds_what_it_says_and_hardly_more() {
    for text in data("datafog_", "sparse.txt") {
        let (mut findings, mut emails, mut phones) = (Vec::new(), 0, 0);
        usual().scan(&text, &mut findings);
        for finding in &findings {
            emails += u32::from(finding.entity == Entity::Email);
            phones += u32::from(finding.entity == Entity::Phone);
        }
        assert!(emails >= 9 && phones >= 9 && findings.len() <= 20, "{emails} {phones} {}", findings.len());
    }
}

/// A value of any entity with a word that names it, so that it counts wherever it stands.
fn planted() -> impl Strategy<Value = (Entity, String)> {
    (0..Entity::ALL.len(), any::<u64>()).prop_map(|(entity, seed)| {
        let entity = Entity::ALL[entity];
        (entity, Notes::new(seed).value(entity))
    })
}

fn word(entity: Entity) -> &'static str {
    match entity {
        Entity::Card => "card",
        Entity::Email => "mail",
        Entity::Phone => "phone",
        Entity::Iban => "IBAN",
        Entity::UsSsn => "SSN",
        Entity::EsNif => "DNI",
        Entity::ItFiscalCode => "codice fiscale",
        Entity::DeTaxId => "Steuer-ID",
        Entity::FrNir => "NIR",
        Entity::BeRrn => "rijksregisternummer",
        Entity::NlBsn => "BSN",
        Entity::PlPesel => "PESEL",
        Entity::FiHetu => "HETU",
        Entity::SePersonnummer => "personnummer",
        Entity::ZaId => "ID number",
        Entity::PtNif => "NIF",
        Entity::RoCnp => "CNP",
        Entity::HrOib => "OIB",
        Entity::BrCpf => "CPF",
        Entity::BrCnpj => "CNPJ",
        Entity::CaSin => "SIN",
        Entity::AuTfn => "TFN",
        Entity::InAadhaar => "Aadhaar",
        Entity::InPan => "PAN",
        Entity::UkNhs => "NHS",
        Entity::TrTckn => "kimlik",
        Entity::KrRrn => "RRN",
        Entity::ChAhv => "AHV",
        Entity::UkNino => "NINO",
        Entity::Passport => "passport",
        Entity::DrivingLicence => "driving licence",
        Entity::BirthDate => "born",
        Entity::BankAccount => "bank",
        Entity::Ip => "address",
        Entity::Mac => "MAC",
        Entity::Secret => "password",
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn planted_values_of_every_entity_are_found_between_any_words(
        before in "([bdfgkp]{2,6}q ){0,9}", (entity, value) in planted(), after in "[.,;!]?( [bdfgkp]{2,6}q){0,9}",
    ) {
        let text = format!("{before}{}: {value}{after}", word(entity));
        let start = text.find(&value).unwrap();
        let mut findings = Vec::new();
        everything().scan(&text, &mut findings);
        let covered = findings.iter().any(|finding| finding.start <= start && finding.end >= start + value.len());
        prop_assert!(covered, "{} {value:?} {text:?} {findings:?}", entity.as_str());
    }

    #[test]
    fn findings_are_sorted_apart_and_on_character_boundaries(
        parts in prop::collection::vec(prop_oneof![
            planted().prop_map(|(_, value)| value),
            "[ .,:;=@%&()\\[\\]#/_+-]{1,3}",
            "[0-9]{1,12}",
            "[a-zA-Zäéж\u{200b}４–•]{1,9}",
        ], 0..24),
    ) {
        let text = parts.concat();
        let mut findings = Vec::new();
        everything().scan(&text, &mut findings);
        let mut end = 0;
        for finding in findings {
            prop_assert!(finding.start >= end && finding.end > finding.start);
            prop_assert!(text.get(finding.start..finding.end).is_some());
            prop_assert!((1..=100).contains(&finding.score));
            end = finding.end;
        }
    }

    #[test]
    fn any_text_is_scanned_without_harm(text in any::<String>()) {
        everything().scan(&text, &mut Vec::new());
    }
}

#[test]
fn the_time_is_linear_in_the_text() {
    let pieces = [
        "1",
        "a1",
        "@",
        ".@",
        "1 ",
        "1.",
        "1-",
        ":",
        "a:",
        "f:",
        "=",
        "a=",
        "eyJ1.",
        "ghp_1",
        "-",
        "_1",
        "(at)",
        "a(at)a.",
        "&#64;",
        "-----BEGIN PRIVATE KEY",
        "password:",
        "%40",
        "DE1",
        "\u{430}1",
        "+1",
    ];
    for piece in pieces {
        let time = |bytes: usize| {
            let text = piece.repeat(bytes / piece.len());
            let mut findings = Vec::new();
            (0..3)
                .map(|_| {
                    let started = std::time::Instant::now();
                    everything().scan(&text, &mut findings);
                    started.elapsed()
                })
                .min()
                .unwrap()
        };
        let (short, long) = (time(8_000), time(64_000));
        // Eight times the text; four times as much again for a noisy machine. Quadratic time would be 64 times.
        let most = short.max(std::time::Duration::from_micros(300)) * 32;
        assert!(long <= most, "{piece:?}: {short:?} for 8 kB, {long:?} for 64 kB");
    }
}
