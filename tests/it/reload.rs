//! Reload: everything or nothing, under load, without a failed exchange.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;

use crate::harness::Setup;

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// Exchanges over the whole run, at least.
const EXCHANGES: usize = 1_000;

#[test]
fn twenty_reloads_under_load_fail_no_exchange_and_the_broken_one_is_reported() {
    let world = Setup::new().start();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (client, stop, done) = (world.agent(), Arc::clone(&stop), Arc::clone(&done));
            std::thread::spawn(move || {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match client.try_call(Method::GET, CUSTOMER, None) {
                        Ok(answer) if answer.status == 200 && answer.whole => {}
                        Ok(answer) => failures.push(format!("{} {}", answer.status, answer.text())),
                        Err(error) => failures.push(error),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                failures
            })
        })
        .collect();
    let good = std::fs::read_to_string(&world.made.config).unwrap();
    let mut applied = 0;
    for round in 0..20 {
        while done.load(Ordering::Relaxed) < EXCHANGES * round / 20 {
            std::thread::sleep(Duration::from_millis(5));
        }
        if round == 10 {
            std::fs::write(&world.made.config, good.replace("purposes = [", "purposes = [ 7,")).unwrap();
            let mistakes = world.gateway().reload().unwrap_err();
            let shown = mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert!(shown.contains("fieldgate.toml:"), "{shown}");
            std::fs::write(&world.made.config, &good).unwrap();
        } else {
            let text = format!("{good}\n# round {round}\n");
            std::fs::write(&world.made.config, text).unwrap();
            world.gateway().reload().unwrap();
            applied += 1;
        }
    }
    while done.load(Ordering::Relaxed) < EXCHANGES {
        std::thread::sleep(Duration::from_millis(5));
    }
    stop.store(true, Ordering::Relaxed);
    let failures: Vec<String> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    assert!(failures.is_empty(), "{} failed: {:?}", failures.len(), failures.first());
    let records = world.records();
    let reloads =
        |outcome: &str| records.iter().filter(|record| record.to_string().contains(&format!("\"{outcome}\""))).count();
    assert!(reloads("applied") >= applied, "{}", reloads("applied"));
    assert!(reloads("refused") >= 1);
    assert!(world.admin("/metrics").contains("fieldgate_reloads_refused_total 1"));
}

#[test]
fn a_policy_that_is_taken_away_is_gone_with_the_next_exchange() {
    let world = Setup::new().start();
    assert_eq!(world.agent().get(CUSTOMER).status, 200);
    let policy = world.made.config.parent().unwrap().join("policies/agent.cedar");
    std::fs::write(&policy, "@id(\"nobody\")\nforbid (principal, action, resource);\n").unwrap();
    world.gateway().reload().unwrap();
    assert_eq!(world.agent().get(CUSTOMER).status, 403);
}

#[test]
fn a_new_certificate_is_shown_to_new_connections() {
    let world = Setup::new().start();
    let before = world.agent();
    assert_eq!(before.get(CUSTOMER).status, 200);
    let certs = world.made.config.parent().unwrap().join("certs");
    let ca = fieldgate::tls::generate::ca("another authority", fieldgate::gateway::now()).unwrap();
    let server = fieldgate::tls::generate::server(&ca, &["localhost".to_owned()], fieldgate::gateway::now()).unwrap();
    std::fs::write(certs.join("gateway.pem"), &server.certificate).unwrap();
    std::fs::write(certs.join("gateway.key"), server.key.expose()).unwrap();
    world.gateway().reload().unwrap();
    assert!(before.try_call(Method::GET, CUSTOMER, None).is_err(), "the old authority is still good for it");
    std::fs::write(certs.join("ca.pem"), &ca.certificate).unwrap();
    assert_eq!(world.agent().get(CUSTOMER).status, 200);
}

#[test]
fn a_listener_that_moves_is_refused_and_nothing_changes() {
    let world = Setup::new().start();
    let text = std::fs::read_to_string(&world.made.config).unwrap();
    let moved = text.replace(&format!("address = \"{}\"", world.address), "address = \"127.0.0.1:1\"");
    std::fs::write(&world.made.config, moved).unwrap();
    let mistakes = world.gateway().reload().unwrap_err();
    assert!(mistakes[0].to_string().contains("restart"), "{}", mistakes[0]);
    assert_eq!(world.agent().get(CUSTOMER).status, 200);
}
