//! A path of a document or of traffic in, a template that maps take out: variables named, resource and verb told apart.

use super::words::{self, Meaning as M, Words};

/// A path as maps write it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Path {
    /// The template.
    pub(super) template: String,
    /// Its variables in order: as the map calls them, as the document does.
    pub(super) variables: Vec<(String, String)>,
    /// Literal segments.
    pub(super) literals: Vec<String>,
    /// Whether it ends in a variable.
    pub(super) one: bool,
}

/// Turns `path` into a template.
pub(super) fn template(path: &str) -> Result<Path, &'static str> {
    let mut out = Path::default();
    let rest = path.strip_prefix('/').ok_or("its path does not start with `/`")?;
    if rest.contains(['?', '#']) {
        return Err("its path holds a query; the gateway matches paths only");
    }
    let mut segments = Vec::new();
    for segment in rest.split('/').filter(|_| !rest.is_empty()) {
        if segments.len() == 32 {
            return Err("its path has more than 32 segments");
        }
        if let Some(name) = segment
            .strip_prefix('{')
            .and_then(|inner| inner.strip_suffix('}'))
            .filter(|name| !name.contains(['{', '}']))
        {
            let called = unique(variable(name), &out.variables);
            segments.push(format!("{{{called}}}"));
            out.variables.push((called, name.to_owned()));
            out.one = true;
        } else if segment.contains(['{', '}']) {
            return Err("a variable is only a part of a segment");
        } else if matches!(segment, "" | "." | "..") {
            return Err("its path has an empty segment: the gateway refuses such targets");
        } else if segment.len() > 120 || !segment.bytes().all(is_literal_byte) {
            return Err("a segment of its path has characters that templates do not take");
        } else {
            out.literals.push(segment.to_owned());
            segments.push(segment.to_owned());
            out.one = false;
        }
    }
    out.template = format!("/{}", segments.join("/"));
    Ok(out)
}

fn is_literal_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*,=:@".contains(&byte)
}

/// A variable's name as templates take it.
fn variable(name: &str) -> String {
    let words: Vec<String> = Words::of(name)
        .0
        .into_iter()
        .map(|(word, _)| word.chars().filter(char::is_ascii_alphanumeric).collect())
        .collect();
    let joined: String = words.join("_").chars().take(60).collect();
    if joined.is_empty() { "id".to_owned() } else { joined }
}

fn unique(name: String, taken: &[(String, String)]) -> String {
    let free = |name: &str| taken.iter().all(|(known, _)| known != name);
    if free(&name) {
        return name;
    }
    (2..).map(|number| format!("{name}_{number}")).find(|name| free(name)).unwrap_or(name)
}

impl Path {
    /// What is acted on, in the singular: the last literal that is a noun.
    pub(super) fn resource(&self) -> String {
        let noun = self.literals.iter().rev().find(|literal| !is_verb(literal) && !is_version(literal));
        name_of(noun.map_or("", String::as_str))
    }

    /// The verb the path ends with, if any.
    pub(super) fn verb(&self) -> Option<&str> {
        let last = self.literals.last().filter(|last| is_verb(last) && self.template.ends_with(last.as_str()))?;
        Some(last)
    }

    /// Whether the last literal names several.
    pub(super) fn plural(&self) -> bool {
        let last = self.literals.iter().rev().find(|literal| !is_verb(literal) && !is_version(literal));
        last.is_some_and(|last| last.to_ascii_lowercase().ends_with('s'))
    }
}

/// `name` as resources and routes are called: singular, lower case, `_`.
pub(super) fn name_of(name: &str) -> String {
    let mut words: Vec<String> = Words::of(name)
        .0
        .into_iter()
        .map(|(word, _)| word.chars().filter(char::is_ascii_alphanumeric).collect())
        .collect();
    words.retain(|word: &String| !word.is_empty());
    if let Some(last) = words.last_mut() {
        *last = singular(last);
    }
    let joined: String = words.join("_").chars().take(60).collect();
    let joined = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    if joined.is_empty() { "resource".to_owned() } else { joined }
}

fn singular(word: &str) -> String {
    if let Some(stem) = word.strip_suffix("ies").filter(|stem| stem.len() > 1) {
        return format!("{stem}y");
    }
    for (end, keep) in [("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")] {
        if let Some(stem) = word.strip_suffix(end) {
            return format!("{stem}{keep}");
        }
    }
    match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 && !word.ends_with("ss") && !word.ends_with("us") && !word.ends_with("is") => {
            stem.to_owned()
        }
        _ => word.to_owned(),
    }
}

fn is_version(literal: &str) -> bool {
    let digits = literal.trim_start_matches(['v', 'V']);
    matches!(literal.to_ascii_lowercase().as_str(), "api" | "rest" | "services" | "crm" | "odata" | "objects" | "sobjects" | "public")
        // `v3`, `58.0`; a whole number is a record's.
        || ((1..=5).contains(&digits.len())
            && (digits.len() < literal.len() || digits.contains('.'))
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Whether a segment says what is done instead of to what.
pub(super) fn is_verb(literal: &str) -> bool {
    VERBS.contains(&literal.to_ascii_lowercase().as_str())
}

/// Whether a segment of recorded traffic may be shown: a word an API would use, not a value of its users.
pub(super) fn is_public(segment: &str) -> bool {
    let words = Words::of(segment);
    let plain = segment.len() <= 40
        && !segment.bytes().any(|byte| byte.is_ascii_digit() || !is_literal_byte(byte) || byte == b'@');
    if is_verb(segment) || is_version(segment) || (segment.eq_ignore_ascii_case("me")) {
        return true;
    }
    plain
        && !words.0.is_empty()
        && words.0.iter().all(|(word, meaning)| *meaning != M::default() || words::meaning(word).is_some())
}

const VERBS: &[&str] = &[
    "search",
    "query",
    "filter",
    "find",
    "lookup",
    "list",
    "all",
    "batch",
    "bulk",
    "merge",
    "archive",
    "restore",
    "read",
    "create",
    "update",
    "upsert",
    "delete",
    "remove",
    "close",
    "open",
    "reopen",
    "assign",
    "unassign",
    "convert",
    "export",
    "import",
    "count",
    "sync",
    "send",
    "reply",
    "forward",
    "move",
    "copy",
    "clone",
    "activate",
    "deactivate",
    "enable",
    "disable",
    "approve",
    "reject",
    "lock",
    "unlock",
    "subscribe",
    "unsubscribe",
    "verify",
    "validate",
    "preview",
    "autocomplete",
    "suggest",
    "recent",
    "show_many",
    "create_many",
    "update_many",
    "destroy_many",
    "gdpr-delete",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_named_as_maps_take_them() {
        for (path, expected, resource) in [
            ("/crm/v3/objects/contacts/{contactId}", "/crm/v3/objects/contacts/{contact_id}", "contact"),
            ("/a/{id}/b/{id}", "/a/{id}/b/{id_2}", "b"),
            ("/companies/search", "/companies/search", "company"),
            ("/users/{User-ID}/addresses", "/users/{user_id}/addresses", "address"),
            ("/", "/", "resource"),
        ] {
            let path = template(path).unwrap();
            assert_eq!((path.template.as_str(), path.resource().as_str()), (expected, resource));
        }
        for path in ["a", "/a/", "/a//b", "/a/{id}.json", "/a?x={y}", "/a/ü", "/a/{", "/a/..", "/a/{b{c}}"] {
            assert!(template(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_users_typed_is_no_public_segment() {
        for segment in ["contacts", "search", "v3", "billing-address", "me"] {
            assert!(is_public(segment), "{segment}");
        }
        for segment in ["jane", "42", "jane@example.com", "4111111111111111", "a%40b", "mueller", "x1"] {
            assert!(!is_public(segment), "{segment}");
        }
    }
}
