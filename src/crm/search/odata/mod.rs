//! OData 4.01: `$filter`, `$orderby`, `$select`, `$apply`, and the key in a path segment.
//!
//! Nulls: `null eq 'x'` is false and `null ne 'x'` is true (some services: unknown, as in SQL), while `startswith(null,'x')` is null.
//! A prefix is therefore written with the null case spelled out by the operator that was there: it decides, also under `not`.

mod filter;
mod lex;
#[cfg(test)]
mod tests;

pub(super) use lex::quote;

use super::{
    SearchError,
    cursor::{Cursor, Kind},
    fields::{Finds, components},
    predicate::{Condition, Found, Item, Predicate, Test},
};

/// Which part of a request target the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Clause {
    /// `$filter`.
    Filter,
    /// `$orderby`.
    OrderBy,
    /// `$select`.
    Select,
    /// `$apply`.
    Apply,
    /// A path segment: `contacts(emailaddress1='a@b.example')`.
    Key,
}

impl Clause {
    /// The clause that the query parameter `name` holds; the services take the name without `$`, too.
    #[must_use]
    pub fn of_parameter(name: &str) -> Option<Self> {
        match name.strip_prefix('$').unwrap_or(name).to_ascii_lowercase().as_str() {
            "filter" => Some(Self::Filter),
            "orderby" => Some(Self::OrderBy),
            "select" => Some(Self::Select),
            "apply" => Some(Self::Apply),
            _ => None,
        }
    }
}

/// Parses a whole clause.
pub(super) fn parse(clause: Clause, text: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    let mut parser = Parser { cursor: Cursor::new(text, lex::lex(text)?), found, variables: Vec::new() };
    match clause {
        Clause::Filter => parser.filter()?,
        Clause::OrderBy => parser.order_by()?,
        Clause::Select => parser.select()?,
        Clause::Apply => parser.apply()?,
        Clause::Key => parser.key()?,
    }
    parser.cursor.expect_end()
}

struct Parser<'a, 'p, 'f> {
    cursor: Cursor<'a>,
    found: &'p mut Found<'f>,
    /// Lambda variables and the collections they run over, innermost last.
    variables: Vec<(String, Vec<String>)>,
}

impl Parser<'_, '_, '_> {
    fn order_by(&mut self) -> Result<(), SearchError> {
        loop {
            let operand = self.operand()?;
            self.found.needs_clear(operand.field(), "$orderby")?;
            let _direction = self.cursor.eat_word("asc") || self.cursor.eat_word("desc");
            if !self.cursor.eat_symbol(",") {
                return Ok(());
            }
        }
    }

    /// Names come back as they are asked for, so they need no rule; anything but names is refused.
    fn select(&mut self) -> Result<(), SearchError> {
        loop {
            if !self.cursor.eat_symbol("*") {
                self.cursor.expect(Kind::Word, "a name is expected")?;
                if self.cursor.eat_symbol("*") {
                    // `Model.*`: every operation of a schema.
                }
            }
            if !self.cursor.eat_symbol(",") {
                return Ok(());
            }
        }
    }

    /// Transformations rename, group and compute: any protected name in them is refused.
    fn apply(&mut self) -> Result<(), SearchError> {
        let mut open = 0_usize;
        loop {
            let token = self.cursor.next();
            match (token.kind, self.cursor.str(token)) {
                (Kind::End, _) if open == 0 => return Ok(()),
                (Kind::Symbol, "(") => open += 1,
                (Kind::Symbol, ")") if open > 0 => open -= 1,
                (Kind::End, _) | (Kind::Symbol, ")") => {
                    return Err(SearchError::Syntax { at: token.start, what: "the parentheses do not match" });
                }
                (Kind::Word, path) => {
                    if let Some(field) = self.found.fields.of(path) {
                        self.found.needs_clear(Some(field), "$apply")?;
                        return Err(SearchError::Aliased { field: field.name.to_string() });
                    }
                }
                _ => {}
            }
        }
    }

    /// `set`, `set(value)` or `set(name=value,…)`.
    fn key(&mut self) -> Result<(), SearchError> {
        let set = self.cursor.expect(Kind::Word, "a name is expected")?;
        if !self.cursor.eat_symbol("(") {
            return Ok(());
        }
        if self.cursor.eat_symbol(")") {
            return Ok(());
        }
        loop {
            let start = self.cursor.peek();
            let named = start.kind == Kind::Word && self.cursor.str(self.cursor.peek_at(1)) == "=";
            let mut path = components(self.cursor.str(set));
            if named {
                path.extend(components(self.cursor.str(start)));
                self.cursor.next();
                self.cursor.next();
            } else {
                path.push("$key".to_owned());
            }
            let value = self.cursor.next();
            if !matches!(value.kind, Kind::Text | Kind::Number | Kind::Word) {
                return Err(SearchError::Syntax { at: value.start, what: "a value is expected" });
            }
            if let Some(field) = self.found.fields.of_path(&path) {
                if value.kind == Kind::Text {
                    let ask = self.found.ask(field, lex::unquote(self.cursor.str(value)))?;
                    let items = vec![Item { span: value.span(), ask: Some(ask) }];
                    let span = start.start..value.end;
                    let predicate =
                        Predicate { span, subject: start.span(), name: field.name.clone(), test: Test::Key, items };
                    self.found.push(predicate);
                } else if field.finds != Finds::InClear {
                    return Err(SearchError::Syntax { at: value.start, what: "a quoted text is expected" });
                }
            }
            if !self.cursor.eat_symbol(",") {
                return self.cursor.expect_symbol(")", "`,` or `)` is expected");
            }
        }
    }
}

/// One condition for all forms. Dataverse has no `in`, so it is written only where the query has it.
pub(super) fn write(condition: &Condition<'_>) -> String {
    let (field, negative) = (condition.field, condition.test.is_negative());
    let mut parts: Vec<String> = match condition.test {
        Test::In if !condition.equals.is_empty() => vec![format!("{field} in ({})", condition.equals.join(","))],
        _ => {
            let operator = if negative { "ne" } else { "eq" };
            condition.equals.iter().map(|literal| format!("{field} {operator} {literal}")).collect()
        }
    };
    parts.extend(condition.prefixes.iter().map(|prefix| {
        let literal = quote(prefix);
        if negative {
            format!("(({field} ne null and not startswith({field},{literal})) or ({field} eq null and {field} ne {literal}))")
        } else {
            format!("({field} eq {literal} or ({field} ne null and startswith({field},{literal})))")
        }
    }));
    Condition::join(&parts, if negative { " and " } else { " or " })
}
