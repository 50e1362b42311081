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
        let listed = principal.may_act_for.iter().filter(|human| *human != ANYBODY);
        for (key, human) in named.chain(listed.map(|human| ("may_act_for", human))) {
            let path = format!("principal.{index}.{key}");
            if principal.kind != Some(Kind::Ai) {
                let help = "write `kind = \"ai\"`, or remove the key";
                problems.push(Problem::new(path, "only an AI agent acts on behalf of a human", help));
            } else if !self.0.get(human.as_str()).is_some_and(|entry| entry.alone.kind == Kind::Human) {
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
