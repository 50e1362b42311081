//! What was met among stored values, as counters: reasons and names of classes, never values.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::status::counter;
use crate::{
    model::{ClassId, ClassTable},
    protect::Unopened,
    rewrite::Notes,
};

/// Counters of stored values; kept across reloads.
#[derive(Debug, Default)]
pub struct StoredStatus {
    unopened: [AtomicU64; Unopened::ALL.len()],
    moved: AtomicU64,
    outdated: AtomicU64,
    /// By name of class: clear values that were expected, and clear values that were not.
    clear: Mutex<BTreeMap<Arc<str>, (u64, u64)>>,
}

impl StoredStatus {
    /// Counts `notes`, whose classes are those of `classes`.
    pub fn add(&self, notes: &Notes, classes: &ClassTable) {
        for (counter, count) in self.unopened.iter().zip(notes.unopened) {
            counter.fetch_add(count, Ordering::Relaxed);
        }
        self.moved.fetch_add(notes.moved, Ordering::Relaxed);
        self.outdated.fetch_add(notes.outdated, Ordering::Relaxed);
        if notes.legacy.is_empty() && notes.bypassed.is_empty() {
            return;
        }
        let mut clear = self.clear.lock().unwrap_or_else(PoisonError::into_inner);
        let name = |class: ClassId| classes.get(class).map_or_else(|| "?".into(), |class| Arc::clone(&class.name));
        for (class, count) in &notes.legacy {
            clear.entry(name(*class)).or_default().0 += count;
        }
        for (class, count) in &notes.bypassed {
            clear.entry(name(*class)).or_default().1 += count;
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let name = "fieldgate_stored_unavailable_total";
        let _ = writeln!(out, "# HELP {name} Stored values that were shown as a placeholder.\n# TYPE {name} counter");
        for (why, count) in Unopened::ALL.iter().zip(&self.unopened) {
            let _ = writeln!(out, "{name}{{reason=\"{}\"}} {}", why.as_str(), count.load(Ordering::Relaxed));
        }
        let moved = self.moved.load(Ordering::Relaxed);
        counter(out, "fieldgate_stored_moved_total", "Stored values opened on another record than their own.", moved);
        let outdated = self.outdated.load(Ordering::Relaxed);
        counter(
            out,
            "fieldgate_stored_outdated_total",
            "Stored values opened that are not under the active key.",
            outdated,
        );
        let clear = self.clear.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, help, second) in [
            ("fieldgate_legacy_plaintext_seen_total", "Clear values of classes that are being migrated.", false),
            (
                "fieldgate_bypass_plaintext_seen_total",
                "Clear values where none should be: somebody writes past the gateway.",
                true,
            ),
        ] {
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (class, (legacy, bypassed)) in clear.iter() {
                let count = if second { bypassed } else { legacy };
                let _ = writeln!(out, "{name}{{class=\"{class}\"}} {count}");
            }
        }
    }
}
