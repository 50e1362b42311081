//! Zendesk's search syntax: words, `"phrases"`, `field:value`, `-field:"v w"`, `created>2024-01-01`, `order_by:… sort:…`.
//!
//! Terms on one field are alternatives, different fields and free words have to hold together, so several forms of a field's value
//! are several terms and several forms of a free term cannot be written. `field:none` finds null, a negated term also matches it,
//! and so does each of several negated terms.

#[cfg(test)]
mod tests;

use super::{
    SearchError,
    cursor::{Kind, Token},
    fields::Finds,
    free::{FREE, INSTEAD, Looks},
    predicate::{Condition, Found, Item, Predicate, Test, is_stored_prefix},
};

/// Terms per query.
pub const MAX_TERMS: usize = 256;

/// Parses a whole search.
pub(super) fn parse(text: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    let (mut at, mut terms) = (0, 0);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(|c| !is_blank(c))).map(|skip| at + skip) {
        if terms == MAX_TERMS {
            return Err(SearchError::TooLarge { what: "search terms", limit: MAX_TERMS });
        }
        terms += 1;
        let term = Term::read(text, start)?;
        at = term.value.end;
        check(text, &term, found)?;
    }
    Ok(())
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// One term and where its parts stand.
struct Term {
    start: usize,
    negated: bool,
    field: Token,
    /// `:`, `>`, `<=` …; empty for a free term.
    operator: Token,
    value: Token,
}

impl Term {
    /// Reads the term that starts at byte `start`.
    fn read(text: &str, start: usize) -> Result<Self, SearchError> {
        let negated = text.get(start..).is_some_and(|rest| rest.starts_with('-'));
        let from = start + usize::from(negated);
        let rest = text.get(from..).unwrap_or_default();
        let name = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        let operator =
            rest.get(name..).map_or(0, |rest| rest.len() - rest.trim_start_matches([':', '>', '<', '=']).len());
        // What is no name in front of an operator is a free term: `~x:y` must not hide the field that follows.
        let named = name > 0 && operator > 0;
        let (name, operator) = if named { (name, operator) } else { (0, 0) };
        let value = from + name + operator;
        let length = value_length(text, value)?;
        let kind = if text.get(value..).is_some_and(|rest| rest.starts_with('"')) { Kind::Text } else { Kind::Word };
        let known = [":", ">", "<", ">=", "<=", ":>", ":<", ":>=", ":<="];
        let token = |kind, start: usize, length: usize| Token { kind, start, end: start + length };
        let term = Self {
            start,
            negated,
            field: token(Kind::Word, from, name),
            operator: token(Kind::Symbol, from + name, operator),
            value: token(kind, value, length),
        };
        if named && !text.get(term.operator.span()).is_some_and(|operator| known.contains(&operator)) {
            return Err(SearchError::Syntax { at: term.operator.start, what: "an operator is expected" });
        }
        Ok(term)
    }
}

/// The bytes of the value at `start`: a quoted text up to its end, or everything up to a blank.
fn value_length(text: &str, start: usize) -> Result<usize, SearchError> {
    let rest = text.get(start..).unwrap_or_default();
    let error = |at: usize, what| Err(SearchError::Syntax { at: start + at, what });
    if let Some(inner) = rest.strip_prefix('"') {
        let Some(end) = inner.find('"') else { return error(0, "this quoted text does not end") };
        let length = end + 2;
        if inner.chars().take_while(|c| *c != '"').any(char::is_control) {
            return error(1, "a control character in a text");
        }
        if rest.get(length..).is_some_and(|tail| !tail.is_empty() && !tail.starts_with(is_blank)) {
            return error(length, "a blank is expected");
        }
        return Ok(length);
    }
    let length = rest.find(is_blank).unwrap_or(rest.len());
    let bare = rest.get(..length).unwrap_or_default();
    match bare.find(|c: char| c == '"' || c.is_control() || c.is_whitespace()) {
        _ if bare.is_empty() => error(0, "a value is expected"),
        Some(at) => error(at, "this character cannot stand in a bare word"),
        None => Ok(length),
    }
}

fn check(text: &str, term: &Term, found: &mut Found<'_>) -> Result<(), SearchError> {
    let part = |token: Token| text.get(token.span()).unwrap_or_default();
    let (name, operator) = (part(term.field), part(term.operator));
    let value = part(term.value).trim_matches('"');
    if name.is_empty() {
        return free(term, value, found);
    }
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "order_by" | "sort_by" | "group_by") {
        return found.needs_clear(found.fields.of(value), "order_by");
    }
    let Some(field) = found.fields.of(name) else {
        // A field that the map does not know may be a word to the CRM, and the rest a free term.
        if value.contains('@') && !found.fields.lists(name) && found.fields.free_term(value) != Looks::Harmless {
            return Err(unclear());
        }
        return Ok(());
    };
    let stored = value.strip_suffix('*').is_some_and(is_stored_prefix);
    match operator {
        ":" if value.eq_ignore_ascii_case("none") || stored && field.finds == Finds::ByEquality => Ok(()),
        ":" if value.contains('*') => found.needs_clear(Some(field), "a wildcard"),
        ":" => {
            let ask = found.ask(field, value.to_owned())?;
            push(term, field.name.clone(), ask, found);
            Ok(())
        }
        _ => found.needs_clear(Some(field), "a range"),
    }
}

fn free(term: &Term, value: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    match found.fields.free_term(value) {
        Looks::Harmless => Ok(()),
        Looks::Like(field) => {
            let ask = found.ask(field, value.to_owned())?;
            push(term, field.name.clone(), ask, found);
            Ok(())
        }
        Looks::Unclear => Err(unclear()),
    }
}

fn push(term: &Term, name: std::sync::Arc<str>, ask: usize, found: &mut Found<'_>) {
    let test = match (term.field.span().is_empty(), term.negated) {
        (_, true) => Test::NotEqual,
        (true, false) => Test::Key,
        (false, false) => Test::Equal,
    };
    let items = vec![Item { span: term.value.span(), ask: Some(ask) }];
    found.push(Predicate { span: term.start..term.value.end, subject: term.field.span(), name, test, items });
}

fn unclear() -> SearchError {
    SearchError::Unsupported { field: FREE.to_owned(), operator: "a free search term", instead: INSTEAD }
}

/// One term per form. Without a field only negated terms get here: they hold together.
pub(super) fn write(condition: &Condition<'_>) -> String {
    let sign = if condition.test.is_negative() { "-" } else { "" };
    let field = match condition.field {
        "" => String::new(),
        name => format!("{name}:"),
    };
    let equals = condition.equals.iter().map(|literal| format!("{sign}{field}{literal}"));
    let prefixes = condition.prefixes.iter().map(|prefix| format!("{sign}{field}{prefix}*"));
    equals.chain(prefixes).collect::<Vec<_>>().join(" ")
}

/// `text` as a phrase, which is compared whole.
pub(super) fn quote(text: &str) -> Result<String, SearchError> {
    if text.contains('"') || text.chars().any(char::is_control) {
        return Err(SearchError::Syntax { at: 0, what: "a value without quotes and control characters is expected" });
    }
    Ok(format!("\"{text}\""))
}
