//! The section `[policy]` of the configuration.

use std::path::PathBuf;

use serde::Deserialize;

use crate::model::Problem;

/// Minutes by which no place on earth differs from UTC by more (UTC+14:00).
const MAX_OFFSET: i32 = 14 * 60;

/// `[policy]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder whose `*.cedar` files are the policies.
    pub dir: PathBuf,
    /// A Cedar schema fragment that is added to the built-in one. It may list `entity Role enum […]` (then a policy that
    /// names another role is a mistake) and `entity Resource enum […]` (names that policies may use although no map in
    /// use has them). Default: none; then roles are not checked.
    #[serde(default)]
    pub schema: Option<PathBuf>,
    /// `[[policy.purposes]]`: what `Fieldgate-Purpose` may say. Default: none.
    #[serde(default)]
    pub purposes: Vec<PurposeSettings>,
    /// Local time of `context.time`, in minutes east of UTC; -840 to 840. Default 0.
    #[serde(default)]
    pub utc_offset_minutes: i32,
}

/// A purpose that callers may state.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurposeSettings {
    /// The code sent in `Fieldgate-Purpose`: 1–64 lower-case letters, digits and `_`.
    pub code: String,
    /// What it means, for people.
    #[serde(default)]
    pub title: String,
}

impl Settings {
    /// The codes of the purposes, in configured order.
    #[must_use]
    pub fn codes(&self) -> Vec<String> {
        self.purposes.iter().map(|purpose| purpose.code.clone()).collect()
    }

    /// What is wrong with the section, apart from the files it names.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, purpose) in self.purposes.iter().enumerate() {
            let path = format!("policy.purposes.{index}.code");
            let code = &purpose.code;
            let letters = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
            if !letters || code.is_empty() || code.len() > 64 {
                let what = "a purpose code has 1 to 64 lower-case letters, digits and `_`";
                problems.push(Problem::new(path, what, "write a code such as `customer_request`"));
            } else if self.purposes.iter().take(index).any(|earlier| earlier.code == *code) {
                problems.push(Problem::new(path, format!("purpose `{code}` is defined twice"), "remove one"));
            }
        }
        if !(-MAX_OFFSET..=MAX_OFFSET).contains(&self.utc_offset_minutes) {
            let what = "the offset from UTC is between -840 and 840 minutes";
            problems.push(Problem::new("policy.utc_offset_minutes", what, "write minutes, such as `60` for UTC+01:00"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_the_section_is_named_by_its_key() {
        let text = r#"
            dir = "policies"
            utc_offset_minutes = 900
            purposes = [{ code = "a", title = "A" }, { code = "B" }, { code = "a" }]
        "#;
        let settings: Settings = toml::from_str(text).unwrap();
        let problems = settings.problems();
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["policy.purposes.1.code", "policy.purposes.2.code", "policy.utc_offset_minutes"]);
        assert_eq!(settings.codes(), ["a", "B", "a"]);
    }

    #[test]
    fn a_folder_is_enough() {
        let settings: Settings = toml::from_str("dir = 'policies'").unwrap();
        assert!(settings.problems().is_empty() && settings.schema.is_none() && settings.utc_offset_minutes == 0);
    }
}
