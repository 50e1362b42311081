//! SOQL (Salesforce Object Query Language): `SELECT … FROM … WHERE …` with sub-selects.
//!
//! Nulls: SOQL decides with two values. `=` and `IN` never match null, `!=`, `NOT IN` and `(NOT x LIKE …)` do match it, so a
//! group of the same operators means for null what the one predicate meant.

mod condition;
mod lex;
mod select;

pub(super) use lex::quote;

use super::{
    SearchError,
    cursor::Cursor,
    fields::{Field, components},
    predicate::{Condition, Found, Test},
};

/// Parses a whole statement.
pub(super) fn parse(text: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    let mut parser = Parser { cursor: Cursor::new(text, lex::lex(text)?), found, scopes: Vec::new() };
    parser.select(select::Place::Statement)?;
    parser.cursor.expect_end()
}

struct Parser<'a, 'p, 'f> {
    cursor: Cursor<'a>,
    found: &'p mut Found<'f>,
    /// Aliases of each `SELECT` that is open, outermost first.
    scopes: Vec<Scope>,
}

/// The names of one `SELECT`, in lower case.
#[derive(Default)]
struct Scope {
    /// The first object of `FROM`.
    root: Vec<String>,
    /// `FROM Contact c, c.Account a`: alias to the path it stands for.
    aliases: Vec<(String, Vec<String>)>,
}

impl Scope {
    /// The path of a name that starts with an alias.
    fn of_alias(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let (_, target) = self.aliases.iter().find(|(alias, _)| alias == first)?;
        Some(target.iter().chain(rest).cloned().collect())
    }
}

impl<'f> Parser<'_, '_, 'f> {
    /// The protected field that `path` means: aliases are resolved, and a plain name belongs to the object of `FROM`.
    fn field(&self, path: &str) -> Option<&'f Field> {
        let path = components(path);
        let resolved = match self.scopes.last() {
            None => path,
            Some(scope) => match scope.of_alias(&path).filter(|_| path.len() > 1) {
                Some(resolved) => resolved,
                None => scope.root.iter().cloned().chain(path).collect(),
            },
        };
        self.found.fields.of_path(&resolved)
    }
}

/// One condition for all forms.
pub(super) fn write(condition: &Condition<'_>) -> String {
    let (field, negative) = (condition.field, condition.test.is_negative());
    let list = condition.equals.join(", ");
    let mut parts: Vec<String> = match (condition.test, condition.equals.as_slice()) {
        (_, []) => Vec::new(),
        (Test::NotEqual, equals) => equals.iter().map(|literal| format!("{field} != {literal}")).collect(),
        (Test::NotIn, _) => vec![format!("{field} NOT IN ({list})")],
        (Test::Equal | Test::Key, [one]) => vec![format!("{field} = {one}")],
        _ => vec![format!("{field} IN ({list})")],
    };
    parts.extend(condition.prefixes.iter().map(|prefix| {
        let like = format!("{field} LIKE {}", lex::quote_prefix(prefix));
        if negative { format!("(NOT {like})") } else { like }
    }));
    Condition::join(&parts, if negative { " AND " } else { " OR " })
}

#[cfg(test)]
mod tests;
