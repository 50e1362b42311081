//! What the lexer takes and refuses, whatever the chunks.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    formats::path::Paths,
    model::{BodyMap, ClassId, FieldRule},
};

/// Hides every selected leaf behind `#`.
#[derive(Default)]
struct Hide {
    leaves: Vec<String>,
}

impl Handler for Hide {
    type Error = JsonError;

    fn leaf(&mut self, _node: &Node, leaf: Leaf<'_>, _at: u64, out: &mut Vec<u8>) -> Result<Edit, JsonError> {
        self.leaves.push(format!("{leaf:?}"));
        quote("#", out);
        Ok(Edit::Replaced)
    }
}

fn paths(selectors: &[&str]) -> Arc<Paths> {
    let class = ClassId::new(0).unwrap();
    let rule = |text: &&str| FieldRule { selector: text.parse().unwrap(), class, base64: false };
    Arc::new(Paths::compile(&BodyMap { fields: selectors.iter().map(rule).collect(), ..BodyMap::default() }).unwrap())
}

fn run<'a>(
    paths: &Arc<Paths>,
    limits: Limits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<String>), JsonError> {
    let (mut out, mut hide) = (Vec::new(), Hide::default());
    let mut splicer = Splicer::new(Arc::clone(paths), limits);
    for chunk in chunks {
        splicer.push(chunk, &mut out, &mut hide)?;
    }
    splicer.finish(&mut out, &mut hide)?;
    assert_eq!(splicer.written(), out.len() as u64);
    Ok((out, hide.leaves))
}

fn whole(selectors: &[&str], text: &[u8]) -> Result<String, JsonFault> {
    run(&paths(selectors), Limits::default(), [text])
        .map(|(out, _)| String::from_utf8(out).unwrap())
        .map_err(|error| error.fault)
}

/// One text, whole, byte by byte and at every split: the same answer each time.
fn everywhere(selectors: &[&str], text: &[u8]) -> Result<(Vec<u8>, Vec<String>), JsonError> {
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

/// Named as in JSONTestSuite: `y_` must pass, `n_` must not.
const VALID: &[&[u8]] = &[
    b"{}", b"[]", b"0", b"-0", b"1", b"\"\"", b"true", b"false", b"null", b" 1 ", b"\t\n\r {}\t\n\r ", b"[[]   ]",
    b"[\"\"]", b"[]", b"[\"a\"]", b"[false]", b"[null, 1, \"1\", {}]", b"[null]", b"[1\n]", b" [1]", b"[1,null,null,null,2]",
    b"[2] ", b"[123e65]", b"[0e+1]", b"[0e1]", b"[ 4]", b"[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]",
    b"[20e1]", b"[-0]", b"[-123]", b"[-1]", b"[1E22]", b"[1E-2]", b"[1E+2]", b"[123e45]", b"[123.456e78]", b"[1e-2]",
    b"[1e+2]", b"[123]", b"[123.456789]", b"[1e400]", b"[-1e-400]", b"[1234567890123456789]", b"[18446744073709551616]",
    b"{\"asd\":\"sdf\", \"dfg\":\"fgh\"}", b"{\"asd\":\"sdf\"}", b"{\"a\":\"b\",\"a\":\"c\"}", b"{\"a\":\"b\",\"a\":\"b\"}",
    b"{\"\":0}", b"{\"foo\\u0000bar\": 42}", b"{ \"min\": -1.0e+28, \"max\": 1.0e+28 }",
    b"{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}",
    b"{\"a\":[]}", b"{\"title\":\"\\u041f\\u043e\\u043b\"}", b"{\n\"a\": \"b\"\n}", b"{\"a\" :\n1 , \"b\":2}",
    b"[\"\\u0060\\u012a\\u12AB\"]", b"[\"\\uD801\\udc37\"]", b"[\"\\ud83d\\ude39\\ud83d\\udc8d\"]", b"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
    b"[\"\\\\u0000\"]", b"[\"\\\"\"]", b"[\"a/*b*/c/*d//e\"]", b"[\"\\\\a\"]", b"[\"\\\\n\"]", b"[\"\\u0012\"]", b"[\"\\uFFFF\"]",
    b"[\"asd\"]", b"[ \"asd\"]", b"[\"\\uDBFF\\uDFFF\"]", b"[\"new\\u00A0line\"]", "[\"\u{10ffff}\"]".as_bytes(),
    "[\"\u{ffff}\"]".as_bytes(), b"[\"\\u0000\"]", b"[\"\\u002c\"]", "[\"\u{3c0}\"]".as_bytes(), "[\"\u{1bfff}\"]".as_bytes(),
    b"[\"asd \"]", b"\" \"", b"[\"\\u0821\"]", b"[\"\\u0123\"]", "[\"\u{2028}\"]".as_bytes(), "[\"\u{2029}\"]".as_bytes(),
    b"[\"\\u0061\\u30af\\u30EA\\u30b9\"]", "[\"new\u{a0}line\"]".as_bytes(), b"[\"\x7f\"]", b"[\"\\uA66D\"]", b"[\"\\u005C\"]",
    "[\"⍂㈴⍂\"]".as_bytes(), b"[\"\\u200B\"]", b"[\"\\u2064\"]", b"[\"\\uFDD0\"]", b"[\"\\u0022\"]", b"[\"a\x7fa\"]",
    "{\"é\":\"\u{feff}\"}".as_bytes(), b"[\"\\uD800\"]", b"[\"\\uDFAA\"]", b"[\"\\uD800\\uD800\\n\"]", b"[\"\\uDd1e\\uD834\"]",
    b"{\"a\":{\"b\":{\"c\":[[[{}]]]}}}", b"[1,2,3,[4,[5,[6]]]]", b"[true,false,null,-1.5e10,\"s\",{\"k\":[]}]", b"\n\n1\n\n",
];

const INVALID: &[&[u8]] = &[
    b"",
    b" ",
    b"\n",
    b"[1 true]",
    b"[a\xe5]",
    b"[\"\": 1]",
    b"[\"\"],",
    b"[,1]",
    b"[1,,2]",
    b"[\"x\",,]",
    b"[\"x\"]]",
    b"[\"\",]",
    b"[\"x\"",
    b"[x",
    b"[3[4]]",
    b"[\xff]",
    b"[1:2]",
    b"[,]",
    b"[-]",
    b"[   , \"\"]",
    b"[\"a\",\n4\n,1,",
    b"[1,]",
    b"[\"\\va\"]",
    b"[*]",
    b"[\"\"",
    b"[1,",
    b"[1,\n1\n,1",
    b"[{}",
    b"[fals]",
    b"[nul]",
    b"[tru]",
    b"[True]",
    b"nan",
    b"[++1234]",
    b"[+1]",
    b"[+Inf]",
    b"[-01]",
    b"[-1.0.]",
    b"[-2.]",
    b"[-NaN]",
    b"[.-1]",
    b"[.2e-3]",
    b"[0.1.2]",
    b"[0.3e+]",
    b"[0.3e]",
    b"[0.e1]",
    b"[0E+]",
    b"[0E]",
    b"[0e+]",
    b"[0e]",
    b"[1.0e+]",
    b"[1.0e-]",
    b"[1.0e]",
    b"[1 000.0]",
    b"[1eE2]",
    b"[2.e+3]",
    b"[2.e-3]",
    b"[2.e3]",
    b"[9.e+]",
    b"[Inf]",
    b"[NaN]",
    "[\u{ff11}]".as_bytes(),
    b"[1+2]",
    b"[0x1]",
    b"[0x42]",
    b"[Infinity]",
    b"[0e+-1]",
    b"[-123.123foo]",
    b"[123\xe5]",
    b"[1e1\xe5]",
    b"[0\xe5]",
    b"[-Infinity]",
    b"[-foo]",
    b"[- 1]",
    b"[-012]",
    b"[-.123]",
    b"[-1x]",
    b"[1ea]",
    b"[1.]",
    b"[.123]",
    b"[1.2a-3]",
    b"[1.8011670033376514H-308]",
    b"[012]",
    b"[\"x\", truth]",
    b"{[: \"x\"}\n",
    b"{\"x\", null}",
    b"{\"x\"::\"b\"}",
    "{\u{1f1e8}}".as_bytes(),
    b"{\"a\":\"a\" 123}",
    b"{key: 'value'}",
    b"{\"\xb9\":\"0\",}",
    b"{\"a\" b}",
    b"{:\"b\"}",
    b"{\"a\" \"b\"}",
    b"{\"a\":",
    b"{\"a\"",
    b"{1:1}",
    b"{9999E9999:1}",
    b"{null:null,null:null}",
    b"{\"id\":0,,,,,}",
    b"{'a':0}",
    b"{\"id\":0,}",
    b"{\"a\":\"b\"}/**/",
    b"{\"a\":\"b\"}/**//",
    b"{\"a\":\"b\"}//",
    b"{\"a\":\"b\"}/",
    b"{\"a\":\"b\",,\"c\":\"d\"}",
    b"{a: \"b\"}",
    b"{\"a\":\"a",
    b"{ \"foo\" : \"bar\", \"a\" }",
    b"{\"a\":\"b\"}#",
    b"[\"\\uD800\\\"]",
    b"[\"\\uD800\\u\"]",
    b"[\"\\uD800\\u1\"]",
    b"[\"\\uD800\\u1x\"]",
    "[é]".as_bytes(),
    b"[\"\\\x00\"]",
    b"[\"\\x00\"]",
    b"[\"\\\\\\\"]",
    b"[\"\\\t\"]",
    "[\"\\🌀\"]".as_bytes(),
    b"[\"\\\"]",
    b"[\"\\u00A\"]",
    b"[\"\\uD834\\uDd\"]",
    b"[\"\\uD800\\uD800\\x\"]",
    b"[\"\\u\xe5\"]",
    b"[\"\\a\"]",
    b"[\"\\uqqqq\"]",
    b"[\"\\\xe5\"]",
    b"[\\u0020\"asd\"]",
    b"[\\n]",
    b"\"",
    b"['single quote']",
    b"abc",
    b"[\"\\",
    b"[\"a\x00a\"]",
    b"[\"new\nline\"]",
    b"[\"\t\"]",
    b"\"\\UA66D\"",
    b"\"\"x",
    b"<.>",
    b"[<null>]",
    b"[1]x",
    b"[1]]",
    b"[\"asd]",
    b"aTrue",
    b"[True]",
    b"1]",
    b"{\"x\": true,",
    b"[][]",
    b"]",
    b"\xef\xbb\xbf{}",
    b"\xef\xbb\xbf",
    b"\xe5",
    b"[",
    b"123\x00",
    b"2@",
    b"{}}",
    b"{\"\":",
    b"{\"a\":/*comment*/\"b\"}",
    b"{\"a\": true} \"x\"",
    b"['",
    b"[,",
    b"[{",
    b"[\"a",
    b"[\"a\"",
    b"{",
    b"{]",
    b"{,",
    b"{[",
    b"{\"a",
    b"{'a'",
    b"[\"\\{[\"\\{[\"\\{[\"\\{",
    b"*",
    b"{\"a\":\"b\"}#{}",
    b"[\\u000A\"\"]",
    b"[1",
    b"[ false, nul",
    b"[ true, fals",
    b"[ false, tru",
    b"{\"asd\":\"asd\"",
    "\u{e5}".as_bytes(),
    b"[\xe2\x81\xa0]",
    b"[\x0c]",
    b"\x0b1",
    b"\xc2\xa0{}",
    b"[\"\xff\"]",
    b"[\"\xc0\xaf\"]",
    b"[\"\xed\xa0\x80\"]",
    b"[\"\xf4\xbf\xbf\xbf\"]",
    b"[\"\xe6\x97\"]",
    b"[\"\x81\"]",
    b"{\"\xff\":1}",
    b"[\"\xe0\xff\"]",
    b"{\"\\ud800\":1}",
    b"{\"a\":{\"\\udc00\":1}}",
    b"1 2",
    b"truefalse",
    b"true,",
    b"-",
    b"1e",
    b"{\"a\" 1}",
    b"[1}",
    b"{\"a\":1]",
    b"[\"a\"\"b\"]",
    b"[1 2]",
    b"{\"a\":1 \"b\":2}",
];

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
        assert_eq!(whole(&["$.a"], text.as_bytes()), Err(JsonFault::LoneSurrogate));
    }
}

#[test]
fn depth_passes_at_the_limit_and_not_past_it() {
    let limits = Limits { depth: 5, ..Limits::default() };
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
        assert!(run(&paths(&[]), limits, [nested(5).as_bytes()]).is_ok());
        assert_eq!(run(&paths(&[]), limits, [nested(6).as_bytes()]).unwrap_err().fault, JsonFault::TooDeep);
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
                assert!(got.is_ok() || got.unwrap_err().fault == JsonFault::ValueTooLong);
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
    assert_eq!(splicer.push(b"1", &mut out, &mut hide).unwrap_err().fault, JsonFault::Failed);
    assert!(splicer.finish(&mut out, &mut hide).is_err());
}

#[test]
fn errors_name_the_byte() {
    let error = run(&paths(&[]), Limits::default(), br#"{"a":1,"b":x}"#.chunks(4)).unwrap_err();
    assert_eq!(error, JsonError { at: 11, fault: JsonFault::Unexpected });
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
