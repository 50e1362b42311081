//! Calls that stand in a body: the tools of an MCP route and the root fields of a GraphQL route, as a map writes them.

use std::sync::Arc;

use http::Method;
use toml::{Spanned, de::DeValue};

use super::{
    Route,
    document::{Section, Text},
    fields,
    load::Loader,
};
use crate::model::{BodyFormat, ClassSet, Selector};

/// A call that a body carries: what policy decides about, and what its arguments and its result hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// As the CRM spells it: a tool's name, or the field names that lead to a root (`uiapi.query.Contact`).
    pub name: Arc<str>,
    /// What becomes of pictures, sounds and blobs in its result.
    pub media: Media,
    /// Where the record's fields stand in the arguments: `$`, or `$.changes`.
    pub record: Arc<str>,
    /// Its rules; `request` describes the arguments and `response` the result.
    pub route: Arc<Route>,
}

/// What becomes of content that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Media {
    /// It is withheld.
    #[default]
    Withhold,
    /// The map says that it holds nothing personal.
    Pass,
}

/// The route around the calls being read.
pub(super) struct Around<'a> {
    pub(super) name: &'a str,
    pub(super) template: &'a str,
    pub(super) format: BodyFormat,
}

impl<'d> Loader<'_, '_, 'd> {
    /// The calls of a route, none when its body carries none.
    pub(super) fn calls(&mut self, section: &mut Section<'d, '_>, around: &Around<'_>) -> Vec<Call> {
        let key = match around.format {
            BodyFormat::Mcp => "tool",
            BodyFormat::GraphQl => "root",
            _ => return Vec::new(),
        };
        let Some(value) = section.value(key) else {
            let what = format!("the route has no `{key}`, so every call would be refused");
            self.report.at(section.start, what, format!("add a [[route.{key}]]"));
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let what = format!("`{key}` is not an array of tables");
            self.report.at(value.span().start, what, format!("write [[route.{key}]]"));
            return Vec::new();
        };
        let mut calls: Vec<Call> = Vec::new();
        for item in items.iter() {
            let Some(call) = self.call(item, around) else { continue };
            if calls.iter().any(|before| before.name == call.name && same_kind(before, &call)) {
                let what = format!("`{}` is mapped twice in this route", call.name);
                self.report.at(item.span().start, what, "remove one of them");
            }
            calls.push(call);
        }
        calls
    }

    fn call(&mut self, item: &'d Spanned<DeValue<'_>>, around: &Around<'_>) -> Option<Call> {
        let DeValue::Table(table) = item.get_ref() else {
            self.report.at(item.span().start, "a call is not a table", "write it as [[route.tool]] or [[route.root]]");
            return None;
        };
        let mut section = Section::new(table, item.span().start);
        let help = match around.format {
            BodyFormat::Mcp => "write the tool's name as the server spells it",
            _ => "write the field names that lead to it: name = \"contacts\", or \"uiapi.query.Contact\"",
        };
        let name = section.required("name", help, &mut self.report);
        self.check_call(name.as_ref(), around.format);
        let resource = section.required("resource", "name what is acted on: resource = \"customer\"", &mut self.report);
        self.check_resource(resource.as_ref());
        let action = section.required("action", "write read, list, create, update, delete or export", &mut self.report);
        let action = action.and_then(|text| self.action(&text, Some(&Method::POST)));
        let arguments = section.section("arguments", &mut self.report);
        let absent = Some(BodyFormat::Json);
        let mut request = fields::body(arguments, "arguments", absent, section.start, &self.context, &mut self.report);
        let absent = section.value("result").is_some().then_some(BodyFormat::Json);
        let result = section.section("result", &mut self.report);
        let mut response = fields::body(result, "result", absent, section.start, &self.context, &mut self.report);
        self.only_json([&request.format, &response.format], section.start);
        // What no rule knows is withheld, unless the map closes other objects itself.
        if response.closed.is_empty() {
            response.closed.extend("$".parse::<Selector>());
        }
        if around.format == BodyFormat::GraphQl {
            // The name of a type says nothing of anybody, and clients ask for it everywhere.
            response.plain.extend("$..__typename".parse::<Selector>());
            if request.closed.is_empty() {
                request.closed.extend("$".parse::<Selector>());
            }
        }
        if let Some(subject) = section.text("subject", &mut self.report) {
            request.subject = fields::selector(&subject, &mut self.report);
        }
        let record = section.text("record", &mut self.report).map(|text| self.record(&text));
        let write_back = section.text("write_back", &mut self.report);
        let write_back = write_back.and_then(|text| self.write_back(&text, request.format, action));
        let media = section.text("media", &mut self.report);
        let media = media.map_or(Media::Withhold, |text| self.media(&text));
        section.close(&mut self.report);
        let (name, resource, action) = (name?, resource?, action?);
        let route = Route {
            name: format!("{}/{}", around.name, name.value).into(),
            index: usize::MAX,
            template: format!("{} {}", around.template, name.value).into(),
            resource: resource.value.into(),
            action,
            request,
            response,
            write_back,
            target_classes: ClassSet::EMPTY,
            search: Vec::new(),
            calls: Vec::new(),
        };
        let record = record.unwrap_or("$").into();
        Some(Call { name: name.value.into(), media, record, route: Arc::new(route) })
    }

    fn only_json(&mut self, formats: [&BodyFormat; 2], at: usize) {
        if formats.into_iter().any(|format| *format != BodyFormat::Json) {
            let help = "remove `format` from `arguments` and `result`";
            self.report.at(at, "arguments and results of a call are JSON", help);
        }
    }

    fn check_call(&mut self, name: Option<&Text<'_>>, format: BodyFormat) {
        let Some(name) = name else { return };
        let of_tool = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        let of_field = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let (sound, help) = match format {
            BodyFormat::Mcp => {
                let sound = (1..=MAX_NAME_BYTES).contains(&name.value.len()) && name.value.chars().all(of_tool);
                (sound, "a tool's name has 1 to 128 letters, digits, `_`, `-`, `.` and `/`")
            }
            _ => {
                let sound = name.value.len() <= MAX_NAME_BYTES && name.value.split('.').all(of_field);
                (sound, "write field names of the schema with dots between them, aliases are resolved")
            }
        };
        if !sound {
            self.report.inside(name.span.clone(), 0, format!("`{}` cannot be a call's name", name.value), help);
        }
    }

    /// One place: `$`, or names behind it.
    fn record<'t>(&mut self, text: &Text<'t>) -> &'t str {
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let names = text.value.strip_prefix('$').map(|rest| rest.split('.').skip(1).all(is_name));
        if names != Some(true) || text.value.ends_with('.') {
            let help = "write the one place of the record's fields in the arguments: record = \"$.changes\"";
            self.report.inside(text.span.clone(), 0, format!("`{}` is no such place", text.value), help);
        }
        text.value
    }

    fn media(&mut self, text: &Text<'_>) -> Media {
        match text.value {
            "withhold" => Media::Withhold,
            "pass" => Media::Pass,
            other => {
                let help = "write `withhold` or `pass` (pictures, sounds and blobs hold nothing personal)";
                self.report.inside(text.span.clone(), 0, format!("unknown rule `{other}`"), help);
                Media::Withhold
            }
        }
    }
}

/// A query and a mutation may share a name; tools may not.
fn same_kind(one: &Call, other: &Call) -> bool {
    one.route.action.is_write() == other.route.action.is_write() || !one.name.is_ascii()
}

/// Longest name of a tool or a root, in bytes.
const MAX_NAME_BYTES: usize = 128;
