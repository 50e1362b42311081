//! What the reader takes and refuses, whatever the chunks.

use proptest::prelude::*;

use crate::{
    formats::{
        Fault, Limits,
        testing::{everyhow, paths, read},
    },
    model::{BodyFormat, Delimiter},
};

const CSV: BodyFormat = BodyFormat::Csv(Delimiter::Auto);

fn shown(selectors: &[&str], text: &str) -> Result<String, Fault> {
    everyhow(CSV, &paths(selectors), Limits::default(), text.as_bytes())
        .map(|(out, _)| out)
        .map_err(|error| error.fault)
}

#[test]
fn cells_of_selected_columns_are_told_and_everything_else_is_the_same() {
    let text = "\u{feff}Id,Email,\"First \"\"Name\"\"\",Note\r\n1,a@b.c,\"Jane, \"\"J\"\"\nDoe\",\"x\"\"\r\ny\"\n2,,keep é,\n3,é,\"\",z";
    let (out, told) =
        everyhow(CSV, &paths(&["$.Email", "$['First \"Name\"']"]), Limits::default(), text.as_bytes()).unwrap();
    assert_eq!(told.leaves(), ["a@b.c", "Jane, \"J\"\nDoe", "", "keep é", "é", ""]);
    assert_eq!(told.records(), 3);
    let expected =
        "\u{feff}Id,Email,\"First \"\"Name\"\"\",Note\r\n1,#5,\"#13\",\"x\"\"\r\ny\"\n2,#0,keep é,\n3,#1,\"#0\",z";
    assert_eq!(out, expected);
}

#[test]
fn what_another_reader_could_cut_elsewhere_is_refused() {
    for (text, fault) in [
        ("a,b\n1\n", Fault::Ragged),
        ("a,b\n1,2,3\n", Fault::Ragged),
        ("a,b\n1,2\n\n", Fault::Ragged),
        ("a,b\n1,2,", Fault::Ragged),
        ("a,b\n1,x\"y\n", Fault::StrayQuote),
        ("a,b\nx\"y,1\n", Fault::StrayQuote),
        ("a,b\n\"x\"y,1\n", Fault::StrayQuote),
        ("a,b\n1,\"x\" \n", Fault::StrayQuote),
        ("a,b\n1,2\r3,4\n", Fault::BareReturn),
        ("a,b\n1,2\r", Fault::BareReturn),
        ("a,b\r1,2\r", Fault::BareReturn),
        ("a,b\n1,\"2", Fault::Truncated),
        ("a,b\n\"1", Fault::Truncated),
        ("a,\"b", Fault::Truncated),
        ("a;b,c\n", Fault::Delimiter),
        ("a,b\n1,\0\n", Fault::Nul),
        ("a\"b,c\n", Fault::Truncated),
        ("a\"b\",c\n", Fault::StrayQuote),
    ] {
        for selectors in [&[][..], &["$.a"], &["$.b"], &["$.*"]] {
            assert_eq!(shown(selectors, text), Err(fault), "{text:?} with {selectors:?}");
        }
    }
    let latin = read(CSV, &paths(&[]), Limits::default(), [&b"a\n\xe9\n"[..]]);
    assert_eq!(latin.unwrap_err().fault, Fault::Utf8);
}

#[test]
fn bodies_without_rows_or_without_a_last_line_end_pass() {
    for text in ["", "a,b", "a,b\n", "a,b\r\n1,2", "a\n\n1\n", "a,b\n,\n,"] {
        assert_eq!(shown(&[], text).as_deref(), Ok(text));
    }
    assert_eq!(
        shown(&["$.a"], "a\n\"x\"\ny").as_deref(),
        Ok("a\n\"#1\"\n\"#1\""),
        "the only cell is never an empty line"
    );
}

#[test]
fn white_space_around_a_name_hides_no_column() {
    let text = "Id, Email ,\" Phone\"\n1,a,b\n";
    assert_eq!(shown(&["$.Email", "$.Phone"], text).as_deref(), Ok("Id, Email ,\" Phone\"\n1,#1,#1\n"));
}

#[test]
fn a_told_cell_is_as_long_as_the_limit_and_not_one_byte_more() {
    let limits = Limits { value_bytes: 40, ..Limits::default() };
    let run = |cell: &str, selectors: &[&str]| {
        let text = format!("a,b\n{cell},1\n");
        everyhow(CSV, &paths(selectors), limits, text.as_bytes()).map(|(out, _)| out).map_err(|error| error.fault)
    };
    let (fits, over) = ("x".repeat(40), "x".repeat(41));
    assert_eq!(run(&fits, &["$.a"]), Ok("a,b\n#40,1\n".to_owned()));
    assert_eq!(run(&over, &["$.a"]), Err(Fault::ValueTooLong));
    assert_eq!(run(&format!("\"{}\"", "x".repeat(38)), &["$.a"]), Ok("a,b\n\"#38\",1\n".to_owned()));
    assert_eq!(run(&format!("\"{}\"", "x".repeat(39)), &["$.a"]), Err(Fault::ValueTooLong));
    assert!(run(&over, &["$.b"]).is_ok(), "a cell that nobody asked for is not held");
}

#[test]
fn a_long_cell_in_small_chunks_is_searched_once() {
    let text = format!("a,b\n\"{}\",1\n", "x\"\"".repeat(300_000));
    let started = std::time::Instant::now();
    let (out, _) = read(CSV, &paths(&["$.a"]), Limits::default(), text.as_bytes().chunks(600)).unwrap();
    assert_eq!(out, "a,b\n\"#600000\",1\n");
    assert!(started.elapsed().as_secs() < 4, "{:?}", started.elapsed());
}

/// RFC 4180, by itself: rows of cells.
fn parse(text: &str, delimiter: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            c if quoted => cell.push(c),
            '\r' => {}
            '\n' => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c if c == delimiter => row.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    if !row.is_empty() || !cell.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

fn quote(text: &str, delimiter: char, always: bool) -> String {
    if always || text.contains(['"', '\n', '\r', delimiter]) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn another_parser_sees_the_same_table_but_for_the_selected_column(
        rows in prop::collection::vec(prop::collection::vec(("[ab\",;\t\n é=]{0,12}", any::<bool>()), 3), 0..8),
        delimiter in prop::sample::select(Delimiter::ALL.to_vec()),
        crlf: bool,
        size in 1_usize..60,
    ) {
        let byte = char::from(delimiter.byte().unwrap());
        let end = if crlf { "\r\n" } else { "\n" };
        let mut text = format!("Id{byte}Email{byte}Note{end}");
        for row in &rows {
            let cells: Vec<_> = row.iter().map(|(cell, always)| quote(cell, byte, *always)).collect();
            text.push_str(&cells.join(&byte.to_string()));
            text.push_str(end);
        }
        let paths = paths(&["$.Email"]);
        let whole = read(CSV, &paths, Limits::default(), [text.as_bytes()]).unwrap();
        prop_assert_eq!(&whole, &read(CSV, &paths, Limits::default(), text.as_bytes().chunks(size)).unwrap());
        let (before, after) = (parse(&text, byte), parse(&whole.0, byte));
        prop_assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after).skip(1) {
            prop_assert_eq!((&before[0], &before[2]), (&after[0], &after[2]));
            prop_assert_eq!(&after[1], &format!("#{}", before[1].chars().count()));
        }
        let wanted: Vec<_> = before.iter().skip(1).map(|row| row[1].as_str()).collect();
        prop_assert_eq!(whole.1.leaves(), wanted);
    }
}
