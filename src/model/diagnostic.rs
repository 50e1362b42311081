//! What is wrong with a configuration and what to do about it: two lines and a place.

use std::fmt;

/// A place in a file; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// The place of byte `offset` in `text`; past the end counts as the end.
    #[must_use]
    pub fn of_offset(text: &str, offset: usize) -> Self {
        let before = text.get(..offset.min(text.len())).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(start..).map_or(0, |tail| tail.chars().count()) + 1;
        Self { line, column }
    }
}

/// One mistake in one file, as `fieldgate check` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the user named it.
    pub file: String,
    /// Where in the file; absent when the file as a whole is meant.
    pub position: Option<Position>,
    /// The source line, when there is one to show. Never a line of a file that holds secrets.
    pub line: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Diagnostic {
    /// A mistake of a whole file.
    pub fn of_file(file: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { file: file.into(), position: None, line: None, what: what.into(), help: help.into() }
    }

    /// A mistake at byte `offset` of `text`.
    pub fn at(
        file: impl Into<String>,
        text: &str,
        offset: usize,
        what: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        let position = Position::of_offset(text, offset);
        Self {
            file: file.into(),
            position: Some(position),
            line: text.lines().nth(position.line - 1).map(str::to_owned),
            what: what.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)?;
        if let Some(line) = &self.line {
            write!(f, "\n    {}", line.trim())?;
        }
        write!(f, "\n  help: {}", self.help)
    }
}

/// A mistake found by a part in its own settings, before anyone knows which line it stands on.
///
/// `path` is the dotted key, with indices for arrays of tables: `identity.jwt.0.issuer`; `config` turns it into a
/// [`Diagnostic`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The dotted key.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: String,
}

impl Problem {
    /// A mistake at the key `path`.
    pub fn new(path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into(), help: help.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnostic_names_place_line_and_remedy() {
        let text = "[gateway]\nnmae = 'x'\n";
        let shown = Diagnostic::at("fieldgate.toml", text, 10, "unknown key `nmae`", "write `name`").to_string();
        assert_eq!(shown, "fieldgate.toml:2:1: unknown key `nmae`\n    nmae = 'x'\n  help: write `name`");
    }
}
