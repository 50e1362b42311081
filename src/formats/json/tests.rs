//! What the lexer takes and refuses, whatever the chunks.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    texts::{INVALID, VALID},
    *,
};
use crate::{
    formats::{
        Edit, Fault, FormatError, Handler, Limits, Out, Stream,
        path::{Node, Paths},
    },
    model::{BodyMap, ClassId, Column, FieldRule, Leaf},
};

/// Hides every selected leaf behind `#`.
#[derive(Default)]
struct Hide {
    leaves: Vec<String>,
}

impl Handler for Hide {
    type Error = FormatError;

    fn leaf(&mut self, _node: &Node, leaf: Leaf<'_>, _at: u64, out: &mut Out<'_>) -> Result<Edit, FormatError> {
        self.leaves.push(format!("{leaf:?}"));
        out.text("#");
        Ok(Edit::Replaced)
    }
}

pub(super) fn paths(selectors: &[&str]) -> Arc<Paths> {
    let class = ClassId::new(0).unwrap();
    let rule =
        |text: &&str| FieldRule { selector: text.parse().unwrap(), class, base64: false, column: Column::default() };
    Arc::new(Paths::compile(&BodyMap { fields: selectors.iter().map(rule).collect(), ..BodyMap::default() }).unwrap())
}

pub(super) fn run<'a>(
    paths: &Arc<Paths>,
    limits: Limits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<String>), FormatError> {
    let (mut out, mut hide) = (Vec::new(), Hide::default());
    let mut splicer = Splicer::new(Arc::clone(paths), limits);
    for chunk in chunks {
        splicer.push(chunk, &mut out, &mut hide)?;
    }
    splicer.finish(&mut out, &mut hide)?;
    assert_eq!(splicer.written(), out.len() as u64);
    Ok((out, hide.leaves))
}

fn whole(selectors: &[&str], text: &[u8]) -> Result<String, Fault> {
    run(&paths(selectors), Limits::default(), [text])
        .map(|(out, _)| String::from_utf8(out).unwrap())
        .map_err(|error| error.fault)
}

/// One text, whole, byte by byte and at every split: the same answer each time.
pub(super) fn everywhere(selectors: &[&str], text: &[u8]) -> Result<(Vec<u8>, Vec<String>), FormatError> {
    let paths = paths(selectors);
    let expected = run(&paths, Limits::default(), [text]);
    for split in 0..=text.len() {
        let (left, right) = text.split_at(split);
        let got = run(&paths, Limits::default(), [left, right]);
        assert_eq!(got.as_ref().ok(), expected.as_ref().ok(), "split at {split} of {}", String::from_utf8_lossy(text));
    }
    let got = run(&paths, Limits::default(), text.chunks(1));
    assert_eq!(got.as_ref().ok(), expected.as_ref().ok(), "byte by byte: {}", String::from_utf8_lossy(text));
    expected
}

#[test]
fn valid_texts_come_out_byte_for_byte() {
    assert!(VALID.len() > 90);
    for text in VALID {
        let (out, leaves) = everywhere(&[], text).unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(text)));
        assert_eq!((out.as_slice(), leaves.len()), (*text, 0));
    }
}

#[test]
fn invalid_texts_are_refused() {
    assert!(INVALID.len() > 150);
    for text in INVALID {
        for selectors in [&[][..], &["$..*"], &["$..id"]] {
            assert!(everywhere(selectors, text).is_err(), "{selectors:?} {}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn serde_json_agrees_about_every_text() {
    for text in VALID {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok(), "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_text_cut_anywhere_is_not_complete() {
    let text = br#"{"a":[1,-2.5e3,"x\u0041y\n","\ud83d\ude00",true,false,null,{"b":{}}],"c":"\u00e9"}"#;
    for selectors in [&[][..], &["$.a"], &["$..[?@.b=='x']"]] {
        let paths = paths(selectors);
        for end in 0..text.len() {
            assert!(run(&paths, Limits::default(), [&text[..end]]).is_err(), "{end}");
            assert!(run(&paths, Limits::default(), text[..end].chunks(3)).is_err(), "{end}");
        }
        assert!(run(&paths, Limits::default(), [&text[..]]).is_ok());
    }
}

#[test]
fn duplicates_and_escaped_names_are_selected() {
    assert_eq!(
        whole(&["$.email"], br#"{"email":"a","em\u0061il":"b", "Email":"c"}"#).unwrap(),
        r##"{"email":"#","em\u0061il":"#", "Email":"c"}"##
    );
}

#[test]
fn objects_and_arrays_are_selected_leaf_by_leaf() {
    let text = br#"{"a":{"x":[1,"b",{"y":null}],"z":true},"b":1}"#;
    assert_eq!(whole(&["$.a"], text).unwrap(), r##"{"a":{"x":["#","#",{"y":"#"}],"z":"#"},"b":1}"##);
}

#[test]
fn names_indices_wildcards_and_descendants_are_followed() {
    let text = br#"{"a":[{"n":1},{"n":2}],"b":{"n":3,"c":[{"n":[4]}]}}"#;
    for (selector, expected) in [
        ("$.a[1].n", r##"{"a":[{"n":1},{"n":"#"}],"b":{"n":3,"c":[{"n":[4]}]}}"##),
        ("$.a[*].n", r##"{"a":[{"n":"#"},{"n":"#"}],"b":{"n":3,"c":[{"n":[4]}]}}"##),
        ("$.*.n", r##"{"a":[{"n":1},{"n":2}],"b":{"n":"#","c":[{"n":[4]}]}}"##),
        ("$..n", r##"{"a":[{"n":"#"},{"n":"#"}],"b":{"n":"#","c":[{"n":["#"]}]}}"##),
        ("$..[0]", r##"{"a":[{"n":"#"},{"n":2}],"b":{"n":3,"c":[{"n":["#"]}]}}"##),
        ("$.b..n[0]", r##"{"a":[{"n":1},{"n":2}],"b":{"n":3,"c":[{"n":["#"]}]}}"##),
        ("$", r##"{"a":[{"n":"#"},{"n":"#"}],"b":{"n":"#","c":[{"n":["#"]}]}}"##),
    ] {
        let (out, _) = everywhere(&[selector], text).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{selector}");
    }
}

#[test]
fn a_sibling_decides_wherever_it_stands() {
    let text = br#"[{"values":["1"],"name":"Card"},{"name":"Other","values":["2"]},{"name":"Card","values":["3",[4]]},
        {"name":"Other","values":["5"],"name":"C\u0061rd"},7,"Card",["Card"],{"in":{"name":"Card","values":["6"]},"values":["8"]}]"#;
    let (out, leaves) = everywhere(&["$[?@.name == 'Card'].values[*]"], text).unwrap();
    assert_eq!(leaves, ["Text(\"1\")", "Text(\"3\")", "Number(\"4\")", "Text(\"5\")"]);
    assert!(String::from_utf8(out).unwrap().contains(r#"{"name":"Other","values":["2"]}"#));
    let (_, leaves) = everywhere(&["$..[?@.name == 'Card'].values"], text).unwrap();
    assert_eq!(leaves, ["Text(\"1\")", "Text(\"3\")", "Number(\"4\")", "Text(\"5\")", "Text(\"6\")"]);
}

#[test]
fn several_filters_on_one_object_are_all_asked() {
    let selectors = ["$.f[?@.n=='a'].v", "$.f[?@.n=='b'].v", "$.f[?@.k=='x'].w", "$.f[?@.n=='a'][?@.deep=='y'].v"];
    let text = br#"{"f":[{"n":"a","v":1,"w":2},{"n":"b","v":3,"k":"x","w":4},{"n":"a","n":"b","k":"x","v":5,"w":6,"o":{"v":7,"deep":"y"}}]}"#;
    let (_, leaves) = everywhere(&selectors, text).unwrap();
    assert_eq!(
        leaves,
        ["Number(\"1\")", "Number(\"3\")", "Number(\"4\")", "Number(\"5\")", "Number(\"6\")", "Number(\"7\")"]
    );
}

#[test]
fn more_selectors_than_are_built_ahead_are_followed_all_the_same() {
    let selectors: Vec<String> = (0..14).map(|n| format!("$..a{n}..b{n}")).collect();
    let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let mut text = String::from("1");
    for n in (0..14).rev() {
        text = format!(r#"{{"b{n}":"{n}","a{n}":{{"b{n}":"in","x":{text}}}}}"#);
    }
    let paths = paths(&selectors);
    let (out, leaves) = run(&paths, Limits::default(), [text.as_bytes()]).unwrap();
    assert_eq!(leaves.len(), 14);
    assert_eq!(String::from_utf8(out).unwrap(), text.replace("\"in\"", "\"#\""));
}

#[test]
fn a_lone_surrogate_passes_only_where_nobody_looks() {
    for lone in [r"\ud800", r"\udc00x", r"\ud800\ud800"] {
        let text = format!(r#"{{"a":"{lone}","b":1}}"#);
        assert_eq!(whole(&["$.b"], text.as_bytes()).unwrap(), text.replace(":1", ":\"#\""));
        assert_eq!(whole(&["$.a"], text.as_bytes()), Err(Fault::LoneSurrogate));
    }
}

#[test]
fn depth_passes_at_the_limit_and_not_past_it() {
    let limits = Limits { depth: 5, ..Limits::default() };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(run(&paths(&[]), limits, [nested(5).as_bytes()]).is_ok());
        assert_eq!(run(&paths(&[]), limits, [nested(6).as_bytes()]).unwrap_err().fault, Fault::TooDeep);
    }
}

#[test]
fn values_names_and_numbers_pass_at_the_limit_and_not_past_it() {
    let limits = Limits { value_bytes: 8, ..Limits::default() };
    for (selector, text) in
        [("$.a", r#"{"a":"@"}"#), ("$.a", r#"{"@":1}"#), ("$.b", r#"{"@":1}"#), ("$.b", r#"{"a":@}"#)]
    {
        let paths = paths(&[selector]);
        for (length, passes) in [(7, true), (8, true), (9, false), (40, false)] {
            let text = text.replace('@', &"1".repeat(length));
            for size in [1, 3, text.len()] {
                let got = run(&paths, limits, text.as_bytes().chunks(size));
                assert_eq!(got.is_ok(), passes, "{text} in {size}");
                assert!(got.is_ok() || got.unwrap_err().fault == Fault::ValueTooLong);
            }
        }
    }
    let long = format!(r#"{{"b":"{}"}}"#, "x".repeat(100));
    assert!(run(&paths(&["$.a"]), limits, long.as_bytes().chunks(7)).is_ok(), "what nobody reads may be long");
}

#[test]
fn a_filtered_object_passes_at_the_limit_and_not_past_it() {
    let text = br#"[{"name":"Card","v":1}]"#;
    for (record_bytes, passes) in [(text.len() - 2, true), (text.len() - 3, false)] {
        for size in [1, 5, text.len()] {
            let limits = Limits { record_bytes, ..Limits::default() };
            assert_eq!(run(&paths(&["$[?@.name=='Card'].v"]), limits, text.chunks(size)).is_ok(), passes);
        }
    }
}

#[test]
fn a_failed_document_stays_failed_and_gives_nothing_back() {
    let (mut out, mut hide) = (b"before".to_vec(), Hide::default());
    let mut splicer = Splicer::new(paths(&["$.a"]), Limits::default());
    assert!(splicer.push(br#"{"b":1,"a":"secret",}"#, &mut out, &mut hide).is_err());
    assert_eq!(out, b"before");
    assert_eq!(splicer.push(b"1", &mut out, &mut hide).unwrap_err().fault, Fault::Failed);
    assert!(splicer.finish(&mut out, &mut hide).is_err());
}

#[test]
fn errors_name_the_byte() {
    let error = run(&paths(&[]), Limits::default(), br#"{"a":1,"b":x}"#.chunks(4)).unwrap_err();
    assert_eq!(error, FormatError { at: 11, fault: Fault::Unexpected });
    assert_eq!(error.to_string(), "unexpected byte at byte 11");
}

proptest! {
    #[test]
    fn any_bytes_do_not_panic_and_chunks_do_not_matter(bytes in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u0d8c1e-.tfn \xc3\xa9a"[..]), 0..60), size in 1_usize..9) {
        for selectors in [&[][..], &["$..a", "$..[?@.a=='a'].*"]] {
            let paths = paths(selectors);
            let whole = run(&paths, Limits::default(), [&bytes[..]]);
            let parts = run(&paths, Limits::default(), bytes.chunks(size));
            prop_assert_eq!(whole.as_ref().ok(), parts.as_ref().ok());
            let serde = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok();
            prop_assert!(serde || whole.is_err() );
        }
    }
}
