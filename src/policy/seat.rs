//! Seats: stand-ins for the people and programs that hold a role, for whom the matrix is made.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use crate::model::{Action, ClassSet, Kind, Principal, Timestamp, Via};

use super::{Policy, Question, ask};

/// One row of the matrix: somebody, and what to call them.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The label: a role, `role (ai) for role`, or a principal's id.
    pub name: String,
    /// Who is asked about.
    pub principal: Arc<Principal>,
}

impl Seat {
    /// The seat of a real principal; an AI agent is asked about together with the human it acts for.
    #[must_use]
    pub fn of(principal: &Arc<Principal>) -> Self {
        let name = match &principal.on_behalf_of {
            Some(human) => format!("{} for {}", principal.id, human.id),
            None => principal.id.to_string(),
        };
        Self { name, principal: Arc::clone(principal) }
    }
}

impl Policy {
    /// A seat for each known role, without team, attributes or training. A role that only a service or only an AI agent
    /// can use gets such a seat; an AI agent's role one for each role a human may have.
    #[must_use]
    pub fn seats(&self) -> Vec<Seat> {
        let kinds: Vec<(&String, Kind)> = self.roles.iter().map(|role| (role, self.kind_of(role))).collect();
        let humans = || kinds.iter().filter(|(_, kind)| *kind == Kind::Human);
        let mut seats = Vec::new();
        for (role, kind) in &kinds {
            match kind {
                Kind::Human => seats.push(Seat { name: (*role).clone(), principal: holder(role, Kind::Human, None) }),
                Kind::Service => {
                    seats.push(Seat { name: format!("{role} (service)"), principal: holder(role, *kind, None) });
                }
                Kind::Ai => seats.extend(humans().map(|(of, _)| Seat {
                    name: format!("{role} (ai) for {of}"),
                    principal: holder(role, Kind::Ai, Some(holder(of, Kind::Human, None))),
                })),
            }
        }
        seats
    }

    /// The first kind of principal to which the role gives anything at all, for any purpose.
    fn kind_of(&self, role: &str) -> Kind {
        let gives = |kind| {
            let human = (kind == Kind::Ai).then(|| holder(role, Kind::Human, None));
            let principal = holder(role, kind, human);
            Action::ALL.into_iter().any(|action| {
                self.resources.iter().any(|resource| {
                    let question = everyday(&principal, action, resource);
                    let Some(caller) = ask::parties(self, &question).and_then(|all| all.into_iter().next()) else {
                        return false;
                    };
                    let purposes = self.purposes.iter().map(|code| Some(&**code)).chain([None]);
                    purposes.into_iter().any(|purpose| caller.may(purpose, true).allowed)
                })
            })
        };
        [Kind::Human, Kind::Service, Kind::Ai].into_iter().find(|kind| gives(*kind)).unwrap_or_default()
    }
}

fn holder(role: &str, kind: Kind, on_behalf_of: Option<Arc<Principal>>) -> Arc<Principal> {
    Arc::new(Principal {
        id: format!("seat:{kind}:{role}").into(),
        kind,
        roles: vec![role.into()],
        team: None,
        attributes: BTreeMap::new(),
        training: Vec::new(),
        via: Via::Configured,
        session: None,
        on_behalf_of,
        expires: None,
    })
}

/// A Tuesday at noon, from this machine.
fn everyday<'a>(principal: &'a Principal, action: Action, resource: &'a str) -> Question<'a> {
    Question {
        principal,
        action,
        resource,
        route: "",
        upstream: "",
        classes: ClassSet::EMPTY,
        purpose: None,
        case: false,
        now: Timestamp::from_seconds(1_767_096_000),
        network: Ipv4Addr::LOCALHOST.into(),
    }
}
