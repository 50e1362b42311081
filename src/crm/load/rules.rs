//! How the target of a route is read: the tables `query`, `search` and the classes of the template's variables in, a [`RouteRule`] out.

use toml::{Spanned, de::DeValue};

use super::{HELP_VARIABLE, Loader, not_in_template};
use crate::crm::{
    RouteRule,
    document::{self, Section, Text},
    fields,
    query::{PassRule, QueryRule, fold_name},
    search::{
        self, SearchPlace, SearchRule,
        load::Surroundings,
        rule::{Several, Whole},
    },
    template::Template,
};

impl<'d> Loader<'_, '_, 'd> {
    /// The rule for path variables and query parameters.
    pub(super) fn rule(&mut self, section: &mut Section<'d, '_>, template: Option<&Template>) -> RouteRule {
        let names: Vec<&str> = template.map(|template| template.variables().collect()).unwrap_or_default();
        let mut rule = RouteRule { variables: vec![None; names.len()], subject: None, query: QueryRule::default() };
        if let Some(subject) = section.text("subject", &mut self.report) {
            let variable = subject.value.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
            match variable {
                None => {
                    let help = "write subject = \"{id}\"; a subject of the body is response.subject = \"$.id\"";
                    self.report.inside(subject.span, 0, "a variable of the template is expected", help);
                }
                Some(name) => {
                    rule.subject = names.iter().position(|known| *known == name);
                    if rule.subject.is_none() && template.is_some() {
                        self.report.inside(subject.span, 1, not_in_template(name), HELP_VARIABLE);
                    }
                }
            }
        }
        if let Some(path) = section.section("path", &mut self.report) {
            for (key, value) in path.entries() {
                let class = document::text(value, "class", &mut self.report)
                    .and_then(|text| fields::class(&text, self.context.classes, &mut self.report));
                match names.iter().position(|known| *known == key.value).and_then(|at| rule.variables.get_mut(at)) {
                    Some(slot) => {
                        *slot = class.map(|class| Whole::new(key.value, class, Several::Refused, self.context.classes));
                    }
                    None if template.is_some() => {
                        self.report.at(key.span.start, not_in_template(key.value), HELP_VARIABLE);
                    }
                    None => {}
                }
            }
        }
        self.query(section, &mut rule.query);
        rule
    }

    fn query(&mut self, section: &mut Section<'d, '_>, rule: &mut QueryRule) {
        if let Some(query) = section.section("query", &mut self.report) {
            for (key, value) in query.entries() {
                let Some(whole) = self.whole(&key, value) else { continue };
                if rule.protected.insert(fold_name(key.value), whole).is_some() {
                    let what = format!("parameter `{}` stands twice", key.value);
                    self.report.at(key.span.start, what, "case and `[…]` make no difference in a parameter's name");
                }
            }
        }
        if let Some(lists) = section.section("query_list", &mut self.report) {
            for (key, value) in lists.entries() {
                let DeValue::Array(names) = value.get_ref() else {
                    self.report.at(
                        value.span().start,
                        "a list of names is expected",
                        "write [\"Subject\", \"Status\"]",
                    );
                    continue;
                };
                let names = names.iter().filter_map(|name| document::text(name, "query_list", &mut self.report));
                let names = names.map(|name| name.value.to_owned()).collect();
                if let Some(parsed) = self.parameter(&key, rule) {
                    rule.lists.push((parsed, names));
                }
            }
        }
        for pass in section.texts("query_pass", &mut self.report) {
            if let Some(parsed) = self.parameter(&pass, rule) {
                rule.pass.push(parsed);
            }
        }
    }

    /// `"email"`, or `{ class = "email", several = "repeated" }`.
    fn whole(&mut self, name: &Text<'_>, value: &Spanned<DeValue<'_>>) -> Option<Whole> {
        let (class, several) = match value.get_ref() {
            DeValue::Table(table) => {
                let mut section = Section::new(table, value.span().start);
                let class =
                    section.required("class", "write { class = \"…\", several = \"repeated\" }", &mut self.report);
                let several = section.text("several", &mut self.report);
                section.close(&mut self.report);
                (class, several)
            }
            _ => (document::text(value, "class", &mut self.report), None),
        };
        let several = match several {
            None => Several::Refused,
            Some(text) if text.value == "repeated" => Several::Repeated,
            Some(text) if text.value == "commas" => Several::Commas,
            Some(text) => {
                let what = format!("unknown word `{}`", text.value);
                self.report.inside(text.span, 0, what, "write `repeated` or `commas`, as the CRM takes several values");
                return None;
            }
        };
        let class = fields::class(&class?, self.context.classes, &mut self.report)?;
        Some(Whole::new(name.value, class, several, self.context.classes))
    }

    pub(super) fn search(
        &mut self,
        section: &mut Section<'d, '_>,
        around: &Surroundings<'_>,
        query: &mut QueryRule,
    ) -> Vec<SearchRule> {
        let Some(value) = section.value("search") else { return Vec::new() };
        let rules = search::load::rules(value, around, &mut self.report);
        for (number, rule) in rules.iter().enumerate() {
            if let SearchPlace::Parameter(name) = &rule.place {
                if query.pass.contains(&PassRule::Exact(name.clone())) {
                    let what = format!("parameter `{name}` is in `query_pass` and a query");
                    self.report.at(value.span().start, what, "remove it from `query_pass`");
                }
                query.searches.push((name.clone(), number));
            }
        }
        rules
    }

    /// The parameters named by `text`, none of which has a class.
    fn parameter(&mut self, text: &Text<'_>, rule: &QueryRule) -> Option<PassRule> {
        match PassRule::parse(text.value) {
            None => {
                let what = format!("`{}` is not a parameter's name", text.value);
                self.report.inside(text.span.clone(), 0, what, "write names; one `*` stands for any characters");
                None
            }
            Some(PassRule::Exact(name)) if rule.protected.contains_key(&fold_name(&name)) => {
                let what = format!("parameter `{name}` has a class already");
                self.report.inside(text.span.clone(), 0, what, "a parameter of `query` passes anyway: remove it here");
                None
            }
            parsed => parsed,
        }
    }
}
