//! A place in a query text: words, symbols and quoted texts are taken off its front.

use super::super::fault::Fault;

/// What is left of a query.
#[derive(Clone, Debug)]
pub(super) struct Scan<'t> {
    text: &'t str,
    rest: &'t str,
    /// Open parentheses and `NOT`s.
    depth: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, rest: text, depth: 0 }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.space();
        self.rest.is_empty()
    }

    /// Takes `symbol` if it comes next.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(symbol);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes `symbol`, which has to come next.
    pub(super) fn must(&mut self, symbol: &str) -> Result<(), Fault> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes the characters that `is_part` admits; nothing when there are none.
    pub(super) fn take(&mut self, is_part: impl Fn(char) -> bool) -> Option<&'t str> {
        self.space();
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).filter(|(taken, _)| !taken.is_empty())?;
        self.rest = rest;
        Some(taken)
    }

    /// Takes letters, digits, `_` and `.`.
    pub(super) fn word(&mut self) -> Option<&'t str> {
        self.take(|c| c.is_alphanumeric() || c == '_' || c == '.')
    }

    /// Takes the word `keyword` in any case if it comes next.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.clone();
        let is_it = self.word().is_some_and(|word| word.eq_ignore_ascii_case(keyword));
        if !is_it {
            *self = before;
        }
        is_it
    }

    /// Takes one character.
    pub(super) fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let next = chars.next();
        self.rest = chars.as_str();
        next
    }

    /// Goes one level down.
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::query(format!("more than {MAX_DEPTH} levels: {}", self.text)));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn unexpected(&self) -> Fault {
        let at = self.text.len() - self.rest.len();
        Fault::query(format!("unexpected token at byte {at}: {} in {}", self.rest, self.text))
    }
}

/// Levels of parentheses and negations.
const MAX_DEPTH: usize = 50;
