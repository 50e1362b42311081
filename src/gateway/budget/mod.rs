//! Budgets: how many different people each caller has seen, found or asked about, shared by all workers.
//!
//! What is kept of a person is the keyed reference that records carry, never an id. Nothing of it is written to disk: the
//! access log says it all, and a start reads it back from there.

mod account;
#[cfg(test)]
mod account_tests;
mod meter;
mod restore;
#[cfg(test)]
mod shift;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use hashbrown::HashMap;
use http::StatusCode;

use super::{
    exchange::{Exchange, Stage},
    plan::Plan,
    respond::Refusal,
    snapshot::{RoutePlan, Site},
};
use crate::{
    config::{BudgetRule, BudgetSettings, Counted},
    crm::Matched,
    crypto::MacKey,
    model::{ClassSet, Principal, Timestamp, View},
    rewrite::{Gate, ResponseView},
};
use account::{Account, State};

pub(super) use account::Found;
use meter::Of;
pub(super) use meter::{AtStop, Meter};

/// Principals that one rule keeps an account of. With `stop_after = 120` all of them full are about 100 MB.
const MAX_PRINCIPALS: usize = 16_384;

type Tally = Arc<Mutex<Account>>;

/// The rules of a configuration.
#[derive(Debug)]
pub(super) struct Rules {
    configured: Vec<Arc<BudgetRule>>,
    /// For comparisons, where no configured rule bounds them.
    built_in: Arc<BudgetRule>,
}

impl Rules {
    pub(super) fn new(settings: &BudgetSettings) -> Self {
        let configured = settings.rules.iter().cloned().map(Arc::new).collect();
        Self { configured, built_in: Arc::new(BudgetRule::built_in()) }
    }

    /// The rules about `party` that bear on `call`.
    fn about(&self, party: &Principal, call: Call) -> impl Iterator<Item = &Arc<BudgetRule>> {
        let configured = self.configured.iter().filter(|rule| rule.is_about(party));
        let bounded = configured.clone().any(|rule| rule.bounds_verify());
        configured.chain((call == Call::Comparison && !bounded).then_some(&self.built_in))
    }
}

/// What a caller does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// It reads or writes through a route.
    Exchange,
    /// It compares a value.
    Comparison,
}

/// Every account.
#[derive(Debug)]
pub(super) struct Budgets {
    key: MacKey,
    /// By rule, then by principal.
    accounts: Mutex<BTreeMap<String, Ledger>>,
    /// People shown masked because of a rule.
    masked: AtomicU64,
    /// People and guesses refused because of one.
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct Ledger {
    accounts: HashMap<Arc<str>, Tally>,
    /// The minute in which room was last made.
    swept: i64,
}

/// Why nothing more is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stop {
    rule: String,
    /// Until there is room, in seconds.
    seconds: u64,
}

impl Stop {
    /// What the caller is told.
    pub(super) fn refusal(&self) -> Refusal {
        let detail = "you have come to know of as many different people, or guessed as often, as a budget allows; wait for \
                      `Retry-After` seconds, or go on with the people you have seen";
        let mut refusal = Refusal::new(CODE, StatusCode::TOO_MANY_REQUESTS, detail)
            .member("budget", self.rule.as_str())
            .retry_after(self.seconds);
        refusal.rules = vec![self.name()];
        refusal
    }

    /// The rule's name as records spell it, next to the ids of policies.
    fn name(&self) -> Arc<str> {
        format!("budget:{}", self.rule).into()
    }
}

/// The problem code.
pub(super) const CODE: &str = "budget_exceeded";

impl Budgets {
    /// Nothing is counted yet; `key` makes the references of records.
    pub(super) fn new(key: MacKey) -> Self {
        Self { key, accounts: Mutex::default(), masked: AtomicU64::new(0), refused: AtomicU64::new(0) }
    }

    /// What `rules` count of `principal` and of the human it acts for; `None` when no rule is about either.
    fn of(&self, rules: &Rules, call: Call, principal: &Principal, now: Timestamp) -> Option<Of> {
        let mut of = Of::default();
        for party in std::iter::once(principal).chain(principal.on_behalf_of.as_deref()) {
            for rule in rules.about(party, call) {
                match self.tally(rule, &party.id, now) {
                    Some(tally) => of.add(rule, &party.id, tally),
                    None => of.crowd(rule),
                }
            }
        }
        of.sorted()
    }

    /// The account of `principal`; `None` when there are as many accounts as may be and none can be given up.
    fn tally(&self, rule: &BudgetRule, principal: &Arc<str>, now: Timestamp) -> Option<Tally> {
        let mut ledgers = lock(&self.accounts);
        if !ledgers.contains_key(&rule.name) {
            ledgers.insert(rule.name.clone(), Ledger::default());
        }
        let ledger = ledgers.get_mut(&rule.name)?;
        if let Some(tally) = ledger.accounts.get(principal)
            && lock(tally).is_of(rule)
        {
            lock(tally).adopt(rule);
            return Some(Arc::clone(tally));
        }
        if ledger.accounts.len() >= MAX_PRINCIPALS && !ledger.accounts.contains_key(principal) {
            ledger.sweep(now);
            if ledger.accounts.len() >= MAX_PRINCIPALS {
                return None;
            }
        }
        let tally = Arc::new(Mutex::new(Account::new(rule, now)));
        ledger.accounts.insert(Arc::clone(principal), Arc::clone(&tally));
        Some(tally)
    }

    /// States of accounts and what came of them, as Prometheus text.
    pub(super) fn write_prometheus(&self, now: Timestamp, out: &mut String) {
        let name = "fieldgate_budget_principals";
        let _ = writeln!(out, "# HELP {name} Principals that a budget rule counts, by how much of it is used.");
        let _ = writeln!(out, "# TYPE {name} gauge");
        for (rule, ledger) in lock(&self.accounts).iter() {
            let mut counts = [("counting", 0_u64), ("near", 0), ("masking", 0), ("stopping", 0)];
            for tally in ledger.accounts.values() {
                let at = match lock(tally).state(now) {
                    State::Empty => continue,
                    State::Counting => 0,
                    State::Near => 1,
                    State::Masking => 2,
                    State::Stopping => 3,
                };
                if let Some((_, count)) = counts.get_mut(at) {
                    *count += 1;
                }
            }
            for (state, count) in counts {
                let _ = writeln!(out, "{name}{{rule=\"{rule}\",state=\"{state}\"}} {count}");
            }
        }
        for (name, help, count) in [
            ("fieldgate_budget_masked_total", "Records masked because of a budget.", &self.masked),
            ("fieldgate_budget_refused_total", "Records and guesses refused because of a budget.", &self.refused),
        ] {
            super::status::counter(out, name, help, count.load(Ordering::Relaxed));
        }
    }
}

impl Ledger {
    /// Makes room, at most once a minute: accounts go whose window is empty or less than half used. Whoever is near a limit,
    /// or past it, is never forgotten; when all are, somebody new is shown masked values only.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept == now.minutes() {
            return;
        }
        self.swept = now.minutes();
        self.accounts.retain(|_, tally| {
            Arc::strong_count(tally) > 1 || !matches!(lock(tally).state(now), State::Empty | State::Counting)
        });
    }
}

/// No code panics while it holds one of these; were it to, the counts are still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Before the CRM is asked: notes by which classes the caller searches, and opens the budgets of the exchange.
///
/// # Errors
/// When the caller has no room left for the person the path names, or for another guess.
pub(super) fn open(
    exchange: &mut Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    matched: &Matched,
    plan: &Plan,
    written: ClassSet,
) -> Stage<Option<Arc<Meter>>> {
    let searched = searched(route, matched, written);
    exchange.ending.searched = searched;
    let at_stop = if route.action.is_write() { AtStop::Mask } else { AtStop::Refuse };
    claim(exchange, site, (route, matched, plan), searched, (at_stop, 0))
}

/// The classes by which a call searches, of which `written` are in its body.
pub(super) fn searched(route: &RoutePlan, matched: &Matched, written: ClassSet) -> ClassSet {
    let searched: ClassSet = matched.protected.iter().map(|(class, _)| *class).collect();
    // What a body holds that changes nothing is what is asked for.
    if route.action.is_write() { searched } else { searched.union(written) }
}

/// Opens the budgets of call `number` of the exchange, counted from 1; 0 is the exchange's own.
///
/// # Errors
/// As [`open`].
pub(super) fn claim(
    exchange: &Exchange<'_>,
    site: &Site,
    (route, matched, plan): (&RoutePlan, &Matched, &Plan),
    searched: ClassSet,
    (at_stop, number): (AtStop, u32),
) -> Stage<Option<Arc<Meter>>> {
    let Some(meter) = numbered(exchange, site, route, Call::Exchange, (at_stop, number)) else { return Ok(None) };
    let stopped = |stop: Stop| Box::new(stop.refusal());
    if !searched.is_empty() {
        meter.guess(Counted::Find).map_err(stopped)?;
    }
    let reveals = !plan.permit.views().at(View::Reveal, route.response_classes).is_empty();
    if let (Some(subject), true, false) = (&matched.subject, reveals, route.response.names_subjects()) {
        meter.ask(subject).map_err(stopped)?;
    }
    Ok(Some(meter))
}

/// The budgets that bear on the exchange's caller.
pub(super) fn meter(
    exchange: &Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    call: Call,
    at_stop: AtStop,
) -> Option<Arc<Meter>> {
    numbered(exchange, site, route, call, (at_stop, 0))
}

fn numbered(
    exchange: &Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    call: Call,
    (at_stop, number): (AtStop, u32),
) -> Option<Arc<Meter>> {
    let rules = &exchange.snapshot.budget;
    if rules.configured.is_empty() && call == Call::Exchange {
        return None;
    }
    let budgets = &exchange.worker.shared.budgets;
    let of = budgets.of(rules, call, exchange.ending.actor.principal.as_deref()?, exchange.now)?;
    let place = (Arc::clone(&route.resource), Arc::clone(&site.upstream_name));
    // People without an id are numbered from here: those of two calls are not the same.
    let first = exchange.ending.request.wrapping_add(u128::from(number) << 40);
    Some(Arc::new(Meter::new(budgets, of, place, first, at_stop, exchange.now)))
}

/// Whether an answer of the CRM has a body to look into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The head is all there is.
    Head,
    /// It has a body.
    Body,
}

/// The head of the CRM's answer to a find: `404` found nobody, and one without a body is counted like that, because whether
/// there is somebody is all that it says.
pub(super) fn answered(exchange: &Exchange<'_>, status: StatusCode, shape: Shape) {
    let Some(meter) = &exchange.meter else { return };
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) || (status.is_success() && shape == Shape::Head) {
        meter.guessed(Found::Nobody);
    }
}

/// Lets the view of the exchange's answer ask its budgets. An error body reveals nothing, and finds nobody.
pub(super) fn watch_answer(
    exchange: &Exchange<'_>,
    view: ResponseView,
    status: StatusCode,
) -> (ResponseView, Option<Arc<Meter>>) {
    if status.is_success() { watch(view, exchange.ending.searched, exchange.meter.as_ref()) } else { (view, None) }
}

/// Lets the view of an answer ask `meter`, and look for who was found by the classes `searched`.
pub(super) fn watch(
    mut view: ResponseView,
    searched: ClassSet,
    meter: Option<&Arc<Meter>>,
) -> (ResponseView, Option<Arc<Meter>>) {
    if !searched.is_empty() {
        view = view.finding();
    }
    match meter {
        Some(meter) => (view.gated(Arc::clone(meter) as Arc<dyn Gate>), Some(Arc::clone(meter))),
        None => (view, None),
    }
}
