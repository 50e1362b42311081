//! Claims about the generated and the canary data.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::{Crm, records::Records, shape};

fn luhn(number: &str) -> bool {
    number.len() > 12 && shape::card(&number[..number.len() - 1]) == number
}

fn iban(text: &str) -> bool {
    shape::mod97(&format!("{}{}", &text[4..], &text[..4])) == 1
}

/// Every text of a record except its links, with its path.
fn texts(value: &Value, path: &str, out: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => out.push((path.to_owned(), text.clone())),
        Value::Number(number) => out.push((path.to_owned(), number.to_string())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, path, out)),
        Value::Object(members) => {
            for (name, member) in members.iter().filter(|(name, _)| *name != "self") {
                texts(member, &format!("{path}.{name}"), out);
            }
        }
        _ => {}
    }
}

fn all(crm: &Crm) -> Vec<Value> {
    let ids = [crm.customer_ids(), crm.order_ids(), crm.ticket_ids()].concat();
    ids.iter().map(|id| crm.stored(id).unwrap()).collect()
}

#[test]
fn the_same_seed_gives_the_same_records() {
    assert_eq!(all(&Crm::generate(5, 40)), all(&Crm::generate(5, 40)));
    assert_ne!(all(&Crm::generate(5, 40)), all(&Crm::generate(6, 40)));
    assert_eq!(all(&Crm::canary(5, 40)), all(&Crm::canary(5, 40)));
    assert_ne!(all(&Crm::canary(5, 40)), all(&Crm::canary(6, 40)));
}

#[test]
fn generated_numbers_have_valid_check_digits() {
    let crm = Crm::generate(1, 300);
    let mut countries = BTreeSet::new();
    for id in crm.customer_ids() {
        let customer = crm.stored(&id).unwrap();
        assert!(luhn(customer["card"]["number"].as_str().unwrap()));
        if let Some(text) = customer["iban"].as_str() {
            assert!(iban(text), "{text}");
            countries.insert(text[..2].to_owned());
        }
        let email = customer["email"].as_str().unwrap();
        assert!(email.is_ascii() && email.contains("example"), "{email}");
    }
    assert_eq!(countries.into_iter().collect::<Vec<_>>(), ["DE", "FR", "GB", "NL"]);
}

#[test]
fn generated_customers_have_orders_and_a_third_has_tickets() {
    let crm = Crm::generate(2, 300);
    let mut orders: BTreeMap<String, usize> = BTreeMap::new();
    for id in crm.order_ids() {
        *orders.entry(crm.stored(&id).unwrap()["customer_id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(orders.keys().collect::<Vec<_>>(), crm.customer_ids().iter().collect::<Vec<_>>());
    assert!(orders.values().all(|count| (1..=4).contains(count)));
    let with_tickets: BTreeSet<String> =
        crm.ticket_ids().iter().map(|id| crm.stored(id).unwrap()["customer_id"].to_string()).collect();
    assert!((60..=140).contains(&with_tickets.len()), "{}", with_tickets.len());
}

#[test]
fn generated_e_mail_addresses_are_unique() {
    let crm = Crm::generate(3, 3_000);
    let emails: BTreeSet<String> =
        crm.customer_ids().iter().map(|id| crm.stored(id).unwrap()["email"].to_string()).collect();
    assert_eq!(emails.len(), 3_000);
}

#[test]
fn generated_texts_have_no_unfilled_braces_and_mention_each_class() {
    let crm = Crm::generate(4, 300);
    let mut found = Vec::new();
    all(&crm).iter().for_each(|record| texts(record, "", &mut found));
    assert!(found.iter().all(|(_, text)| !text.contains('{') && !text.contains('}')));
    let classes: BTreeSet<&str> = crm.secrets().iter().map(|(class, _)| *class).collect();
    let expected =
        ["address", "birth_date", "card_expiry", "card_number", "email", "free_text", "iban", "name", "phone", "ssn"];
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn each_embedded_value_stands_in_some_free_text() {
    for crm in [Crm::generate(4, 100), Crm::canary(4, 20)] {
        let secrets = crm.secrets();
        let prose: String =
            secrets.iter().filter(|(class, _)| *class == "free_text").map(|(_, text)| text.as_str()).collect();
        let embedded = crm.store().records.embedded.clone();
        assert!(embedded.len() > 50);
        assert!(embedded.iter().all(|(_, value)| prose.contains(value.as_str())));
    }
}

#[test]
fn each_canary_value_occurs_in_one_place_only() {
    let crm = Crm::canary(9, 60);
    let mut found = Vec::new();
    all(&crm).iter().for_each(|record| texts(record, "", &mut found));
    let everything = found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    for (class, value) in crm.secrets() {
        assert_eq!(everything.matches(&value).count(), 1, "{class}: {value}");
    }
}

#[test]
fn canary_values_keep_the_shape_of_their_class() {
    for (class, value) in Crm::canary(1, 200).secrets() {
        let right = match class {
            "card_number" => luhn(&value),
            "iban" => iban(&value),
            "email" => value.ends_with("@example.com"),
            "phone" => value.starts_with("+4930") && value.len() == 13,
            "ssn" => value.len() == 11 && value.matches('-').count() == 2,
            "birth_date" => value.len() == 10 && ("1931".."2001").contains(&&value[..4]),
            "card_expiry" => value.len() == 5 && value.as_bytes()[2] == b'/',
            "name" => value.split(' ').count() == 2,
            _ => value.len() >= 8,
        };
        assert!(right, "{class}: {value}");
    }
}

#[test]
fn canary_secrets_cover_every_personal_field() {
    let secrets = Crm::canary(1, 1).secrets();
    let count = |wanted: &str| secrets.iter().filter(|(class, _)| *class == wanted).count();
    // Six free texts (notes, two order notes, description, two comments) mention one value of five classes; a subject one phone.
    assert_eq!(count("free_text"), 7);
    assert_eq!(count("ssn"), 6);
    assert_eq!(count("card_number"), 3 + 6);
    assert_eq!(count("iban"), 3 + 6);
    assert_eq!(count("email"), 2 + 6);
    assert_eq!(count("phone"), 3 + 6 + 1);
    assert_eq!(count("name"), 2 + 2 + 1 + 2);
    assert_eq!(count("address"), 3 * 4);
    assert_eq!((count("birth_date"), count("card_expiry")), (1, 1));
}

#[test]
fn no_records_have_no_secrets() {
    assert!(Records::default().secrets().is_empty());
    assert!(Crm::generate(1, 0).customer_ids().is_empty());
}
