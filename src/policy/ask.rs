//! Questions to Cedar for one exchange: its parties are built once, then asked about the action and each class.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
};

use cedar_policy::{
    AuthorizationError, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression as Value,
};

use crate::model::{Action, ClassId, ClassSet, Kind, Principal, Timestamp, View, Views};

use super::{Policy, schema::GIVEN, scope::Slices};

/// What policy is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What is to be done.
    pub action: Action,
    /// With which resource.
    pub resource: &'a str,
    /// The route's name.
    pub route: &'a str,
    /// The upstream's name.
    pub upstream: &'a str,
    /// The classes whose views are wanted.
    pub classes: ClassSet,
    /// The purpose stated.
    pub purpose: Option<&'a str>,
    /// Whether a case is named.
    pub case: bool,
    /// The time.
    pub now: Timestamp,
    /// Where the caller comes from.
    pub network: IpAddr,
}

/// Names of entity types, parsed once.
pub(super) struct Types {
    principal: EntityTypeName,
    role: EntityTypeName,
    kind: EntityTypeName,
    verb: EntityTypeName,
    resource: EntityTypeName,
    class: EntityTypeName,
    purpose: EntityTypeName,
    action: EntityTypeName,
}

impl Types {
    pub(super) fn new() -> Result<Self, String> {
        let named = |name: &str| name.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string());
        Ok(Self {
            principal: named("Principal")?,
            role: named("Role")?,
            kind: named("Kind")?,
            verb: named("Verb")?,
            resource: named("Resource")?,
            class: named("Class")?,
            purpose: named("Purpose")?,
            action: named("Action")?,
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// One answer of Cedar.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) allowed: bool,
    /// Ids of the policies that permitted, or of those that forbade; also of one that failed to evaluate.
    pub(super) rules: BTreeSet<Arc<str>>,
}

/// The view of one class for one party, with what gave it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    pub(super) view: View,
    /// Policies that permitted `view`; for `redact`, those that forbade more.
    pub(super) rules: BTreeSet<Arc<str>>,
}

/// One principal in the situation of a question.
pub(super) struct Party<'a> {
    policy: &'a Policy,
    question: &'a Question<'a>,
    pub(super) principal: &'a Principal,
    uid: EntityUid,
    entities: Entities,
    slices: Slices,
}

/// Those who must all be permitted: the caller, and the human it acts for. `None` when an AI agent acts for nobody, or
/// somebody acts for one who is not a human.
pub(super) fn parties<'a>(policy: &'a Policy, question: &'a Question<'a>) -> Option<Vec<Party<'a>>> {
    let caller = question.principal;
    let human = caller.on_behalf_of.as_deref();
    if human.is_none() && caller.kind == Kind::Ai || human.is_some_and(|human| human.kind != Kind::Human) {
        return None;
    }
    let mut parties = vec![Party::new(policy, question, caller, human)?];
    if let Some(human) = human {
        parties.push(Party::new(policy, question, human, None)?);
    }
    Some(parties)
}

impl<'a> Party<'a> {
    fn new(
        policy: &'a Policy,
        question: &'a Question<'a>,
        principal: &'a Principal,
        human: Option<&Principal>,
    ) -> Option<Self> {
        let types = &policy.types;
        let mut entities = vec![entity(types, principal)?];
        // The same id on both sides would be one entity with the roles of both.
        if let Some(human) = human {
            if human.id == principal.id {
                return None;
            }
            entities.push(entity(types, human)?);
        }
        Some(Self {
            policy,
            question,
            principal,
            uid: uid(&types.principal, &principal.id),
            entities: Entities::from_entities(entities, None).ok()?,
            slices: policy.scopes.of(principal, question.action)?,
        })
    }

    /// May this party do what is asked, with this purpose and case?
    pub(super) fn may(&self, purpose: Option<&str>, case: bool) -> Answer {
        let types = &self.policy.types;
        let action = self.question.action.as_str();
        let resource = uid(&types.resource, self.question.resource);
        self.context(purpose, case, false).map_or_else(Answer::default, |context| self.ask(action, resource, context))
    }

    /// What this party sees of each class asked about.
    pub(super) fn sights(&self, purpose: Option<&str>, case: bool) -> Vec<(ClassId, Sight)> {
        let Some(context) = self.context(purpose, case, true) else { return Vec::new() };
        let classes = self.question.classes.iter();
        classes.map(|class| (class, self.sight(class, &context))).collect()
    }

    fn sight(&self, class: ClassId, context: &Context) -> Sight {
        let types = &self.policy.types;
        let Some(class) = self.policy.classes.get(class) else { return Sight::default() };
        let mut forbidden = BTreeSet::new();
        for view in GIVEN {
            let answer = self.ask(view.as_str(), uid(&types.class, &class.name), context.clone());
            if answer.allowed {
                return Sight { view, rules: answer.rules };
            }
            forbidden.extend(answer.rules);
        }
        Sight { view: View::Redact, rules: forbidden }
    }

    /// Does this view of the class hold for this party? With the policies that say so.
    pub(super) fn sees(&self, class: ClassId, view: View, purpose: Option<&str>, case: bool) -> Answer {
        let types = &self.policy.types;
        let class = self.policy.classes.get(class);
        let asked = class.zip(self.context(purpose, case, true));
        asked.map_or_else(Answer::default, |(class, context)| {
            self.ask(view.as_str(), uid(&types.class, &class.name), context)
        })
    }

    /// Is the class shown to this party at `view` or higher?
    pub(super) fn sights_at_least(&self, class: ClassId, view: View, purpose: Option<&str>, case: bool) -> bool {
        let higher = GIVEN.into_iter().filter(|given| *given >= view);
        higher.into_iter().any(|given| self.sees(class, given, purpose, case).allowed)
    }

    /// Cedar skips a policy that fails to evaluate; a `forbid` that fails must not thereby permit.
    fn ask(&self, action: &'static str, resource: EntityUid, context: Context) -> Answer {
        let Ok(request) =
            Request::new(self.uid.clone(), uid(&self.policy.types.action, action), resource, context, self.checked())
        else {
            debug_assert!(false, "a request that the schema does not allow");
            return Answer::default();
        };
        let Some(set) = self.slices.get(action) else { return Answer::default() };
        let response = self.policy.authorizer.is_authorized(&request, set, &self.entities);
        let errors = response.diagnostics().errors();
        let failed: Vec<_> = errors.map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id()).collect();
        let allowed = response.decision() == Decision::Allow && failed.is_empty();
        let rules = if failed.is_empty() { response.diagnostics().reason().collect() } else { failed };
        let rules = rules.into_iter().filter_map(|id| self.policy.rule(id.as_ref())).collect();
        Answer { allowed, rules }
    }

    /// Tests check every request against the schema; in operation the code here guarantees it.
    fn checked(&self) -> Option<&cedar_policy::Schema> {
        cfg!(all(test, debug_assertions)).then_some(&self.policy.schema)
    }

    fn context(&self, purpose: Option<&str>, case: bool, of_view: bool) -> Option<Context> {
        let (types, question) = (&self.policy.types, self.question);
        let text = |text: &str| Value::new_string(text.to_owned());
        let courses = self.principal.valid_courses(question.now).map(text);
        let mut pairs = vec![
            ("case".to_owned(), Value::new_bool(case)),
            ("training".to_owned(), Value::new_set(courses)),
            ("time".to_owned(), time(question.now, self.policy.utc_offset_minutes)?),
            ("network".to_owned(), Value::new_ip(question.network.to_canonical().to_string())),
            ("route".to_owned(), text(question.route)),
            ("upstream".to_owned(), text(question.upstream)),
        ];
        if let Some(purpose) = purpose {
            pairs.push(("purpose".to_owned(), Value::new_entity_uid(uid(&types.purpose, purpose))));
        }
        if let Some(human) = &self.principal.on_behalf_of {
            pairs.push(("on_behalf_of".to_owned(), Value::new_entity_uid(uid(&types.principal, &human.id))));
        }
        if of_view {
            let verb = uid(&types.verb, question.action.as_str());
            pairs.push(("action".to_owned(), Value::new_entity_uid(verb)));
            pairs.push(("resource".to_owned(), Value::new_entity_uid(uid(&types.resource, question.resource))));
        }
        Context::from_pairs(pairs).ok()
    }
}

fn entity(types: &Types, principal: &Principal) -> Option<Entity> {
    let text = |text: &str| Value::new_string(text.to_owned());
    let mut attributes = HashMap::from([
        ("id".to_owned(), text(&principal.id)),
        ("kind".to_owned(), Value::new_entity_uid(uid(&types.kind, principal.kind.as_str()))),
    ]);
    if let Some(team) = &principal.team {
        attributes.insert("team".to_owned(), text(team));
    }
    let tags: Vec<_> = principal.attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let roles: HashSet<_> = principal.roles.iter().map(|role| uid(&types.role, role)).collect();
    Entity::new_with_tags(uid(&types.principal, &principal.id), attributes, roles, tags).ok()
}

/// Hour (0–23), minute of the day (0–1439) and ISO 8601 weekday (1 is Monday) at the configured offset.
fn time(now: Timestamp, offset_minutes: i32) -> Option<Value> {
    let (minute, weekday) = local(now, offset_minutes);
    let fields = [("hour", minute / 60), ("minute", minute), ("weekday", weekday)];
    Value::new_record(fields.map(|(name, value)| (name.to_owned(), Value::new_long(value)))).ok()
}

/// Minute of the day and ISO 8601 weekday; 1970-01-01 was a Thursday.
pub(super) fn local(now: Timestamp, offset_minutes: i32) -> (i64, i64) {
    let minutes = now.minutes() + i64::from(offset_minutes);
    (minutes.rem_euclid(1440), (minutes.div_euclid(1440) + 3).rem_euclid(7) + 1)
}

/// The lower rung of every class over all parties, with the policies that gave it.
pub(super) fn meet(sights: &[Vec<(ClassId, Sight)>]) -> (Views, BTreeSet<Arc<str>>) {
    let mut views: Option<Views> = None;
    let mut rules = BTreeSet::new();
    for party in sights {
        let mut seen = Views::default();
        for (class, sight) in party {
            seen.set(*class, sight.view);
            rules.extend(sight.rules.iter().cloned());
        }
        views = Some(views.map_or_else(|| seen.clone(), |others| others.meet(&seen)));
    }
    (views.unwrap_or_default(), rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_crosses_midnight_and_the_week() {
        let monday_noon = Timestamp::from_seconds(1_795_435_200);
        assert_eq!(monday_noon.to_string(), "2026-11-23T12:00:00.000000Z");
        assert_eq!(local(monday_noon, 0), (720, 1));
        assert_eq!(local(monday_noon, 13 * 60), (60, 2));
        assert_eq!(local(monday_noon, -13 * 60), (1380, 7));
        assert_eq!(local(Timestamp::from_micros(-1), 0), (1439, 3));
    }
}
