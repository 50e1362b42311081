//! A document in; its roots, their arguments, and what each name of the answer stands for, out: aliases undone, fragments written out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    Calls, GraphQlError, MAX_ALIASES, MAX_DEPTH, MAX_FIELDS, Request, Resolved, Root,
    parse::{Document, Input, Item, Operation, document},
};
use crate::{
    crm::Call,
    model::{Selected, Selection},
};

/// What `request` asks for, with the calls of its route.
///
/// # Errors
/// When the document is not understood, too large, or asks for what the map does not name.
pub fn resolve(request: &Request<'_>, calls: &[Call]) -> Result<Resolved, GraphQlError> {
    let document = document(request.query)?;
    let operation = operation(&document, request.operation)?;
    let kind = operation.kind.ok_or(GraphQlError::Subscription)?;
    let mut resolver = Resolver {
        document: &document,
        variables: variables(operation, request.variables),
        spreading: Vec::new(),
        fields: 0,
        aliases: 0,
    };
    let mut top = Tree::default();
    resolver.collect(&operation.items, &mut top, 0)?;
    let calls = Calls { calls, kind };
    let mut roots = Vec::new();
    find_roots(&top, &calls, "", &mut Vec::new(), &mut roots)?;
    Ok(Resolved { roots, selection: selection(top) })
}

fn operation<'d>(document: &'d Document, name: Option<&str>) -> Result<&'d Operation, GraphQlError> {
    let found = match name.filter(|name| !name.is_empty()) {
        None if document.operations.len() == 1 => document.operations.first(),
        None => None,
        Some(name) => {
            let mut named = document.operations.iter().filter(|operation| operation.name.as_deref() == Some(name));
            named.next().filter(|_| named.next().is_none())
        }
    };
    found.ok_or(GraphQlError::Operation)
}

fn variables(operation: &Operation, given: &Map<String, Value>) -> Map<String, Value> {
    let mut all = given.clone();
    for (name, default) in &operation.defaults {
        if let (false, Some(default)) = (all.contains_key(&**name), default) {
            all.insert(name.to_string(), value(default, given));
        }
    }
    all
}

/// Selected fields by response key.
#[derive(Debug, Default)]
struct Tree(BTreeMap<String, Field>);

#[derive(Debug, Default)]
struct Field {
    /// Where it stands among its siblings.
    order: usize,
    name: String,
    /// Once for each time that it is selected.
    arguments: Vec<Map<String, Value>>,
    inner: Tree,
}

struct Resolver<'d> {
    document: &'d Document,
    variables: Map<String, Value>,
    /// The fragments being written out.
    spreading: Vec<&'d str>,
    fields: usize,
    aliases: usize,
}

impl<'d> Resolver<'d> {
    fn collect(&mut self, items: &'d [Item], into: &mut Tree, depth: usize) -> Result<(), GraphQlError> {
        if depth >= MAX_DEPTH && !items.is_empty() {
            return Err(GraphQlError::Limit { what: "levels", limit: MAX_DEPTH });
        }
        for item in items {
            // Fragments inside of fragments can stand for very many fields.
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(GraphQlError::Limit { what: "fields", limit: MAX_FIELDS });
            }
            match item {
                Item::Field { alias, name, arguments, items } => {
                    self.aliases += usize::from(alias.is_some());
                    if self.aliases > MAX_ALIASES {
                        return Err(GraphQlError::Limit { what: "aliases", limit: MAX_ALIASES });
                    }
                    let key = alias.as_ref().unwrap_or(name);
                    let order = into.0.len();
                    let field = into.0.entry(key.to_string()).or_default();
                    if field.name.is_empty() {
                        (field.name, field.order) = (name.to_string(), order);
                    } else if field.name != **name {
                        return Err(GraphQlError::Ambiguous { key: key.to_string() });
                    }
                    let given = arguments.iter().map(|(name, input)| (name.to_string(), value(input, &self.variables)));
                    field.arguments.push(given.collect());
                    self.collect(items, &mut field.inner, depth + 1)?;
                }
                Item::Inline(items) => self.collect(items, into, depth)?,
                Item::Spread(name) => {
                    let fragment = self.document.fragments.iter().find(|(known, _)| known == name);
                    let (name, items) = fragment.ok_or(GraphQlError::Fragment)?;
                    if self.spreading.contains(&&**name) {
                        return Err(GraphQlError::Fragment);
                    }
                    self.spreading.push(name);
                    self.collect(items, into, depth)?;
                    self.spreading.pop();
                }
            }
        }
        Ok(())
    }
}

/// The JSON of `input`; a variable that is not given is `null`.
fn value(input: &Input, variables: &Map<String, Value>) -> Value {
    match input {
        Input::Variable(name) => variables.get(&**name).cloned().unwrap_or_default(),
        // A number that JSON reads differently is still the same characters.
        Input::Number(number) => serde_json::from_str(number).unwrap_or_else(|_| Value::from(number.as_str())),
        Input::Text(text) => Value::from(text.as_str()),
        Input::Bool(value) => Value::from(*value),
        Input::Null => Value::Null,
        Input::Enum(name) => Value::from(&**name),
        Input::List(items) => items.iter().map(|item| value(item, variables)).collect(),
        Input::Object(members) => {
            members.iter().map(|(name, member)| (name.to_string(), value(member, variables))).collect()
        }
    }
}

fn find_roots(
    tree: &Tree,
    calls: &Calls<'_>,
    prefix: &str,
    keys: &mut Vec<String>,
    roots: &mut Vec<Root>,
) -> Result<(), GraphQlError> {
    let mut fields: Vec<(&String, &Field)> = tree.0.iter().collect();
    fields.sort_by_key(|(_, field)| field.order);
    for (key, field) in fields {
        if field.name == TYPE_NAME {
            continue;
        }
        let name = if prefix.is_empty() { field.name.clone() } else { format!("{prefix}.{}", field.name) };
        keys.push(key.clone());
        if let Some(call) = calls.find(&name) {
            roots.push(Root { call, keys: keys.clone(), arguments: arguments(field) });
        } else if !calls.leads_to(&name) || field.inner.0.is_empty() {
            return Err(GraphQlError::Unmapped { name });
        } else if field.arguments.iter().any(|arguments| !arguments.is_empty()) {
            return Err(GraphQlError::Container { name });
        } else {
            find_roots(&field.inner, calls, &name, keys, roots)?;
        }
        keys.pop();
    }
    Ok(())
}

/// The arguments of a root and of what is below it.
fn arguments(root: &Field) -> Vec<Value> {
    let mut all: Vec<Value> = root.arguments.iter().cloned().map(Value::Object).collect();
    below(&root.inner, "", &mut all);
    all
}

fn below(tree: &Tree, prefix: &str, all: &mut Vec<Value>) {
    for field in tree.0.values() {
        let name = if prefix.is_empty() { field.name.clone() } else { format!("{prefix}.{}", field.name) };
        for arguments in field.arguments.iter().filter(|arguments| !arguments.is_empty()) {
            // No argument's name has a dot, so these cannot be taken for arguments of the root.
            all.push(Value::Object(Map::from_iter([(format!(".{name}"), Value::Object(arguments.clone()))])));
        }
        below(&field.inner, &name, all);
    }
}

fn selection(tree: Tree) -> Selection {
    let selected = |(key, field): (String, Field)| {
        let inner = selection(field.inner);
        (key, Selected { field: field.name, inner })
    };
    Selection { keys: tree.0.into_iter().map(selected).collect() }
}

/// The name of a type says nothing of anybody.
pub(super) const TYPE_NAME: &str = "__typename";
