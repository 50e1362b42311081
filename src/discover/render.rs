//! A draft in, the text of an API map out, with every reason beside its field.

use std::fmt::Write;

use super::{
    Options,
    body::Body,
    query::Classed,
    report::Field,
    route::{Draft, Route},
    sets::Sets,
};
use crate::{crm::Api, model::ClassTable};

/// What the loader of this build takes, asked of the loader itself.
#[derive(Debug, Clone)]
pub(super) struct Syntax {
    /// `closed` objects with their `plain` members.
    closed: bool,
    sets: bool,
}

impl Syntax {
    /// Tries each part of the syntax on a small map.
    pub(super) fn of_loader(classes: &ClassTable) -> Self {
        let takes = |line: &str| {
            let map = format!(
                "[map]\nname = 'm'\n[[route]]\nname = 'a'\nmatch = 'POST /a'\nresource = 'r'\naction = 'create'\n{line}\n"
            );
            Api::parse("syntax", &map, classes).is_ok()
        };
        Self {
            closed: takes(
                "request.fields = {}\nresponse.fields = {}\nresponse.closed = ['$']\nresponse.plain = ['$.id']",
            ),
            sets: true,
        }
    }

    /// Gives up one part; false when there is nothing left to give up.
    pub(super) fn simplify(&mut self) -> bool {
        let before = (self.sets, self.closed);
        (self.sets, self.closed) = (false, before.0 && before.1);
        before != (self.sets, self.closed)
    }
}

/// The map, and the line each route starts at.
pub(super) fn map(draft: &Draft, kind: &str, options: &Options, syntax: &Syntax) -> (String, Vec<usize>) {
    let mut out = Writer::default();
    out.line(&format!(
        "# Proposed by `fieldgate discover` from {kind}: a draft. Read every line before it protects anything."
    ));
    out.line("# A number is how sure the class is, of 100; what no route maps is refused by the gateway.");
    if syntax.closed {
        out.line(
            "# Objects are closed: a member that is neither a field nor `plain` is masked and counted as schema drift.",
        );
    } else {
        out.line("# What is marked `undecided` is shown as it is until you give it a class.");
    }
    for note in &draft.report.notes {
        out.line(&format!("# {note}."));
    }
    out.line(&format!("\n[map]\nname = {}", quoted(&options.name)));
    let sets = if syntax.sets { Sets::of(&draft.routes) } else { Sets::default() };
    for set in &sets.sets {
        out.line(&format!("\n[set.{}.fields]", set.name));
        set.fields.iter().for_each(|field| out.field(field));
    }
    let mut starts = Vec::with_capacity(draft.routes.len());
    for route in &draft.routes {
        out.line("");
        starts.push(out.lines + 1);
        self::route(route, &sets, syntax, &mut out);
    }
    if !draft.report.left_out.is_empty() {
        out.line("\n# Left out; the gateway refuses these:");
        for left in &draft.report.left_out {
            out.line(&format!("#   {}: {}", left.what, comment(&left.why)));
        }
    }
    (out.text, starts)
}

fn route(route: &Route, sets: &Sets, syntax: &Syntax, out: &mut Writer) {
    out.line("[[route]]");
    out.line(&format!("name = {}", quoted(&route.name)));
    out.line(&format!("match = {}", quoted(&route.target)));
    out.line(&format!("resource = {}", quoted(&route.resource)));
    out.line(&format!("action = {}", quoted(route.action.as_str())));
    if let Some(subject) = &route.subject {
        out.line(&format!("subject = {}", quoted(subject)));
    }
    for note in route.notes.iter().chain(&route.query.notes) {
        out.line(&format!("# {note}"));
    }
    if !route.query.pass.is_empty() {
        out.line(&format!("query_pass = {}", list(&route.query.pass)));
    }
    let writes = !matches!(route.target.split(' ').next(), Some("GET" | "HEAD" | "DELETE" | "OPTIONS"));
    for (body, what) in [(&route.request, "request"), (&route.response, "response")] {
        if body.format == "empty" && (writes || what == "response") {
            out.line(&format!("{what}.format = \"empty\""));
        }
    }
    for (classed, table) in [(&route.path, "path"), (&route.query.classed, "query")] {
        if !classed.is_empty() {
            out.line(&format!("\n[route.{table}]"));
            classed.iter().for_each(|classed| out.classed(classed));
        }
    }
    for (body, what) in [(&route.request, "request"), (&route.response, "response")] {
        if body.format != "empty" {
            self::body(body, what, sets, syntax, out);
        }
    }
}

fn body(body: &Body, what: &str, sets: &Sets, syntax: &Syntax, out: &mut Writer) {
    out.line(&format!("\n[route.{what}]"));
    if body.format != "json" {
        out.line(&format!("format = {}", quoted(body.format)));
    }
    for (key, value) in [("record", &body.record), ("subject", &body.subject)] {
        if let Some(value) = value {
            out.line(&format!("{key} = {}", quoted(value)));
        }
    }
    if !body.links.is_empty() {
        out.line(&format!("links = {}", list(&body.links)));
    }
    if syntax.closed {
        out.line(&format!("closed = [{}]", if body.array { "\"$[*]\"" } else { "\"$\"" }));
        if !body.plain.is_empty() {
            let plain: Vec<String> = body.plain.iter().map(|field| field.selector.clone()).collect();
            out.line(&format!("plain = {}", list(&plain)));
        }
    }
    let include = sets.include(body);
    match &include {
        Some((prefix, name)) => out.line(&format!("include = {{ {} = {} }}", quoted(prefix), quoted(name))),
        None if body.fields.is_empty() => out.line("fields = {}"),
        None => {}
    }
    for field in &body.undecided {
        out.undecided(field);
    }
    if include.is_none() && !body.fields.is_empty() {
        out.line(&format!("\n[route.{what}.fields]"));
        body.fields.iter().for_each(|field| out.field(field));
    }
}

/// The text, and how many lines it has.
#[derive(Default)]
struct Writer {
    text: String,
    lines: usize,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.lines += 1 + line.matches('\n').count();
    }

    fn field(&mut self, field: &Field) {
        let class = field.class.as_deref().unwrap_or_default();
        self.line(&format!(
            "{} = {} # {}: {}",
            quoted(&field.selector),
            quoted(class),
            field.confidence,
            comment(&field.reason)
        ));
    }

    fn classed(&mut self, classed: &Classed) {
        let class = match classed.several {
            Some(several) => format!("{{ class = {}, several = {} }}", quoted(&classed.class), quoted(several)),
            None => quoted(&classed.class),
        };
        self.line(&format!(
            "{} = {class} # {}: {}",
            quoted(&classed.name),
            classed.confidence,
            comment(&classed.reason)
        ));
    }

    fn undecided(&mut self, field: &Field) {
        let guess = field.guess.as_ref().map(|guess| format!("{guess}? {}: ", field.confidence)).unwrap_or_default();
        self.line(&format!("# undecided: {} ({guess}{})", comment(&field.selector), comment(&field.reason)));
    }
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An array of strings, one line each when there are many.
fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
    let flat = items.join(", ");
    if flat.len() < 100 { format!("[{flat}]") } else { format!("[\n    {},\n]", items.join(",\n    ")) }
}

/// Text that stays inside of its comment.
fn comment(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
