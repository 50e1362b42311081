//! Splitting and writing, against what attackers and sloppy writers send.

use proptest::prelude::*;

use super::*;

fn split(body: &str) -> Result<Vec<(usize, String)>, MultipartError> {
    let parts = read("b1", body.as_bytes(), 3)?;
    Ok(parts.iter().map(|part| (part.headers.len(), String::from_utf8_lossy(part.body).into_owned())).collect())
}

#[test]
fn preamble_and_epilogue_are_dropped_and_parts_are_exact() {
    let body = "preamble\r\n--b1\r\nContent-Type: text/plain\r\nA:\tb \r\n\r\none\r\n\r\n--b1\r\n\r\n--b1\r\n\r\nx--b1--\r\n--b1--\r\nepilogue";
    let body = body.replacen("--b1\r\n\r\n--b1", "--b1\r\n\r\n\r\n--b1", 1);
    assert_eq!(split(&body), Ok(vec![(2, "one\r\n".into()), (0, String::new()), (0, "x--b1--".into())]));
    let parts = read("b1", b"--b1\r\nA:\tb \r\n\r\n\r\n--b1--", 1).unwrap();
    assert_eq!(value_of(&parts[0].headers, "a"), Some("b"));
    assert_eq!(split("--b1--"), Ok(vec![]));
}

#[test]
fn lines_that_only_some_readers_take_for_delimiters_are_refused() {
    let good = "--b1\r\n\r\nvalue\r\n--b1--\r\n";
    assert!(split(good).is_ok());
    for (body, error) in [
        ("--b1\r\n\r\nvalue\n--b1--\r\n", MultipartError::Ambiguous(14)),
        ("--b1\r\n\r\nvalue\r--b1--\r\n", MultipartError::Ambiguous(14)),
        ("--b1\r\n\r\nvalue\r\n--b1 \r\n\r\n--b1--\r\n", MultipartError::Ambiguous(15)),
        ("--b1\r\n\r\nvalue\r\n--b12\r\n\r\nx\r\n--b1--", MultipartError::Ambiguous(15)),
        ("--b1\n\r\nvalue\r\n--b1--\r\n", MultipartError::Ambiguous(0)),
        ("--b1\r\n\r\nvalue\r\n--b1--x\r\n", MultipartError::Ambiguous(15)),
        ("--b1\r\n\r\nvalue\r\n--b1--\r\n--b1\r\n\r\nx\r\n--b1--", MultipartError::Ambiguous(23)),
        ("--b1\r\n\r\nvalue\r\n", MultipartError::Truncated),
        ("--b1\r\n\r\nvalue--b1--\r\n", MultipartError::Truncated),
        ("", MultipartError::Truncated),
        ("--b1\r\n--b1--\r\n", MultipartError::Header(1)),
        ("--b1\r\nA: b\r\n--b1--\r\n", MultipartError::Header(1)),
    ] {
        assert_eq!(split(body), Err(error), "{body:?}");
    }
}

#[test]
fn headers_that_readers_could_take_differently_are_refused() {
    for line in
        ["A: b\r\na: c", "A : b", " A: b", "A: b\r\n folded", "A", ": b", "A: b\nC: d", "A: \u{0}", "A\u{e9}: b"]
    {
        let body = format!("--b1\r\n{line}\r\n\r\nx\r\n--b1--\r\n");
        assert_eq!(split(&body), Err(MultipartError::Header(1)), "{line:?}");
    }
}

#[test]
fn the_limits_pass_and_one_more_does_not() {
    let parts = |count: usize| format!("{}--b1--", "--b1\r\n\r\nx\r\n".repeat(count));
    assert_eq!((split(&parts(3)).map(|parts| parts.len()), split(&parts(4))), (Ok(3), Err(MultipartError::TooMany(3))));
    let fields = |count: usize| {
        let fields: String = (0..count).map(|number| format!("H{number}: x\r\n")).collect();
        split(&format!("--b1\r\n{fields}\r\nx\r\n--b1--"))
    };
    assert!(fields(MAX_HEADERS).is_ok());
    assert_eq!(fields(MAX_HEADERS + 1), Err(MultipartError::HeaderTooLong(1)));
    let long = |bytes: usize| split(&format!("--b1\r\nA: {}\r\n\r\nx\r\n--b1--", "x".repeat(bytes - 5)));
    assert!(long(MAX_HEADER_BYTES).is_ok());
    assert_eq!(long(MAX_HEADER_BYTES + 1), Err(MultipartError::HeaderTooLong(1)));
}

#[test]
fn boundaries_are_those_of_rfc_2046() {
    let longest = "x".repeat(70);
    for (text, expected) in [
        ("multipart/mixed; boundary=batch_1", Some("batch_1")),
        ("Multipart/Mixed;BOUNDARY=\"a b\"", None),
        ("multipart/form-data; charset=utf-8; boundary=\"--x:y\"", Some("--x:y")),
        ("multipart/mixed", None),
        ("text/plain; boundary=x", None),
        ("multipart/mixed; boundary=", None),
        ("multipart/mixed; boundary=x; boundary=y", None),
        ("multipart/mixed; boundary=\"x\\y\"", None),
        ("multipart/mixed; boundary=x y", None),
        (&format!("multipart/mixed; boundary={longest}"), Some(longest.as_str())),
        (&format!("multipart/mixed; boundary={longest}x"), None),
    ] {
        assert_eq!(boundary(text).ok().as_deref(), expected, "{text}");
    }
}

#[test]
fn a_message_inside_a_part_is_read_one_way_or_refused() {
    let parse = |text: &'static str| InnerRequest::parse(text.as_bytes());
    let read = parse("POST /a?b=c HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{}\r\n").unwrap();
    assert_eq!((read.method, read.target, read.body), ("POST", "/a?b=c", &b"{}"[..]));
    for bodiless in
        ["GET a HTTP/1.1\r\nAccept: x\r\n\r\n", "GET a HTTP/1.1\r\nAccept: x\r\n", "GET a HTTP/1.1\r\nAccept: x"]
    {
        let read = parse(bodiless).unwrap();
        assert_eq!((read.headers.len(), read.body), (1, &b""[..]), "{bodiless:?}");
    }
    for refused in [
        "GET  a HTTP/1.1\r\n\r\n",
        "GET a HTTP/1.0\r\n\r\n",
        "GET a b HTTP/1.1\r\n\r\n",
        "GET a HTTP/1.1\n\r\n",
        "GET\ta HTTP/1.1\r\n\r\n",
        "GET a\u{e9} HTTP/1.1\r\n\r\n",
        "POST a HTTP/1.1\r\nContent-Length: 1\r\n\r\n{}",
        "POST a HTTP/1.1\r\nContent-Length: x\r\n\r\n{}",
        "POST a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0",
        "POST a HTTP/1.1\r\nA: b\r\nA: c\r\n\r\n{}",
    ] {
        assert_eq!(parse(refused), None, "{refused:?}");
    }
    let answer = InnerResponse::parse(b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n").unwrap();
    assert_eq!((answer.status, answer.body), (204, &b""[..]));
    for refused in
        ["HTTP/1.1 2x4 No\r\n\r\n", "HTTP/1.1 999 X\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000\r\n\r\n"]
    {
        assert_eq!(InnerResponse::parse(refused.as_bytes()), None, "{refused}");
    }
}

fn parts() -> impl Strategy<Value = Vec<(Headers, Vec<u8>)>> {
    let pieces = prop::collection::vec(
        prop::sample::select(vec![
            "--fieldgate_0000000000000000",
            "\r\n",
            "--",
            "fieldgate_0000000000000001",
            "\n",
            "\r",
            "x",
            "\u{e9}",
            "\0",
        ]),
        0..12,
    );
    let headers = prop::collection::btree_map("[A-Za-z-]{1,8}", "[ -~]{0,12}", 0..4).prop_map(|fields| {
        let mut known = std::collections::BTreeSet::new();
        let mut headers: Headers = fields.into_iter().collect();
        headers.retain(|(name, _)| known.insert(name.to_ascii_lowercase()));
        headers.iter_mut().for_each(|(_, value)| *value = value.trim().to_owned());
        headers
    });
    prop::collection::vec((headers, pieces.prop_map(|pieces| pieces.concat().into_bytes())), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again_byte_by_byte(parts in parts()) {
        let (boundary, body) = write(&parts);
        let again = read(&boundary, &body, parts.len()).unwrap();
        let again: Vec<_> = again.into_iter().map(|part| (part.headers, part.body.to_vec())).collect();
        prop_assert_eq!(again, parts);
    }

    #[test]
    fn a_cut_body_is_never_read(parts in parts(), cut in 1_usize..40) {
        let (boundary, body) = write(&parts);
        // The line end after the closing delimiter may be missing.
        let end = body.len() - 2 - cut.min(body.len() - 2);
        prop_assert!(read(&boundary, &body[..end], 8).is_err());
    }
}
