//! Events, whatever the chunks.

use std::sync::Arc;

use proptest::prelude::*;

use super::MAX_LINES;
use crate::{
    formats::{
        Fault, Limits, Reader, Stream,
        path::Paths,
        testing::{Told, everyhow, paths, read},
    },
    model::BodyFormat,
};

const SSE: BodyFormat = BodyFormat::Sse;

fn run(text: &str) -> Result<(String, Told), Fault> {
    everyhow(SSE, &paths(&["$.a"]), Limits::default(), text.as_bytes()).map_err(|error| error.fault)
}

#[test]
fn json_data_is_a_document_and_other_data_is_free_text() {
    let text = "\u{feff}: hello secret\r\n\r\nevent: x\rid: 7\r\rdata: {\"a\":\"jé\",\r\ndata: \"b\":[1]}\r\nretry: 10\r\n\r\n\
                data:two secret\ndata\ndata:  lines\n\nwho: knows\n\ndata: [DONE]\n\nevent: secret\ndata: [{\"a\":\"no\"}]\n\n";
    let (out, told) = run(text).unwrap();
    assert_eq!(
        out,
        ":\n\nevent: x\nid: 7\n\ndata: {\"a\":\"#2\", \"b\":[1]}\nretry: 10\n\ndata: two #\ndata: \ndata:  lines\n\n\n\
         data: [DONE]\n\nevent: #\ndata: [{\"a\":\"no\"}]\n\n"
    );
    assert_eq!(told.leaves(), ["jé"]);
}

#[test]
fn an_event_is_in_the_output_as_soon_as_its_last_byte_is_in_the_input() {
    let mut reader = Reader::new(SSE, paths(&["$.a"]), Limits::default());
    let (mut out, mut told) = (Vec::new(), Told::default());
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r\n", "\r\n\n"] {
        out.clear();
        for byte in format!("data: {{\"a\":\"x\"}}{}", &end[..end.len() - 1]).as_bytes() {
            reader.push(&[*byte], &mut out, &mut told).unwrap();
        }
        // The line feed of a last CR LF says nothing more.
        if end != "\r\n\r\n" && end != "\n\r\n" {
            assert_eq!(out, b"", "{end:?}");
            reader.push(&end.as_bytes()[end.len() - 1..], &mut out, &mut told).unwrap();
        } else {
            reader.push(b"\n", &mut out, &mut told).unwrap();
        }
        assert_eq!(out, b"data: {\"a\":\"#1\"}\n\n", "{end:?}");
    }
}

#[test]
fn what_starts_like_json_and_is_none_is_refused() {
    for text in ["data: {\"a\":\n\n", "data: {\"a\":1}}\n\n", "data: [\"a\"\n\n", "data: {DONE}\n\n", "data: {'a':'x'}"]
    {
        assert!(run(text).is_err(), "{text}");
    }
    for text in ["data: [DONE]\n\n", "data: 12\n\n", "data: \"x\"\n\n", "data: plain", "data: [1,2\n\n"] {
        assert_eq!(run(text).unwrap().0.trim_end(), text.trim_end());
    }
    let whole = everyhow(SSE, &paths(&["$"]), Limits::default(), b"data: \"x\"\n\n").unwrap();
    assert_eq!(whole.0, "data: \"#1\"\n\n", "a selector of the data itself");
    assert_eq!(run("data: a\0b\n\n").unwrap_err(), Fault::Nul);
    let latin = read(SSE, &paths(&[]), Limits::default(), [&b"data: \xe9\n\n"[..]]);
    assert_eq!(latin.unwrap_err().fault, Fault::Utf8);
}

#[test]
fn an_event_is_as_long_as_the_limits_and_not_more() {
    let limits = Limits { record_bytes: 32, ..Limits::default() };
    let run = |length: usize| {
        let text = format!("data: {}\n\ndata: {}\n\n", "x".repeat(length), "y".repeat(length));
        everyhow(SSE, &paths(&[]), limits, text.as_bytes()).map_err(|error| error.fault).map(|_| ())
    };
    assert_eq!((run(26), run(27)), (Ok(()), Err(Fault::ObjectTooLong)));
    let lines = |count: usize| format!("{}\n", "id: 1\n".repeat(count));
    let read = |text: String| read(SSE, &paths(&[]), Limits::default(), [text.as_bytes()]).map(|_| ());
    assert!(read(lines(MAX_LINES)).is_ok());
    assert_eq!(read(lines(MAX_LINES + 1)).unwrap_err().fault, Fault::ObjectTooLong);
}

/// The standard's algorithm, by itself: each event's name, id and data.
fn events(text: &str) -> Vec<(String, String, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let (mut events, mut name, mut id, mut data) = (Vec::new(), String::new(), String::new(), Vec::new());
    for line in text.split('\n') {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "" if line.is_empty() => {
                if !data.is_empty() {
                    events.push((std::mem::take(&mut name), id.clone(), data.join("\n")));
                }
                (name, data) = (String::new(), Vec::new());
            }
            "event" => name = value,
            "id" => id = value,
            "data" => data.push(value),
            _ => {}
        }
    }
    events
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_client_sees_the_same_events_whatever_the_chunks_and_line_ends(
        lines in prop::collection::vec(
            (prop::sample::select(vec!["data: a", "data:b é", "data", "id: 4", "event: e", ": c", "x: y", "retry: 5", "", ""]),
             prop::sample::select(vec!["\n", "\r", "\r\n"])),
            0..30,
        ),
        size in 1_usize..40,
    ) {
        let text: String = lines.iter().map(|(line, end)| format!("{line}{end}")).collect();
        let nothing = Arc::new(Paths::nothing());
        let whole = read(SSE, &nothing, Limits::default(), [text.as_bytes()]).unwrap();
        prop_assert_eq!(&whole, &read(SSE, &nothing, Limits::default(), text.as_bytes().chunks(size)).unwrap());
        prop_assert_eq!(events(&whole.0), events(&text));
    }
}
