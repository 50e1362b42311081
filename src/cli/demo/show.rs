//! What the demo prints: tables and colours, and colours only where there is a terminal.

use std::io::IsTerminal;

use serde_json::Value;

use crate::protect;

/// The colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

/// How a value is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Strong,
    Dim,
    Revealed,
    Hidden,
    Bad,
}

impl Paint {
    /// Colours when standard output is a terminal and `NO_COLOR` is not set.
    pub(super) fn new() -> Self {
        Self(std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none())
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Dim => "2",
            Tone::Revealed => "32",
            Tone::Hidden => "33",
            Tone::Bad => "31",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn title(self, text: &str) {
        println!("\n{}", self.paint(Tone::Strong, text));
    }

    /// Fields in rows, callers in columns; a value that is what the CRM holds is green, a stand-in yellow.
    pub(super) fn table(self, callers: &[&str], truth: &Value, seen: &[Value], fields: &[&str]) {
        let width = |column: usize| if column == 0 { 16 } else { COLUMN };
        let mut line = pad("", width(0));
        for caller in callers {
            line.push_str(&pad(caller, COLUMN));
        }
        println!("  {}", self.paint(Tone::Strong, line.trim_end()));
        for field in fields {
            let mut line = pad(field, width(0));
            let held = truth.pointer(field);
            for answer in seen {
                let value = answer.pointer(field);
                let shown = value.map_or_else(|| "–".to_owned(), plain);
                let tone = match value {
                    None => Tone::Dim,
                    Some(_) if value == held => Tone::Revealed,
                    Some(Value::String(text)) if protect::is_stand_in(text) => Tone::Hidden,
                    Some(_) => Tone::Hidden,
                };
                line.push_str(&self.paint(tone, &pad(&shown, COLUMN)));
            }
            println!("  {}", line.trim_end());
        }
    }
}

/// Width of a caller's column, in characters.
const COLUMN: usize = 30;

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn pad(text: &str, width: usize) -> String {
    let mut out: String = text.trim_start_matches('/').replace('/', ".").chars().take(width - 2).collect();
    if text.chars().count() > width - 2 {
        out.pop();
        out.push('…');
    }
    let count = out.chars().count();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(count)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_wide_as_their_column_and_say_when_they_are_cut() {
        assert_eq!(pad("abc", 6), "abc   ");
        assert_eq!(pad(&"x".repeat(40), 10).chars().count(), 10);
        assert!(pad(&"x".repeat(40), 10).contains('…'));
    }
}
