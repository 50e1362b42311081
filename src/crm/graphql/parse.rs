//! Tokens of a document in, its operations and fragments out (specification §2.2 to §2.12).

use super::{
    GraphQlError, Kind, MAX_DEPTH, Name,
    lex::{Token, tokens},
};

/// A document that is executed; it defines no types.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    pub(super) fragments: Vec<(Name, Vec<Item>)>,
}

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// Absent for a subscription.
    pub(super) kind: Option<Kind>,
    pub(super) name: Option<Name>,
    /// Variables with what they are by default.
    pub(super) defaults: Vec<(Name, Option<Input>)>,
    pub(super) items: Vec<Item>,
}

/// Something selected.
#[derive(Debug)]
pub(super) enum Item {
    Field {
        alias: Option<Name>,
        name: Name,
        arguments: Vec<(Name, Input)>,
        items: Vec<Item>,
    },
    Spread(Name),
    /// A fragment without a name.
    Inline(Vec<Item>),
}

/// A value as it is written.
#[derive(Debug, Clone)]
pub(super) enum Input {
    Variable(Name),
    Number(String),
    Text(String),
    Bool(bool),
    Null,
    Enum(Name),
    List(Vec<Input>),
    Object(Vec<(Name, Input)>),
}

/// Reads a document.
pub(super) fn document(text: &str) -> Result<Document, GraphQlError> {
    let mut reader = Reader { tokens: tokens(text)?, next: 0, end: text.len() };
    let mut document = Document::default();
    while reader.next < reader.tokens.len() {
        reader.definition(&mut document)?;
    }
    Ok(document)
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    next: usize,
    end: usize,
}

type Read<T> = Result<T, GraphQlError>;

impl Reader {
    fn error<T>(&self, what: &'static str) -> Read<T> {
        let at = self.tokens.get(self.next).map_or(self.end, |(at, _)| *at);
        Err(GraphQlError::Syntax { at, what })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(_, token)| token)
    }

    fn take(&mut self, mark: char) -> bool {
        let there = self.peek() == Some(&Token::Mark(mark));
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, mark: char, what: &'static str) -> Read<()> {
        if self.take(mark) { Ok(()) } else { self.error(what) }
    }

    fn name(&mut self) -> Read<Name> {
        match self.peek() {
            Some(Token::Name(name)) => {
                let name = Name::clone(name);
                self.next += 1;
                Ok(name)
            }
            _ => self.error("a name is expected"),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(name)) if **name == *word)
    }

    fn definition(&mut self, document: &mut Document) -> Read<()> {
        if self.peek() == Some(&Token::Mark('{')) {
            let items = self.items(0)?;
            document.operations.push(Operation { kind: Some(Kind::Query), name: None, defaults: Vec::new(), items });
            return Ok(());
        }
        let word = self.name()?;
        let kind = match &*word {
            "query" => Some(Kind::Query),
            "mutation" => Some(Kind::Mutation),
            "subscription" => None,
            "fragment" => return self.fragment(document),
            _ => {
                self.next -= 1;
                return self.error("`query`, `mutation`, `fragment` or `{` is expected");
            }
        };
        let name = if matches!(self.peek(), Some(Token::Name(_))) { Some(self.name()?) } else { None };
        let mut defaults = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                defaults.push(self.variable()?);
            }
        }
        self.directives()?;
        let items = self.items(0)?;
        document.operations.push(Operation { kind, name, defaults, items });
        Ok(())
    }

    fn fragment(&mut self, document: &mut Document) -> Read<()> {
        if self.is_word("on") {
            return self.error("a fragment's name is expected");
        }
        let name = self.name()?;
        if !self.is_word("on") {
            return self.error("`on` is expected");
        }
        self.next += 1;
        self.name()?;
        self.directives()?;
        let items = self.items(0)?;
        if document.fragments.iter().any(|(known, _)| *known == name) {
            return self.error("a fragment stands twice in the document");
        }
        document.fragments.push((name, items));
        Ok(())
    }

    fn variable(&mut self) -> Read<(Name, Option<Input>)> {
        self.expect('$', "a variable is expected")?;
        let name = self.name()?;
        self.expect(':', "a variable's type is expected")?;
        self.kind(0)?;
        let default = if self.take('=') { Some(self.value(0)?) } else { None };
        self.directives()?;
        Ok((name, default))
    }

    /// A type: what it is makes no difference here.
    fn kind(&mut self, depth: usize) -> Read<()> {
        deeper(depth)?;
        if self.take('[') {
            self.kind(depth + 1)?;
            self.expect(']', "`]` is expected")?;
        } else {
            self.name()?;
        }
        self.take('!');
        Ok(())
    }

    /// `@include` and `@skip`: what they leave out is not in the answer, and what is in it is protected all the same.
    fn directives(&mut self) -> Read<()> {
        while self.take('@') {
            let name = self.name()?;
            if !matches!(&*name, "include" | "skip") {
                return Err(GraphQlError::Directive);
            }
            self.arguments()?;
        }
        Ok(())
    }

    fn arguments(&mut self) -> Read<Vec<(Name, Input)>> {
        let mut arguments: Vec<(Name, Input)> = Vec::new();
        if self.take('(') {
            while !self.take(')') {
                let name = self.name()?;
                self.expect(':', "an argument's value is expected")?;
                let value = self.value(0)?;
                self.once(&arguments, &name)?;
                arguments.push((name, value));
            }
            if arguments.is_empty() {
                return self.error("an argument is expected");
            }
        }
        Ok(arguments)
    }

    fn once(&self, known: &[(Name, Input)], name: &Name) -> Read<()> {
        if known.iter().any(|(known, _)| known == name) {
            return self.error("a name stands twice in one place");
        }
        Ok(())
    }

    fn items(&mut self, depth: usize) -> Read<Vec<Item>> {
        deeper(depth)?;
        self.expect('{', "`{` is expected")?;
        let mut items = Vec::new();
        while !self.take('}') {
            items.push(self.item(depth)?);
        }
        if items.is_empty() { self.error("a field is expected") } else { Ok(items) }
    }

    fn item(&mut self, depth: usize) -> Read<Item> {
        if self.peek() == Some(&Token::Spread) {
            self.next += 1;
            let named = matches!(self.peek(), Some(Token::Name(_))) && !self.is_word("on");
            if named {
                let name = self.name()?;
                self.directives()?;
                return Ok(Item::Spread(name));
            }
            if self.is_word("on") {
                self.next += 1;
                self.name()?;
            }
            self.directives()?;
            return Ok(Item::Inline(self.items(depth + 1)?));
        }
        let mut name = self.name()?;
        let alias = if self.take(':') { Some(std::mem::replace(&mut name, self.name()?)) } else { None };
        let arguments = self.arguments()?;
        self.directives()?;
        let items = if self.peek() == Some(&Token::Mark('{')) { self.items(depth + 1)? } else { Vec::new() };
        Ok(Item::Field { alias, name, arguments, items })
    }

    fn value(&mut self, depth: usize) -> Read<Input> {
        deeper(depth)?;
        if self.take('$') {
            return Ok(Input::Variable(self.name()?));
        }
        if self.take('[') {
            let mut list = Vec::new();
            while !self.take(']') {
                list.push(self.value(depth + 1)?);
            }
            return Ok(Input::List(list));
        }
        if self.take('{') {
            let mut members = Vec::new();
            while !self.take('}') {
                let name = self.name()?;
                self.expect(':', "a member's value is expected")?;
                let value = self.value(depth + 1)?;
                self.once(&members, &name)?;
                members.push((name, value));
            }
            return Ok(Input::Object(members));
        }
        let value = match self.peek() {
            Some(Token::Number(number)) => Input::Number(number.clone()),
            Some(Token::Text(text)) => Input::Text(text.clone()),
            Some(Token::Name(name)) => match &**name {
                "true" => Input::Bool(true),
                "false" => Input::Bool(false),
                "null" => Input::Null,
                _ => Input::Enum(Name::clone(name)),
            },
            _ => return self.error("a value is expected"),
        };
        self.next += 1;
        Ok(value)
    }
}

fn deeper(depth: usize) -> Read<()> {
    if depth < MAX_DEPTH { Ok(()) } else { Err(GraphQlError::Limit { what: "levels", limit: MAX_DEPTH }) }
}
