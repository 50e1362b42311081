//! Bodies that are larger than the memory they may take.

use std::io::{Read, Write};

use crate::harness::{Setup, client_tls};

/// Resident memory of `pid` in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Records of the export; 2,000,000 are about 1 GB as JSON and as lines, 3,200,000 as a table.
fn records(otherwise: usize) -> usize {
    std::env::var("FIELDGATE_EXPORT_RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(otherwise)
}

/// How much the process may grow, in KiB.
const GROWTH_KIB: u64 = 32 * 1024;

/// Reads `records` customers at `path`, each with a masked card.
fn exported(path: &str, records: usize) {
    let mut world = Setup::new().spawn();
    world.ready().unwrap();
    let key = world.made.callers.iter().find(|(id, _)| *id == "supervisor-sam").unwrap().1.expose().clone();
    assert_eq!(world.supervisor().get("/api/v1/customers?per_page=50").status, 200);
    let before = resident(world.pid());
    let stream = std::net::TcpStream::connect(world.address).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let tls = client_tls(&world.made.ca, &[b"http/1.1"]);
    let mut stream = rustls::StreamOwned::new(rustls::ClientConnection::new(tls, name).unwrap(), stream);
    write!(
        stream,
        "GET {path}?count={records} HTTP/1.1\r\nHost: localhost:{}\r\nFieldgate-Key: {key}\r\n\
         Fieldgate-Purpose: data_subject_request\r\nFieldgate-Case: C-1\r\nConnection: close\r\n\r\n",
        world.address.port()
    )
    .unwrap();
    let (mut total, mut masks, mut peak) = (0, 0, before);
    let mut buffer = vec![0; 256 * 1024];
    let mut head = String::new();
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        if head.is_empty() {
            head = String::from_utf8_lossy(&buffer[..count.min(4096)]).into_owned();
        }
        total += count;
        masks += memchr::memmem::find_iter(&buffer[..count], "\u{2022}\u{2022}\u{2022}\u{2022} ".as_bytes()).count();
        if total % (64 * 1024 * 1024) < count || total < 8 * 1024 * 1024 {
            peak = peak.max(resident(world.pid()));
        }
    }
    peak = peak.max(resident(world.pid()));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(total > records * 200, "{total} bytes");
    assert!(masks >= records, "{masks} masked groups in {records} records");
    eprintln!("{path}: {total} bytes, resident before {before} KiB, at most {peak} KiB");
    assert!(peak - before < GROWTH_KIB, "grew by {} KiB", peak - before);
    world.stop();
    world.verify();
}

#[test]
fn an_export_passes_in_bounded_memory_and_every_record_is_protected() {
    exported("/api/v1/export/customers", records(60_000));
}

#[test]
fn a_table_passes_in_bounded_memory_and_every_row_is_protected() {
    exported("/api/v1/feed/customers.csv", records(20_000));
}

#[test]
fn lines_pass_in_bounded_memory_and_every_line_is_protected() {
    exported("/api/v1/feed/customers.ndjson", records(20_000));
}
