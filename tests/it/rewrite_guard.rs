//! What of a request body reaches the CRM.

use fieldgate::{
    model::BodyFormat,
    rewrite::{Guarded, RewriteError, WriteBack, guard_request},
};

use super::rewriter::{Fixture, fields};

fn fixture() -> Fixture {
    fields(&[
        ("$.email", "email"),
        ("$.name", "name"),
        ("$.card", "card_number"),
        ("$.tags", "note"),
        ("$.notes", "free_text"),
        ("$.file", "free_text+base64"),
        ("$.items[*].card", "card_number"),
    ])
}

fn guard(text: &str, write_back: WriteBack) -> Result<Guarded, RewriteError> {
    guard_request(&fixture().plan(), text.as_bytes(), write_back)
}

#[test]
fn a_masked_member_goes_with_its_comma() {
    for (text, expected) in [
        (r#"{"email":"j•••@x"}"#, "{}"),
        (r#"{ "email" : "j•••@x" }"#, "{  }"),
        (r#"{"email":"j•••@x","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"email":"j•••@x"}"#, r#"{"a":1}"#),
        (r#"{"a":1 , "email":"j\u2022" , "b":2}"#, r#"{"a":1 , "b":2}"#),
        (r#"{"email":"•","name":"•","a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"email":"•","name":"•"}"#, r#"{"a":1}"#),
        (r#"{"email":"•","a":1,"name":"•","b":2,"card":"•"}"#, r#"{"a":1,"b":2}"#),
        (r#"{"email":"•","name":"•"}"#, "{}"),
        (r#"{"email":"•","email":"real@example.com"}"#, r#"{"email":"real@example.com"}"#),
        (r#"{"em\u0061il":"•","a":[{}]}"#, r#"{"a":[{}]}"#),
        (r#"{"card":{"number":"•","expiry":"1"},"a":1}"#, r#"{"card":{"expiry":"1"},"a":1}"#),
        (r#"{"notes":"call [email •••] back","a":1}"#, r#"{"a":1}"#),
        (r#"{"file":"4oCi","a":1}"#, r#"{"a":1}"#),
        (r#"{"other":"•","a":1}"#, r#"{"other":"•","a":1}"#),
    ] {
        let guarded = guard(text, WriteBack::Drop).unwrap();
        assert_eq!(String::from_utf8(guarded.body).unwrap(), expected, "{text}");
        assert_eq!(guarded.dropped, guarded.dropped_fields.len());
    }
}

#[test]
fn what_goes_is_named_by_its_path() {
    let guarded = guard(r#"{"card":{"a b":"•","x'y":{"z":"•"}},"email":"•"}"#, WriteBack::Drop).unwrap();
    assert_eq!(guarded.dropped_fields, ["$.card['a b']", r"$.card['x\'y'].z", "$.email"]);
    let refused = guard(r#"{"card":{"z":["1",{"q":"•"}]},"email":"•"}"#, WriteBack::Refuse).unwrap_err();
    assert_eq!(refused, RewriteError::MaskedValue { fields: vec!["$.card.z[1].q".into(), "$.email".into()] });
}

#[test]
fn a_masked_element_cannot_be_dropped() {
    for text in [r#"{"tags":["a","•"]}"#, r#"{"items":[{"card":"•"}]}"#] {
        assert!(matches!(guard(text, WriteBack::Drop), Err(RewriteError::MaskedValue { .. })), "{text}");
    }
    let root = fields(&[("$", "note")]);
    assert!(guard_request(&root.plan(), "\"•\"".as_bytes(), WriteBack::Drop).is_err());
}

#[test]
fn a_masked_member_of_a_record_in_a_list_can_be_dropped() {
    let batch = fields(&[("$[*].email", "email"), ("$[*].tags", "note")]).records("$[*]", "$.id");
    let guard = |text: &str| guard_request(&batch.plan(), text.as_bytes(), WriteBack::Drop);
    let guarded = guard(r#"[{"id":1,"email":"•"},{"email":"•"},{"email":"a@b.example","id":3}]"#).unwrap();
    assert_eq!(String::from_utf8(guarded.body).unwrap(), r#"[{"id":1},{},{"email":"a@b.example","id":3}]"#);
    assert_eq!(guarded.dropped_fields, ["$[0].email", "$[1].email"]);
    let refused = guard(r#"[{"email":"•"},{"tags":["a","•"]}]"#).unwrap_err();
    assert_eq!(refused, RewriteError::MaskedValue { fields: vec!["$[1].tags[1]".into()] });
    let refused = guard_request(&batch.plan(), r#"[{"email":"•"}]"#.as_bytes(), WriteBack::Refuse).unwrap_err();
    assert_eq!(refused, RewriteError::MaskedValue { fields: vec!["$[0].email".into()] });
}

#[test]
fn what_is_written_is_known_by_class_and_value() {
    let fixture = fixture();
    let text =
        r#"{"email":"new@example.com","name":"","card":4711,"a":"free","file":"aGVsbG8=","tags":[null,true,"t\n"]}"#;
    let guarded = guard_request(&fixture.plan(), text.as_bytes(), WriteBack::Refuse).unwrap();
    assert_eq!(guarded.body, text.as_bytes());
    let expected = ["email", "name", "card_number", "free_text", "note"].map(|name| fixture.class(name));
    assert_eq!(guarded.written, expected.into_iter().collect());
    let known: Vec<&str> = guarded.known.iter().map(|value| value.expose().as_str()).collect();
    assert_eq!(known, ["new@example.com", "4711", "aGVsbG8=", "hello", "t\n"]);
}

#[test]
fn what_is_not_json_is_refused() {
    for text in ["", "{", "{}x", "{\"email\":\"\\udead\"}", "\u{feff}{}"] {
        assert!(matches!(guard(text, WriteBack::Drop), Err(RewriteError::Body(_))), "{text}");
    }
}

#[test]
fn a_masked_element_or_attribute_goes_whole_and_what_cannot_go_is_refused() {
    let mut fixture =
        fields(&[("$.a.email", "email"), ("$.a.card", "card_number"), ("$.a['@name']", "name"), ("$.n", "note")]);
    fixture.map.format = BodyFormat::Xml;
    let plan = fixture.plan();
    let guard = |text: &str, rule| guard_request(&plan, text.as_bytes(), rule);
    for (text, expected) in [
        ("<a><email>j•••@x</email><b>1</b></a>", "<a><b>1</b></a>"),
        ("<a name='•' x='1'> <email> &#8226; </email> </a>", "<a x='1'>  </a>"),
        ("<a><card><x>•</x><y>1</y></card><card>•</card></a>", "<a><card><y>1</y></card></a>"),
        ("<a><card><x>•</x>•</card><b/></a>", "<a><b/></a>"),
        ("<a><email><![CDATA[•]]></email><email>k@x.de</email></a>", "<a><email>k@x.de</email></a>"),
    ] {
        let guarded = guard(text, WriteBack::Drop).unwrap();
        assert_eq!(String::from_utf8(guarded.body).unwrap(), expected, "{text}");
        assert!(matches!(guard(text, WriteBack::Refuse), Err(RewriteError::MaskedValue { .. })), "{text}");
    }
    for text in ["<a><card>•<x>1</x></card></a>", "<n>•</n>"] {
        assert!(matches!(guard(text, WriteBack::Drop), Err(RewriteError::MaskedValue { .. })), "{text}");
    }
}

#[test]
fn comments_and_instructions_before_a_masked_element_do_not_move_what_goes() {
    let mut fixture = fields(&[("$.r.a.email", "email"), ("$.r.a['@phone']", "name"), ("$.r.a.name", "name")]);
    fixture.map.format = BodyFormat::Xml;
    let text = "<!-- one --><r><?p two?><a phone='•' x='1'>t<email>j•••@x</email><!-- three --><name>Jane<!-- 4 --> Doe</name>\
                <email><!-- 5 -->•</email>u</a><b/></r>";
    let guarded = guard_request(&fixture.plan(), text.as_bytes(), WriteBack::Drop).unwrap();
    let expected = "<r><a x='1'>t<name>Jane Doe</name>u</a><b/></r>";
    assert_eq!(String::from_utf8(guarded.body).unwrap(), expected);
    assert_eq!(guarded.dropped, 3);
}
