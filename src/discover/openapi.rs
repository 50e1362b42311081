//! An OpenAPI 3.0 or 3.1 document in, its operations out.

use serde_json::{Map, Value};

use super::{
    DiscoverError, MAX_OPERATIONS,
    leaf::{Leaf, Seg},
    operation::{Content, Operation, Parameter, format_of},
    schema::{self, Budget},
};

/// Reads the operations of `document`.
pub(super) fn operations(document: &Value, budget: &mut Budget) -> Result<Vec<Operation>, DiscoverError> {
    let paths = document.get("paths").and_then(Value::as_object).ok_or(DiscoverError::NoPaths)?;
    let prefix = base_path(document);
    let mut reader = Reader { document, budget };
    let mut operations = Vec::new();
    for (path, item) in paths {
        let Some(item) = reader.resolved(item).as_object() else { continue };
        for (method, operation) in item {
            if !METHODS.contains(&method.as_str()) {
                continue;
            }
            if operations.len() == MAX_OPERATIONS {
                return Err(DiscoverError::TooManyOperations);
            }
            if let Some(operation) = operation.as_object() {
                operations.push(reader.operation(&format!("{prefix}{path}"), method, item, operation));
            }
        }
    }
    Ok(operations)
}

/// The schemas of the document by themselves, with all their leaves.
pub(super) fn schemas(document: &Value, budget: &mut Budget) -> Vec<Leaf> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    let mut leaves = Vec::new();
    for name in schemas.into_iter().flat_map(Map::keys) {
        let pointer = name.replace('~', "~0").replace('/', "~1");
        let reference = Value::String(format!("#/components/schemas/{pointer}"));
        let schema = Value::Object(Map::from_iter([("$ref".to_owned(), reference)]));
        leaves.extend(schema::leaves(document, &schema, "", budget).leaves);
    }
    leaves
}

struct Reader<'d, 'b> {
    document: &'d Value,
    budget: &'b mut Budget,
}

impl<'d> Reader<'d, '_> {
    fn operation(
        &mut self,
        path: &str,
        method: &str,
        item: &'d Map<String, Value>,
        operation: &'d Map<String, Value>,
    ) -> Operation {
        let text = |key: &str| operation.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tag = operation.get("tags").and_then(Value::as_array).and_then(|tags| tags.first()).and_then(Value::as_str);
        let mut read = Operation {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            id: text("operationId"),
            tag: tag.unwrap_or_default().to_owned(),
            ..Operation::default()
        };
        let around = last_literal(path);
        for parameters in [operation.get("parameters"), item.get("parameters")] {
            for parameter in parameters.and_then(Value::as_array).into_iter().flatten().take(MAX_PARAMETERS) {
                self.parameter(parameter, &around, &mut read);
            }
        }
        if let Some(body) = operation.get("requestBody") {
            let body = self.resolved(body);
            read.request = self.content(body.get("content"), "request", &around);
        }
        read.response = self.response(operation.get("responses"), &around);
        read
    }

    fn parameter(&mut self, parameter: &'d Value, around: &str, read: &mut Operation) {
        let parameter = self.resolved(parameter);
        let text = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or_default();
        let (name, place) = (text("name"), text("in"));
        let known = |list: &[Parameter]| list.iter().any(|known| known.name == name);
        if name.is_empty() || name.len() > MAX_PARAMETER_BYTES {
            return;
        }
        let nothing = Value::Null;
        let schema = parameter
            .get("schema")
            .or_else(|| parameter.pointer("/content/application~1json/schema"))
            .unwrap_or(&nothing);
        // A scalar is judged as a member of that name.
        let wrapped = Value::Object(Map::from_iter([(
            "properties".to_owned(),
            Value::Object(Map::from_iter([(name.to_owned(), self.described(schema, parameter))])),
        )]));
        let leaves = schema::leaves(self.document, &wrapped, around, self.budget).leaves;
        let object = leaves.iter().any(|leaf| matches!(leaf.path.get(1), Some(Seg::Name(_) | Seg::Any)));
        let several = leaves.iter().any(|leaf| leaf.path.get(1) == Some(&Seg::Each));
        let exploded = parameter.get("explode").and_then(Value::as_bool) != Some(false);
        let several = several.then_some(if exploded { "repeated" } else { "commas" });
        let taken = Parameter { name: name.to_owned(), leaves, object, several };
        match place {
            "query" if !known(&read.query) => read.query.push(taken),
            "path" if !known(&read.variables) => read.variables.push(taken),
            _ => {}
        }
    }

    /// The schema with the parameter's own description and example.
    fn described(&self, schema: &Value, parameter: &Value) -> Value {
        let mut described = schema.as_object().cloned().unwrap_or_default();
        for key in ["description", "example"] {
            if let Some(own) = parameter.get(key).filter(|own| own.is_string()) {
                described.entry(key).or_insert_with(|| own.clone());
            }
        }
        Value::Object(described)
    }

    /// The body of the best success: the first of 200 to 299, then `2XX`, then `default`.
    fn response(&mut self, responses: Option<&'d Value>, around: &str) -> Content {
        let Some(responses) = responses.and_then(Value::as_object) else {
            return Content::Unmapped("the document describes no response".to_owned());
        };
        let success = |code: &str| code.len() == 3 && code.starts_with('2');
        let described: Vec<&Value> =
            responses.iter().filter(|(code, _)| success(code)).map(|(_, response)| self.resolved(response)).collect();
        let with_body = described.iter().find(|response| response.get("content").is_some());
        let fallback = responses.get("default").map(|response| self.resolved(response));
        match with_body.or(described.first()).copied().or(fallback) {
            Some(response) => self.content(response.get("content"), "response", around),
            None => Content::Unmapped("the document describes no successful response".to_owned()),
        }
    }

    fn content(&mut self, content: Option<&'d Value>, what: &str, around: &str) -> Content {
        let Some(media) = content.and_then(Value::as_object).filter(|media| !media.is_empty()) else {
            return Content::Empty;
        };
        let usable =
            |(name, _): &(&String, &Value)| format_of(name).filter(|format| *format != "form" || what == "request");
        let best = media
            .iter()
            .filter_map(|entry| Some((usable(&entry)?, entry.1)))
            .min_by_key(|(format, _)| *format != "json");
        let Some((format, described)) = best else {
            let names: Vec<String> = media.keys().take(3).map(|name| printable(name)).collect();
            return Content::Unmapped(format!("no map reads a {what} of `{}`", names.join("`, `")));
        };
        let Some(schema) =
            described.get("schema").filter(|schema| schema.as_object().is_some_and(|schema| !schema.is_empty()))
        else {
            return Content::Unmapped(format!("the {what} has no schema: discover it from recorded traffic"));
        };
        let body = schema::leaves(self.document, schema, around, self.budget);
        match &body.incomplete {
            Some(why) => Content::Unmapped(format!("the {what} cannot be described: {why}")),
            None => Content::Known(format, body),
        }
    }

    /// `value`, or what it refers to; a few references deep.
    fn resolved(&self, mut value: &'d Value) -> &'d Value {
        for _ in 0..8 {
            match value
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| schema::resolve(self.document, reference))
            {
                Some(target) => value = target,
                None => break,
            }
        }
        value
    }
}

/// The path of the first server, with its variables' defaults, and without a slash at its end.
fn base_path(document: &Value) -> String {
    let Some(server) = document.pointer("/servers/0") else { return String::new() };
    let mut url = server.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (name, variable) in server.get("variables").and_then(Value::as_object).into_iter().flatten().take(20) {
        let default = variable.get("default").and_then(Value::as_str).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), default);
        url.truncate(url.char_indices().nth(2_000).map_or(url.len(), |(at, _)| at));
    }
    let after_host = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => url.as_str(),
    };
    let path = after_host.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// The last segment that is not a variable.
pub(super) fn last_literal(path: &str) -> String {
    path.rsplit('/').find(|segment| !segment.is_empty() && !segment.contains('{')).unwrap_or_default().to_owned()
}

/// A name as a comment may show it.
pub(super) fn printable(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() || c == '`' { '?' } else { c }).collect()
}

const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
/// Parameters of one operation.
const MAX_PARAMETERS: usize = 200;
/// A parameter's name.
const MAX_PARAMETER_BYTES: usize = 120;
