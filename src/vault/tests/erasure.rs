//! Erasure: nothing opens what was erased, whoever copied what; everybody else is unaffected.

use super::*;
use crate::crypto::{Envelope, OpenError, Seal, Spelling};

/// A value sealed for `subject`, as the CRM holds it.
fn seal(world: &World, vault: &Vault, subject: SubjectRef, text: &str) -> String {
    let key = live(vault, subject).unwrap();
    let value =
        Seal { class: "iban", text, subject: Some(&key), normalised: None, spelling: Spelling::Base64, padding: 0 };
    world.keyset().seal(&value).unwrap()
}

fn live(vault: &Vault, subject: SubjectRef) -> Option<SubjectKey> {
    match block(vault.subjects(&[subject])).unwrap().remove(0) {
        SubjectState::Live { key, .. } => Some(key),
        SubjectState::Erased | SubjectState::Unknown => None,
    }
}

fn opens(world: &World, vault: &Vault, sealed: &str) -> bool {
    let envelope = Envelope::parse(sealed).unwrap();
    let key = live(vault, envelope.subject().unwrap());
    match world.keyset().open(&envelope, key.as_ref()) {
        Ok(_) => true,
        Err(OpenError::NoSubjectKey) => false,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn nothing_of_an_erased_subject_opens_and_all_others_do() {
    let mut world = World::new();
    let vault = world.open();
    let people: Vec<_> = (0..60).map(|index| person(&vault, &index.to_string())).collect();
    let texts: Vec<_> = (0..60).map(|index| format!("person{index}@x.example")).collect();
    let mut asks: Vec<_> = people.iter().zip(&texts).map(|(subject, text)| email(text, Some(*subject))).collect();
    asks.extend(people.iter().take(2).map(|subject| email("shared@x.example", Some(*subject))));
    let tokens = block(vault.tokens(&asks)).unwrap();
    let sealed: Vec<_> =
        people.iter().map(|subject| seal(&world, &vault, *subject, "DE89370400440532013000")).collect();

    let receipt = world.erase(&vault, "0");

    assert_eq!((receipt.erasure.subjects, receipt.erasure.tokens), (1, 1));
    assert_eq!(Receipt::verify(&receipt.to_json().unwrap(), &world.signer.verifying_key()).unwrap(), receipt);
    assert_eq!(receipt.erasure.records, [vault.record_ref("contact", "0").to_string()]);
    let check = |vault: &Vault| {
        assert!(!opens(&world, vault, &sealed[0]));
        assert!(sealed[1..].iter().all(|sealed| opens(&world, vault, sealed)));
        let opened = block(vault.open_tokens(&tokens.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        assert!(matches!(opened[0], TokenState::Erased));
        assert!(opened[1..60].iter().zip(&texts[1..]).all(|(state, text)| value(state) == text));
        assert_eq!(value(&opened[61]), "shared@x.example");
        let TokenState::Value { holders, .. } = &opened[61] else { panic!("{opened:?}") };
        assert_eq!(holders, &people[1..2]);
        let found = block(vault.find_tokens(&[("email", &texts[0]), ("email", &texts[1])])).unwrap();
        assert_eq!(found, [vec![], vec![tokens[1].clone()]]);
        assert!(matches!(block(vault.subject_of("contact", "0")).unwrap(), RecordState::Erased));
        assert!(matches!(block(vault.subject_of("contact", "1")).unwrap(), RecordState::Linked(_)));
    };
    check(&vault);
    drop(vault);
    check(&world.open());
}

#[test]
fn a_copy_of_the_files_taken_after_an_erasure_holds_nothing_that_opens() {
    let mut world = World::new();
    let vault = world.open();
    let (ada, bob) = (person(&vault, "record-of-ada"), person(&vault, "record-of-bob"));
    let tokens = block(vault.tokens(&[email("ada@x.example", Some(ada)), email("bob@x.example", Some(bob))])).unwrap();
    // What an attacker finds in free pages of the file: every byte that was ever written.
    let before = std::fs::read(world.dir().join("vault.redb")).unwrap();
    world.erase(&vault, "record-of-ada");
    let backup = world.folder.path().join("after");
    vault.backup(&backup).unwrap();
    drop(vault);
    let after = std::fs::read(world.dir().join("vault.redb")).unwrap();
    for bytes in [&before, &after, &std::fs::read(&backup).unwrap()] {
        for canary in ["ada@x.example", "bob@x.example", "record-of-ada", &tokens[0], &tokens[1], &tokens[0][4..28]] {
            assert!(!contains(bytes, canary.as_bytes()), "{canary}");
        }
    }
    // The old file with the keyset of now: the shelves' keys do not unwrap, so it does not even open.
    let stolen = world.folder.path().join("stolen");
    copy_of(&before, &stolen);
    let opened = Vault::open_with(&settings(&stolen), world.keyset(), Rollback::Accepted);
    assert!(matches!(opened, Err(VaultError::KeysetMismatch)), "{opened:?}");
    let returned = world.folder.path().join("returned");
    Vault::restore(&settings(&returned), world.keyset(), &backup, Overwrite::Refused, Rollback::Refused).unwrap();
    let vault = Vault::open(&settings(&returned), world.keyset()).unwrap();
    let opened = block(vault.open_tokens(&[&tokens[0], &tokens[1]])).unwrap();
    assert!(matches!(opened[0], TokenState::Erased));
    assert_eq!(value(&opened[1]), "bob@x.example");
    assert!(live(&vault, ada).is_none() && live(&vault, bob).is_some());
}

fn copy_of(bytes: &[u8], dir: &Path) {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    std::fs::DirBuilder::new().mode(0o700).create(dir).unwrap();
    let file = dir.join("vault.redb");
    std::fs::write(&file, bytes).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}

#[test]
fn without_a_new_wrapping_key_nothing_is_erased() {
    let mut world = World::new();
    let vault = world.open();
    let ada = person(&vault, "1");
    let early = block(vault.erase(&[("contact", "1")], Arc::clone(&world.signer), now()));
    assert!(matches!(early, Err(VaultError::NotRolled)), "{early:?}");
    assert!(live(&vault, ada).is_some());
    world.erase(&vault, "1");
    assert!(live(&vault, ada).is_none());
}

#[test]
fn an_erasure_that_was_cut_short_is_finished_by_asking_again() {
    let mut world = World::new();
    let vault = world.open();
    person(&vault, "1");
    let first = world.erase(&vault, "1");
    let again = block(vault.erase(&[("contact", "1")], Arc::clone(&world.signer), now())).unwrap();
    assert_eq!(again.receipt, first);
    assert_eq!(block(vault.receipts()).unwrap(), [first]);
    let unknown = block(vault.erase(&[("contact", "2")], Arc::clone(&world.signer), now()));
    assert!(matches!(unknown, Err(VaultError::NothingToErase)), "{unknown:?}");
}

#[test]
fn a_record_that_lives_on_gets_a_new_subject_that_can_be_erased_again() {
    let mut world = World::new();
    let vault = world.open();
    let first = person(&vault, "1");
    world.erase(&vault, "1");
    let second = person(&vault, "1");
    assert_ne!(first, second);
    let RecordState::Linked(key) = block(vault.subject_of("contact", "1")).unwrap() else { panic!("not linked") };
    assert_eq!(key.reference(), second);
    assert_eq!(world.erase(&vault, "1").erasure.subjects, 1);
    assert!(live(&vault, second).is_none());
}

#[test]
fn a_roll_alone_changes_nothing_that_is_seen() {
    let mut world = World::new();
    let vault = world.open();
    let ada = person(&vault, "1");
    let token = block(vault.tokens(&[email("ada@x.example", Some(ada))])).unwrap().remove(0);
    world.file.roll_subject_wrap(now()).unwrap();
    block(vault.with_keyset(world.keyset())).unwrap();
    assert_eq!(block(vault.roll()).unwrap(), Roll { epoch: world.file.epoch() });
    world.file.destroy_old_subject_wraps(now());
    drop(vault);
    let vault = world.open();
    assert!(live(&vault, ada).is_some());
    assert_eq!(value(&block(vault.open_tokens(&[&token])).unwrap()[0]), "ada@x.example");
}

#[test]
fn a_restored_backup_repeats_the_erasures_it_does_not_know() {
    let mut world = World::new();
    let vault = world.open();
    let (ada, bob) = (person(&vault, "1"), person(&vault, "2"));
    let tokens = block(vault.tokens(&[email("ada@x.example", Some(ada)), email("bob@x.example", Some(bob))])).unwrap();
    let backup = world.folder.path().join("backup");
    vault.backup(&backup).unwrap();
    let again = vault.backup(&backup);
    assert!(matches!(again, Err(VaultError::Exists(_))), "{again:?}");
    let keys_then = world.keyset();
    let receipt = world.erase(&vault, "1");
    drop(vault);
    let restore = |keyset: &Arc<Keyset>, overwrite, rollback| {
        Vault::restore(&world.settings(), Arc::clone(keyset), &backup, overwrite, rollback)
    };
    let refused = restore(&world.keyset(), Overwrite::Refused, Rollback::Refused);
    assert!(matches!(refused, Err(VaultError::Exists(_))), "{refused:?}");
    // The keys of the backup were destroyed with the erasure: it needs the key file of its own time.
    let closed = restore(&world.keyset(), Overwrite::Allowed, Rollback::Refused);
    assert!(matches!(closed, Err(VaultError::KeysetMismatch)), "{closed:?}");
    let older = restore(&keys_then, Overwrite::Allowed, Rollback::Refused);
    assert!(matches!(older, Err(VaultError::Rollback { .. })), "{older:?}");
    let restored = restore(&keys_then, Overwrite::Allowed, Rollback::Accepted).unwrap();
    assert_eq!(restored.repeated, 1);
    let vault = Vault::open(&world.settings(), keys_then).unwrap();
    assert!(live(&vault, ada).is_none() && live(&vault, bob).is_some());
    let opened = block(vault.open_tokens(&[&tokens[0], &tokens[1]])).unwrap();
    assert!(matches!(opened[0], TokenState::Erased));
    assert_eq!(value(&opened[1]), "bob@x.example");
    assert_eq!(block(vault.receipts()).unwrap(), [receipt]);
}

#[test]
fn a_backup_of_others_is_refused() {
    let (world, other) = (World::new(), World::new());
    let backup = other.folder.path().join("backup");
    other.open().backup(&backup).unwrap();
    let target = settings(&world.folder.path().join("target"));
    let strange = Vault::restore(&target, world.keyset(), &backup, Overwrite::Refused, Rollback::Refused);
    assert!(matches!(strange, Err(VaultError::KeysetMismatch)), "{strange:?}");
    let tenant: Arc<Keyset> = key_file("other").open().unwrap().into();
    let strange = Vault::restore(&target, tenant, &backup, Overwrite::Refused, Rollback::Refused);
    assert!(matches!(strange, Err(VaultError::OtherTenant)), "{strange:?}");
    assert!(matches!(Vault::open(&target, world.keyset()), Err(VaultError::Missing(_))));
}
