//! How the log is doing: sizes, the queue, and how long commits take, as numbers and as Prometheus text.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::model::Timestamp;

/// A look at an open log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogStatus {
    /// Records appended, durable or not.
    pub size: u64,
    /// Records that are durable.
    pub durable: u64,
    /// Records that wait to be durable.
    pub queued_records: usize,
    /// Bytes of them.
    pub queued_bytes: usize,
    /// Why the log takes no more records, when it has failed.
    pub failed: Option<&'static str>,
    /// Records covered by the last checkpoint, and when it was signed.
    pub last_checkpoint: Option<(u64, Timestamp)>,
    /// Distributions.
    pub(super) times: TimesSnapshot,
}

impl LogStatus {
    /// Appends what is not a field of this struct in the Prometheus text format 0.0.4: queue bytes, commits and their times.
    pub fn write_prometheus(&self, out: &mut String) {
        let _ = writeln!(
            out,
            "# HELP fieldgate_audit_queued_bytes Bytes of records that wait to be written.\n# TYPE fieldgate_audit_queued_bytes gauge\nfieldgate_audit_queued_bytes {}",
            self.queued_bytes
        );
        let _ = writeln!(
            out,
            "# HELP fieldgate_audit_bytes_total Bytes made durable.\n# TYPE fieldgate_audit_bytes_total counter\nfieldgate_audit_bytes_total {}",
            self.times.bytes
        );
        let times = &self.times;
        times.commit.write(out, "fieldgate_audit_commit_seconds", "One write and one sync of a batch.");
        times.wait.write(out, "fieldgate_audit_queue_seconds", "From the first record of a batch to its durability.");
    }
}

/// Counters the writer keeps.
#[derive(Debug, Default)]
pub(super) struct Times {
    commit: Histogram,
    wait: Histogram,
    bytes: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimesSnapshot {
    commit: HistogramSnapshot,
    wait: HistogramSnapshot,
    bytes: u64,
}

impl Times {
    pub(super) fn committed(&self, commit: Duration, wait: Duration, bytes: usize) {
        self.commit.observe(commit);
        self.wait.observe(wait);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self) -> TimesSnapshot {
        TimesSnapshot {
            commit: self.commit.snapshot(),
            wait: self.wait.snapshot(),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}

/// Upper bounds of the buckets, in microseconds.
const BOUNDS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000];

#[derive(Debug, Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

#[derive(Debug, Clone, PartialEq)]
struct HistogramSnapshot {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    micros: u64,
}

impl Histogram {
    fn observe(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        for (bound, bucket) in BOUNDS.iter().zip(&self.buckets) {
            if micros <= *bound {
                bucket.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn snapshot(&self) -> HistogramSnapshot {
        HistogramSnapshot {
            buckets: self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)),
            count: self.count.load(Ordering::Relaxed),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

impl HistogramSnapshot {
    fn write(&self, out: &mut String, name: &str, help: &str) {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bound, count) in BOUNDS.iter().zip(&self.buckets) {
            let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {count}", *bound as f64 / 1e6);
        }
        let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {}", self.count);
        let _ = writeln!(out, "{name}_sum {}\n{name}_count {}", self.micros as f64 / 1e6, self.count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_every_line_is_a_sample_or_a_comment() {
        let times = Times::default();
        times.committed(Duration::from_micros(300), Duration::from_secs(9), 77);
        let status = LogStatus {
            size: 1,
            durable: 1,
            queued_records: 0,
            queued_bytes: 0,
            failed: None,
            last_checkpoint: None,
            times: times.snapshot(),
        };
        let mut text = String::new();
        status.write_prometheus(&mut text);
        for line in [
            "fieldgate_audit_commit_seconds_bucket{le=\"0.00025\"} 0",
            "fieldgate_audit_commit_seconds_bucket{le=\"0.0005\"} 1",
            "fieldgate_audit_commit_seconds_bucket{le=\"+Inf\"} 1",
            "fieldgate_audit_queue_seconds_bucket{le=\"2.5\"} 0",
            "fieldgate_audit_queue_seconds_sum 9",
            "fieldgate_audit_bytes_total 77",
        ] {
            assert!(text.lines().any(|there| there == line), "{line}");
        }
        assert!(text.lines().all(|line| line.starts_with('#') || line.split(' ').count() == 2));
    }
}
