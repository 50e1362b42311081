//! What Cedar finds wrong with a policy or a schema, as diagnostics with a place.

use cedar_policy::{CedarSchemaError, ParseErrors, ValidationError, ValidationWarning, ffi::DetailedError};

use crate::model::Diagnostic;

/// Every syntax error of a policy file.
pub(super) fn syntax(file: &str, text: &str, errors: &ParseErrors) -> Vec<Diagnostic> {
    let diagnostic = |detailed: DetailedError| {
        let expected = detailed.source_locations.first().and_then(|place| place.label.clone());
        let help = if detailed.message.contains("found set of entity uids") {
            "a list goes into a condition: `when { resource in […] }`".to_owned()
        } else {
            expected.or_else(|| detailed.help.clone()).unwrap_or_else(|| "see docs.cedarpolicy.com/policies".to_owned())
        };
        place(file, text, &detailed, &help)
    };
    errors.iter().map(|error| diagnostic(error.into())).collect()
}

/// Every error of a schema file.
pub(super) fn schema(file: &str, text: &str, error: &CedarSchemaError) -> Vec<Diagnostic> {
    let detailed = DetailedError::from(error);
    let help = "write the fragment in Cedar's schema syntax, such as `entity Role enum [\"agent\"];`";
    let mut found = vec![place(file, text, &detailed, help)];
    found.extend(detailed.related.iter().map(|related| place(file, text, related, help)));
    found
}

/// A policy that does not fit the schema.
pub(super) fn misfit(file: &str, text: &str, error: &ValidationError) -> Diagnostic {
    if let ValidationError::InvalidEnumEntity(unknown) = error {
        return unknown_name(file, text, &unknown.into());
    }
    let help = match error {
        ValidationError::UnrecognizedEntityType(_) => {
            "the types are Principal, Role, Kind, Resource, Class, Purpose and Verb"
        }
        ValidationError::UnrecognizedActionId(_) => {
            "the actions are read, list, create, update, delete, export; reveal, mask, pseudonym"
        }
        ValidationError::UnsafeOptionalAttributeAccess(_) => "ask for it first: `context has purpose && …`",
        ValidationError::UnsafeTagAccess(_) => "ask for it first: `principal.hasTag(\"…\") && …`",
        ValidationError::UnexpectedType(_) | ValidationError::IncompatibleTypes(_) => {
            "kinds, roles, purposes, classes and resources are written `Kind::\"ai\"`, and case is true or false"
        }
        ValidationError::UnsafeAttributeAccess(_) => {
            "principal has id, kind, team; context has purpose, case, training, time, network, on_behalf_of, route, \
             upstream, and for views action and resource"
        }
        _ => "make the policy fit the schema",
    };
    place(file, text, &error.into(), help)
}

/// A role, class, resource, purpose, kind or verb that is not configured; Cedar's message quotes it first.
fn unknown_name(file: &str, text: &str, error: &DetailedError) -> Diagnostic {
    let quoted = error.message.split_once("entity `").and_then(|(_, rest)| rest.split_once('`'));
    let (what, help) = match quoted.and_then(|(uid, _)| uid.split_once("::")) {
        Some((kind, name)) => {
            let kind = kind.to_ascii_lowercase();
            let known = error.help.as_deref().and_then(|help| help.split_once(": ")).map_or("", |(_, known)| known);
            (format!("there is no {kind} {name}"), format!("write one of {known}, or configure the {kind}"))
        }
        None => (plain(&error.message), "write one of the configured names".to_owned()),
    };
    place(file, text, &DetailedError { message: what, ..error.clone() }, &help)
}

/// A policy that fits and yet cannot be meant: it never applies, or it hides characters.
pub(super) fn suspect(file: &str, text: &str, start: usize, warning: &ValidationWarning) -> Diagnostic {
    let help = match warning {
        ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
            "read, list, create, update, delete and export are for resources; reveal, mask and pseudonym for classes"
        }
        _ => "write plain characters",
    };
    let detailed = DetailedError::from(warning);
    let at = detailed.source_locations.first().map_or(start, |label| label.loc.start);
    Diagnostic::at(file, text, at, plain(&detailed.message), help)
}

/// A mistake that comes without a place: the first type it names that stands in the text.
pub(super) fn named(file: &str, text: &str, message: &str, help: &str) -> Diagnostic {
    let ident = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let types =
        message.split(|letter| !ident(letter)).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase()));
    let whole = |(at, word): &(usize, &str)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
        ![before, after].into_iter().flatten().any(ident)
    };
    match types.flat_map(|word| text.match_indices(word)).find(whole) {
        Some((at, _)) => Diagnostic::at(file, text, at, message, help),
        None => Diagnostic::of_file(file, message, help),
    }
}

fn place(file: &str, text: &str, error: &DetailedError, help: &str) -> Diagnostic {
    let what = plain(&error.message);
    match error.source_locations.first() {
        Some(label) => Diagnostic::at(file, text, label.loc.start, what, help),
        None => Diagnostic::of_file(file, what, help),
    }
}

/// Without "for policy `…`, ", which the place says better.
fn plain(message: &str) -> String {
    match message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}
