//! Stored values through the rewriter: sealed on the way in, opened on the way out, and every row of the failure table.

use std::{collections::HashMap, sync::Arc};

use fieldgate::{
    crypto::{ClassPlan, Kek, KeyFile, KeyId, KeyPurpose, Keyset, Krk, Propagation, SubjectKey},
    detect::Detector,
    model::{
        BodyMap, Class, ClassTable, Column, FieldRule, KeyScope, Linkage, MaskStyle, Mode, Normaliser, Phase,
        Sensitive, Storage, SubjectRef, Timestamp, TokenShape, View, Views,
    },
    protect::{Answers, Owners, Protector, Store, SubjectAnswer, TokenAnswer, Unopened},
    rewrite::{
        Collector, Layout, Limits, Needs, Notes, Plan, RecordKeys, ResponseView, RewriteError, Tools, seal, written,
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

const DOMAIN: &str = "fg.example.com";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Keys, classes and what a vault would know.
struct Bench {
    file: KeyFile,
    classes: ClassTable,
    views: Views,
    fields: Vec<(&'static str, &'static str, Column)>,
    record: Option<&'static str>,
    answers: Answers,
}

fn stored(mode: Mode, normaliser: Normaliser) -> Storage {
    Storage { mode, normaliser, ..Storage::CLEAR }
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    /// With the classes changed.
    fn with(change: impl Fn(&mut Class)) -> Self {
        let class = |name: &str, mask, storage| Class { name: name.into(), mask, storage, detects: vec![] };
        let mut classes = vec![
            class("email", MaskStyle::Email, stored(Mode::Token(TokenShape::Email), Normaliser::Email)),
            class("iban", MaskStyle::Iban, stored(Mode::SealIndexed, Normaliser::Id)),
            class("card", MaskStyle::Card, stored(Mode::Seal(KeyScope::Subject), Normaliser::Id)),
            class("note", MaskStyle::Full, stored(Mode::Seal(KeyScope::Class), Normaliser::Text)),
            class("id_number", MaskStyle::KeepLast(2), stored(Mode::Det, Normaliser::Id)),
            class("nickname", MaskStyle::Name, Storage::CLEAR),
        ];
        classes.iter_mut().for_each(change);
        let plans: Vec<(String, Storage)> =
            classes.iter().map(|class| (class.name.to_string(), class.storage)).collect();
        let plans: Vec<ClassPlan<'_>> =
            plans.iter().map(|(class, storage)| ClassPlan { class, storage: *storage }).collect();
        let kek = Kek { provider: "file".into(), uri: String::new(), context: Default::default() };
        let file = KeyFile::new("acme", &plans, kek, vec![1], Krk::generate().unwrap(), NOW).unwrap();
        let classes = ClassTable::new(classes).unwrap();
        let mut views = Views::default();
        for (id, _) in classes.iter() {
            views.set(id, View::Reveal);
        }
        let plain = Column::default();
        let fields = vec![
            ("$..email", "email", plain),
            ("$..iban", "iban", plain),
            ("$..card", "card", plain),
            ("$..note", "note", plain),
            ("$..number", "id_number", plain),
            ("$..nickname", "nickname", plain),
        ];
        Self { file, classes, views, fields, record: None, answers: Answers::default() }
    }

    fn see(mut self, class: &str, view: View) -> Self {
        self.views.set(self.classes.id(class).unwrap(), view);
        self
    }

    fn keys(&self) -> Arc<Keyset> {
        Arc::new(self.file.open().unwrap())
    }

    fn plan(&self) -> Arc<Plan> {
        let rule = |(selector, class, column): &(&str, &str, Column)| FieldRule {
            selector: selector.parse().unwrap(),
            class: self.classes.id(class).unwrap(),
            base64: false,
            column: *column,
        };
        let map = BodyMap {
            fields: self.fields.iter().map(rule).collect(),
            record: self.record.map(|record| record.parse().unwrap()),
            subject: Some("$.id".parse().unwrap()),
            ..BodyMap::default()
        };
        let root = fieldgate::crypto::RootKey::generate().unwrap();
        Arc::new(Plan {
            layout: Arc::new(Layout::compile(&map, &self.classes).unwrap()),
            views: self.views.clone(),
            tools: Arc::new(Tools {
                classes: Arc::new(self.classes.clone()),
                protector: Protector::new(root.derive(fieldgate::crypto::Purpose::Pseudonym, "").unwrap()),
                detector: Detector::new(),
                store: Some(Store::new(self.keys(), DOMAIN, Some("US"))),
            }),
            links: None,
            known: Arc::new([]),
            subject: None,
            limits: Limits::default(),
        })
    }

    /// What the gateway does with a written body: every record without an id gets a subject, every ask a token.
    fn write(&mut self, body: &Value) -> Result<Value, RewriteError> {
        let plan = self.plan();
        let body = body.to_string();
        let writes = written(&plan, body.as_bytes())?;
        let mut keys = Vec::new();
        for record in &writes.records {
            let id = record.id.as_ref().map(|id| id.expose().clone());
            let known = id.as_ref().and_then(|id| self.answers.records.get(id));
            let known = known.and_then(|owners| owners.subjects.first()).copied();
            let subject = match known.and_then(|known| self.answers.subjects.get(&known)) {
                Some(SubjectAnswer::Live { key, .. }) => key.clone(),
                _ => SubjectKey::generate().unwrap(),
            };
            if record.needs_subject {
                let linked = id.is_some();
                self.answers.subjects.insert(subject.reference(), SubjectAnswer::Live { key: subject.clone(), linked });
                let owners = Owners { subjects: vec![subject.reference()], erased: false };
                self.answers.records.extend(id.map(|id| (id, owners)));
            }
            let mut tokens = HashMap::new();
            for ask in &record.tokens {
                let class = self.classes.name(ask.class);
                let token = self.keys().mint_token(class, ask.shape, DOMAIN).unwrap();
                let value = TokenAnswer::Value {
                    class: class.into(),
                    text: ask.text.clone(),
                    holders: vec![subject.reference()],
                };
                self.answers.tokens.insert(token.clone(), value);
                tokens.insert((ask.class, ask.text.expose().clone()), token);
            }
            keys.push(RecordKeys { subject: record.needs_subject.then_some(subject), tokens });
        }
        let owner = writes.records.first().and_then(|record| record.id.as_ref());
        let owner = owner.and_then(|id| self.answers.records.get(id.expose()));
        let owner = owner.and_then(|owners| owners.subjects.first()).copied();
        let sealed = seal(&plan, body.as_bytes(), &keys, &self.answers, owner)?;
        Ok(serde_json::from_slice(&sealed.body).unwrap())
    }

    /// What the caller of a read sees, and what was met.
    fn read(&self, body: &Value) -> (Value, Notes) {
        let text = body.to_string();
        let (out, notes) = self.read_chunks([text.as_bytes()]);
        (serde_json::from_slice(&out).unwrap(), notes)
    }

    fn read_chunks<'a>(&self, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<u8>, Notes) {
        let plan = self.plan();
        let mut collector = Collector::new(&plan).unwrap();
        let mut view = ResponseView::new(plan);
        let (mut out, mut notes) = (Vec::new(), Notes::default());
        for chunk in chunks {
            let needs = collector.push(chunk).unwrap();
            view.answer(self.answered(&needs));
            view.push(chunk, &mut out).unwrap();
            let more = view.take_notes();
            notes.unopened.iter_mut().zip(more.unopened).for_each(|(sum, count)| *sum += count);
            notes.moved += more.moved;
            notes.outdated += more.outdated;
            notes.legacy.extend(more.legacy);
            notes.bypassed.extend(more.bypassed);
            notes.learned.extend(more.learned);
        }
        let _ = view.finish(&mut out).unwrap();
        (out, notes)
    }

    /// Only what was asked for: what was not is not there.
    fn answered(&self, needs: &Needs) -> Answers {
        let records: HashMap<String, Owners> = self
            .answers
            .records
            .iter()
            .filter(|(id, _)| needs.records.contains(*id))
            .map(|(id, owners)| (id.clone(), owners.clone()))
            .collect();
        let wanted = |subject: &SubjectRef| needs.subjects.contains(subject);
        Answers {
            subjects: self.answers.subjects.iter().filter(|(s, _)| wanted(s)).map(|(s, a)| (*s, a.clone())).collect(),
            tokens: needs
                .tokens
                .iter()
                .map(|token| (token.clone(), self.answers.tokens.get(token).cloned().unwrap_or(TokenAnswer::Unknown)))
                .collect(),
            records,
        }
    }

    fn count(notes: &Notes, why: Unopened) -> u64 {
        notes.unopened[Unopened::ALL.iter().position(|one| *one == why).unwrap()]
    }

    fn key(&self, purpose: KeyPurpose, class: &str) -> KeyId {
        let found = self.file.keys().find(|key| key.purpose == purpose && &*key.class == class);
        found.unwrap().id
    }
}

fn jane() -> Value {
    json!({
        "id": "C-1", "email": "Jane.Doe@Example.com", "iban": "DE89 3704 0044 0532 0130 00", "card": "4111 1111 1111 1111",
        "note": "likes tea \u{1f375}\nand \"quotes\"", "number": "AB123", "nickname": "jd", "age": 41
    })
}

const UNAVAILABLE: &str = "⟦fg:unavailable⟧";
const ERASED: &str = "⟦fg:erased⟧";

#[test]
fn what_is_written_is_stored_in_its_form_and_read_as_it_was() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    for field in ["iban", "card", "note", "number"] {
        assert!(stored[field].as_str().unwrap().starts_with("fg1_"), "{field}");
    }
    let email = stored["email"].as_str().unwrap();
    assert!(email.starts_with("fg1t") && email.ends_with("@fg.example.com") && email.len() == 43);
    assert_eq!((&stored["nickname"], &stored["age"], &stored["id"]), (&json!("jd"), &json!(41), &json!("C-1")));
    let (shown, notes) = bench.read(&stored);
    assert_eq!(shown, jane());
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_caller_who_may_see_less_sees_the_mask_of_the_opened_value() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    let bench = bench.see("email", View::Mask).see("card", View::Mask).see("iban", View::Redact);
    let (shown, _) = bench.read(&stored);
    assert_eq!(shown["email"], "J•••@Example.com");
    assert_eq!(shown["card"], "•••• •••• •••• 1111");
    assert_eq!(shown["iban"], "[iban •••]");
}

#[test]
fn null_and_empty_tokens_stay_and_an_empty_sealed_text_hides_that_it_is_empty() {
    let mut bench = Bench::new();
    let body = json!({ "id": "C-1", "email": "", "iban": null, "card": "", "note": "" });
    let stored = bench.write(&body).unwrap();
    assert_eq!((&stored["email"], &stored["iban"]), (&json!(""), &Value::Null));
    assert!(stored["card"].as_str().unwrap().starts_with("fg1_"));
    assert_eq!(bench.read(&stored).0, body);
}

#[test]
fn each_record_of_a_batch_has_its_own_subject() {
    let mut bench = Bench::new();
    bench.record = Some("$.records[*]");
    let body = json!({ "records": [{ "card": "4111", "id": "1" }, { "id": "2", "card": "4222" }, { "card": "4333" }] });
    let stored = bench.write(&body).unwrap();
    assert_eq!(bench.answers.subjects.len(), 3);
    let (shown, notes) = bench.read(&stored);
    assert_eq!(shown, body);
    assert_eq!((notes.moved, notes.learned.len()), (0, 0), "a record without an id teaches nothing");
}

#[test]
fn a_subject_without_a_record_is_learnt_where_it_is_first_seen() {
    let mut bench = Bench::new();
    let stored = bench.write(&json!({ "card": "4111" })).unwrap();
    let (_, notes) = bench.read(&json!({ "id": "C-9", "card": stored["card"] }));
    assert_eq!(notes.learned.len(), 1);
    assert_eq!(notes.learned[0].record, Sensitive::new("C-9".to_owned()));
}

// The failure table (field-protection.md §8), reads.

#[test]
fn an_unknown_key_is_a_placeholder_and_the_rest_of_the_page_goes_on() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    let other = Bench { answers: bench.answers.clone(), ..Bench::new() };
    let (shown, notes) = other.read(&stored);
    assert_eq!((&shown["card"], &shown["nickname"]), (&json!(UNAVAILABLE), &json!("jd")));
    assert!(Bench::count(&notes, Unopened::UnknownKey) >= 3, "{notes:?}");
}

#[test]
fn a_disabled_key_hides_and_a_destroyed_one_has_erased() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    let old = bench.key(KeyPurpose::Seal, "card");
    let new = bench.file.rotate("card", None, NOW).unwrap();
    bench.file.promote(new, Propagation::Confirmed, NOW).unwrap();
    let (shown, notes) = bench.read(&stored);
    assert_eq!(shown["card"], "4111 1111 1111 1111", "a retiring key still opens");
    assert_eq!(notes.outdated, 1);
    bench.file.retire(old, fieldgate::crypto::Residual::Counted(0), NOW).unwrap();
    let (shown, notes) = bench.read(&stored);
    assert_eq!((&shown["card"], Bench::count(&notes, Unopened::Disabled)), (&json!(UNAVAILABLE), 1));
    bench.file.destroy(old, 0, NOW).unwrap();
    let (shown, notes) = bench.read(&stored);
    assert_eq!((&shown["card"], Bench::count(&notes, Unopened::Erased)), (&json!(ERASED), 1));
}

#[test]
fn an_erased_subject_or_token_says_so_and_others_go_on() {
    let mut bench = Bench::new();
    let (jane, joe) = (bench.write(&jane()).unwrap(), bench.write(&json!({ "id": "C-2", "card": "4222" })).unwrap());
    let gone = bench.answers.records["C-1"].subjects[0];
    bench.answers.subjects.insert(gone, SubjectAnswer::Erased);
    bench.answers.records.insert("C-1".into(), Owners { subjects: vec![], erased: true });
    let (shown, notes) = bench.read(&jane);
    assert_eq!((&shown["card"], &shown["iban"], &shown["email"]), (&json!(ERASED), &json!(ERASED), &json!(ERASED)));
    assert_eq!(Bench::count(&notes, Unopened::Erased), 3);
    assert_eq!(bench.read(&joe).0["card"], "4222");
}

#[test]
fn a_value_changed_in_any_way_is_a_placeholder() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    let card = stored["card"].as_str().unwrap();
    for (changed, why) in [
        (card[..card.len() - 5].to_owned(), Unopened::Truncated),
        (card.replace("fg1_E", "fg1_F"), Unopened::Tampered),
        (
            format!("{}{}", &card[..card.len() - 8], card[card.len() - 8..].chars().rev().collect::<String>()),
            Unopened::Tampered,
        ),
        (format!("{card}!"), Unopened::Tampered),
        ("fg1_".to_owned(), Unopened::Truncated),
    ] {
        let (shown, notes) = bench.read(&json!({ "id": "C-1", "card": changed }));
        assert_eq!(shown["card"], UNAVAILABLE, "{changed}");
        assert_eq!(notes.hidden(), 1, "{why:?} {notes:?}");
    }
}

#[test]
fn a_ciphertext_in_a_field_of_another_class_is_shown_as_the_stricter_of_both_allows() {
    let mut bench = Bench::new();
    let stored = bench.write(&jane()).unwrap();
    let moved = json!({ "id": "C-1", "nickname": stored["iban"], "note": stored["email"] });
    let masked = bench.see("iban", View::Mask).see("email", View::Redact);
    let (shown, _) = masked.read(&moved);
    assert_eq!(shown["nickname"], "DE•• •••• 3000");
    assert_eq!(shown["note"], "[email •••]");
    let strict_field = masked.see("iban", View::Reveal).see("nickname", View::Redact);
    assert_eq!(strict_field.read(&moved).0["nickname"], "[nickname •••]");
}

#[test]
fn a_value_on_another_record_is_counted_when_relaxed_and_hidden_when_strict() {
    let mut bench = Bench::new();
    let jane = bench.write(&jane()).unwrap();
    let _ = bench.write(&json!({ "id": "C-2", "card": "4222" })).unwrap();
    let copied = json!({ "id": "C-2", "card": jane["card"], "email": jane["email"] });
    let (shown, notes) = bench.read(&copied);
    assert_eq!((&shown["card"], notes.moved), (&json!("4111 1111 1111 1111"), 2));
    let mut strict = Bench::with(|class| class.storage.linkage = Linkage::Strict);
    let jane = strict.write(&json!({ "id": "C-1", "card": "4111", "email": "a@b.example" })).unwrap();
    let _ = strict.write(&json!({ "id": "C-2", "card": "4222" })).unwrap();
    let (shown, notes) = strict.read(&json!({ "id": "C-2", "card": jane["card"], "email": jane["email"] }));
    assert_eq!((&shown["card"], &shown["email"]), (&json!(UNAVAILABLE), &json!(UNAVAILABLE)));
    assert_eq!(Bench::count(&notes, Unopened::Moved), 2);
    assert_eq!(strict.read(&jane).0["card"], "4111", "at home it opens");
}

#[test]
fn clear_values_are_viewed_while_they_are_expected_and_masked_for_everybody_after() {
    let body = jane();
    let enforced = Bench::new();
    let (shown, notes) = enforced.read(&body);
    assert_eq!((&shown["card"], &shown["nickname"]), (&json!("•••• •••• •••• 1111"), &json!("jd")));
    assert_eq!((notes.bypassed.len(), notes.legacy.len()), (5, 0));
    let mixed = Bench::with(|class| class.storage.phase = Phase::Mixed);
    let (shown, notes) = mixed.read(&body);
    assert_eq!((shown, notes.legacy.len(), notes.bypassed.len()), (body, 5, 0));
}

// The failure table, writes.

#[test]
fn a_value_that_does_not_fit_its_column_is_refused_with_both_lengths() {
    let mut bench = Bench::new();
    bench.fields[2].2 = Column { max_chars: Some(113), folds_case: false };
    let error = bench.write(&json!({ "card": "4111 1111 1111 1111 11" })).unwrap_err();
    assert_eq!(error, RewriteError::TooLong { fields: vec!["$.card (116 of 113 characters)".into()] });
    bench.fields[2].2.max_chars = Some(116);
    assert!(bench.write(&json!({ "card": "4111 1111 1111 1111 11" })).is_ok());
}

#[test]
fn a_column_that_folds_case_gets_lower_case() {
    let mut bench = Bench::new();
    bench.fields[2].2 = Column { max_chars: None, folds_case: true };
    let stored = bench.write(&json!({ "id": "C-1", "card": "4111" })).unwrap();
    let card = stored["card"].as_str().unwrap();
    assert_eq!(card, card.to_lowercase());
    assert_eq!(bench.read(&json!({ "id": "C-1", "card": card.to_uppercase() })).0["card"], "4111");
}

#[test]
fn numbers_and_booleans_of_a_stored_class_are_refused() {
    let mut bench = Bench::new();
    let error = bench.write(&json!({ "card": 4111, "note": true, "age": 1 })).unwrap_err();
    assert_eq!(error, RewriteError::Unstorable { fields: vec!["$.card".into(), "$.note".into()] });
}

#[test]
fn a_stored_form_goes_back_only_to_where_it_came_from() {
    let mut bench = Bench::new();
    let jane = bench.write(&jane()).unwrap();
    let _ = bench.write(&json!({ "id": "C-2", "card": "4222", "email": "joe@example.com" })).unwrap();
    let again =
        json!({ "id": "C-1", "card": jane["card"], "iban": jane["iban"], "email": jane["email"], "note": "new" });
    let stored = bench.write(&again).unwrap();
    assert_eq!((&stored["card"], &stored["email"]), (&jane["card"], &jane["email"]), "no double sealing");
    for (body, field) in [
        (json!({ "id": "C-2", "card": jane["card"], "note": "x" }), "$.card"),
        (json!({ "id": "C-2", "email": jane["email"], "note": "x" }), "$.email"),
        (json!({ "id": "C-1", "nickname": jane["iban"] }), "$.nickname"),
        (json!({ "id": "C-1", "iban": jane["card"] }), "$.iban"),
        (json!({ "id": "C-1", "note": jane["note"] }), "$.note"),
        (json!({ "card": jane["card"] }), "$.card"),
        (json!({ "id": "C-1", "card": "fg1_AAAA" }), "$.card"),
        (json!({ "id": "C-1", "email": "fg1taaisem2ekvthpcez6m6ahadj@fg.example.com" }), "$.email"),
    ] {
        let error = bench.write(&body).unwrap_err();
        assert_eq!(error, RewriteError::Injected { fields: vec![field.into()] }, "{body}");
    }
}

#[test]
fn a_form_is_stored_like_the_object_of_its_pairs() {
    let mut bench = Bench::new();
    let json = fieldgate::rewrite::form::to_json(b"email=jane%40example.com&nickname=j+d&card=4111").unwrap();
    let stored = bench.write(&serde_json::from_slice(&json).unwrap()).unwrap();
    let form = fieldgate::rewrite::form::from_json(&serde_json::to_vec(&stored).unwrap()).unwrap();
    let form = String::from_utf8(form).unwrap();
    assert!(form.contains("nickname=j%20d") && form.contains("card=fg1_") && !form.contains("jane"), "{form}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_comes_back_in_any_chunking(
        card in ".{0,40}", note in "\\PC{0,300}", email in "[a-zA-Z0-9.]{1,20}@[a-z]{1,9}\\.example",
        cut in 1_usize..400,
    ) {
        let mut bench = Bench::new();
        let body = json!({ "id": "C-1", "card": card, "note": note, "email": email });
        prop_assume!(!fieldgate::protect::is_stand_in(&card) && !card.starts_with("fg1") && !card.starts_with("+999"));
        prop_assume!(!note.starts_with("fg1") && !note.starts_with("+999"));
        let stored = bench.write(&body).unwrap();
        let text = stored.to_string();
        if card.len() > 3 { prop_assert!(!text.contains(&serde_json::to_string(&card).unwrap())); }
        prop_assert!(!text.contains(&email));
        let (whole, notes) = bench.read_chunks([text.as_bytes()]);
        prop_assert!(notes.is_empty());
        prop_assert_eq!(serde_json::from_slice::<Value>(&whole).unwrap(), body);
        let (cut, _) = bench.read_chunks(text.as_bytes().chunks(cut));
        prop_assert_eq!(cut, whole);
    }
}
