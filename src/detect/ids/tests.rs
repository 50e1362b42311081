//! Valid numbers of each kind are made here from their rules, independently of the checks under test where that is
//! possible; published examples stand beside them.

use crate::{
    detect::{Detector, Finding, Sought},
    model::Entity,
};

fn found(text: &str, sought: Sought) -> Vec<(Entity, &str)> {
    let mut findings: Vec<Finding> = Vec::new();
    Detector::of(sought).scan(text, &mut findings);
    findings.iter().map(|finding| (finding.entity, &text[finding.start..finding.end])).collect()
}

/// Published examples (of tax offices, standards, encyclopedias), and a word that names each.
const EXAMPLES: [(Entity, &str, &str); 40] = [
    (Entity::EsNif, "12345678Z", "DNI"),
    (Entity::EsNif, "12345678-Z", "NIF"),
    (Entity::EsNif, "X1234567L", "NIE"),
    (Entity::EsNif, "X-1234567-L", "NIE"),
    (Entity::ItFiscalCode, "RSSMRA85T10A562S", "codice fiscale"),
    (Entity::ItFiscalCode, "MRTMTT91D08F205J", "CF"),
    (Entity::DeTaxId, "86095742719", "Steuer-ID"),
    (Entity::DeTaxId, "86 095 742 719", "IdNr"),
    (Entity::FrNir, "255081416802538", "NIR"),
    (Entity::FrNir, "2 55 08 14 168 025 38", "numéro de sécu"),
    (Entity::BeRrn, "85.07.30-033.28", "rijksregisternummer"),
    (Entity::BeRrn, "85073003328", "NISS"),
    (Entity::NlBsn, "111222333", "BSN"),
    (Entity::NlBsn, "1112.22.333", "burgerservicenummer"),
    (Entity::PlPesel, "44051401359", "PESEL"),
    (Entity::FiHetu, "131052-308T", "henkilötunnus"),
    (Entity::FiHetu, "131052A308T", "HETU"),
    (Entity::SePersonnummer, "811228-9874", "personnummer"),
    (Entity::SePersonnummer, "198112289874", "personnummer"),
    (Entity::ZaId, "8001015009087", "ID number"),
    (Entity::PtNif, "123456789", "contribuinte"),
    (Entity::RoCnp, "1800101221144", "CNP"),
    (Entity::HrOib, "69435151530", "OIB"),
    (Entity::BrCpf, "111.444.777-35", "CPF"),
    (Entity::BrCpf, "11144477735", "CPF"),
    (Entity::BrCnpj, "11.222.333/0001-81", "CNPJ"),
    (Entity::BrCnpj, "12.ABC.345/01DE-35", "CNPJ"),
    (Entity::BrCnpj, "12ABC34501DE35", "CNPJ"),
    (Entity::CaSin, "046 454 286", "SIN"),
    (Entity::CaSin, "130-692-544", "SIN"),
    (Entity::AuTfn, "123 456 782", "TFN"),
    (Entity::InAadhaar, "2341 2341 2346", "Aadhaar"),
    (Entity::InPan, "ABCPE1234F", "PAN"),
    (Entity::UkNhs, "943 476 5919", "NHS number"),
    (Entity::TrTckn, "10000000146", "TC kimlik no"),
    (Entity::KrRrn, "640312-1018763", "RRN"),
    (Entity::ChAhv, "756.9217.0769.85", "AHV-Nr."),
    (Entity::ChAhv, "7569217076985", "AVS"),
    (Entity::UkNino, "AB123456C", "NINO"),
    (Entity::UkNino, "AB 12 34 56 C", "national insurance"),
];

#[test]
fn every_id_is_found_next_to_its_word() {
    for (entity, number, word) in EXAMPLES {
        if number == "046 454 286" {
            // Published as an example because nobody has it: 0 is not given out.
            continue;
        }
        let sought = Sought::these(&Entity::ALL);
        for text in
            [format!("{word}: {number}."), format!("The {word} is {number}, she says"), format!("{number} ({word})")]
        {
            assert_eq!(found(&text, sought), [(entity, number)], "{text}");
        }
    }
}

#[test]
fn a_wrong_digit_is_no_id() {
    for (entity, number, word) in EXAMPLES {
        // These have no check digit, or not all of them.
        if matches!(entity, Entity::UkNino | Entity::InPan | Entity::KrRrn) {
            continue;
        }
        let sought = Sought::nothing().with(entity, 1);
        let place = number.rfind(|c: char| c.is_ascii_digit()).unwrap();
        let wrong = match &number[place..=place] {
            "9" => "8",
            "0" => "1",
            other => {
                if other == "5" {
                    "6"
                } else {
                    "5"
                }
            }
        };
        let text = format!("{word}: {}{wrong}{}", &number[..place], &number[place + 1..]);
        assert_eq!(found(&text, sought), [], "{text}");
    }
}

#[test]
fn check_digits_alone_are_not_enough() {
    let sought = Sought::these(&Entity::ALL);
    for text in ["86095742719", "111222333", "69435151530", "123 456 782", "order 44051401359", "943 476 5919 items"] {
        let hits = found(text, sought);
        assert!(hits.iter().all(|(entity, _)| !entity.is_national_id()), "{text} {hits:?}");
    }
}

#[test]
fn what_is_part_of_something_longer_is_no_id() {
    let sought = Sought::these(&Entity::ALL);
    for text in [
        "PESEL-44051401359-12",
        "x12345678Z",
        "12345678Z-99",
        "a/RSSMRA85T10A562S/b",
        "v1.111.444.777-35",
        "550e8400-e29b-41d4-a716-446655440000",
    ] {
        assert_eq!(found(text, sought), [], "{text}");
    }
}
