//! The generated sample data: people, their orders and their tickets, the same for the same seed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::records::Records;
use super::rng::Rng;
use super::{shape, words};

/// Number of the first customer (`C-1001`), order (`O-3001`) and ticket (`T-5001`).
pub(super) const FIRST_CUSTOMER: u64 = 1_001;
pub(super) const FIRST_ORDER: u64 = 3_001;
pub(super) const FIRST_TICKET: u64 = 5_001;

/// Generates `customers` people with one to four orders each and tickets for a third of them.
pub(super) fn generate(seed: u64, customers: usize) -> Records {
    let mut maker = Maker {
        rng: Rng::new(seed),
        emails: BTreeSet::new(),
        records: Records::default(),
        order: FIRST_ORDER,
        ticket: FIRST_TICKET,
        comment: 1,
        minutes: 0,
    };
    for number in (FIRST_CUSTOMER..).take(customers) {
        maker.customer(number);
    }
    maker.records
}

struct Maker {
    rng: Rng,
    emails: BTreeSet<String>,
    records: Records,
    order: u64,
    ticket: u64,
    comment: u64,
    minutes: u64,
}

/// What sentences about one customer can mention.
struct Facts {
    id: String,
    name: String,
    email: String,
    phone: String,
    card: String,
    expiry: String,
    iban: Option<String>,
    ssn: String,
    born: String,
    city: String,
    order: String,
}

impl Maker {
    fn customer(&mut self, number: u64) {
        let country = words::COUNTRIES.get(self.rng.below(words::COUNTRIES.len() as u64) as usize);
        let Some(country) = country else { return };
        let id = format!("C-{number}");
        let name = format!("{} {}", self.rng.pick(words::FIRST), self.rng.pick(words::LAST));
        let email = self.email(&name);
        let phone = self.phone(country);
        let born = shape::date(self.rng.between(0, 25_000) as i64 - 10_000);
        let (city, zip) =
            country.cities.get(self.rng.below(country.cities.len() as u64) as usize).copied().unwrap_or_default();
        let street = self.street(country);
        let card = self.card();
        let expiry = format!("{:02}/{}", self.rng.between(1, 12), self.rng.between(27, 32));
        let iban = country.iban.map(|(bank, fill)| {
            let account = format!("{bank}{}", self.rng.digits(fill));
            shape::iban(country.code, &account)
        });
        let facts = Facts {
            id: id.clone(),
            ssn: shape::ssn(self.rng.below(80_000_000)),
            order: format!("O-{}", self.order),
            city: city.into(),
            name,
            email,
            phone,
            card,
            expiry,
            iban,
            born,
        };
        let tags: Vec<&str> = (0..self.rng.below(3)).map(|_| self.rng.pick(words::TAGS)).collect();
        let points = if self.rng.chance(5) {
            1_000_000_000_000_000_000 + self.rng.below(1 << 60)
        } else {
            self.rng.below(50_000)
        };
        let notes = match self.rng.below(4) {
            0 => Value::Null,
            1 => Value::from(""),
            _ => Value::from(self.text(&facts, 2)),
        };
        let address = json!({ "street": street, "city": city, "zip": zip, "country": country.code });
        let record = json!({
            "id": facts.id,
            "name": facts.name,
            "email": facts.email,
            "phone": if self.rng.chance(4) { Value::Null } else { Value::from(facts.phone.clone()) },
            "birth_date": facts.born,
            "address": address,
            "card": { "number": facts.card, "expiry": facts.expiry, "holder": facts.name },
            "iban": facts.iban,
            "tags": tags,
            "loyalty_points": points,
            "notes": notes,
            "self": "",
            "created_at": self.moment(),
        });
        put(&mut self.records.customers, number, record);
        for _ in 0..self.rng.between(1, 4) {
            self.order(&facts, &street, zip, country.code);
        }
        if self.rng.chance(33) {
            for _ in 0..self.rng.between(1, 2) {
                self.ticket(&facts);
            }
        }
    }

    fn order(&mut self, facts: &Facts, street: &str, zip: &str, country: &str) {
        let number = self.order;
        self.order += 1;
        let mut cents = 0;
        let mut items = Vec::new();
        for _ in 0..self.rng.between(1, 3) {
            let product = words::PRODUCTS.get(self.rng.below(words::PRODUCTS.len() as u64) as usize);
            let (sku, title, price) = product.copied().unwrap_or_default();
            let quantity = self.rng.between(1, 3);
            cents += price * quantity;
            items.push(json!({ "sku": sku, "title": title, "quantity": quantity, "price": money(price) }));
        }
        let notes = if self.rng.chance(25) { self.text(facts, 1) } else { String::new() };
        let record = json!({
            "id": format!("O-{number}"),
            "customer_id": facts.id,
            "items": items,
            "total": money(cents),
            "payment": { "card": facts.card, "iban": facts.iban },
            "delivery": {
                "name": facts.name, "street": street, "city": facts.city, "zip": zip, "country": country,
                "phone": facts.phone,
            },
            "notes": notes,
        });
        put(&mut self.records.orders, number, record);
    }

    fn ticket(&mut self, facts: &Facts) {
        let number = self.ticket;
        self.ticket += 1;
        let pattern = self.rng.pick(words::SUBJECTS);
        let subject = self.fill(pattern, facts);
        let sentences = self.rng.between(1, 3);
        let description = self.text(facts, sentences);
        let mut comments = Vec::new();
        for _ in 0..self.rng.below(4) {
            let sentences = self.rng.between(1, 2);
            let body = self.text(facts, sentences);
            let author = if self.rng.chance(50) { facts.name.as_str() } else { self.rng.pick(words::AGENTS) };
            let id = format!("M-{}", self.comment);
            self.comment += 1;
            comments.push(json!({ "id": id, "author": author, "body": body, "created_at": self.moment() }));
        }
        let record = json!({
            "id": format!("T-{number}"),
            "customer_id": facts.id,
            "subject": subject,
            "status": self.rng.pick(words::STATUSES),
            "priority": self.rng.pick(words::PRIORITIES),
            "requester": { "name": facts.name, "email": facts.email },
            "description": description,
            "comments": comments,
            "self": "",
        });
        put(&mut self.records.tickets, number, record);
    }

    fn text(&mut self, facts: &Facts, sentences: u64) -> String {
        let filled: Vec<String> = (0..sentences)
            .map(|_| {
                let pattern = self.rng.pick(words::SENTENCES);
                self.fill(pattern, facts)
            })
            .collect();
        filled.join(" ")
    }

    /// Fills the braces of `pattern` and remembers which personal values now stand in free text.
    fn fill(&mut self, pattern: &str, facts: &Facts) -> String {
        let card = match self.rng.below(3) {
            0 => facts.card.clone(),
            1 => shape::grouped(&facts.card, ' '),
            _ => shape::grouped(&facts.card, '-'),
        };
        let last4 = facts.card.get(facts.card.len().saturating_sub(4)..).unwrap_or_default();
        let iban = facts.iban.clone().unwrap_or_else(|| "DE89370400440532013000".into());
        let known: [(&str, Option<&'static str>, &str); 12] = [
            ("{card}", Some("card_number"), &card),
            ("{last4}", None, last4),
            ("{expiry}", Some("card_expiry"), &facts.expiry),
            ("{email}", Some("email"), &facts.email),
            ("{phone}", Some("phone"), &facts.phone),
            ("{ssn}", Some("ssn"), &facts.ssn),
            ("{iban}", Some("iban"), &iban),
            ("{name}", Some("name"), &facts.name),
            ("{date}", Some("birth_date"), &facts.born),
            ("{city}", Some("address"), &facts.city),
            ("{order}", None, &facts.order),
            ("{customer}", None, &facts.id),
        ];
        let mut text = String::from(pattern);
        for (brace, class, value) in known {
            if pattern.contains(brace) {
                text = text.replace(brace, value);
                self.records.embedded.extend(class.map(|class| (class, String::from(value))));
            }
        }
        text
    }

    fn email(&mut self, name: &str) -> String {
        let local: String = name.chars().filter_map(ascii).collect();
        let domain = self.rng.pick(words::DOMAINS);
        let mut email = format!("{local}@{domain}");
        let mut more = 2;
        while !self.emails.insert(email.clone()) {
            email = format!("{local}{more}@{domain}");
            more += 1;
        }
        email
    }

    fn phone(&mut self, country: &words::Country) -> String {
        let (international, national, fill) = country.phone;
        let digits = self.rng.digits(fill);
        format!("{}{digits}", if self.rng.chance(70) { international } else { national })
    }

    fn street(&mut self, country: &words::Country) -> String {
        let (street, number) = (self.rng.pick(country.streets), self.rng.between(1, 240));
        if country.number_first { format!("{number} {street}") } else { format!("{street} {number}") }
    }

    /// A Luhn-valid number in a published test range, the rest random: no issuer hands these out.
    fn card(&mut self) -> String {
        let (range, length) = match self.rng.below(6) {
            0 => ("411111", 16),
            1 => ("424242", 16),
            2 => ("555555", 16),
            3 => ("510510", 16),
            4 => ("378282", 15),
            _ => ("601111", 16),
        };
        let fill = self.rng.digits(length - 1 - range.len());
        shape::card(&format!("{range}{fill}"))
    }

    fn moment(&mut self) -> String {
        self.minutes += self.rng.between(1, 90);
        shape::moment(self.minutes)
    }
}

/// Cents as the CRM writes money.
pub(super) fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// Puts an object under its number; anything else is dropped.
pub(super) fn put(table: &mut BTreeMap<u64, Map<String, Value>>, number: u64, record: Value) {
    if let Value::Object(record) = record {
        table.insert(number, record);
    }
}

/// The letter that stands for `c` in an e-mail address.
fn ascii(c: char) -> Option<char> {
    Some(match c.to_lowercase().next()? {
        ' ' => '.',
        c @ ('a'..='z' | '-') => c,
        'ü' | 'ú' => 'u',
        'ö' | 'ó' | 'ô' | 'ø' => 'o',
        'é' | 'è' | 'ë' | 'ê' | 'ễ' => 'e',
        'á' | 'â' | 'å' | 'æ' => 'a',
        'í' | 'ï' | 'ị' => 'i',
        'ł' => 'l',
        'ñ' => 'n',
        'ß' | 'š' | 'ş' => 's',
        'ć' => 'c',
        'ř' => 'r',
        _ => return None,
    })
}
