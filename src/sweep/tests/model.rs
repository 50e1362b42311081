//! Whatever goes wrong on the way: at the end every record's clear text is the one it had, each protected exactly once.

use super::fake::{FakeCrm, Faults, block, change, run, settings};
use crate::sweep::{Ended, Extent, State, Stop, Verb};

/// How often each run is repeated with other randomness.
fn seeds() -> u64 {
    std::env::var("FIELDGATE_SWEEP_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(6)
}

/// Runs protect and its reverse under `faults` with every seed.
fn survives(faults: Faults, versions: bool, shows: bool) {
    let mut written = 0;
    for seed in 0..seeds() {
        let dir = tempfile::tempdir().unwrap();
        let mut crm = FakeCrm::new(57, seed);
        (crm.versions, crm.shows, crm.faults) = (versions, shows, faults);
        let protect = settings(Verb::Protect, Extent::All);
        let report = block(run(&crm, &change(Verb::Protect, 2), &protect, &dir.path().join("1"), &Stop::default()));
        let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let (sealed, clear) = crm.audit();
        assert!(sealed > 100, "seed {seed}: {sealed}");
        assert_eq!((clear, report.ended), (0, Ended::Finished), "seed {seed}: {report:?}");
        let checked = report.checked.as_ref().unwrap();
        assert_eq!((checked.damaged, checked.inventory.as_ref().unwrap().to_do()), (0, 0), "seed {seed}: {report:?}");
        assert!(checked.same + checked.changed_since + checked.gone > 0, "{report:?}");
        written += report.count(State::Written);

        let unprotect = settings(Verb::Unprotect, Extent::All);
        let report = block(run(&crm, &change(Verb::Unprotect, 2), &unprotect, &dir.path().join("2"), &Stop::default()));
        report.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let (sealed, clear) = crm.audit();
        assert!(sealed == 0 && clear > 100, "seed {seed}: {sealed} {clear}");
    }
    assert!(written > seeds() * 100, "{written}");
}

#[test]
fn a_calm_crm() {
    survives(Faults::default(), true, true);
    survives(Faults::default(), false, false);
}

#[test]
fn bursts_of_429_and_failures_before_the_write() {
    survives(Faults { busy: 25, before: 10, ..Faults::default() }, true, true);
    survives(Faults { busy: 25, before: 10, ..Faults::default() }, false, true);
}

#[test]
fn failures_after_the_write_took_effect() {
    survives(Faults { after: 20, ..Faults::default() }, true, true);
    survives(Faults { after: 20, ..Faults::default() }, false, false);
}

#[test]
fn other_people_change_empty_delete_and_add_records_meanwhile() {
    survives(Faults { others: 40, others_at_most: 30, ..Faults::default() }, true, true);
    survives(Faults { others: 40, others_at_most: 30, ..Faults::default() }, false, true);
}

#[test]
fn everything_at_once() {
    let faults = Faults { busy: 15, before: 5, after: 10, others: 25, others_at_most: 25 };
    survives(faults, true, true);
    survives(faults, true, false);
    survives(faults, false, false);
}
