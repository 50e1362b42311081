//! Why: the policies that decided an action and the view of each class, with their places.

use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use crate::model::{ClassId, Principal, View};

use super::{
    Policy, Question,
    ask::{self, Answer, Party, Sight, local},
    schema::GIVEN,
};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Policy {
    /// The decision on `question` as text for people: what was asked, who said yes or no to it, what is shown of each
    /// class and why not more, and which purpose would change it.
    #[must_use]
    pub fn explain(&self, question: &Question<'_>) -> String {
        let mut text = self.asked(question);
        if let Some(code) = question.purpose.filter(|code| !self.purposes.iter().any(|known| **known == **code)) {
            let _ = writeln!(text, "refused: `{code}` is not a configured purpose");
            return text;
        }
        let Some(parties) = ask::parties(self, question) else {
            text.push_str("refused: an AI agent acts for a human, and nobody acts for anybody else\n");
            return text;
        };
        self.explain_action(question, &parties, &mut text);
        if !question.classes.is_empty() {
            self.explain_views(question, &parties, &mut text);
        }
        text
    }

    fn asked(&self, question: &Question<'_>) -> String {
        let Question { principal, action, resource, route, upstream, .. } = question;
        let (minute, weekday) = local(question.now, self.utc_offset_minutes);
        let day = usize::try_from(weekday - 1).ok().and_then(|index| DAYS.get(index)).unwrap_or(&"");
        let mut text = format!("{} asks to {action} {resource}", who(principal));
        for (what, name) in [("route", route), ("upstream", upstream)] {
            if !name.is_empty() {
                let _ = write!(text, ", {what} {name}");
            }
        }
        let purpose = question.purpose.unwrap_or("none");
        let case = if question.case { "named" } else { "none" };
        let (hour, minute) = (minute / 60, minute % 60);
        let network = question.network;
        let _ = writeln!(text, "\npurpose {purpose}, case {case}, {day} {hour:02}:{minute:02}, from {network}");
        for party in [Some(*principal), principal.on_behalf_of.as_deref()].into_iter().flatten() {
            let courses: Vec<_> = party.valid_courses(question.now).collect();
            if !courses.is_empty() {
                let _ = writeln!(text, "training of {}: {}", party.id, courses.join(", "));
            }
        }
        text.push('\n');
        text
    }

    fn explain_action(&self, question: &Question<'_>, parties: &[Party<'_>], text: &mut String) {
        let (purpose, case) = (question.purpose, question.case);
        let all = super::all(parties, purpose, case);
        let verdict = if all.allowed { "permitted" } else { "refused" };
        let _ = writeln!(text, "{} {}: {verdict}", question.action, question.resource);
        for party in parties {
            self.reasons(party, &party.may(purpose, case), parties.len() > 1, text);
        }
        if !all.allowed {
            self.remedy(case, |code, case| super::all(parties, code, case).allowed, "permitted", text);
            if !question.classes.is_empty() {
                text.push_str("  (what would be shown if it were permitted:)\n");
            }
        }
    }

    fn explain_views(&self, question: &Question<'_>, parties: &[Party<'_>], text: &mut String) {
        let (purpose, case) = (question.purpose, question.case);
        let sights: Vec<_> = parties.iter().map(|party| party.sights(purpose, case)).collect();
        let (views, _) = ask::meet(&sights);
        for (index, class) in question.classes.iter().enumerate() {
            let view = views.get(class);
            let _ = writeln!(text, "\n{}: {view}", self.classes.name(class));
            for (party, sights) in parties.iter().zip(&sights) {
                if let Some((_, sight)) = sights.get(index) {
                    self.sight(party, question, class, sight, parties.len() > 1, text);
                }
            }
            for higher in GIVEN.into_iter().filter(|higher| *higher > view) {
                let holds = |code: Option<&str>, case: bool| {
                    parties.iter().all(|party| party.sights_at_least(class, higher, code, case))
                };
                if self.remedy(case, holds, higher.as_str(), text) {
                    break;
                }
            }
        }
    }

    fn sight(
        &self,
        party: &Party<'_>,
        question: &Question<'_>,
        class: ClassId,
        sight: &Sight,
        named: bool,
        text: &mut String,
    ) {
        let of = if named { format!("{}: ", party.principal.id) } else { String::new() };
        if sight.view == View::Redact {
            let _ = writeln!(text, "  {of}redact: {}", self.because(&sight.rules, "no policy shows it"));
        } else {
            let _ = writeln!(text, "  {of}{}: {}", sight.view, self.because(&sight.rules, ""));
        }
        if sight.view != View::Redact {
            let higher = GIVEN.into_iter().filter(|higher| *higher > sight.view);
            let answers = higher.map(|higher| party.sees(class, higher, question.purpose, question.case));
            let forbidding: BTreeSet<_> = answers.flat_map(|answer| answer.rules).collect();
            if !forbidding.is_empty() {
                let _ = writeln!(text, "  {of}not more: {}", self.because(&forbidding, ""));
            }
        }
    }

    fn reasons(&self, party: &Party<'_>, answer: &Answer, named: bool, text: &mut String) {
        let of = if named { format!("{}: ", party.principal.id) } else { String::new() };
        let verb = if answer.allowed { "permitted" } else { "refused" };
        let _ = writeln!(text, "  {of}{verb} by {}", self.because(&answer.rules, "default: no policy permits it"));
    }

    /// The policies with their places, or `nothing`.
    fn because(&self, rules: &BTreeSet<Arc<str>>, nothing: &str) -> String {
        let named = rules.iter().map(|id| match self.places.get(id) {
            Some(place) => format!("{id} ({}:{})", place.file, place.line),
            None => id.to_string(),
        });
        if rules.is_empty() { nothing.to_owned() } else { named.collect::<Vec<_>>().join(", ") }
    }

    /// Says which purposes would make it hold; whether any would.
    fn remedy(&self, case: bool, holds: impl Fn(Option<&str>, bool) -> bool, what: &str, text: &mut String) -> bool {
        let Some((codes, needs_case)) = self.purposes_for(case, holds) else { return false };
        let case = if needs_case { ", with a case" } else { "" };
        let _ = writeln!(text, "  {what} for the purpose {}{case}", codes.join(" or "));
        true
    }
}

fn who(principal: &Principal) -> String {
    let roles = if principal.roles.is_empty() { "no role".to_owned() } else { principal.roles.join(", ") };
    let mut text = format!("{} ({}; {roles})", principal.id, principal.kind);
    if let Some(human) = &principal.on_behalf_of {
        let _ = write!(text, " for {}", who(human));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::shipped::{assistant, person, question, shipped};
    use crate::model::{Action, ClassSet};

    use super::*;

    fn only(name: &str) -> ClassSet {
        super::super::shipped::classes().id(name).into_iter().collect()
    }

    #[test]
    fn both_an_ai_and_its_human_are_explained_with_policies_and_places() {
        let ai = assistant(&["ai_assistant"], person(&["agent"]));
        let asked = Question { classes: only("email"), ..question(&ai, Action::Read, "customer") };
        let expected = "\
bot (ai; ai_assistant) for ada (human; agent) asks to read customer, route GET /customers/{id}, upstream crm
purpose none, case none, Tuesday 06:00, from 10.0.0.7

read customer: permitted
  bot: permitted by ai-reads-for-a-human (ai_assistant.cedar:4)
  ada: permitted by agent-reads (agent.cedar:12)

email: pseudonym
  bot: pseudonym: ai-sees-pseudonyms (ai_assistant.cedar:14)
  bot: not more: ai-never-sees-identifiers (ai_assistant.cedar:44)
  ada: mask: agent-sees-partly (agent.cedar:46)
";
        assert_eq!(shipped().explain(&asked), expected);
    }

    #[test]
    fn what_a_purpose_would_change_is_said() {
        let boss = person(&["supervisor"]);
        let asked = Question { classes: only("card_number"), ..question(&boss, Action::Export, "customer") };
        let expected = "
export customer: refused
  refused by default: no policy permits it
  permitted for the purpose fraud_investigation or data_subject_request
  (what would be shown if it were permitted:)

card_number: mask
  mask: supervisor-sees-partly (supervisor.cedar:48)
  reveal for the purpose fraud_investigation, with a case
";
        let text = shipped().explain(&asked);
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_with_the_reason() {
        let policy = shipped();
        let alone = Principal { on_behalf_of: None, ..assistant(&["ai_assistant"], person(&[])) };
        assert!(
            policy.explain(&question(&alone, Action::Read, "order")).contains("refused: an AI agent acts for a human")
        );
        let ada = person(&["agent"]);
        let asked = Question { purpose: Some("fun"), ..question(&ada, Action::Read, "order") };
        assert!(policy.explain(&asked).ends_with("refused: `fun` is not a configured purpose\n"));
    }
}
