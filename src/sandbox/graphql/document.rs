//! Just enough of the query language for the sample CRM: a document in, what it selects out, aliases kept and fragments written out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A selected field.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) arguments: Value,
    pub(super) selected: Vec<Selected>,
}

/// What the operation `wanted` of `text` selects; nothing when the text is not understood.
pub(super) fn parse(text: &str, wanted: Option<&str>, variables: &Value) -> Option<Vec<Selected>> {
    let mut words = words(text)?;
    words.reverse();
    let mut parser = Parser { words, variables, fragments: BTreeMap::new() };
    let mut operations = Vec::new();
    while let Some(word) = parser.words.last().cloned() {
        match word.as_str() {
            "fragment" => {
                parser.words.pop();
                let name = parser.words.pop()?;
                parser.expect("on")?;
                parser.words.pop()?;
                let items = parser.items()?;
                parser.fragments.insert(name, items);
            }
            "query" | "mutation" => {
                parser.words.pop();
                let name = parser.words.last().filter(|word| *word != "{" && *word != "(").cloned();
                // Variables are taken as they come, whatever their types say.
                while parser.words.last()? != "{" {
                    parser.words.pop();
                }
                operations.push((name, parser.items()?));
            }
            _ => operations.push((None, parser.items()?)),
        }
    }
    let at = match wanted {
        Some(wanted) => operations.iter().position(|(name, _)| name.as_deref() == Some(wanted))?,
        None => 0,
    };
    let (_, items) = operations.into_iter().nth(at)?;
    let mut selected = Vec::new();
    parser.expand(&items, &mut selected);
    Some(selected)
}

/// A part of a selection, fragments not written out.
#[derive(Debug, Clone)]
enum Item {
    Field(String, String, Value, Vec<Item>),
    Spread(String),
    Inline(Vec<Item>),
}

struct Parser<'v> {
    /// The last comes next.
    words: Vec<String>,
    variables: &'v Value,
    fragments: BTreeMap<String, Vec<Item>>,
}

impl Parser<'_> {
    fn next_is(&mut self, word: &str) -> bool {
        let is = self.words.last().is_some_and(|next| next == word);
        if is {
            self.words.pop();
        }
        is
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.next_is(word).then_some(())
    }

    fn items(&mut self) -> Option<Vec<Item>> {
        self.expect("{")?;
        let mut items = Vec::new();
        while !self.next_is("}") {
            if self.next_is("...") {
                if self.next_is("on") {
                    self.words.pop()?;
                } else if self.words.last()? != "{" {
                    items.push(Item::Spread(self.words.pop()?));
                    continue;
                }
                items.push(Item::Inline(self.items()?));
                continue;
            }
            let key = self.words.pop()?;
            let name = if self.next_is(":") { self.words.pop()? } else { key.clone() };
            let arguments = if self.next_is("(") { self.members(")")? } else { Map::new() };
            let inner = if self.words.last().is_some_and(|word| word == "{") { self.items()? } else { Vec::new() };
            items.push(Item::Field(key, name, Value::Object(arguments), inner));
        }
        Some(items)
    }

    fn members(&mut self, end: &str) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        while !self.next_is(end) {
            let name = self.words.pop()?;
            self.expect(":")?;
            members.insert(name, self.value()?);
        }
        Some(members)
    }

    fn value(&mut self) -> Option<Value> {
        let word = self.words.pop()?;
        match word.as_str() {
            "$" => {
                let name = self.words.pop()?;
                Some(self.variables.get(&name).cloned().unwrap_or_default())
            }
            "{" => self.members("}").map(Value::Object),
            "[" => {
                let mut items = Vec::new();
                while !self.next_is("]") {
                    items.push(self.value()?);
                }
                Some(Value::Array(items))
            }
            other => Some(serde_json::from_str(other).unwrap_or_else(|_| Value::from(other))),
        }
    }

    fn expand(&self, items: &[Item], out: &mut Vec<Selected>) {
        for item in items {
            match item {
                Item::Field(key, name, arguments, inner) => {
                    let at = match out.iter().position(|known| known.key == *key) {
                        Some(at) => at,
                        None => {
                            let (key, name, arguments) = (key.clone(), name.clone(), arguments.clone());
                            out.push(Selected { key, name, arguments, selected: Vec::new() });
                            out.len() - 1
                        }
                    };
                    if let Some(field) = out.get_mut(at) {
                        self.expand(inner, &mut field.selected);
                    }
                }
                Item::Spread(name) => self.expand(self.fragments.get(name).map_or(&[], Vec::as_slice), out),
                Item::Inline(items) => self.expand(items, out),
            }
        }
    }
}

/// Names, numbers, texts in their quotes, and marks.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let Some(first) = rest.chars().next() else { return Some(words) };
        let length = match first {
            '#' => {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
                continue;
            }
            '.' => 3,
            '"' => {
                let mut escaped = false;
                let end = rest.char_indices().skip(1).find(|(_, c)| {
                    let ends = *c == '"' && !escaped;
                    escaped = *c == '\\' && !escaped;
                    ends
                });
                end?.0 + 1
            }
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+')))
                .unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        words.push(rest.get(..length)?.to_owned());
        rest = rest.get(length..)?;
    }
}
