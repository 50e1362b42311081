//! TicketSQL of Request Tracker: `'CF.{Card}' = 'x' AND (Requestor.EmailAddress = 'y' OR Subject LIKE 'z')`.
//!
//! RT's tokenizer (`lib/RT/SQL.pm`) skips what it does not know, takes `AND`, `OR` and operators off the front of longer words and
//! reads a quoted `CF.…` as a column; what it would read differently than it is written is refused here.
//! Nulls: `!=` also matches tickets without the value, and so does each member of an `AND` group of them.

mod lex;
mod name;
#[cfg(test)]
mod tests;

use super::{
    SearchError,
    cursor::{Cursor, Kind, Token},
    fields::{Field, Finds},
    predicate::{Condition, Found, Item, Predicate, Test, is_stored_prefix},
};
pub(super) use lex::quote;

/// Parses a whole search; an empty one asks for every ticket.
pub(super) fn parse(text: &str, found: &mut Found<'_>) -> Result<(), SearchError> {
    let mut parser = Parser { cursor: Cursor::new(text, lex::lex(text)?), found };
    if parser.cursor.peek().kind != Kind::End {
        parser.expression()?;
    }
    parser.cursor.expect_end()
}

struct Parser<'a, 'p, 'f> {
    cursor: Cursor<'a>,
    found: &'p mut Found<'f>,
}

const STARTSWITH: &str = "STARTSWITH";

/// An operator, as far as it matters.
#[derive(Clone, Copy)]
enum Operator {
    Compares(Test),
    IsNull,
    Needs(&'static str),
}

impl<'f> Parser<'_, '_, 'f> {
    fn expression(&mut self) -> Result<(), SearchError> {
        loop {
            self.cursor.enter()?;
            if self.cursor.eat_symbol("(") {
                self.expression()?;
                self.cursor.expect_symbol(")", "`)`, AND or OR is expected")?;
            } else {
                self.condition()?;
            }
            self.cursor.leave();
            if !self.cursor.eat_word("AND") && !self.cursor.eat_word("OR") {
                return Ok(());
            }
        }
    }

    fn condition(&mut self) -> Result<(), SearchError> {
        let key = self.cursor.next();
        let field = match key.kind {
            Kind::Word => self.field(&lex::unescape(self.cursor.str(key)), key.start)?,
            Kind::Text => self.field(&lex::unquote(self.cursor.str(key)), key.start)?,
            _ => return Err(SearchError::Syntax { at: key.start, what: "a field or `(` is expected" }),
        };
        let operator = self.operator(field)?;
        let items = match operator {
            Operator::Compares(Test::In | Test::NotIn) => self.list(field)?,
            Operator::Compares(_) => self.value(field)?.into_iter().collect(),
            Operator::IsNull => {
                self.cursor.expect_word("NULL", "NULL is expected")?;
                return Ok(());
            }
            Operator::Needs(name) => {
                if !(name == STARTSWITH && self.is_stored_prefix(field)) {
                    self.found.needs_clear(field, name)?;
                }
                self.value(None)?;
                return Ok(());
            }
        };
        if let (Some(field), Operator::Compares(test)) = (field, operator)
            && items.iter().any(|item| item.ask.is_some())
        {
            let span = key.start..self.cursor.end_of_last();
            self.found.push(Predicate { span, subject: key.span(), name: field.name.clone(), test, items });
        }
        Ok(())
    }

    fn field(&self, key: &str, at: usize) -> Result<Option<&'f Field>, SearchError> {
        name::components(key, self.found.fields)
            .map(|path| self.found.fields.of_path(&path))
            .map_err(|what| SearchError::Syntax { at, what })
    }

    fn operator(&mut self, field: Option<&Field>) -> Result<Operator, SearchError> {
        if self.cursor.eat_word("SHALLOW") {
            self.found.needs_clear(field, "SHALLOW")?;
        }
        let not = self.cursor.eat_word("NOT");
        let token = self.cursor.next();
        Ok(match (self.cursor.str(token).to_ascii_uppercase().as_str(), not) {
            ("=", false) => Operator::Compares(Test::Equal),
            ("!=", false) => Operator::Compares(Test::NotEqual),
            ("IN", false) => Operator::Compares(Test::In),
            ("IN", true) => Operator::Compares(Test::NotIn),
            ("IS", false) => {
                self.cursor.eat_word("NOT");
                Operator::IsNull
            }
            ("<" | "<=" | ">" | ">=", false) => Operator::Needs("a range"),
            ("LIKE", _) => Operator::Needs("LIKE"),
            ("STARTSWITH", _) => Operator::Needs(STARTSWITH),
            ("ENDSWITH", _) => Operator::Needs("ENDSWITH"),
            _ => return Err(SearchError::Syntax { at: token.start, what: "an operator is expected" }),
        })
    }

    /// Whether the next literal is a prefix that this gateway wrote.
    fn is_stored_prefix(&self, field: Option<&Field>) -> bool {
        let literal = self.cursor.peek();
        let stored = literal.kind == Kind::Text && is_stored_prefix(&lex::unquote(self.cursor.str(literal)));
        stored && field.is_some_and(|field| field.finds == Finds::ByEquality)
    }

    fn list(&mut self, field: Option<&Field>) -> Result<Vec<Item>, SearchError> {
        let mut items = Vec::new();
        self.cursor.expect_symbol("(", "`(` is expected")?;
        loop {
            let start = self.cursor.peek();
            items.push(self.value(field)?.unwrap_or(Item { span: start.span(), ask: None }));
            if !self.cursor.eat_symbol(",") {
                self.cursor.expect_symbol(")", "`,` or `)` is expected")?;
                return Ok(items);
            }
        }
    }

    /// A value; an item when it is compared with a protected `field`.
    fn value(&mut self, field: Option<&Field>) -> Result<Option<Item>, SearchError> {
        let token = self.cursor.next();
        let text = match token.kind {
            Kind::Text => lex::unquote(self.cursor.str(token)),
            Kind::Number => self.cursor.str(token).to_owned(),
            Kind::Word => lex::unescape(self.cursor.str(token)),
            _ => return Err(SearchError::Syntax { at: token.start, what: "a value is expected" }),
        };
        if token.kind == Kind::Word || lex::is_column(&text) {
            return self.column(&text, token, field);
        }
        let Some(field) = field else { return Ok(None) };
        let ask = self.found.ask(field, text)?;
        Ok(Some(Item { span: token.span(), ask: Some(ask) }))
    }

    /// A value that RT reads as the name of a column.
    fn column(&mut self, text: &str, token: Token, field: Option<&Field>) -> Result<Option<Item>, SearchError> {
        let other = self.field(text, token.start)?;
        for protected in [field, other] {
            self.found.needs_clear(protected, "a comparison of two fields")?;
        }
        if field.is_some_and(|field| field.finds != Finds::InClear) {
            return Err(SearchError::Syntax { at: token.start, what: "a quoted value is expected" });
        }
        Ok(None)
    }
}

/// One condition for all forms. `IN` came late to RT, so it is written only where the query has it.
pub(super) fn write(condition: &Condition<'_>) -> String {
    let (field, negative) = (condition.field, condition.test.is_negative());
    let operator = if negative { "!=" } else { "=" };
    let mut parts: Vec<String> = match condition.test {
        Test::In | Test::NotIn if !condition.equals.is_empty() => {
            let not = if negative { "NOT " } else { "" };
            vec![format!("{field} {not}IN ({})", condition.equals.join(", "))]
        }
        _ => condition.equals.iter().map(|literal| format!("{field} {operator} {literal}")).collect(),
    };
    let starts = if negative { "NOT STARTSWITH" } else { "STARTSWITH" };
    // A stored prefix is letters, digits, `-` and `_`: nothing that has to be escaped, and nothing RT takes for a column.
    parts.extend(condition.prefixes.iter().map(|prefix| format!("{field} {starts} {}", lex::escaped(prefix))));
    Condition::join(&parts, if negative { " AND " } else { " OR " })
}
