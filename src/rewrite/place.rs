//! Where in a document the reader is, as a normalised JSONPath for messages.

use std::fmt::Write;

use crate::formats::{Side, Trace};

/// The open objects and arrays.
#[derive(Debug, Default)]
pub(super) struct Place {
    open: Vec<Step>,
    /// How many were open when each open record began.
    records: Vec<usize>,
}

#[derive(Debug)]
struct Step {
    object: bool,
    /// The member that comes next or is being read.
    name: Option<String>,
    index: u64,
}

impl Place {
    /// Follows the document.
    pub(super) fn trace(&mut self, event: Trace<'_>) {
        match event {
            Trace::Object | Trace::Array => {
                self.open.push(Step { object: matches!(event, Trace::Object), name: None, index: 0 });
            }
            Trace::Name { name, .. } => {
                if let Some(step) = self.open.last_mut() {
                    step.name = Some(name.to_owned());
                }
            }
            Trace::Element(index) => {
                if let Some(step) = self.open.last_mut() {
                    step.index = index;
                }
            }
            Trace::Close => {
                self.open.pop();
            }
            Trace::End(_) => {}
        }
    }

    /// Follows the records, each of which starts before its own object or array does.
    pub(super) fn record(&mut self, side: Side) {
        match side {
            Side::Start => self.records.push(self.open.len()),
            Side::End => drop(self.records.pop()),
        }
    }

    /// Whether an array is open within the innermost record, or within the document where there is none.
    pub(super) fn in_array(&self) -> bool {
        let record = self.records.last().copied().unwrap_or_default();
        self.open.iter().skip(record).any(|step| !step.object)
    }

    /// Whether nothing is open.
    pub(super) fn is_root(&self) -> bool {
        self.open.is_empty()
    }

    /// The normalised path (RFC 9535 §2.7) of what is being read, with the short spelling where a name allows it.
    pub(super) fn path(&self) -> String {
        let mut path = String::from("$");
        for step in &self.open {
            match &step.name {
                Some(name) if step.object && is_shorthand(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Some(name) if step.object => {
                    let _ = write!(path, "['{}']", name.replace('\\', "\\\\").replace('\'', "\\'"));
                }
                _ => {
                    let _ = write!(path, "[{}]", step.index);
                }
            }
        }
        path
    }
}

fn is_shorthand(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}
