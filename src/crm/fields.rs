//! Bodies of a map: the tables `request`, `response` and `set.…` in, compiled [`BodyMap`]s out.

use std::{collections::BTreeMap, ops::Range};

use http::Method;
use toml::{Spanned, de::DeValue};

use super::document::{Report, Section, Text, text};
use crate::model::{
    Action, Batch, BodyFormat, BodyMap, ClassId, ClassTable, Column, Delimiter, FieldRule, Files, Selector, Step,
};

/// A named set of fields, written once and included at several places.
#[derive(Default)]
pub(super) struct FieldSet {
    fields: Vec<FieldRule>,
    links: Vec<Selector>,
    closed: Vec<Selector>,
    plain: Vec<Selector>,
}

impl FieldSet {
    /// The names that its selectors end with, each with its class.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, ClassId)> {
        self.fields.iter().filter_map(|rule| Some((rule.selector.last_name()?, rule.class)))
    }
}

/// The sets of a map by name.
pub(super) type FieldSets<'d> = BTreeMap<&'d str, FieldSet>;

/// What is read against: class names and sets.
pub(super) struct Context<'c, 'd> {
    pub(super) classes: &'c ClassTable,
    pub(super) sets: FieldSets<'d>,
}

/// What a field is: its class, whether it is base64, what fits into it.
type Meaning = (ClassId, bool, Column);

/// A body whose fields are collected, each selector once.
struct Builder {
    map: BodyMap,
    known: BTreeMap<String, Meaning>,
}

/// Reads `[set.<name>]`.
pub(super) fn set(mut section: Section<'_, '_>, classes: &ClassTable, report: &mut Report<'_>) -> FieldSet {
    let mut builder = Builder { map: BodyMap::default(), known: BTreeMap::new() };
    if let Some(fields) = section.section("fields", report) {
        builder.fields(&fields, classes, report);
    }
    builder.selectors(&mut section, report);
    section.close(report);
    let BodyMap { fields, links, closed, plain, .. } = builder.map;
    FieldSet { fields, links, closed, plain }
}

/// Reads the table `request` or `response` of a route, called `what` in messages; `absent` is what a missing table means.
pub(super) fn body(
    section: Option<Section<'_, '_>>,
    what: &'static str,
    absent: Option<BodyFormat>,
    route: usize,
    context: &Context<'_, '_>,
    report: &mut Report<'_>,
) -> BodyMap {
    let Some(mut section) = section else {
        if absent.is_none() {
            let help = format!("write {what}.fields = {{ … }}, or {what}.format = \"empty\" or \"opaque\"");
            report.at(route, format!("the {what} body is not described"), help);
        }
        return BodyMap { format: absent.unwrap_or_default(), ..BodyMap::default() };
    };
    let mut builder = Builder { map: BodyMap::default(), known: BTreeMap::new() };
    builder.map.format = format(&mut section, report);
    let (start, fields) = (section.start, section.section("fields", report));
    let include = section.section("include", report);
    let described = fields.is_some() || include.is_some();
    if let Some(fields) = fields {
        builder.fields(&fields, context.classes, report);
    }
    if let Some(include) = include {
        builder.include(&include, context, report);
    }
    let plain = builder.selectors(&mut section, report);
    builder.map.record = section.text("record", report).and_then(|text| selector(&text, report));
    builder.map.subject = section.text("subject", report).and_then(|text| selector(&text, report));
    let form = builder.map.format == BodyFormat::Multipart;
    let (files, parts) = (section.text("files", report), section.section("part", report));
    if let (false, Some(at)) =
        (form, files.as_ref().map(|text| text.span.start).or(parts.as_ref().map(|part| part.start)))
    {
        report.at(at, "`files` and `part` without a form of parts", "write format = \"multipart\", or remove them");
    }
    if let Some(files) = files {
        builder.map.files = self::files(&files, report);
    }
    let described = described || parts.is_some();
    if let Some(parts) = parts {
        for (name, value) in parts.entries() {
            let DeValue::Table(table) = value.get_ref() else {
                report.at(value.span().start, "a part is not a table", "write part.\"JSON\".fields = { … }");
                continue;
            };
            let start = value.span().start;
            let inner = body(Some(Section::new(table, start)), "part", None, start, context, report);
            if inner.format != BodyFormat::Json {
                report.at(start, "a part with fields of its own is JSON", "remove its format");
            }
            builder.map.parts.push((name.value.to_owned(), inner));
        }
    }
    section.close(report);
    builder.check_plain(plain, report);
    let map = builder.map;
    let has_fields = map.format.has_fields();
    if has_fields && !described {
        let help = format!("name them; write {what}.fields = {{}} where the body holds nothing personal");
        report.at(start, format!("the {what} body has fields and none is named"), help);
    }
    let has_rules = described
        || !map.links.is_empty()
        || !map.closed.is_empty()
        || !map.plain.is_empty()
        || map.record.is_some()
        || map.subject.is_some();
    if matches!(map.format, BodyFormat::Form | BodyFormat::Multipart) && what == "response" {
        report.at(start, "a response is not read as a form", "write `json`, `opaque` or `empty`");
    }
    if map.format == BodyFormat::Sse && what == "request" {
        report.at(start, "a request is not read as a stream of events", "write `json`, `opaque` or `empty`");
    }
    if matches!(map.format, BodyFormat::Batch(_)) && what == "response" {
        report.at(start, "a response is not read as a batch", "give the batch's `request` this format; remove it here");
    }
    reachable(&map, start, report);
    if !has_fields && has_rules {
        report.at(start, "fields of a body that has none", "they would never be applied: remove them or the format");
    }
    if matches!(map.format, BodyFormat::Mcp | BodyFormat::GraphQl) && what != "request" {
        report.at(start, "only a request says that a body carries calls", "write it as `request.format`");
    }
    map
}

/// A batch is a vessel: what it reads and changes is decided and recorded for each call inside. `response` is where the
/// route describes one, `route` where the route starts.
pub(super) fn check_batch(
    (response, route): (Option<usize>, usize),
    method: Option<&Method>,
    action: Option<Action>,
    report: &mut Report<'_>,
) {
    if let Some(at) = response {
        let help = "remove it: each answer inside is read as the route of its request says";
        report.at(at, "a batch has no response of its own", help);
    }
    if method.is_some_and(|method| method != Method::POST) {
        report.at(route, "a batch that is not sent with POST", "write match = \"POST …\"");
    }
    if action.is_some_and(Action::is_write) {
        let help = "write action = \"list\": what the requests inside change is decided for each of them";
        report.at(route, "a batch changes nothing by itself", help);
    }
}

/// The class named by `text`.
pub(super) fn class(text: &Text<'_>, classes: &ClassTable, report: &mut Report<'_>) -> Option<ClassId> {
    let id = classes.id(text.value);
    if id.is_none() {
        let names: Vec<&str> = classes.iter().map(|(_, class)| &*class.name).collect();
        let help = format!("add it to the classes of the configuration, or write one of: {}", names.join(", "));
        report.inside(text.span.clone(), 0, format!("unknown class `{}`", text.value), help);
    }
    id
}

/// What a list of selectors is for.
#[derive(Clone, Copy)]
enum Kind {
    Link,
    Closed,
    Plain,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Link => "links",
            Self::Closed => "closed",
            Self::Plain => "plain",
        }
    }

    fn of_set(self, set: &FieldSet) -> &[Selector] {
        match self {
            Self::Link => &set.links,
            Self::Closed => &set.closed,
            Self::Plain => &set.plain,
        }
    }
}

impl Builder {
    fn fields(&mut self, section: &Section<'_, '_>, classes: &ClassTable, report: &mut Report<'_>) {
        for (key, value) in section.entries() {
            let selected = selector(&key, report);
            let Some((class, base64, column)) = field(value, classes, report) else { continue };
            if let Some(selected) = selected {
                self.add(FieldRule { selector: selected, class, base64, column }, key.span, report);
            }
        }
    }

    fn include(&mut self, section: &Section<'_, '_>, context: &Context<'_, '_>, report: &mut Report<'_>) {
        for (key, value) in section.entries() {
            let prefix = selector(&key, report);
            let names: Vec<Text<'_>> = match value.get_ref() {
                DeValue::Array(items) => items.iter().filter_map(|item| text(item, "include", report)).collect(),
                _ => text(value, "include", report).into_iter().collect(),
            };
            for name in names {
                let Some(set) = context.sets.get(name.value) else {
                    let help = format!("define [set.{}], or correct the name", name.value);
                    report.inside(name.span, 0, format!("unknown set `{}`", name.value), help);
                    continue;
                };
                let Some(prefix) = &prefix else { continue };
                for rule in &set.fields {
                    if let Some(selector) = joined(prefix, &rule.selector, &key, report) {
                        self.add(FieldRule { selector, ..rule.clone() }, key.span.clone(), report);
                    }
                }
                for kind in [Kind::Link, Kind::Closed, Kind::Plain] {
                    for inner in kind.of_set(set) {
                        if let Some(selector) = joined(prefix, inner, &key, report) {
                            self.select(kind, selector);
                        }
                    }
                }
            }
        }
    }

    /// `links`, `closed` and `plain`; answers where the last of them stands.
    fn selectors(&mut self, section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Option<usize> {
        for kind in [Kind::Link, Kind::Closed, Kind::Plain] {
            for text in section.texts(kind.key(), report) {
                if let Some(selector) = selector(&text, report) {
                    self.select(kind, selector);
                }
            }
        }
        section.value(Kind::Plain.key()).map(|value| value.span().start)
    }

    fn select(&mut self, kind: Kind, selector: Selector) {
        let known = match kind {
            Kind::Link => &mut self.map.links,
            Kind::Closed => &mut self.map.closed,
            Kind::Plain => &mut self.map.plain,
        };
        if !known.contains(&selector) {
            known.push(selector);
        }
    }

    /// What is called plain at `at` has no class, and is in a body that withholds what it does not know.
    fn check_plain(&self, at: Option<usize>, report: &mut Report<'_>) {
        let Some(at) = at else { return };
        if self.map.closed.is_empty() {
            let help = "write closed = [\"$\"], or the objects whose every member has to be known; or remove `plain`";
            report.at(at, "`plain` in a body of which nothing is closed", help);
        }
        if let Some(both) = self.map.plain.iter().find(|plain| self.known.contains_key(plain.as_str())) {
            report.at(
                at,
                format!("`{both}` is plain and has a class"),
                "remove it from one of them; check the included sets",
            );
        }
    }

    fn add(&mut self, rule: FieldRule, span: Range<usize>, report: &mut Report<'_>) {
        let meaning = (rule.class, rule.base64, rule.column);
        match self.known.get(rule.selector.as_str()) {
            None => {
                self.known.insert(rule.selector.as_str().to_owned(), meaning);
                self.map.fields.push(rule);
            }
            Some(before) if *before == meaning => {}
            Some(_) => {
                let what = format!("`{}` already has another class in this body", rule.selector);
                report.at(span.start, what, "give each selector one class; check the included sets");
            }
        }
    }
}

/// `"email"`, or `{ class = "email", max_chars = 80, folds_case = true }`, or `{ class = "free_text", encoding = "base64" }`.
fn field(value: &Spanned<DeValue<'_>>, classes: &ClassTable, report: &mut Report<'_>) -> Option<Meaning> {
    let DeValue::Table(table) = value.get_ref() else {
        return Some((class(&text(value, "class", report)?, classes, report)?, false, Column::default()));
    };
    let mut section = Section::new(table, value.span().start);
    let named = section.required("class", "write { class = \"…\", encoding = \"base64\" }", report);
    let encoding = section.text("encoding", report);
    let column = Column {
        max_chars: section.number("max_chars", 1..=MAX_COLUMN_CHARS, report),
        folds_case: section.flag("folds_case", report).unwrap_or_default(),
    };
    section.close(report);
    let base64 = match encoding {
        None => false,
        Some(text) if text.value == "base64" => true,
        Some(text) => {
            report.inside(text.span, 0, format!("unknown encoding `{}`", text.value), "`base64` is the one there is");
            return None;
        }
    };
    Some((class(&named?, classes, report)?, base64, column))
}

/// No CRM has a longer text column (Salesforce: 131,072), in characters.
const MAX_COLUMN_CHARS: u32 = 1 << 24;

fn format(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> BodyFormat {
    let Some(text) = section.text("format", report) else { return BodyFormat::Json };
    match text.value {
        "json" => BodyFormat::Json,
        "ndjson" => BodyFormat::Ndjson,
        "csv" => BodyFormat::Csv(delimiter(section, report)),
        "sse" => BodyFormat::Sse,
        "xml" => BodyFormat::Xml,
        "form" => BodyFormat::Form,
        "multipart" => BodyFormat::Multipart,
        "odata_batch" => BodyFormat::Batch(Batch::OData),
        "salesforce_composite" => BodyFormat::Batch(Batch::SalesforceComposite),
        "salesforce_batch" => BodyFormat::Batch(Batch::SalesforceBatch),
        "opaque" => BodyFormat::Opaque,
        "empty" => BodyFormat::Empty,
        "mcp" => BodyFormat::Mcp,
        "graphql" => BodyFormat::GraphQl,
        other => {
            report.inside(
                text.span,
                0,
                format!("unknown format `{other}`"),
                "write `json`, `ndjson`, `csv`, `sse`, `xml`, `form`, `multipart`, `odata_batch`, `salesforce_composite`, \
                 `salesforce_batch`, `mcp`, `graphql`, `opaque` or `empty`",
            );
            BodyFormat::Empty
        }
    }
}

/// `delimiter = "comma"`, or `"auto"`, which is also what a map means that says nothing.
fn delimiter(section: &mut Section<'_, '_>, report: &mut Report<'_>) -> Delimiter {
    let Some(text) = section.text("delimiter", report) else { return Delimiter::Auto };
    let known = std::iter::once(Delimiter::Auto).chain(Delimiter::ALL);
    known.clone().find(|delimiter| delimiter.name() == text.value).unwrap_or_else(|| {
        let names: Vec<_> = known.map(|delimiter| format!("`{}`", delimiter.name())).collect();
        let what = format!("unknown delimiter `{}`", text.value);
        report.inside(text.span, 0, what, format!("write one of {}", names.join(", ")));
        Delimiter::Auto
    })
}

/// A selector that can select nothing in a body of its format is a mistake: what it names would be shown.
fn reachable(map: &BodyMap, start: usize, report: &mut Report<'_>) {
    let selectors = map.fields.iter().map(|rule| &rule.selector).chain(&map.links).chain(&map.subject);
    for selector in selectors.chain(&map.record) {
        let help = match map.format {
            BodyFormat::Csv(_) if !matches!(selector.steps(), [step] if has_name(step)) => {
                "the cells of a row are members of `$`: write `$.Email` or `$['First Name']`"
            }
            BodyFormat::Xml if selector.steps().iter().any(|step| !has_name(step)) => {
                "elements have names and no index, and are not filtered: write `$.Envelope.Body.result.Email`"
            }
            _ => continue,
        };
        report.at(start, format!("`{selector}` selects nothing in a body of this format"), help);
    }
    if let (BodyFormat::Csv(_), Some(_)) = (map.format, &map.record) {
        report.at(start, "`record` of a body whose rows are records", "remove it");
    }
}

fn has_name(step: &Step) -> bool {
    match step {
        Step::Name(_) | Step::Wildcard => true,
        Step::Descendant(inner) => has_name(inner),
        Step::Index(_) | Step::WhereEquals { .. } => false,
    }
}

fn files(text: &Text<'_>, report: &mut Report<'_>) -> Files {
    match text.value {
        "pass" => Files::Pass,
        "refuse" => Files::Refuse,
        other => {
            let what = format!("unknown rule `{other}`");
            report.inside(text.span.clone(), 0, what, "write `pass` or `refuse`, for files that are no text");
            Files::Refuse
        }
    }
}

pub(super) fn selector(text: &Text<'_>, report: &mut Report<'_>) -> Option<Selector> {
    match text.value.parse() {
        Ok(selector) => Some(selector),
        Err(error) => {
            let error: crate::model::SelectorError = error;
            let help =
                "selectors are JSONPath (RFC 9535): `$.a.b`, `$.items[*].email`, `$..phone`, `$.cf[?@.name == 'Card']`";
            report.inside(text.span.clone(), error.at, format!("`{}`: {}", text.value, error.what), help);
            None
        }
    }
}

fn joined(prefix: &Selector, inner: &Selector, key: &Text<'_>, report: &mut Report<'_>) -> Option<Selector> {
    let tail = inner.as_str().strip_prefix('$').unwrap_or_default();
    let joined = format!("{prefix}{tail}").parse().ok();
    if joined.is_none() {
        report.at(
            key.span.start,
            format!("`{inner}` cannot be included here"),
            "both together have more than 32 segments",
        );
    }
    joined
}
