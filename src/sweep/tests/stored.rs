//! The real stored forms: real keys, a real vault.

use std::sync::Arc;

use super::fake::block;
use crate::{
    crypto::{ClassPlan, Kek, KeyFile, Krk, Propagation},
    model::{
        Class, ClassId, ClassTable, Column, KeyScope, Linkage, MaskStyle, Mode, Normaliser, Sensitive, Storage,
        Timestamp, TokenShape,
    },
    protect::Store,
    sweep::{Ask, Change, Form, JournalKeys, Outcome, Reading, RecordId, Secrets, StoredForms, Verb, Wants, Why},
    vault::{self, Vault},
};

const DOMAIN: &str = "fg.example.com";

fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

fn classes() -> Arc<ClassTable> {
    let class = |name: &str, mode, linkage| {
        let storage = Storage { mode, normaliser: Normaliser::Text, linkage, ..Storage::CLEAR };
        Class { name: name.into(), mask: MaskStyle::Full, storage, detects: Vec::new() }
    };
    let table = ClassTable::new(vec![
        class("email", Mode::Token(TokenShape::Email), Linkage::Relaxed),
        class("phone", Mode::Token(TokenShape::Phone), Linkage::Relaxed),
        class("iban", Mode::SealIndexed, Linkage::Strict),
        class("note", Mode::Seal(KeyScope::Subject), Linkage::Relaxed),
        class("code", Mode::Seal(KeyScope::Class), Linkage::Relaxed),
        class("number", Mode::Det, Linkage::Relaxed),
        class("plain", Mode::Clear, Linkage::Relaxed),
    ]);
    Arc::new(table.unwrap())
}

/// Keys and a vault, and the change of every verb over them.
struct World {
    _folder: tempfile::TempDir,
    classes: Arc<ClassTable>,
    file: KeyFile,
    vault: Vault,
}

impl World {
    fn new() -> Self {
        let (folder, classes) = (tempfile::tempdir().unwrap(), classes());
        let plans: Vec<ClassPlan<'_>> =
            classes.iter().map(|(_, class)| ClassPlan { class: &class.name, storage: class.storage }).collect();
        let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
        let file = KeyFile::new("acme", &plans, kek, vec![1], Krk::generate().unwrap(), now()).unwrap();
        let settings = vault::Settings {
            token_domain: Some(DOMAIN.to_owned()),
            ..vault::Settings::embedded(folder.path().join("vault"))
        };
        let keys = Arc::new(file.open().unwrap());
        Vault::init(&settings, Arc::clone(&keys)).unwrap();
        let vault = Vault::open(&settings, keys).unwrap();
        Self { _folder: folder, classes, file, vault }
    }

    fn forms(&self, verb: Verb) -> StoredForms {
        StoredForms {
            verb,
            resource: "contact".into(),
            classes: Arc::clone(&self.classes),
            store: Store::new(Arc::new(self.file.open().unwrap()), DOMAIN, None),
            vault: self.vault.clone(),
        }
    }

    fn class(&self, name: &str) -> ClassId {
        self.classes.id(name).unwrap()
    }

    /// What `verb` makes of `text` in a field of `class` on `record`.
    fn change(&self, verb: Verb, record: &str, class: &str, column: Column, text: &str) -> Outcome {
        let (record, text) = (Sensitive::new(record.to_owned()), Sensitive::new(text.to_owned()));
        let ask = Ask { record: &record, class: self.class(class), column, text: &text };
        block(self.forms(verb).change(&[ask])).unwrap().pop().unwrap()
    }

    fn new_text(&self, verb: Verb, record: &str, class: &str, text: &str) -> String {
        match self.change(verb, record, class, Column::default(), text) {
            Outcome::New(text) => text.expose().clone(),
            other => panic!("{class}: {other:?}"),
        }
    }

    fn look(&self, verb: Verb, record: &str, class: &str, text: &str) -> (Form, Vec<String>, Wants) {
        let (record, text) = (Sensitive::new(record.to_owned()), Sensitive::new(text.to_owned()));
        let ask = Ask { record: &record, class: self.class(class), column: Column::default(), text: &text };
        let seen = block(self.forms(verb).look(&[ask])).unwrap().pop().unwrap();
        (seen.form, seen.keys.iter().map(ToString::to_string).collect(), seen.wants)
    }

    fn clear(&self, record: &str, class: &str, text: &str) -> Reading {
        let (record, text) = (Sensitive::new(record.to_owned()), Sensitive::new(text.to_owned()));
        let ask = Ask { record: &record, class: self.class(class), column: Column::default(), text: &text };
        block(self.forms(Verb::Protect).clear(&[ask])).unwrap().pop().unwrap()
    }
}

const MODES: [&str; 6] = ["email", "phone", "iban", "note", "code", "number"];

#[test]
fn every_stored_form_is_made_recognised_opened_and_undone() {
    let world = World::new();
    let text = "Anna, 12 High Street";
    for class in MODES {
        assert_eq!(world.look(Verb::Protect, "1", class, text).2, Wants::Another, "{class}");
        let stored = world.new_text(Verb::Protect, "1", class, text);
        assert!(!stored.contains("Anna") && stored != text, "{class}");
        let (form, keys, wants) = world.look(Verb::Protect, "1", class, &stored);
        let expected = [("iban", 2), ("note", 1), ("code", 1), ("number", 1)];
        let count = expected.iter().find(|(name, _)| *name == class).map_or(0, |(_, count)| *count);
        assert_eq!((form, keys.len(), wants), (Form::Current, count, Wants::Nothing), "{class}");
        for verb in [Verb::Protect, Verb::Rewrap] {
            assert_eq!(world.change(verb, "1", class, Column::default(), &stored), Outcome::Unchanged, "{class}");
        }
        assert_eq!(world.clear("1", class, &stored), Reading::Text(Sensitive::new(text.to_owned())), "{class}");
        assert_eq!(world.new_text(Verb::Unprotect, "1", class, &stored), text, "{class}");
        assert_eq!(world.change(Verb::Unprotect, "1", class, Column::default(), text), Outcome::Unchanged);
    }
    assert_eq!(world.change(Verb::Protect, "1", "plain", Column::default(), text), Outcome::Unchanged);
    assert_eq!(world.look(Verb::Protect, "1", "plain", text), (Form::Clear, vec![], Wants::Nothing));
}

#[test]
fn looking_makes_neither_subjects_nor_tokens() {
    let world = World::new();
    for class in MODES {
        world.look(Verb::Protect, "1", class, "Anna");
        world.clear("1", class, "Anna");
    }
    let stats = block(world.vault.stats()).unwrap();
    assert_eq!((stats.subjects, stats.links, stats.tokens), (0, 0, 0));
}

#[test]
fn the_fields_of_one_record_belong_to_one_subject() {
    let world = World::new();
    let (one, other) = (Sensitive::new("1".to_owned()), Sensitive::new("2".to_owned()));
    let text = Sensitive::new("Anna".to_owned());
    let ask = |record, class| Ask { record, class: world.class(class), column: Column::default(), text: &text };
    let asks = [ask(&one, "note"), ask(&one, "iban"), ask(&other, "note"), ask(&one, "email"), ask(&one, "code")];
    let made = block(world.forms(Verb::Protect).change(&asks)).unwrap();
    let subject = |outcome: &Outcome| match outcome {
        Outcome::New(text) => {
            crate::crypto::Envelope::parse(text.expose()).ok().and_then(|envelope| envelope.subject())
        }
        other => panic!("{other:?}"),
    };
    assert!(subject(&made[0]).is_some() && subject(&made[0]) == subject(&made[1]));
    assert_ne!(subject(&made[0]), subject(&made[2]));
    assert!(subject(&made[3]).is_none() && subject(&made[4]).is_none());
    world.new_text(Verb::Protect, "1", "note", "more");
    let stats = block(world.vault.stats()).unwrap();
    assert_eq!((stats.subjects, stats.links, stats.tokens), (2, 2, 1));
}

#[test]
fn after_a_rotation_old_values_are_stale_and_are_sealed_anew_for_the_same_subject() {
    let mut world = World::new();
    let old: Vec<String> = ["iban", "note", "code", "number"]
        .iter()
        .map(|class| world.new_text(Verb::Protect, "1", class, "Anna"))
        .collect();
    for class in ["iban", "note", "code", "number"] {
        let id = world.file.rotate(class, None, now()).unwrap();
        world.file.promote(id, Propagation::Confirmed, now()).unwrap();
    }
    for (class, old) in ["iban", "note", "code", "number"].iter().zip(&old) {
        let (form, before, wants) = world.look(Verb::Rewrap, "1", class, old);
        assert_eq!((form, wants), (Form::Stale, Wants::Another), "{class}");
        assert_eq!(world.change(Verb::Protect, "1", class, Column::default(), old), Outcome::Unchanged, "{class}");
        let new = world.new_text(Verb::Rewrap, "1", class, old);
        let (form, after, _) = world.look(Verb::Rewrap, "1", class, &new);
        assert_eq!(form, Form::Current, "{class}");
        assert_ne!(before, after, "{class}");
        assert_eq!(world.clear("1", class, &new), Reading::Text(Sensitive::new("Anna".to_owned())));
        let subject = |text: &str| crate::crypto::Envelope::parse(text).unwrap().subject();
        assert_eq!(subject(old), subject(&new), "{class}");
    }
    assert_eq!(block(world.vault.stats()).unwrap().subjects, 1);
}

#[test]
fn values_of_another_class_or_a_strict_ones_of_another_record_are_left_alone() {
    let world = World::new();
    let (note, iban) =
        (world.new_text(Verb::Protect, "1", "note", "Anna"), world.new_text(Verb::Protect, "1", "iban", "DE1"));
    world.new_text(Verb::Protect, "2", "note", "Bob");
    let refused = Outcome::Unreadable(Why::Damaged);
    for verb in [Verb::Protect, Verb::Unprotect, Verb::Rewrap] {
        assert_eq!(world.change(verb, "1", "note", Column::default(), &iban), refused, "another class");
        assert_eq!(world.change(verb, "2", "iban", Column::default(), &iban), refused, "another record, strict");
        assert_eq!(world.change(verb, "1", "email", Column::default(), &note), refused, "another class, and a token's");
    }
    assert_eq!(world.new_text(Verb::Unprotect, "2", "note", &note), "Anna", "another record, relaxed");
    let cut = &note[..note.len() - 1];
    assert_eq!(world.change(Verb::Unprotect, "1", "note", Column::default(), cut), Outcome::Unreadable(Why::Truncated));
}

#[test]
fn what_fits_is_known_before_anything_is_made() {
    let world = World::new();
    for class in MODES {
        let exact = world.new_text(Verb::Protect, "1", class, "Anna").chars().count() as u32;
        for (max_chars, fits) in [(exact, true), (exact - 1, false)] {
            let column = Column { max_chars: Some(max_chars), folds_case: false };
            let made = world.change(Verb::Protect, "1", class, column, "Berta");
            // One letter more than before.
            let longer = matches!(class, "note" | "iban" | "code" | "number");
            let column = Column { max_chars: Some(max_chars + 8 * u32::from(longer)), folds_case: false };
            let again = world.change(Verb::Protect, "1", class, column, "Anna");
            assert_eq!(matches!(again, Outcome::New(_)), fits || longer, "{class} {max_chars}");
            assert_eq!(matches!(made, Outcome::New(_)), fits && !longer, "{class} {max_chars}");
        }
    }
}

#[test]
fn a_column_that_folds_case_gets_lower_case() {
    let world = World::new();
    let column = Column { max_chars: None, folds_case: true };
    for class in MODES {
        let Outcome::New(text) = world.change(Verb::Protect, "1", class, column, "Anna") else { panic!("{class}") };
        assert_eq!(text.expose().to_lowercase(), *text.expose(), "{class}");
        assert_eq!(world.clear("1", class, text.expose()), Reading::Text(Sensitive::new("Anna".to_owned())), "{class}");
    }
}

#[test]
fn ids_in_a_journal_open_with_the_keys_that_sealed_them() {
    let (world, other) = (World::new(), World::new());
    let root = crate::crypto::RootKey::generate().unwrap();
    let keys = |world: &World| {
        let mac = root.derive(crate::crypto::Purpose::Sweep, "acme").unwrap();
        JournalKeys::new(mac, Arc::new(world.file.open().unwrap()))
    };
    let id: RecordId = Sensitive::new("person-1".to_owned());
    let sealed = keys(&world).seal(id.expose().as_bytes()).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("person"));
    assert_eq!(keys(&world).open(&sealed).unwrap().expose(), id.expose().as_bytes());
    assert!(keys(&other).open(&sealed).is_none());
}
