//! Changes that somebody makes to the files: each of them is found, and what crashes leave is not taken for one.

use std::{fs, io::Cursor, path::Path, sync::OnceLock};

use proptest::{collection::vec, prelude::*};

use super::{Place, outcome, reveal};
use crate::audit::{
    AuditError, Damage, Fault, Report, Trust, Verdict,
    disk::{Folder, FolderFiles},
    query::{Query, query},
    scan, summary, verify,
    verify::Judge,
    verify_bytes,
};

/// A closed log of 200 records in many batches.
fn log_of_200() -> Place {
    let place = Place::new();
    let log = place.open().unwrap();
    let mut request = 0_u128;
    while log.status().size < 199 {
        let mut ticket = log.append(&reveal(request)).unwrap();
        if log.status().size < 199 && request.is_multiple_of(3) {
            ticket = log.append(&outcome(request)).unwrap();
        }
        if !request.is_multiple_of(8) {
            ticket.wait().unwrap();
        }
        request += 1;
    }
    log.close().unwrap();
    place
}

struct Parts {
    trust: Trust,
    checkpoint: Vec<u8>,
    manifest: Vec<u8>,
    segment: Vec<u8>,
}

impl Parts {
    fn of(place: &Place) -> Self {
        let read = |name: &str| fs::read(place.path().join(name)).unwrap();
        let trust = Trust::parse(&place.vkey()).unwrap();
        Self { trust, checkpoint: read("checkpoint"), manifest: read("log.json"), segment: place.segment().1 }
    }

    fn verify(&self) -> Report {
        verify_bytes(&self.checkpoint, &self.manifest, &self.segment, &self.trust.to_vkey()).unwrap()
    }
}

fn finish(mut judge: Judge, segment: &[u8], from: usize) -> Report {
    let end = judge.read(&segment[from..]).unwrap();
    judge.report(&end, &mut Cursor::new(segment), segment.len() as u64).unwrap()
}

#[test]
fn every_flipped_byte_of_a_log_of_200_records_is_found() {
    let mut parts = Parts::of(&log_of_200());
    let sound = parts.verify();
    assert!(sound.is_sound(), "{}", sound.to_text());
    assert_eq!(sound.records, 200);
    assert!(sound.batches > 20, "{} batches", sound.batches);

    // The reader's whole state is copied at each batch: what comes before a flip is read once, not once per flip.
    let segment = parts.segment.clone();
    let mut judge = Judge::new(&parts.trust, &parts.checkpoint, &parts.manifest, "seg").unwrap();
    let (mut start, mut changed) = (0, segment.clone());
    let lines: Vec<usize> =
        segment.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for end in lines {
        let line_start = segment[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let is_batch_end = segment[line_start..].starts_with(b"{\"_c\":") || start == 0;
        if !is_batch_end {
            continue;
        }
        for at in start..end {
            let flip = if at % 2 == 0 { 1 } else { 0x20 };
            changed[at] ^= flip;
            let report = finish(judge.clone(), &changed, start);
            assert!(!report.is_sound(), "byte {at} of {}: {:?}", segment.len(), &changed[at.saturating_sub(20)..at]);
            if let Verdict::Damaged(damage) = &report.verdict {
                assert!(damage.offset as usize >= start && damage.offset as usize <= at, "byte {at}: {damage}");
            }
            changed[at] ^= flip;
        }
        judge.read(&segment[start..end]).unwrap();
        start = end;
    }
    assert_eq!(start, segment.len());

    for at in 0..parts.checkpoint.len() {
        parts.checkpoint[at] ^= 1;
        assert!(!parts.verify().is_sound(), "checkpoint, byte {at}");
        parts.checkpoint[at] ^= 1;
    }
    for at in 0..parts.manifest.len() {
        parts.manifest[at] ^= 1;
        assert!(!parts.verify().is_sound(), "log.json, byte {at}");
        parts.manifest[at] ^= 1;
    }
    // The shortcut above agrees with reading everything.
    for at in (0..segment.len()).step_by(997) {
        parts.segment[at] ^= 1;
        assert!(!parts.verify().is_sound(), "byte {at}, whole log");
        parts.segment[at] ^= 1;
    }
}

#[test]
fn verification_of_the_folder_finds_a_flip_and_names_the_record() {
    let place = log_of_200();
    let (path, mut bytes) = place.segment();
    assert!(verify(place.path(), &place.vkey()).unwrap().is_sound());
    let rows = query(place.path(), &Query::default()).unwrap();
    let offset = memchr::memmem::find(&bytes, rows[120].line.as_bytes()).unwrap();
    // The quote before `access`: the line is no record any more, so it is named exactly.
    bytes[offset + 14] = b'x';
    fs::write(&path, &bytes).unwrap();
    let report = verify(place.path(), &place.vkey()).unwrap();
    let Verdict::Damaged(Damage { index, offset: found, what, .. }) = &report.verdict else { panic!("{report:?}") };
    assert_eq!((*index, *found, *what), (120, offset as u64, Fault::Line));
    assert_eq!(report.exit_code(), 65);
    assert!(report.to_text().contains("record 120"), "{}", report.to_text());
    assert_eq!(report.to_json()["damage"]["index"], 120);
    // And no gateway starts over it.
    let refused = place.open().map(drop).unwrap_err();
    assert!(matches!(&refused, AuditError::Damaged(damage) if damage.index == 120), "{refused}");
    assert_eq!(place.segment().1, bytes, "nothing was changed");
}

type Change = fn(&mut Vec<&[u8]>);

#[test]
fn removed_inserted_swapped_and_duplicated_lines_are_found() {
    let parts = Parts::of(&log_of_200());
    let lines: Vec<&[u8]> = parts.segment.split_inclusive(|byte| *byte == b'\n').collect();
    let changes: [(&str, Change); 7] = [
        ("removed record", |lines| _ = lines.remove(40)),
        ("removed end", |lines| lines.truncate(lines.len() - 2)),
        ("blank line", |lines| lines.insert(30, b"\n")),
        ("comment", |lines| lines.insert(30, b"{\"note\":1}\n")),
        ("swapped", |lines| lines.swap(40, 90)),
        ("duplicated commit", |lines| lines.insert(3, lines[2])),
        ("trailing record", |lines| lines.push(lines[1])),
    ];
    for (name, change) in changes {
        let mut changed = lines.clone();
        change(&mut changed);
        let parts = Parts {
            segment: changed.concat(),
            trust: parts.trust.clone(),
            checkpoint: parts.checkpoint.clone(),
            manifest: parts.manifest.clone(),
        };
        assert!(!parts.verify().is_sound(), "{name}");
    }
}

#[test]
fn a_log_cut_at_a_batch_is_refused_by_verification_and_by_the_writer() {
    let place = log_of_200();
    let (path, bytes) = place.segment();
    let commits: Vec<usize> = memchr::memmem::find_iter(&bytes, b"{\"_c\":[").collect();
    let end = bytes[commits[5]..].iter().position(|byte| *byte == b'\n').unwrap() + commits[5] + 1;
    fs::write(path, &bytes[..end]).unwrap();
    let report = verify(place.path(), &place.vkey()).unwrap();
    assert!(matches!(report.verdict, Verdict::Cut { signed: 200, .. }), "{report:?}");
    assert_eq!(report.exit_code(), 66);
    let refused = place.open().map(drop).unwrap_err();
    assert!(matches!(refused, AuditError::Cut { signed: 200, .. }), "{refused}");
}

#[test]
fn a_rewritten_log_that_agrees_with_itself_is_a_fork() {
    // The same key holder writes another history of the same origin: only the signed head tells.
    let (place, other) = (log_of_200(), Place::new());
    let other = Place { key: place.key.clone(), ..other };
    fs::remove_dir_all(other.path().join("seg")).unwrap();
    for file in ["log.json", "checkpoint"] {
        fs::remove_file(other.path().join(file)).unwrap();
    }
    crate::audit::init(other.path(), super::ORIGIN, &other.signing_key(), super::clock()).unwrap();
    let log = other.open().unwrap();
    for request in 0..300 {
        drop(log.append(&reveal(request)).unwrap());
    }
    log.close().unwrap();
    let mut parts = Parts::of(&other);
    assert!(parts.verify().is_sound());
    parts.checkpoint = Parts::of(&place).checkpoint;
    assert_eq!(parts.verify().verdict, Verdict::Forked { signed: 200 });
    FolderFiles(other.path().to_owned()).write(Path::new("checkpoint"), &parts.checkpoint).unwrap();
    assert!(matches!(other.open().map(drop), Err(AuditError::Forked { signed: 200 })));
}

#[test]
fn the_wrong_key_and_the_wrong_origin_are_untrusted() {
    let (place, other) = (log_of_200(), Place::new());
    let report = verify(place.path(), &other.vkey()).unwrap();
    assert!(matches!(report.verdict, Verdict::Untrusted { .. }), "{report:?}");
    assert_eq!(report.exit_code(), 67);
    assert!(verify(place.path(), "no key").is_err());
    let stolen = Place { dir: place.dir, key: other.key };
    assert!(matches!(stolen.open().map(drop), Err(AuditError::NotALog { .. })));
}

#[test]
fn the_unsigned_tail_cut_at_every_byte_keeps_every_earlier_record() {
    let place = Place::new();
    let log = place.open().unwrap();
    log.append(&reveal(1)).unwrap().wait().unwrap();
    log.close().unwrap();
    // A start, and one batch after what was signed; then the process is killed.
    let log = place.open().unwrap();
    let committed = place.segment().1.len();
    log.append(&reveal(2)).unwrap().wait().unwrap();
    log.abandon();
    let (path, whole) = place.segment();
    let known = query(place.path(), &Query::default()).unwrap();
    let (checkpoint, trust) =
        (fs::read(place.path().join("checkpoint")).unwrap(), Trust::parse(&place.vkey()).unwrap());
    let manifest = fs::read(place.path().join("log.json")).unwrap();
    for cut in committed..=whole.len() {
        let segment = &whole[..cut];
        let report = finish(Judge::new(&trust, &checkpoint, &manifest, "seg").unwrap(), segment, 0);
        match cut {
            _ if cut == committed || cut == whole.len() => assert!(report.is_sound(), "{cut}: {report:?}"),
            _ => assert_eq!(report.verdict, Verdict::Unfinished { bytes: (cut - committed) as u64 }),
        }
        // Each reopening syncs for real: every byte near an edge of a line, and each 16th of the rest.
        if cut - committed < 8 || whole.len() - cut < 100 || cut % 16 == 0 {
            fs::write(&path, segment).unwrap();
            fs::write(place.path().join("checkpoint"), &checkpoint).unwrap();
            let log = place.open().unwrap();
            log.append(&reveal(3)).unwrap().wait().unwrap();
            log.close().unwrap();
            assert!(verify(place.path(), &place.vkey()).unwrap().is_sound(), "cut at {cut}");
            let rows = query(place.path(), &Query::default()).unwrap();
            let kept = if cut == whole.len() { known.len() } else { known.len() - 1 };
            assert_eq!(rows[..kept], known[..kept], "cut at {cut}");
            let expected = if cut == committed || cut == whole.len() { "clean\":false,\"boot" } else { "tail_bytes" };
            assert!(
                rows[kept].line.contains("log.recover") && rows[kept].line.contains(expected),
                "{}",
                rows[kept].line
            );
        }
    }
}

#[test]
fn a_torn_signed_batch_is_not_taken_for_a_crash() {
    let place = log_of_200();
    let (path, mut bytes) = place.segment();
    bytes.truncate(bytes.len() - 10);
    fs::write(path, &bytes).unwrap();
    assert!(matches!(place.open().map(drop), Err(AuditError::Cut { .. })));
    assert!(!verify(place.path(), &place.vkey()).unwrap().is_sound());
}

#[test]
fn a_tail_is_kept_byte_for_byte() {
    let place = log_of_200();
    let (path, mut bytes) = place.segment();
    let tail = b"{\"v\":1,\"kind\":\"access.reveal\",\"id\":\"0193";
    bytes.extend_from_slice(tail);
    fs::write(path, bytes).unwrap();
    place.open().unwrap().close().unwrap();
    let kept: Vec<_> =
        fs::read_dir(place.path().join("quarantine")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(fs::read(&kept[0]).unwrap(), tail);
    assert!(kept[0].file_name().unwrap().to_str().unwrap().starts_with("200-"));
}

#[test]
fn lines_come_through_any_reader_alike() {
    struct Drip<'a>(&'a [u8]);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.len().min(7).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }
    let parts = Parts::of(&log_of_200());
    let mut judge = Judge::new(&parts.trust, &parts.checkpoint, &parts.manifest, "seg").unwrap();
    assert_eq!(judge.read(Drip(&parts.segment)).unwrap(), scan::End::Clean);
    assert_eq!(judge.replay.tree().size(), 200);
}

proptest! {
    #[test]
    fn arbitrary_lines_are_judged_without_a_panic(
        lines in vec(prop_oneof![vec(any::<u8>(), 0..60), "\\{\"v\":1,\"kind\":\"[a-z.\"{}:0-9]{0,40}\\}".prop_map(String::into_bytes), "\\{\"_c\":\\[[0-9]{1,20},\"[A-Za-z0-9+/=]{44}\",[0-9]{1,3}\\]\\}".prop_map(String::into_bytes)], 0..8),
    ) {
        let place = parts_of_a_new_log();
        let mut parts = Parts { trust: place.trust.clone(), checkpoint: place.checkpoint.clone(), manifest: place.manifest.clone(), segment: place.segment.clone() };
        for line in &lines {
            parts.segment.extend_from_slice(line);
            parts.segment.push(b'\n');
            prop_assert!(!summary(&serde_json::from_slice(line).unwrap_or_default()).is_empty());
        }
        prop_assert_eq!(parts.verify().is_sound(), lines.is_empty());
    }
}

fn parts_of_a_new_log() -> &'static Parts {
    static PARTS: OnceLock<Parts> = OnceLock::new();
    PARTS.get_or_init(|| Parts::of(&Place::new()))
}
