//! A segment's bytes in, its lines through a [`Replay`], and what is left at the end.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::{
    record::LINE_BYTES,
    segment::{Fault, Line, Replay, TAIL_BYTES, is_commit},
};

/// Where reading ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After a commit line, at the end of the file.
    Clean,
    /// At a line that is not acceptable, or at the end of the file without a commit line.
    Stopped(Fault),
}

/// Reads lines until the end or the first one that is not acceptable. `each` sees every line taken.
pub(super) fn lines(
    source: impl Read,
    replay: &mut Replay,
    mut each: impl FnMut(&Replay, Line, &[u8]),
) -> io::Result<End> {
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, source);
    let mut line = Vec::new();
    let mut open = false;
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(if open { End::Stopped(Fault::Line) } else { End::Clean });
        }
        if read > LINE_BYTES + 1 {
            return Ok(End::Stopped(Fault::Length));
        }
        match replay.line(&line) {
            Ok(taken) => {
                open = matches!(taken, Line::Record { .. });
                each(replay, taken, &line);
            }
            Err(fault) => return Ok(End::Stopped(fault)),
        }
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

/// What follows the last commit line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// One batch that a crash kept from being finished.
    Torn(Vec<u8>),
    /// More than a crash can leave: somebody changed the file.
    Damage,
}

/// Reads what follows `offset` and says whether one crash can have left it.
///
/// At most one batch is ever being written, so a torn tail is no longer than one write. Blocks of it may reach the disk out
/// of order: its commit line can be there while records are not, but nothing follows that line.
pub(super) fn tail(source: &mut (impl Read + Seek), offset: u64) -> io::Result<Tail> {
    source.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    source.take(TAIL_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(if is_torn(&bytes) { Tail::Torn(bytes) } else { Tail::Damage })
}

fn is_torn(bytes: &[u8]) -> bool {
    if bytes.len() > TAIL_BYTES {
        return false;
    }
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    // Holes of a torn write read as zeros, also in front of a line that did arrive.
    let mut commits = lines.by_ref().skip_while(|line| !is_commit(strip_zeros(line)));
    commits.next().is_none() || commits.next().is_none()
}

fn strip_zeros(line: &[u8]) -> &[u8] {
    let start = line.iter().position(|byte| *byte != 0).unwrap_or(line.len());
    line.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_torn_only_when_one_write_explains_it() {
        let commit = "{\"_c\":[9,\"root\",44]}\n";
        assert!(is_torn(b""));
        assert!(is_torn(b"{\"v\":1,\"ki"));
        assert!(is_torn(format!("\0\0\0{commit}").as_bytes()));
        assert!(!is_torn(format!("{commit}{commit}").as_bytes()));
        assert!(!is_torn(format!("{commit}{{\"v\":1").as_bytes()));
        assert!(is_torn(&vec![b'x'; TAIL_BYTES]));
        assert!(!is_torn(&vec![b'x'; TAIL_BYTES + 1]));
    }
}
