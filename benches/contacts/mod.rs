//! The list of contacts that benches read: the records that the gateway and its peers are compared on.

/// A list of `records` contacts, some 560 bytes each: text beyond ASCII, escapes, a number past what a double holds.
pub(super) fn contacts(records: usize) -> String {
    let records: Vec<String> = (0..records).map(contact).collect();
    format!(r#"{{"count": {}, "results": [{}]}}"#, records.len(), records.join(", "))
}

fn contact(n: usize) -> String {
    let (first, last) = (one_of(FIRST, n), one_of(LAST, n / FIRST.len()));
    let (phone, called) = (n * 7919 % 10_000, n * 6271 % 10_000);
    let (house, zip, account) = (n * 61 % 999, n * 4241 % 99_999, n * 3571 % 9_999);
    format!(
        r#"{{"id": {n}, "first_name": "{first}", "last_name": "{last}", "email": "user{n}@example.com", "phone": "+1 415 555 {phone:04}", "card": "4111111111111111", "address": {{"street": "{house} Evergreen Terrace", "city": "Springfield", "zip": "{zip:05}"}}, "created_at": "2026-03-01T10:00:00Z", "custom_fields": [{{"id": 360000000001, "value": "DE8937040044053201{account:04}"}}, {{"id": 360000000002, "value": null}}], "notes": "Customer says: call me on +1 415 555 {called:04} or mail user{n}@example.com \"urgent\" {}", "balance": 1234567890123456789, "score": 0.1}}"#,
        "\u{2028} \u{1F600}"
    )
}

const FIRST: &[&str] = &["María", "John", "伟", "Aïsha", "Søren", "Olga", "Priya"];
const LAST: &[&str] = &["González", "Smith", "李", "Diallo", "Ångström", "Иванова", "Patel"];

fn one_of(names: &[&'static str], n: usize) -> &'static str {
    names.get(n % names.len()).copied().unwrap_or_default()
}
