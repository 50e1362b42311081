//! The vocabulary policies are written in: a Cedar schema made from classes, resources and purposes.

use std::fmt::Write;

use cedar_policy::{Schema, SchemaFragment};

use crate::model::{Action, ClassTable, Diagnostic, Kind, View};

use super::mistake;

/// The views that policies give; `redact` is what is left.
pub(super) const GIVEN: [View; 3] = [View::Reveal, View::Mask, View::Pseudonym];

/// The schema with its vocabulary, and the roles when the own fragment lists them.
pub(super) struct Vocabulary {
    pub(super) schema: Schema,
    pub(super) roles: Option<Vec<String>>,
}

/// An own fragment: the names it adds, and the rest of it.
#[derive(Default)]
struct Own {
    roles: Option<Vec<String>>,
    resources: Vec<String>,
    rest: Option<SchemaFragment>,
}

/// The schema for these names, with the fragment `own` (file name and text) added.
///
/// # Errors
/// Every mistake of the own fragment, with its place.
pub(super) fn vocabulary(
    classes: &ClassTable,
    resources: &[&str],
    purposes: &[String],
    own: Option<&(String, String)>,
) -> Result<Vocabulary, Vec<Diagnostic>> {
    let mut blame = "built-in schema";
    let mut added = Own::default();
    if let Some((file, text)) = own {
        (blame, added) = (file, read_own(file, text)?);
    }
    let resources: Vec<&str> = resources.iter().copied().chain(added.resources.iter().map(String::as_str)).collect();
    let text = built_in(classes, &resources, purposes, added.roles.as_deref());
    let fragments = [fragment("built-in schema", &text)?].into_iter().chain(added.rest);
    let schema = Schema::from_schema_fragments(fragments).map_err(|error| {
        let help = "declare only `Role`, `Resource` and types of your own; the other types are built in";
        let text = own.map_or("", |(_, text)| text);
        vec![mistake::named(blame, text, &error.to_string(), help)]
    })?;
    Ok(Vocabulary { schema, roles: added.roles })
}

fn fragment(file: &str, text: &str) -> Result<SchemaFragment, Vec<Diagnostic>> {
    match SchemaFragment::from_cedarschema_str(text) {
        Ok((fragment, _)) => Ok(fragment),
        Err(error) => Err(mistake::schema(file, text, &error)),
    }
}

fn read_own(file: &str, text: &str) -> Result<Own, Vec<Diagnostic>> {
    let wrong = |what: String| {
        let help = "write `entity Role enum [\"…\"];` or `entity Resource enum [\"…\"];`";
        vec![mistake::named(file, text, &what, help)]
    };
    let mut json = fragment(file, text)?.to_json_value().map_err(|error| wrong(error.to_string()))?;
    let types = json.pointer_mut("/").and_then(|namespace| namespace.get_mut("entityTypes"));
    let Some(types) = types.and_then(|types| types.as_object_mut()) else {
        return Ok(Own { rest: Some(fragment(file, text)?), ..Own::default() });
    };
    let mut names = |kind: &str| -> Result<Option<Vec<String>>, Vec<Diagnostic>> {
        let Some(declared) = types.remove(kind) else { return Ok(None) };
        let names = declared.get("enum").and_then(|names| names.as_array());
        let Some(names) = names else { return Err(wrong(format!("`{kind}` is not a list of names"))) };
        let mut names: Vec<String> = names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        names.sort_unstable();
        names.dedup();
        Ok(Some(names))
    };
    let (roles, resources) = (names("Role")?, names("Resource")?.unwrap_or_default());
    let rest = SchemaFragment::from_json_value(json).map_err(|error| wrong(error.to_string()))?;
    Ok(Own { roles, resources, rest: Some(rest) })
}

/// The built-in schema as text.
fn built_in(classes: &ClassTable, resources: &[&str], purposes: &[String], roles: Option<&[String]>) -> String {
    let mut text = String::new();
    match roles {
        Some(roles) => enumeration(&mut text, "Role", roles.iter().map(String::as_str)),
        None => text.push_str("entity Role;\n"),
    }
    let kinds = [Kind::Human, Kind::Service, Kind::Ai].map(Kind::as_str);
    let verbs = Action::ALL.map(Action::as_str);
    enumeration(&mut text, "Kind", kinds);
    enumeration(&mut text, "Verb", verbs);
    enumeration(&mut text, "Resource", resources.iter().copied());
    enumeration(&mut text, "Class", classes.iter().map(|(_, class)| &*class.name));
    enumeration(&mut text, "Purpose", purposes.iter().map(String::as_str));
    let asked = "purpose?: Purpose, case: Bool, training: Set<String>, time: Time, network: ipaddr, \
                 on_behalf_of?: Principal, route: String, upstream: String";
    let _ = write!(
        text,
        "entity Principal in [Role] {{ id: String, kind: Kind, team?: String }} tags String;\n\
         type Time = {{ hour: Long, minute: Long, weekday: Long }};\n\
         action {} appliesTo {{ principal: Principal, resource: Resource, context: {{ {asked} }} }};\n\
         action {} appliesTo {{ principal: Principal, resource: Class, context: {{ {asked}, action: Verb, \
         resource: Resource }} }};\n",
        verbs.join(", "),
        GIVEN.map(View::as_str).join(", "),
    );
    text
}

/// Cedar has no empty enumeration: one that would be empty gets a name that no policy can mean.
fn enumeration<'a>(text: &mut String, name: &str, values: impl IntoIterator<Item = &'a str>) {
    let mut values: Vec<String> = values.into_iter().map(|value| format!("{value:?}")).collect();
    values.sort_unstable();
    values.dedup();
    if values.is_empty() {
        values.push("\"(none is configured)\"".to_owned());
    }
    let _ = writeln!(text, "entity {name} enum [{}];", values.join(", "));
}
