//! A dotted key in; the place it stands on in the TOML text out.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::model::{Diagnostic, Problem};

/// Finds keys in one text.
pub(super) struct Locator<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> Locator<'a> {
    pub(super) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    /// The diagnostic of `problem`: at its key, else at the longest part of the key that is there.
    pub(super) fn diagnose(&self, problem: &Problem) -> Diagnostic {
        let offset = DeTable::parse(self.text).ok().and_then(|table| offset_of(table.get_ref(), &problem.path));
        match offset {
            Some(offset) => Diagnostic::at(self.file, self.text, offset, &problem.what, &problem.help),
            None => Diagnostic::of_file(self.file, format!("`{}`: {}", problem.path, problem.what), &problem.help),
        }
    }

    /// A mistake at byte `offset`.
    pub(super) fn at(&self, offset: usize, what: &str, help: &str) -> Diagnostic {
        Diagnostic::at(self.file, self.text, offset, what, help)
    }

    /// A mistake of the whole file.
    pub(super) fn whole(&self, problem: &Problem) -> Diagnostic {
        Diagnostic::of_file(self.file, &problem.what, &problem.help)
    }

    /// The diagnostic of a TOML error.
    pub(super) fn syntax(&self, error: &toml::de::Error, help: &str) -> Diagnostic {
        let what = error.message().lines().collect::<Vec<_>>().join("; ");
        Diagnostic::at(self.file, self.text, error.span().map_or(0, |span| span.start), what, help)
    }
}

fn offset_of(table: &DeTable<'_>, path: &str) -> Option<usize> {
    let mut parts = path.split('.').filter(|part| !part.is_empty());
    let (key, value) = entry(table, parts.next()?)?;
    let (mut at, mut value) = (key.span().start, value);
    for part in parts {
        match value.get_ref() {
            DeValue::Table(table) => match entry(table, part) {
                Some((key, inner)) => (at, value) = (key.span().start, inner),
                None => break,
            },
            DeValue::Array(items) => match part.parse::<usize>().ok().and_then(|index| items.get(index)) {
                Some(inner) => (at, value) = (inner.span().start, inner),
                None => break,
            },
            _ => break,
        }
    }
    Some(at)
}

type Entry<'t, 'a> = (&'t Spanned<toml::de::DeString<'a>>, &'t Spanned<DeValue<'a>>);

fn entry<'t, 'a>(table: &'t DeTable<'a>, name: &str) -> Option<Entry<'t, 'a>> {
    table.iter().find(|(key, _)| key.get_ref() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_tables_and_arrays_of_tables() {
        let text = "[identity]\nleeway = 1\n[[identity.jwt]]\nname = 'a'\n[[identity.jwt]]\nname = 'b'\n";
        let place = |path: &str| {
            let shown = Locator::new("f", text).diagnose(&Problem::new(path, "w", "h"));
            shown.position.map(|at| (at.line, at.column))
        };
        assert_eq!(place("identity.leeway"), Some((2, 1)));
        assert_eq!(place("identity.jwt.1.name"), Some((6, 1)));
        assert_eq!(place("identity.jwt.1.missing"), Some((5, 1)));
        assert_eq!(place("nothing"), None);
    }
}
