//! The answers of policy for one caller, route and purpose: asked once a minute per worker, then found.

use std::sync::{Arc, atomic::Ordering};

use hashbrown::HashMap;
use http::{HeaderName, HeaderValue, StatusCode};

use super::{
    etag::ViewTag,
    exchange::{Exchange, Stage},
    respond::Refusal,
    snapshot::{RoutePlan, Site},
};
use crate::{
    model::{Effect, EventDecision, Principal, Timestamp},
    policy::{Denied, Permit, Question},
};

/// What policy allows, ready for use.
pub(super) struct Plan {
    pub(super) permit: Permit,
    pub(super) decision: Arc<EventDecision>,
    pub(super) tag: ViewTag,
    /// When a course it may rest on ends; the answers count until then.
    until: Option<Timestamp>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    /// Address of the principal, which the entry keeps alive.
    principal: usize,
    /// Address of the route's plan, alive with the snapshot of this generation.
    route: usize,
    purpose: Option<Arc<str>>,
    case: bool,
    network: std::net::IpAddr,
}

/// Plans of one worker, of one generation and one minute.
#[derive(Default)]
pub(super) struct PlanCache {
    generation: u64,
    minute: i64,
    plans: HashMap<Key, (Arc<Principal>, Arc<Plan>)>,
}

/// Plans a worker keeps; the cache starts anew past it.
const MAX_PLANS: usize = 8_192;

impl PlanCache {
    /// The plan for this exchange.
    pub(super) fn plan(
        &mut self,
        exchange: &Exchange<'_>,
        site: &Site,
        route: &Arc<RoutePlan>,
        principal: &Arc<Principal>,
    ) -> Stage<Arc<Plan>> {
        let (generation, minute) = (exchange.snapshot.generation, exchange.now.minutes());
        if (self.generation, self.minute) != (generation, minute) || self.plans.len() >= MAX_PLANS {
            self.plans.clear();
            (self.generation, self.minute) = (generation, minute);
        }
        let purpose = &exchange.ending.purpose;
        let key = Key {
            principal: Arc::as_ptr(principal).addr(),
            route: Arc::as_ptr(route).addr(),
            purpose: purpose.code.clone(),
            case: purpose.case.is_some(),
            network: exchange.peer.address.ip(),
        };
        let status = &exchange.worker.shared.status;
        let current = |plan: &Plan| plan.until.is_none_or(|until| exchange.now < until);
        if let Some((_, plan)) = self.plans.get(&key).filter(|(_, plan)| current(plan)) {
            status.plans_cached.fetch_add(1, Ordering::Relaxed);
            return Ok(Arc::clone(plan));
        }
        status.plans_decided.fetch_add(1, Ordering::Relaxed);
        let started = std::time::Instant::now();
        let plan = decide(exchange, site, route, principal);
        status.policy.observe(started.elapsed());
        let plan = Arc::new(plan?);
        self.plans.insert(key, (Arc::clone(principal), Arc::clone(&plan)));
        Ok(plan)
    }
}

fn decide(exchange: &Exchange<'_>, site: &Site, route: &RoutePlan, principal: &Principal) -> Stage<Plan> {
    let policy = &exchange.snapshot.policy;
    let purpose = &exchange.ending.purpose;
    let question = Question {
        principal,
        action: route.action,
        resource: &route.resource,
        route: &route.name,
        upstream: &site.upstream_name,
        classes: route.classes,
        purpose: purpose.code.as_deref(),
        case: purpose.case.is_some(),
        now: exchange.now,
        network: exchange.peer.address.ip(),
    };
    let permit = policy.decide(&question).map_err(|denied| Box::new(refusal(&denied)))?;
    let mut notes = permit.notes().to_vec();
    if site.inbound.pass_authorization {
        notes.push("pass_authorization");
    }
    if site.inbound.pass_cookies {
        notes.push("pass_cookies");
    }
    let effect = permit.effect(route.response_classes);
    let decision = EventDecision {
        effect,
        rules: Arc::clone(permit.rules()),
        policy: Arc::clone(policy.fingerprint()),
        why: None,
        notes,
    };
    let views: Vec<u8> = route.classes.iter().map(|class| permit.views().get(class) as u8).collect();
    let tag = ViewTag::of(&[exchange.snapshot.fingerprint.as_bytes(), &views]);
    debug_assert!(effect != Effect::Deny);
    Ok(Plan { permit, decision: Arc::new(decision), tag, until: first_end(principal, exchange.now) })
}

/// The first moment after `now` at which a course of the caller, or of the human it acts for, stops being valid.
fn first_end(principal: &Principal, now: Timestamp) -> Option<Timestamp> {
    let parties = std::iter::once(principal).chain(principal.on_behalf_of.as_deref());
    let ends = parties.flat_map(|party| &party.training).filter_map(|training| training.valid_until);
    ends.filter(|until| *until > now).min()
}

/// A purpose nobody configured: told before anything is done with it.
pub(super) fn unknown_purpose(codes: &[Arc<str>]) -> Refusal {
    refusal(&Denied::UnknownPurpose { codes: codes.to_vec() })
}

fn refusal(denied: &Denied) -> Refusal {
    let codes = |codes: &[Arc<str>]| codes.iter().map(|code| code.to_string()).collect::<Vec<_>>();
    let mut refusal = match denied {
        Denied::NotPermitted { .. } => {
            let detail = "policy does not permit this action on this resource for you; ask for the role that does";
            Refusal::new(denied.code(), StatusCode::FORBIDDEN, detail)
        }
        Denied::PurposeRequired { codes: purposes, needs_case, .. } => {
            let detail = if *needs_case {
                "say what it is for: send `Fieldgate-Purpose` with one of `purposes`, and `Fieldgate-Case` with the case"
            } else {
                "say what it is for: send `Fieldgate-Purpose` with one of `purposes`"
            };
            Refusal::new(denied.code(), StatusCode::FORBIDDEN, detail).member("purposes", codes(purposes))
        }
        Denied::UnknownPurpose { codes: purposes } => {
            let detail = "the purpose is not a configured one; send `Fieldgate-Purpose` with one of `purposes`";
            Refusal::new(denied.code(), StatusCode::BAD_REQUEST, detail).member("purposes", codes(purposes))
        }
    };
    refusal.rules = denied.rules().to_vec();
    refusal.header(HeaderName::from_static("cache-control"), HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Training, Via};

    #[test]
    fn a_course_that_ends_within_the_minute_ends_the_plan() {
        let at = Timestamp::from_seconds;
        let training = |until: Option<i64>| Training { course: "fraud".to_owned(), valid_until: until.map(at) };
        let principal = |training: Vec<Training>, on_behalf_of| Principal {
            id: "p".into(),
            kind: Kind::Human,
            roles: Vec::new(),
            team: None,
            attributes: std::collections::BTreeMap::new(),
            training,
            via: Via::Configured,
            session: None,
            on_behalf_of,
            expires: None,
        };
        let human = Arc::new(principal(vec![training(Some(130))], None));
        let agent = principal(vec![training(None), training(Some(90)), training(Some(150))], Some(human));
        assert_eq!(first_end(&agent, at(89)), Some(at(90)));
        assert_eq!(first_end(&agent, at(90)), Some(at(130)), "what has ended ends no plan");
        assert_eq!(first_end(&agent, at(150)), None);
    }
}
