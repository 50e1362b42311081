//! `[budget]`: how many different people a caller may see, find or ask about within a sliding window.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::model::{Kind, Principal, Problem};

/// Rules of one configuration.
pub const MAX_RULES: usize = 64;

/// The largest number of people or guesses of a rule: what a rule keeps of one principal is 32 bytes a person.
pub const MAX_PEOPLE: u32 = 100_000;

/// Wrong values of `POST /.fieldgate/verify` within a day, for callers about whom no rule says how many: a date of birth or
/// the rest of a masked number would be found by asking often enough. Eighty calls a day with one slip in twelve are seven.
pub const BUILT_IN_GUESSES: u32 = 20;

/// The name of the rule that is always there.
const BUILT_IN: &str = "built-in";

/// `[budget]`. Without a rule only wrong values of `verify` are counted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetSettings {
    /// `[[budget.rule]]`. Of several that apply to somebody, each counts for itself and the strictest decides.
    #[serde(rename = "rule")]
    pub rules: Vec<BudgetRule>,
}

/// One `[[budget.rule]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetRule {
    /// Its name, in records and metrics: 1–64 lower-case letters, digits, `_` and `-`.
    pub name: String,
    /// Whom it applies to: somebody with one of these roles. Default: every role.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whom it applies to: `human`, `service`, `ai`. Default: every kind.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// The window.
    pub per: Period,
    /// Different people after whom further ones are shown masked: 1–100000. Default: none are masked.
    pub mask_after: Option<u32>,
    /// Different people after whom further ones are refused: 1–100000. Default: none are refused.
    pub stop_after: Option<u32>,
    /// Finds without a hit and wrong `verify` values after which both are refused: 1–100000. Default: never.
    pub guess_after: Option<u32>,
    /// What counts a person. Default: all three.
    #[serde(default = "everything")]
    pub counts: Vec<Counted>,
}

/// A sliding window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    /// An hour, in steps of five minutes.
    Hour,
    /// A day, in steps of a quarter of an hour.
    Day,
}

impl Period {
    /// Seconds of a step, and how many steps the window has.
    #[must_use]
    pub const fn steps(self) -> (i64, i64) {
        match self {
            Self::Hour => (300, 12),
            Self::Day => (900, 96),
        }
    }
}

/// What makes a person count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// A value of theirs was revealed.
    Reveal,
    /// A value was compared with theirs (`POST /.fieldgate/verify`).
    Verify,
    /// They were found by a protected value.
    Find,
}

fn everything() -> Vec<Counted> {
    vec![Counted::Reveal, Counted::Verify, Counted::Find]
}

impl BudgetRule {
    /// The rule for comparisons of callers about whom no rule with a `guess_after` is.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            name: BUILT_IN.to_owned(),
            roles: Vec::new(),
            kinds: Vec::new(),
            per: Period::Day,
            mask_after: None,
            stop_after: None,
            guess_after: Some(BUILT_IN_GUESSES),
            counts: vec![Counted::Verify],
        }
    }

    /// Whether it says how many wrong values of `verify` there may be.
    #[must_use]
    pub fn bounds_verify(&self) -> bool {
        self.guess_after.is_some() && self.counts(Counted::Verify)
    }

    /// Whether the rule is about `principal`.
    #[must_use]
    pub fn is_about(&self, principal: &Principal) -> bool {
        self.is_about_roles(principal.kind, principal.roles.iter().map(AsRef::as_ref))
    }

    /// Whether the rule is about somebody of `kind` with these roles.
    pub fn is_about_roles<'r>(&self, kind: Kind, mut roles: impl Iterator<Item = &'r str>) -> bool {
        (self.kinds.is_empty() || self.kinds.iter().any(|name| name == kind.as_str()))
            && (self.roles.is_empty() || roles.any(|role| self.roles.iter().any(|name| name == role)))
    }

    /// Whether `what` counts.
    #[must_use]
    pub fn counts(&self, what: Counted) -> bool {
        self.counts.contains(&what)
    }
}

impl BudgetSettings {
    /// What is wrong with the rules.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.rules.len() > MAX_RULES {
            let what = format!("there are {} rules", self.rules.len());
            problems.push(Problem::new("budget", what, format!("keep at most {MAX_RULES}")));
        }
        let mut names = BTreeSet::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let mut wrong = |key: &str, what: String, help: &str| {
                problems.push(Problem::new(format!("budget.rule.{index}.{key}"), what, help));
            };
            if !names.insert(&rule.name) {
                wrong("name", format!("rule `{}` is defined twice", rule.name), "remove or rename one of them");
            }
            rule.check(&mut wrong);
        }
        problems
    }
}

impl BudgetRule {
    fn check(&self, wrong: &mut impl FnMut(&str, String, &str)) {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(lower) {
            let help = "use 1 to 64 lower-case letters, digits, `_` and `-`";
            wrong("name", "the name of a rule is not valid".to_owned(), help);
        }
        if self.name == BUILT_IN {
            wrong("name", format!("`{BUILT_IN}` is the rule that is always there"), "choose another name");
        }
        for kind in self.kinds.iter().filter(|kind| kind.parse::<Kind>().is_err()) {
            wrong("kinds", format!("`{kind}` is no kind of principal"), "use `human`, `service` or `ai`");
        }
        let limits =
            [("mask_after", self.mask_after), ("stop_after", self.stop_after), ("guess_after", self.guess_after)];
        if limits.iter().all(|(_, limit)| limit.is_none()) {
            let help = "give `mask_after`, `stop_after` or `guess_after`";
            wrong("per", "a rule without a limit does nothing".to_owned(), help);
        }
        for (key, limit) in limits {
            if let Some(limit) = limit.filter(|limit| !(1..=MAX_PEOPLE).contains(limit)) {
                wrong(key, format!("`{key}` is {limit}, which is out of range"), "choose a number from 1 to 100000");
            }
        }
        if let (Some(mask), Some(stop)) = (self.mask_after, self.stop_after)
            && mask > stop
        {
            let what = format!("`mask_after` is {mask}, and `stop_after` comes first with {stop}");
            wrong("mask_after", what, "choose a number that is not above `stop_after`");
        }
        if self.guess_after.is_some() && !self.counts(Counted::Find) && !self.counts(Counted::Verify) {
            let help = "add `find` or `verify` to `counts`, or leave `guess_after` out";
            wrong("guess_after", "guesses are finds and comparisons, and neither counts".to_owned(), help);
        }
        if self.counts.is_empty() {
            wrong("counts", "nothing counts".to_owned(), "name `reveal`, `verify` or `find`, or leave the key out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let settings: BudgetSettings = toml::from_str(text).unwrap();
        settings.problems().into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn limits_hold_at_their_ends_and_not_one_past_them() {
        let rule = |limits: &str| problems(&format!("[[rule]]\nname = \"a\"\nper = \"hour\"\n{limits}\n"));
        assert!(rule("mask_after = 1\nstop_after = 100000\nguess_after = 100000").is_empty());
        assert_eq!(rule("mask_after = 0"), ["budget.rule.0.mask_after"]);
        assert_eq!(rule("stop_after = 100001"), ["budget.rule.0.stop_after"]);
        assert_eq!(rule("guess_after = 0"), ["budget.rule.0.guess_after"]);
        assert!(rule("mask_after = 7\nstop_after = 7").is_empty());
        assert_eq!(rule("mask_after = 8\nstop_after = 7"), ["budget.rule.0.mask_after"]);
        assert_eq!(rule(""), ["budget.rule.0.per"]);
        assert_eq!(rule("stop_after = 1\ncounts = []"), ["budget.rule.0.counts"]);
        assert_eq!(rule("guess_after = 1\ncounts = [\"reveal\"]"), ["budget.rule.0.guess_after"]);
        assert_eq!(rule("stop_after = 1\nkinds = [\"robot\"]"), ["budget.rule.0.kinds"]);
        let rules = |count: usize| -> String {
            (0..count).map(|at| format!("[[rule]]\nname = \"r{at}\"\nper = \"day\"\nstop_after = 1\n")).collect()
        };
        assert!(problems(&rules(MAX_RULES)).is_empty());
        assert_eq!(problems(&rules(MAX_RULES + 1)), ["budget"]);
    }

    #[test]
    fn names_are_plain_and_unique() {
        let rule = |name: &str| format!("[[rule]]\nname = \"{name}\"\nper = \"day\"\nstop_after = 1\n");
        assert!(problems(&rule("agents-by-day_2")).is_empty());
        assert_eq!(problems(&rule("built-in")), ["budget.rule.0.name"]);
        assert_eq!(problems(&rule("Agents")), ["budget.rule.0.name"]);
        assert_eq!(problems(&rule(&"a".repeat(65))), ["budget.rule.0.name"]);
        assert!(problems(&rule(&"a".repeat(64))).is_empty());
        assert_eq!(problems(&(rule("a") + &rule("a"))), ["budget.rule.1.name"]);
    }

    #[test]
    fn a_rule_is_about_who_has_one_of_its_roles_and_is_of_one_of_its_kinds() {
        let rule = |text: &str| -> BudgetRule {
            toml::from_str(&format!("name = \"a\"\nper = \"hour\"\nstop_after = 1\n{text}")).unwrap()
        };
        let (agent, ai) = (rule("roles = [\"agent\", \"lead\"]"), rule("kinds = [\"ai\"]"));
        assert!(agent.is_about_roles(Kind::Human, ["lead"].into_iter()));
        assert!(!agent.is_about_roles(Kind::Human, ["supervisor"].into_iter()));
        assert!(!agent.is_about_roles(Kind::Human, [].into_iter()));
        assert!(ai.is_about_roles(Kind::Ai, [].into_iter()) && !ai.is_about_roles(Kind::Human, ["x"].into_iter()));
        assert!(rule("").is_about_roles(Kind::Service, [].into_iter()), "an absent list is about everybody");
        assert!(rule("").counts(Counted::Find) && !rule("counts = [\"reveal\"]").counts(Counted::Find));
    }
}
