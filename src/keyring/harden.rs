//! Keeps keys out of core dumps, debuggers of other processes and, where the limit allows it, swap.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
};

/// What the system let us do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardening {
    /// No core dump, and no other process of the same user may look inside (prctl(2), PR_SET_DUMPABLE).
    pub undumpable: bool,
    /// RLIMIT_CORE is 0.
    pub no_core: bool,
    /// All memory stays out of swap (mlockall(2)).
    pub locked: bool,
}

/// Smallest RLIMIT_MEMLOCK with which locking everything is tried, in bytes (4 GiB): below it, every allocation past
/// the limit would fail in a running gateway.
const ENOUGH_BYTES: u64 = 4 << 30;

/// Hardens this process; once, before any key is read. What the system refuses is said in the log, and nothing else
/// depends on it.
pub fn harden() -> Hardening {
    let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok();
    let no_core = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok();
    let allowed = getrlimit(Resource::Memlock).current.is_none_or(|bytes| bytes >= ENOUGH_BYTES);
    let locked = allowed && mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).is_ok();
    if !(undumpable && no_core) {
        tracing::warn!(undumpable, no_core, "core dumps of this process may hold keys");
    }
    if !locked {
        tracing::warn!("keys may be swapped out: raise the limit of locked memory, or turn swap off or encrypt it");
    }
    Hardening { undumpable, no_core, locked }
}
