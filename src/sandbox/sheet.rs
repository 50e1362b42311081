//! Customers in other formats than JSON, as the feeds of a CRM send them: rows, lines, events, a SOAP answer.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sheet {
    /// A list in one JSON text.
    List,
    /// NDJSON.
    Lines,
    /// CSV with commas and CR LF.
    Table,
    /// An event stream.
    Events,
    /// A SOAP answer.
    Envelope,
}

impl Sheet {
    /// The feed of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "customers.ndjson" => Self::Lines,
            "customers.csv" => Self::Table,
            "customers.events" => Self::Events,
            "customers.xml" => Self::Envelope,
            _ => return None,
        })
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::List => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Table => "text/csv; charset=utf-8",
            Self::Events => "text/event-stream",
            Self::Envelope => "text/xml; charset=utf-8",
        }
    }

    /// What comes before the first of `records`.
    pub(super) fn opening(self, records: &[Value]) -> String {
        match self {
            Self::List => "{\"items\":[".to_owned(),
            Self::Lines | Self::Events => String::new(),
            Self::Table => row(columns(records).iter().map(String::as_str)),
            Self::Envelope => "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope \
                               xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:crm\">\
                               <soap:Body><result>\n"
                .to_owned(),
        }
    }

    pub(super) fn separator(self) -> &'static str {
        if self == Self::List { "," } else { "" }
    }

    pub(super) fn closing(self) -> &'static str {
        match self {
            Self::List => "]}",
            Self::Envelope => "</result></soap:Body></soap:Envelope>\n",
            Self::Lines | Self::Table | Self::Events => "",
        }
    }

    /// Each of `records`.
    pub(super) fn render(self, records: &[Value]) -> Vec<String> {
        let columns = columns(records);
        let one = |record: &Value| match self {
            Self::List => record.to_string(),
            Self::Lines => format!("{record}\n"),
            Self::Events => {
                let id = record.get("id").and_then(Value::as_str).unwrap_or_default();
                format!("event: customer\nid: {id}\ndata: {record}\n\n")
            }
            Self::Table => {
                let mut cells = Map::new();
                flatten("", record, &mut cells);
                row(columns.iter().map(|name| cells.get(name).and_then(Value::as_str).unwrap_or_default()))
            }
            Self::Envelope => {
                let id = record.get("id").and_then(Value::as_str).unwrap_or_default();
                let mut text = format!("  <customer ref=\"{}\">", escaped(id));
                elements(record, &mut text);
                text + "</customer>\n"
            }
        };
        records.iter().map(one).collect()
    }
}

/// Every column that some record has: members by their path.
fn columns(records: &[Value]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for record in records {
        let mut cells = Map::new();
        flatten("", record, &mut cells);
        names.extend(cells.into_iter().map(|(name, _)| name));
    }
    names.into_iter().collect()
}

fn flatten(path: &str, value: &Value, cells: &mut Map<String, Value>) {
    let text = match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, cells);
            }
            return;
        }
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().map_or(item.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("; "),
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    cells.insert(path.to_owned(), text.into());
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    };
    cells.map(quoted).collect::<Vec<_>>().join(",") + "\r\n"
}

fn elements(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                for item in items {
                    text.push_str(&format!("<{name}>"));
                    elements(item, text);
                    text.push_str(&format!("</{name}>"));
                }
            }
        }
        Value::Null => {}
        Value::String(content) => text.push_str(&escaped(content)),
        other => text.push_str(&other.to_string()),
    }
}

/// Text of XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
