//! Whatever way a text comes in, the same findings come out, and no value with them.

use proptest::prelude::*;

use super::*;

/// Bytes that come a few at a time.
pub(super) struct Trickle<'b>(pub(super) &'b [u8], pub(super) usize);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(into.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn scanned(text: &[u8], values: bool, style: Style) -> (u64, String) {
    let (classes, sought) = classes(None).unwrap();
    let scan = Scan { detector: Detector::of(sought), classes: &classes, values };
    let mut out = Vec::new();
    let found = scan.run(Lines::new(text), style, &mut out).unwrap();
    (found, String::from_utf8(out).unwrap())
}

#[test]
fn a_row_says_where_and_what_and_not_the_value() {
    let (found, out) = scanned("Grüße\nan jane@example.com\n".as_bytes(), false, Style::Json);
    assert_eq!(found, 1);
    let row: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!({
        "line": 2, "column": 4, "start": 3, "end": 19, "offset": 11, "entity": "email", "class": "email", "score": 95
    });
    assert_eq!(row, expected);
    let (_, out) = scanned(b"an jane@example.com", true, Style::Json);
    assert!(out.contains("\"value\":\"jane@example.com\""));
}

#[test]
fn a_long_line_has_the_findings_of_its_text() {
    let piece = "The customer called about it twice, and paid with 4111 1111 1111 1111 or so she says; é. ";
    let text = piece.repeat(40_000);
    let (found, out) = scanned(text.as_bytes(), false, Style::Json);
    assert_eq!(found, 40_000);
    for (place, line) in out.lines().enumerate().step_by(997) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["start"], place * piece.len() + piece.find("4111").unwrap());
        assert_eq!(row["column"], place * piece.chars().count() + piece.find("4111").unwrap() + 1);
    }
}

#[test]
fn the_view_marks_findings_and_obeys_no_control_character() {
    let text = "x\npay 4111 1111 1111 1111 \u{1b}[2J now\n";
    let (_, out) = scanned(text.as_bytes(), false, Style::View { colour: false });
    assert_eq!(out, "2: pay [card_number •••] ␛[2J now\n");
    let (_, out) = scanned(text.as_bytes(), true, Style::View { colour: true });
    assert_eq!(out, "2: pay \u{1b}[1;31m[card_number 4111 1111 1111 1111]\u{1b}[0m ␛[2J now\n");
}

#[test]
fn entities_are_names_groups_or_all() {
    let arguments = |entities: &[&str], threshold| Arguments {
        file: Some("-".into()),
        config: None,
        entities: entities.iter().map(|name| (*name).to_owned()).collect(),
        threshold,
        view: false,
        show_values: false,
        example_notes: None,
        seed: 1,
        harmless: false,
    };
    let usual = Sought::default();
    let sought = narrowed(usual, &arguments(&["national_id", "ip"], Some(40))).unwrap();
    assert!(sought.wants(Entity::PlPesel, 40) && sought.has(Entity::Ip) && !sought.has(Entity::Email));
    let sought = narrowed(usual, &arguments(&[], None)).unwrap();
    assert_eq!(sought, usual);
    assert!(narrowed(usual, &arguments(&["shoe_size"], None)).is_err());
}

/// A number as text recognition leaves it: one or two of its digits are letters.
fn misread() -> impl Strategy<Value = String> {
    let letter = |digit: u8| b"OlZ?AS?TBg"[usize::from(digit - b'0')];
    ("[1-5][0-9][1-9]-[0-9][1-9]-[0-9]{3}[1-9]", 0..11_usize, 0..11_usize).prop_map(move |(number, one, other)| {
        let mut number = number.into_bytes();
        for place in [one, other] {
            if number[place].is_ascii_digit() && letter(number[place]) != b'?' {
                number[place] = letter(number[place]);
            }
        }
        String::from_utf8(number).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_chunking_gives_the_same_findings(
        seed in any::<u64>(), numbers in prop::collection::vec(misread(), 1..40), piece in 1..3_000_usize, step in 1..9_000_usize,
    ) {
        let line: String =
            Notes::new(seed).take(240).zip(numbers.iter().cycle()).map(|(note, number)| note.text + ". SSN " + number + ". ").collect();
        let (classes, sought) = classes(None).unwrap();
        let scan = Scan { detector: Detector::of(sought), classes: &classes, values: true };
        let run = |step, piece| {
            let mut out = Vec::new();
            scan.run(Lines::with_pieces(Trickle(line.as_bytes(), step), piece), Style::Json, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let whole = run(line.len(), line.len());
        for number in &numbers {
            prop_assert!(whole.contains(&format!("\"value\":\"{number}\"")), "{}", number);
        }
        prop_assert_eq!(run(step, piece), whole);
    }
}
