//! The journal: torn tails are cut off, everything else that is not what was written is refused.

use std::{fs, path::Path, rc::Rc};

use super::fake::{FakeCrm, FakeSecrets, block, change, run, settings};
use crate::sweep::{Extent, Journal, JournalError, Stop, Verb};

/// A journal of a whole run, and the CRM as it was before.
fn finished(path: &Path) -> FakeCrm {
    let crm = FakeCrm::new(12, 1);
    block(run(&crm, &change(Verb::Protect, 2), &settings(Verb::Protect, Extent::All), path, &Stop::default())).unwrap();
    crm
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_off_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    finished(&path);
    let whole = fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in (first..whole.len()).step_by(97) {
        fs::write(&path, &whole[..length]).unwrap();
        // The CRM as the run left it, and as it was: the journal is never believed over it.
        let untouched = FakeCrm::new(12, 1);
        let report = block(run(
            &untouched,
            &change(Verb::Protect, 2),
            &settings(Verb::Protect, Extent::All),
            &path,
            &Stop::default(),
        ));
        let report = report.unwrap_or_else(|error| panic!("{length}: {error}"));
        assert_eq!(report.checked.unwrap().damaged, 0, "{length}");
        let (sealed, clear) = untouched.audit();
        assert!(sealed > 0 && clear == 0, "{length}: {clear} values of pages noted as done came back, and were found");
    }
}

#[test]
fn a_tail_of_zeros_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    finished(&path);
    let whole = fs::read(&path).unwrap();
    for tail in [&b"\0\0\0\0"[..], b"0123456789abcdef {}\n", b"\xff\xfe", b"x"] {
        fs::write(&path, [&whole[..], tail].concat()).unwrap();
        let (_, _, resume) = Journal::open(&path, Rc::new(FakeSecrets)).unwrap();
        assert!(resume.finished().is_some());
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_line_that_was_changed_dropped_or_moved_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    finished(&path);
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert!(lines.len() >= 6);
    let joined = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let changed = whole.replacen("\"page\":1", "\"page\":2", 1);
    let dropped = joined(&[&lines[..2], &lines[3..]].concat());
    let mut moved = lines.clone();
    moved.swap(2, 3);
    for text in [changed, dropped, joined(&moved)] {
        fs::write(&path, &text).unwrap();
        let error = Journal::open(&path, Rc::new(FakeSecrets)).map(|_| ()).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 2..=4 }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a damaged journal is left as it is");
    }
}

#[test]
fn an_empty_file_is_no_journal_and_an_open_one_is_locked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    fs::write(&path, "").unwrap();
    let open = || Journal::open(&path, Rc::new(FakeSecrets)).map(|_| ());
    assert!(matches!(open(), Err(JournalError::Damaged { line: 1 })));
    fs::remove_file(&path).unwrap();
    finished(&path);
    let held = Journal::open(&path, Rc::new(FakeSecrets)).unwrap();
    assert!(matches!(open(), Err(JournalError::Locked)));
    drop(held);
    assert!(open().is_ok());
}

#[test]
fn no_value_and_no_id_stands_in_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    finished(&path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.len() > 3_000);
    for secret in ["canary", "person-", "fake2"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
