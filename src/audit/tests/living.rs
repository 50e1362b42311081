//! A log as the gateway uses it: many threads, tickets, readers beside the writer, a folder that changes under it.

use std::{
    collections::HashSet,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Place, access, clock, outcome, reveal, subject, subject_key};
use crate::{
    audit::{
        AuditError, Settings, check_inclusion, init,
        query::{Query, query},
        show, subject_reference, verify,
    },
    model::{AccessKind, Event, Timestamp},
};

#[test]
fn a_log_starts_takes_records_closes_and_starts_again() {
    let place = Place::new();
    let log = place.open().unwrap();
    let receipt = log.append(&reveal(7)).unwrap().wait().unwrap();
    assert_eq!((receipt.index(), receipt.reference().as_str()), (2, "gw-1.e1/2"));
    log.close().unwrap();
    log.close().unwrap();
    assert!(matches!(log.append(&reveal(8)), Err(AuditError::Closed)));
    place.open().unwrap().close().unwrap();
    let kinds: Vec<String> = query(place.path(), &Query::default())
        .unwrap()
        .iter()
        .map(|row| row.record()["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["log.open", "log.open", "access.reveal", "log.close", "log.open", "log.close"]);
    let report = verify(place.path(), &place.vkey()).unwrap();
    assert!(report.is_sound(), "{}", report.to_text());
    assert_eq!((report.records, report.signed), (6, Some(6)));
    assert!(report.to_text().contains("verdict   sound"), "{}", report.to_text());
    assert_eq!(report.to_json()["kinds"]["access.reveal"], 1);
}

#[test]
fn the_last_handle_closes_the_log() {
    let place = Place::new();
    let log = place.open().unwrap();
    let other = log.clone();
    drop(log);
    let ticket = other.append(&reveal(1)).unwrap();
    drop(other);
    assert_eq!(ticket.wait().unwrap().index(), 2);
    assert!(verify(place.path(), &place.vkey()).unwrap().is_sound());
}

#[test]
fn a_log_is_made_once_and_written_by_one() {
    let place = Place::new();
    let again = init(place.path(), super::ORIGIN, &place.signing_key(), clock());
    assert!(matches!(again, Err(AuditError::Exists(_))), "{again:?}");
    let log = place.open().unwrap();
    assert!(matches!(place.open().map(drop), Err(AuditError::Locked(_))));
    drop(log);
    place.open().unwrap();
    let nothing = tempfile::tempdir().unwrap();
    let elsewhere = Settings { dir: nothing.path().to_owned(), ..place.settings() };
    assert!(matches!(place.open_with(&elsewhere).map(drop), Err(AuditError::Io { .. })));
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0);
    let renamed = Settings { origin: "fieldgate.test/other".into(), ..place.settings() };
    assert!(matches!(place.open_with(&renamed).map(drop), Err(AuditError::NotALog { .. })));
}

#[test]
fn remains_of_an_interrupted_init_are_neither_a_log_nor_overwritten() {
    let place = Place::new();
    fs::remove_file(place.path().join("log.json")).unwrap();
    assert!(matches!(place.open().map(drop), Err(AuditError::Io { .. })));
    let again = init(place.path(), super::ORIGIN, &place.signing_key(), clock());
    assert!(matches!(again, Err(AuditError::Exists(_))), "{again:?}");
}

#[test]
fn many_threads_get_every_number_exactly_once() {
    let place = Place::new();
    let log = place.open().unwrap();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let threads: Vec<_> = (0..8_u128)
        .map(|thread| {
            let log = log.clone();
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let mut seen = Vec::new();
                    for round in 0..20_u128 {
                        let tickets: Vec<_> = (0..10)
                            .map(|number| {
                                let request = thread << 64 | round << 32 | number;
                                (request, log.append(&reveal(request)).unwrap())
                            })
                            .collect();
                        for (request, ticket) in tickets {
                            let waited = tokio::time::timeout(Duration::from_secs(30), ticket).await;
                            seen.push((request, waited.unwrap().unwrap().index()));
                        }
                    }
                    seen
                })
            })
        })
        .collect();
    let receipts: Vec<(u128, u64)> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    log.close().unwrap();
    let indices: HashSet<u64> = receipts.iter().map(|(_, index)| *index).collect();
    assert_eq!((receipts.len(), indices.len()), (1600, 1600));
    let rows = query(place.path(), &Query::default()).unwrap();
    for (request, index) in receipts {
        let record = rows[index as usize].record();
        let req = record["req"].as_str().unwrap().replace('-', "");
        assert_eq!(u128::from_str_radix(&req, 16).unwrap(), request);
    }
    assert!(verify(place.path(), &place.vkey()).unwrap().is_sound());
}

#[test]
fn a_log_that_is_being_written_verifies_and_can_be_searched() {
    let place = Place::new();
    let log = place.open().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (log, done) = (log.clone(), Arc::clone(&done));
        std::thread::spawn(move || {
            let mut request = 0;
            while !done.load(Ordering::Relaxed) {
                log.append(&reveal(request)).unwrap().wait().unwrap();
                request += 1;
            }
        })
    };
    for _ in 0..20 {
        let report = verify(place.path(), &place.vkey()).unwrap();
        assert!(report.is_sound(), "{}", report.to_text());
        query(place.path(), &Query::default()).unwrap();
    }
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
}

#[test]
fn a_removed_or_changed_segment_ends_the_log() {
    let place = Place::new();
    let log = place.open().unwrap();
    fs::remove_file(place.segment().0).unwrap();
    let refused = log.append(&reveal(1)).unwrap().wait();
    assert!(matches!(refused, Err(AuditError::Failed("the segment was removed or replaced"))), "{refused:?}");

    let place = Place::new();
    let log = place.open().unwrap();
    let (path, mut bytes) = place.segment();
    bytes.extend_from_slice(&[b'x'; 4096]);
    fs::write(path, bytes).unwrap();
    let refused = log.append(&reveal(1)).unwrap().wait();
    assert!(matches!(refused, Err(AuditError::Failed("the segment was changed by another process"))), "{refused:?}");
}

#[test]
fn idle_time_is_sealed() {
    let place = Place::new();
    let log = place.open_with(&Settings { tick_seconds: 1, ..place.settings() }).unwrap();
    while log.status().durable < 3 {
        std::thread::sleep(Duration::from_millis(50));
    }
    // The checkpoint follows within its second, without a close.
    while log.status().last_checkpoint.is_none_or(|(size, _)| size < 3) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let ticks = Query { kind: Some("log.tick".into()), ..Query::default() };
    assert!(!query(place.path(), &ticks).unwrap().is_empty());
}

#[test]
fn queries_find_what_was_asked_for_and_nothing_else() {
    let place = Place::new();
    let log = place.open().unwrap();
    let mut other = access(AccessKind::Reveal { part: 1 }, 2, vec![subject("C-2")]);
    other.at = Timestamp::from_micros(clock().micros() + 5_000_000);
    for event in [reveal(1), Event::Access(other), outcome(1)] {
        log.append(&event).unwrap().wait().unwrap();
    }
    log.close().unwrap();
    let found = |query_for: Query| -> Vec<u64> {
        query(place.path(), &query_for).unwrap().iter().map(|row| row.index).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(Query::default()), [0, 1, 2, 3, 4, 5]);
    assert_eq!(found(Query { kind: text("access"), ..Query::default() }), [2, 3, 4]);
    assert_eq!(found(Query { kind: text("access.outcome"), ..Query::default() }), [4]);
    assert_eq!(found(Query { kind: text("acc"), ..Query::default() }), [0_u64; 0]);
    assert_eq!(found(Query { actor: text("anna"), ..Query::default() }), [2, 3, 4]);
    assert_eq!(found(Query { actor: text("ann"), ..Query::default() }), [0_u64; 0]);
    assert_eq!(found(Query { class: text("email"), ..Query::default() }), [2, 3]);
    assert_eq!(found(Query { class: text("customer"), ..Query::default() }), [0_u64; 0]);
    assert_eq!(found(Query { route: text("customers.get"), effect: text("deny"), ..Query::default() }), [0_u64; 0]);
    assert_eq!(found(Query { since: Some(clock().plus_seconds(1)), ..Query::default() }), [3]);
    assert_eq!(found(Query { until: Some(clock()), ..Query::default() }), [0_u64; 0]);
    let reference = subject_reference(&subject_key(), "customer", "crm", &"C-2".to_owned().into());
    assert_eq!(found(Query { subject: Some(reference), ..Query::default() }), [3]);
    assert_eq!(found(Query { request: text("00000000-0000-0000-0000-000000000001"), ..Query::default() }), [2, 4]);
    assert_eq!(found(Query { limit: Some(2), ..Query::default() }), [4, 5]);
    assert_eq!(found(Query { limit: Some(2), after: Some(1), ..Query::default() }), [2, 3]);
    let rows = query(place.path(), &Query { limit: Some(1), kind: text("access.reveal"), ..Query::default() }).unwrap();
    assert!(rows[0].to_text().contains("support-bot for anna"), "{}", rows[0].to_text());
    assert_eq!(rows[0].to_json()["index"], 3);

    let shown = show(place.path(), 2).unwrap();
    assert_eq!(shown.exchange.iter().map(|row| row.index).collect::<Vec<_>>(), [4]);
    assert!(check_inclusion(shown.leaf, 2, shown.size, &shown.proof, &shown.root));
    assert!(shown.to_text().contains("access.reveal"));
    assert_eq!(shown.to_json()["index"], 2);
    assert!(matches!(show(place.path(), 6), Err(AuditError::NoRecord { index: 6, size: 6 })));
}

/// Figures, not a claim: `cargo test --release --lib audit -- --ignored --nocapture`.
#[test]
#[ignore = "prints measurements"]
fn cost_of_an_append() {
    let place = Place::new();
    let log = place.open().unwrap();
    let event = reveal(1);
    let cpu = || {
        let tasks = fs::read_dir("/proc/self/task").unwrap();
        let nanos = tasks.map(|task| -> u64 {
            let text = fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        });
        Duration::from_nanos(nanos.sum())
    };
    for burst in [1_usize, 64, 1024] {
        let count = 40_000 / if burst == 1 { 40 } else { 1 };
        let (wall, before) = (std::time::Instant::now(), cpu());
        let mut left = count;
        while left > 0 {
            let tickets: Vec<_> = (0..burst.min(left)).map(|_| log.append(&event).unwrap()).collect();
            left -= tickets.len();
            for ticket in tickets {
                ticket.wait().unwrap();
            }
        }
        let (cpu, wall) = (cpu() - before, wall.elapsed());
        println!(
            "{burst:>5} at once: {:.2} us CPU per record, {:.0} records/s",
            cpu.as_secs_f64() * 1e6 / count as f64,
            count as f64 / wall.as_secs_f64()
        );
    }
    let recorder = crate::audit::record::Recorder { subject_ref: Some(subject_key()), node: "gw-1".into() };
    let mut lines = crate::audit::record::Lines::default();
    let before = cpu();
    for _ in 0..100_000 {
        lines.clear();
        recorder.event(&event, &mut lines).unwrap();
    }
    println!("writing the line ({} bytes): {:.2} us", lines.bytes.len(), (cpu() - before).as_secs_f64() * 10.0);
    log.close().unwrap();
    let wall = std::time::Instant::now();
    let report = verify(place.path(), &place.vkey()).unwrap();
    println!(
        "verify: {} records, {:.0} MB/s",
        report.records,
        report.bytes as f64 / wall.elapsed().as_secs_f64() / 1e6
    );
}
