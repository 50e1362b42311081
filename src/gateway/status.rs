//! What the gateway counts about itself; atomics in, Prometheus text out. Names of routes and codes only, never values.

use super::stored_status::StoredStatus;
use crate::model::Timestamp;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// A latency histogram.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|bound| seconds <= *bound).and_then(|at| self.buckets.get(at)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_micros.fetch_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn write(&self, out: &mut String, name: &str, labels: &str) {
        let mut total = 0;
        for (bound, bucket) in BUCKETS.iter().zip(&self.buckets) {
            total += bucket.load(Ordering::Relaxed);
            let _ = writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {total}");
        }
        let count = self.count.load(Ordering::Relaxed);
        let _ = writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
        #[expect(clippy::cast_precision_loss, reason = "a sum of microseconds past 2^53 is 285 years")]
        let sum = self.sum_micros.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(out, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
    }
}

/// The counters of one route.
#[derive(Debug, Default)]
pub struct RouteStatus {
    /// Exchanges by the hundreds of their status; index 0 is "none sent".
    pub statuses: [AtomicU64; 6],
    /// Whole exchanges.
    pub duration: Histogram,
    /// Until the CRM's response head.
    pub upstream: Histogram,
    /// Body bytes handed to callers.
    pub bytes: AtomicU64,
    /// Leaves that were protected.
    pub leaves: AtomicU64,
    /// Members that the API map does not know and that were withheld.
    pub drift: AtomicU64,
    /// When that was last told, in microseconds, and how many had been met by then.
    told: AtomicI64,
    told_drift: AtomicU64,
}

/// A route whose answers drift says so once in this time, in microseconds.
const TELL_EVERY_MICROS: i64 = 60_000_000;

impl RouteStatus {
    /// Counts the end of an exchange.
    pub fn ended(&self, status: Option<u16>, duration: Duration, bytes: u64) {
        let class = usize::from(status.unwrap_or_default() / 100);
        if let Some(counter) = self.statuses.get(class).or(self.statuses.first()) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.duration.observe(duration);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts `members` that an answer had and the API map does not know; how many there were since it was last told, when it
    /// is time to tell it again.
    pub fn drifted(&self, members: u64, now: Timestamp) -> Option<u64> {
        if members == 0 {
            return None;
        }
        let total = self.drift.fetch_add(members, Ordering::Relaxed) + members;
        let (now, told) = (now.micros(), self.told.load(Ordering::Relaxed));
        if told != 0 && now - told < TELL_EVERY_MICROS {
            return None;
        }
        // Whoever is first tells it.
        self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(total - self.told_drift.swap(total, Ordering::Relaxed))
    }
}

/// Counters by upstream and route.
type Routes = BTreeMap<(Arc<str>, Arc<str>), Arc<RouteStatus>>;

/// Everything that is counted; shared by all workers and kept across reloads.
#[derive(Debug, Default)]
pub struct Status {
    routes: Mutex<Routes>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    /// Exchanges under way.
    pub active: AtomicUsize,
    /// Plans asked of policy (cache misses).
    pub plans_decided: AtomicU64,
    /// Plans found in a worker's cache.
    pub plans_cached: AtomicU64,
    /// Time policy took for plans that were not cached.
    pub policy: Histogram,
    /// Bytes read by the rewriter.
    pub rewritten_bytes: AtomicU64,
    /// Reloads that were applied.
    pub reloads_applied: AtomicU64,
    /// Reloads that were refused.
    pub reloads_refused: AtomicU64,
    /// Records that could not be appended (the exchange was refused).
    pub audit_refused: AtomicU64,
    /// What was met among stored values.
    pub stored: StoredStatus,
}

impl Status {
    /// The counters of `route` of `upstream`, made at first use.
    pub fn route(&self, upstream: &Arc<str>, route: &Arc<str>) -> Arc<RouteStatus> {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry((Arc::clone(upstream), Arc::clone(route))).or_default())
    }

    /// Counts a refusal.
    pub fn refused(&self, code: &'static str) {
        *self.refusals.lock().unwrap_or_else(PoisonError::into_inner).entry(code).or_default() += 1;
    }

    /// Prometheus text format 0.0.4.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        self.write_routes(&mut out);
        let _ = writeln!(out, "# HELP fieldgate_refusals_total Exchanges the gateway refused, by problem code.");
        let _ = writeln!(out, "# TYPE fieldgate_refusals_total counter");
        for (code, count) in self.refusals.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(out, "fieldgate_refusals_total{{code=\"{code}\"}} {count}");
        }
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        gauge(
            &mut out,
            "fieldgate_exchanges_active",
            "Exchanges under way.",
            self.active.load(Ordering::Relaxed) as u64,
        );
        for (name, help, value) in [
            ("fieldgate_plans_decided_total", "Plans asked of policy.", load(&self.plans_decided)),
            ("fieldgate_plans_cached_total", "Plans found in a worker's cache.", load(&self.plans_cached)),
            ("fieldgate_rewritten_bytes_total", "Response bytes read by the rewriter.", load(&self.rewritten_bytes)),
            ("fieldgate_reloads_applied_total", "Reloads that were applied.", load(&self.reloads_applied)),
            ("fieldgate_reloads_refused_total", "Reloads that were refused.", load(&self.reloads_refused)),
            ("fieldgate_audit_refused_total", "Records that could not be made durable.", load(&self.audit_refused)),
        ] {
            counter(&mut out, name, help, value);
        }
        self.stored.write(&mut out);
        let _ = writeln!(out, "# HELP fieldgate_policy_seconds Time policy took for a plan that was not cached.");
        let _ = writeln!(out, "# TYPE fieldgate_policy_seconds histogram");
        self.policy.write(&mut out, "fieldgate_policy_seconds", "kind=\"plan\"");
        out
    }

    fn write_routes(&self, out: &mut String) {
        let routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = |(upstream, route): &(Arc<str>, Arc<str>)| format!("upstream=\"{upstream}\",route=\"{route}\"");
        let _ = writeln!(out, "# HELP fieldgate_exchanges_total Exchanges by route and class of status.");
        let _ = writeln!(out, "# TYPE fieldgate_exchanges_total counter");
        for (key, route) in routes.iter() {
            for (class, count) in route.statuses.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let class = if class == 0 { "none".to_owned() } else { format!("{class}xx") };
                    let _ = writeln!(out, "fieldgate_exchanges_total{{{},status=\"{class}\"}} {count}", labels(key));
                }
            }
        }
        for (name, help, pick) in [
            ("fieldgate_body_bytes_total", "Body bytes handed to callers.", 0),
            ("fieldgate_protected_leaves_total", "Fields that were protected.", 1),
            ("fieldgate_schema_drift_total", "Members that the API map does not know and that were withheld.", 2),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (key, route) in routes.iter() {
                let counter = match pick {
                    0 => &route.bytes,
                    1 => &route.leaves,
                    _ => &route.drift,
                };
                let _ = writeln!(out, "{name}{{{}}} {}", labels(key), counter.load(Ordering::Relaxed));
            }
        }
        for (name, help, whole) in [
            ("fieldgate_exchange_seconds", "Whole exchanges.", true),
            ("fieldgate_upstream_seconds", "Until the head of the CRM's response.", false),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} histogram");
            for (key, route) in routes.iter() {
                let histogram = if whole { &route.duration } else { &route.upstream };
                histogram.write(out, name, &labels(key));
            }
        }
    }
}

/// Writes one gauge.
pub(super) fn gauge(out: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}

/// Writes one counter.
pub(super) fn counter(out: &mut String, name: &str, help: &str, value: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_histograms_come_out_as_prometheus_text() {
        let status = Status::default();
        let route = status.route(&"crm".into(), &"customer.read".into());
        route.ended(Some(200), Duration::from_millis(3), 42);
        status.refused("unmapped_route");
        let text = status.to_prometheus();
        for line in [
            "fieldgate_exchanges_total{upstream=\"crm\",route=\"customer.read\",status=\"2xx\"} 1",
            "fieldgate_exchange_seconds_bucket{upstream=\"crm\",route=\"customer.read\",le=\"0.005\"} 1",
            "fieldgate_body_bytes_total{upstream=\"crm\",route=\"customer.read\"} 42",
            "fieldgate_refusals_total{code=\"unmapped_route\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} missing in\n{text}");
        }
    }
}
