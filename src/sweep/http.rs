//! The CRM's API as [`Records`]: single calls with the gateway's own credential, classified answers.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::{Cursor, Edit, Fault, Page, Record, RecordId, Records, Shown, document::Shape, select};
use crate::{
    crm::{Paging, Shows, SweepRoute, SweepRule},
    model::{FieldRule, Sensitive},
    policy::Permit,
    upstream::{self, Pool, Upstream, UpstreamError},
};

/// A resource of the CRM behind `upstream`.
pub struct CrmRecords {
    pool: Pool<Full<Bytes>>,
    permit: Permit,
    rule: SweepRule,
    shape: Shape,
}

/// A 2xx answer.
struct Answer {
    body: Option<Value>,
    etag: Option<String>,
}

impl CrmRecords {
    /// `fields` are those of the body of one record.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>, rule: &SweepRule, fields: &[FieldRule]) -> Self {
        let (shape, permit) = (Shape::new(rule.clone(), fields), Permit::for_maintenance());
        Self { pool: Pool::new(upstream), permit, rule: rule.clone(), shape }
    }

    /// Makes a record with the members of `body`; returns its id.
    ///
    /// # Errors
    /// As any call; `Broken` when the map names no route for it or the answer has no id.
    pub async fn create(&self, body: &Value) -> Result<RecordId, Fault> {
        let route = self.rule.create.as_ref().ok_or(Fault::Broken("the map names no `create` route"))?;
        let mut wrapped = Value::Null;
        select::put(&mut wrapped, &self.rule.record, body.clone());
        let answer = self.call(&route.method, target(route, None, &[]), Some(&wrapped), None).await?;
        let body = answer.body.ok_or(Fault::Broken("no body after `create`"))?;
        let id = self.shape.inside(&body).and_then(|inner| self.shape.id(inner)).or_else(|| self.shape.id(&body));
        // RFC 9110 §15.3.2 and most APIs: the id stands in the body, as `id` where the record itself is not shown.
        let plain = || body.get("id").and_then(Value::as_str).map(|id| Sensitive::new(id.to_owned()));
        id.or_else(plain).ok_or(Fault::Broken("no id after `create`"))
    }

    /// Removes a record.
    ///
    /// # Errors
    /// As any call; `Broken` when the map names no route for it.
    pub async fn delete(&self, id: &RecordId) -> Result<(), Fault> {
        let route = self.rule.delete.as_ref().ok_or(Fault::Broken("the map names no `delete` route"))?;
        self.call(&route.method, target(route, Some(id), &[]), None, None).await.map(drop)
    }

    async fn call(
        &self,
        method: &Method,
        target: String,
        body: Option<&Value>,
        version: Option<&str>,
    ) -> Result<Answer, Fault> {
        let upstream = self.pool.upstream();
        let uri = upstream.uri(&target).ok_or(Fault::Broken("a path that is none"))?;
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let mut request = Request::new(Full::new(bytes.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = upstream.own_headers();
        if body.is_some() {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(version) = version {
            let value = HeaderValue::from_str(version).map_err(|_| Fault::Broken("a version that is no header"))?;
            request.headers_mut().insert(header::IF_MATCH, value);
        }
        let response = self.pool.send(&self.permit, request).await.map_err(of_error)?;
        read(response).await
    }

    fn page_of(&self, body: &Value, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        let mut records = Vec::new();
        for (_, document) in select::select(body, self.rule.records.steps()) {
            let id = self.shape.id(document).ok_or(Fault::Broken("a record of a page has no id"))?;
            records.push(match self.rule.shows {
                Shows::Records => self.shape.record(id, document.clone(), None),
                Shows::Ids => Record { id, version: None, fields: Vec::new(), document: None, shown: Shown::IdOnly },
            });
        }
        let next = match &self.rule.paging {
            Paging::One => None,
            Paging::Link(selector) => match select::first(body, selector.steps()) {
                Some(Value::String(link)) if !link.is_empty() => {
                    let target = self.pool.upstream().target_of(link);
                    Some(target.ok_or(Fault::Broken("the next page is not at this CRM"))?)
                }
                _ => None,
            },
            Paging::Cursor { parameter, from } => match select::first(body, from.steps()) {
                Some(Value::String(next)) if !next.is_empty() => Some(self.list_target(parameter, next)),
                Some(Value::Number(next)) => Some(self.list_target(parameter, &next.to_string())),
                _ => None,
            },
            // The number stands in the target of this page: that of the next one is counted from it.
            Paging::Number { parameter, first } => match records.is_empty() {
                true => None,
                false => Some(self.list_target(parameter, &(number(parameter, *first, cursor) + 1).to_string())),
            },
        };
        let total = self.rule.total.as_ref().and_then(|total| select::first(body, total.steps())?.as_u64());
        Ok(Page { records, next: next.map(|target| Cursor(Sensitive::new(target))), total })
    }

    fn list_target(&self, parameter: &str, value: &str) -> String {
        let mut query: Vec<(&str, &str)> = self.rule.query.iter().map(|(name, value)| (&**name, &**value)).collect();
        query.push((parameter, value));
        target(&self.rule.list, None, &query)
    }
}

impl Records for CrmRecords {
    async fn list(&self, cursor: Option<&Cursor>) -> Result<Page, Fault> {
        let at = match (cursor, &self.rule.paging) {
            (Some(cursor), _) => cursor.0.expose().clone(),
            (None, Paging::Number { parameter, first }) => self.list_target(parameter, &first.to_string()),
            (None, _) => {
                let query: Vec<(&str, &str)> =
                    self.rule.query.iter().map(|(name, value)| (&**name, &**value)).collect();
                target(&self.rule.list, None, &query)
            }
        };
        let answer = self.call(&self.rule.list.method, at, None, None).await.map_err(|fault| match fault {
            Fault::Gone => Fault::Refused { status: 404 },
            fault => fault,
        })?;
        self.page_of(&answer.body.ok_or(Fault::Broken("a page without a body"))?, cursor)
    }

    async fn read(&self, id: &RecordId) -> Result<Record, Fault> {
        let route = &self.rule.read;
        let answer = self.call(&route.method, target(route, Some(id), &[]), None, None).await?;
        let body = answer.body.ok_or(Fault::Broken("a record without a body"))?;
        let document = self.shape.inside(&body).ok_or(Fault::Broken("a record that is no object"))?.clone();
        Ok(self.shape.record(id.clone(), document, answer.etag))
    }

    async fn patch(&self, record: &Record, edits: &[Edit<'_>]) -> Result<Option<Record>, Fault> {
        let (route, body) = (&self.rule.update, self.shape.body(record, edits)?);
        let version = record.version.as_ref().map(|version| version.0.as_str());
        let answer = self.call(&route.method, target(route, Some(&record.id), &[]), Some(&body), version).await?;
        let document = answer.body.as_ref().and_then(|body| self.shape.inside(body)).cloned();
        Ok(document.map(|document| self.shape.record(record.id.clone(), document, answer.etag)))
    }
}

/// The page number that the target of a page names.
fn number(parameter: &str, first: u32, cursor: Option<&Cursor>) -> u64 {
    let query = cursor.and_then(|cursor| cursor.0.expose().split_once('?')).map_or("", |(_, query)| query);
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == escape(parameter));
    value.and_then(|(_, number)| number.parse().ok()).unwrap_or_else(|| u64::from(first))
}

fn target(route: &SweepRoute, id: Option<&RecordId>, query: &[(&str, &str)]) -> String {
    let (front, behind) = &route.path;
    let id = id.map(|id| escape(id.expose())).unwrap_or_default();
    let mut target = format!("{front}{id}{}", behind.as_deref().unwrap_or_default());
    for (at, (name, value)) in query.iter().enumerate() {
        target.push(if at == 0 { '?' } else { '&' });
        target.push_str(&format!("{}={}", escape(name), escape(value)));
    }
    target
}

fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Everything but the unreserved characters of RFC 3986 §2.3.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

async fn read(response: Response<upstream::Body>) -> Result<Answer, Fault> {
    let (parts, body) = response.into_parts();
    #[expect(clippy::disallowed_methods, reason = "bounded by `Limited`")]
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
    // Read to its end also when it is not wanted, so that the connection can be used again.
    let bytes = body.map(http_body_util::Collected::to_bytes);
    of_status(parts.status, &parts.headers)?;
    let bytes = bytes.map_err(|_| Fault::Unsure)?;
    let body = match bytes.is_empty() {
        true => None,
        false => Some(serde_json::from_slice(&bytes).map_err(|_| Fault::Broken("an answer that is not JSON"))?),
    };
    let etag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    Ok(Answer { body, etag })
}

/// What a status means for the call.
fn of_status(status: StatusCode, headers: &HeaderMap) -> Result<(), Fault> {
    match status.as_u16() {
        200..=299 => Ok(()),
        // RFC 6585 §4, RFC 9110 §15.6.4. A date instead of seconds is not read: the run's own pauses are long enough.
        429 | 503 => {
            let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Err(Fault::Busy { retry_after: seconds.map(Duration::from_secs) })
        }
        404 | 410 => Err(Fault::Gone),
        409 | 412 | 428 => Err(Fault::Conflict),
        408 | 500..=599 => Err(Fault::Unsure),
        status => Err(Fault::Refused { status }),
    }
}

fn of_error(error: UpstreamError) -> Fault {
    match error {
        UpstreamError::Tls => Fault::Broken("the TLS handshake failed"),
        UpstreamError::Resolve => Fault::Broken("its host name has no address"),
        _ => Fault::Unsure,
    }
}

/// A page or a record at most, in bytes.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_told_apart() {
        let of = |status: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.extend(after.map(|after| (header::RETRY_AFTER, HeaderValue::from_str(after).unwrap())));
            of_status(StatusCode::from_u16(status).unwrap(), &headers)
        };
        let busy = |seconds: Option<u64>| Err(Fault::Busy { retry_after: seconds.map(Duration::from_secs) });
        for (status, after, expected) in [
            (204, None, Ok(())),
            (429, Some("17"), busy(Some(17))),
            (429, Some("Wed, 21 Oct 2026 07:28:00 GMT"), busy(None)),
            (503, None, busy(None)),
            (404, None, Err(Fault::Gone)),
            (412, None, Err(Fault::Conflict)),
            (500, None, Err(Fault::Unsure)),
            (504, None, Err(Fault::Unsure)),
            (401, None, Err(Fault::Refused { status: 401 })),
            (302, None, Err(Fault::Refused { status: 302 })),
        ] {
            assert_eq!(of(status, after), expected, "{status}");
        }
    }

    #[test]
    fn ids_and_parameters_cannot_leave_their_place_in_a_target() {
        let route = SweepRoute { index: 0, method: Method::GET, path: ("/a/".to_owned(), Some("/x".to_owned())) };
        let id = Sensitive::new("a/../b?c=d#e%".to_owned());
        assert_eq!(
            target(&route, Some(&id), &[("q", "a&b"), ("p", "é")]),
            "/a/a%2F..%2Fb%3Fc%3Dd%23e%25/x?q=a%26b&p=%C3%A9"
        );
        let cursor = Cursor(Sensitive::new("/a?per%20page=7&page=12".to_owned()));
        assert_eq!(number("page", 1, Some(&cursor)), 12);
        assert_eq!((number("per page", 1, Some(&cursor)), number("other", 1, None)), (7, 1));
    }
}
