//! `POST /.fieldgate/verify`: a value and a record in, whether the record's field holds that value out. One bit, and no more:
//! who asks needs no right to see the class, and each question is recorded and counted before it is answered.

mod compare;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts as RequestHead};
use hyper::body::Incoming as Inbound;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    budget::{self, AtStop, Call, Found, Meter},
    exchange::{AUDIT_REF, Exchange, Stage},
    plan::{Plan, unknown_purpose},
    request::{self, OutboundBody, is_json},
    respond::Refusal,
    response::{Answer, AnswerBody},
    snapshot::{RoutePlan, Site},
    stored::unavailable,
    whole::whole,
};
use crate::{
    config::Counted,
    crm::{Matched, Route},
    model::{
        AccessKind, Action, BodyFormat, ClassId, ClassSet, Principal, Purpose, Sensitive, Sighting, Subject, Verified,
    },
    protect,
    rewrite::{self, Admission, Collected},
    upstream,
};

/// Where it is.
const PATH: &str = "/.fieldgate/verify";

/// Bytes of a question.
const MAX_QUESTION_BYTES: usize = 16 * 1024;

/// Whether this request is a question.
pub(super) fn is_asked(head: &RequestHead) -> bool {
    head.uri.path() == PATH
}

/// What is asked, as it is sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    /// A route of the map that reads one record.
    route: String,
    /// The record, when the route has one variable or one called `id`.
    #[serde(default)]
    id: Option<String>,
    /// The route's other variables.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// A field, as the map spells it …
    #[serde(default)]
    field: Option<String>,
    /// … or every field of a class.
    #[serde(default)]
    class: Option<String>,
    value: String,
    /// As `Fieldgate-Purpose` and `Fieldgate-Case`.
    #[serde(default)]
    purpose: Option<String>,
    #[serde(default)]
    case: Option<String>,
}

/// Answers a question: `{"match":true}` or `{"match":false}`.
pub(super) async fn answer(
    exchange: &mut Exchange<'_>,
    site: &Arc<Site>,
    principal: &Arc<Principal>,
    head: RequestHead,
    body: Inbound,
) -> Stage<Answer> {
    let question = read(exchange, &head, body).await?;
    state_purpose(exchange, &question)?;
    let value = Sensitive::new(question.value.clone());
    if protect::is_stand_in(value.expose()) {
        let detail = "the value is a masked one; ask with the value itself";
        return Err(refuse("masked_value", StatusCode::CONFLICT, detail));
    }
    let (matched, route) = find(exchange, site, &question)?;
    let plan = exchange.authorise(site, &route, principal)?;
    let (wanted, class) = wanted(exchange, &matched.route, &question)?;
    exchange.ending.searched = [class].into_iter().collect();
    let Some(subject) = matched.subject.clone() else {
        return Err(bad("the path of this route names no record; name a route with a `subject`"));
    };
    let meter = budget::meter(exchange, site, &route, Call::Comparison, AtStop::Refuse);
    if let Some(meter) = &meter {
        let stopped = |stop: budget::Stop| Box::new(stop.refusal());
        meter.guess(Counted::Verify).map_err(stopped)?;
        if meter.verifies(&subject) == Admission::Refused {
            return Err(meter.stopped().map_or_else(|| Box::new(Refusal::overloaded()), stopped));
        }
    }
    let held = held(exchange, site, &route, &plan, &matched, &head, (wanted, class)).await?;
    let verified = match exchange.snapshot.classes.get(class) {
        Some(class) => compare::compare(class, &held, &value),
        None => Verified::NoMatch,
    };
    let seen = Sighting { subject: Some(subject), ..Sighting::default() };
    let subjects = vec![Subject { kind: Arc::clone(&route.resource), seen }];
    let recorded = exchange.ending.record(AccessKind::Verify(verified), subjects, ClassSet::EMPTY).await;
    let receipt = recorded.map_err(|_| Box::new(Refusal::audit_unavailable()))?;
    if let Some(meter) = &meter {
        count(exchange, meter, verified);
    }
    Ok(told(verified, &receipt.reference()))
}

fn count(exchange: &Exchange<'_>, meter: &Meter, verified: Verified) {
    meter.settle(exchange.worker.shared.now());
    meter.guessed(match verified {
        Verified::Match => Found::Somebody,
        Verified::NoMatch => Found::Nobody,
    });
}

fn told(verified: Verified, reference: &str) -> Answer {
    let body: &'static [u8] = match verified {
        Verified::Match => b"{\"match\":true}\n",
        Verified::NoMatch => b"{\"match\":false}\n",
    };
    let (mut head, ()) = Response::new(()).into_parts();
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(reference) = HeaderValue::try_from(reference) {
        head.headers.insert(AUDIT_REF.clone(), reference);
    }
    Answer { head, body: AnswerBody::Full(Bytes::from_static(body)), why: None }
}

async fn read(exchange: &Exchange<'_>, head: &RequestHead, body: Inbound) -> Stage<Question> {
    if head.method != Method::POST || head.uri.query().is_some() {
        let detail = "ask with `POST /.fieldgate/verify` and a JSON body";
        let allow = HeaderValue::from_static("POST");
        let refusal = Refusal::new("unmapped_route", StatusCode::METHOD_NOT_ALLOWED, detail);
        return Err(Box::new(refusal.header(header::ALLOW, allow)));
    }
    if !head.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes()))
        || head.headers.contains_key(header::CONTENT_ENCODING)
    {
        let detail = "the question is JSON (`Content-Type: application/json`), without a content coding";
        return Err(refuse("unsupported_media_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let bytes = request::read(exchange, body, (MAX_QUESTION_BYTES, "16 KiB")).await?;
    let bytes = Zeroizing::new(Vec::from(bytes));
    serde_json::from_slice(&bytes).map_err(|_| {
        bad("the question is not valid; send `route`, `id` (or `variables`), `field` or `class`, and `value`, all texts")
    })
}

/// A purpose in the question counts like one in a header; one of them is enough.
fn state_purpose(exchange: &mut Exchange<'_>, question: &Question) -> Stage<()> {
    if question.purpose.is_none() && question.case.is_none() {
        return Ok(());
    }
    let stated = &exchange.ending.purpose;
    if stated.code.is_some() || stated.case.is_some() {
        let detail = "the purpose stands in a header and in the question; send it once";
        return Err(refuse("bad_purpose", StatusCode::BAD_REQUEST, detail));
    }
    let visible =
        |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if ![&question.purpose, &question.case].into_iter().flatten().all(|text| visible(text)) {
        let detail = "`purpose` and `case` must have 1 to 128 visible ASCII characters";
        return Err(refuse("bad_purpose", StatusCode::BAD_REQUEST, detail));
    }
    let code = question.purpose.as_deref().map(Arc::from);
    if code.as_ref().is_some_and(|code| !exchange.snapshot.purposes.contains(code)) {
        return Err(Box::new(unknown_purpose(&exchange.snapshot.purposes)));
    }
    exchange.ending.purpose = Arc::new(Purpose { code, case: question.case.clone().map(Sensitive::new) });
    Ok(())
}

/// The route that is asked about, and the target by which it is read.
fn find(exchange: &mut Exchange<'_>, site: &Site, question: &Question) -> Stage<(Matched, Arc<RoutePlan>)> {
    let unknown = || bad("`route` names no route of the API map that reads one record (`GET`, `action = \"read\"`)");
    let asked = site.api.routes().iter().find(|route| *route.name == *question.route).ok_or_else(unknown)?;
    let path = asked.template.strip_prefix("GET ").filter(|_| asked.action == Action::Read).ok_or_else(unknown)?;
    let target = target(path, question).ok_or_else(|| bad("give exactly the variables of the route's path"))?;
    let matched = site.api.matches(&Method::GET, &target);
    // A value must not lead to another route than the one that was named.
    let matched = matched.ok().filter(|matched| matched.route.index == asked.index);
    let matched = matched.ok_or_else(|| bad("a variable's value cannot stand in the path"))?;
    let route = site.route(asked.index).cloned().ok_or_else(unknown)?;
    exchange.ending.operation = Arc::clone(&route.operation);
    exchange.ending.route = Some(Arc::clone(&route.status));
    Ok((matched, route))
}

/// `path` with its variables filled in; `None` when there are others.
fn target(path: &str, question: &Question) -> Option<String> {
    let names: Vec<&str> = path.split('/').filter_map(variable).collect();
    let given = question.variables.len() + usize::from(question.id.is_some());
    if names.len() != given || question.variables.keys().any(|name| !names.contains(&name.as_str())) {
        return None;
    }
    let mut target = String::new();
    for segment in path.split('/').skip(1) {
        target.push('/');
        match variable(segment) {
            None => target.push_str(segment),
            Some(name) => {
                let value = question.variables.get(name).or(question.id.as_ref())?;
                target.extend(utf8_percent_encode(value, ESCAPED));
            }
        }
    }
    Some(target)
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

/// RFC 3986 §2.3: all but the unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Which fields are compared, and their class.
fn wanted(exchange: &Exchange<'_>, route: &Route, question: &Question) -> Stage<(Collected, ClassId)> {
    let fields = &route.response.fields;
    let unknown = || bad("the route has no such protected field; give one `field` or one `class` of its response");
    let found = match (&question.field, &question.class) {
        (Some(field), None) => fields
            .iter()
            .position(|rule| rule.selector.as_str() == field)
            .and_then(|at| fields.get(at).map(|rule| (Collected::Field(at), rule.class))),
        (None, Some(name)) => exchange
            .snapshot
            .classes
            .id(name)
            .filter(|class| fields.iter().any(|rule| rule.class == *class))
            .map(|class| (Collected::Class(class), class)),
        _ => None,
    };
    let (wanted, class) = found.ok_or_else(unknown)?;
    if exchange.snapshot.classes.free_text() == Some(class) {
        return Err(bad("free text is nothing to compare with; ask about a field of another class"));
    }
    Ok((wanted, class))
}

/// The values that the CRM holds; none when it has no such record.
async fn held(
    exchange: &mut Exchange<'_>,
    site: &Site,
    route: &RoutePlan,
    plan: &Plan,
    matched: &Matched,
    head: &RequestHead,
    (wanted, class): (Collected, ClassId),
) -> Stage<Vec<Sensitive<String>>> {
    if route.response_format != BodyFormat::Json {
        return Err(bad("the route's response is not JSON"));
    }
    let mut request = Request::new(OutboundBody::Full(Bytes::new()));
    *request.uri_mut() = site.upstream.uri(&matched.target).ok_or_else(|| bad("the target is not valid"))?;
    *request.headers_mut() = headers(exchange, site, head);
    let response = exchange.forward(site, plan, route, request, &request::Trouble::default()).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(Vec::new()),
        _ => return Err(unreadable()),
    }
    let (head, body) = response.into_parts();
    if !head.headers.get(header::CONTENT_TYPE).is_some_and(|value| is_json(value.as_bytes())) {
        return Err(unreadable());
    }
    let limit = exchange.snapshot.limits.guarded_body_bytes;
    let body = whole(exchange, &head.headers, body, limit).await.map_err(|_| unreadable())?;
    let limits = exchange.snapshot.rewrite_limits();
    let held = rewrite::collect(&route.response, limits, &body, wanted).map_err(|_| unreadable())?;
    let Some(resolver) = exchange.snapshot.resolver(route) else { return Ok(held) };
    let opened = resolver.clear(&exchange.snapshot.classes, class, held, matched.subject.as_ref()).await;
    opened.map_err(|error| unavailable(&error))
}

/// What the CRM is sent of the caller's headers: what proves who it is, where that is passed on at all.
fn headers(exchange: &Exchange<'_>, site: &Site, head: &RequestHead) -> HeaderMap {
    let mut own = HeaderMap::new();
    let ours = |name: &str| {
        matches!(name, "authorization" | "cookie" | "user-agent" | "forwarded") || name.starts_with("x-forwarded-")
    };
    for (name, value) in head.headers.iter().filter(|(name, _)| ours(name.as_str())) {
        own.append(name, value.clone());
    }
    own.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let mut headers = upstream::headers::prepare_request(&own, &site.upstream, &exchange.peer, &site.inbound);
    if let Some(value) = exchange.trace.as_ref().and_then(super::trace::TraceParent::header) {
        headers.insert("traceparent", value);
    }
    headers
}

fn refuse(code: &'static str, status: StatusCode, detail: &str) -> Box<Refusal> {
    Box::new(Refusal::new(code, status, detail))
}

fn bad(detail: &str) -> Box<Refusal> {
    refuse("bad_question", StatusCode::BAD_REQUEST, detail)
}

/// The same whatever the CRM said: what it said may say something about the record.
fn unreadable() -> Box<Refusal> {
    Box::new(Refusal::blocked("invalid_response", "the CRM's answer cannot be compared; try again later"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(text: &str) -> Question {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_target_takes_exactly_the_variables_of_its_path() {
        let fill = |path, text: &str| target(path, &question(text));
        let one = r#"{"route":"r","value":"v","id":"C 1/2"}"#;
        assert_eq!(fill("/c/{id}", one).as_deref(), Some("/c/C%201%2F2"));
        assert_eq!(fill("/c", one), None);
        assert_eq!(fill("/c/{a}/{b}", one), None);
        let two = r#"{"route":"r","value":"v","id":"7","variables":{"version":"v60"}}"#;
        assert_eq!(fill("/{version}/c/{id}", two).as_deref(), Some("/v60/c/7"));
        assert_eq!(fill("/{other}/c/{id}", two), None);
        assert!(serde_json::from_str::<Question>(r#"{"route":"r","value":"v","show":true}"#).is_err());
    }
}
