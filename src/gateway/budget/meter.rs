//! The budgets of one exchange: people in as they come up, how far each may be shown out.
//!
//! A person is claimed when it comes up, and counts from then on; the claim is settled when what was shown is on record, and
//! given back when it was not shown after all.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, atomic::Ordering},
};

use super::{
    Budgets, CODE, Stop, Tally,
    account::{Account, Claim, Found, Oldest, Ref, Room},
    lock,
};
use crate::{
    audit,
    config::{BudgetRule, Counted},
    gateway::ending::Ending,
    model::{AccessKind, ClassSet, Effect, SubjectId, Timestamp},
    rewrite::{Admission, Gate},
};

/// The accounts that an exchange is counted on.
#[derive(Default)]
pub(super) struct Of {
    tallies: Vec<(Arc<BudgetRule>, Arc<str>, Tally)>,
    /// Rules that have no account left for this caller.
    crowded: Vec<Arc<BudgetRule>>,
}

impl Of {
    pub(super) fn add(&mut self, rule: &Arc<BudgetRule>, principal: &Arc<str>, tally: Tally) {
        if !self.tallies.iter().any(|(_, _, known)| Arc::ptr_eq(known, &tally)) {
            self.tallies.push((Arc::clone(rule), Arc::clone(principal), tally));
        }
    }

    pub(super) fn crowd(&mut self, rule: &Arc<BudgetRule>) {
        self.crowded.push(Arc::clone(rule));
    }

    /// In the one order in which accounts are locked; `None` when there are none.
    pub(super) fn sorted(mut self) -> Option<Self> {
        self.tallies.sort_by(|one, other| (&one.0.name, &one.1).cmp(&(&other.0.name, &other.1)));
        (!self.tallies.is_empty() || !self.crowded.is_empty()).then_some(self)
    }
}

/// What happens to people for whom there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum AtStop {
    /// The exchange is refused.
    Refuse,
    /// They are masked: the CRM has changed already, and a refusal would say that it has not.
    Mask,
}

/// One exchange and its budgets.
pub(in crate::gateway) struct Meter {
    budgets: Arc<Budgets>,
    of: Of,
    /// Resource and upstream, which are part of a reference.
    place: (Arc<str>, Arc<str>),
    request: u128,
    at_stop: AtStop,
    work: Mutex<Work>,
}

struct Work {
    now: Timestamp,
    /// People without an id so far.
    unnamed: u128,
    /// Who was claimed and not settled, on which account.
    claims: Vec<(usize, Ref)>,
    /// Accounts with room for one guess, which has to be ended.
    guessing: Vec<usize>,
    found: Found,
    stop: Option<Stop>,
}

impl Meter {
    pub(super) fn new(
        budgets: &Arc<Budgets>,
        of: Of,
        place: (Arc<str>, Arc<str>),
        request: u128,
        at_stop: AtStop,
        now: Timestamp,
    ) -> Self {
        let work = Work { now, unnamed: 0, claims: Vec::new(), guessing: Vec::new(), found: Found::Nobody, stop: None };
        Self { budgets: Arc::clone(budgets), of, place, request, at_stop, work: Mutex::new(work) }
    }

    /// Whether `subject` could be shown at all. Counts nobody.
    ///
    /// # Errors
    /// When it could not.
    pub(super) fn ask(&self, subject: &SubjectId) -> Result<(), Stop> {
        let (who, now) = (self.reference(subject), lock(&self.work).now);
        let none = |(at, _, mut account): (usize, _, MutexGuard<'_, Account>)| {
            (account.room(&who, now) == Room::None).then(|| self.stop(at, &account, Oldest::Person, now))
        };
        match self.accounts(Counted::Reveal).find_map(none) {
            Some(stop) => Err(self.refused(stop)),
            None => Ok(()),
        }
    }

    /// Makes room for a find or a comparison, which may turn out a guess.
    ///
    /// # Errors
    /// When there were too many guesses.
    pub(in crate::gateway) fn guess(&self, what: Counted) -> Result<(), Stop> {
        let mut work = lock(&self.work);
        if let Some(rule) = self.of.crowded.iter().find(|rule| rule.counts(what) && rule.guess_after.is_some()) {
            return Err(self.refused(Stop { rule: rule.name.clone(), seconds: CROWDED_SECONDS }));
        }
        let now = work.now;
        for (at, _, mut account) in self.accounts(what) {
            if account.guess(now) == Room::None {
                let stop = self.stop(at, &account, Oldest::Guess, now);
                drop(account);
                self.end_guess(&mut work, Found::Unknown);
                return Err(self.refused(stop));
            }
            work.guessing.push(at);
        }
        Ok(())
    }

    /// Somebody was found.
    pub(in crate::gateway) fn found_somebody(&self) {
        lock(&self.work).found = Found::Somebody;
    }

    /// The find is over, with whom it found so far.
    pub(in crate::gateway) fn end_find(&self) {
        let mut work = lock(&self.work);
        let found = work.found;
        self.end_guess(&mut work, found);
    }

    /// The guess is over.
    pub(in crate::gateway) fn guessed(&self, found: Found) {
        self.end_guess(&mut lock(&self.work), found);
    }

    fn end_guess(&self, work: &mut Work, found: Found) {
        let now = work.now;
        for at in std::mem::take(&mut work.guessing) {
            if let Some((_, _, tally)) = self.of.tallies.get(at) {
                lock(tally).guessed(found, now);
            }
        }
    }

    /// Counts `subject` for a comparison.
    pub(in crate::gateway) fn verifies(&self, subject: &SubjectId) -> Admission {
        self.admit(Counted::Verify, self.reference(subject))
    }

    /// What was claimed is on record at `now`, and about to be shown.
    pub(in crate::gateway) fn settle(&self, now: Timestamp) {
        let mut work = lock(&self.work);
        work.now = work.now.max(now);
        for (at, who) in std::mem::take(&mut work.claims) {
            if let Some((_, _, tally)) = self.of.tallies.get(at) {
                lock(tally).settle(&who, now);
            }
        }
    }

    /// Why the exchange had to end, if it had.
    pub(in crate::gateway) fn stopped(&self) -> Option<Stop> {
        lock(&self.work).stop.clone()
    }

    /// Writes the refusal of a body that is on its way already; the caller sees it cut.
    pub(in crate::gateway) async fn record(&self, ending: &mut Ending) {
        let Some(stop) = self.stopped() else { return };
        let mut decision = (*ending.decision).clone();
        decision.effect = Effect::Deny;
        decision.why = Some(CODE);
        decision.rules = [stop.name()].into();
        ending.decision = Arc::new(decision);
        ending.shared().status.refused(CODE);
        // Nothing more leaves either way; that it could not be written, the log says itself.
        let _ = ending.record(AccessKind::Deny, Vec::new(), ClassSet::EMPTY).await;
    }

    fn admit(&self, what: Counted, who: Ref) -> Admission {
        let mut work = lock(&self.work);
        let now = work.now;
        // All at once: what one account allows is only counted when the others allow it, too.
        let mut accounts: Vec<_> = self.accounts(what).collect();
        let crowded = self.of.crowded.iter().any(|rule| rule.counts(what));
        let mut room = if crowded { Room::Mask } else { Room::Full };
        for (at, _, account) in &mut accounts {
            room = room.min(account.room(&who, now));
            if room == Room::None && self.at_stop == AtStop::Refuse {
                work.stop = Some(self.refused(self.stop(*at, account, Oldest::Person, now)));
                return Admission::Refused;
            }
        }
        for (at, _, account) in &mut accounts {
            if account.claim(who, room, now) == Claim::Pending {
                work.claims.push((*at, who));
            }
        }
        if room == Room::Full { Admission::Reveal } else { Admission::Mask }
    }

    /// The accounts whose rule counts `what`, locked in their order.
    fn accounts(&self, what: Counted) -> impl Iterator<Item = (usize, &BudgetRule, MutexGuard<'_, Account>)> {
        let counting = self.of.tallies.iter().enumerate().filter(move |(_, (rule, _, _))| rule.counts(what));
        counting.map(|(at, (rule, _, tally))| (at, &**rule, lock(tally)))
    }

    fn stop(&self, at: usize, account: &Account, what: Oldest, now: Timestamp) -> Stop {
        let rule = self.of.tallies.get(at).map(|(rule, _, _)| rule.name.clone()).unwrap_or_default();
        Stop { rule, seconds: account.seconds_until_room(what, now) }
    }

    fn refused(&self, stop: Stop) -> Stop {
        self.budgets.refused.fetch_add(1, Ordering::Relaxed);
        stop
    }

    fn reference(&self, subject: &SubjectId) -> Ref {
        let (resource, upstream) = &self.place;
        audit::subject_bits(&self.budgets.key, resource, upstream, subject)
    }
}

/// After how long a caller for whom there is no account may try again.
const CROWDED_SECONDS: u64 = 300;

impl Gate for Meter {
    fn reveals(&self, subject: Option<&SubjectId>) -> Admission {
        let who = match subject {
            Some(subject) => self.reference(subject),
            // Nobody can say whether two records without an id are one person's, so they are two.
            None => {
                let mut work = lock(&self.work);
                work.unnamed += 1;
                self.request.wrapping_add(work.unnamed - 1).to_be_bytes()
            }
        };
        let admission = self.admit(Counted::Reveal, who);
        if admission == Admission::Mask {
            self.budgets.masked.fetch_add(1, Ordering::Relaxed);
        }
        admission
    }

    fn finds(&self, subject: &SubjectId) -> Admission {
        self.found_somebody();
        self.admit(Counted::Find, self.reference(subject))
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let mut work = lock(&self.work);
        for (at, who) in std::mem::take(&mut work.claims) {
            if let Some((_, _, tally)) = self.of.tallies.get(at) {
                lock(tally).release(&who);
            }
        }
        self.end_guess(&mut work, Found::Unknown);
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meter({} accounts)", self.of.tallies.len())
    }
}
