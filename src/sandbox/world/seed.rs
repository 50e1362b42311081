//! The generated records: the same for the same seed. No real person: names are common ones, domains and ranges reserved.

use serde_json::{Map, Value, json};

use super::World;
use super::object::Object;
use crate::sandbox::rng::Rng;
use crate::sandbox::{shape, words};

/// `contacts` contacts and a case for every second one.
pub(super) fn generate(seed: u64, contacts: usize) -> World {
    let mut maker = Maker { rng: Rng::new(seed), world: World::empty(), emails: Vec::new() };
    for number in 0..contacts {
        let record = maker.contact(number);
        let email = record.get("Email").cloned().unwrap_or_default();
        let card = record.get("Card__c").cloned().unwrap_or_default();
        let id = maker.add(Object::Contact, record);
        if number % 2 == 1 {
            let case = maker.case(number, &id, &email, &card);
            maker.add(Object::Case, case);
        }
    }
    maker.world
}

struct Maker {
    rng: Rng,
    world: World,
    emails: Vec<String>,
}

impl Maker {
    fn contact(&mut self, number: usize) -> Value {
        let (first, last) = (self.rng.pick(words::FIRST), self.rng.pick(words::LAST));
        let email = self.email(first, last, number);
        let phone = match self.rng.below(4) {
            0 => None,
            1 => Some(format!("212555{}", self.rng.digits(4))),
            _ => Some(format!("+4930231{}", self.rng.digits(6))),
        };
        let card = shape::card(&format!("400000{}", self.rng.digits(9)));
        let iban = shape::iban("DE", &format!("37040044{}", self.rng.digits(10)));
        let note = match self.rng.below(3) {
            0 => None,
            1 => Some(format!("Called about {}; asked us to write to {email}.", self.rng.pick(words::TAGS))),
            _ => Some(format!("Paid with {}, the rest by transfer from {iban}.", shape::grouped(&card, ' '))),
        };
        json!({
            "FirstName": if self.rng.chance(10) { Value::Null } else { first.into() },
            "LastName": last,
            "Email": if self.rng.chance(5) { Value::Null } else { email.into() },
            "Phone": phone,
            "Card__c": if self.rng.chance(20) { Value::Null } else { card.into() },
            "IBAN__c": if self.rng.chance(30) { Value::Null } else { iban.into() },
            "Note__c": note,
            "ExternalId__c": format!("X-{seed:04x}-{number}", seed = self.rng.below(1 << 16)),
        })
    }

    /// A new address, or in one case of twelve an earlier one; one in eight with capitals.
    fn email(&mut self, first: &str, last: &str, number: usize) -> String {
        if !self.emails.is_empty() && self.rng.below(12) == 0 {
            let at = self.rng.below(self.emails.len() as u64) as usize;
            return self.emails.get(at).cloned().unwrap_or_default();
        }
        let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let local = format!("{}.{}{number}", plain(first), plain(last));
        let local = if self.rng.below(8) == 0 { local } else { local.to_lowercase() };
        let email = format!("{local}@{}", self.rng.pick(words::DOMAINS));
        self.emails.push(email.clone());
        email
    }

    fn case(&mut self, number: usize, contact: &str, email: &Value, card: &Value) -> Value {
        let status = self.rng.pick(words::STATUSES);
        let supplied = self.rng.chance(60);
        json!({
            "ContactId": if self.rng.chance(8) { Value::Null } else { contact.into() },
            "Subject": format!("Order {number} has not arrived"),
            "Status": status,
            "Description": format!("The customer waits for order {number}."),
            "SuppliedEmail": if supplied { email.clone() } else { Value::Null },
            "SuppliedName": if supplied { Value::from(self.rng.pick(words::LAST)) } else { Value::Null },
            "SuppliedPhone": Value::Null,
            "Card__c": if self.rng.chance(50) { card.clone() } else { Value::Null },
        })
    }

    fn add(&mut self, object: Object, record: Value) -> String {
        let members: Map<String, Value> = match record {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        // What the generator makes fits the columns; a test asserts that nothing is missing.
        self.world.create(object, &members).unwrap_or_default()
    }
}
