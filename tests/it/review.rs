//! What went wrong once, or could: each test is named by it.

use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::Duration,
};

use fieldgate::tls;
use http::Method;
use serde_json::json;

use crate::harness::{Setup, World};

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// A raw request of the agent.
fn request(world: &World, lines: &str) -> Vec<u8> {
    let (_, key) = world.made.callers.iter().find(|(id, _)| *id == "agent-anna").unwrap();
    let lines = lines.replace("HOST", &format!("localhost:{}", world.address.port()));
    lines.replace("KEY", &format!("Fieldgate-Key: {}", key.expose())).into_bytes()
}

/// Replaces `from` by `to` in the API map, and reloads.
fn edit_map(world: &World, from: &str, to: &str) {
    edit(world, &world.made.config.parent().unwrap().join("crm/sandbox.toml"), from, to);
}

fn edit(world: &World, path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "`{from}` is not in {}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
    world.gateway().reload().unwrap();
}

/// The update of a customer relays the request body unread.
fn stream_updates(world: &World) {
    let guarded = "write_back = \"drop\"\nrequest.include = { \"$\" = \"customer\" }";
    edit_map(world, guarded, "request.format = \"opaque\"");
}

/// Puts a CRM in the place of the sandbox that answers every request with `answer` and closes; without
/// `Connection: close` in it only after a while.
fn replace_crm(world: &World, answer: Vec<u8>) {
    let folder = world.dir.path().join("crm-side");
    let settings = tls::ServerSettings {
        certificates: vec![tls::CertificateFiles { certificate: "server.pem".into(), key: "server.key".into() }],
        client_auth: tls::ClientAuthMode::None,
        client_ca: None,
        min_version: tls::MinVersion::Tls12,
    };
    let config = tls::server_config(&settings, &|path| folder.join(path), "test").unwrap();
    let mut config = (*config.config).clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let (stream, config, answer) = (stream.unwrap(), Arc::clone(&config), answer.clone());
            std::thread::spawn(move || {
                let mut stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), stream);
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                    head.push(byte[0]);
                }
                let _ = stream.write_all(&answer);
                let _ = stream.flush();
                if !String::from_utf8_lossy(&answer).contains("Connection: close") {
                    std::thread::sleep(Duration::from_secs(5));
                }
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    let text = std::fs::read_to_string(&world.made.config).unwrap();
    let url = text.lines().find(|line| line.starts_with("url = ")).unwrap();
    edit(world, &world.made.config.clone(), url, &format!("url = \"https://localhost:{port}\""));
}

/// A CRM's answer with a body of this length.
fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len()).into_bytes();
    answer.extend_from_slice(body);
    answer
}

#[test]
fn a_body_whose_framing_is_broken_was_a_mistake_of_the_crm() {
    let world = Setup::new().append("\n[timeouts]\nbody = 1\n").start();
    let broken = "PATCH /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\n\r\nZZ\r\n";
    let silent = "PATCH /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Type: application/json\r\n\
        Content-Length: 50\r\n\r\n{";
    for streamed in [false, true] {
        if streamed {
            stream_updates(&world);
        }
        let answer = world.raw(&request(&world, broken));
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(":chunk_size\""), "{streamed}: {answer}");
        let answer = world.raw(&request(&world, silent));
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains(":body_timeout\""), "{streamed}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
    let denied = world.wait_for("access.deny", 4);
    let codes: Vec<_> = denied.iter().map(|record| record["decision"]["why"].as_str().unwrap()).collect();
    assert_eq!(codes, ["chunk_size", "body_timeout", "chunk_size", "body_timeout"]);
    world.wait_for("access.outcome", 4);
}

#[test]
fn a_streamed_body_past_its_limit_was_called_broken() {
    let world = Setup::new().append("\n[limits]\nrequest_body_bytes = 20\n").start();
    stream_updates(&world);
    let chunked = "PATCH /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n15\r\n{\"tags\":[]         }\n\r\n0\r\n\r\n";
    let answer = world.raw(&request(&world, chunked));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(":request_too_large\""), "{answer}");
}

#[test]
fn trailers_of_a_request_reached_the_crm() {
    let world = Setup::new().start();
    stream_updates(&world);
    let chunked = "PATCH /api/v1/customers/C-1001 HTTP/1.1\r\nHost: HOST\r\nKEY\r\nContent-Type: application/json\r\n\
        Trailer: X-Api-Note\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
        b\r\n{\"tags\":[]}\r\n0\r\nX-Api-Note: smuggled\r\n\r\n";
    let answer = world.raw(&request(&world, chunked));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let received = format!("{:?}", world.crm.received().last().unwrap()).to_ascii_lowercase();
    assert!(!received.contains("x-api-note") && !received.contains("smuggled"), "{received}");
}

#[test]
fn a_body_on_a_route_without_one_reached_the_crm_unread() {
    let world = Setup::new().start();
    let answer = world.agent().call(Method::GET, CUSTOMER, Some(json!({"email": "x"}).to_string()));
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "unexpected_request_body"));
    assert!(world.crm.received().is_empty());
    assert_eq!(world.agent().h2().call(Method::GET, CUSTOMER, Some(String::new())).status, 200);
}

#[test]
fn a_purpose_nobody_configured_was_recorded_as_it_came() {
    let world = Setup::new().start();
    for target in [CUSTOMER, "/nowhere"] {
        let answer = world.agent().with("fieldgate-purpose", "call jane.doe@example.org back").get(target);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "unknown_purpose"), "{target}");
        assert!(answer.json()["purposes"].as_array().is_some_and(|codes| !codes.is_empty()));
    }
    let long = world.agent().with("fieldgate-case", &"9".repeat(129)).get(CUSTOMER);
    assert_eq!((long.status.as_u16(), long.code().as_str()), (400, "bad_purpose"));
    world.wait_for("access.outcome", 3);
    for record in world.wait_for("access.deny", 3) {
        assert!(!record.to_string().contains("jane"), "{record}");
    }
}

#[test]
fn a_header_that_asks_for_another_method_was_dropped_in_silence() {
    let world = Setup::new().start();
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let answer = world.agent().with(name, "DELETE").get(CUSTOMER);
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "method_override"), "{name}");
    }
    assert!(world.crm.received().is_empty());
}

#[test]
fn a_refusal_and_a_write_named_no_record() {
    let world = Setup::new().start();
    let refused = world.stranger().get(CUSTOMER);
    let written = world.agent().send(Method::PATCH, CUSTOMER, &json!({"tags": ["x"]}));
    assert_eq!((refused.status.as_u16(), written.status.as_u16()), (401, 200));
    let index = |text: String| fieldgate::audit::parse_reference(&text).unwrap_or_else(|| panic!("`{text}`"));
    let kind = |index: u64| {
        let records = world.records();
        records.iter().find(|record| record["idx"] == index).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    assert_eq!(kind(index(refused.header("fieldgate-audit-ref"))), "access.deny");
    assert_eq!(kind(index(written.header("fieldgate-audit-ref"))), "access.reveal");
}

#[test]
fn a_body_that_never_ended_was_bounded_only_between_two_chunks() {
    let world = Setup::new().append("\n[timeouts]\ntotal = 1\n").start();
    replace_crm(&world, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nbegun".to_vec());
    let answer = world.agent().get("/api/v1/health");
    assert_eq!((answer.status.as_u16(), answer.whole, answer.text().as_str()), (200, false, "begun"));
    let outcomes = world.wait_for("access.outcome", 1);
    assert_eq!(
        (&outcomes[0]["outcome"]["why"], &outcomes[0]["outcome"]["released"]),
        (&json!("timeout"), &json!(false))
    );
}

#[test]
fn trailers_of_an_unread_body_reached_the_caller() {
    let world = Setup::new().start();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-Owner\r\nTransfer-Encoding: chunked\r\n\
        Connection: close\r\n\r\n2\r\nok\r\n0\r\nX-Owner: jane.doe@example.org\r\n\r\n";
    replace_crm(&world, answer.to_vec());
    let health = "GET /api/v1/health HTTP/1.1\r\nHost: HOST\r\nKEY\r\nTE: trailers\r\nConnection: close, te\r\n\r\n";
    let answer = world.raw(&request(&world, health));
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("ok"), "{answer}");
    assert!(!answer.contains("jane") && !answer.to_ascii_lowercase().contains("x-owner"), "{answer}");
}

#[test]
fn an_unread_body_past_the_limit_went_on() {
    let world = Setup::new().append("\n[limits]\nresponse_body_bytes = 4096\n").start();
    for (length, whole) in [(4096, true), (4097, false)] {
        replace_crm(&world, answer("HTTP/1.1 200 OK\r\nContent-Type: application/pdf", &vec![b'x'; length]));
        assert_eq!(
            world.agent().try_call(Method::GET, "/api/v1/health", None).is_ok_and(|got| got.whole),
            whole,
            "{length}"
        );
    }
}

#[test]
fn an_error_text_in_utf_16_passed_the_detectors() {
    let world = Setup::new().start();
    let utf16: Vec<u8> = "no user jane.doe@example.org".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for media in ["text/plain", "text/plain; charset=utf-16le", "text/plain; charset=utf-7"] {
        let text = if media.ends_with('7') { b"no user jane.doe+AEA-example.org".to_vec() } else { utf16.clone() };
        replace_crm(&world, answer(&format!("HTTP/1.1 404 Not Found\r\nContent-Type: {media}"), &text));
        let got = world.agent().get(CUSTOMER);
        assert_eq!((got.status.as_u16(), got.code().as_str()), (404, "upstream_error_withheld"), "{media}");
    }
    let plain = answer("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=UTF-8", b"no such page");
    replace_crm(&world, plain);
    assert_eq!(world.agent().get(CUSTOMER).text(), "no such page");
}

#[test]
fn a_stop_before_the_control_thread_looked_hung_for_ever() {
    let mut world = Setup::new().start();
    for _ in 0..10 {
        world.stop();
        world.start();
    }
    world.stop();
    world.verify();
}

#[test]
fn numbers_out_of_range_were_taken() {
    let world = Setup::new().start();
    let path = &world.made.config;
    let text = std::fs::read_to_string(path).unwrap().replace("dir = \"audit\"", "dir = \"audit\"\nqueue_records = 1");
    std::fs::write(path, format!("{text}\n[limits]\nwindow_bytes = 0\n[timeouts]\ntotal = 0\n")).unwrap();
    let mistakes = world.gateway().reload().unwrap_err();
    let shown = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for key in ["`window_bytes` is 0", "`total` is 0", "`queue_records` is 1"] {
        assert!(shown.contains(key) && shown.contains("fieldgate.toml:"), "{key}: {shown}");
    }
}
