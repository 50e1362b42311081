//! Principal, action and classes in; a Permit or a Denied out.
//!
//! Policies are Cedar (cedarpolicy.com), checked strictly at load against a schema made from the configured classes,
//! resources and purposes. What nothing permits is refused or redacted; a policy that fails to evaluate counts as a
//! refusal; an agent gets no more than both it and its human may have.

mod ask;
mod explain;
mod load;
mod matrix;
mod mistake;
mod permit;
mod schema;
mod scope;
mod seat;
mod settings;
#[cfg(test)]
mod shipped;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use cedar_policy::{Authorizer, Schema};

use crate::{
    crypto,
    model::{ClassTable, Diagnostic},
};

pub use self::{
    ask::Question,
    matrix::{Matrix, MatrixSettings, Row},
    permit::{Denied, Permit},
    seat::Seat,
    settings::{PurposeSettings, Settings},
};

use self::{
    ask::{Answer, Party, Types},
    load::Place,
    scope::Scopes,
};

/// Checked policies, ready to answer.
pub struct Policy {
    authorizer: Authorizer,
    scopes: Scopes,
    schema: Schema,
    types: Types,
    places: BTreeMap<Arc<str>, Place>,
    roles: Vec<String>,
    purposes: Vec<Arc<str>>,
    resources: Vec<String>,
    classes: ClassTable,
    fingerprint: Arc<str>,
    utc_offset_minutes: i32,
}

impl Policy {
    /// Policies of `files` (name and text), checked against the classes, resources and purposes there are, and against
    /// the schema fragment `schema` (name and text) if there is one.
    ///
    /// # Errors
    /// Every mistake of every file.
    pub fn load(
        files: &[(String, String)],
        schema: Option<&(String, String)>,
        purposes: &[String],
        classes: &ClassTable,
        resources: &[&str],
    ) -> Result<Self, Vec<Diagnostic>> {
        let vocabulary = match schema::vocabulary(classes, resources, purposes, schema) {
            Ok(vocabulary) => vocabulary,
            // A broken schema must not hide the syntax errors of the policies.
            Err(mut mistakes) => {
                mistakes.extend(load::rules(files, None).err().unwrap_or_default());
                return Err(mistakes);
            }
        };
        let internal = |error: String| vec![Diagnostic::of_file("policies", error, "report it: this is a defect")];
        let rules = load::rules(files, Some(&vocabulary.schema))?;
        Ok(Self {
            authorizer: Authorizer::new(),
            scopes: Scopes::new(&rules.policies),
            types: Types::new().map_err(internal)?,
            schema: vocabulary.schema,
            places: rules.places,
            roles: vocabulary.roles.unwrap_or(rules.roles),
            purposes: purposes.iter().map(|code| code.as_str().into()).collect(),
            resources: resources.iter().map(|&name| name.to_owned()).collect(),
            classes: classes.clone(),
            fingerprint: fingerprint(files, schema, purposes),
            utc_offset_minutes: 0,
        })
    }

    /// With `context.time` that many minutes east of UTC.
    #[must_use]
    pub fn with_utc_offset(self, minutes: i32) -> Self {
        Self { utc_offset_minutes: minutes, ..self }
    }

    /// `sha256:…` of the names and texts of all files, and of the purposes.
    #[must_use]
    pub fn fingerprint(&self) -> &Arc<str> {
        &self.fingerprint
    }

    /// The roles the schema lists; without a list, those that policies name. Sorted.
    #[must_use]
    pub fn known_roles(&self) -> &[String] {
        &self.roles
    }

    /// Decides. Costs some ten microseconds per class: callers keep the answer for the minute it holds.
    ///
    /// # Errors
    /// When the action is not permitted for everybody involved.
    pub fn decide(&self, question: &Question<'_>) -> Result<Permit, Denied> {
        let (purpose, case) = (question.purpose, question.case);
        if purpose.is_some_and(|code| !self.purposes.iter().any(|known| **known == *code)) {
            return Err(Denied::UnknownPurpose { codes: self.purposes.clone() });
        }
        let Some(parties) = ask::parties(self, question) else {
            return Err(Denied::NotPermitted { rules: Arc::from([]) });
        };
        let Answer { allowed, mut rules } = all(&parties, purpose, case);
        if !allowed {
            let rules = rules.into_iter().collect();
            return Err(match self.purposes_for(case, |code, case| all(&parties, code, case).allowed) {
                Some((codes, needs_case)) => Denied::PurposeRequired { codes, needs_case, rules },
                None => Denied::NotPermitted { rules },
            });
        }
        let sights: Vec<_> = parties.iter().map(|party| party.sights(purpose, case)).collect();
        let (views, by) = ask::meet(&sights);
        rules.extend(by);
        Ok(Permit::new(views, rules.into_iter().collect()))
    }

    /// The purposes under which `holds`, and whether a case is needed too; those that need none are preferred.
    fn purposes_for(&self, case: bool, holds: impl Fn(Option<&str>, bool) -> bool) -> Option<(Vec<Arc<str>>, bool)> {
        [case, true].into_iter().find_map(|with_case| {
            let codes: Vec<_> = self.purposes.iter().filter(|code| holds(Some(code), with_case)).cloned().collect();
            (!codes.is_empty()).then_some((codes, with_case && !case))
        })
    }

    /// The shared copy of a policy's id.
    fn rule(&self, id: &str) -> Option<Arc<str>> {
        self.places.get_key_value(id).map(|(id, _)| Arc::clone(id))
    }
}

/// Permitted when every party is; refused by those that refuse.
fn all(parties: &[Party<'_>], purpose: Option<&str>, case: bool) -> Answer {
    let answers: Vec<_> = parties.iter().map(|party| party.may(purpose, case)).collect();
    let allowed = answers.iter().all(|answer| answer.allowed);
    let deciding = answers.into_iter().filter(|answer| answer.allowed == allowed);
    let rules: BTreeSet<_> = deciding.flat_map(|answer| answer.rules).collect();
    Answer { allowed, rules }
}

fn fingerprint(files: &[(String, String)], schema: Option<&(String, String)>, purposes: &[String]) -> Arc<str> {
    let mut parts = Vec::new();
    let mut part = |text: &str| {
        parts.extend((text.len() as u64).to_be_bytes());
        parts.extend(text.as_bytes());
    };
    let mut files: Vec<_> = files.iter().chain(schema).collect();
    files.sort();
    for (file, text) in files {
        // The folder a file lies in says nothing about what it means.
        part(file.rsplit('/').next().unwrap_or(file));
        part(text);
    }
    purposes.iter().for_each(|code| part(code));
    format!("sha256:{}", crypto::hex(&crypto::sha256(&[&parts]))).into()
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
