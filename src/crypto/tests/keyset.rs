//! Keysets: what is sealed opens, in its own context only, through every state of a key.

#[path = "damage.rs"]
mod damage;

use super::*;
use crate::model::{KeyScope, Mode, Normaliser, Storage, SubjectRef, Timestamp, TokenShape};

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

fn later(seconds: i64) -> Timestamp {
    now().plus_seconds(seconds)
}

fn plan(class: &str, mode: Mode) -> ClassPlan<'_> {
    ClassPlan { class, storage: Storage { mode, normaliser: Normaliser::Email, ..Storage::CLEAR } }
}

fn plans() -> Vec<ClassPlan<'static>> {
    vec![
        plan("note", Mode::Seal(KeyScope::Class)),
        plan("iban", Mode::Seal(KeyScope::Subject)),
        plan("email", Mode::SealIndexed),
        plan("phone", Mode::Token(TokenShape::Phone)),
        plan("login", Mode::Det),
        plan("city", Mode::Clear),
    ]
}

fn file() -> KeyFile {
    let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
    KeyFile::new("acme", &plans(), kek, vec![1, 2, 3], Krk::generate().unwrap(), now()).unwrap()
}

fn value<'a>(class: &'a str, text: &'a str) -> Seal<'a> {
    Seal { class, text, subject: None, normalised: None, spelling: Spelling::Base64, padding: 0 }
}

fn id(file: &KeyFile, class: &str, purpose: KeyPurpose, state: KeyState) -> KeyId {
    file.keys().find(|key| &*key.class == class && key.purpose == purpose && key.state == state).unwrap().id
}

fn open(keys: &Keyset, text: &str, subject: Option<&SubjectKey>) -> Result<String, OpenError> {
    keys.open(&Envelope::parse(text).unwrap(), subject).map(|opened| opened.text.expose().clone())
}

#[test]
fn sealed_values_open_with_their_class() {
    let keys = file().open().unwrap();
    let subject = SubjectKey::generate().unwrap();
    for spelling in [Spelling::Base64, Spelling::Base32] {
        for padding in [0, 16, 64] {
            let plain = keys.seal(&Seal { spelling, padding, ..value("note", "héllo") }).unwrap();
            let opened = keys.open(&Envelope::parse(&plain).unwrap(), None).unwrap();
            assert_eq!((&*opened.class, opened.text.expose().as_str(), opened.current), ("note", "héllo", true));
            let owned = Seal { subject: Some(&subject), spelling, padding, ..value("iban", "") };
            assert_eq!(open(&keys, &keys.seal(&owned).unwrap(), Some(&subject)).unwrap(), "");
            let indexed =
                Seal { subject: Some(&subject), normalised: Some("a@b"), spelling, padding, ..value("email", "A@B") };
            let indexed = keys.seal(&indexed).unwrap();
            assert_eq!(open(&keys, &indexed, Some(&subject)).unwrap(), "A@B");
            let prefix = keys.indexes("email", "a@b", spelling).unwrap().remove(0);
            assert!(indexed.starts_with(&prefix));
            assert_eq!(Envelope::parse(&indexed).unwrap().index(), Some(prefix.as_str()));
        }
    }
    let det = keys.det("login", "ada", Spelling::Base32).unwrap().remove(0);
    assert_eq!(open(&keys, &det, None).unwrap(), "ada");
    assert_eq!(det, keys.det("login", "ada", Spelling::Base32).unwrap().remove(0));
}

#[test]
fn a_value_is_refused_outside_of_its_context() {
    let (file, other_tenant) = (file(), file());
    let keys = file.open().unwrap();
    let (subject, stranger) = (SubjectKey::generate().unwrap(), SubjectKey::generate().unwrap());
    let sealed = keys.seal(&Seal { subject: Some(&subject), ..value("iban", "DE89") }).unwrap();
    assert_eq!(open(&keys, &sealed, None), Err(OpenError::NoSubjectKey));
    assert_eq!(open(&keys, &sealed, Some(&stranger)), Err(OpenError::NoSubjectKey));
    let impostor = SubjectKey::new(subject.reference(), Zeroizing::new([9; 32]));
    assert_eq!(open(&keys, &sealed, Some(&impostor)), Err(OpenError::ContextMismatch));
    assert_eq!(open(&other_tenant.open().unwrap(), &sealed, Some(&subject)), Err(OpenError::UnknownKey));
    let mut moved = file.clone();
    moved.tenant = "evil".into();
    assert_eq!(open(&moved.open().unwrap(), &sealed, Some(&subject)), Err(OpenError::ContextMismatch));
}

#[test]
fn what_cannot_be_sealed_says_why() {
    let keys = file().open().unwrap();
    let no_key = |class: &str, purpose| SealError::NoKey { class: class.into(), purpose };
    assert_eq!(keys.seal(&value("city", "x")).unwrap_err(), no_key("city", KeyPurpose::Seal));
    assert_eq!(keys.seal(&value("phone", "x")).unwrap_err(), no_key("phone", KeyPurpose::Seal));
    let indexed = Seal { normalised: Some("x"), ..value("email", "x") };
    assert_eq!(keys.seal(&indexed).unwrap_err(), SealError::NoSubject);
    let subject = SubjectKey::generate().unwrap();
    let unindexed = Seal { subject: Some(&subject), normalised: Some("x"), ..value("iban", "x") };
    assert_eq!(keys.seal(&unindexed).unwrap_err(), no_key("iban", KeyPurpose::Index));
    let longest = "x".repeat(MAX_TEXT_BYTES);
    let sealed = keys.seal(&Seal { padding: 64, ..value("note", &longest) }).unwrap();
    assert_eq!(open(&keys, &sealed, None).unwrap(), longest);
    assert_eq!(keys.seal(&value("note", &(longest + "x"))).unwrap_err(), SealError::TooLong);
}

#[test]
fn a_keyset_says_what_a_class_lacks() {
    let keys = file().open().unwrap();
    assert!(plans().iter().all(|plan| keys.covers(plan).is_ok()));
    assert_eq!(keys.covers(&plan("note", Mode::SealIndexed)), Err(Uncovered::NoKey(KeyPurpose::Index)));
    let mut renamed = plan("login", Mode::Det);
    renamed.storage.normaliser = Normaliser::Name;
    assert_eq!(keys.covers(&renamed), Err(Uncovered::Normaliser(Normaliser::Email)));
    let mut sealed = plan("note", Mode::Seal(KeyScope::Class));
    sealed.storage.normaliser = Normaliser::Name;
    assert!(keys.covers(&sealed).is_ok());
}

#[test]
fn a_spent_key_seals_no_more() {
    let mut file = file();
    let key = id(&file, "note", KeyPurpose::Seal, KeyState::Active);
    file.record_use(key, REFUSED_VALUES - 1, now()).unwrap();
    let keys = file.open().unwrap();
    assert!(keys.seal(&value("note", "last")).is_ok());
    assert_eq!(keys.seal(&value("note", "one more")).unwrap_err(), SealError::Spent(key));
    assert!(keys.usage().any(|(id, before, added)| id == key && before == REFUSED_VALUES - 1 && added >= 1));
}

#[test]
fn a_rotation_finds_and_opens_old_and_new_at_every_step() {
    let mut file = file();
    let subject = SubjectKey::generate().unwrap();
    let indexed = Seal { subject: Some(&subject), normalised: Some("a"), ..value("email", "a") };
    let old = file.open().unwrap();
    let old_value = old.seal(&indexed).unwrap();
    let (seal_id, index_id) = (
        file.rotate("email", None, later(1)).unwrap(),
        file.rotate("email", Some(KeyPurpose::Index), later(1)).unwrap(),
    );
    assert_eq!(file.rotate("email", None, later(1)), Err(KeyMistake::AlreadyPending(seal_id)));
    let pending = file.open().unwrap();
    assert_eq!(
        Envelope::parse(&pending.seal(&indexed).unwrap()).unwrap().key_id(),
        Envelope::parse(&old_value).unwrap().key_id()
    );
    assert_eq!(pending.indexes("email", "a", Spelling::Base64).unwrap().len(), 2);
    for key in [seal_id, index_id] {
        let early = Propagation::Waited { needed: PROPAGATION_SECONDS };
        let refused = KeyMistake::NotSpread { id: key, age: 29, needed: 30 };
        assert_eq!(file.promote(key, early, later(30)), Err(refused));
        assert_eq!(file.promote(key, Propagation::Unknown, later(99)), Err(KeyMistake::NotConfirmed(key)));
        file.promote(key, early, later(31)).unwrap();
    }
    let new = file.open().unwrap();
    let new_value = new.seal(&indexed).unwrap();
    // An instance that has only the pending key opens what one that promoted it sealed.
    assert_eq!(open(&pending, &new_value, Some(&subject)).unwrap(), "a");
    assert_eq!(open(&new, &old_value, Some(&subject)).unwrap(), "a");
    assert!(!new.open(&Envelope::parse(&old_value).unwrap(), Some(&subject)).unwrap().current);
    let prefixes = new.indexes("email", "a", Spelling::Base64).unwrap();
    assert!(new_value.starts_with(&prefixes[0]) && old_value.starts_with(&prefixes[1]));
    assert_eq!(file.epoch(), 5);
}

#[test]
fn a_key_ends_in_order_and_values_under_it_say_so() {
    let mut file = file();
    let keys = file.open().unwrap();
    let sealed = keys.seal(&value("note", "x")).unwrap();
    let old = id(&file, "note", KeyPurpose::Seal, KeyState::Active);
    assert_eq!(file.disable(old, now()), Err(KeyMistake::State { id: old, state: KeyState::Active }));
    let new = file.rotate("note", None, now()).unwrap();
    file.promote(new, Propagation::Confirmed, now()).unwrap();
    assert_eq!(file.retire(old, Residual::Unknown, now()), Err(KeyMistake::ResidualUnknown(old)));
    assert_eq!(file.retire(old, Residual::Counted(3), now()), Err(KeyMistake::Residual { id: old, left: 3 }));
    assert_eq!(file.destroy(old, 0, now()), Err(KeyMistake::State { id: old, state: KeyState::Retiring }));
    file.retire(old, Residual::Counted(0), now()).unwrap();
    assert_eq!(open(&file.open().unwrap(), &sealed, None), Err(OpenError::Disabled));
    file.enable(old, now()).unwrap();
    assert_eq!(open(&file.open().unwrap(), &sealed, None).unwrap(), "x");
    file.disable(old, now()).unwrap();
    let early = KeyMistake::BackupCycle { id: old, age: 9, needed: 10 };
    assert_eq!(file.destroy(old, 10, later(9)), Err(early));
    file.destroy(old, 10, later(10)).unwrap();
    assert_eq!(open(&file.open().unwrap(), &sealed, None), Err(OpenError::Destroyed));
    assert_eq!(file.check_value(old), None);
    let text = file.to_text().unwrap();
    let again = KeyFile::read(&text, file.root()).unwrap();
    assert_eq!(again.keys().collect::<Vec<_>>(), file.keys().collect::<Vec<_>>());
}

#[test]
fn the_text_of_a_key_file_is_read_back_and_cannot_be_edited() {
    let file = file();
    let text = file.to_text().unwrap();
    assert_eq!(KeyFile::header(&text).unwrap().wrapped_root, [1, 2, 3]);
    let again = KeyFile::read(&text, file.root()).unwrap();
    assert_eq!(again.to_text().unwrap(), text);
    assert_eq!(KeyFile::read(&text, &Krk::generate().unwrap()).unwrap_err(), KeyFileError::WrongRoot);
    for (from, to) in [
        ("\"acme\"", "\"evil\""),
        ("\"epoch\": 1", "\"epoch\": 2"),
        ("\"class\": \"note\"", "\"class\": \"city\""),
        ("\"state\": \"active\"", "\"state\": \"retiring\""),
        ("\"used\": 0", "\"used\": 1"),
        ("\"provider\": \"file\"", "\"provider\": \"none\""),
        ("email-1", "text-1"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        let refused = KeyFile::read(&edited, file.root()).unwrap_err();
        assert_eq!(refused, KeyFileError::Changed, "{from}");
    }
    assert!(matches!(KeyFile::read("{}", file.root()), Err(KeyFileError::Malformed { .. })));
    let next = text.replacen("\"fieldgate_keyset\": 1", "\"fieldgate_keyset\": 2", 1);
    assert_eq!(KeyFile::header(&next).unwrap_err(), KeyFileError::Version(2));
}

#[test]
fn subject_keys_are_wrapped_per_epoch_and_a_roll_ends_the_old_ones() {
    let mut file = file();
    let (old, subject) = (file.open().unwrap(), SubjectKey::generate().unwrap());
    let wrapped = old.wrap_subject(&subject).unwrap();
    assert_eq!(wrapped.len(), 52);
    assert_eq!(old.unwrap_subject(subject.reference(), &wrapped).unwrap().dek(), subject.dek());
    assert_eq!(old.unwrap_subject(SubjectRef([7; 8]), &wrapped).unwrap_err(), OpenError::Tampered);
    file.roll_subject_wrap(now()).unwrap();
    let rolling = file.open().unwrap();
    assert!(old.is_current_wrap(&wrapped) && !rolling.is_current_wrap(&wrapped));
    let again = rolling.wrap_subject(&rolling.unwrap_subject(subject.reference(), &wrapped).unwrap()).unwrap();
    assert_eq!(file.destroy_old_subject_wraps(now()).len(), 1);
    let rolled = file.open().unwrap();
    assert_eq!(rolled.unwrap_subject(subject.reference(), &wrapped).unwrap_err(), OpenError::Destroyed);
    assert_eq!(rolled.unwrap_subject(subject.reference(), &again).unwrap().dek(), subject.dek());
}

#[test]
fn rows_open_at_their_place_only() {
    let keys = file().open().unwrap();
    let sealed = keys.seal_row(b"a row", b"tokens/7").unwrap();
    assert_eq!(sealed.len(), 5 + 52);
    assert_eq!(keys.open_row(&sealed, b"tokens/7").unwrap().as_slice(), b"a row");
    assert_eq!(keys.open_row(&sealed, b"tokens/8").unwrap_err(), OpenError::ContextMismatch);
    assert_eq!(keys.open_row(&sealed[..40], b"tokens/7").unwrap_err(), OpenError::Tampered);
    assert_eq!(keys.open_row(&[], b"tokens/7").unwrap_err(), OpenError::Tampered);
}

#[test]
fn tokens_are_of_one_class_through_a_rotation() {
    let mut file = file();
    let old = file.open().unwrap();
    let token = old.mint_token("phone", TokenShape::Email, "fg.example.com").unwrap();
    assert!(old.token_is_of("phone", &token) && !old.token_is_of("email", &token));
    let id = file.rotate("phone", None, now()).unwrap();
    file.promote(id, Propagation::Confirmed, now()).unwrap();
    let new = file.open().unwrap();
    assert!(new.token_is_of("phone", &token));
    let lookups = new.token_lookups("phone", "+1").unwrap();
    assert_eq!(lookups.len(), 2);
    assert_eq!(old.token_lookups("phone", "+1").unwrap(), [lookups[1]]);
}

#[test]
fn nothing_prints_a_key() {
    let file = file();
    assert_eq!(format!("{:?}", file.root()), "Krk(hidden)");
    assert_eq!(format!("{file:?}"), "KeyFile(`acme`, epoch 1, 8 keys hidden)");
    assert_eq!(format!("{:?}", file.open().unwrap()), "Keyset(`acme`, epoch 1, 8 keys hidden)");
}
