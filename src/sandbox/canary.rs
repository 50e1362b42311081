//! Canary data: each field of each record carries a value that occurs nowhere else and still has the shape of its class, so a
//! test can search any byte stream for what must not be in it.

use serde_json::json;

use super::people::{FIRST_CUSTOMER, FIRST_ORDER, FIRST_TICKET, money, put};
use super::records::Records;
use super::shape;

/// `count` customers with two orders and one ticket with two comments each.
///
/// Values are unique up to 100 000 customers, except `card.expiry`, of which only 876 fit the shape `MM/YY`, and
/// `birth_date`, of which 25 000 are used.
pub(super) fn canary(seed: u64, count: usize) -> Records {
    let mut maker = Maker { seed: seed & MASK, drawn: 0, records: Records::default() };
    for index in 0..count as u64 {
        maker.customer(index);
        maker.order(index, 0);
        maker.order(index, 1);
        maker.ticket(index);
    }
    maker.records
}

/// Numbers are drawn without repetition from 24 bits.
const MASK: u64 = (1 << 24) - 1;

struct Maker {
    seed: u64,
    drawn: u64,
    records: Records,
}

impl Maker {
    fn customer(&mut self, index: u64) {
        let number = FIRST_CUSTOMER + index;
        let tags = [self.word().to_lowercase(), self.word().to_lowercase()];
        let record = json!({
            "id": format!("C-{number}"),
            "name": self.name(),
            "email": self.email(),
            "phone": self.phone(),
            "birth_date": shape::date((index % 25_000) as i64 - 14_000),
            "address": { "street": self.street(), "city": self.word(), "zip": self.zip(), "country": self.word() },
            "card": {
                "number": self.card(),
                "expiry": format!("{:02}/{}", 1 + index % 12, 27 + (index / 12) % 73),
                "holder": self.name(),
            },
            "iban": self.iban(),
            "tags": tags,
            "loyalty_points": 1_000_000_000_000_000_000 + self.draw(),
            "notes": self.text(),
            "self": "",
            "created_at": shape::moment(index),
        });
        put(&mut self.records.customers, number, record);
    }

    fn order(&mut self, index: u64, which: u64) {
        let number = FIRST_ORDER + index * 2 + which;
        let item = json!({
            "sku": format!("SK-{:08}", self.draw()),
            "title": format!("{} lamp", self.word()),
            "quantity": 1,
            "price": money(self.draw()),
        });
        let record = json!({
            "id": format!("O-{number}"),
            "customer_id": format!("C-{}", FIRST_CUSTOMER + index),
            "items": [item],
            "total": money(self.draw()),
            "payment": { "card": self.card(), "iban": self.iban() },
            "delivery": {
                "name": self.name(), "street": self.street(), "city": self.word(), "zip": self.zip(),
                "country": self.word(), "phone": self.phone(),
            },
            "notes": self.text(),
        });
        put(&mut self.records.orders, number, record);
    }

    fn ticket(&mut self, index: u64) {
        let number = FIRST_TICKET + index;
        let comments: Vec<_> = (0..2)
            .map(|which| {
                json!({
                    "id": format!("M-{}", 1 + index * 2 + which),
                    "author": self.name(),
                    "body": self.text(),
                    "created_at": shape::moment(index + which),
                })
            })
            .collect();
        let subject = format!("Call {} about {}", self.embedded_phone(), self.word());
        let record = json!({
            "id": format!("T-{number}"),
            "customer_id": format!("C-{}", FIRST_CUSTOMER + index),
            "subject": subject,
            "status": "open",
            "priority": "normal",
            "requester": { "name": self.name(), "email": self.email() },
            "description": self.text(),
            "comments": comments,
            "self": "",
        });
        put(&mut self.records.tickets, number, record);
    }

    /// Free text in natural sentences that mentions one value of each class a detector finds.
    fn text(&mut self) -> String {
        let (card, email, phone, iban) = (self.card(), self.email(), self.embedded_phone(), self.iban());
        let ssn = shape::ssn(self.draw());
        let place = self.word();
        let text = format!(
            "The customer from {place} paid with card {card} and asked us to write to {email} or to call {phone}. \
             Refund to {iban}, please. Her SSN is {ssn}."
        );
        self.records.embedded.extend([("card_number", card), ("email", email), ("iban", iban), ("ssn", ssn)]);
        text
    }

    fn embedded_phone(&mut self) -> String {
        let phone = self.phone();
        self.records.embedded.push(("phone", phone.clone()));
        phone
    }

    fn name(&mut self) -> String {
        format!("{} {}", self.word(), self.word())
    }

    fn email(&mut self) -> String {
        format!("{}@example.com", self.word().to_lowercase())
    }

    fn phone(&mut self) -> String {
        format!("+4930{:08}", self.draw())
    }

    fn card(&mut self) -> String {
        shape::card(&format!("424242{:08}7", self.draw()))
    }

    fn iban(&mut self) -> String {
        shape::iban("DE", &format!("3704004405{:08}", self.draw()))
    }

    fn street(&mut self) -> String {
        format!("{} Street 7", self.word())
    }

    fn zip(&mut self) -> String {
        format!("Z{:08}", self.draw())
    }

    /// Eight letters in four pronounceable pairs, one for each 24-bit number.
    fn word(&mut self) -> String {
        let mut rest = self.draw();
        let mut word = String::with_capacity(8);
        for _ in 0..4 {
            let consonant = CONSONANTS.get((rest % 16) as usize).copied().unwrap_or(b'b');
            let vowel = VOWELS.get((rest / 16 % 4) as usize).copied().unwrap_or(b'a');
            rest /= 64;
            word.push(char::from(if word.is_empty() { consonant.to_ascii_uppercase() } else { consonant }));
            word.push(char::from(vowel));
        }
        word
    }

    /// The next number: an odd multiplier permutes the 24-bit range, so no number comes twice before all have come.
    fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.drawn.wrapping_mul(0x9e37_79b1).wrapping_add(self.seed.wrapping_mul(0x5851_f42d)) & MASK
    }
}

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aeio";
