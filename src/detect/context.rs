//! The words before a candidate.

use super::fold::LETTER;

pub(super) fn card(bytes: &[u8], start: usize) -> bool {
    any(
        bytes,
        start,
        &[
            "card", "credit", "debit", "visa", "master", "amex", "maestro", "karte", "kredit", "carte", "tarjeta",
            "carta", "pan", "cc",
        ],
    )
}

pub(super) fn phone(bytes: &[u8], start: usize) -> bool {
    any(
        bytes,
        start,
        &[
            "phone",
            "tel",
            "mobil",
            "cell",
            "fax",
            "handy",
            "telef",
            "telep",
            "whatsapp",
            "sms",
            "rufnummer",
            "hotline",
            "movil",
            "ring",
            "mob",
            "celular",
            "cellulare",
            "gsm",
        ],
    )
}

pub(super) fn social_security(bytes: &[u8], start: usize) -> bool {
    any(bytes, start, &["ssn", "social", "itin"])
}

/// Words that say a number is somebody's reference.
pub(super) fn reference(bytes: &[u8], start: usize) -> bool {
    any(
        bytes,
        start,
        &[
            "order",
            "invoice",
            "ref",
            "reference",
            "ticket",
            "case",
            "tracking",
            "shipment",
            "parcel",
            "isbn",
            "issn",
            "ean",
            "sku",
            "serial",
            "version",
            "bestell",
            "rechnung",
            "auftrag",
            "kunden",
            "sendung",
            "account",
            "konto",
            "id",
            "code",
            "article",
            "artikel",
            "build",
            "commande",
            "facture",
            "pedido",
            "factura",
        ],
    )
}

/// Whether one of the words stands in the window before `start`; entries of four and more bytes also match as the
/// beginning of a word (`telef` in `Telefonnummer`). Digits end the window: a word belongs to the nearest number.
fn any(bytes: &[u8], start: usize, words: &[&str]) -> bool {
    let window = bytes.get(start.saturating_sub(WINDOW_BYTES)..start).unwrap_or_default();
    let after_digits = window.iter().rposition(u8::is_ascii_digit).map_or(0, |digit| digit + 1);
    window
        .get(after_digits..)
        .unwrap_or_default()
        .split(|byte| !byte.is_ascii_alphabetic() && *byte != LETTER)
        .filter(|word| !word.is_empty())
        .any(|word| {
            words.iter().map(|known| known.as_bytes()).any(|known| match word.get(..known.len()) {
                Some(head) if known.len() >= 4 || word.len() == known.len() => head.eq_ignore_ascii_case(known),
                _ => false,
            })
        })
}

const WINDOW_BYTES: usize = 32;
