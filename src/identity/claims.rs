//! Verified claims in, what they say of a principal out, by the issuer's claim names.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    ClaimSettings, IdentityError, JwtSettings, moment,
    principal::{Human, Proven, is_id},
    token::{Issuer, Verified},
};
use crate::model::{Kind, Training, Via};

impl Issuer {
    /// Who `verified` speaks of.
    ///
    /// With `act` (RFC 8693 §4.1) the token is the human's and `act` names the agent that calls; prior actors nested in it
    /// are history and give nothing.
    pub(super) fn proven(&self, verified: &Verified) -> Result<Proven, IdentityError> {
        let claims = &verified.claims;
        let mut proven = match claims.get("act") {
            None => self.person(claims)?,
            Some(act) => {
                let act = act.as_object().ok_or(IdentityError::Claims)?;
                if act.get("iss").is_some_and(|iss| Some(iss) != claims.get("iss")) {
                    return Err(IdentityError::Issuer);
                }
                let mut agent = self.person(act)?;
                // Who acts for another and does not say what it is gets what an AI agent gets: never more than the human.
                agent.kind = agent.kind.or(Some(Kind::Ai));
                let mut human = self.person(claims)?;
                human.kind = human.kind.or(Some(Kind::Human));
                agent.on_behalf_of = Some(Human::Proven(Box::new(human)));
                agent
            }
        };
        if claims.get("act").is_none() {
            proven.kind = proven.kind.or(self.settings.kind);
            proven.on_behalf_of = self.named_human(claims)?;
        }
        let session = ["sid", "jti"].into_iter().find_map(|name| claims.get(name)?.as_str());
        proven.session = session.filter(|session| is_id(session)).map(Arc::from);
        proven.expires = Some(verified.until);
        Ok(proven)
    }

    fn named_human(&self, claims: &Map<String, Value>) -> Result<Option<Human>, IdentityError> {
        match find(claims, &self.settings.claims.on_behalf_of) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) => Ok(Some(Human::Named(self.id(id)?))),
            Some(Value::Object(claims)) => {
                let mut human = self.person(claims)?;
                human.kind = human.kind.or(Some(Kind::Human));
                Ok(Some(Human::Proven(Box::new(human))))
            }
            Some(_) => Err(IdentityError::Claims),
        }
    }

    fn person(&self, claims: &Map<String, Value>) -> Result<Proven, IdentityError> {
        let JwtSettings { claims: names, listed_only, .. } = &self.settings;
        let id = find(claims, &names.id).and_then(Value::as_str).ok_or(IdentityError::Claims)?;
        let mut proven = Proven::bare(self.id(id)?, Via::Jwt(Arc::clone(&self.name)));
        proven.listed_only = *listed_only;
        proven.kind = match find(claims, &names.kind) {
            None | Some(Value::Null) => None,
            Some(kind) => {
                let kind = kind.as_str().and_then(|kind| kind.parse().ok());
                Some(kind.ok_or(IdentityError::Claims)?)
            }
        };
        proven.roles = find(claims, &names.roles).map(|roles| self.roles(roles)).unwrap_or_default();
        proven.team = find(claims, &names.team).and_then(Value::as_str).filter(|team| is_id(team)).map(Arc::from);
        proven.training = find(claims, &names.training).map(training).unwrap_or_default();
        proven.attributes = attributes(claims, names);
        Ok(proven)
    }

    fn id(&self, id: &str) -> Result<Arc<str>, IdentityError> {
        let id = format!("{}{id}", self.settings.id_prefix);
        if is_id(&id) { Ok(id.into()) } else { Err(IdentityError::Claims) }
    }

    fn roles(&self, value: &Value) -> Vec<Arc<str>> {
        let names: Vec<&str> = match value {
            Value::String(names) => names.split_ascii_whitespace().collect(),
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let map = &self.settings.role_map;
        let ours = |name| if map.is_empty() { Some(name) } else { map.get(name).map(String::as_str) };
        names.into_iter().filter_map(ours).filter(|name| is_id(name)).map(Arc::from).collect()
    }
}

/// The claim called `name`, or at the JSON Pointer `name`.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name) };
    let mut parts = pointer.split('/').map(|part| part.replace("~1", "/").replace("~0", "~"));
    let first = claims.get(&parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(&part))
}

/// Courses: a name, or `{course, valid_until}`. One whose end cannot be read does not count.
fn training(value: &Value) -> Vec<Training> {
    let course = |item: &Value| match item {
        Value::String(course) => Some(Training { course: course.clone(), valid_until: None }),
        item => {
            let course = item.get("course")?.as_str()?.to_owned();
            let valid_until = match item.get("valid_until") {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(moment::parse(text)?),
                Some(number) => Some(moment::numeric(number)?),
            };
            Some(Training { course, valid_until })
        }
    };
    value.as_array().map(|items| items.iter().filter_map(course).collect()).unwrap_or_default()
}

fn attributes(claims: &Map<String, Value>, names: &ClaimSettings) -> std::collections::BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    let entry = |(name, claim): (&String, &String)| Some((name.clone(), text(find(claims, claim)?)?));
    names.attributes.iter().filter_map(entry).collect()
}
