//! The newest records of a log: a time in, the access records since then out, at a cost that does not grow with the log.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use memchr::memmem;
use serde_json::Value;

use super::{
    error::AuditError,
    layout,
    record::{LINE_BYTES, PREFIX},
    segment::kind,
};
use crate::model::Timestamp;

/// How much of the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Every record since the time that was given.
    Whole,
    /// Only the newest records: the others are further back than the bound.
    Cut,
}

/// Calls `visit` with every record of one of `kinds` since `since`, oldest first; reads at most the newest `bytes` bytes.
///
/// For who opened the log: that cut off what a crash left, so every line is a committed one. Looks at no hash and no signature.
///
/// # Errors
/// When a file cannot be read.
pub fn tail(
    dir: &Path,
    since: Timestamp,
    bytes: u64,
    kinds: &[&str],
    mut visit: impl FnMut(&Value),
) -> Result<Tail, AuditError> {
    let path = dir.join(layout::segment(dir)?);
    let unreadable = |error| AuditError::io(&path, "the segment cannot be read")(error);
    let mut file = File::open(&path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let since = since.to_string();
    let earliest = length.saturating_sub(bytes);
    let start = first_since(&mut file, &since, length).map_err(unreadable)?;
    let (start, tail) = if start < earliest { (earliest, Tail::Cut) } else { (start, Tail::Whole) };
    file.seek(SeekFrom::Start(start)).map_err(unreadable)?;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file).take(length - start);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            return Ok(tail);
        }
        let wanted = line.starts_with(PREFIX) && kinds.iter().any(|wanted| kind(&line) == wanted.as_bytes());
        if wanted && time(&line).is_some_and(|at| at >= since.as_bytes()) {
            let record = serde_json::from_slice(&line).unwrap_or_default();
            visit(&record);
        }
    }
}

/// Where reading has to start to see every record since `since`: records are in the order of time, give or take what
/// waited in a queue, so a search by halves ends close to the place, and a margin before it covers the rest.
fn first_since(file: &mut File, since: &str, length: u64) -> std::io::Result<u64> {
    let (mut low, mut high) = (0, length);
    while high - low > MARGIN_BYTES {
        let middle = low + (high - low) / 2;
        file.seek(SeekFrom::Start(middle))?;
        let mut window = Vec::new();
        file.take(2 * (LINE_BYTES as u64 + 2)).read_to_end(&mut window)?;
        let mut lines = window.split_inclusive(|byte| *byte == b'\n').skip(1);
        match lines.find_map(|line| if line.starts_with(PREFIX) { time(line) } else { None }) {
            Some(at) if at < since.as_bytes() => low = middle,
            _ => high = middle,
        }
    }
    Ok(low.saturating_sub(MARGIN_BYTES))
}

/// The record's time, as text: all are of one length and in UTC, so they sort as text.
fn time(line: &[u8]) -> Option<&[u8]> {
    let name = b"\"ts\":\"";
    let start = memmem::find(line.get(..HEAD_BYTES.min(line.len()))?, name)? + name.len();
    line.get(start..start + TIME_BYTES)
}

/// `2026-11-24T09:14:02.318224Z`.
const TIME_BYTES: usize = 27;
/// A record's time is among its first members.
const HEAD_BYTES: usize = 256;
/// How exactly the place is looked for, and how far before it reading starts.
const MARGIN_BYTES: u64 = 1024 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A segment of `count` lines, one a second, as far as this module reads them.
    fn log(count: i64) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let day = dir.path().join("seg/2026-11-24");
        std::fs::create_dir_all(&day).unwrap();
        let mut text = String::from("{\"_h\":{\"fmt\":\"fg-seg/1\"}}\n");
        for at in 0..count {
            let kind = if at % 2 == 0 { "access.reveal" } else { "access.outcome" };
            let (ts, pad) = (Timestamp::from_seconds(at), "x".repeat(300));
            text.push_str(&format!(
                "{{\"v\":1,\"kind\":\"{kind}\",\"id\":\"i\",\"ts\":\"{ts}\",\"at\":{at},\"p\":\"{pad}\"}}\n"
            ));
            text.push_str("{\"_c\":[1,\"r\",9]}\n");
        }
        std::fs::write(day.join("00000000000000.jsonl"), text).unwrap();
        dir
    }

    fn read(dir: &tempfile::TempDir, since: i64, bytes: u64) -> (Tail, Vec<i64>) {
        let mut seen = Vec::new();
        let visit = |record: &Value| seen.push(record["at"].as_i64().unwrap());
        let tail = tail(dir.path(), Timestamp::from_seconds(since), bytes, &["access.reveal"], visit).unwrap();
        (tail, seen)
    }

    #[test]
    fn every_record_since_the_time_is_visited_and_none_before() {
        let dir = log(20_000);
        for since in [0, 1, 9_999, 10_000, 19_998, 19_999, 30_000] {
            let expected: Vec<i64> = (since..20_000).filter(|at| at % 2 == 0).collect();
            assert_eq!(read(&dir, since, u64::MAX), (Tail::Whole, expected), "{since}");
        }
    }

    #[test]
    fn past_the_bound_only_the_newest_are_visited_and_it_is_said() {
        let dir = log(20_000);
        let (tail, seen) = read(&dir, 0, 100_000);
        assert_eq!(tail, Tail::Cut);
        assert!(!seen.is_empty() && seen.len() < 500 && seen.last() == Some(&19_998), "{}", seen.len());
    }
}
