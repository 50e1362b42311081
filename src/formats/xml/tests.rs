//! What the reader takes and refuses, whatever the chunks.

use proptest::prelude::*;

use crate::{
    formats::{
        Fault, Limits,
        testing::{Told, everyhow, paths, read},
    },
    model::BodyFormat,
};

const XML: BodyFormat = BodyFormat::Xml;

fn run(selectors: &[&str], text: &str) -> Result<(String, Told), Fault> {
    everyhow(XML, &paths(selectors), Limits::default(), text.as_bytes()).map_err(|error| error.fault)
}

fn shown(selectors: &[&str], text: &str) -> Result<String, Fault> {
    run(selectors, text).map(|(out, _)| out)
}

#[test]
fn texts_and_attributes_are_told_by_local_name_and_everything_else_is_the_same() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding='UTF-8'?>\n<s:Env xmlns:s=\"urn:s\"><s:Body>\n <c:Rec c:id=\"1&amp;2\" x='keep'>\n  \
                <c:Email>\n jane@é.c </c:Email><Email/><Email></Email><a>&lt;&#65; x]]&gt;<![CDATA[<&]]></a>\n  \
                <Note>a&amp;<![CDATA[b<c]]>d</Note></c:Rec></s:Body></s:Env>\n";
    let (out, told) = run(&["$.Env.Body.Rec.Email", "$.Env.Body.Rec['@id']", "$..Note", "$..['@x']"], text).unwrap();
    assert_eq!(told.leaves(), ["1&2", "keep", "jane@é.c", "a&b<cd"]);
    let expected = text.replace("1&amp;2", "#3").replace("jane@é.c", "#8").replace("a&amp;<![CDATA[b<c]]>d", "#6");
    assert_eq!(out, expected);
    assert_eq!(shown(&[], text).as_deref(), Ok(text));
}

#[test]
fn what_is_below_a_protected_element_is_protected_but_for_what_schema_says() {
    let text =
        "<a><b xsi:type=\"xsd:string\" xmlns:q=\"urn:q\" t=\"x\">one<c xsi:nil=\"true\">two</c> three </b><b>4</b></a>";
    assert_eq!(
        shown(&["$.a.b"], text).as_deref(),
        Ok(
            "<a><b xsi:type=\"xsd:string\" xmlns:q=\"urn:q\" t=\"#1\">#3<c xsi:nil=\"true\">#3</c> #5 </b><b>#1</b></a>"
        )
    );
}

#[test]
fn comments_and_instructions_do_not_go_out_and_do_not_cut_a_value() {
    let text =
        "<!-- a --><?p b?><a><!-- jane --><b>Ja<!-- x -->ne<?p y?> D</b><c>x<!-- > -->y<?q ?></c></a><!-- end -->";
    let (out, told) = run(&["$.a.b"], text).unwrap();
    assert_eq!((out.as_str(), told.leaves()), ("<a><b>#6</b><c>xy</c></a>", vec!["Jane D"]));
    assert_eq!(shown(&["$.a.b"], "<a><b>keep<!-- jane --> &amp;</b></a>").as_deref(), Ok("<a><b>keep &amp;</b></a>"));
    assert_eq!(shown(&["$.a.b"], "<a><b><!-- jane --></b></a>").as_deref(), Ok("<a><b></b></a>"));
}

#[test]
fn what_could_mean_something_else_is_refused() {
    for (text, fault) in [
        ("<!DOCTYPE a><a/>", Fault::Doctype),
        ("<a><!ENTITY x 'y'></a>", Fault::Doctype),
        ("<a>&nbsp;</a>", Fault::Entity),
        ("<a b='&x;'/>", Fault::Entity),
        ("<a>x & y z long</a>", Fault::Entity),
        ("<?xml version='1.0' encoding='latin1'?><a/>", Fault::Encoding),
        ("<?xml version='1.1'?><a/>", Fault::Encoding),
        ("<a/><?xml version='1.0'?>", Fault::Tag),
        ("<a></b>", Fault::Tag),
        ("<a><b></a></b>", Fault::Tag),
        ("<a b=1/>", Fault::Tag),
        ("<a b='1' b='2'/>", Fault::Tag),
        ("<a b='<'/>", Fault::Tag),
        ("<a:b:c/>", Fault::Tag),
        ("<1/>", Fault::Tag),
        ("< a/>", Fault::Tag),
        ("</a>", Fault::Tag),
        ("<a/>x", Fault::Trailing),
        ("<a/><b/>", Fault::Trailing),
        ("x<a/>", Fault::Unexpected),
        ("<a>\u{1}</a>", Fault::Control),
        ("", Fault::Truncated),
        (" ", Fault::Truncated),
        ("<a>", Fault::Truncated),
        ("<a><b>x", Fault::Truncated),
        ("<a", Fault::Truncated),
        ("<a/><!--", Fault::Truncated),
        ("<a>&am", Fault::Truncated),
        ("<a><![CDATA[x</a>", Fault::Truncated),
    ] {
        for selectors in [&[][..], &["$.a"], &["$..*"]] {
            assert_eq!(shown(selectors, text), Err(fault), "{text:?} with {selectors:?}");
        }
    }
    let utf16: Vec<u8> = "<a/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(read(XML, &paths(&[]), Limits::default(), [&utf16[..]]).is_err());
}

#[test]
fn limits_hold_at_and_one_past() {
    let limits = Limits { depth: 3, value_bytes: 40, ..Limits::default() };
    let run = |text: &str| everyhow(XML, &paths(&["$.a.b"]), limits, text.as_bytes()).map(|_| ()).map_err(|e| e.fault);
    assert_eq!(run("<a><b><c/></b></a>"), Ok(()));
    assert_eq!(run("<a><b><c><d/></c></b></a>"), Err(Fault::TooDeep));
    let text = |length: usize| format!("<a><b>{}</b></a>", "x".repeat(length));
    assert_eq!((run(&text(40)), run(&text(41))), (Ok(()), Err(Fault::ValueTooLong)));
    let tag = |length: usize| format!("<a><{}/></a>", "x".repeat(length - 3));
    assert_eq!((run(&tag(40)), run(&tag(41))), (Ok(()), Err(Fault::ValueTooLong)));
    let long = format!("<a><c>{0}</c><!--{0}--><c><![CDATA[{0}]]></c></a>", "x".repeat(500));
    assert_eq!(run(&long), Ok(()), "what nobody asked for is not held");
}

/// An independent reading: the text of every element by its path, in order.
fn parse(text: &str) -> Vec<(String, String)> {
    let (mut path, mut found) = (Vec::<String>::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let value = before.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        if !value.trim().is_empty() {
            found.push((path.join("/"), value.trim().to_owned()));
        }
        let (tag, after) = after.split_once('>').unwrap();
        if tag.starts_with('/') {
            path.pop();
        } else if !tag.ends_with('/') {
            path.push(tag.split(' ').next().unwrap().to_owned());
        }
        rest = after;
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn another_parser_sees_the_same_document_but_for_the_selected_element(
        records in prop::collection::vec(("[a<&>é\"]{0,9}", "[ -~]{0,20}", any::<bool>()), 0..12),
        size in 1_usize..80,
    ) {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let one = |(email, note, pretty): &(String, String, bool)| {
            let gap = if *pretty { "\n  " } else { "" };
            format!("<rec>{gap}<Email>{}</Email>{gap}<Note a=\"1\">{}</Note><x/></rec>", escape(email), escape(note))
        };
        let text = format!("<env><body>{}</body></env>", records.iter().map(one).collect::<String>());
        let paths = paths(&["$.env.body.rec.Email"]);
        let whole = read(XML, &paths, Limits::default(), [text.as_bytes()]).unwrap();
        prop_assert_eq!(&whole, &read(XML, &paths, Limits::default(), text.as_bytes().chunks(size)).unwrap());
        let expected: Vec<_> = parse(&text)
            .into_iter()
            .map(|(path, value)| {
                let hidden = format!("#{}", value.chars().count());
                if path.ends_with("/Email") { (path, hidden) } else { (path, value) }
            })
            .collect();
        prop_assert_eq!(parse(&whole.0), expected);
    }
}
