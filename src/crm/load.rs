//! A map file in, an [`Inner`] or every mistake of the file out.

mod rules;

use std::{collections::BTreeMap, sync::Arc};

use http::Method;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Inner, Route, RouteRule, WriteBackRule,
    calls::Around,
    document::{Report, Section, Text},
    fields::{self, Context},
    routes::RouteTable,
    search::{load::Surroundings, rule::Whole},
    sweep::{self, CallLimit, SweepRule},
    template::Template,
};
use crate::model::{Action, BodyFormat, ClassSet, ClassTable, Diagnostic};

/// Reads the map `text`.
pub(super) fn load(file: &str, text: &str, classes: &ClassTable) -> Result<Inner, Vec<Diagnostic>> {
    let mut report = Report::new(file, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        report.at(offset, format!("not TOML: {}", error.message()), "correct the syntax (toml.io)");
    }
    // What a broken document says would only be guessed at.
    if !report.is_clean() {
        return Err(report.finish());
    }
    let mut root = Section::new(document.get_ref(), 0);
    let Header { name, resources, trailing_slash, limit, sweep } = header(&mut root, &mut report);
    let context = Context { classes, sets: sets(&mut root, classes, &mut report) };
    let mut loader = Loader { report, context, resources, read: Vec::new(), names: BTreeMap::new() };
    match root.value("route").map(|value| (value.get_ref(), value.span().start)) {
        None => loader.report.at(0, "the map has no route", "add a [[route]]"),
        Some((DeValue::Array(routes), _)) => {
            for route in routes.iter() {
                match route.get_ref() {
                    DeValue::Table(table) => loader.route(Section::new(table, route.span().start)),
                    _ => loader.report.at(route.span().start, "a route is not a table", "write [[route]]"),
                }
            }
        }
        Some((_, at)) => loader.report.at(at, "`route` is not an array of tables", "write [[route]]"),
    }
    root.close(&mut loader.report);
    let sweeps = loader.sweeps(sweep);
    loader.finish(file, (name, trailing_slash), limit, sweeps)
}

/// `[map]`.
#[derive(Default)]
struct Header<'d, 't> {
    name: String,
    resources: Vec<String>,
    /// `/a/` is mapped as `/a` is.
    trailing_slash: bool,
    limit: CallLimit,
    /// Read when the routes are known.
    sweep: Option<&'d Spanned<DeValue<'t>>>,
}

fn header<'d, 't>(root: &mut Section<'d, 't>, report: &mut Report<'_>) -> Header<'d, 't> {
    let Some(mut map) = root.section("map", report) else {
        report.at(0, "`[map]` is missing", "add [map] with name = \"…\"");
        return Header::default();
    };
    let name = map.required("name", "write name = \"…\"", report);
    let resources = map.texts("resources", report).iter().map(|text| text.value.to_owned()).collect();
    let trailing_slash = map.flag("trailing_slash", report).unwrap_or_default();
    let (limit, sweep) = (sweep::limit(&mut map, report), map.value("sweep"));
    map.close(report);
    let name = name.map(|text| text.value.to_owned()).unwrap_or_default();
    Header { name, resources, trailing_slash, limit, sweep }
}

fn sets<'d>(root: &mut Section<'d, '_>, classes: &ClassTable, report: &mut Report<'_>) -> fields::FieldSets<'d> {
    let Some(sets) = root.section("set", report) else { return BTreeMap::new() };
    let mut read = BTreeMap::new();
    for (name, value) in sets.entries() {
        match value.get_ref() {
            DeValue::Table(table) => {
                read.insert(name.value, fields::set(Section::new(table, name.span.start), classes, report));
            }
            _ => report.at(value.span().start, "a set is not a table", "write [set.name] with fields = { … }"),
        }
    }
    read
}

pub(super) struct Loader<'t, 'c, 'd> {
    pub(super) report: Report<'t>,
    pub(super) context: Context<'c, 'd>,
    resources: Vec<String>,
    read: Vec<Read>,
    /// Where each route name was first used.
    names: BTreeMap<String, usize>,
}

struct Read {
    at: usize,
    method: Method,
    template: Template,
    route: Route,
    rule: RouteRule,
}

impl<'d> Loader<'_, '_, 'd> {
    fn route(&mut self, mut section: Section<'d, '_>) {
        let start = section.start;
        let name = section.required("name", "write name = \"customer.read\"", &mut self.report);
        let target = section.required("match", "write match = \"GET /customers/{id}\"", &mut self.report);
        let resource = section.required("resource", "name what is acted on: resource = \"customer\"", &mut self.report);
        let action = section.required("action", "write read, list, create, update, delete or export", &mut self.report);
        let parsed = target.as_ref().and_then(|target| self.target(target));
        self.check_name(name.as_ref());
        self.check_resource(resource.as_ref());
        let action = action.and_then(|text| self.action(&text, parsed.as_ref().map(|(method, _)| method)));

        let method = parsed.as_ref().map(|(method, _)| method);
        let reads = method.is_none_or(|m| matches!(*m, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS));
        // A table of the wrong type is reported as such; that it describes nothing follows from it.
        let absent = |bodiless: bool| bodiless.then_some(BodyFormat::Empty);
        let bodiless = reads || section.value("request").is_some();
        let request = section.section("request", &mut self.report);
        let request = fields::body(request, "request", absent(bodiless), start, &self.context, &mut self.report);
        let batch = matches!(request.format, BodyFormat::Batch(_));
        if batch {
            let place = (section.value("response").map(|value| value.span().start), start);
            fields::check_batch(place, method, action, &mut self.report);
        }
        // What the answer holds is said call by call.
        let carries = matches!(request.format, BodyFormat::Mcp | BodyFormat::GraphQl);
        let bodiless = batch || carries || section.value("response").is_some();
        let response = section.section("response", &mut self.report);
        let response = fields::body(response, "response", absent(bodiless), start, &self.context, &mut self.report);
        let write_back = section.text("write_back", &mut self.report);
        let write_back = write_back.and_then(|text| self.write_back(&text, request.format, action));
        let template = parsed.as_ref().map(|(_, template)| template);
        let mut rule = self.rule(&mut section, template);
        let names: Vec<&str> = template.map(|template| template.variables().collect()).unwrap_or_default();
        let classes = self.context.classes;
        let sets = std::mem::take(&mut self.context.sets);
        let around =
            Surroundings { variables: &names, request: request.format, response: &response, classes, sets: &sets };
        let search = self.search(&mut section, &around, &mut rule.query);
        self.context.sets = sets;
        let (called, spelled) =
            (name.as_ref().map_or("", |name| name.value), target.as_ref().map_or("", |to| to.value));
        let calls = self.calls(&mut section, &Around { name: called, template: spelled, format: request.format });
        self.check_carrier(target.as_ref(), method, request.format, section.value("response"));
        section.close(&mut self.report);

        let (Some(name), Some(target), Some(resource), Some(action)) = (name, target, resource, action) else { return };
        let Some((method, template)) = parsed else { return };
        let wholes = rule.variables.iter().flatten().chain(rule.query.protected.values()).map(Whole::class);
        let target_classes: ClassSet = wholes.chain(search.iter().flat_map(|rule| rule.fields.classes())).collect();
        let route = Route {
            name: name.value.into(),
            index: self.read.len(),
            template: target.value.into(),
            resource: resource.value.into(),
            action,
            request,
            response,
            write_back,
            target_classes,
            search,
            calls,
        };
        self.check_conflicts(&target, &method, &template, route.request.format);
        self.read.push(Read { at: target.span.start, method, template, route, rule });
    }

    fn target(&mut self, text: &Text<'_>) -> Option<(Method, Template)> {
        const HELP: &str = "write match = \"GET /customers/{id}\"";
        let Some((method, path)) = text.value.split_once(' ') else {
            self.report.inside(text.span.clone(), 0, "a method and a path template are expected", HELP);
            return None;
        };
        let known =
            [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
        let known = known.into_iter().find(|known| known.as_str() == method);
        if known.is_none() {
            let help = "write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS";
            self.report.inside(text.span.clone(), 0, format!("unknown method `{method}`"), help);
        }
        let template = Template::parse(path)
            .map_err(|error| self.report.inside(text.span.clone(), method.len() + 1 + error.at, error.what, HELP))
            .ok();
        known.zip(template)
    }

    /// A body with calls comes by `POST`, and says itself what the answer holds.
    fn check_carrier(
        &mut self,
        target: Option<&Text<'_>>,
        method: Option<&Method>,
        format: BodyFormat,
        described: Option<&Spanned<DeValue<'_>>>,
    ) {
        let (Some(target), BodyFormat::Mcp | BodyFormat::GraphQl) = (target, format) else { return };
        if method.is_some_and(|method| *method != Method::POST) {
            let help = "write match = \"POST /…\"; an MCP route takes GET and DELETE of the same path as well";
            self.report.inside(target.span.clone(), 0, "calls come by POST", help);
        }
        if let Some(response) = described {
            let help = "remove `response`; write `result` in each call";
            self.report.at(response.span().start, "the answer of this route is described call by call", help);
        }
    }

    fn check_name(&mut self, name: Option<&Text<'_>>) {
        let Some(name) = name else { return };
        if !is_name(name.value, |byte| matches!(byte, b'.' | b'-' | b'_')) {
            let help = "use lower-case letters, digits, `.`, `-` and `_`";
            self.report.inside(name.span.clone(), 0, format!("`{}` cannot be a route's name", name.value), help);
        }
        if let Some(before) = self.names.get(name.value) {
            let what = format!("route `{}` is already defined at line {}", name.value, self.report.line_of(*before));
            self.report.at(name.span.start, what, "give each route its own name");
        } else {
            self.names.insert(name.value.to_owned(), name.span.start);
        }
    }

    pub(super) fn check_resource(&mut self, resource: Option<&Text<'_>>) {
        let Some(resource) = resource else { return };
        if !is_name(resource.value, |byte| byte == b'_') {
            let what = format!("`{}` cannot be a resource's name", resource.value);
            self.report.inside(resource.span.clone(), 0, what, "use lower-case letters, digits and `_`");
        } else if !self.resources.is_empty() && !self.resources.iter().any(|known| known == resource.value) {
            let what = format!("unknown resource `{}`", resource.value);
            let help = format!("add it to map.resources, or write one of: {}", self.resources.join(", "));
            self.report.inside(resource.span.clone(), 0, what, help);
        }
    }

    pub(super) fn action(&mut self, text: &Text<'_>, method: Option<&Method>) -> Option<Action> {
        let action = text.value.parse::<Action>();
        match (&action, method) {
            (Err(error), _) => {
                self.report.inside(text.span.clone(), 0, error.to_string(), "an action says what policy decides about");
            }
            // Recorded before it is forwarded: a write that calls itself a read would be recorded too late.
            (Ok(action), Some(&Method::PUT | &Method::PATCH | &Method::DELETE)) if !action.is_write() => {
                let help = "write create, update or delete";
                let what = format!("this method changes the CRM and `{action}` does not");
                self.report.inside(text.span.clone(), 0, what, help);
            }
            _ => {}
        }
        action.ok()
    }

    pub(super) fn write_back(
        &mut self,
        text: &Text<'_>,
        body: BodyFormat,
        action: Option<Action>,
    ) -> Option<WriteBackRule> {
        if !body.has_fields() || action.is_some_and(|action| !action.is_write()) {
            let help = "remove it: only a body with fields that is written can carry a stand-in back";
            self.report.at(text.span.start, "`write_back` without a written body", help);
        }
        match text.value {
            "drop" => Some(WriteBackRule::Drop),
            "refuse" => Some(WriteBackRule::Refuse),
            other => {
                let what = format!("unknown rule `{other}`");
                self.report.inside(
                    text.span.clone(),
                    0,
                    what,
                    "write `drop` (the CRM takes partial updates) or `refuse`",
                );
                None
            }
        }
    }

    fn check_conflicts(&mut self, text: &Text<'_>, method: &Method, template: &Template, format: BodyFormat) {
        let takes_all = format == BodyFormat::Mcp;
        for before in &self.read {
            let shared = before.method == *method || before.route.request.format == BodyFormat::Mcp || takes_all;
            let (what, help) = if before.template.same_paths(template) && shared {
                ("maps the same requests as", "remove one of them")
            } else if before.template.crosses(template) {
                ("is ambiguous with", "some path matches both and neither is more specific: add a route or a literal")
            } else if before.template.differs_by_case(template) {
                ("differs only in case from", "some servers take them for one path: keep one spelling")
            } else {
                continue;
            };
            let line = self.report.line_of(before.at);
            let what = format!("`{}` {what} `{}` at line {line}", text.value, before.route.template);
            self.report.at(text.span.start, what, help);
            return;
        }
    }

    fn sweeps(&mut self, value: Option<&Spanned<DeValue<'_>>>) -> Vec<SweepRule> {
        let routes = self.read.iter().map(|read| sweep::Known {
            name: &read.route.name,
            method: &read.method,
            template: &read.template,
            subject: read.rule.subject,
            resource: &read.route.resource,
        });
        sweep::rules(value, &routes.collect::<Vec<_>>(), &mut self.report)
    }

    fn finish(
        self,
        file: &str,
        (name, trailing_slash): (String, bool),
        limit: CallLimit,
        sweeps: Vec<SweepRule>,
    ) -> Result<Inner, Vec<Diagnostic>> {
        if !self.report.is_clean() {
            return Err(self.report.finish());
        }
        let mut table = RouteTable::default();
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        for (index, read) in self.read.into_iter().enumerate() {
            table.insert(index, read.method, &read.template);
            if read.route.request.format == BodyFormat::Mcp {
                table.also(index, &[Method::GET, Method::DELETE], &read.template);
            }
            routes.push(Arc::new(read.route));
            rules.push(read.rule);
        }
        Ok(Inner {
            file: file.to_owned(),
            name,
            trailing_slash,
            declared: self.resources,
            routes,
            rules,
            table,
            limit,
            sweeps,
        })
    }
}

const HELP_VARIABLE: &str = "use a variable of `match`, or add it there";

fn not_in_template(name: &str) -> String {
    format!("the template has no variable `{name}`")
}

fn is_name(text: &str, also: fn(u8) -> bool) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || also(byte))
}
