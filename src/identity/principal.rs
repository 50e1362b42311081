//! The `[[principal]]` table: what a proof says in, the whole principal out. Knows nothing of tokens, keys or certificates.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{IdentityError, PrincipalSettings};
use crate::model::{Kind, Principal, Problem, Timestamp, Training, Via};

/// What one proof says about its holder.
#[derive(Clone)]
pub(super) struct Proven {
    pub(super) id: Arc<str>,
    pub(super) kind: Option<Kind>,
    pub(super) roles: Vec<Arc<str>>,
    pub(super) team: Option<Arc<str>>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) training: Vec<Training>,
    pub(super) via: Via,
    pub(super) session: Option<Arc<str>>,
    pub(super) expires: Option<Timestamp>,
    pub(super) on_behalf_of: Option<Human>,
    /// Whether an entry is needed.
    pub(super) listed_only: bool,
}

/// The human a proof names for an agent.
#[derive(Clone)]
pub(super) enum Human {
    /// By id: an entry must say the rest.
    Named(Arc<str>),
    /// With claims of its own.
    Proven(Box<Proven>),
}

impl Proven {
    /// A proof that says a name and nothing else.
    pub(super) fn bare(id: Arc<str>, via: Via) -> Self {
        Self {
            id,
            kind: None,
            roles: Vec::new(),
            team: None,
            attributes: BTreeMap::new(),
            training: Vec::new(),
            via,
            session: None,
            expires: None,
            on_behalf_of: None,
            listed_only: false,
        }
    }
}

/// Whether `id` can name a principal: 1–256 bytes, no control characters.
pub(super) fn is_id(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len()) && !id.chars().any(char::is_control)
}

/// The configured principals.
pub(super) struct Directory(HashMap<Arc<str>, Entry>);

struct Entry {
    /// As configured, complete but for the human it acts for.
    alone: Arc<Principal>,
    /// With the fixed human.
    whole: Arc<Principal>,
    kind: Option<Kind>,
    human: Option<Arc<str>>,
    may_act_for: Vec<String>,
    disabled: bool,
}

impl Directory {
    /// Reads the tables; mistakes go to `problems`.
    pub(super) fn new(settings: &[PrincipalSettings], problems: &mut Vec<Problem>) -> Self {
        let mut entries = HashMap::with_capacity(settings.len());
        for (index, principal) in settings.iter().enumerate() {
            let path = format!("principal.{index}.id");
            if !is_id(&principal.id) {
                let help = "use 1 to 256 bytes without control characters";
                problems.push(Problem::new(&path, "not an id of a principal", help));
            } else if entries.insert(Arc::from(principal.id.as_str()), Entry::new(principal)).is_some() {
                problems.push(Problem::new(&path, "this id is given to two principals", "merge the two entries"));
            }
        }
        let mut directory = Self(entries);
        for (index, principal) in settings.iter().enumerate() {
            directory.check_humans(index, principal, problems);
        }
        directory.join();
        directory
    }

    fn check_humans(&self, index: usize, principal: &PrincipalSettings, problems: &mut Vec<Problem>) {
        let named = principal.on_behalf_of.iter().map(|human| ("on_behalf_of", human));
        for (key, human) in named.chain(principal.may_act_for.iter().map(|human| ("may_act_for", human))) {
            let path = format!("principal.{index}.{key}");
            let anybody = key == "may_act_for" && human == ANYBODY;
            if principal.kind != Some(Kind::Ai) {
                let help = "write `kind = \"ai\"`, or remove the key";
                problems.push(Problem::new(path, "only an AI agent acts on behalf of a human", help));
            } else if !anybody && self.0.get(human.as_str()).is_none_or(|entry| entry.alone.kind != Kind::Human) {
                let help = "name the id of a `[[principal]]` whose kind is `human`";
                problems.push(Problem::new(path, "this is not the id of a configured human", help));
            }
        }
    }

    /// Gives every agent its fixed human.
    fn join(&mut self) {
        let human = |entry: &Entry| Some(Arc::clone(&self.0.get(entry.human.as_ref()?)?.alone));
        let humans: Vec<_> = self.0.iter().filter_map(|(id, entry)| Some((Arc::clone(id), human(entry)?))).collect();
        for (id, human) in humans {
            if let Some(entry) = self.0.get_mut(&id) {
                entry.whole = Arc::new(Principal { on_behalf_of: Some(human), ..Principal::clone(&entry.alone) });
            }
        }
    }

    /// The enabled principal `id` as configured, with its fixed human.
    pub(super) fn configured(&self, id: &str) -> Option<&Arc<Principal>> {
        self.0.get(id).filter(|entry| !entry.disabled).map(|entry| &entry.whole)
    }

    /// Whether `id` has an entry, enabled or not.
    pub(super) fn lists(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Whether `id` can call with nothing but its name as proof: an agent needs a human from somewhere.
    pub(super) fn can_stand_alone(&self, id: &str) -> bool {
        self.0
            .get(id)
            .is_some_and(|entry| entry.kind != Some(Kind::Ai) || entry.human.is_some() || !entry.may_act_for.is_empty())
    }

    /// The principal that `proven` and its entry make together, acting for `asked` when that is allowed.
    pub(super) fn complete(&self, proven: Proven, asked: Option<&str>) -> Result<Principal, IdentityError> {
        let claimed = proven.on_behalf_of.clone();
        let entry = self.0.get(&proven.id);
        let mut principal = self.merge(proven)?;
        let fixed = entry.and_then(|entry| entry.human.as_deref());
        let human = match claimed {
            Some(Human::Named(id)) => Some(self.human(&id)?),
            Some(Human::Proven(human)) => Some(Arc::new(self.merge(*human)?)),
            None => fixed.map(|id| self.human(id)).transpose()?,
        };
        if fixed.zip(human.as_ref()).is_some_and(|(fixed, human)| fixed != &*human.id) {
            return Err(IdentityError::WrongHuman);
        }
        principal.on_behalf_of = match (human, asked) {
            (Some(human), Some(asked)) if &*human.id != asked => return Err(IdentityError::WrongHuman),
            (None, Some(asked)) if principal.kind == Kind::Ai && entry.is_some_and(|entry| entry.allows(asked)) => {
                Some(self.human(asked)?)
            }
            (None, Some(_)) => return Err(IdentityError::WrongHuman),
            (human, _) => human,
        };
        match &principal.on_behalf_of {
            None if principal.kind == Kind::Ai => Err(IdentityError::NoHuman),
            Some(human) if human.kind != Kind::Human || human.id == principal.id => Err(IdentityError::WrongHuman),
            _ => Ok(principal),
        }
    }

    fn human(&self, id: &str) -> Result<Arc<Principal>, IdentityError> {
        let entry = self.0.get(id).ok_or(IdentityError::WrongHuman)?;
        if entry.disabled { Err(IdentityError::Disabled) } else { Ok(Arc::clone(&entry.alone)) }
    }

    fn merge(&self, proven: Proven) -> Result<Principal, IdentityError> {
        let Some(entry) = self.0.get(&proven.id) else {
            return if proven.listed_only { Err(IdentityError::NotListed) } else { Ok(plain(proven)) };
        };
        if entry.disabled {
            return Err(IdentityError::Disabled);
        }
        let kind = if proven.kind == Some(Kind::Ai) { proven.kind } else { entry.kind.or(proven.kind) };
        let mut principal = plain(Proven { kind, ..proven });
        let known = &entry.alone;
        principal.roles.extend(known.roles.iter().cloned());
        principal.roles.sort_unstable();
        principal.roles.dedup();
        principal.team = known.team.clone().or(principal.team);
        principal.attributes.extend(known.attributes.clone());
        principal.training.retain(|mine| known.training.iter().all(|theirs| theirs.course != mine.course));
        principal.training.extend(known.training.iter().cloned());
        Ok(principal)
    }
}

impl Entry {
    fn new(settings: &PrincipalSettings) -> Self {
        let mut proven = Proven::bare(settings.id.as_str().into(), Via::Configured);
        proven.kind = settings.kind;
        proven.roles = settings.roles.iter().map(|role| role.as_str().into()).collect();
        proven.team = settings.team.as_deref().map(Arc::from);
        proven.attributes = settings.attributes.clone();
        let course = |training: &super::TrainingSettings| Training {
            course: training.course.clone(),
            valid_until: training.valid_until,
        };
        proven.training = settings.training.iter().map(course).collect();
        let alone = Arc::new(plain(proven));
        Self {
            whole: Arc::clone(&alone),
            alone,
            kind: settings.kind,
            human: settings.on_behalf_of.as_deref().map(Arc::from),
            may_act_for: settings.may_act_for.clone(),
            disabled: settings.disabled,
        }
    }

    fn allows(&self, human: &str) -> bool {
        self.may_act_for.iter().any(|allowed| allowed == ANYBODY || allowed == human)
    }
}

/// The principal that the proof alone makes.
fn plain(proven: Proven) -> Principal {
    let mut roles = proven.roles;
    roles.sort_unstable();
    roles.dedup();
    Principal {
        id: proven.id,
        kind: proven.kind.unwrap_or_default(),
        roles,
        team: proven.team,
        attributes: proven.attributes,
        training: proven.training,
        via: proven.via,
        session: proven.session,
        on_behalf_of: None,
        expires: proven.expires,
    }
}

const MAX_ID_BYTES: usize = 256;
const ANYBODY: &str = "*";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::{
        Identity,
        tests::{FORGE, NOW, build, mac, mistakes, with_issuer},
    };

    const PEOPLE: &str = "
        [[principal]]
        id='anna'
        roles=['supervisor']
        team='blue'
        attributes={desk='7'}
        training=[{course='gdpr', valid_until='2026-11-23'}, {course='pci', valid_until=2026-11-24}]
        [[principal]]
        id='ben'
        kind='human'
        [[principal]]
        id='gone'
        disabled=true
        [[principal]]
        id='bot'
        kind='ai'
        roles=['ai_assistant']
        on_behalf_of='anna'
        [[principal]]
        id='copilot'
        kind='ai'
        may_act_for=['ben', 'gone']
        [[principal]]
        id='pilot'
        kind='ai'
        may_act_for=['*']
        [[principal]]
        id='orphan'
        kind='ai'
        [[principal]]
        id='ghost'
        kind='ai'
        on_behalf_of='gone'
        [[principal]]
        id='batch'
        kind='service'
    ";

    fn who(claims: serde_json::Value) -> Result<Arc<Principal>, IdentityError> {
        with_issuer(PEOPLE).of_token(&FORGE.usual(claims))
    }

    fn for_whom(principal: &Principal) -> Option<&str> {
        Some(&*principal.on_behalf_of.as_ref()?.id)
    }

    fn asking(id: &str, human: &str) -> Result<String, IdentityError> {
        let made = crate::identity::new_api_key(&mac(), "k").unwrap();
        let table = format!("[[identity.api_key]]\nid='k'\nhash='{}'\nprincipal='{id}'\n", made.hash);
        let of = build(&format!("{table}{PEOPLE}"))
            .of(&[("fieldgate-key", made.key.expose()), ("fieldgate-on-behalf-of", human)]);
        of.map(|principal| for_whom(&principal).unwrap_or("nobody").to_owned())
    }

    #[test]
    fn token_and_entry_add_up() {
        let anna = who(json!({"roles": ["agent", "agent"], "team": "red",
            "training": ["gdpr", "first-aid", {"course": "law", "valid_until": NOW.seconds() + 1}, {"course": "bad", "valid_until": "?"}]}))
        .unwrap();
        assert_eq!(anna.roles.iter().map(|role| &**role).collect::<Vec<_>>(), ["agent", "supervisor"]);
        assert_eq!(
            (anna.team.as_deref(), anna.attributes["desk"].as_str(), anna.kind),
            (Some("blue"), "7", Kind::Human)
        );
        let mut courses: Vec<_> = anna.valid_courses(NOW).collect();
        courses.sort_unstable();
        assert_eq!(courses, ["first-aid", "law", "pci"], "the entry's `gdpr` ended and replaces the token's");
    }

    #[test]
    fn an_agent_has_its_fixed_human_and_no_other() {
        let bot = who(json!({"sub": "bot"})).unwrap();
        assert_eq!((bot.kind, for_whom(&bot)), (Kind::Ai, Some("anna")));
        assert_eq!(&*bot.on_behalf_of.as_ref().unwrap().roles[0], "supervisor");
        assert_eq!(who(json!({"sub": "bot", "on_behalf_of": "ben"})), Err(IdentityError::WrongHuman));
        assert_eq!(asking("bot", "anna").as_deref(), Ok("anna"));
        assert_eq!(asking("bot", "ben"), Err(IdentityError::WrongHuman));
    }

    #[test]
    fn an_agent_without_a_human_is_refused() {
        for claims in [json!({"sub": "orphan"}), json!({"sub": "new", "kind": "ai"}), json!({"sub": "copilot"})] {
            assert_eq!(who(claims.clone()), Err(IdentityError::NoHuman), "{claims}");
        }
        assert_eq!(who(json!({"kind": "ai"})), Err(IdentityError::NoHuman), "an entry makes no human of an agent");
        assert_eq!(who(json!({"kind": "robot"})), Err(IdentityError::Claims));
    }

    #[test]
    fn the_header_names_a_human_only_where_the_entry_allows_it() {
        assert_eq!(asking("copilot", "ben").as_deref(), Ok("ben"));
        assert_eq!(asking("pilot", "anna").as_deref(), Ok("anna"));
        assert_eq!(asking("copilot", "anna"), Err(IdentityError::WrongHuman), "not on the list");
        assert_eq!(asking("copilot", "gone"), Err(IdentityError::Disabled));
        for nobody in ["nobody", "", "*", "batch", "bot", "pilot"] {
            assert_eq!(asking("pilot", nobody), Err(IdentityError::WrongHuman), "{nobody}");
        }
        for caller in ["anna", "batch"] {
            assert_eq!(asking(caller, "ben"), Err(IdentityError::WrongHuman), "{caller} is no agent");
        }
    }

    #[test]
    fn a_token_names_the_human_by_id_or_with_claims() {
        let by_id = who(json!({"sub": "orphan", "on_behalf_of": "ben"})).unwrap();
        assert_eq!(for_whom(&by_id), Some("ben"));
        let human = json!({"sub": "carla", "roles": ["agent"]});
        let whole = who(json!({"sub": "orphan", "on_behalf_of": human})).unwrap();
        assert_eq!(&*whole.on_behalf_of.as_ref().unwrap().roles[0], "agent");
        for wrong in [json!("nobody"), json!("batch"), json!("orphan"), json!({"sub": "x", "kind": "service"})] {
            let refused = who(json!({"sub": "orphan", "on_behalf_of": wrong}));
            assert_eq!(refused, Err(IdentityError::WrongHuman), "{wrong}");
        }
        for wrong in [json!(7), json!(["anna"]), json!({}), json!("")] {
            let refused = who(json!({"sub": "orphan", "on_behalf_of": wrong}));
            assert_eq!(refused, Err(IdentityError::Claims), "{wrong}");
        }
    }

    #[test]
    fn the_actor_of_a_delegated_token_calls_for_its_subject() {
        let agent = who(json!({"sub": "dora", "roles": ["agent"], "act": {"sub": "helper", "act": {"sub": "older"}}}));
        let agent = agent.unwrap();
        assert_eq!((&*agent.id, agent.kind, for_whom(&agent)), ("helper", Kind::Ai, Some("dora")));
        assert!(agent.roles.is_empty() && agent.on_behalf_of.as_ref().unwrap().roles.len() == 1);
        let fixed = who(json!({"sub": "dora", "act": {"sub": "bot"}}));
        assert_eq!(fixed, Err(IdentityError::WrongHuman), "its entry names another human");
        for act in [json!({}), json!("helper"), json!([]), json!({"sub": 7})] {
            assert_eq!(who(json!({ "act": act })), Err(IdentityError::Claims), "{act}");
        }
        let elsewhere = who(json!({"act": {"sub": "helper", "iss": "https://other.example/"}}));
        assert_eq!(elsewhere, Err(IdentityError::Issuer));
    }

    #[test]
    fn who_is_disabled_is_refused_in_every_part() {
        assert_eq!(who(json!({"sub": "gone"})), Err(IdentityError::Disabled));
        assert_eq!(who(json!({"sub": "ghost"})), Err(IdentityError::Disabled));
        assert_eq!(who(json!({"sub": "gone", "act": {"sub": "helper"}})), Err(IdentityError::Disabled));
        assert_eq!(who(json!({"sub": "anna", "act": {"sub": "gone"}})), Err(IdentityError::Disabled));
        assert_eq!(who(json!({"sub": "orphan", "on_behalf_of": {"sub": "gone"}})), Err(IdentityError::Disabled));
    }

    #[test]
    fn who_is_not_listed_is_refused_where_an_entry_is_needed() {
        let identity = with_issuer(&format!("listed_only=true\n{PEOPLE}"));
        assert!(identity.of_token(&FORGE.usual(json!({}))).is_ok());
        assert_eq!(identity.of_token(&FORGE.usual(json!({"sub": "new"}))), Err(IdentityError::NotListed));
    }

    #[test]
    fn ids_have_a_length_limit_and_no_control_characters() {
        let of = |id: &str| who(json!({ "sub": id })).map(|principal| principal.id.len());
        assert_eq!(of(&"x".repeat(256)), Ok(256));
        for wrong in ["", &"x".repeat(257), "a\nb", "a\0b", "a\u{85}b"] {
            assert_eq!(of(wrong), Err(IdentityError::Claims), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_configured_can_be_looked_up() {
        let identity: Identity = build(PEOPLE);
        let bot = identity.configured("bot").unwrap();
        assert_eq!((for_whom(bot), &bot.via), (Some("anna"), &Via::Configured));
        assert!(identity.configured("gone").is_none() && identity.configured("nobody").is_none());
    }

    #[test]
    fn mistakes_are_named_by_their_keys() {
        let one = |more: &str| mistakes(&format!("[[principal]]\nid='x'\n{more}"));
        assert_eq!(one("[[principal]]\nid='x'"), ["principal.1.id"]);
        assert_eq!(one("[[principal]]\nid=''"), ["principal.1.id"]);
        assert_eq!(one("on_behalf_of='x'"), ["principal.0.on_behalf_of"]);
        assert_eq!(one("kind='service'\nmay_act_for=['*']"), ["principal.0.may_act_for"]);
        assert_eq!(one("[[principal]]\nid='y'\nkind='ai'\non_behalf_of='*'"), ["principal.1.on_behalf_of"]);
        assert_eq!(one("[[principal]]\nid='y'\nkind='ai'\non_behalf_of='z'"), ["principal.1.on_behalf_of"]);
        assert_eq!(one("[[principal]]\nid='y'\nkind='ai'\nmay_act_for=['x', 'y']"), ["principal.1.may_act_for"]);
    }
}
