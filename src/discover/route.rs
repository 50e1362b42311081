//! Operations in, routes of a map out, and what is left out with its reason.

use std::collections::BTreeSet;

use super::{
    Options,
    body::{self, Body},
    judge,
    leaf::Leaf,
    openapi::printable,
    operation::{Content, Operation},
    path::{self, Path},
    query::{self, Classed, Query},
    report::{Draft as Draft_, LeftOut},
};
use crate::model::{Action, ClassTable};

pub(super) type Draft = Draft_<Route>;

/// A proposed route.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: String,
    /// Method and template.
    pub(super) target: String,
    pub(super) resource: String,
    pub(super) action: Action,
    /// The variable that names the record.
    pub(super) subject: Option<String>,
    /// Variables with a class.
    pub(super) path: Vec<Classed>,
    pub(super) query: Query,
    pub(super) request: Body,
    pub(super) response: Body,
    /// What whoever reads the proposal must look at.
    pub(super) notes: Vec<String>,
}

/// Proposes a route for each operation that can be mapped.
pub(super) fn propose(operations: Vec<Operation>, options: &Options, classes: &ClassTable) -> Draft {
    let mut draft = Draft::default();
    let mut names = BTreeSet::new();
    for operation in operations {
        let what = format!("{} {}", operation.method, printable(&operation.path));
        match one(&operation, options, classes) {
            Ok(mut route) => {
                route.name = unique(&route.name, &operation, &mut names);
                draft.routes.push(route);
            }
            Err(why) => draft.report.left_out.push(LeftOut { what, why }),
        }
    }
    draft
}

fn one(operation: &Operation, options: &Options, classes: &ClassTable) -> Result<Route, String> {
    let path = path::template(&operation.path)?;
    let request = body::propose(&operation.request, options, classes).map_err(|why| format!("request: {why}"))?;
    let mut response =
        body::propose(&operation.response, options, classes).map_err(|why| format!("response: {why}"))?;
    let mut resource = path.resource();
    if resource == "resource" && !operation.tag.is_empty() {
        resource = path::name_of(&operation.tag);
    }
    let action = action(operation, &path);
    let variable = path.variables.last().map(|(called, _)| called.clone());
    let subject = variable.filter(|_| !path.variables.is_empty());
    if let (None, Content::Known(_, described)) = (&subject, &operation.response) {
        if matches!(action, Action::List | Action::Export) {
            body::records(&mut response, &described.leaves, &resource);
        } else {
            response.subject = body::subject(&described.leaves, &resource);
        }
    }
    let mut notes = Vec::new();
    if operation.method == "GET" && request.format != "empty" {
        notes.push("a GET with a body: the gateway passes none".to_owned());
    }
    let request = if matches!(operation.method.as_str(), "GET" | "HEAD") {
        Body { format: "empty", ..Body::default() }
    } else {
        request
    };
    Ok(Route {
        name: format!("{resource}.{}", verb(&path, action)),
        target: format!("{} {}", operation.method, path.template),
        subject: subject.map(|name| format!("{{{name}}}")),
        path: variables(operation, &path, options, classes),
        query: query::propose(&operation.query, options, classes),
        resource,
        action,
        request,
        response,
        notes,
    })
}

/// Variables that carry a class: an e-mail address in a path.
fn variables(operation: &Operation, path: &Path, options: &Options, classes: &ClassTable) -> Vec<Classed> {
    path.variables
        .iter()
        .filter_map(|(called, name)| {
            let parameter = operation.variables.iter().find(|parameter| parameter.name == *name)?;
            let leaf: &Leaf = parameter.leaves.first()?;
            // Anything may name a record; what is only text of people does not.
            let concept = judge::judge(leaf).concept.filter(|concept| *concept != super::leaf::Concept::FreeText);
            let field = body::judged(leaf, options, classes).filter(|_| concept.is_some())?;
            Some(Classed {
                name: called.clone(),
                class: field.class?,
                several: None,
                confidence: field.confidence,
                reason: field.reason,
            })
        })
        .collect()
}

fn action(operation: &Operation, path: &Path) -> Action {
    let verb = path.verb().unwrap_or_default().to_ascii_lowercase();
    let id = operation.id.to_ascii_lowercase();
    let reads = |text: &str| {
        ["search", "query", "find", "lookup", "filter", "list", "autocomplete", "suggest", "preview", "count", "read"]
            .contains(&text)
    };
    match operation.method.as_str() {
        "DELETE" => Action::Delete,
        "PUT" | "PATCH" => Action::Update,
        "GET" | "HEAD" if verb == "export" || verb == "bulk" => Action::Export,
        "GET" | "HEAD" => {
            let several = matches!(&operation.response, Content::Known(_, body) if body.leaves.iter().any(|leaf| leaf.path.iter().take(2).any(|seg| *seg == super::leaf::Seg::Each)));
            if path.one || (!several && !path.plural()) { Action::Read } else { Action::List }
        }
        _ if reads(&verb) || (id.contains("search") && !id.contains("save")) => Action::List,
        _ if verb == "export" => Action::Export,
        _ if ["delete", "remove", "archive", "destroy_many", "gdpr-delete"].contains(&verb.as_str()) => Action::Delete,
        _ if path.one
            || (!verb.is_empty()
                && !["create", "create_many", "import", "send", "reply", "clone", "copy", "batch", "bulk"]
                    .contains(&verb.as_str())) =>
        {
            Action::Update
        }
        _ => Action::Create,
    }
}

/// The second part of a route's name.
fn verb(path: &Path, action: Action) -> String {
    match path.verb() {
        Some(verb) => path::name_of(verb),
        None => action.as_str().to_owned(),
    }
}

/// A name that no other route has.
fn unique(name: &str, operation: &Operation, names: &mut BTreeSet<String>) -> String {
    let method = operation.method.to_ascii_lowercase();
    let by_id = path::name_of(&operation.id);
    let own = name.split('.').next().unwrap_or_default();
    let more = [name.to_owned(), format!("{name}_{method}"), format!("{own}.{by_id}")];
    let named = more.into_iter().find(|name| !names.contains(name) && name.len() < 120);
    let free = named.or_else(|| (2..).map(|number| format!("{name}_{number}")).find(|name| !names.contains(name)));
    let free = free.unwrap_or_else(|| name.to_owned());
    names.insert(free.clone());
    free
}
