//! The export stream: customers rendered once, then copied with their ids spliced in, in chunks, without ever holding the body.

use serde_json::{Map, Value};

use super::call::Call;
use super::customers::show;
use super::records::Table;
use super::sheet::Sheet;
use super::store::text;

/// The chunks of one export.
#[derive(Debug)]
pub(super) struct Export {
    sheet: Sheet,
    opening: String,
    records: Vec<Rendered>,
    /// Records to send and records sent.
    count: u64,
    sent: u64,
    /// Where the next record stands in `records`, and how often the list was used up.
    at: usize,
    round: u64,
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Opening,
    Records,
    Done,
}

/// One record as text, cut where its id stands.
#[derive(Debug)]
struct Rendered {
    id: String,
    parts: Vec<String>,
}

impl Export {
    /// `count` of `customers` in order and from the start again; from the second round on, ids get the number of the round
    /// (`C-1001-2`), so that each id comes once.
    pub(super) fn new(call: &Call, sheet: Sheet, customers: &Table, count: u64) -> Self {
        let marked = |record: &Map<String, Value>| {
            let mut marked = record.clone();
            marked.insert("id".into(), Value::from(ID_MARK));
            show(call, &marked)
        };
        let shown: Vec<Value> = customers.values().map(marked).collect();
        let parts = |text: String| text.split(ID_MARK).map(String::from).collect();
        let texts = sheet.render(&shown).into_iter();
        let records: Vec<Rendered> = customers
            .values()
            .zip(texts)
            .map(|(record, text_of)| Rendered { id: String::from(text(record, "id")), parts: parts(text_of) })
            .collect();
        let count = if records.is_empty() { 0 } else { count };
        Self { sheet, opening: sheet.opening(&shown), records, count, sent: 0, at: 0, round: 1, state: State::Opening }
    }

    /// The next chunk of about [`CHUNK_BYTES`]; nothing after the last one.
    pub(super) fn chunk(&mut self) -> Option<Vec<u8>> {
        if self.state == State::Done {
            return None;
        }
        let mut out = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        if self.state == State::Opening {
            out.extend_from_slice(self.opening.as_bytes());
            self.state = State::Records;
        }
        while self.sent < self.count && out.len() < CHUNK_BYTES {
            self.record(&mut out);
        }
        if self.sent == self.count {
            out.extend_from_slice(self.sheet.closing().as_bytes());
            self.state = State::Done;
        }
        Some(out)
    }

    fn record(&mut self, out: &mut Vec<u8>) {
        let suffix = if self.round == 1 { String::new() } else { format!("-{}", self.round) };
        if let Some(record) = self.records.get(self.at) {
            if self.sent > 0 {
                out.extend_from_slice(self.sheet.separator().as_bytes());
            }
            for (place, part) in record.parts.iter().enumerate() {
                if place > 0 {
                    out.extend_from_slice(record.id.as_bytes());
                    out.extend_from_slice(suffix.as_bytes());
                }
                out.extend_from_slice(part.as_bytes());
            }
        }
        self.sent += 1;
        self.at += 1;
        if self.at >= self.records.len() {
            self.at = 0;
            self.round += 1;
        }
    }
}

/// Stands for the id while a record is rendered.
const ID_MARK: &str = "@@record-id@@";

/// Bytes after which a chunk is sent: large enough that per-chunk work does not show, small beside any window.
const CHUNK_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    use super::super::people::generate;
    use super::*;

    fn export(customers: usize, count: u64) -> Export {
        let call = Call {
            method: Method::GET,
            target: "/api/v1/export/customers".into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            origin: "https://crm.example".into(),
        };
        Export::new(&call, Sheet::List, &generate(3, customers).customers, count)
    }

    fn all(mut export: Export) -> Vec<u8> {
        std::iter::from_fn(|| export.chunk()).flatten().collect()
    }

    #[test]
    fn each_id_comes_once_and_links_follow_it() {
        let body: Value = serde_json::from_slice(&all(export(3, 7))).unwrap();
        let ids: Vec<&str> =
            body["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["C-1001", "C-1002", "C-1003", "C-1001-2", "C-1002-2", "C-1003-2", "C-1001-3"]);
        assert_eq!(body["items"][3]["self"], "https://crm.example/api/v1/customers/C-1001-2");
    }

    #[test]
    fn chunks_stay_small_however_many_records_there_are() {
        let mut export = export(50, 20_000);
        let mut total = 0;
        while let Some(chunk) = export.chunk() {
            assert!(chunk.len() < CHUNK_BYTES + 8_192);
            total += chunk.len();
        }
        assert!(total > 100 * CHUNK_BYTES);
    }

    #[test]
    fn nothing_to_export_is_an_empty_list() {
        assert_eq!(all(export(0, 5)), b"{\"items\":[]}");
        assert_eq!(all(export(2, 0)), b"{\"items\":[]}");
    }
}
