//! The records of the sample CRM: JSON objects by number, and which of their values are personal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// One kind of record, by the number in its id.
pub(super) type Table = BTreeMap<u64, Map<String, Value>>;

/// All records.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    pub(super) customers: Table,
    pub(super) orders: Table,
    pub(super) tickets: Table,
    /// Personal values that stand inside free text, with their class.
    pub(super) embedded: Vec<(&'static str, String)>,
}

impl Records {
    /// Calls `see` with table name, id and record of each.
    pub(super) fn each(&self, mut see: impl FnMut(&str, &str, &Map<String, Value>)) {
        for (name, letter, table) in
            [("customers", 'C', &self.customers), ("orders", 'O', &self.orders), ("tickets", 'T', &self.tickets)]
        {
            table.iter().for_each(|(number, record)| see(name, &format!("{letter}-{number}"), record));
        }
    }

    /// Every personal value with its class, each pair once, in class order. Values under four bytes (country codes) are
    /// left out: finding them in a body proves nothing.
    pub(super) fn secrets(&self) -> Vec<(&'static str, String)> {
        let mut found: BTreeSet<(&'static str, String)> = self.embedded.iter().cloned().collect();
        for (table, fields) in [(&self.customers, CUSTOMER), (&self.orders, ORDER), (&self.tickets, TICKET)] {
            for record in table.values() {
                for (path, class) in fields {
                    collect(record, path, class, &mut found);
                }
            }
        }
        for ticket in self.tickets.values() {
            for comment in ticket.get("comments").and_then(Value::as_array).into_iter().flatten() {
                if let Value::Object(comment) = comment {
                    collect(comment, "author", "name", &mut found);
                    collect(comment, "body", "free_text", &mut found);
                }
            }
        }
        found.into_iter().filter(|(_, value)| value.len() >= 4).collect()
    }
}

/// The number in `id` (`C-1001` with the letter `C`); nothing for any other spelling of it.
pub(super) fn number(id: &str, letter: char) -> Option<u64> {
    let digits = id.strip_prefix(letter)?.strip_prefix('-')?;
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn collect(record: &Map<String, Value>, path: &str, class: &'static str, found: &mut BTreeSet<(&'static str, String)>) {
    let mut steps = path.split('.');
    let first = steps.next().and_then(|name| record.get(name));
    let value = steps.fold(first, |value, name| value.and_then(|value| value.get(name)));
    if let Some(text) = value.and_then(Value::as_str) {
        found.insert((class, text.into()));
    }
}

type Fields = &'static [(&'static str, &'static str)];

const CUSTOMER: Fields = &[
    ("name", "name"),
    ("email", "email"),
    ("phone", "phone"),
    ("birth_date", "birth_date"),
    ("address.street", "address"),
    ("address.city", "address"),
    ("address.zip", "address"),
    ("address.country", "address"),
    ("card.number", "card_number"),
    ("card.expiry", "card_expiry"),
    ("card.holder", "name"),
    ("iban", "iban"),
    ("notes", "free_text"),
];

const ORDER: Fields = &[
    ("payment.card", "card_number"),
    ("payment.iban", "iban"),
    ("delivery.name", "name"),
    ("delivery.street", "address"),
    ("delivery.city", "address"),
    ("delivery.zip", "address"),
    ("delivery.country", "address"),
    ("delivery.phone", "phone"),
    ("notes", "free_text"),
];

const TICKET: Fields =
    &[("subject", "free_text"), ("requester.name", "name"), ("requester.email", "email"), ("description", "free_text")];
