//! A probe finds a CRM's habits, and leaves the record as it was.

use std::collections::BTreeMap;

use super::fake::{FIELDS, FakeClock, FakeCrm, Faults, block, class_of, classes};
use crate::{
    model::Sensitive,
    sweep::{Budget, Canary, Fate, Jitter, Length, Pace, Probe, Profile, Restored},
};

const DOMAIN: &str = "fg.example.com";

fn probe(crm: &FakeCrm) -> BTreeMap<String, Profile> {
    let before = crm.world.borrow().records[&1].fields.clone();
    let budget = Budget::new(FakeClock::default(), Pace::share_of(100, 100), Jitter::new(3));
    let scope = FIELDS.iter().map(|place| class_of(place)).collect();
    let probe = Probe { records: crm, budget: &budget, token_domain: DOMAIN, scope };
    let profiles = block(probe.run(&Sensitive::new("person-1".to_owned()))).unwrap();
    for (place, text) in &crm.world.borrow().records[&1].fields {
        assert_eq!(text.clone().unwrap_or_default(), before[place].clone().unwrap_or_default(), "{place} is as it was");
    }
    profiles.into_iter().map(|profile| (profile.place.to_string(), profile)).collect()
}

fn crm(alter: fn(&str) -> String) -> FakeCrm {
    FakeCrm { alter, ..FakeCrm::new(3, 1) }
}

#[test]
fn a_crm_that_keeps_everything_has_no_limits_to_write_down() {
    let profiles = probe(&crm(str::to_owned));
    assert_eq!(profiles.len(), 3);
    for (place, profile) in &profiles {
        assert!(profile.fates.values().all(|fate| *fate == Fate::Kept), "{profile:?}");
        assert_eq!((profile.length, profile.folds_case()), (Length::AtLeast(4_096), false));
        assert_eq!(profile.fitting(), ["seal:class", "seal", "seal:indexed", "token", "token:email", "token:phone"]);
        assert_eq!(
            profile.map_line(&classes()),
            format!("\"{place}\" = {{ class = \"{}\" }}", classes().name(profile.class))
        );
    }
    let crm = crm(str::to_owned);
    crm.world.borrow_mut().records.get_mut(&1).unwrap().fields.insert("$.email".to_owned(), None);
    assert_eq!(probe(&crm)["$.email"].restored, Restored::Emptied);
    assert_eq!(probe(&crm)["$.phone"].restored, Restored::Yes);
}

#[test]
fn lengths_are_found_to_the_character() {
    for chars in [25_usize, 28, 40, 80, 255, 4_095] {
        let mut crm = crm(str::to_owned);
        crm.longest = chars;
        let profile = &probe(&crm)["$.email"];
        assert_eq!(profile.length, Length::Exactly(chars));
        assert!(profile.map_line(&classes()).contains(&format!("max_chars = {chars}")));
        let fitting = profile.fitting();
        assert_eq!(fitting.contains(&"token".to_owned()), chars >= 28, "{chars}: {fitting:?}");
        assert_eq!(fitting.contains(&"token:email".to_owned()), chars >= 43, "{chars}: {fitting:?}");
        // §2: 133, 126 and 106 bytes in a column of 255, and nothing in one of 80.
        if chars == 255 {
            assert_eq!(
                fitting[..3],
                [
                    "seal:class (texts up to 133 bytes)",
                    "seal (texts up to 126 bytes)",
                    "seal:indexed (texts up to 106 bytes)"
                ]
            );
        }
        assert_eq!(fitting.iter().any(|mode| mode.starts_with("seal")), chars >= 255, "{chars}: {fitting:?}");
    }
}

#[test]
fn habits_are_found() {
    for (alter, canary, fate) in [
        ((|text: &str| text.to_lowercase()) as fn(&str) -> String, Canary::Opaque, Fate::Folded),
        (|text: &str| text.trim().to_owned(), Canary::Blanks, Fate::Trimmed),
        (
            |text: &str| text.split(' ').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
            Canary::Gap,
            Fate::Trimmed,
        ),
        (
            |text: &str| text.replace("e\u{301}", "\u{e9}").replace("A\u{30a}", "\u{c5}"),
            Canary::Decomposed,
            Fate::Recomposed,
        ),
        (|text: &str| text.replace("+999", "+999 "), Canary::Phone, Fate::Reformatted),
        (|text: &str| text.replace('\u{2022}', "?"), Canary::Marks, Fate::Reformatted),
    ] {
        let profile = &probe(&crm(alter))["$.email"];
        assert_eq!(profile.fates[&canary], fate, "{profile:?}");
        assert_eq!(profile.folds_case(), fate == Fate::Folded);
    }
    let folding = &probe(&crm(|text| text.to_lowercase()))["$.email"];
    assert!(folding.map_line(&classes()).ends_with("folds_case = true }"));
    assert!(folding.fitting().contains(&"seal".to_owned()));
}

#[test]
fn validators_are_found() {
    let mut crm = crm(str::to_owned);
    crm.refuses = |text| !text.is_empty() && !text.contains('@') && !text.starts_with("canary");
    crm.longest = 80;
    let profile = &probe(&crm)["$.email"];
    assert_eq!((profile.fates[&Canary::Opaque], profile.fates[&Canary::Email]), (Fate::Refused, Fate::Kept));
    assert_eq!(profile.length, Length::Exactly(80));
    assert_eq!(profile.fitting(), ["token:email"]);
}

#[test]
fn a_crm_with_faults_is_probed_all_the_same() {
    let mut crm = crm(str::to_owned);
    crm.faults = Faults { busy: 20, ..Faults::default() };
    crm.longest = 255;
    assert_eq!(probe(&crm)["$.notes"].length, Length::Exactly(255));
}
