//! One leaf: which rule decides, what the caller sees, what that adds to the record.

use super::{
    Links, Plan, base64,
    layout::Rule,
    plain::{self, Known},
    seen::Seen,
    stored::{Found, Notes},
};
use crate::{
    detect::Finding,
    formats::{Edit, Out, Spelling},
    model::{Class, ClassId, Leaf, View},
    protect::{self, Answers, Shown},
};

/// Shows leaves of one body. The buffers are its own so that a leaf costs no allocation.
#[derive(Debug)]
pub(super) struct Viewer {
    pub(super) known: Known,
    findings: Vec<Finding>,
    shown: String,
    linked: String,
    pub(super) protected: u64,
    /// Leaves and names that a closed object does not know, and that were withheld.
    pub(super) drift: u64,
    /// What the vault said about the stored values of this window.
    pub(super) answers: Answers,
    pub(super) notes: Notes,
}

/// What stands where a text was.
enum Text {
    Same,
    Changed,
}

impl Viewer {
    pub(super) fn new(plan: &Plan) -> Self {
        let known = if plan.layout.everything { Known::new(&plan.known) } else { Known::default() };
        Self {
            known,
            findings: Vec::new(),
            shown: String::new(),
            linked: String::new(),
            protected: 0,
            drift: 0,
            answers: Answers::default(),
            notes: Notes::default(),
        }
    }

    /// Shows a leaf that `rules` select, and that is a link of the map when `link`.
    pub(super) fn field(
        &mut self,
        plan: &Plan,
        rules: impl Iterator<Item = Rule>,
        link: bool,
        leaf: Leaf<'_>,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        let choice = strictest(plan, rules);
        if let (false, Some(choice)) = (link, choice) {
            return self.protect(plan, choice, leaf, seen, out);
        }
        let mut linked = std::mem::take(&mut self.linked);
        linked.clear();
        let moved = match (leaf, &plan.links) {
            (Leaf::Text(text), Some(links)) if link => rewrite_link(links, text, &mut linked),
            _ => false,
        };
        let leaf = if moved { Leaf::Text(&linked) } else { leaf };
        let edit = match choice {
            None => Edit::Keep,
            Some(choice) => self.protect(plan, choice, leaf, seen, out),
        };
        let edit = match edit {
            Edit::Keep if moved => {
                out.text(&linked);
                Edit::Replaced
            }
            edit => edit,
        };
        self.linked = linked;
        edit
    }

    fn protect(
        &mut self,
        plan: &Plan,
        choice: Choice,
        leaf: Leaf<'_>,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        // Nothing is there to be seen.
        if matches!(leaf, Leaf::Null | Leaf::Text("")) {
            return Edit::Keep;
        }
        let Some(class) = plan.tools.classes.get(choice.rule.class) else { return redact_unknown(out) };
        self.protected += 1;
        if let (true, Leaf::Text(encoded)) = (choice.rule.base64, leaf) {
            return self.encoded(plan, choice, class, encoded, seen, out);
        }
        let choice = match (&plan.tools.store, leaf) {
            (Some(store), Leaf::Text(text)) => match store.recognise(text) {
                Some(stored) => return self.stored(plan, choice, Found { store, stored: &stored, text }, seen, out),
                None => self.legacy(plan, choice),
            },
            (Some(_), _) => self.legacy(plan, choice),
            (None, _) => choice,
        };
        self.clear(plan, choice, class, leaf, seen, out)
    }

    /// A value in clear, or one that was opened.
    pub(super) fn clear(
        &mut self,
        plan: &Plan,
        choice: Choice,
        class: &Class,
        leaf: Leaf<'_>,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        seen.note(choice.rule.class, choice.view);
        match (choice.view, leaf) {
            (View::Reveal, Leaf::Text(text)) if choice.scan => match self.scan(plan, text, None, seen) {
                Text::Same => Edit::Keep,
                Text::Changed => {
                    out.text(&self.shown);
                    Edit::Replaced
                }
            },
            (View::Reveal, Leaf::Number(number)) if choice.scan => self.number(plan, number, None, seen, out),
            _ => self.whole(plan, class, choice.view, leaf, out),
        }
    }

    /// A text inside base64. What cannot be read cannot be searched, so free text of that kind is withheld.
    fn encoded(
        &mut self,
        plan: &Plan,
        choice: Choice,
        class: &Class,
        encoded: &str,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        let text = base64::decode(encoded);
        if let (Some(store), Some(text)) = (&plan.tools.store, &text)
            && let Some(stored) = store.recognise(text.expose())
        {
            let mut token = Vec::new();
            let found = Found { store, stored: &stored, text: text.expose() };
            let plain = Choice { rule: Rule { base64: false, ..choice.rule }, ..choice };
            self.stored(plan, plain, found, seen, &mut Out::new(&mut token, Spelling::Plain));
            out.text(&base64::encode(str::from_utf8(&token).unwrap_or_default(), encoded));
            return Edit::Replaced;
        }
        let changed = match &text {
            Some(text) if choice.view == View::Reveal => {
                seen.note(choice.rule.class, choice.view);
                if !choice.scan {
                    return Edit::Keep;
                }
                self.scan(plan, text.expose(), None, seen)
            }
            Some(text) => {
                seen.note(choice.rule.class, choice.view);
                self.shown.clear();
                match plan.tools.protector.leaf(class, choice.view, Leaf::Text(text.expose()), &mut self.shown) {
                    Shown::Kept => Text::Same,
                    _ => Text::Changed,
                }
            }
            None if choice.view == View::Reveal && !choice.scan => {
                seen.note(choice.rule.class, choice.view);
                return Edit::Keep;
            }
            None => {
                seen.note(choice.rule.class, View::Redact);
                self.shown.clear();
                let _ = plan.tools.protector.leaf(class, View::Redact, Leaf::Text(encoded), &mut self.shown);
                Text::Changed
            }
        };
        match changed {
            Text::Same => Edit::Keep,
            Text::Changed => {
                out.text(&base64::encode(&self.shown, encoded));
                Edit::Replaced
            }
        }
    }

    fn whole(&mut self, plan: &Plan, class: &Class, view: View, leaf: Leaf<'_>, out: &mut Out<'_>) -> Edit {
        if view == View::Mask && masked_plainly(plan, class, leaf, out) {
            return Edit::Replaced;
        }
        self.shown.clear();
        match plan.tools.protector.leaf(class, view, leaf, &mut self.shown) {
            Shown::Kept => return Edit::Keep,
            Shown::Text => out.text(&self.shown),
            Shown::Zero => out.zero(),
            Shown::False => out.no(),
            Shown::Null => out.null(),
        }
        Edit::Replaced
    }

    /// A number in free text: an account number spelled without quotes is one still.
    fn number(
        &mut self,
        plan: &Plan,
        number: &str,
        at_most: Option<View>,
        seen: &mut Noted<'_>,
        out: &mut Out<'_>,
    ) -> Edit {
        if let Text::Same = self.scan(plan, number, at_most, seen) {
            return Edit::Keep;
        }
        out.zero();
        Edit::Replaced
    }

    /// A text of a body that no map describes.
    pub(super) fn unmapped(&mut self, plan: &Plan, leaf: Leaf<'_>, seen: &mut Noted<'_>, out: &mut Out<'_>) -> Edit {
        match leaf {
            Leaf::Text(text) => {
                let mut linked = std::mem::take(&mut self.linked);
                linked.clear();
                let moved = plan.links.as_ref().is_some_and(|links| rewrite_link(links, text, &mut linked));
                let text = if moved { linked.as_str() } else { text };
                let edit = match (self.search(plan, text, seen), moved) {
                    (true, _) => {
                        out.text(&self.shown);
                        Edit::Replaced
                    }
                    (false, true) => {
                        out.text(&linked);
                        Edit::Replaced
                    }
                    (false, false) => Edit::Keep,
                };
                self.linked = linked;
                edit
            }
            Leaf::Number(number) if self.search(plan, number, seen) => {
                out.zero();
                Edit::Replaced
            }
            Leaf::Number(_) | Leaf::Bool(_) | Leaf::Null => Edit::Keep,
        }
    }

    /// A leaf that a closed object does not know: whatever it is, it keeps its type and nothing else.
    pub(super) fn unknown(&mut self, leaf: Leaf<'_>, out: &mut Out<'_>) -> Edit {
        match leaf {
            Leaf::Null | Leaf::Text("") => return Edit::Keep,
            Leaf::Text(_) => out.text(UNKNOWN_TEXT),
            Leaf::Number(_) => out.zero(),
            Leaf::Bool(_) => out.no(),
        }
        self.drift += 1;
        Edit::Replaced
    }

    /// A member name of a body or an object that nobody described.
    pub(super) fn unmapped_name(&mut self, plan: &Plan, name: &str, seen: &mut Noted<'_>, out: &mut Out<'_>) -> Edit {
        if !self.search(plan, name, seen) {
            return Edit::Keep;
        }
        self.drift += u64::from(!plan.layout.everything);
        out.text(&self.shown);
        Edit::Replaced
    }

    /// Whether `text` holds findings or known values; `shown` is then the placeholder for all of it.
    ///
    /// Nobody described this text: what stands around a finding may be as personal as the finding.
    pub(super) fn search(&mut self, plan: &Plan, text: &str, seen: &mut Noted<'_>) -> bool {
        let held = |viewer: &mut Self, text: &str, seen: &mut Noted<'_>| {
            matches!(viewer.scan(plan, text, Some(View::Redact), seen), Text::Changed) || viewer.known.is_in(text)
        };
        // What is written with percent or unicode escapes is looked at without them too.
        let found = held(self, text, seen) || plain::decoded(text).is_some_and(|text| held(self, &text, seen));
        if found {
            self.withhold(plan, seen);
            self.protected += 1;
        }
        found
    }

    /// All of the text goes.
    fn withhold(&mut self, plan: &Plan, seen: &mut Noted<'_>) {
        if let Some(id) = plan.tools.classes.free_text()
            && let Some(class) = plan.tools.classes.get(id)
        {
            seen.note(id, View::Redact);
            self.shown.clear();
            self.shown.push_str(&protect::redacted_text(class));
        }
    }

    /// What the last search left.
    pub(super) fn take_shown(&mut self) -> String {
        std::mem::take(&mut self.shown)
    }

    /// Replaces the findings of `text` by what the caller sees of their classes, at most at `at_most`.
    fn scan(&mut self, plan: &Plan, text: &str, at_most: Option<View>, seen: &mut Noted<'_>) -> Text {
        let tools = &plan.tools;
        self.shown.clear();
        if !tools.detector.worth_scanning(text) {
            return Text::Same;
        }
        tools.detector.scan(text, &mut self.findings);
        let (mut kept, mut changed) = (0, Text::Same);
        for finding in &self.findings {
            let found = text.get(finding.start..finding.end);
            let (Some(found), Some(id)) = (found, tools.classes.of_entity(finding.entity)) else { continue };
            let Some(class) = tools.classes.get(id) else { continue };
            let view = at_most.map_or(plan.views.get(id), |most| plan.views.get(id).min(most));
            seen.note(id, view);
            if view == View::Reveal {
                continue;
            }
            self.shown.push_str(text.get(kept..finding.start).unwrap_or_default());
            tools.protector.span(class, view, found, &mut self.shown);
            (kept, changed) = (finding.end, Text::Changed);
        }
        self.shown.push_str(text.get(kept..).unwrap_or_default());
        changed
    }
}

/// What stands for a text that the API map does not know. It carries [`protect::MARK`], so that it is recognised when it is
/// written back.
pub(super) const UNKNOWN_TEXT: &str = "[unmapped •••]";

/// Whether the mask of `leaf` could be written as it is, between quotes.
fn masked_plainly(plan: &Plan, class: &Class, leaf: Leaf<'_>, out: &mut Out<'_>) -> bool {
    out.plain(|bytes| plan.tools.protector.plain_mask(class, leaf, bytes))
}

/// Sightings of a leaf that goes out at byte `at`.
pub(super) struct Noted<'a> {
    pub(super) seen: &'a mut Seen,
    pub(super) at: u64,
}

impl Noted<'_> {
    pub(super) fn note(&mut self, class: ClassId, view: View) {
        self.seen.note(class, view, self.at);
    }
}

#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) rule: Rule,
    pub(super) view: View,
    /// Some rule calls it free text.
    pub(super) scan: bool,
    /// The class it is stored as, when that is not clear.
    pub(super) stored: Option<ClassId>,
}

/// The rule with the lowest view; the first of equals.
#[inline]
pub(super) fn strictest(plan: &Plan, rules: impl Iterator<Item = Rule>) -> Option<Choice> {
    let (mut choice, mut scan) = (None::<Choice>, false);
    let mut stored = None::<Rule>;
    for rule in rules {
        let view = plan.views.get(rule.class);
        scan |= rule.free_text;
        if rule.stored && stored.is_none_or(|known| known.free_text && !rule.free_text) {
            stored = Some(rule);
        }
        if choice.is_none_or(|known| view < known.view) {
            choice = Some(Choice { rule, view, scan, stored: None });
        }
    }
    choice.map(|choice| Choice { scan, stored: stored.map(|rule| rule.class), ..choice })
}

/// The rule a value is stored by: what it is says more than that people type there.
pub(super) fn stored_as(rules: impl Iterator<Item = Rule> + Clone) -> Option<Rule> {
    let mut stored = rules.filter(|rule| rule.stored);
    stored.clone().find(|rule| !rule.free_text).or_else(|| stored.next())
}

/// A class that the table does not have: nothing is known about it, so nothing is shown.
pub(super) fn redact_unknown(out: &mut Out<'_>) -> Edit {
    out.null();
    Edit::Replaced
}

/// Whether `text` is an absolute link to the CRM; `linked` is then the gateway's.
pub(super) fn rewrite_link(links: &Links, text: &str, linked: &mut String) -> bool {
    for origin in &links.upstream {
        let Some((start, rest)) = text.split_at_checked(origin.len()) else { continue };
        if start.eq_ignore_ascii_case(origin) && (rest.is_empty() || rest.starts_with(['/', '?', '#'])) {
            linked.push_str(links.public.trim_end_matches('/'));
            linked.push_str(rest);
            return true;
        }
    }
    false
}
