//! Policy files in, one checked set of rules out, or every mistake in them.

use std::{collections::BTreeMap, sync::Arc};

use cedar_policy::{Policy as CedarPolicy, PolicyId, PolicySet, Schema, ValidationMode, Validator};

use crate::model::{Diagnostic, Position};

use super::mistake;

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: usize,
}

/// The policies, by id.
pub(super) struct Rules {
    pub(super) policies: Vec<CedarPolicy>,
    pub(super) places: BTreeMap<Arc<str>, Place>,
    /// Roles that a policy names, sorted.
    pub(super) roles: Vec<String>,
}

/// One policy before the ids of all are known to be fit.
struct Written<'a> {
    policy: CedarPolicy,
    file: &'a str,
    text: &'a str,
    start: usize,
}

/// Reads `files` (name and text); with a schema, checks them strictly against it.
///
/// # Errors
/// Every mistake of every file, in order of files and places.
pub(super) fn rules(files: &[(String, String)], schema: Option<&Schema>) -> Result<Rules, Vec<Diagnostic>> {
    let mut mistakes = Vec::new();
    let mut written = Vec::new();
    for (file, text) in files {
        match text.parse::<PolicySet>() {
            Ok(set) => collect(file, text, &set, &mut written, &mut mistakes),
            Err(errors) => {
                let before = mistakes.len();
                piecewise(file, text, &mut written, &mut mistakes);
                // Each statement reads well and the file does not: what is between them is wrong.
                if mistakes.len() == before {
                    mistakes.extend(mistake::syntax(file, text, &errors));
                }
            }
        }
    }
    let rules = name(&written, &mut mistakes);
    if let Some(schema) = schema {
        check(&written, schema, &mut mistakes);
    }
    if files.is_empty() {
        let help = "add a policy; without one nobody may do anything";
        mistakes.push(Diagnostic::of_file("policies", "there is no policy file", help));
    }
    if mistakes.is_empty() {
        return Ok(rules);
    }
    mistakes.sort_by(|a, b| (&a.file, a.position).cmp(&(&b.file, b.position)));
    mistakes.dedup();
    Err(mistakes)
}

/// Reads the statements of a file one by one, so that a syntax error in one does not hide the mistakes of the others.
fn piecewise<'a>(file: &'a str, text: &'a str, written: &mut Vec<Written<'a>>, mistakes: &mut Vec<Diagnostic>) {
    for (start, end) in statements(text) {
        let Some(statement) = text.get(start..end) else { continue };
        // Blanks in place of what is before keep the offsets those of the file.
        match format!("{:start$}{statement}", "").parse::<PolicySet>() {
            Ok(set) => collect(file, text, &set, written, mistakes),
            Err(errors) => mistakes.extend(mistake::syntax(file, text, &errors)),
        }
    }
}

/// The ranges of the statements of a policy text: each to its `;` outside strings and comments.
fn statements(text: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let (mut start, mut in_string, mut in_comment, mut escaped) = (0, false, false, false);
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\n' => in_comment = false,
            _ if in_comment => {}
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'/' if !in_string && before == b'/' => in_comment = true,
            b';' if !in_string => {
                ranges.push((start, at + 1));
                start = at + 1;
            }
            _ => {}
        }
        before = byte;
    }
    ranges.push((start, text.len()));
    ranges
}

fn collect<'a>(
    file: &'a str,
    text: &'a str,
    set: &PolicySet,
    written: &mut Vec<Written<'a>>,
    mistakes: &mut Vec<Diagnostic>,
) {
    for template in set.templates() {
        let start = template.as_ref().loc().map_or(0, |loc| loc.start());
        let what = "a template (`?principal`, `?resource`) is not a policy";
        mistakes.push(Diagnostic::at(file, text, start, what, "name the role or class itself"));
    }
    let first = written.len();
    for policy in set.policies() {
        let start = policy.as_ref().loc().map_or(0, |loc| loc.start());
        written.push(Written { policy: policy.clone(), file, text, start });
    }
    if let Some(new) = written.get_mut(first..) {
        new.sort_by_key(|policy| policy.start);
    }
}

/// Gives every policy the id of its annotation: records name policies by it, so that it has to last.
fn name(written: &[Written<'_>], mistakes: &mut Vec<Diagnostic>) -> Rules {
    let mut rules = Rules { policies: Vec::new(), places: BTreeMap::new(), roles: Vec::new() };
    for Written { policy, file, text, start } in written {
        let mut mistake = |what: String, help: &str| mistakes.push(Diagnostic::at(*file, text, *start, what, help));
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) else {
            mistake("the policy has no id".to_owned(), "write `@id(\"…\")` above it; records and `explain` name it");
            continue;
        };
        if !fit(id) {
            let what = "a policy id has 1 to 64 ASCII letters, digits, `-`, `_` and `.`".to_owned();
            mistake(what, "write an id such as `agent-reads-customers`");
            continue;
        }
        if let Some(Place { file, line }) = rules.places.get(id) {
            mistake(format!("policy id `{id}` is used twice; first at {file}:{line}"), "give it an id of its own");
            continue;
        }
        let line = Position::of_offset(text, *start).line;
        rules.places.insert(id.into(), Place { file: (*file).into(), line });
        rules.policies.push(policy.new_id(PolicyId::new(id)));
        let roles = policy.entity_literals().into_iter().filter(|uid| uid.type_name().to_string() == "Role");
        rules.roles.extend(roles.map(|uid| uid.id().unescaped().to_owned()));
    }
    rules.roles.sort_unstable();
    rules.roles.dedup();
    rules
}

fn fit(id: &str) -> bool {
    let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    letters && (1..=64).contains(&id.len())
}

fn check(written: &[Written<'_>], schema: &Schema, mistakes: &mut Vec<Diagnostic>) {
    let mut set = PolicySet::new();
    for (index, Written { policy, file, .. }) in written.iter().enumerate() {
        if let Err(error) = set.add(policy.new_id(PolicyId::new(index.to_string()))) {
            mistakes.push(Diagnostic::of_file(*file, error.to_string(), "write the policy in another way"));
        }
    }
    let result = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
    let of = |id: &PolicyId| AsRef::<str>::as_ref(id).parse().ok().and_then(|index: usize| written.get(index));
    let before = mistakes.len();
    for error in result.validation_errors() {
        if let Some(Written { file, text, .. }) = of(error.policy_id()) {
            mistakes.push(mistake::misfit(file, text, error));
        }
    }
    let suspects = result.validation_warnings().filter_map(|warning| {
        let Written { file, text, start, .. } = of(warning.policy_id())?;
        Some(mistake::suspect(file, text, *start, warning))
    });
    mistakes.extend(suspects);
    if !result.validation_passed() && mistakes.len() == before {
        mistakes.push(Diagnostic::of_file("policies", result.to_string(), "make the policies fit the schema"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::shipped::load;

    #[test]
    fn tmp() {
        let a = r#"@id("a") permit (principal in Role::"agnet", action == Action::"read", resource == Resource::"costumer");
@id("b") permit (principal, action == Action::"reveal", resource in [Class::"email", Class::"emial"]);
@id("c") permit (principal, action == Action::"raed", resource);
@id("d") permit (principal, action, resource) when { context.purpose == Purpose::"fraud_investigation" };
@id("e") permit (principal, action, resource) when { context has purpose && context.purpose == Purpose::"fruad" };
@id("f") permit (principal, action == Action::"reveal", resource == Resource::"customer");
permit (principal, action, resource);
@id("a") permit (principal, action, resource);
@id("g h") permit (principal, action, resource);
@id("i") permit (principal == ?principal, action, resource);
@id("j") permit (principal, action, resource) when { context.tme.hour > 3 };
@id("k") permit (principal, action, resource) when { context.case == "yes" };
@id("l") permit (principal in Roel::"agent", action, resource);
@id("m") permit (principal, action == Action::"reveal", resource) when { [Class::"email", Class::"fone"].contains(resource) };
@id("n") permit (principal, action, resource) when { principal.kind == "ai" };
@id("o") permit (principal, action in [Action::"read", Action::"mask"], resource) when { resource in [Class::"email"] };
@id("p") permit (principal, action, resource) when { principal.getTag("x") == "ai" };
@id("q") permit (principal, action, resource) when { context.network.isInRange(ip("10.0.0.0/99")) };
"#;
        let b = "// a ; \"\n@id(\"w\") permit (principal in Role::\"x;y\", action, resource);@id(\"x\")\npermit (principal, action, resource)\n@id(\"y\") permit (principal, actoin, resource);\n";
        let schema = "entity Role enum [\"agent\"];\n";
        for d in load(&[("a.cedar", a), ("b.cedar", b)], Some(schema)).unwrap_err() {
            println!("{d}\n");
        }
        println!("=====");
        for s in [
            "entity Role enum [\"agent\"]\nentity X",
            "entity Principal;",
            "entity Role;",
            "entity Foo in [Bar];",
            "type X = { a: Lng };\nentity Role enum [\"a\"];",
            "namespace N { entity A; }",
        ] {
            match load(&[("a.cedar", "@id(\"a\") permit (principal, action, resource) when {")], Some(s)) {
                Err(e) => {
                    for d in e {
                        println!("{d}\n");
                    }
                }
                Ok(_) => println!("{s}: ok"),
            }
            match load(&[("a.cedar", "@id(\"a\") permit (principal, action, resource);")], Some(s)) {
                Err(e) => {
                    for d in e {
                        println!("{d}\n");
                    }
                }
                Ok(_) => println!("{s}: ok"),
            }
        }
        panic!();
    }
}
