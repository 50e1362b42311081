//! Bodies beside JSON through the gateway: rows, lines and events show what the same records show as JSON.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    time::{Duration, Instant},
};

use fieldgate::sandbox::Crm;
use serde_json::Value;

use crate::harness::{Answer, Client, Setup, World, client_tls};

const FEEDS: [&str; 4] = ["customers.ndjson", "customers.csv", "customers.events", "customers.xml"];

fn feed(client: &Client, name: &str) -> Answer {
    let answer = client.get(&format!("/api/v1/feed/{name}"));
    assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    assert!(answer.whole, "{name} was cut");
    answer
}

/// The cells of a table, by an independent reading of RFC 4180.
fn table(text: &str) -> Vec<BTreeMap<String, String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    let header: Vec<String> = rows.remove(0);
    rows.into_iter().map(|row| header.iter().cloned().zip(row).collect()).collect()
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The texts of the elements called `name`, by an independent reading.
fn elements(text: &str, name: &str) -> Vec<String> {
    let open = format!("<{name}>");
    let inner = text.split(&open).skip(1).map(|rest| rest.split("</").next().unwrap());
    inner
        .map(|one| one.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
        .filter(|one| !one.is_empty())
        .collect()
}

fn listed(client: &Client) -> Vec<Value> {
    let answer = client.get("/api/v1/customers?per_page=50");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().unwrap().clone()
}

#[test]
fn every_feed_shows_each_role_what_the_list_shows_it() {
    let world = Setup::of(Crm::generate(5, 40)).start();
    for (who, client) in [("agent", world.agent()), ("supervisor", world.supervisor()), ("ai", world.ai())] {
        let listed = listed(&client);
        assert!(listed.len() >= 40 && listed.iter().any(|one| one["email"].as_str().unwrap() != ""), "{who}");
        assert_eq!(lines(&feed(&client, FEEDS[0]).text()), listed, "{who}: lines");
        assert_eq!(events(&feed(&client, FEEDS[2]).text()), listed, "{who}: events");
        let xml = feed(&client, FEEDS[3]).text();
        for (member, pointer) in
            [("email", "/email"), ("phone", "/phone"), ("street", "/address/street"), ("number", "/card/number")]
        {
            let shown: Vec<_> = listed.iter().filter_map(|one| one.pointer(pointer).unwrap().as_str()).collect();
            assert_eq!(elements(&xml, member), shown, "{who}: {member}");
        }
        let rows = table(&feed(&client, FEEDS[1]).text());
        assert_eq!(rows.len(), listed.len());
        for (row, record) in rows.iter().zip(&listed) {
            for (column, pointer) in [
                ("id", "/id"),
                ("email", "/email"),
                ("name", "/name"),
                ("phone", "/phone"),
                ("card.number", "/card/number"),
                ("address.street", "/address/street"),
                ("iban", "/iban"),
                ("self", "/self"),
                ("birth_date", "/birth_date"),
            ] {
                let shown = record.pointer(pointer).unwrap().as_str().unwrap_or_default();
                assert_eq!(row[column], shown, "{who}: {column}");
            }
        }
    }
}

#[test]
fn no_feed_shows_anybody_a_value_that_the_list_hides() {
    let world = Setup::of(Crm::canary(7, 30)).start();
    let secrets = world.crm.secrets();
    for (who, client) in [("agent", world.agent()), ("supervisor", world.supervisor()), ("ai", world.ai())] {
        let list = client.get("/api/v1/customers?per_page=50").text();
        let hidden: Vec<_> =
            secrets.iter().filter(|(_, value)| value.len() >= 6 && !list.contains(value.as_str())).collect();
        assert!(hidden.len() > 60, "{who}: only {} hidden", hidden.len());
        for name in FEEDS {
            let text = feed(&client, name).text();
            let shown = hidden.iter().find(|(_, value)| text.contains(value.as_str()));
            assert!(shown.is_none(), "{who} sees {shown:?} in {name}");
        }
    }
}

#[test]
fn every_coding_of_a_feed_shows_the_same() {
    let world = Setup::of(Crm::generate(3, 25)).start();
    for name in FEEDS {
        let plain = feed(&world.agent().with("x-sandbox-coding", "identity"), name).text();
        for coding in ["gzip", "deflate", "br", "zstd"] {
            assert_eq!(feed(&world.agent().with("x-sandbox-coding", coding), name).text(), plain, "{name} in {coding}");
        }
    }
}

#[test]
fn every_row_line_and_event_is_recorded_with_its_own_subject() {
    let mut world = Setup::of(Crm::generate(3, 12)).start();
    for name in FEEDS {
        feed(&world.agent(), name);
    }
    world.stop();
    world.verify();
    let records = world.records();
    for name in FEEDS {
        let reveals = records.iter().filter(|one| one["kind"] == "access.reveal" && one["op"]["route"] == route(name));
        let subjects = reveals.filter_map(|one| one["subjects"].as_array()).flatten();
        let whose: std::collections::BTreeSet<String> = subjects.map(|subject| subject["ref"].to_string()).collect();
        assert_eq!(whose.len(), 12, "{name}: {whose:?}");
    }
}

fn route(name: &str) -> &'static str {
    match name {
        "customers.ndjson" => "customer.lines",
        "customers.csv" => "customer.table",
        "customers.xml" => "customer.envelope",
        _ => "customer.events",
    }
}

#[test]
fn a_body_that_is_not_what_the_map_says_is_withheld() {
    let world = Setup::new().start();
    for name in FEEDS {
        let answer = world.agent().with("x-sandbox-quirk", "text-plain").get(&format!("/api/v1/feed/{name}"));
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (502, "unexpected_media_type"), "{name}");
    }
}

#[test]
fn an_event_reaches_the_caller_while_the_stream_goes_on() {
    let world = Setup::of(Crm::generate(3, 12)).start();
    let started = Instant::now();
    let mut stream = connect(&world, "/api/v1/feed/customers.events", "X-Sandbox-Quirk: slow\r\n");
    let (mut text, mut first) = (String::new(), None);
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if first.is_none() && text.contains("data: ") {
            first = Some(started.elapsed());
            assert!(
                !world.records().iter().all(|record| record["kind"] != "access.reveal"),
                "not recorded before it is shown"
            );
        }
    }
    let (first, whole) = (first.unwrap(), started.elapsed());
    // The CRM sends six pieces and pauses for 40 ms between two.
    assert!(first + Duration::from_millis(120) < whole, "the first event came after {first:?} of {whole:?}");
    assert_eq!(text.matches("data: ").count(), 12, "{text}");
}

/// An agent's request, sent; what follows is the answer.
fn connect(world: &World, target: &str, headers: &str) -> impl Read {
    let key = world.key("agent-anna");
    let stream = std::net::TcpStream::connect(world.address).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let tls = client_tls(&world.made.ca, &[b"http/1.1"]);
    let mut stream = rustls::StreamOwned::new(rustls::ClientConnection::new(tls, name).unwrap(), stream);
    let port = world.address.port();
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: localhost:{port}\r\nFieldgate-Key: {key}\r\n{headers}Connection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

/// The last body that reached the CRM.
fn received(world: &World) -> String {
    String::from_utf8(world.crm.received().last().unwrap().body.to_vec()).unwrap()
}

fn upload(client: &Client, method: &str, name: &str, media: &str, body: &str) -> Answer {
    let method = http::Method::from_bytes(method.as_bytes()).unwrap();
    client.clone().with("content-type", media).call(method, &format!("/api/v1/import/{name}"), Some(body.to_owned()))
}

/// Route, media type, a body with one record that is clear and one that has masks, and what may reach the CRM of it.
const UPLOADS: [(&str, &str, &str, &str); 3] = [
    (
        "customers.csv",
        "text/csv",
        "id,email,city\r\nC-1001,new@example.com,\"Bern, CH\"\r\nC-1002,j\u{2022}\u{2022}\u{2022}@e\u{2022}\u{2022}\u{2022}.com,Ulm\r\n",
        "id,email,city\r\nC-1001,new@example.com,\"Bern, CH\"\r\nC-1002,,Ulm\r\n",
    ),
    (
        "customers.ndjson",
        "application/x-ndjson",
        "{\"id\":\"C-1001\",\"email\":\"new@example.com\"}\n{\"id\":\"C-1002\",\"email\":\"j\u{2022}\u{2022}\u{2022}@e\u{2022}\u{2022}\u{2022}.com\",\"city\":\"Ulm\"}\n",
        "{\"id\":\"C-1001\",\"email\":\"new@example.com\"}\n{\"id\":\"C-1002\",\"city\":\"Ulm\"}\n",
    ),
    (
        "customers.xml",
        "text/xml; charset=utf-8",
        "<import><customer><id>C-1001</id><email>new@example.com</email></customer><customer><id>C-1002</id><email>j\u{2022}\u{2022}\u{2022}@e\u{2022}\u{2022}\u{2022}.com</email><city>Ulm</city></customer></import>",
        "<import><customer><id>C-1001</id><email>new@example.com</email></customer><customer><id>C-1002</id><city>Ulm</city></customer></import>",
    ),
];

#[test]
fn masks_in_an_upload_are_refused_or_left_out_and_the_rest_reaches_the_crm() {
    let world = Setup::new().start();
    for (name, media, body, left) in UPLOADS {
        let refused = upload(&world.supervisor(), "PUT", name, media, body);
        assert_eq!(
            (refused.status.as_u16(), refused.code().as_str()),
            (409, "masked_value"),
            "{name}: {}",
            refused.text()
        );
        let merged = upload(&world.supervisor(), "PATCH", name, media, body);
        assert_eq!(merged.status, 200, "{name}: {}", merged.text());
        assert_eq!(received(&world), left, "{name}");
        let wrong = upload(&world.supervisor(), "PUT", name, "application/octet-stream", body);
        assert_eq!((wrong.status.as_u16(), wrong.code().as_str()), (415, "unsupported_media_type"));
        let broken =
            upload(&world.supervisor(), "PUT", name, media, &body[..body.len() - 4].replacen("new", "\"n\u{1}<{", 1));
        assert_eq!(broken.status, 400, "{name}: {}", broken.text());
        assert!(broken.code().starts_with("invalid_") && !broken.text().contains("example.com"), "{}", broken.text());
    }
}

#[test]
fn errors_in_xml_rows_and_lines_are_shown_without_what_they_echo() {
    let world = Setup::of(Crm::canary(9, 20)).start();
    let secrets = world.crm.secrets();
    let email = "mallory.sent@example.org";
    for (quirk, media, kept) in [
        ("soap-fault", "text/xml", "<faultcode>s:Client</faultcode>"),
        ("table-error", "text/csv", "INVALID_EMAIL,"),
        ("lines-error", "application/x-ndjson", "\"error\":\"invalid\""),
    ] {
        let client = world.agent().with("x-sandbox-quirk", quirk);
        let read = client.get("/api/v1/customers/C-1001");
        let (body, name) = (format!("id,email\r\nC-1001,{email}\r\n"), "customers.csv");
        let written = upload(&world.supervisor().with("x-sandbox-quirk", quirk), "PUT", name, "text/csv", &body);
        for answer in [read, written] {
            let text = answer.text();
            assert!(answer.header("content-type").starts_with(media), "{quirk}: {text}");
            assert!(answer.status.as_u16() >= 400 && text.contains(kept), "{quirk}: {text}");
            assert!(!text.contains(email), "{quirk} echoes what was sent: {text}");
            let shown = secrets.iter().find(|(class, value)| *class == "email" && text.contains(value.as_str()));
            assert!(shown.is_none(), "{quirk} shows {shown:?}: {text}");
        }
    }
}

#[test]
fn stored_values_open_in_every_feed_and_are_stored_in_every_upload() {
    let world = crate::storage::world();
    let made = world.supervisor().send(http::Method::POST, "/api/v1/customers", &crate::storage::jane());
    assert_eq!(made.status, 201, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let target = format!("/api/v1/customers/{id}");
    let (held, shown) = (world.direct().get(&target).json(), world.supervisor().get(&target).json());
    let own = |records: Vec<Value>| records.into_iter().find(|record| record["id"] == id.as_str()).unwrap();
    assert_eq!(own(lines(&feed(&world.supervisor(), FEEDS[0]).text())), shown);
    assert_eq!(own(events(&feed(&world.supervisor(), FEEDS[2]).text())), shown);
    let rows = table(&feed(&world.supervisor(), FEEDS[1]).text());
    let row = rows.iter().find(|row| row["id"] == id).unwrap();
    let xml = feed(&world.supervisor(), FEEDS[3]).text();
    let xml = &xml[xml.find(&format!("ref=\"{id}\"")).unwrap()..];
    for (column, element, pointer) in [
        ("email", "email", "/email"),
        ("phone", "phone", "/phone"),
        ("iban", "iban", "/iban"),
        ("ssn", "ssn", "/ssn"),
        ("card.number", "number", "/card/number"),
    ] {
        let clear = shown.pointer(pointer).unwrap().as_str().unwrap();
        assert_eq!(row[column], clear, "{column}");
        assert_eq!(elements(xml, element)[0], clear, "{element}");
    }
    let jane = crate::storage::jane();
    let of = |name: &str| jane[name].as_str().unwrap().to_owned();
    let (email, phone, iban) = (of("email"), of("phone"), of("iban"));
    for (name, media, body) in [
        ("customers.csv", "text/csv", format!("id,email,phone,iban\r\n{id},{email},\"{phone}\",{iban}\r\n")),
        (
            "customers.ndjson",
            "application/x-ndjson",
            format!("{{\"id\":\"{id}\",\"email\":\"{email}\",\"phone\":\"{phone}\",\"iban\":\"{iban}\"}}\n"),
        ),
        (
            "customers.xml",
            "text/xml",
            format!(
                "<import><customer><id>{id}</id><email>{email}</email><phone>{phone}</phone><iban>{iban}</iban></customer></import>"
            ),
        ),
    ] {
        let answer = upload(&world.supervisor(), "PUT", name, media, &body);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let stored = received(&world);
        assert!(![&email, &phone, &iban].iter().any(|clear| stored.contains(clear.as_str())), "{name}: {stored}");
        for column in ["email", "phone"] {
            assert!(stored.contains(held[column].as_str().unwrap()), "{name}: {column} has another token in {stored}");
        }
        assert!(stored.contains("fg1_"), "{name}: {stored}");
        // The same stored forms come back from a client that read them elsewhere: they belong to this record and may go on.
        // A token of a phone looks like a pseudonym and never does.
        let back = stored.replace(held["phone"].as_str().unwrap(), &phone);
        let again = upload(&world.supervisor(), "PUT", name, media, &back);
        assert_eq!((again.status.as_u16(), received(&world)), (200, stored), "{name}: {}", again.text());
    }
    world.verify();
}
