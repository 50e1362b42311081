//! How far a sweep is, on standard error: one line that is redrawn on a terminal, else a line now and then.

use std::{
    cell::Cell,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::sweep::{Progress, Stage, Watch};

/// Draws progress.
pub(super) struct Meter {
    onto: Onto,
    drawn: Cell<Option<Instant>>,
    every: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Onto {
    Terminal,
    Lines,
}

impl Meter {
    /// On a terminal a bar, else a line every `seconds`.
    pub(super) fn new(seconds: u64) -> Self {
        let onto = if std::io::stderr().is_terminal() { Onto::Terminal } else { Onto::Lines };
        let every = match onto {
            Onto::Terminal => Duration::from_millis(200),
            Onto::Lines => Duration::from_secs(seconds),
        };
        Self { onto, drawn: Cell::new(None), every }
    }

    /// Ends the line that is being drawn.
    pub(super) fn end(&self) {
        if self.onto == Onto::Terminal && self.drawn.take().is_some() {
            eprintln!();
        }
    }
}

impl Watch for Meter {
    fn page(&self, progress: &Progress) {
        let is_last = progress.total.is_some_and(|total| progress.records >= total);
        let due = self.drawn.get().is_none_or(|drawn| drawn.elapsed() >= self.every);
        if !due && (!is_last || self.onto == Onto::Lines) {
            return;
        }
        self.drawn.set(Some(Instant::now()));
        match self.onto {
            Onto::Terminal => eprint!("\r\x1b[2K{}", line(progress)),
            Onto::Lines => eprintln!("{}", line(progress)),
        }
        // A terminal that went away is no reason to stop.
        let _ = std::io::stderr().flush();
    }
}

/// `writing    [#########           ]  45 %   4,500 of 10,000   12.3 records/s   7 min left`.
fn line(progress: &Progress) -> String {
    let stage = match progress.stage {
        Stage::Inventory => "counting",
        Stage::Writing => "writing",
        Stage::Verifying => "verifying",
    };
    let mut line = format!("{stage:<10}");
    match progress.total.filter(|total| *total > 0) {
        Some(total) => {
            let done = progress.records.min(total);
            let filled = usize::try_from(done * WIDTH as u64 / total).unwrap_or(WIDTH);
            let bar = format!("{}{}", "#".repeat(filled), " ".repeat(WIDTH - filled.min(WIDTH)));
            line.push_str(&format!("[{bar}] {:>3} %   {} of {}", done * 100 / total, grouped(done), grouped(total)));
        }
        None => line.push_str(&format!("{} records", grouped(progress.records))),
    }
    if progress.stage == Stage::Writing {
        line.push_str(&format!("   {} values written", grouped(progress.written)));
    }
    let rate = progress.per_thousand_seconds();
    if rate > 0 {
        line.push_str(&format!("   {}.{} records/s", rate / 1_000, rate % 1_000 / 100));
    }
    if let Some(left) = progress.left() {
        line.push_str(&format!("   {} left", spoken(left)));
    }
    line
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `45 s`, `7 min`, `3 h 20 min`.
pub(super) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5_999 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// Characters of the bar.
const WIDTH: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_how_fast_and_how_long() {
        let progress = Progress {
            stage: Stage::Writing,
            records: 4_500,
            records_here: 4_500,
            total: Some(10_000),
            written: 27_000,
            elapsed: Duration::from_secs(365),
        };
        assert_eq!(
            line(&progress),
            "writing   [#########           ]  45 %   4,500 of 10,000   27,000 values written   12.3 records/s   \
             8 min left"
        );
        let unknown = Progress { stage: Stage::Inventory, total: None, elapsed: Duration::ZERO, ..progress };
        assert_eq!(line(&unknown), "counting  4,500 records");
        let past = Progress { records: 12_000, ..progress };
        assert!(line(&past).contains("[####################] 100 %   10,000 of 10,000"), "{}", line(&past));
    }

    #[test]
    fn numbers_and_times_are_for_people() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (seconds, text) in [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5_999, "100 min"), (12_000, "3 h 20 min")] {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
    }
}
