//! Batches: each call inside is what it would be alone, and one that may not be sent or shown stops all of them.

mod json;
mod odata;
mod stored;

use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Asked, Client, Fake, Setup, World};

const ROOT: &str = "/api/data/v9.2";

/// A CRM that answers with what it was last told to.
struct Crm {
    fake: Arc<Fake>,
    answer: Arc<Mutex<(u16, String, Vec<u8>)>>,
    world: World,
}

impl Crm {
    fn start() -> Self {
        Self::with(Setup::new())
    }

    fn with(setup: Setup) -> Self {
        let answer = Arc::new(Mutex::new((500, String::new(), Vec::new())));
        let told = Arc::clone(&answer);
        let fake = Fake::new(move |_: &Asked| told.lock().unwrap().clone());
        let world = setup.map("batch.toml").answered_by(&fake).start();
        Self { fake, answer, world }
    }

    fn says(&self, status: u16, media: &str, body: &str) {
        *self.answer.lock().unwrap() = (status, media.to_owned(), body.as_bytes().to_vec());
    }

    fn says_parts(&self, parts: &[String]) {
        self.says(200, "multipart/mixed; boundary=answer", &mixed("answer", parts));
    }

    fn says_json(&self, body: &Value) {
        self.says(200, "application/json", &body.to_string());
    }

    /// The one request that the CRM got.
    fn asked(&self) -> Asked {
        let mut received = self.fake.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    fn not_asked(&self, answer: &Answer) {
        assert!(self.fake.received().is_empty(), "the CRM was asked: {}", answer.text());
    }

    /// The records about single calls: kind, number and route.
    fn calls(&self) -> Vec<(String, u64, String)> {
        let text =
            |record: &Value, pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or("-").to_owned();
        let call = |record: &Value| Some((text(record, "/kind"), record["call"].as_u64()?, text(record, "/op/route")));
        self.world.records().iter().filter_map(call).collect()
    }
}

fn mixed(boundary: &str, parts: &[String]) -> String {
    let parts: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
    format!("{parts}--{boundary}--\r\n")
}

/// A part with a call.
fn part(id: &str, line: &str, body: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!("Content-ID: {id}\r\n") };
    let media = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    format!(
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{id}\r\n{line} HTTP/1.1\r\n{media}\r\n{body}"
    )
}

/// A part with an answer.
fn reply(id: &str, status: &str, headers: &str, body: &str) -> String {
    let id = if id.is_empty() { String::new() } else { format!("Content-ID: {id}\r\n") };
    format!(
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n{id}\r\nHTTP/1.1 {status}\r\n{headers}\r\n{body}"
    )
}

fn set(boundary: &str, parts: &[String]) -> String {
    format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n{}", mixed(boundary, parts))
}

const JSON: &str = "Content-Type: application/json; odata.metadata=minimal\r\n";

fn send(client: &Client, parts: &[String]) -> Answer {
    let client = client.clone().with("content-type", "multipart/mixed; boundary=batch");
    client.call(Method::POST, &format!("{ROOT}/$batch"), Some(mixed("batch", parts)))
}

fn contact(number: usize) -> String {
    json!({
        "contactid": format!("00000000-0000-0000-0000-00000000000{number}"),
        "fullname": format!("Nadia Canary{number}"),
        "emailaddress1": format!("canary{number}@mail.example"),
        "telephone1": format!("+49 30 5550{number}11"),
        "card": format!("400000000000000{number}"),
        "description": format!("write to hidden{number}@mail.example"),
    })
    .to_string()
}

/// What nobody but a supervisor sees; a mask keeps the domain of an address.
fn shows_no_canary(answer: &Answer) {
    let addresses = (1..10).flat_map(|number| [format!("canary{number}@"), format!("hidden{number}@")]);
    for canary in addresses.chain(["+49 30 5550".to_owned(), "400000000000000".to_owned()]) {
        assert!(!answer.text().contains(&canary), "{canary}: {}", answer.text());
    }
}
