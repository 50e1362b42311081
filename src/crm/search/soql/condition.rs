//! Conditions of `WHERE` and `HAVING`.

use super::{
    super::{
        SearchError,
        cursor::{Kind, Token},
        fields::{Field, Finds},
        predicate::{Item, Predicate, Test, is_stored_prefix},
    },
    Parser,
    lex::{self, Escapes},
    select::Place,
};

/// The words a date literal starts with.
const DATES: [&str; 7] = ["YESTERDAY", "TODAY", "TOMORROW", "LAST_", "THIS_", "NEXT_", "N_"];

impl Parser<'_, '_, '_> {
    pub(super) fn condition(&mut self) -> Result<(), SearchError> {
        loop {
            self.term()?;
            if !self.cursor.eat_word("AND") && !self.cursor.eat_word("OR") {
                return Ok(());
            }
        }
    }

    fn term(&mut self) -> Result<(), SearchError> {
        self.cursor.enter()?;
        if self.cursor.eat_word("NOT") {
            self.term()?;
        } else if self.cursor.eat_symbol("(") {
            self.condition()?;
            self.cursor.expect_symbol(")", "`)`, AND or OR is expected")?;
        } else {
            self.comparison()?;
        }
        self.cursor.leave();
        Ok(())
    }

    fn comparison(&mut self) -> Result<(), SearchError> {
        let subject = self.cursor.expect(Kind::Word, "a condition is expected")?;
        if self.cursor.is_symbol("(") {
            self.function(subject)?;
            return self.unprotected();
        }
        let Some(field) = self.field(self.cursor.str(subject)) else { return self.unprotected() };
        let operator = self.cursor.next();
        match self.cursor.str(operator).to_ascii_uppercase().as_str() {
            "=" => self.equality(subject, field, Test::Equal),
            "!=" | "<>" => self.equality(subject, field, Test::NotEqual),
            "IN" => self.list(subject, field, Test::In),
            "NOT" => {
                self.cursor.expect_word("IN", "IN is expected after NOT")?;
                self.list(subject, field, Test::NotIn)
            }
            "LIKE" if self.is_stored_prefix(field) => self.value().map(|_| ()),
            "LIKE" => self.in_clear(field, "LIKE"),
            "<" | "<=" | ">" | ">=" => self.in_clear(field, "a range"),
            "INCLUDES" | "EXCLUDES" => {
                self.found.needs_clear(Some(field), "INCLUDES or EXCLUDES")?;
                self.literals()
            }
            _ => Err(SearchError::Syntax { at: operator.start, what: "an operator is expected" }),
        }
    }

    /// The rest of a comparison whose left side is not protected.
    fn unprotected(&mut self) -> Result<(), SearchError> {
        let operator = self.cursor.next();
        match self.cursor.str(operator).to_ascii_uppercase().as_str() {
            "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "LIKE" => self.value().map(|_| ()),
            "IN" => self.list_or_select(),
            "NOT" => {
                self.cursor.expect_word("IN", "IN is expected after NOT")?;
                self.list_or_select()
            }
            "INCLUDES" | "EXCLUDES" => self.literals(),
            _ => Err(SearchError::Syntax { at: operator.start, what: "an operator is expected" }),
        }
    }

    /// Whether the next literal is a prefix that this gateway wrote.
    fn is_stored_prefix(&self, field: &Field) -> bool {
        let literal = self.cursor.str(self.cursor.peek());
        let text = lex::unquote(literal, 0, Escapes::OfLike).unwrap_or_default();
        let prefix = text.strip_suffix('%').filter(|prefix| is_stored_prefix(prefix));
        field.finds == Finds::ByEquality && prefix.is_some_and(|prefix| lex::quote_prefix(prefix) == literal)
    }

    fn in_clear(&mut self, field: &Field, operator: &'static str) -> Result<(), SearchError> {
        self.found.needs_clear(Some(field), operator)?;
        self.value().map(|_| ())
    }

    fn equality(&mut self, subject: Token, field: &Field, test: Test) -> Result<(), SearchError> {
        let value = self.value()?;
        let items = self.item(value, field)?.into_iter().collect::<Vec<_>>();
        self.add(subject, field, test, items);
        Ok(())
    }

    fn list(&mut self, subject: Token, field: &Field, test: Test) -> Result<(), SearchError> {
        self.cursor.expect_symbol("(", "`(` is expected")?;
        if self.cursor.is_word("SELECT") {
            self.found.needs_clear(Some(field), "a sub-select")?;
            self.select(Place::SemiJoin)?;
            return self.cursor.expect_symbol(")", "`)` is expected");
        }
        let mut items = Vec::new();
        loop {
            let value = self.value()?;
            let item = self.item(value, field)?;
            items.push(item.unwrap_or(Item { span: value.span(), ask: None }));
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")", "`,` or `)` is expected")?;
        self.add(subject, field, test, items);
        Ok(())
    }

    fn add(&mut self, subject: Token, field: &Field, test: Test, items: Vec<Item>) {
        if items.iter().any(|item| item.ask.is_some()) {
            let span = subject.start..self.cursor.end_of_last();
            self.found.push(Predicate { span, subject: subject.span(), name: field.name.clone(), test, items });
        }
    }

    /// The literal `value` of a comparison on `field`; nothing for `null`.
    fn item(&mut self, value: Token, field: &Field) -> Result<Option<Item>, SearchError> {
        let text = self.cursor.str(value);
        match value.kind {
            Kind::Text => {
                let ask = self.found.ask(field, lex::unquote(text, value.start, Escapes::OfText)?)?;
                Ok(Some(Item { span: value.span(), ask: Some(ask) }))
            }
            Kind::Word if text.eq_ignore_ascii_case("null") => Ok(None),
            _ if field.finds == Finds::InClear => Ok(None),
            _ => Err(SearchError::Syntax { at: value.start, what: "a quoted text is expected" }),
        }
    }

    /// A literal: text, number, date, currency, `null`, `true`, `false`. Never a name and never a bind variable.
    fn value(&mut self) -> Result<Token, SearchError> {
        let value = self.cursor.peek();
        let text = self.cursor.str(value).to_ascii_uppercase();
        let known = match value.kind {
            Kind::Text | Kind::Number => true,
            Kind::Word => {
                matches!(text.as_str(), "NULL" | "TRUE" | "FALSE")
                    || !text.contains('.') && DATES.iter().any(|date| text.starts_with(date))
                    || text
                        .get(3..)
                        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|d| d.is_ascii_digit()))
            }
            _ => false,
        };
        if !known {
            return Err(self.cursor.error("a literal is expected"));
        }
        self.cursor.next();
        if value.kind == Kind::Word && self.cursor.eat_symbol(":") {
            self.cursor.expect(Kind::Number, "a number is expected")?;
        }
        Ok(value)
    }

    fn list_or_select(&mut self) -> Result<(), SearchError> {
        if self.cursor.is_symbol("(") && self.cursor.is_word_at(1, "SELECT") {
            self.cursor.next();
            self.select(Place::SemiJoin)?;
            return self.cursor.expect_symbol(")", "`)` is expected");
        }
        self.literals()
    }

    fn literals(&mut self) -> Result<(), SearchError> {
        self.cursor.expect_symbol("(", "`(` is expected")?;
        loop {
            self.value()?;
            if !self.cursor.eat_symbol(",") {
                return self.cursor.expect_symbol(")", "`,` or `)` is expected");
            }
        }
    }
}
