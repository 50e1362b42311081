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

/// An own fragment that was read: its text is kept in the fingerprint.
struct Own {
    fragment: SchemaFragment,
    declares_role: bool,
    roles: Option<Vec<String>>,
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
    let own = own.map(|(file, text)| read_own(file, text).map(|own| (file, own))).transpose()?;
    let declares_role = own.as_ref().is_some_and(|(_, own)| own.declares_role);
    let text = built_in(classes, resources, purposes, declares_role);
    let mut fragments = vec![fragment("built-in schema", &text)?];
    let mut roles = None;
    let mut blame = "built-in schema";
    if let Some((file, own)) = own {
        fragments.push(own.fragment);
        (roles, blame) = (own.roles, file);
    }
    let schema = Schema::from_schema_fragments(fragments).map_err(|error| {
        let help = "declare only `Role` and types of your own; the other types are built in";
        vec![Diagnostic::of_file(blame, error.to_string(), help)]
    })?;
    Ok(Vocabulary { schema, roles })
}

fn fragment(file: &str, text: &str) -> Result<SchemaFragment, Vec<Diagnostic>> {
    match SchemaFragment::from_cedarschema_str(text) {
        Ok((fragment, _)) => Ok(fragment),
        Err(error) => Err(mistake::schema(file, text, &error)),
    }
}

fn read_own(file: &str, text: &str) -> Result<Own, Vec<Diagnostic>> {
    let fragment = fragment(file, text)?;
    let json = fragment.clone().to_json_value().map_err(|error| {
        vec![Diagnostic::of_file(file, error.to_string(), "write the fragment in Cedar's schema syntax")]
    })?;
    let role = json.get("").and_then(|namespace| namespace.get("entityTypes")).and_then(|types| types.get("Role"));
    let roles = role.and_then(|role| role.get("enum")).and_then(|names| names.as_array()).map(|names| {
        let mut names: Vec<String> = names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        names.sort_unstable();
        names
    });
    Ok(Own { fragment, declares_role: role.is_some(), roles })
}

/// The built-in schema as text, as `docs` and messages quote it.
pub(super) fn built_in(classes: &ClassTable, resources: &[&str], purposes: &[String], without_role: bool) -> String {
    let mut text = String::new();
    if !without_role {
        text.push_str("entity Role;\n");
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
