//! What an agent sees of a message, however the server writes it; what a request asks for.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use fieldgate::{
    model::{Sensitive, View},
    rewrite::{
        Answers, Layout, Limits, Plan, RewriteError,
        mcp::{Answered, Expected, Kind, Message, MessageError, Reply, Seen},
    },
};

use crate::rewriter;

/// A tool's plan and the one for everything else.
fn plans() -> (Arc<Plan>, Arc<Plan>) {
    let fixture = rewriter::fields(&[("$.name", "name"), ("$.email", "email")]);
    let mut fixture = fixture.see("name", View::Pseudonym).see("email", View::Pseudonym).records("", "$.id");
    fixture.map.closed = vec!["$".parse().unwrap()];
    fixture.map.plain = vec!["$.note".parse().unwrap()];
    let tool = fixture.plan();
    let other = Plan { layout: Arc::new(Layout::catch_all(&fixture.classes)), ..(*tool).clone() };
    (tool, Arc::new(other))
}

fn answered(message: &str, opened: &[(Sensitive<String>, String)]) -> Answered {
    let (tool, other) = plans();
    let reply = Reply::parse(message.as_bytes(), Limits::default(), Expected::Tool { id: "1", media: false }).unwrap();
    let answers = Answers::default();
    let seen = Seen { tool: &tool, other: &other, answers: &answers, opened, gate: None, finds: false, names: 0 };
    reply.show(&seen).unwrap()
}

fn shown(result: &Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string();
    serde_json::from_slice::<Value>(&answered(&message, &[]).bytes).unwrap()["result"].clone()
}

#[test]
fn a_name_in_prose_is_hidden_whole_and_word_by_word_in_any_case() {
    let result = shown(&json!({
        "content": [{ "type": "text", "text": "Anna-Lena MÜLLER (anna) called; annals of Al. Müllers?" }],
        "structuredContent": { "id": "1", "name": "Anna-Lena Müller" },
    }));
    let person = result["structuredContent"]["name"].as_str().unwrap();
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(!text.to_lowercase().contains("lena") && !text.contains("(anna)"), "{text}");
    assert!(text.contains("annals of Al.") && text.contains(person), "{text}");
}

#[test]
fn the_order_in_which_text_and_record_come_makes_no_difference() {
    let (content, record) =
        (json!([{ "type": "text", "text": "ask Rosa Quirin" }]), json!({ "id": "1", "name": "Rosa Quirin" }));
    for message in [
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":{content},"structuredContent":{record}}}}}"#),
        format!(r#"{{"result":{{"structuredContent":{record},"content":{content}}},"id":1,"jsonrpc":"2.0"}}"#),
    ] {
        let text = String::from_utf8(answered(&message, &[]).bytes).unwrap();
        assert!(!text.contains("Rosa") && !text.contains("Quirin"), "{text}");
    }
}

#[test]
fn texts_that_hold_records_are_read_as_records() {
    let record = json!({ "id": "1", "name": "Rosa Quirin", "note": "plain", "new": { "deep": ["Unmapped"] } });
    for (text, kept) in [
        (record.to_string(), true),
        (serde_json::to_string_pretty(&record).unwrap(), true),
        (format!("{record}\n{record}\n"), true),
        (format!("\u{a0}{record}"), false),
        (format!("{record} and more"), false),
        (record.to_string()[..60].to_owned(), false),
        (r#"{"id":"1","id":"2","name":"Rosa Quirin"}"#.to_owned(), false),
    ] {
        for result in [
            json!({ "content": [{ "type": "text", "text": text }] }),
            json!({ "content": [{ "type": "resource", "resource": { "uri": "crm://1", "text": text } }] }),
        ] {
            let shown = shown(&result).to_string();
            assert!(!shown.contains("Quirin") && !shown.contains("Unmapped"), "{text}: {shown}");
            assert_eq!(shown.contains("plain"), kept, "{text}: {shown}");
        }
    }
}

#[test]
fn what_nobody_can_read_is_withheld() {
    for item in [
        json!({ "type": "image", "data": "Q2FuYXJ5", "mimeType": "image/png" }),
        json!({ "type": "audio", "data": "Q2FuYXJ5" }),
        json!({ "type": "video", "data": "Canary" }),
        json!({ "type": "resource", "resource": { "uri": "crm://Canary", "blob": "Q2FuYXJ5" } }),
        json!({ "type": "resource", "resource": "Canary" }),
        json!({ "type": "text", "text": { "x": "Canary" } }),
        json!({ "type": "text", "text": "ok", "extra": "Canary" }),
        json!({ "text": "Canary" }),
        json!("Canary"),
        json!(["Canary"]),
    ] {
        let result =
            json!({ "content": [item], "structuredContent": { "id": "1", "name": "Canary" }, "more": "Canary" });
        let text = shown(&result).to_string();
        assert!(!text.contains("Canary") && !text.contains("Q2FuYXJ5"), "{item}: {text}");
    }
    for result in [json!("Canary"), json!(["Canary"]), json!({ "content": "Canary" }), json!({ "isError": "Canary" })] {
        assert!(!shown(&result).to_string().contains("Canary"), "{result}");
    }
}

#[test]
fn a_value_that_was_opened_is_said_by_its_pseudonym() {
    let opened = [(Sensitive::new("Rosa Quirin".to_owned()), "Person 0123456789ab".to_owned())];
    let message = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"saved rosa quirin"},{"type":"text","text":"{\"new\":\"x\"}"}]}}"#;
    let text = String::from_utf8(answered(message, &opened).bytes).unwrap();
    assert!(text.contains("saved Person 0123456789ab"), "{text}");
    let failed = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no rosa quirin","data":{"rosa quirin":1}}}"#;
    let text = String::from_utf8(answered(failed, &opened).bytes).unwrap();
    assert!(!text.to_lowercase().contains("quirin"), "{text}");
}

#[test]
fn pseudonyms_are_told_with_their_field_and_their_record() {
    let message =
        r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"name":"Rosa","email":"r@example.com","id":"C-1"}}}"#;
    let told = answered(message, &[]).pseudonyms;
    let told: Vec<_> = told
        .iter()
        .map(|one| (one.field.as_str(), one.record.expose().as_str(), one.value.expose().as_str()))
        .collect();
    assert_eq!(told, [("$.name", "C-1", "\"Rosa\""), ("$.email", "C-1", "\"r@example.com\"")]);
    let nobody = r#"{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"name":"Rosa"}}}"#;
    assert!(answered(nobody, &[]).pseudonyms.is_empty());
}

#[test]
fn a_result_that_nobody_asked_for_is_an_error() {
    let message = br#"{"jsonrpc":"2.0","id":"x","result":{"structuredContent":{"name":"Rosa"}}}"#;
    let reply = Reply::parse(message, Limits::default(), Expected::Nothing).unwrap();
    let (tool, other) = plans();
    let answers = Answers::default();
    let seen = Seen { tool: &tool, other: &other, answers: &answers, opened: &[], gate: None, finds: false, names: 0 };
    let shown: Value = serde_json::from_slice(&reply.show(&seen).unwrap().bytes).unwrap();
    assert_eq!((&shown["id"], &shown["error"]["code"], shown.get("result")), (&json!("x"), &json!(-32_000), None));
}

/// Any JSON with a canary in each of its texts and names.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!("Canary Quirin")),
        Just(json!("ask canary@example.com or Canary")),
        Just(json!("{\"name\":\"Canary Quirin\"}")),
        Just(json!("[\"Canary\"]")),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    let name = prop_oneof![
        Just("name"),
        Just("email"),
        Just("note"),
        Just("id"),
        Just("text"),
        Just("type"),
        Just("uri"),
        Just("blob"),
        Just("resource"),
        Just("data"),
        Just("annotations"),
        Just("x")
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn no_shape_of_a_result_shows_a_name_that_its_record_hides(
        content in anything(), more in anything(), kinds in proptest::collection::vec(0..5_usize, 3), pretty: bool,
    ) {
        let kind = |at: usize| ["text", "resource", "resource_link", "image", "other"][kinds[at]];
        let mut items: Vec<Value> = match content {
            Value::Array(items) => items,
            other => vec![other],
        };
        for (at, item) in items.iter_mut().enumerate().take(3) {
            if let Value::Object(item) = item {
                item.insert("type".to_owned(), kind(at).into());
            }
        }
        // `note` and `id` are known to be plain, so the record has other texts there.
        let result = json!({ "content": items, "structuredContent": { "id": "7", "name": "Canary Quirin" }, "more": more });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "result": result });
        let message = if pretty { serde_json::to_string_pretty(&message).unwrap() } else { message.to_string() };
        let answered = answered(&message, &[]);
        let shown: Value = serde_json::from_slice(&answered.bytes).unwrap();
        // What stands as a plain leaf of some document is shown: those are taken out before looking.
        fn without_plain(value: &mut Value) {
            match value {
                Value::Object(members) => {
                    members.remove("note");
                    members.remove("id");
                    members.values_mut().for_each(without_plain);
                }
                Value::Array(items) => items.iter_mut().for_each(without_plain),
                Value::String(text) => {
                    if let Ok(mut inner) = serde_json::from_str::<Value>(text) && !inner.is_string() {
                        without_plain(&mut inner);
                        *text = inner.to_string();
                    }
                }
                _ => {}
            }
        }
        let mut rest = shown["result"].clone();
        without_plain(&mut rest);
        let text = rest.to_string();
        prop_assert!(!text.contains("Canary") && !text.contains("canary@"), "{message}\n{text}");
    }
}

#[test]
fn requests_are_what_the_protocol_has() {
    let parse = |text: &str| Message::parse(text.as_bytes(), Limits::default());
    let call = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"t","arguments":{"x":"Person 0123456789ab"},"_meta":{}}}"#;
    let message = parse(call).unwrap();
    let Kind::Call { tool, arguments: Some(at) } = &message.kind else { panic!("{message:?}") };
    assert_eq!(
        (tool.as_str(), &call[at.clone()], message.id.as_deref()),
        ("t", r#"{"x":"Person 0123456789ab"}"#, Some("\"a\""))
    );
    assert_eq!(message.stand_ins(), ["$.x"]);
    assert!(message.check_surroundings().is_ok());
    for (text, fields) in [
        (call.replace("\"t\"", "\"Person 0123456789ab\""), "$.params.name"),
        (call.replace("_meta\":{}", "_meta\":{\"a\":[\"Person 0123456789ab\"]}"), "$.params._meta.a[0]"),
        (call.replace("\"a\",", "\"Person 0123456789ab\","), "$.id"),
        (call.replace("tools/call", "ping"), "$.params.arguments.x"),
        (call.replace("\"arguments\":", "\"argumentsx\":"), "$.params.argumentsx.x"),
    ] {
        let refused = parse(&text).unwrap().check_surroundings().unwrap_err();
        assert_eq!(refused, RewriteError::MaskedValue { fields: vec![fields.to_owned()] }, "{text}");
    }
    for (text, error) in [
        ("[]", MessageError::Batch),
        ("{}", MessageError::NotRpc),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, MessageError::NotRpc),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, MessageError::NotRpc),
        (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, MessageError::Twice),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":"x"}}"#,
            MessageError::BadCall,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, MessageError::BadCall),
    ] {
        assert_eq!(parse(text), Err(error), "{text}");
    }
    assert!(matches!(parse("{"), Err(MessageError::Rewrite(RewriteError::Body(_)))));
    assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap().kind, Kind::Response);
}
