//! What a caller sees of a response body.

use std::sync::Arc;

use fieldgate::{
    model::{ClassSet, Sighting, Step, View},
    protect::redacted_text,
    rewrite::{LeafPlace, Limits, ResponseView, RewriteError, carries_personal, text_view},
};

use super::rewriter::{Fixture, catch_all, fields, view};

const SECRET: &str = "jane.secret@example.com";

#[test]
fn with_nothing_protected_the_body_is_the_same() {
    let text = " {\"a\" :\t[1e400, 1234567890123456789,\"\\ud800\\u0041\"],\r\n\"a\":{} } ";
    let nothing = fields(&[]);
    assert!(nothing.plan().layout.is_pass_through());
    assert_eq!(nothing.shown(text), text);
}

#[test]
fn numbers_next_to_a_protected_field_keep_their_spelling() {
    let text = format!(r#"{{"big":1234567890123456789,"huge":1e400,"email":"{SECRET}","z":-0.0}}"#);
    let shown = fields(&[("$.email", "email")]).shown(&text);
    assert!(
        shown.starts_with(r#"{"big":1234567890123456789,"huge":1e400,"email":""#) && shown.ends_with(r#","z":-0.0}"#)
    );
    assert!(!shown.contains("secret"));
}

#[test]
fn every_duplicate_is_protected_however_its_name_is_spelled() {
    let text = format!(r#"{{"email":"{SECRET}","em\u0061il":"{SECRET}","email":["{SECRET}",{{"x":"{SECRET}"}}]}}"#);
    let shown = fields(&[("$.email", "email")]).shown(&text);
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains(r#""em\u0061il":"#));
}

#[test]
fn the_strictest_of_several_classes_wins() {
    let fixture = fields(&[("$.x", "note"), ("$.*", "email"), ("$..x", "name")])
        .see("note", View::Reveal)
        .see("email", View::Redact)
        .see("name", View::Mask);
    let (shown, seen) = fixture.both(&format!(r#"{{"x":"{SECRET}"}}"#));
    let email = fixture.classes.get(fixture.class("email")).unwrap();
    assert_eq!(shown, format!(r#"{{"x":"{}"}}"#, redacted_text(email)));
    assert_eq!(seen, [Sighting { redact: set(&fixture, &["email"]), ..Sighting::default() }]);
}

#[test]
fn what_replaces_is_json_again() {
    let fixture = fields(&[("$.t", "free_text")]).see("email", View::Mask);
    let shown = fixture.shown(r#"{"t":"a \"quoted\"\nline, jane.secret@example.com \\ end\u0001 \ud83d\ude00"}"#);
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let text = value["t"].as_str().unwrap();
    assert!(text.starts_with("a \"quoted\"\nline, ") && text.ends_with(" \\ end\u{1} 😀") && !text.contains("secret"));
}

#[test]
fn free_text_is_searched_and_otherwise_untouched() {
    let fixture = fields(&[("$.t", "free_text")]).see("email", View::Mask);
    for same in
        [r#"{"t":"nothing\u0020here"}"#, r#"{"t":""}"#, r#"{"t":null}"#, r#"{"t":12}"#, r#"{"t":{"a":["b",true]}}"#]
    {
        assert_eq!(fixture.shown(same), same);
    }
    let (shown, seen) = fixture.both(&format!(r#"{{"t":"mail {SECRET} now"}}"#));
    assert!(shown.starts_with(r#"{"t":"mail "#) && shown.ends_with(r#" now"}"#) && !shown.contains("secret"));
    let expected =
        Sighting { reveal: set(&fixture, &["free_text"]), mask: set(&fixture, &["email"]), ..Sighting::default() };
    assert_eq!(seen, [expected]);
    let hidden = fields(&[("$.t", "free_text")]).see("free_text", View::Redact).shown(r#"{"t":"all of it"}"#);
    assert!(!hidden.contains("all of it"));
}

#[test]
fn attachments_are_searched_inside_base64() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let fixture = fields(&[("$.c", "free_text+base64"), ("$.n", "note+base64")])
        .see("email", View::Mask)
        .see("note", View::Reveal);
    let clean = format!(r#"{{"c":"{}","n":"%%"}}"#, BASE64_STANDARD.encode("nothing here"));
    assert_eq!(fixture.shown(&clean), clean);
    let dirty = BASE64_STANDARD.encode(format!("write to {SECRET} today"));
    let shown: serde_json::Value = serde_json::from_str(&fixture.shown(&format!(r#"{{"c":"{dirty}"}}"#))).unwrap();
    let text = String::from_utf8(BASE64_STANDARD.decode(shown["c"].as_str().unwrap()).unwrap()).unwrap();
    assert!(text.starts_with("write to ") && text.ends_with(" today") && !text.contains("secret"));
    let binary = BASE64_STANDARD.encode([0xff, 0xfe, 0, 1]);
    assert!(!fixture.shown(&format!(r#"{{"c":"{binary}"}}"#)).contains(&binary), "what cannot be searched is withheld");
}

#[test]
fn links_lead_to_the_gateway() {
    let fixture = fields(&[("$.both", "free_text")]).see("email", View::Mask).link(&["$.next", "$.both", "$.list[*]"]);
    let shown = fixture.shown(
        r#"{"next":"https://crm.internal:8443/a?b=1","list":["https:\/\/CRM/x","https://crm.internal:84433/","http://crm/x","https://crm",5],"other":"https://crm/x","both":"https://crm/m/jane.secret@example.com"}"#,
    );
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(value["next"], "https://gate.example/crm/a?b=1");
    assert_eq!(
        value["list"],
        serde_json::json!([
            "https://gate.example/crm/x",
            "https://crm.internal:84433/",
            "http://crm/x",
            "https://gate.example/crm",
            5
        ])
    );
    assert_eq!(value["other"], "https://crm/x");
    let both = value["both"].as_str().unwrap();
    assert!(both.starts_with("https://gate.example/crm/") && !both.contains("secret"), "{both}");
}

fn set(fixture: &Fixture, classes: &[&str]) -> ClassSet {
    classes.iter().map(|name| fixture.class(name)).collect()
}

fn subjects(seen: &[Sighting]) -> Vec<&str> {
    seen.iter().map(|one| one.subject.as_ref().map_or("-", |id| id.expose())).collect()
}

#[test]
fn records_are_seen_one_by_one_wherever_their_id_stands() {
    let fixture = fields(&[("$.items[*].email", "email"), ("$.items[*].name", "name")])
        .records("$.items[*]", "$.id")
        .see("email", View::Mask)
        .see("name", View::Reveal);
    let text = format!(
        r#"{{"items":[{{"id":"1","email":"{SECRET}"}},{{"email":"{SECRET}","name":"J","id":2}},{{"id":"3"}},{{"email":"{SECRET}"}},{{"id":"1","name":"K"}},{{"id":"4","email":null}}]}}"#
    );
    let (_, seen) = fixture.both(&text);
    assert_eq!(subjects(&seen), ["-", "1", "2"]);
    assert_eq!((seen[1].mask, seen[1].reveal), (set(&fixture, &["email"]), set(&fixture, &["name"])));
    assert_eq!(seen[0].mask, set(&fixture, &["email"]));
}

#[test]
fn the_path_names_the_subject_where_the_body_does_not() {
    let fixture = fields(&[("$.email", "email")]).path_subject("C-7");
    let text = format!(r#"{{"email":"{SECRET}","id":"C-8"}}"#);
    assert_eq!(subjects(&fixture.both(&text).1), ["C-7"]);
    assert_eq!(subjects(&fixture.records("", "$.id").both(&text).1), ["C-8"]);
    let late = fields(&[("$.email", "email")]).path_subject("C-7").records("", "$.gone");
    assert_eq!(subjects(&late.both(&text).1), ["C-7"]);
}

#[test]
fn two_ids_of_one_record_are_both_named() {
    let fixture = fields(&[("$.email", "email")]).records("", "$.id");
    let text = format!(r#"{{"id":"a","email":"{SECRET}","id":"b"}}"#);
    assert_eq!(subjects(&fixture.both(&text).1), ["a", "b"]);
}

#[test]
fn a_record_has_sixteen_ids_and_not_one_more() {
    let fixture = fields(&[("$.email", "email")]).records("", "$.id[*]");
    let body = |ids: usize| format!(r#"{{"email":"{SECRET}","id":{:?}}}"#, (0..ids).collect::<Vec<_>>());
    assert_eq!(fixture.both(&body(16)).1.len(), 16);
    assert_eq!(view(&fixture.plan(), [body(17).as_bytes()]).unwrap_err(), RewriteError::TooManySubjects);
}

#[test]
fn bytes_are_releasable_only_once_their_subject_is_known() {
    let fixture = fields(&[("$.items[*].email", "email")]).records("$.items[*]", "$.id").see("email", View::Mask);
    let plan = fixture.plan();
    let mut view = ResponseView::new(plan);
    let mut out = Vec::new();
    let head = r#"{"items":[{"a":1,"email":"#;
    view.push(format!(r#"{head}"{SECRET}","b":"#).as_bytes(), &mut out).unwrap();
    assert_eq!(view.releasable(), head.len() as u64);
    assert!(view.take_sightings().is_empty());
    view.push(br#"2,"id":"x","#, &mut out).unwrap();
    assert_eq!(view.releasable(), out.len() as u64);
    assert_eq!(subjects(&view.take_sightings()), ["x"]);
    assert!(view.take_sightings().is_empty());
    view.push(format!(r#""email":"{SECRET}"}},{{"email":"{SECRET}""#).as_bytes(), &mut out).unwrap();
    assert!(view.releasable() < out.len() as u64);
    assert_eq!(subjects(&view.take_sightings()), ["x"]);
    view.push(b"}]", &mut out).unwrap();
    assert_eq!(view.releasable(), out.len() as u64);
    assert_eq!(subjects(&view.take_sightings()), ["-"]);
    assert_eq!(view.protected_leaves(), 3);
    view.push(b"}", &mut out).unwrap();
    assert!(view.finish(&mut out).unwrap().is_empty());
}

#[test]
fn a_record_waits_for_its_id_up_to_the_limit() {
    let body = |filler: usize| format!(r#"{{"email":"{SECRET}","x":"{}","id":1}}"#, "y".repeat(filler));
    let mut fixture = fields(&[("$.email", "email")]).records("", "$.id");
    fixture.limits = Limits { record_bytes: 1000, ..Limits::default() };
    let plan = fixture.plan();
    assert!(view(&plan, body(800).as_bytes().chunks(10)).is_ok());
    assert_eq!(view(&plan, body(1100).as_bytes().chunks(10)).unwrap_err(), RewriteError::SubjectTooLate);
}

#[test]
fn an_unmapped_body_is_searched_to_its_last_leaf_and_name() {
    let fixture = catch_all().know(&["Zebulon", "4711", "7"]).see("email", View::Reveal).link(&[]);
    let text = format!(
        r#"{{"error":{{"message":"no customer with email {SECRET}","q":"name=ZEBULON&x","input":{{"{SECRET}":1,"zebulon":2,"n":4711,"m":17,"s":7,"list":["{SECRET}",[["a Zebulon b"]]]}}}},"url":"https://crm/x?email=jane.secret%40example.com","esc":"{{\"e\":\"jane.secret\\u0040example.com\"}}","home":"https://crm/home","ok":"fine"}}"#
    );
    let (shown, seen) = fixture.both(&text);
    let lower = shown.to_lowercase();
    for gone in ["secret", "zebulon", "4711", ":7", "https://crm", "no customer with"] {
        assert!(!lower.contains(gone), "{gone} in {shown}");
    }
    assert!(shown.contains(r#""m":17"#) && shown.contains(r#""ok":"fine"}"#));
    assert!(shown.contains("https://gate.example/crm/home"));
    serde_json::from_str::<serde_json::Value>(&shown).unwrap();
    assert_eq!(seen.len(), 1);
    assert!(seen[0].redact.contains(fixture.class("email")) && seen[0].reveal.is_empty());
}

#[test]
fn a_record_inside_a_text_goes_as_a_whole() {
    let shown = catch_all().shown(r#"{"trace":["at handle({\"name\":\"Ada Byron\",\"email\":\"jane.secret@example.com\"})","at main {}"],"m":"ok"}"#);
    assert!(!shown.contains("Ada") && shown.ends_with(r#","at main {}"],"m":"ok"}"#), "{shown}");
}

#[test]
fn plain_text_and_headers_are_searched_too() {
    let plan = catch_all().know(&["Zebulon"]).path_subject("C-1").plan();
    let (shown, sighting) = text_view(&plan, &format!("not found\nZebulon wrote {SECRET}\nask again\n"));
    assert_eq!(shown, "not found\n[free_text •••]\nask again\n");
    assert_eq!(sighting.unwrap().subject.unwrap().expose(), "C-1");
    assert_eq!(text_view(&plan, "all good"), ("all good".to_owned(), None));
    assert!(carries_personal(&plan.tools, &plan.known, "by zebulon"));
    assert!(carries_personal(&plan.tools, &[], "x?e=jane.secret%40example.com"));
    assert!(!carries_personal(&plan.tools, &plan.known, "nobody"));
}

#[test]
fn nothing_protected_is_in_the_output_at_any_split_before_or_after_the_decision() {
    let fixture = fields(&[
        ("$.items[*].email", "email"),
        ("$..note", "note"),
        ("$.cf[?@.name=='Card'].values", "card_number"),
        ("$.t", "free_text"),
    ]);
    let plan = fixture.plan();
    let text = format!(
        r#"{{"items":[{{"email":"{SECRET}"}},{{"email":["{SECRET}"]}}],"a":{{"note":{{"x":"{SECRET}"}}}},"cf":[{{"values":["{SECRET}"],"name":"Card"}}],"t":"xx {SECRET} {SECRET}"}}"#
    );
    for split in 0..text.len() {
        let (left, right) = text.as_bytes().split_at(split);
        let mut view = ResponseView::new(Arc::clone(&plan));
        let mut out = Vec::new();
        view.push(left, &mut out).unwrap();
        assert!(!leaks(&out), "after {split}");
        view.push(right, &mut out).unwrap();
        view.finish(&mut out).unwrap();
        assert!(!leaks(&out), "after {split} and the rest");
        // Half a body, and a body that breaks there.
        let mut view = ResponseView::new(Arc::clone(&plan));
        out.clear();
        view.push(left, &mut out).unwrap();
        let _ = view.push(b"\x01", &mut out);
        assert!(!leaks(&out), "broken at {split}");
        assert!(view.finish(&mut out).is_err());
        assert!(!leaks(&out), "ended at {split}");
    }
}

/// Whether any four letters in a row of the secret are there.
fn leaks(out: &[u8]) -> bool {
    ["jane", "secr", "ecre", "cret", "exam", "mple"]
        .iter()
        .any(|part| memchr::memmem::find(out, part.as_bytes()).is_some())
}

#[test]
fn what_is_not_json_is_not_passed() {
    let fixture = fields(&[("$.email", "email")]);
    for text in ["", "<html>", "{\"email\":\"a\"", "\u{feff}{}", "{\"email\":\"\\ud800\"}", "{}{}", "{\"a\":\"\u{1}\"}"]
    {
        assert!(view(&fixture.plan(), [text.as_bytes()]).is_err(), "{text}");
    }
}

#[test]
fn a_layout_says_what_is_at_a_place_and_nothing_where_a_filter_decides() {
    let name = |name: &str| Step::Name(name.to_owned());
    let selectors = [("$.a", "email"), ("$..deep", "name"), ("$.cf[?@.name == 'Card'].values[*]", "card_number")];
    let layout = &fields(&selectors).records("$.items[*]", "$.id").plan().layout.clone();
    for (path, expected) in [
        (vec![name("a")], LeafPlace::Protected),
        (vec![name("a"), name("b"), Step::Index(7)], LeafPlace::Protected),
        (vec![name("x"), Step::Index(3), name("deep")], LeafPlace::Protected),
        (vec![name("items"), Step::Index(2), name("id")], LeafPlace::Record),
        (vec![name("items"), Step::Index(2), name("deep")], LeafPlace::Protected),
        (vec![name("id")], LeafPlace::Plain),
        (vec![name("cf"), Step::Index(0), name("values"), Step::Index(0)], LeafPlace::Unknown),
        (vec![Step::Wildcard], LeafPlace::Unknown),
    ] {
        assert_eq!(layout.place(&path), expected, "{path:?}");
    }
    assert_eq!(catch_all().plan().layout.place(&[name("id")]), LeafPlace::Unknown);
}
