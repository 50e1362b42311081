//! Batches that are JSON: Salesforce `/composite` and `/composite/batch`, and OData's `{"requests":[…]}` (OData JSON 4.01 §19).

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{
    Fault, Inner, Item, MAX_CALLS,
    answer::{Of, Reply, Viewed},
    multipart::is_id,
    spelled,
};
use crate::{
    model::Batch,
    rewrite::{elements, members, quote, string},
};

/// Names of the members.
#[derive(Debug)]
struct Shape {
    requests: &'static str,
    id: Option<&'static str>,
    body: &'static str,
    headers: Option<&'static str>,
    /// Texts that say how calls hang together, passed on.
    group: Option<&'static str>,
    depends: Option<&'static str>,
    /// Switches of the batch, passed on.
    switches: &'static [&'static str],
    most: usize,
    replies: &'static str,
    status: &'static str,
    reply_body: &'static str,
}

static COMPOSITE: Shape = Shape {
    requests: "compositeRequest",
    id: Some("referenceId"),
    body: "body",
    headers: Some("httpHeaders"),
    group: None,
    depends: None,
    switches: &["allOrNone", "collateSubrequests"],
    most: 25,
    replies: "compositeResponse",
    status: "httpStatusCode",
    reply_body: "body",
};

static SALESFORCE_BATCH: Shape = Shape {
    requests: "batchRequests",
    id: None,
    body: "richInput",
    headers: None,
    group: None,
    depends: None,
    switches: &["haltOnError"],
    most: 25,
    replies: "results",
    status: "statusCode",
    reply_body: "result",
};

static ODATA: Shape = Shape {
    requests: "requests",
    id: Some("id"),
    body: "body",
    headers: Some("headers"),
    group: Some("atomicityGroup"),
    depends: Some("dependsOn"),
    switches: &[],
    most: MAX_CALLS,
    replies: "responses",
    status: "status",
    reply_body: "body",
};

/// A JSON batch without its calls.
#[derive(Debug)]
pub(super) struct Wrap {
    shape: &'static Shape,
    /// Switches as they were set.
    switches: Vec<(String, String)>,
}

impl Wrap {
    /// Unwraps `body`.
    pub(super) fn open(kind: Batch, body: &[u8]) -> Result<(Self, Vec<Item>), Fault> {
        let shape = match kind {
            Batch::OData => &ODATA,
            Batch::SalesforceComposite => &COMPOSITE,
            Batch::SalesforceBatch => &SALESFORCE_BATCH,
        };
        let text = std::str::from_utf8(body).map_err(|_| Fault::Json(None))?;
        let (mut wrap, mut list) = (Self { shape, switches: Vec::new() }, None);
        for (name, value) in members(text).map_err(|_| Fault::Json(None))? {
            if name == shape.requests {
                list = Some(elements(value).map_err(|_| Fault::Json(None))?);
            } else if shape.switches.contains(&name.as_str()) && matches!(value, "true" | "false") {
                wrap.switches.push((name, value.to_owned()));
            } else {
                return Err(Fault::Json(None));
            }
        }
        let list = list.ok_or(Fault::Json(None))?;
        if list.is_empty() {
            return Err(Fault::Empty);
        }
        if list.len() > shape.most {
            return Err(Fault::TooMany(shape.most));
        }
        let (mut items, mut groups): (Vec<Item>, Vec<String>) = (Vec::new(), Vec::new());
        for (index, text) in list.into_iter().enumerate() {
            let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
            let item = shape.item(text, number, &mut groups).ok_or(Fault::Json(Some(number)))?;
            if item.id.is_some() && items.iter().any(|known| known.id == item.id) {
                return Err(Fault::Json(Some(number)));
            }
            items.push(item);
        }
        Ok((wrap, items))
    }

    /// The batch for the CRM.
    pub(super) fn request(&self, calls: &[Inner]) -> Vec<u8> {
        let shape = self.shape;
        let mut out = Writer::default();
        out.open(b'{');
        for (name, value) in &self.switches {
            out.raw(name, value.as_bytes());
        }
        out.name(shape.requests);
        out.open(b'[');
        for inner in calls {
            out.comma();
            out.open(b'{');
            if let (Some(name), Some(id)) = (shape.id, &inner.item.id) {
                out.text(name, id);
            }
            out.text("method", inner.item.method.as_str());
            out.text("url", &inner.url);
            if let Some(name) = shape.headers.filter(|_| !inner.headers.is_empty()) {
                out.headers(name, &inner.headers);
            }
            for (name, value) in &inner.item.extra {
                out.raw(name, value.as_bytes());
            }
            if !inner.body.is_empty() {
                out.raw(shape.body, &inner.body);
            }
            out.close(b'}');
        }
        out.close(b']');
        out.close(b'}');
        out.bytes
    }

    /// The answers in the CRM's batch; `None` where they are not answers to these calls, each at most once.
    pub(super) fn replies(&self, calls: &[Inner], body: &[u8]) -> Option<Vec<Reply>> {
        let text = std::str::from_utf8(body).ok()?;
        let list = members(text).ok()?.into_iter().find(|(name, _)| name == self.shape.replies)?.1;
        let mut replies: Vec<Reply> = Vec::new();
        for (index, text) in elements(list).ok()?.into_iter().enumerate() {
            let reply = self.shape.reply(text, index, calls)?;
            if replies.iter().any(|known| known.of == reply.of) {
                return None;
            }
            replies.push(reply);
        }
        // Only OData stops at an error; Salesforce answers each call.
        let stopped = self.shape.group.is_some() && replies.iter().any(|reply| reply.status.as_u16() >= 400);
        (replies.len() == calls.len() || stopped).then_some(replies)
    }

    /// The batch for the caller.
    pub(super) fn response(&self, calls: &[Inner], replies: &[Viewed]) -> Vec<u8> {
        let shape = self.shape;
        let mut out = Writer::default();
        out.open(b'{');
        if shape.id.is_none() {
            let failed = replies.iter().any(|reply| reply.status.as_u16() >= 400);
            out.raw("hasErrors", if failed { b"true" } else { b"false" });
        }
        out.name(shape.replies);
        out.open(b'[');
        for viewed in replies {
            out.comma();
            out.open(b'{');
            let at = match &viewed.of {
                Of::Call(at) => Some(*at),
                Of::Set(of) => of.first().copied(),
            };
            let item = at.and_then(|at| calls.get(at)).map(|inner| &inner.item);
            if let (Some(name), Some(id)) = (shape.id, item.and_then(|item| item.id.as_deref())) {
                out.text(name, id);
            }
            let group = item.and_then(|item| item.extra.iter().find(|(name, _)| Some(name.as_str()) == shape.group));
            if let Some((name, value)) = group {
                out.raw(name, value.as_bytes());
            }
            out.raw(shape.status, viewed.status.as_u16().to_string().as_bytes());
            if let Some(name) = shape.headers {
                out.headers(name, &viewed.headers);
            }
            if !viewed.body.is_empty() {
                out.raw(shape.reply_body, &viewed.body);
            } else if shape.group.is_none() {
                out.raw(shape.reply_body, b"null");
            }
            out.close(b'}');
        }
        out.close(b']');
        out.close(b'}');
        out.bytes
    }
}

impl Shape {
    fn item(&self, text: &str, number: u32, groups: &mut Vec<String>) -> Option<Item> {
        let (mut id, mut method, mut url, mut body) = (None, None, None, Vec::new());
        let (mut headers, mut extra, mut set) = (HeaderMap::new(), Vec::new(), None);
        for (name, value) in members(text).ok()? {
            let is = |known: Option<&str>| known == Some(name.as_str());
            if is(self.id) {
                id = Some(string(value).filter(|id| is_id(id))?);
            } else if name == "method" {
                // OData writes it in either case.
                method = Method::from_bytes(string(value)?.to_ascii_uppercase().as_bytes()).ok();
            } else if name == "url" {
                url = Some(string(value)?);
            } else if name == self.body {
                body = if value == "null" { Vec::new() } else { value.as_bytes().to_vec() };
            } else if is(self.headers) {
                headers = map(value)?;
            } else if is(self.group) {
                let group = string(value).filter(|id| is_id(id))?;
                let known = groups.iter().position(|known| *known == group);
                set = Some(known.unwrap_or(groups.len()));
                if known.is_none() {
                    groups.push(group);
                }
                extra.push((name, value.to_owned()));
            } else if is(self.depends) {
                let ids: Vec<String> = elements(value).ok()?.into_iter().map(string).collect::<Option<_>>()?;
                ids.iter().all(|id| is_id(id)).then_some(())?;
                extra.push((name, value.to_owned()));
            } else {
                return None;
            }
        }
        if self.id.is_some() != id.is_some() {
            return None;
        }
        Some(Item { number, id, set, method: method?, url: url?, headers, body, json: true, extra })
    }

    fn reply(&self, text: &str, index: usize, calls: &[Inner]) -> Option<Reply> {
        let (mut id, mut status, mut body) = (None, None, Vec::new());
        let mut headers = HeaderMap::new();
        for (name, value) in members(text).ok()? {
            let is = |known: Option<&str>| known == Some(name.as_str());
            if is(self.id) {
                id = Some(string(value)?);
            } else if name == self.status {
                status = StatusCode::from_u16(value.parse().ok()?).ok();
            } else if is(self.headers) && value != "null" {
                headers = map(value)?;
            } else if name == self.reply_body && value != "null" {
                body = value.as_bytes().to_vec();
            }
            // Nothing else is known, so nothing else is shown.
        }
        let at = match (self.id, self.group) {
            (None, _) => index,
            // In any order.
            (Some(_), Some(_)) => calls.iter().position(|inner| inner.item.id.is_some() && inner.item.id == id)?,
            (Some(_), None) => calls.get(index).filter(|inner| inner.item.id == id).map(|_| index)?,
        };
        calls.get(at)?;
        let media = headers.get(http::header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let json = media.is_none_or(crate::gateway::request::is_json);
        Some(Reply { of: Of::Call(at), status: status?, headers, body, json: Some(json) })
    }
}

/// An object of texts as header fields, each name once.
fn map(value: &str) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in members(value).ok()? {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = HeaderValue::try_from(string(value)?).ok()?;
        if map.insert(name, value).is_some() {
            return None;
        }
    }
    Some(map)
}

/// JSON with a comma where one belongs.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn comma(&mut self) {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[' | b':')) {
            self.bytes.push(b',');
        }
    }

    fn open(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn close(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn name(&mut self, name: &str) {
        self.comma();
        quote(name, &mut self.bytes);
        self.bytes.push(b':');
    }

    fn raw(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        self.bytes.extend_from_slice(value);
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        quote(value, &mut self.bytes);
    }

    fn headers(&mut self, name: &str, headers: &HeaderMap) {
        self.name(name);
        self.open(b'{');
        for (name, value) in headers {
            self.text(&spelled(name), value.to_str().unwrap_or_default());
        }
        self.close(b'}');
    }
}
