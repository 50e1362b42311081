//! Policy files in, one checked set of rules out, or every mistake in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
    // Cedar reports a mistake once for each action it matters to.
    mistakes.sort_by(|a, b| (&a.file, a.position, &a.what).cmp(&(&b.file, b.position, &b.what)));
    mistakes.dedup_by(|a, b| a.file == b.file && a.position.is_some() && a.position == b.position);
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
    let mut wrong = BTreeSet::new();
    for error in result.validation_errors() {
        wrong.insert(error.policy_id());
        if let Some(Written { file, text, .. }) = of(error.policy_id()) {
            mistakes.push(mistake::misfit(file, text, error));
        }
    }
    // What is wrong with a policy is also why it never applies.
    let alone = result.validation_warnings().filter(|warning| !wrong.contains(warning.policy_id()));
    let suspects = alone.filter_map(|warning| {
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
    use super::statements;

    /// `file:line:column: what` of every mistake.
    fn mistakes(files: &[(&str, &str)], schema: Option<&str>) -> Vec<String> {
        let mistakes = load(files, schema).unwrap_err();
        let first_line = |mistake: &crate::model::Diagnostic| mistake.to_string().lines().next().unwrap().to_owned();
        mistakes.iter().map(first_line).collect()
    }

    const GOOD: (&str, &str) = ("good.cedar", "@id(\"good\") permit (principal, action, resource);");

    #[test]
    fn every_mistake_of_every_file_is_reported_with_its_place() {
        let a = r#"// One policy a line, and a mistake in each.
@id("a") permit (principal in Role::"agnet", action == Action::"read", resource == Resource::"costumer");
@id("b") permit (principal, action == Action::"reveal", resource in [Class::"email"]);
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
@id("m") permit (principal, action == Action::"mask", resource) when { [Class::"fone"].contains(resource) };
@id("n") permit (principal, action, resource) when { principal.kind == "ai" };
@id("o") permit (principal, action, resource) when { principal.getTag("x") == "ai" };
@id("p") permit (principal, action, resource) when { context.network.isInRange(ip("10.0.0.0/99")) };
"#;
        let b = "// ö; \"\n@id(\"x\") permit (principal in Role::\"x;y\", action, resource);\n@id(\"y\")\n\
                 permit (principal, action, resource)\n@id(\"z\") permit (principal, action, resource);\n";
        let found = mistakes(&[("b.cedar", b), GOOD, ("a.cedar", a)], Some("entity Role enum [\"agent\"];"));
        let unsafe_purpose = "unable to guarantee safety of access to optional attribute `purpose` in context for";
        let expected = [
            "a.cedar:2:31: there is no role \"agnet\"",
            "a.cedar:2:84: there is no resource \"costumer\"",
            "a.cedar:3:69: expected single entity uid or template slot, found set of entity uids",
            "a.cedar:4:39: unrecognized action `Action::\"raed\"`",
            &format!("a.cedar:5:54: {unsafe_purpose} Action::\"create\""),
            "a.cedar:6:96: there is no purpose \"fruad\"",
            "a.cedar:7:1: policy is impossible: the policy expression evaluates to false for all valid requests",
            "a.cedar:8:1: the policy has no id",
            "a.cedar:9:1: policy id `a` is used twice; first at a.cedar:2",
            "a.cedar:10:1: a policy id has 1 to 64 ASCII letters, digits, `-`, `_` and `.`",
            "a.cedar:11:1: a template (`?principal`, `?resource`) is not a policy",
            "a.cedar:12:54: attribute `tme` in context for Action::\"create\" not found",
            "a.cedar:13:54: the types Bool and String are not compatible",
            "a.cedar:14:31: unrecognized entity type `Roel`",
            "a.cedar:15:73: there is no class \"fone\"",
            "a.cedar:16:54: the types String and Kind are not compatible",
            "a.cedar:17:54: unable to guarantee safety of access to tag `\"x\"` on entity type `Principal`",
            "a.cedar:18:80: error during extension function argument validation: failed to parse as IP address: \
             `\"10.0.0.0/99\"`",
            "b.cedar:2:31: there is no role \"x;y\"",
            "b.cedar:5:1: unexpected token `@`",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let text = "@id(\"a\") permit (principal in Role::\"agnet\", action, resource);";
        let shown =
            load(&[("a.cedar", text)], Some("entity Role enum [\"agent\", \"boss\"];")).unwrap_err()[0].to_string();
        let help = "\n  help: write one of \"agent\", \"boss\", or configure the role";
        assert_eq!(shown, format!("a.cedar:1:31: there is no role \"agnet\"\n    {text}{help}"));
    }

    #[test]
    fn a_broken_schema_is_placed_and_hides_no_syntax_error() {
        let broken = ("a.cedar", "@id(\"a\") permit (principal, action, resource) when {");
        for (schema, expected) in [
            (
                "entity Role enum [\"a\"]\nentity X;",
                "own.cedarschema:2:1: error parsing schema: unexpected token `entity`",
            ),
            ("entity Principal;", "own.cedarschema:1:8: duplicate entity type `Principal`"),
            ("type A = {};\nentity Role;", "own.cedarschema:2:8: `Role` is not a list of names"),
            ("entity FooBar, Foo in [Bar];", "own.cedarschema:1:24: failed to resolve types: Bar, Bar"),
        ] {
            let found = mistakes(&[GOOD, broken], Some(schema));
            assert_eq!(found, [expected, "a.cedar:1:53: unexpected end of input"], "{schema}");
        }
    }

    #[test]
    fn roles_are_those_of_the_schema_or_else_those_that_policies_name() {
        let two = "@id(\"a\") permit (principal in Role::\"b\", action, resource) unless { principal in Role::\"a\" };";
        assert_eq!(load(&[("a.cedar", two)], None).unwrap().known_roles(), ["a", "b"]);
        let schema = "entity Role enum [\"c\", \"b\", \"a\"];";
        assert_eq!(load(&[("a.cedar", two)], Some(schema)).unwrap().known_roles(), ["a", "b", "c"]);
    }

    #[test]
    fn a_resource_of_the_schema_may_be_named_though_no_map_has_it() {
        let text = "@id(\"a\") permit (principal, action == Action::\"read\", resource == Resource::\"invoice\");";
        assert_eq!(mistakes(&[("a.cedar", text)], None), ["a.cedar:1:67: there is no resource \"invoice\""]);
        assert!(load(&[("a.cedar", text)], Some("entity Resource enum [\"invoice\"];")).is_ok());
    }

    #[test]
    fn no_file_at_all_is_a_mistake() {
        assert_eq!(mistakes(&[], None), ["policies: there is no policy file"]);
    }

    #[test]
    fn statements_end_outside_strings_and_comments() {
        let text = "a \"x;\\\";\" b; // c; \"\nd;";
        let cut: Vec<_> = statements(text).into_iter().map(|(start, end)| &text[start..end]).collect();
        assert_eq!(cut, ["a \"x;\\\";\" b;", " // c; \"\nd;", ""]);
    }
}
