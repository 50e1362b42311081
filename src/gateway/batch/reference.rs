//! References from one call of a batch to what another one makes: `$1` (OData) and `@{ref.field}` (Salesforce). The CRM puts the
//! value in, so nobody here sees it: only the id of a record may move so, and never to where something protected is.

use http::StatusCode;

use super::{Inner, Item, place::Place};
use crate::{
    gateway::{call::Call, exchange::Stage, respond::Refusal},
    model::{Batch, Step},
    rewrite::{Layout, LeafPlace, elements, members},
};

/// The references that one call holds.
#[derive(Debug, Default)]
pub(super) struct References {
    /// In the URL: what stands for it, and the reference itself.
    url: Vec<(String, String)>,
    written: String,
    looks: bool,
    /// Ids of calls that OData may refer to.
    ids: Vec<String>,
}

impl References {
    /// Finds those of `item`'s URL, and refuses each that names anything but the id of a record.
    pub(super) fn of(kind: Batch, item: &Item, before: &[Inner]) -> Stage<Self> {
        let mut found = Self { written: item.url.clone(), ..Self::default() };
        match kind {
            Batch::SalesforceBatch => {}
            Batch::OData => {
                found.ids = before.iter().filter_map(|inner| inner.item.id.clone()).collect();
                found.no_values(&item.url)?;
            }
            Batch::SalesforceComposite => {
                found.looks = true;
                found.composite(item, before)?;
            }
        }
        Ok(found)
    }

    /// `$1/Name` in a query takes a value of an answer (OData 4.01 Part 1 §11.7.7.4).
    fn no_values(&self, url: &str) -> Stage<()> {
        let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned();
        let values = decoded.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        if values.into_iter().any(|value| self.ids.iter().any(|id| names(value, id))) {
            return Err(refused("a query cannot refer to the answer of another request"));
        }
        Ok(())
    }

    fn composite(&mut self, item: &Item, before: &[Inner]) -> Stage<()> {
        let decoded = percent_encoding::percent_decode_str(&item.url).decode_utf8_lossy();
        let (spans, hidden) = (spans(&item.url)?, spans(&decoded)?);
        if spans.len() != hidden.len() {
            return Err(refused("a reference in the URL is percent-encoded; write it as it is"));
        }
        if item.headers.values().any(|value| value.as_bytes().windows(2).any(|pair| pair == b"@{")) {
            return Err(refused("a header cannot hold a reference"));
        }
        let mut written = String::new();
        let mut rest = item.url.as_str();
        for span in spans {
            check(span, before)?;
            let Some((plain, after)) = rest.split_once(span) else { continue };
            let standin = fresh(&item.url, self.url.len());
            written.push_str(plain);
            written.push_str(&standin);
            self.url.push((standin, span.to_owned()));
            rest = after;
        }
        written.push_str(rest);
        self.written = written;
        Ok(())
    }

    /// The URL with something that a path can hold in place of each reference.
    pub(super) fn url(&self) -> &str {
        &self.written
    }

    /// What stands in place of references.
    pub(super) fn standins(&self) -> impl Iterator<Item = &str> {
        self.url.iter().map(|(standin, _)| standin.as_str())
    }

    /// A record that is named by a reference is not known by an id.
    pub(super) fn check_target(&self, call: &mut Call) -> Stage<()> {
        let held = |text: &str| self.url.iter().any(|(standin, _)| text.contains(standin.as_str()));
        if call.matched.protected.iter().any(|(_, value)| held(value.expose())) {
            return Err(refused("a reference stands where a protected value is looked for"));
        }
        if call.matched.subject.as_ref().is_some_and(|subject| held(subject.expose())) {
            call.matched.subject = None;
        }
        Ok(())
    }

    /// Refuses what `body` may not hold: a reference to anything but the id of a record, and one in a protected field, where
    /// what the CRM puts there would be stored in clear.
    pub(super) fn check_body(&self, layout: &Layout, body: &[u8], before: &[Inner]) -> Stage<()> {
        if body.is_empty() || (self.ids.is_empty() && !self.looks) {
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(body) else { return Ok(()) };
        self.leaves(layout, text, &mut Vec::new(), before)
    }

    /// Every string below `text`. A member that comes twice is refused: a tree would hold one of them, and the CRM the other.
    fn leaves(&self, layout: &Layout, text: &str, path: &mut Vec<Step>, before: &[Inner]) -> Stage<()> {
        if path.len() > MAX_DEPTH {
            return Err(refused("the body is nested too deeply to be searched for references"));
        }
        let unreadable =
            |_| refused("the body cannot be searched for references: it is no JSON, or a member comes twice");
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        match text.as_bytes().first() {
            Some(b'{') => {
                for (name, value) in members(text).map_err(unreadable)? {
                    if self.looks && name.contains("@{") {
                        return Err(refused("the name of a member cannot hold a reference"));
                    }
                    path.push(Step::Name(name));
                    self.leaves(layout, value, path, before)?;
                    path.pop();
                }
            }
            Some(b'[') => {
                for (index, value) in elements(text).map_err(unreadable)?.into_iter().enumerate() {
                    path.push(Step::Index(index as u64));
                    self.leaves(layout, value, path, before)?;
                    path.pop();
                }
            }
            Some(b'"') => {
                let Ok(text) = serde_json::from_str::<String>(text) else { return Ok(()) };
                self.leaf(layout, &text, path, before)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn leaf(&self, layout: &Layout, text: &str, path: &[Step], before: &[Inner]) -> Stage<()> {
        let below = |id: &String| text.strip_prefix('$')?.strip_prefix(id.as_str())?.strip_prefix('/');
        if self.ids.iter().any(|id| below(id).is_some()) {
            return Err(refused("a body cannot refer to a value of another request's answer"));
        }
        if !self.looks || !text.contains("@{") {
            return Ok(());
        }
        spans(text)?.into_iter().try_for_each(|span| check(span, before))?;
        if layout.place(path) == LeafPlace::Plain {
            return Ok(());
        }
        Err(refused("a reference stands in a protected field; send the value itself"))
    }

    /// `target` with each reference back in its place; `None` when one of them is not there once.
    pub(super) fn restore(&self, target: &str) -> Option<String> {
        let mut target = target.to_owned();
        for (standin, reference) in &self.url {
            if target.matches(standin.as_str()).count() != 1 {
                return None;
            }
            target = target.replace(standin.as_str(), reference);
        }
        Some(target)
    }
}

/// The place of a URL that starts with `$` and `rest`; `None` when that names no call.
pub(super) fn odata(rest: &str, item: &Item, before: &[Inner]) -> Stage<Option<Place>> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (id, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let same = |inner: &&Inner| inner.item.id.as_deref() == Some(id);
    // Within its change set, else among the calls that stand alone.
    let named = before.iter().filter(same).find(|inner| inner.item.set == item.set);
    let Some(named) = named.or_else(|| before.iter().filter(same).find(|inner| inner.item.set.is_none())) else {
        return match id {
            "metadata" | "batch" | "all" | "entity" | "crossjoin" => Ok(None),
            _ => Err(refused("the URL refers to a request that is not in the batch before it")),
        };
    };
    if named.call.matched.target.contains(STANDIN_ID) || named.item.url.starts_with('$') {
        return Err(refused("a reference to a request that is a reference itself is not served"));
    }
    let path = named.call.matched.target.split('?').next().unwrap_or_default();
    let record =
        if named.item.method == http::Method::POST { format!("{path}({STANDIN_ID})") } else { path.to_owned() };
    Ok(Some(Place::below(record, &format!("${id}"), rest)))
}

/// Open objects and arrays of a body that is searched for references.
const MAX_DEPTH: usize = 128;

/// Stands for the id of a record that the CRM is about to make.
pub(super) const STANDIN_ID: &str = "00000000-0000-0000-0000-00f1e1d9a7e0";

/// Whether `$id` is in `text` as a word.
fn names(text: &str, id: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '~');
    text.match_indices('$').any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        rest.strip_prefix(id).is_some_and(|after| !after.starts_with(word))
    })
}

/// Every `@{…}` of `text`, braces included.
fn spans(text: &str) -> Stage<Vec<&str>> {
    let (mut spans, mut rest) = (Vec::new(), text);
    while let Some(start) = rest.find("@{") {
        let tail = rest.get(start..).unwrap_or_default();
        let Some(end) = tail.find('}') else { return Err(refused("a reference has no closing brace")) };
        let (span, after) = tail.split_at_checked(end + 1).unwrap_or((tail, ""));
        spans.push(span);
        rest = after;
    }
    Ok(spans)
}

/// Whether `span` names the id of a record in the answer of an earlier call.
fn check(span: &str, before: &[Inner]) -> Stage<()> {
    let inner = span.strip_prefix("@{").and_then(|span| span.strip_suffix('}')).unwrap_or_default();
    let unclear = || refused("a reference is not of the form `@{reference.field}`");
    let (id, field) = inner.split_once('.').ok_or_else(unclear)?;
    let Some(named) = before.iter().find(|call| call.item.id.as_deref() == Some(id)) else {
        return Err(refused("a reference names a request that is not in the batch before it"));
    };
    let path = steps(field).ok_or_else(unclear)?;
    if named.call.route.response.place(&path) == LeafPlace::Record {
        return Ok(());
    }
    Err(refused(
        "a reference may name only what the API map says is the id of a record (`response.subject`): any other value would \
         move inside the CRM unseen",
    ))
}

/// `records[0].Id` as steps.
fn steps(field: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for piece in field.split('.') {
        let name = piece.split('[').next().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return None;
        }
        steps.push(Step::Name(name.to_owned()));
        let mut rest = piece.get(name.len()..)?;
        while !rest.is_empty() {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

/// Letters and digits that are not in `url`.
fn fresh(url: &str, number: usize) -> String {
    let mut salt = 0_u32;
    loop {
        let standin = format!("fgref{number}x{salt:04}");
        if !url.contains(&standin) {
            return standin;
        }
        salt += 1;
    }
}

pub(super) fn refused(detail: &str) -> Box<Refusal> {
    Box::new(Refusal::new("batch_reference", StatusCode::UNPROCESSABLE_ENTITY, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_read() {
        assert_eq!(spans("a@{x.id}b@{y.z[0].id}").unwrap(), ["@{x.id}", "@{y.z[0].id}"]);
        assert!(spans("a@{x.id").is_err());
        let name = |name: &str| Step::Name(name.to_owned());
        assert_eq!(steps("records[12].Id"), Some(vec![name("records"), Step::Index(12), name("Id")]));
        for bad in ["", "a..b", "a[x]", "a[0", "a]", "*", "a['b']", "a[-1]"] {
            assert_eq!(steps(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_dollar_reference_is_a_whole_word() {
        assert!(names("Name eq $1/Name", "1") && names("$1", "1") && names("x($1)", "1"));
        assert!(!names("$10", "1") && !names("$select", "sel") && !names("1", "1"));
    }

    #[test]
    fn a_standin_is_not_in_the_url() {
        assert_eq!(fresh("/a/fgref0x0000", 0), "fgref0x0001");
    }
}
