//! `fieldgate scan`, run as a user runs it: what it says of a text, and that it says no value.

use std::{
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::harness::{Said, fieldgate};

const NOTE: &str =
    "Grüße von Jane\nMail jane@example.com, Karte 4111 1111 1111 1111\nPESEL 44051401359, password=hunter2\n";

struct File {
    dir: tempfile::TempDir,
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("note.txt"), bytes).unwrap();
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("note.txt")
    }

    fn scan(&self, more: &[&str]) -> Said {
        let path = self.path();
        fieldgate(["scan", path.to_str().unwrap()].into_iter().chain(more.iter().copied()))
    }
}

fn rows(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn findings_say_where_and_what_and_never_the_value() {
    let said = File::of(NOTE.as_bytes()).scan(&[]);
    assert_eq!((said.code, said.err.as_str()), (1, ""), "{said:?}");
    let found: Vec<_> = rows(&said)
        .iter()
        .map(|row| {
            (
                row["line"].as_u64().unwrap(),
                row["entity"].as_str().unwrap().to_owned(),
                row["class"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected =
        [(2, "email", "email"), (2, "card", "card_number"), (3, "pl_pesel", "national_id"), (3, "secret", "secret")];
    assert_eq!(found, expected.map(|(line, entity, class)| (line, entity.to_owned(), class.to_owned())));
    for row in rows(&said) {
        let (offset, length) =
            (row["offset"].as_u64().unwrap() as usize, row["end"].as_u64().unwrap() - row["start"].as_u64().unwrap());
        let value = &NOTE[offset..offset + length as usize];
        assert!(["jane@example.com", "4111 1111 1111 1111", "44051401359", "hunter2"].contains(&value), "{row}");
        assert!(!said.out.contains(value), "`{value}` was written");
    }
    let said = File::of(NOTE.as_bytes()).scan(&["--show-values"]);
    assert!(said.out.contains("\"value\":\"jane@example.com\""), "{said:?}");
}

#[test]
fn the_exit_code_says_whether_something_was_found() {
    let said = File::of(b"The customer called twice about order 4711.\n").scan(&[]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{said:?}");
    assert_eq!(File::of(NOTE.as_bytes()).scan(&["--entities", "ip,ch_ahv"]).code, 0);
    assert_eq!(File::of(NOTE.as_bytes()).scan(&["--entities", "national_id"]).code, 1);
    assert_eq!(File::of(b"number 44051401359 there").scan(&[]).code, 0);
    assert_eq!(File::of(b"number 44051401359 there").scan(&["--threshold", "40"]).code, 1);
}

#[test]
fn the_view_shows_the_line_without_the_value() {
    let said = File::of(NOTE.as_bytes()).scan(&["--view"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.out.lines().next(), Some("2: Mail [email •••], Karte [card_number •••]"), "{said:?}");
    assert!(!said.out.contains("hunter2") && !said.out.contains('\u{1b}'), "{said:?}");
}

#[test]
fn what_is_no_text_is_refused_with_what_to_do() {
    for (bytes, code) in [(&b"PK\x03\x04\0\0"[..], 65), (b"\xFF\xFEj\0a\0n\0e\0", 65)] {
        let said = File::of(bytes).scan(&[]);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.err.contains("is no text") && said.err.contains("  help: "), "{said:?}");
    }
    let said = fieldgate(["scan", "/nonexistent/note.txt"]);
    assert!(said.code == 66 && said.err.contains("  help: "), "{said:?}");
    let said = File::of(NOTE.as_bytes()).scan(&["--entities", "shoe_size"]);
    assert!(said.code == 64 && said.err.contains("pl_pesel"), "{said:?}");
}

#[test]
fn a_configuration_says_which_classes_there_are() {
    let file = File::of(NOTE.as_bytes());
    let dir = file.dir.path().join("made");
    let made = fieldgate([
        "init",
        "--upstream",
        "https://crm.example.com",
        "--map",
        "sandbox",
        "--dir",
        dir.to_str().unwrap(),
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let config = dir.join("fieldgate.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let (from, to) = ("name = \"secret\"\n", "name = \"passwords\"\nthreshold = 100\n");
    assert!(text.contains(from));
    std::fs::write(&config, text.replacen(from, to, 1)).unwrap();
    let said = file.scan(&["--config", config.to_str().unwrap()]);
    assert_eq!(rows(&said).len(), 3, "{said:?}");
    let said = file.scan(&["--config", config.to_str().unwrap(), "--threshold", "60"]);
    assert_eq!(rows(&said).last().unwrap()["class"], "passwords", "{said:?}");
}

#[test]
fn one_long_line_of_any_size_is_read_in_bounded_memory() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fieldgate"))
        .args(["scan", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let pid = child.id();
    let writer = std::thread::spawn(move || {
        let piece = "no line break comes here and nothing is to be found. ".repeat(20_000);
        for _ in 0..24 {
            input.write_all(piece.as_bytes()).unwrap();
        }
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        input.write_all(b"jane@example.com").unwrap();
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak.unwrap_or_default()
    });
    let out = child.wait_with_output().unwrap();
    let peak = writer.join().unwrap();
    assert!(String::from_utf8(out.stdout).unwrap().contains("\"entity\":\"email\""));
    assert!(peak < 64 * 1024, "{peak} kB for a line of 25 MB");
}
