//! Lists that the guide learns, against the same records read one by one, which it does not learn.

use proptest::prelude::*;

use super::{
    tests::{everywhere, paths, run},
    *,
};
use crate::formats::{Edit, Fault, FormatError, Handler, Limits, Out, Stream, path::Node};

/// Members that a record may have: names that start alike, escaped names, other spellings of white space, every kind of
/// value, names that are found in other objects too.
const MEMBERS: &[&str] = &[
    r#""a":"1""#,
    r#" "a" : "2""#,
    r#""ab":"3""#,
    r#""abc":"4""#,
    r#""\u0061":"5""#,
    r#""a":6"#,
    r#""a":-6.5e3"#,
    r#""ab":7"#,
    r#""b":null"#,
    r#""b":{"a":"8","ab":"9"}"#,
    r#""b":{"ab":"10","a":"11"}"#,
    r#""b":[{"a":"12"},{"a":"13","x":"y"}]"#,
    r#""b":[]"#,
    r#""b":{}"#,
    r#""é":"é\"\\ü""#,
    r#""abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz":"long""#,
    "\n  \"ab\"\t:\r\n \"14\"",
    r#""kind":"x""#,
    r#""kind":"y""#,
];

fn list(records: &[Vec<usize>]) -> (Vec<String>, String) {
    let record = |members: &Vec<usize>| {
        let members: Vec<&str> = members.iter().filter_map(|at| MEMBERS.get(*at).copied()).collect();
        format!("{{{}}}", members.join(", "))
    };
    let records: Vec<String> = records.iter().map(record).collect();
    let list = format!("[{}]", records.join(","));
    (records, list)
}

/// What records become one by one: joined, they are what the list has to become.
fn one_by_one(selectors: &[&str], records: &[String]) -> (String, Vec<String>) {
    let (mut texts, mut leaves) = (Vec::new(), Vec::new());
    for record in records {
        let (out, found) = run(&paths(selectors), Limits::default(), [record.as_bytes()]).unwrap();
        texts.push(String::from_utf8(out).unwrap());
        leaves.extend(found);
    }
    (format!("[{}]", texts.join(",")), leaves)
}

const SELECTORS: &[(&[&str], &[&str])] = &[
    (&["$[*].a"], &["$.a"]),
    (&["$[*].ab", "$[*].b.a"], &["$.ab", "$.b.a"]),
    (&["$[*].b[*].a"], &["$.b[*].a"]),
    (&["$..a"], &["$..a"]),
    (&["$[?@.kind=='x'].a"], &["$[?@.kind=='x'].a"]),
    (&["$.none"], &["$.none"]),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn a_list_is_its_records(
        shapes in prop::collection::vec(prop::collection::vec(0..MEMBERS.len(), 0..7), 1..4),
        order in prop::collection::vec(0..4_usize, 60..90),
        size in 1_usize..700,
    ) {
        let records: Vec<_> = order.iter().map(|at| shapes[at % shapes.len()].clone()).collect();
        let (records, list) = list(&records);
        for (of_list, of_record) in SELECTORS {
            let paths = paths(of_list);
            let (out, leaves) = run(&paths, Limits::default(), list.as_bytes().chunks(size)).unwrap();
            if !of_list[0].contains('?') {
                let (expected, expected_leaves) = one_by_one(of_record, &records);
                prop_assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
                prop_assert_eq!(&leaves, &expected_leaves);
            }
            prop_assert_eq!((out, leaves), run(&paths, Limits::default(), list.as_bytes().chunks(1)).unwrap());
        }
    }
}

#[test]
fn a_learned_list_is_the_same_at_every_cut() {
    let shapes = [vec![0, 2, 3, 14, 9], vec![0, 3, 2, 9, 9], vec![4, 0, 1, 11, 17], vec![5, 2, 6, 3]];
    let order = (0..22).map(|n| shapes[n * 7 % 4].clone()).collect::<Vec<_>>();
    let (records, text) = list(&order);
    assert!(text.len() > 1100);
    for (of_list, of_record) in &SELECTORS[..4] {
        let (out, leaves) = everywhere(of_list, text.as_bytes()).unwrap();
        assert_eq!((String::from_utf8(out).unwrap(), leaves), one_by_one(of_record, &records));
    }
}

/// A list of 60 equal records and one more.
fn ending(last: &str) -> Vec<u8> {
    format!(r#"[{}{last}]"#, r#"{"id":1,"email":"a","emails":"b", "z":{"q":"r"}},"#.repeat(60)).into_bytes()
}

#[test]
fn what_is_wrong_in_the_last_record_of_a_learned_list_is_found() {
    let faults = [
        (r#"{"id":1,"email":"a","emails":"b", "z":{"q":"r"},}"#, Fault::Unexpected),
        (r#"{"id":1,"email":"a" "emails":"b"}"#, Fault::Unexpected),
        (r#"{"id":1,"email":"a","emails":}"#, Fault::Unexpected),
        (r#"{"id":1,"email":"a","emails":x}"#, Fault::Unexpected),
        (r#"{"id":01,"email":"a","emails":"b"}"#, Fault::Number),
        (r#"{"id":1.,"email":"a","emails":"b"}"#, Fault::Number),
        (r#"{"id":1,"email":"\ud800","emails":"b"}"#, Fault::LoneSurrogate),
        (r#"{"id":1,"email":"\x","emails":"b"}"#, Fault::String),
        ("{\"id\":1,\"email\":\"a\",\"emails\":\"\n\"}", Fault::String),
        (r#"{"id":1,"email":"a","e\ud800":"b"}"#, Fault::LoneSurrogate),
        (r#"{"id":1,"email":"a"]"#, Fault::Unexpected),
        (r#"{,"id":1}"#, Fault::Unexpected),
        (r#"{"id":1,"email":{"a":[{"email":[[[[[[1]]]]]]}]}}"#, Fault::TooDeep),
        (r#"{"id":1,"email":"0123456789"}"#, Fault::ValueTooLong),
        (r#"{"id":1,"email0123456789":1}"#, Fault::ValueTooLong),
    ];
    let limits = Limits { depth: 8, value_bytes: 9, ..Limits::default() };
    let paths = paths(&["$[*].email"]);
    for (last, fault) in faults {
        let text = ending(last);
        for size in [1, 7, text.len()] {
            let got = run(&paths, limits, text.chunks(size)).map(|_| ()).unwrap_err();
            assert_eq!(got.fault, fault, "{last} in {size}");
        }
    }
    let mut bad = ending(r#"{"id":1,"email":"a","emails":"@"}"#);
    assert!(run(&paths, limits, [&bad[..]]).is_ok());
    *bad.iter_mut().find(|byte| **byte == b'@').unwrap() = 0xff;
    assert_eq!(run(&paths, limits, [&bad[..]]).unwrap_err().fault, Fault::Utf8);
}

#[test]
fn every_name_of_a_learned_list_is_asked_for_where_all_are() {
    struct Names(usize);
    impl Handler for Names {
        type Error = FormatError;
        fn leaf(&mut self, _: &Node, _: crate::model::Leaf<'_>, _: u64, _: &mut Out<'_>) -> Result<Edit, FormatError> {
            Ok(Edit::Keep)
        }
        fn name(&mut self, _: &str, _: u64, _: &mut Out<'_>) -> Result<Edit, FormatError> {
            self.0 += 1;
            Ok(Edit::Keep)
        }
    }
    let text = ending(r#"{"id":1}"#);
    let (mut names, mut out) = (Names(0), Vec::new());
    let everything = std::sync::Arc::new(crate::formats::path::Paths::everything());
    let mut splicer = Splicer::new(everything, Limits::default());
    splicer.push(&text, &mut out, &mut names).unwrap();
    splicer.finish(&mut out, &mut names).unwrap();
    assert_eq!((names.0, out), (60 * 5 + 1, text));
}
