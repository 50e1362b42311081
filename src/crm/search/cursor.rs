//! Tokens of a query with their places, and the cursor that every recursive-descent parser of a dialect walks them with.

use std::ops::Range;

use super::SearchError;

/// Nested parentheses, sub-selects, lambdas and functions per query.
pub const MAX_SEARCH_DEPTH: usize = 32;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name, a path of names or a keyword.
    Word,
    /// A quoted text, quotes included.
    Text,
    /// A number, date or other bare literal.
    Number,
    /// Punctuation or an operator.
    Symbol,
    /// Past the last token.
    End,
}

/// A token and the bytes it stands at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    pub(super) fn span(self) -> Range<usize> {
        self.start..self.end
    }
}

/// Reads tokens one by one; a syntax error is the place of the token that does not fit.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str, tokens: Vec<Token>) -> Self {
        Self { text, tokens, at: 0, depth: 0 }
    }

    /// The next token.
    pub(super) fn peek(&self) -> Token {
        self.peek_at(0)
    }

    /// The token `ahead` places after the next one.
    pub(super) fn peek_at(&self, ahead: usize) -> Token {
        let end = Token { kind: Kind::End, start: self.text.len(), end: self.text.len() };
        self.tokens.get(self.at + ahead).copied().unwrap_or(end)
    }

    /// Takes the next token.
    pub(super) fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// Where the cursor stands, for [`Cursor::back_to`].
    pub(super) fn place(&self) -> usize {
        self.at
    }

    pub(super) fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    /// The text of `token`.
    pub(super) fn str(&self, token: Token) -> &'a str {
        self.text.get(token.span()).unwrap_or_default()
    }

    /// Where the last token that was taken ends.
    pub(super) fn end_of_last(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.end)
    }

    /// Whether the next token is the keyword `word`, in any case.
    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        let token = self.peek_at(ahead);
        token.kind == Kind::Word && self.str(token).eq_ignore_ascii_case(word)
    }

    /// Takes the keyword `word` when it is next.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn is_symbol(&self, symbol: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Symbol && self.str(token) == symbol
    }

    /// Takes the symbol when it is next.
    pub(super) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect_word(&mut self, word: &str, what: &'static str) -> Result<(), SearchError> {
        if self.eat_word(word) { Ok(()) } else { Err(self.error(what)) }
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str, what: &'static str) -> Result<(), SearchError> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.error(what)) }
    }

    /// Takes the next token, which is of `kind`.
    pub(super) fn expect(&mut self, kind: Kind, what: &'static str) -> Result<Token, SearchError> {
        if self.peek().kind == kind { Ok(self.next()) } else { Err(self.error(what)) }
    }

    pub(super) fn expect_end(&mut self) -> Result<(), SearchError> {
        self.expect(Kind::End, "the end of the query is expected").map(|_| ())
    }

    /// One level down; to be left with [`Cursor::leave`].
    pub(super) fn enter(&mut self) -> Result<(), SearchError> {
        if self.depth == MAX_SEARCH_DEPTH {
            return Err(SearchError::TooLarge { what: "levels of parentheses", limit: MAX_SEARCH_DEPTH });
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// What is wrong with the next token.
    pub(super) fn error(&self, what: &'static str) -> SearchError {
        SearchError::Syntax { at: self.peek().start, what }
    }
}

/// Cuts a text into tokens; each dialect says how a token that starts here goes on.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, tokens: Vec::new() }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Skips blanks (ASCII ones only: what else servers take for a blank differs) and gives the byte that follows.
    pub(super) fn skip_blanks(&mut self) -> Option<u8> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        self.rest().bytes().next()
    }

    /// Adds the next `length` bytes as one token.
    pub(super) fn push(&mut self, kind: Kind, length: usize) {
        self.tokens.push(Token { kind, start: self.at, end: self.at + length });
        self.at += length;
    }

    /// How many bytes from here on `admits` takes.
    pub(super) fn run(&self, admits: impl Fn(u8) -> bool) -> usize {
        self.rest().bytes().take_while(|byte| admits(*byte)).count()
    }

    /// Takes the longest of `symbols` (which are listed long to short) that stands here.
    pub(super) fn symbol(&mut self, symbols: &[&str]) -> Result<(), SearchError> {
        match symbols.iter().find(|symbol| self.rest().starts_with(**symbol)) {
            Some(symbol) => {
                self.push(Kind::Symbol, symbol.len());
                Ok(())
            }
            None => Err(self.error("this character has no place in a query")),
        }
    }

    pub(super) fn error(&self, what: &'static str) -> SearchError {
        SearchError::Syntax { at: self.at, what }
    }
}
