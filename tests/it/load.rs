//! More than a gateway takes: exchanges, connections of one address, and senders that take their time.

use std::time::{Duration, Instant};

use crate::harness::{Hello, Session, Setup, World, get};

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// Where limits are put in what `fieldgate init` writes: behind the listener's certificates.
const CERTIFICATES: &str = r#"certificates = [{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }]"#;

fn limited(limits: &str) -> Setup {
    Setup::new().edit(CERTIFICATES, &format!("{CERTIFICATES}\n\n[listener.limits]\n{limits}"))
}

fn connect(world: &World) -> Session {
    Hello::new(&world.made.ca).connect(world.address).unwrap()
}

fn read(world: &World) -> String {
    get(CUSTOMER, Some(&world.key("agent-anna")))
}

const NOTE: &str = r#"{"body":"The customer called again."}"#;

/// A comment whose body is `length` bytes long, up to the body.
fn comment(world: &World, length: usize) -> String {
    let ticket = world.crm.ticket_ids().remove(0);
    let key = world.key("agent-anna");
    format!(
        "POST /api/v1/tickets/{ticket}/comments HTTP/1.1\r\nHost: localhost\r\nFieldgate-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn head(answer: &str) -> String {
    answer.split("\r\n\r\n").next().unwrap_or_default().to_ascii_lowercase()
}

/// Waits until `done` says yes.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn one_exchange_too_many_is_told_to_come_back_and_recorded() {
    let world = Setup::new().append("\n[limits]\nexchanges = 1\n").start();
    let (first_half, rest) = NOTE.split_at(10);
    let mut held = connect(&world);
    held.send(&format!("{}{first_half}", comment(&world, NOTE.len()))).unwrap();
    until("the first exchange is under way", || world.admin("/metrics").contains("fieldgate_exchanges_active 1"));
    let mut other = connect(&world);
    let refused = other.ask(&read(&world)).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\"overloaded\""), "{refused}");
    assert!(head(&refused).contains("retry-after: 1"), "{refused}");
    assert!(world.crm.received().is_empty());
    // Under overload a refusal leaves its outcome only: nobody waits for a record of nothing.
    let outcome = world.wait_for("access.outcome", 1).remove(0);
    assert!(outcome.to_string().contains("overloaded"), "{outcome}");
    // The one that was under way ends well, and then there is room again.
    let answer = held.ask(rest).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    until("the first exchange has ended", || world.admin("/metrics").contains("fieldgate_exchanges_active 0"));
    let answer = other.ask(&read(&world)).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_head_that_does_not_end_is_answered_408() {
    let world = limited("header_seconds = 1").start();
    let mut client = connect(&world);
    assert!(client.ask(&read(&world)).unwrap().starts_with("HTTP/1.1 200"));
    client.send("GET /api/v1/customers HTTP/1.1\r\nHost: local").unwrap();
    let answer = client.answer().unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"header_timeout\""), "{answer}");
    assert!(client.ask(&read(&world)).is_err(), "the connection ends");
    assert!(world.wait_for("access.deny", 1).remove(0).to_string().contains("header_timeout"));
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let world = limited("header_seconds = 1\nidle_seconds = 1").start();
    let mut client = connect(&world);
    assert!(client.answer().is_err());
    assert!(world.records().iter().all(|record| record["kind"] != "access.deny"), "nothing was asked");
}

#[test]
fn a_body_that_stalls_is_answered_408_and_never_reaches_the_crm() {
    let by_listener = limited("stall_seconds = 1").start();
    let by_exchange = Setup::new().append("\n[timeouts]\nbody = 1\n").start();
    for world in [by_listener, by_exchange] {
        let mut client = connect(&world);
        client.send(&format!("{}{}", comment(&world, NOTE.len()), &NOTE[..10])).unwrap();
        let answer = client.answer().unwrap();
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("\"body_timeout\""), "{answer}");
        assert!(client.ask(&read(&world)).is_err(), "the connection ends");
        assert!(world.crm.received().is_empty());
        assert!(world.wait_for("access.deny", 1).remove(0).to_string().contains("body_timeout"));
    }
}

#[test]
fn an_address_gets_its_connections_and_not_one_more() {
    let world = limited("connections_per_peer = 2").start();
    let (first, mut second) = (connect(&world), connect(&world));
    let third = Hello::new(&world.made.ca);
    assert!(third.connect(world.address).is_err());
    assert!(second.ask(&read(&world)).unwrap().starts_with("HTTP/1.1 200"));
    drop(first);
    until("the place is free again", || third.connect(world.address).is_ok());
    assert!(second.ask(&read(&world)).unwrap().starts_with("HTTP/1.1 200"));
}
