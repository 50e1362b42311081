//! SIGKILL at random moments under load: nobody ever held a protected value that no durable record names.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;
use serde_json::Value;

use crate::harness::Setup;

/// Clients at once.
const CLIENTS: usize = 16;

fn rounds() -> usize {
    std::env::var("FIELDGATE_KILL_ROUNDS").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

#[test]
fn no_client_ever_holds_a_value_without_a_record_after_a_kill() {
    let mut world = Setup::new().spawn();
    world.ready().unwrap();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut held = 0;
    for round in 0..rounds() {
        let (stop, got) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|index| {
                let client = world.supervisor();
                let (stop, got) = (Arc::clone(&stop), Arc::clone(&got));
                std::thread::spawn(move || {
                    let mut turn = index;
                    while !stop.load(Ordering::Relaxed) {
                        turn += 1;
                        let target = format!("/api/v1/customers/C-{}", 1001 + turn % 200);
                        let Ok(answer) = client.try_call(Method::GET, &target, None) else { continue };
                        if answer.status == 200 && !answer.bytes.is_empty() {
                            got.lock().unwrap().push(answer.header("fieldgate-audit-ref").to_owned());
                        }
                    }
                })
            })
            .collect();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        std::thread::sleep(Duration::from_millis(60 + seed % 240));
        world.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().unwrap();
        }
        world.spawn();
        match world.ready() {
            Ok(()) => {}
            Err(code) => {
                let said = world.stderr();
                assert!(code == 74 && said.contains("help:"), "round {round}: exit {code} without a reason: {said}");
                panic!("round {round}: the log of a killed gateway has to be recoverable: {said}");
            }
        }
        let records = world.records();
        let indices: std::collections::BTreeSet<u64> = records
            .iter()
            .filter(|record| record["kind"] == "access.reveal")
            .filter_map(|record| record["idx"].as_u64())
            .collect();
        for reference in got.lock().unwrap().iter() {
            held += 1;
            let index = reference.rsplit('/').next().and_then(|index| index.parse().ok()).unwrap_or(u64::MAX);
            assert!(
                indices.contains(&index),
                "round {round}: a client holds data of `{reference}`, which no record names"
            );
        }
    }
    assert!(held > rounds(), "only {held} answers in all rounds");
    world.stop();
    world.verify();
    let records = world.records();
    let revealed = records.iter().filter(|record| record["kind"] == "access.reveal");
    let complete =
        revealed.clone().all(|record: &Value| record.get("subjects").is_some_and(|subjects| subjects.is_array()));
    assert!(complete && revealed.count() >= held);
}
