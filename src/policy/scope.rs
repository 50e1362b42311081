//! Which policies a question can concern at all, told from their scopes: Cedar itself looks at every policy it is given.

use cedar_policy::{ActionConstraint, EntityUid, Policy as CedarPolicy, PolicySet, PrincipalConstraint};

use crate::model::{Action, Principal, View};

use super::schema::GIVEN;

/// The policies by action.
pub(super) struct Scopes(Vec<(&'static str, Vec<Scoped>)>);

struct Scoped {
    principal: PrincipalConstraint,
    policy: CedarPolicy,
}

/// The policies that can concern one principal, by action.
pub(super) struct Slices(Vec<(&'static str, PolicySet)>);

impl Scopes {
    pub(super) fn new(policies: &[CedarPolicy]) -> Self {
        let actions = Action::ALL.map(Action::as_str).into_iter().chain(GIVEN.map(View::as_str));
        let scoped = |policy: &CedarPolicy| Scoped { principal: policy.principal_constraint(), policy: policy.clone() };
        let of = |action: &'static str| policies.iter().filter(|policy| admits(policy, action)).map(scoped).collect();
        Self(actions.map(|action| (action, of(action))).collect())
    }

    /// What can concern `principal` doing `action`, and how it sees what comes of it.
    pub(super) fn of(&self, principal: &Principal, action: Action) -> Option<Slices> {
        let wanted = |name: &&str| *name == action.as_str() || GIVEN.iter().any(|view| view.as_str() == *name);
        let slices = self.0.iter().filter(|(name, _)| wanted(name)).map(|(name, policies)| {
            let concerned = policies.iter().filter(|scoped| concerns(&scoped.principal, principal));
            Some((*name, PolicySet::from_policies(concerned.map(|scoped| scoped.policy.clone())).ok()?))
        });
        slices.collect::<Option<_>>().map(Slices)
    }
}

impl Slices {
    pub(super) fn get(&self, action: &str) -> Option<&PolicySet> {
        self.0.iter().find(|(name, _)| *name == action).map(|(_, set)| set)
    }
}

/// No action is in a group: the schema has none.
fn admits(policy: &CedarPolicy, action: &str) -> bool {
    let named = |uid: &EntityUid| uid.id().unescaped() == action;
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => named(&uid),
        ActionConstraint::In(uids) => uids.iter().any(named),
    }
}

/// Only what cannot be otherwise is left out: a role is in no other role, so who lacks it is not in it.
fn concerns(scope: &PrincipalConstraint, principal: &Principal) -> bool {
    match scope {
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) if uid.type_name().basename() == "Role" => {
            principal.roles.iter().any(|role| **role == *uid.id().unescaped())
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::shipped::{load, person};
    use super::*;

    #[test]
    fn a_slice_holds_what_can_concern_the_principal_and_nothing_else() {
        let text = r#"
            @id("any") permit (principal, action, resource);
            @id("read") permit (principal, action == Action::"read", resource);
            @id("list") permit (principal, action in [Action::"list"], resource);
            @id("role") permit (principal in Role::"agent", action in [Action::"read", Action::"list"], resource);
            @id("other") permit (principal in Role::"boss", action, resource);
            @id("is") permit (principal is Principal in Role::"boss", action, resource);
            @id("one") permit (principal == Principal::"eve", action, resource);
            @id("same") permit (principal in Principal::"ada", action, resource);
            @id("see") forbid (principal, action == Action::"mask", resource);"#;
        let policy = load(&[("a.cedar", text)], None).unwrap();
        let slices = policy.scopes.of(&person(&["agent"]), Action::Read).unwrap();
        let ids = |action| -> BTreeSet<String> {
            slices.get(action).unwrap().policies().map(|policy| policy.id().to_string()).collect()
        };
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(ids("read"), set(&["any", "read", "role", "one", "same"]));
        assert_eq!(ids("mask"), set(&["any", "one", "same", "see"]));
        assert!(slices.get("list").is_none());
    }
}
