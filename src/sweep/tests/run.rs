//! What a run does besides writing: counting, piloting, stopping, refusing.

use std::rc::Rc;

use super::fake::{FakeChange, FakeClock, FakeCrm, FakeSecrets, block, change, class_of, protected, run, settings};
use crate::{
    model::Column,
    sweep::{
        Budget, Crm, Ended, Extent, Inventory, Jitter, Journal, Pace, Progress, State, Stop, SweepError, Verb, Watch,
    },
};

fn inventory(crm: &FakeCrm, change: &FakeChange) -> Inventory {
    let budget = Budget::new(FakeClock::default(), Pace::share_of(100, 30), Jitter::new(3));
    let (settings, stop) = (settings(change.verb, Extent::All), Stop::default());
    let crm = Crm { records: crm, change, budget: &budget, settings: &settings, watch: &(), stop: &stop };
    block(crm.inventory()).unwrap().unwrap()
}

#[test]
fn an_inventory_counts_and_writes_nothing() {
    let crm = FakeCrm::new(30, 1);
    crm.world.borrow_mut().records.get_mut(&3).unwrap().fields.insert("$.email".into(), Some("fake9:0:1:zz".into()));
    let old = protected(1, class_of("$.phone"), 1, "canary 4 $.phone");
    crm.world.borrow_mut().records.get_mut(&4).unwrap().fields.insert("$.phone".into(), Some(old));
    let counted = inventory(&crm, &change(Verb::Protect, 2));
    assert_eq!(counted.records, 30);
    let (email, phone) = (&counted.classes["email"], &counted.classes["phone"]);
    assert_eq!(email.unreadable.get("damaged"), Some(&1));
    assert_eq!((phone.stale, counted.keys.get("key1")), (1, Some(&1)));
    assert_eq!(email.values + email.empty, 30);
    assert_eq!(email.clear + 1, email.values);
    assert_eq!(email.longest_chars, "canary 29 $.email".len() as u64);
    assert_eq!(counted.to_do(), counted.clear());
    assert_eq!(email.unprobed, email.clear);
    assert_eq!(crm.world.borrow().writes, 0);
}

#[test]
fn what_does_not_fit_is_counted_and_stays() {
    let mut crm = FakeCrm::new(12, 1);
    // `fake2:0:NN:` and 32 hex digits of `canary N $.email`.
    crm.column = Column { max_chars: Some(43), folds_case: false };
    let counted = inventory(&crm, &change(Verb::Protect, 2));
    assert!(counted.classes["email"].does_not_fit > 0 && counted.to_do() > 0, "{counted:?}");
    let dir = tempfile::tempdir().unwrap();
    let report = block(run(
        &crm,
        &change(Verb::Protect, 2),
        &settings(Verb::Protect, Extent::All),
        &dir.path().join("j"),
        &Stop::default(),
    ))
    .unwrap();
    let (sealed, clear) = crm.audit();
    assert!(sealed > 0 && clear > 0);
    assert_eq!(report.count(State::DoesNotFit), clear as u64);
}

#[test]
fn a_pilot_changes_as_many_records_as_it_is_told_and_checks_them() {
    for records in [1, 7, 10, 11] {
        let (crm, dir) = (FakeCrm::new(30, 1), tempfile::tempdir().unwrap());
        let pilot = settings(Verb::Protect, Extent::Pilot(records));
        let report =
            block(run(&crm, &change(Verb::Protect, 2), &pilot, &dir.path().join("j"), &Stop::default())).unwrap();
        let touched = crm.world.borrow().records.values().filter(|record| record.version > 1).count();
        assert_eq!(touched as u64, records);
        let checked = report.checked.as_ref().unwrap();
        assert_eq!(checked.same, report.count(State::Written));
        assert!(checked.inventory.is_none() && report.ended == Ended::Finished);
    }
}

#[test]
fn values_under_old_keys_are_sealed_anew_and_the_rest_stays() {
    let (crm, dir) = (FakeCrm::new(40, 1), tempfile::tempdir().unwrap());
    let go = |verb, generation, name: &str| {
        block(run(
            &crm,
            &change(verb, generation),
            &settings(verb, Extent::All),
            &dir.path().join(name),
            &Stop::default(),
        ))
        .unwrap()
    };
    go(Verb::Protect, 1, "1");
    assert_eq!(inventory(&crm, &change(Verb::Rewrap, 2)).keys.keys().collect::<Vec<_>>(), ["key1"]);
    let report = go(Verb::Rewrap, 2, "2");
    let after = report.checked.unwrap().inventory.unwrap();
    assert_eq!(after.keys.keys().collect::<Vec<_>>(), ["key2"]);
    assert_eq!(crm.audit().1, 0);
    let writes = crm.world.borrow().writes;
    let again = go(Verb::Rewrap, 2, "3");
    assert_eq!((again.count(State::Written), crm.world.borrow().writes), (0, writes));
}

struct StopAfter<'a>(u64, &'a Stop);

impl Watch for StopAfter<'_> {
    fn page(&self, progress: &Progress) {
        if progress.records >= self.0 {
            self.1.set();
        }
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_where_it_was() {
    let (crm, dir) = (FakeCrm::new(45, 1), tempfile::tempdir().unwrap());
    let (settings, change, path) =
        (settings(Verb::Protect, Extent::All), change(Verb::Protect, 2), dir.path().join("j"));
    for target in [10, 30, 45] {
        let stop = Stop::default();
        let budget = Budget::new(FakeClock::default(), Pace::share_of(100, 30), Jitter::new(3));
        let watch = StopAfter(target, &stop);
        let (journal, resume) = if path.exists() {
            let (journal, _, resume) = Journal::open(&path, Rc::new(FakeSecrets)).unwrap();
            (journal, resume)
        } else {
            let begin = crate::sweep::Begin {
                format: 1,
                verb: Verb::Protect,
                object: settings.object.clone(),
                classes: settings.class_names(),
                pilot: None,
                at: String::new(),
            };
            (Journal::create(&path, Rc::new(FakeSecrets), begin).unwrap(), crate::sweep::Resume::default())
        };
        let shared =
            Crm { records: &crm, change: &change, budget: &budget, settings: &settings, watch: &watch, stop: &stop };
        let report = block(crate::sweep::Sweep::new(shared, journal).run(resume, String::new)).unwrap();
        assert_eq!((report.ended, report.records), (Ended::Stopped, target));
        assert!(report.checked.is_none());
    }
    let report = block(run(&crm, &change, &settings, &path, &Stop::default())).unwrap();
    let (sealed, clear) = crm.audit();
    assert_eq!((report.ended, clear, report.count(State::Written)), (Ended::Finished, 0, sealed as u64));
    assert_eq!(report.checked.unwrap().same, sealed as u64);
    let (_, _, resume) = Journal::open(&path, Rc::new(FakeSecrets)).unwrap();
    assert_eq!(resume.finished(), Some("2026-11-25T01:00:00Z"));
}

#[test]
fn a_crm_that_alters_what_it_stores_stops_the_run_and_gets_the_old_texts_back() {
    let cut = |text: &str| text.chars().take(20).collect::<String>();
    for (alter, expected) in [
        (cut as fn(&str) -> String, "cuts it off"),
        (|text: &str| text.to_uppercase(), "upper and lower case"),
        (|text: &str| text.replace(':', " "), "blanks or separators"),
    ] {
        let (mut crm, dir) = (FakeCrm::new(60, 1), tempfile::tempdir().unwrap());
        (crm.shows, crm.page) = (false, 60);
        crm.alter = alter;
        let (verb, path) = (settings(Verb::Protect, Extent::All), dir.path().join("j"));
        let error = block(run(&crm, &change(Verb::Protect, 2), &verb, &path, &Stop::default())).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(matches!(error, SweepError::Altered { .. }));
        // Four at once were under way; the others had not begun.
        assert!(crm.world.borrow().writes <= 4 * 2, "{}", crm.world.borrow().writes);
    }
}

#[test]
fn a_clear_value_may_come_back_in_the_crms_own_notation() {
    let (mut crm, dir) = (FakeCrm::new(10, 1), tempfile::tempdir().unwrap());
    let go = |crm: &FakeCrm, verb, name: &str| {
        let settings = settings(verb, Extent::All);
        block(run(crm, &change(verb, 2), &settings, &dir.path().join(name), &Stop::default()))
    };
    go(&crm, Verb::Protect, "1").unwrap();
    crm.alter = |text| text.to_uppercase();
    let report = go(&crm, Verb::Unprotect, "2").unwrap();
    assert!(report.count(State::Reformatted) > 20 && report.count(State::Written) == 0, "{report:?}");
    crm.alter = |text| text.chars().take(5).collect();
    let error = go(&crm, Verb::Protect, "3").unwrap_err();
    assert!(matches!(error, SweepError::Altered { .. }));
}

#[test]
fn a_crm_that_ignores_a_write_is_found_out() {
    let (mut crm, dir) = (FakeCrm::new(3, 1), tempfile::tempdir().unwrap());
    crm.alter = |_| "canary 2 $.email".to_owned();
    crm.world.borrow_mut().records.retain(|id, _| *id == 2);
    crm.world.borrow_mut().truth.retain(|id, _| *id == 2);
    crm.world.borrow_mut().records.get_mut(&2).unwrap().fields.retain(|place, _| place == "$.email");
    let verb = settings(Verb::Protect, Extent::All);
    let report = block(run(&crm, &change(Verb::Protect, 2), &verb, &dir.path().join("j"), &Stop::default())).unwrap();
    assert_eq!(report.count(State::Written), 0);
    assert!(report.count(State::Contended) > 0);
    assert_eq!(report.checked.unwrap().inventory.unwrap().to_do(), 1);
}

#[test]
fn a_value_that_was_damaged_after_the_run_is_named() {
    let (crm, dir) = (FakeCrm::new(5, 1), tempfile::tempdir().unwrap());
    let (verb, change, path) = (settings(Verb::Protect, Extent::All), change(Verb::Protect, 2), dir.path().join("j"));
    block(run(&crm, &change, &verb, &path, &Stop::default())).unwrap();
    crm.world.borrow_mut().records.get_mut(&1).unwrap().fields.insert("$.email".into(), Some("fake2:0:1:zz".into()));
    crm.world.borrow_mut().records.get_mut(&2).unwrap().fields.insert("$.phone".into(), Some("clear".into()));
    crm.world.borrow_mut().records.remove(&3);
    let (journal, _, resume) = Journal::open(&path, Rc::new(FakeSecrets)).unwrap();
    let (budget, stop) = (Budget::new(FakeClock::default(), Pace::share_of(100, 30), Jitter::new(3)), Stop::default());
    let shared = Crm { records: &crm, change: &change, budget: &budget, settings: &verb, watch: &(), stop: &stop };
    let checked = block(shared.check(&journal.reader(), &resume.into_index())).unwrap().unwrap();
    assert_eq!((checked.damaged, checked.changed_since, checked.gone), (1, 1, 1), "{checked:?}");
    assert!(checked.damaged_places[0].ends_with(" $.email") && checked.damaged_places[0].len() == 32 + 8);
    assert_eq!(checked.inventory.unwrap().to_do(), 1);
}
