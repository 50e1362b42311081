//! HTTP as it stands on the wire: ambiguous framing is refused and recorded, the rest is done by the RFC.

use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::harness::{Setup, World};

fn head(world: &World, lines: &str) -> Vec<u8> {
    let (_, key) = world.made.callers.iter().find(|(id, _)| *id == "agent-anna").unwrap();
    let lines = lines.replace("HOST", &format!("localhost:{}", world.address.port()));
    lines.replace("KEY", &format!("Fieldgate-Key: {}", key.expose())).into_bytes()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
}

/// What is ambiguous, and the request.
const AMBIGUOUS: [(&str, &str); 17] = [
    (
        "length and coding",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "two lengths",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    ),
    (
        "two equal lengths",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    ),
    ("a list of lengths", "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: 5, 5\r\n\r\nhello"),
    ("a signed length", "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: +5\r\n\r\nhello"),
    (
        "an unknown coding",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "chunked twice",
        "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ),
    ("obs-fold", "GET /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\nX-A: one\r\n two\r\n\r\n"),
    ("a bare LF", "GET /api/v1/customers HTTP/1.1\nHost: HOST\nKEY\n\n"),
    ("a bare CR", "GET /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\nX-A: o\rne\r\n\r\n"),
    ("a space before the colon", "GET /api/v1/customers HTTP/1.1\r\nHost : HOST\r\nKEY\r\n\r\n"),
    ("no host", "GET /api/v1/customers HTTP/1.1\r\nKEY\r\n\r\n"),
    ("two hosts", "GET /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nHost: other\r\nKEY\r\n\r\n"),
    (
        "an absolute form that disagrees",
        "GET https://other.example/api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n",
    ),
    ("a NUL", "GET /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\nX-A: a\0b\r\n\r\n"),
    (
        "coding in HTTP/1.0",
        "POST /api/v1/tickets HTTP/1.0\r\nHost: HOST\r\nKEY\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a space in the target", "GET /api/v1/customers x HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n"),
];

#[test]
fn ambiguous_framing_is_refused_with_400_and_recorded() {
    let world = Setup::new().start();
    for (what, request) in AMBIGUOUS {
        let answer = world.raw(&head(&world, request));
        assert_eq!(status(&answer), 400, "{what}: {answer}");
        assert!(answer.contains("urn:fieldgate:problem:"), "{what}: {answer}");
    }
    assert!(world.crm.received().is_empty(), "something reached the CRM");
    world.wait_for("access.deny", AMBIGUOUS.len());
    world.wait_for("access.outcome", AMBIGUOUS.len());
}

#[test]
fn what_follows_an_ambiguous_request_is_never_read_as_one() {
    let world = Setup::new().start();
    let smuggled = "POST /api/v1/tickets HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n\
        0\r\n\r\nGET /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n";
    let answer = world.raw(&head(&world, smuggled));
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    assert!(world.crm.received().is_empty());
}

#[test]
fn upgrade_connect_and_trace_are_refused() {
    let world = Setup::new().start();
    for request in [
        "GET /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n",
        "TRACE /api/v1/customers HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n",
    ] {
        let answer = world.raw(&head(&world, request));
        assert!((400..=501).contains(&status(&answer)), "{request}: {answer}");
        assert!(answer.contains("urn:fieldgate:problem:"), "{answer}");
    }
    assert!(world.crm.received().is_empty());
    world.wait_for("access.deny", 3);
}

#[test]
fn requests_on_one_connection_are_answered_in_order_and_close_closes() {
    let world = Setup::new().start();
    let pipelined = "GET /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n\
        GET /api/v1/customers/C-1002 HTTP/1.1\r\nHost: HOST\r\nKEY\r\nConnection: close\r\n\r\n";
    let answer = world.raw(&head(&world, pipelined));
    let (first, second) = (answer.find("C-1001").unwrap(), answer.find("C-1002").unwrap());
    assert!(first < second && answer.matches("HTTP/1.1 200").count() == 2, "{answer}");
}

#[test]
fn expect_100_continue_is_answered_before_the_body() {
    let world = Setup::new().start();
    let body = json!({"author": "agent-anna", "body": "called back"}).to_string();
    let ticket = world.direct().get("/api/v1/tickets?per_page=1").json()["items"][0]["id"].as_str().unwrap().to_owned();
    let request = format!(
        "POST /api/v1/tickets/{ticket}/comments HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Type: application/json\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = world.raw(&head(&world, &request));
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201"), "{answer}");
}

#[test]
fn http2_shows_the_same_as_http1() {
    let world = Setup::new().start();
    let one = world.agent().get("/api/v1/customers/C-1001");
    let two = world.agent().h2().get("/api/v1/customers/C-1001");
    assert_eq!((two.status, &two.bytes), (one.status, &one.bytes));
}

#[test]
fn the_crm_gets_its_own_credential_and_none_of_the_callers() {
    let world = Setup::new().start();
    let agent = world
        .agent()
        .with("cookie", "session=1")
        .with("x-forwarded-for", "203.0.113.9")
        .with("forwarded", "for=203.0.113.9");
    assert_eq!(agent.get("/api/v1/customers/C-1001").status, 200);
    let received = world.crm.received();
    let headers = format!("{:?}", received.last().unwrap().headers);
    assert!(headers.contains("x-api-token"), "{headers}");
    for absent in ["fieldgate-key", "session=1", "203.0.113.9"] {
        assert!(!headers.to_ascii_lowercase().contains(absent), "{absent}: {headers}");
    }
}

#[test]
fn a_caller_who_leaves_still_leaves_one_outcome() {
    let world = Setup::new().start();
    let request = head(&world, "GET /api/v1/export/customers?count=200000 HTTP/1.1\r\nHost: HOST\r\nKEY\r\n\r\n");
    let supervisor = world.made.callers.iter().find(|(id, _)| *id == "supervisor-sam").unwrap().1.expose().clone();
    let agent = world.made.callers.iter().find(|(id, _)| *id == "agent-anna").unwrap().1.expose().clone();
    let request = String::from_utf8(request).unwrap().replace(&agent, &supervisor);
    let request =
        request.replace("\r\n\r\n", "\r\nFieldgate-Purpose: fraud_investigation\r\nFieldgate-Case: C-1\r\n\r\n");
    let stream = std::net::TcpStream::connect(world.address).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let tls = crate::harness::client_tls(&world.made.ca, &[b"http/1.1"]);
    let mut stream = rustls::StreamOwned::new(rustls::ClientConnection::new(tls, name).unwrap(), stream);
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut first = [0; 1024];
    assert!(std::io::Read::read(&mut stream, &mut first).unwrap() > 0);
    drop(stream);
    let outcomes = world.wait_for("access.outcome", 1);
    assert_eq!(outcomes[0]["outcome"]["released"], false, "{}", outcomes[0]);
    std::thread::sleep(Duration::from_millis(300));
    world.wait_for("access.outcome", 1);
}

#[test]
fn a_body_past_the_limit_is_refused_and_one_at_the_limit_is_not() {
    let world = Setup::new().append("\n[limits]\nguarded_body_bytes = 2000\n").start();
    let body = |bytes: usize| {
        let empty = json!({"notes": ""}).to_string();
        json!({"notes": "x".repeat(bytes - empty.len())}).to_string()
    };
    let at = world.agent().call(Method::PATCH, "/api/v1/customers/C-1001", Some(body(2000)));
    assert_eq!(at.status, 200, "{}", at.text());
    let past = world.agent().call(Method::PATCH, "/api/v1/customers/C-1001", Some(body(2001)));
    assert_eq!((past.status.as_u16(), past.code().as_str()), (413, "request_too_large"));
}
