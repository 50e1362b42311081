//! The data classes that benches protect.

use fieldgate::model::{Class, ClassTable, Entity, MaskStyle, Storage};

/// The classes that the shipped policies speak of.
pub(super) fn classes() -> ClassTable {
    let class = |(name, mask, detects): (&str, MaskStyle, &[Entity])| Class {
        name: name.into(),
        mask,
        storage: Storage::CLEAR,
        detects: detects.to_vec(),
    };
    let all: [(&str, MaskStyle, &[Entity]); 10] = [
        ("name", MaskStyle::Name, &[]),
        ("email", MaskStyle::Email, &[Entity::Email]),
        ("phone", MaskStyle::Phone, &[Entity::Phone]),
        ("address", MaskStyle::Address, &[]),
        ("birth_date", MaskStyle::Date, &[]),
        ("card_number", MaskStyle::Card, &[Entity::Card]),
        ("card_expiry", MaskStyle::Full, &[]),
        ("iban", MaskStyle::Iban, &[Entity::Iban]),
        ("ssn", MaskStyle::KeepLast(4), &[Entity::UsSsn]),
        ("free_text", MaskStyle::Full, &[]),
    ];
    ClassTable::new(all.map(class).to_vec()).expect("ten classes of ten names")
}
