//! A TOML document with places: every mistake is noted where it stands, and reading goes on.

use std::{
    collections::BTreeSet,
    ops::{Range, RangeInclusive},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::model::Diagnostic;

/// The text of a map and what was found wrong with it so far.
pub(super) struct Report<'t> {
    file: &'t str,
    text: &'t str,
    found: Vec<(usize, Diagnostic)>,
}

impl<'t> Report<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Notes a mistake at byte `offset`.
    pub(super) fn at(&mut self, offset: usize, what: impl Into<String>, help: impl Into<String>) {
        self.found.push((offset, Diagnostic::at(self.file, self.text, offset, what, help)));
    }

    /// Notes a mistake at byte `inner` of the string that stands at `span`.
    pub(super) fn inside(
        &mut self,
        span: Range<usize>,
        inner: usize,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        self.at(span.start + raw_offset(raw, inner), what, help);
    }

    /// The mistakes in order of their places; empty when there are none.
    pub(super) fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|(offset, _)| *offset);
        self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect()
    }

    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    pub(super) fn line_of(&self, offset: usize) -> usize {
        crate::model::Position::of_offset(self.text, offset).line
    }
}

/// A table being read: keys that nobody asked for are mistakes.
pub(super) struct Section<'d, 't> {
    table: &'d DeTable<'t>,
    /// Where the table stands, for what is missing in it.
    pub(super) start: usize,
    known: BTreeSet<&'static str>,
}

/// A string with its place.
#[derive(Clone)]
pub(super) struct Text<'d> {
    pub(super) value: &'d str,
    pub(super) span: Range<usize>,
}

type Value<'t> = Spanned<DeValue<'t>>;

impl<'d, 't> Section<'d, 't> {
    pub(super) fn new(table: &'d DeTable<'t>, start: usize) -> Self {
        Self { table, start, known: BTreeSet::new() }
    }

    /// The value of `key`.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'d Value<'t>> {
        self.known.insert(key);
        self.table.get(key)
    }

    /// The string at `key`.
    pub(super) fn text(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Text<'d>> {
        self.value(key).and_then(|value| text(value, key, report))
    }

    /// The string at `key`, which must be there.
    pub(super) fn required(&mut self, key: &'static str, help: &str, report: &mut Report<'_>) -> Option<Text<'d>> {
        if self.value(key).is_none() {
            report.at(self.start, format!("`{key}` is missing"), help);
        }
        self.text(key, report)
    }

    /// The strings of the array at `key`; none when it is absent.
    pub(super) fn texts(&mut self, key: &'static str, report: &mut Report<'_>) -> Vec<Text<'d>> {
        match self.value(key) {
            None => Vec::new(),
            Some(value) => match value.get_ref() {
                DeValue::Array(items) => items.iter().filter_map(|item| text(item, key, report)).collect(),
                _ => {
                    report.at(value.span().start, format!("`{key}` is not an array"), "write [\"…\", \"…\"]");
                    Vec::new()
                }
            },
        }
    }

    /// The whole number at `key`, when it is in `range`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
        report: &mut Report<'_>,
    ) -> Option<u32> {
        let value = self.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let inside = number.filter(|number| range.contains(number));
        if inside.is_none() {
            let help = format!("write a whole number from {} to {}", range.start(), range.end());
            report.at(value.span().start, format!("`{key}` is not such a number"), help);
        }
        inside
    }

    /// `true` or `false` at `key`.
    pub(super) fn flag(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<bool> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => {
                report.at(value.span().start, format!("`{key}` is neither true nor false"), "write true or false");
                None
            }
        }
    }

    /// The table at `key`.
    pub(super) fn section(&mut self, key: &'static str, report: &mut Report<'_>) -> Option<Section<'d, 't>> {
        let value = self.value(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(table, value.span().start)),
            _ => {
                report.at(value.span().start, format!("`{key}` is not a table"), format!("write {key} = {{ … }}"));
                None
            }
        }
    }

    /// Every key with its value, in order of the file: for tables whose keys are the user's.
    pub(super) fn entries(&self) -> Vec<(Text<'d>, &'d Value<'t>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| (Text { value: key.get_ref().as_ref(), span: key.span() }, value))
            .collect();
        entries.sort_by_key(|(key, _)| key.span.start);
        entries
    }

    /// Notes every key that was not asked for.
    pub(super) fn close(self, report: &mut Report<'_>) {
        let known: Vec<String> = self.known.iter().map(|key| format!("`{key}`")).collect();
        for (key, _) in self.entries() {
            if !self.known.contains(key.value) {
                let what = format!("unknown key `{}`", key.value);
                report.at(key.span.start, what, format!("the keys here are {}", known.join(", ")));
            }
        }
    }
}

/// `value` as a string.
pub(super) fn text<'d>(value: &'d Value<'_>, key: &str, report: &mut Report<'_>) -> Option<Text<'d>> {
    match value.get_ref() {
        DeValue::String(string) => Some(Text { value: string, span: value.span() }),
        _ => {
            report.at(value.span().start, format!("`{key}` is not a string"), "write it in quotes");
            None
        }
    }
}

/// Where byte `inner` of a decoded TOML string or key stands in its source `raw`, quotes included.
fn raw_offset(raw: &str, inner: usize) -> usize {
    let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else { return inner.min(raw.len()) };
    let triple = quote.to_string().repeat(3);
    let mut at = if raw.starts_with(&triple) && raw.len() >= 6 { 3 } else { 1 };
    let mut decoded = 0;
    while decoded < inner {
        let Some(c) = raw.get(at..).and_then(|tail| tail.chars().next()) else { return raw.len() };
        if c == '\\' && quote == '"' {
            let escape = raw.get(at + 1..).and_then(|tail| tail.chars().next()).unwrap_or(' ');
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let hex = raw.get(at + 2..at + 2 + digits).unwrap_or_default();
            let code = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32);
            decoded += code.map_or(1, char::len_utf8);
            at += 2 + digits;
        } else {
            decoded += c.len_utf8();
            at += c.len_utf8();
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_inside_strings_skip_quotes_and_escapes() {
        for (raw, inner, at) in [
            ("abc", 2, 2),
            ("'abc'", 2, 3),
            ("\"abc\"", 0, 1),
            ("\"\"\"abc\"\"\"", 1, 4),
            (r#""a\"b""#, 2, 4),
            (r#""a\u00e9b""#, 3, 8),
            ("'aéb'", 3, 4),
        ] {
            assert_eq!(raw_offset(raw, inner), at, "{raw} {inner}");
        }
    }
}
