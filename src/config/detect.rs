//! `[detect]`, and what the classes say of detection: which entity counts as which class, and how sure a finding must be.

use serde::Deserialize;

use super::ClassSettings;
use crate::{
    detect::Sought,
    model::{Entity, Problem},
};

/// `[detect]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectSettings {
    /// The least score of a finding, 1–100, for classes without their own.
    pub threshold: u8,
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self { threshold: Sought::THRESHOLD }
    }
}

impl DetectSettings {
    /// What is out of range.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        if is_score(self.threshold) { Vec::new() } else { vec![out_of_range("detect.threshold", self.threshold)] }
    }

    /// What is looked for: what a class detects, from its threshold on, and what is always looked for.
    pub(super) fn sought(&self, classes: &[ClassSettings]) -> Sought {
        let always =
            Entity::ALWAYS.iter().fold(Sought::nothing(), |sought, entity| sought.with(*entity, self.threshold));
        classes.iter().zip(claims(classes)).fold(always, |sought, (class, entities)| {
            let threshold = class.threshold.unwrap_or(self.threshold);
            entities.iter().fold(sought, |sought, entity| sought.with(*entity, threshold))
        })
    }
}

/// The entities of each class. One that is named belongs to the class that names it; of a group the rest.
pub(super) fn claims(classes: &[ClassSettings]) -> Vec<Vec<Entity>> {
    let mut claims: Vec<Vec<Entity>> =
        classes.iter().map(|class| class.detects.iter().filter_map(|name| Entity::named(name)).collect()).collect();
    let mut claimed: Vec<Entity> = claims.iter().flatten().copied().collect();
    for (class, entities) in classes.iter().zip(&mut claims) {
        let groups = class.detects.iter().filter_map(|name| Entity::group(name)).flatten();
        for entity in groups {
            if !claimed.contains(&entity) {
                claimed.push(entity);
                entities.push(entity);
            }
        }
    }
    claims
}

/// The names in `detects` that are neither an entity nor a group, and a threshold that is none.
pub(super) fn problems(class: &ClassSettings, index: usize) -> Vec<Problem> {
    let unknown = class.detects.iter().filter(|name| Entity::named(name).is_none() && Entity::group(name).is_none());
    let names = Entity::ALL.map(Entity::as_str).join(", ");
    let help = format!("one of {names}; or a group: {}", Entity::GROUPS.join(", "));
    let path = |key: &str| format!("class.{index}.{key}");
    let mut problems: Vec<Problem> =
        unknown.map(|name| Problem::new(path("detects"), format!("unknown entity `{name}`"), help.clone())).collect();
    problems
        .extend(class.threshold.filter(|score| !is_score(*score)).map(|score| out_of_range(&path("threshold"), score)));
    problems
}

fn is_score(threshold: u8) -> bool {
    (1..=100).contains(&threshold)
}

fn out_of_range(path: &str, threshold: u8) -> Problem {
    Problem::new(path, format!("{threshold} is no score"), "1 to 100; 60 is the default, less finds more and errs more")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, detects: &[&str], threshold: Option<u8>) -> ClassSettings {
        let text = format!("name = \"{name}\"\ndetects = {detects:?}");
        ClassSettings { threshold, ..toml::from_str(&text).unwrap() }
    }

    #[test]
    fn a_group_leaves_what_another_class_names() {
        let classes = [class("any_id", &["national_id"], None), class("ssn", &["us_ssn"], None)];
        let claims = claims(&classes);
        assert!(claims[0].contains(&Entity::PlPesel) && !claims[0].contains(&Entity::UsSsn));
        assert_eq!(claims[1], [Entity::UsSsn]);
    }

    #[test]
    fn what_no_class_detects_is_not_looked_for_but_the_first_five() {
        let sought = DetectSettings::default().sought(&[class("id", &["national_id"], None)]);
        assert!(sought.has(Entity::Email) && sought.has(Entity::NlBsn) && !sought.has(Entity::Ip));
        let sought =
            DetectSettings { threshold: 70 }.sought(&[class("id", &["nl_bsn"], Some(40)), class("ip", &["ip"], None)]);
        assert!(sought.wants(Entity::NlBsn, 40) && !sought.wants(Entity::Ip, 69) && sought.wants(Entity::Card, 70));
    }

    #[test]
    fn a_wrong_name_or_threshold_says_what_is_right() {
        let found = problems(&class("a", &["shoe_size", "national_id"], Some(0)), 3);
        assert_eq!(
            found.iter().map(|problem| problem.path.as_str()).collect::<Vec<_>>(),
            ["class.3.detects", "class.3.threshold"]
        );
        assert!(
            DetectSettings { threshold: 101 }.problems().len() == 1 && DetectSettings::default().problems().is_empty()
        );
    }
}
