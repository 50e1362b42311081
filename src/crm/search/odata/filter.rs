//! Expressions of `$filter`.

use std::ops::Range;

use super::{
    super::{
        SearchError,
        cursor::{Kind, Token},
        fields::{Field, Finds, components},
        predicate::{Item, Predicate, Test, is_stored_prefix},
    },
    Parser, lex,
};

/// Functions that may be called; an unknown one could mean anything.
const FUNCTIONS: [&str; 36] = [
    "contains",
    "startswith",
    "endswith",
    "substringof",
    "tolower",
    "toupper",
    "trim",
    "length",
    "indexof",
    "substring",
    "concat",
    "matchespattern",
    "hassubset",
    "hassubsequence",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "fractionalseconds",
    "date",
    "time",
    "totaloffsetminutes",
    "totalseconds",
    "now",
    "maxdatetime",
    "mindatetime",
    "round",
    "floor",
    "ceiling",
    "cast",
    "isof",
    "geo.distance",
    "geo.length",
    "geo.intersects",
];
const COMPARISONS: [(&str, &str); 7] = [
    ("eq", "eq"),
    ("ne", "ne"),
    ("gt", "a range"),
    ("ge", "a range"),
    ("lt", "a range"),
    ("le", "a range"),
    ("has", "has"),
];
const ARITHMETIC: [&str; 6] = ["add", "sub", "mul", "div", "divby", "mod"];

/// What stands on a side of an operator.
pub(super) struct Operand<'f> {
    span: Range<usize>,
    is: Is<'f>,
}

enum Is<'f> {
    /// A protected field, alone.
    Protected(&'f Field),
    /// A quoted text.
    Text(Token),
    Null,
    /// Anything else: what a protected field cannot be compared with.
    Other,
}

impl<'f> Operand<'f> {
    /// The protected field that this is.
    pub(super) fn field(&self) -> Option<&'f Field> {
        match self.is {
            Is::Protected(field) => Some(field),
            _ => None,
        }
    }
}

impl<'f> Parser<'_, '_, 'f> {
    pub(super) fn filter(&mut self) -> Result<(), SearchError> {
        let whole = self.expression()?;
        self.found.needs_clear(whole.field(), "a condition without an operator")
    }

    /// Comparisons with `and` and `or` between them; a single operand keeps what it is, so that `(email)` is `email`.
    fn expression(&mut self) -> Result<Operand<'f>, SearchError> {
        let mut operand = self.negation()?;
        while self.cursor.eat_word("and") || self.cursor.eat_word("or") {
            let right = self.negation()?;
            for side in [&operand, &right] {
                self.found.needs_clear(side.field(), "a condition without an operator")?;
            }
            operand = Operand { span: operand.span.start..right.span.end, is: Is::Other };
        }
        Ok(operand)
    }

    fn negation(&mut self) -> Result<Operand<'f>, SearchError> {
        let start = self.cursor.peek().start;
        if !self.cursor.eat_word("not") {
            return self.comparison();
        }
        // `not` binds before `eq`: `not a eq b` is `(not a) eq b`.
        self.cursor.enter()?;
        let operand = if self.cursor.is_word("not") { self.negation()? } else { self.primary()? };
        self.cursor.leave();
        self.found.needs_clear(operand.field(), "not")?;
        Ok(Operand { span: start..operand.span.end, is: Is::Other })
    }

    fn comparison(&mut self) -> Result<Operand<'f>, SearchError> {
        let left = self.operand()?;
        if self.cursor.eat_word("in") {
            return self.list(left);
        }
        let Some((_, operator)) = COMPARISONS.iter().find(|(word, _)| self.cursor.eat_word(word)) else {
            return Ok(left);
        };
        let right = self.operand()?;
        let whole = left.span.start..right.span.end;
        let (protected, other) = match (left.field(), right.field()) {
            (None, None) => return Ok(Operand { span: whole, is: Is::Other }),
            (Some(_), None) => (&left, &right),
            _ => (&right, &left),
        };
        let (Some(field), test) = (protected.field(), if *operator == "eq" { Test::Equal } else { Test::NotEqual })
        else {
            return Ok(Operand { span: whole, is: Is::Other });
        };
        match (*operator, &other.is) {
            ("eq" | "ne", Is::Null) => {}
            ("eq" | "ne", Is::Text(token)) => {
                let items = vec![self.item(*token, field)?];
                let (span, subject) = (whole.clone(), protected.span.clone());
                self.found.push(Predicate { span, subject, name: field.name.clone(), test, items });
            }
            ("eq" | "ne", _) => {
                self.found.needs_clear(Some(field), "a comparison with anything but a quoted text")?;
                self.found.needs_clear(other.field(), "a comparison of two fields")?;
            }
            (operator, _) => {
                self.found.needs_clear(Some(field), operator)?;
                self.found.needs_clear(other.field(), operator)?;
            }
        }
        Ok(Operand { span: whole, is: Is::Other })
    }

    /// The rest of `left in (…)`.
    fn list(&mut self, left: Operand<'f>) -> Result<Operand<'f>, SearchError> {
        let mut items = Vec::new();
        self.cursor.expect_symbol("(", "`(` is expected")?;
        loop {
            let value = self.cursor.next();
            let null = self.cursor.str(value).eq_ignore_ascii_case("null");
            match (value.kind, left.field()) {
                (Kind::Text, Some(field)) => items.push(self.item(value, field)?),
                (Kind::Text | Kind::Number, None) => {}
                (Kind::Number, Some(field)) if field.finds == Finds::InClear => items.push(kept(value)),
                (Kind::Word, _) if null => items.push(kept(value)),
                _ => return Err(SearchError::Syntax { at: value.start, what: "a quoted text is expected" }),
            }
            if !self.cursor.eat_symbol(",") {
                break;
            }
        }
        self.cursor.expect_symbol(")", "`,` or `)` is expected")?;
        let span = left.span.start..self.cursor.end_of_last();
        if let Some(field) = left.field()
            && items.iter().any(|item| item.ask.is_some())
        {
            let (span, name) = (span.clone(), field.name.clone());
            self.found.push(Predicate { span, subject: left.span, name, test: Test::In, items });
        }
        Ok(Operand { span, is: Is::Other })
    }

    fn item(&mut self, value: Token, field: &Field) -> Result<Item, SearchError> {
        let ask = self.found.ask(field, lex::unquote(self.cursor.str(value)))?;
        Ok(Item { span: value.span(), ask: Some(ask) })
    }

    /// A value with the arithmetic on it.
    pub(super) fn operand(&mut self) -> Result<Operand<'f>, SearchError> {
        let mut operand = self.primary()?;
        while ARITHMETIC.iter().any(|word| self.cursor.eat_word(word)) {
            let right = self.primary()?;
            for side in [&operand, &right] {
                self.found.needs_clear(side.field(), "arithmetic")?;
            }
            operand = Operand { span: operand.span.start..right.span.end, is: Is::Other };
        }
        Ok(operand)
    }

    fn primary(&mut self) -> Result<Operand<'f>, SearchError> {
        let token = self.cursor.next();
        let text = self.cursor.str(token);
        let is = match token.kind {
            Kind::Text => Is::Text(token),
            Kind::Number => Is::Other,
            Kind::Word if self.cursor.is_symbol("(") => return self.call(token),
            Kind::Word if text == "null" => Is::Null,
            Kind::Word => self.field(text).map_or(Is::Other, Is::Protected),
            Kind::Symbol if text == "(" => {
                self.cursor.enter()?;
                let inner = self.expression()?;
                self.cursor.expect_symbol(")", "`)` or an operator is expected")?;
                self.cursor.leave();
                return Ok(Operand { span: token.start..self.cursor.end_of_last(), is: inner.is });
            }
            _ => return Err(SearchError::Syntax { at: token.start, what: "a value or a field is expected" }),
        };
        Ok(Operand { span: token.span(), is })
    }

    /// A function or a lambda whose name was taken.
    fn call(&mut self, name: Token) -> Result<Operand<'f>, SearchError> {
        let path = self.cursor.str(name);
        self.cursor.enter()?;
        self.cursor.next();
        if let Some((collection, "any" | "all")) = path.rsplit_once('/') {
            self.lambda(collection)?;
        } else if FUNCTIONS.contains(&path.to_ascii_lowercase().as_str()) {
            while !self.cursor.is_symbol(")") {
                let argument = self.expression()?;
                if !(path.eq_ignore_ascii_case("startswith") && self.is_before_stored_prefix(&argument)) {
                    self.found.needs_clear(argument.field(), "a function")?;
                }
                if !self.cursor.eat_symbol(",") {
                    break;
                }
            }
        } else {
            return Err(SearchError::Syntax { at: name.start, what: "this function is not known" });
        }
        self.cursor.expect_symbol(")", "`,` or `)` is expected")?;
        self.cursor.leave();
        Ok(Operand { span: name.start..self.cursor.end_of_last(), is: Is::Other })
    }

    /// Whether the argument that follows `argument` is a prefix that this gateway wrote.
    fn is_before_stored_prefix(&self, argument: &Operand<'f>) -> bool {
        let literal = self.cursor.peek_at(1);
        let stored = literal.kind == Kind::Text && is_stored_prefix(&lex::unquote(self.cursor.str(literal)));
        let last = self.cursor.str(self.cursor.peek_at(2)) == ")";
        stored && last && argument.field().is_some_and(|field| field.finds == Finds::ByEquality)
    }

    /// `collection/any(c:c/email eq 'x')`: the variable stands for a member of the collection.
    fn lambda(&mut self, collection: &str) -> Result<(), SearchError> {
        if self.cursor.is_symbol(")") {
            return Ok(());
        }
        let variable = self.cursor.expect(Kind::Word, "a variable is expected")?;
        self.cursor.expect_symbol(":", "`:` is expected")?;
        let target = self.resolved(collection);
        self.variables.push((self.cursor.str(variable).to_owned(), target));
        self.filter()?;
        self.variables.pop();
        Ok(())
    }

    fn field(&self, path: &str) -> Option<&'f Field> {
        self.found.fields.of_path(&self.resolved(path))
    }

    /// The components of `path`, a lambda variable replaced by its collection.
    fn resolved(&self, path: &str) -> Vec<String> {
        let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let known = self.variables.iter().rev().find(|(variable, _)| variable.eq_ignore_ascii_case(first));
        match known {
            Some((_, target)) => target.iter().cloned().chain(rest.into_iter().flat_map(components)).collect(),
            None => components(path),
        }
    }
}

fn kept(token: Token) -> Item {
    Item { span: token.span(), ask: None }
}
