//! Lines of JSON, whatever the chunks.

use proptest::prelude::*;
use serde_json::Value;

use crate::{
    formats::{
        Fault, Limits,
        testing::{everyhow, paths, read},
    },
    model::BodyFormat,
};

const LINES: BodyFormat = BodyFormat::Ndjson;

#[test]
fn every_line_is_a_document_and_a_record() {
    let text = "{\"a\":\"x\",\"b\":[1, 2]}\r\n\n  \n{ \"a\" : \"é\" }\n[{\"a\":\"no\"}]\n\"s\"\n12\n{\"b\":{\"a\":\"no\"},\"a\":1.5}";
    let (out, told) = everyhow(LINES, &paths(&["$.a"]), Limits::default(), text.as_bytes()).unwrap();
    assert_eq!(told.leaves(), ["x", "é", "1.5"]);
    assert_eq!(told.records(), 6);
    assert_eq!(out, text.replace("\"x\"", "\"#1\"").replace("\"é\"", "\"#1\"").replace("1.5", "\"#3\""));
}

#[test]
fn a_document_that_does_not_end_on_its_line_is_refused() {
    for (text, fault) in [
        ("{\"a\":\n1}\n", Fault::Truncated),
        ("{}\n{\"a\":1\n", Fault::Truncated),
        ("{\"a\":\"x\n", Fault::String),
        ("{}{}\n", Fault::Trailing),
        ("{} 1\n", Fault::Trailing),
        ("{}\n{\"a\":", Fault::Truncated),
        ("{}\n\u{feff}{}\n", Fault::Unexpected),
        ("\u{feff}{}\n", Fault::ByteOrderMark),
        ("{}\n{\"a\" 1}\n", Fault::Unexpected),
    ] {
        let read = everyhow(LINES, &paths(&["$.a"]), Limits::default(), text.as_bytes());
        assert_eq!(read.unwrap_err().fault, fault, "{text:?}");
    }
    let cut = read(LINES, &paths(&[]), Limits::default(), [&b"{}\n\xc3"[..]]);
    assert_eq!(cut.unwrap_err().fault, Fault::Truncated);
    for text in ["", "\n", " \r\n", "{}", "{}\n", "1\n2"] {
        assert_eq!(everyhow(LINES, &paths(&[]), Limits::default(), text.as_bytes()).unwrap().0, text);
    }
}

#[test]
fn limits_hold_on_every_line_at_and_one_past() {
    let limits = Limits { depth: 3, value_bytes: 4, ..Limits::default() };
    let run = |text: &str| everyhow(LINES, &paths(&["$.a"]), limits, text.as_bytes()).map_err(|error| error.fault);
    assert!(run("{\"a\":\"1234\"}\n{\"b\":[[1]]}\n{\"a\":\"1234\"}").is_ok());
    assert_eq!(run("{\"a\":\"1234\"}\n{\"a\":\"12345\"}").unwrap_err(), Fault::ValueTooLong);
    assert_eq!(run("{\"b\":[[1]]}\n{\"b\":[[[1]]]}").unwrap_err(), Fault::TooDeep);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn serde_json_sees_the_same_lines_but_for_the_selected_member(
        rows in prop::collection::vec(("[a-c\"\\\\é\n]{0,9}", any::<i32>(), "[a-z ]{0,30}", 0_usize..3), 1..60),
        size in 1_usize..200,
    ) {
        let line = |(email, id, note, shape): &(String, i32, String, usize)| {
            let (email, note) = (Value::from(email.as_str()).to_string(), Value::from(note.as_str()).to_string());
            match shape {
                0 => format!("{{\"id\":{id},\"email\":{email},\"note\":{note}}}\n"),
                1 => format!("{{\"id\":{id},\"note\":{note},\"email\":{email}}}\r\n"),
                _ => format!("{{ \"email\": {email}, \"sub\": {{\"email\":{note}}}, \"id\": {id} }}\n\n"),
            }
        };
        let text: String = rows.iter().map(line).collect();
        let paths = paths(&["$.email"]);
        let whole = read(LINES, &paths, Limits::default(), [text.as_bytes()]).unwrap();
        prop_assert_eq!(&whole, &read(LINES, &paths, Limits::default(), text.as_bytes().chunks(size)).unwrap());
        let values = |text: &str| -> Vec<Value> {
            text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        for (mut before, after) in values(&text).into_iter().zip(values(&whole.0)) {
            before["email"] = format!("#{}", before["email"].as_str().unwrap().chars().count()).into();
            prop_assert_eq!(before, after);
        }
        prop_assert_eq!(whole.1.records(), rows.len());
    }
}
