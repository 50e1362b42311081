//! OData `$batch` as `multipart/mixed` (OData 4.01 Part 1 §11.7.7): calls in parts, change sets in a multipart of their own.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{
    Fault, Inner, Item, MAX_CALLS,
    answer::{Of, Reply, Viewed},
    spelled,
};
use crate::rewrite::multipart::{
    self, Headers, InnerRequest, InnerResponse, Parameters, Part, value_of, write_request, write_response,
};

/// What has to be remembered of the wrapping: the calls do.
#[derive(Debug, Default)]
pub(super) struct Wrap;

/// A part of a batch.
enum Unit<'a> {
    Single(Part<'a>),
    Set(Vec<Part<'a>>),
}

impl Wrap {
    /// Unwraps `body`, whose media type is `media`.
    pub(super) fn open(media: &str, body: &[u8]) -> Result<(Self, Vec<Item>), Fault> {
        let (mut items, mut sets) = (Vec::new(), 0);
        for unit in units(media, body).map_err(Fault::Multipart)? {
            let (parts, set) = match unit {
                Unit::Single(part) => (vec![part], None),
                Unit::Set(parts) => {
                    sets += 1;
                    (parts, Some(sets - 1))
                }
            };
            if parts.is_empty() {
                return Err(Fault::Empty);
            }
            // Only by their names can the answers of a change set be told apart (OData 4.01 Part 1 §11.7.7.1).
            let several = set.is_some() && parts.len() > 1;
            for part in parts {
                if items.len() == MAX_CALLS {
                    return Err(Fault::TooMany(MAX_CALLS));
                }
                let number = u32::try_from(items.len() + 1).unwrap_or(u32::MAX);
                let item = item(&part, number, set).ok_or(Fault::Part(number))?;
                if several && item.id.is_none() {
                    return Err(Fault::Part(number));
                }
                if item.id.is_some() && items.iter().any(|known: &Item| known.id == item.id && known.set == set) {
                    return Err(Fault::Part(number));
                }
                items.push(item);
            }
        }
        if items.is_empty() { Err(Fault::Empty) } else { Ok((Self, items)) }
    }

    /// The batch for the CRM: its media type and its bytes.
    pub(super) fn request(&self, calls: &[Inner]) -> (String, Vec<u8>) {
        let part = |inner: &Inner| {
            let headers = pairs(&inner.headers);
            let body = write_request(inner.item.method.as_str(), &inner.url, &headers, &inner.body);
            (part_headers(inner.item.id.as_deref()), body)
        };
        wrap(calls.iter().map(|inner| (inner.item.set, part(inner))))
    }

    /// The answers in the CRM's batch; `None` where they are not answers to these calls, each at most once.
    pub(super) fn replies(&self, calls: &[Inner], media: &str, body: &[u8]) -> Option<Vec<Reply>> {
        let mut replies = Vec::new();
        let mut rest = 0;
        for unit in units(media, body).ok()? {
            let first = calls.get(rest)?;
            let of: Vec<usize> = match first.item.set {
                None => vec![rest],
                Some(set) => (rest..calls.len()).take_while(|at| is_in(calls, *at, set)).collect(),
            };
            rest += of.len();
            match (unit, first.item.set) {
                (Unit::Single(part), None) => replies.push(reply(calls, &part, Of::Call(of.first().copied()?))?),
                (Unit::Set(parts), Some(set)) if parts.len() == of.len() => {
                    set_of(calls, &parts, set, &of, &mut replies)?;
                }
                // All of a change set failed: one answer says so.
                (Unit::Single(part), Some(_)) => replies.push(failure(calls, &part, of)?),
                (Unit::Set(parts), Some(_)) => match parts.as_slice() {
                    [part] => replies.push(failure(calls, part, of)?),
                    _ => return None,
                },
                (Unit::Set(_), None) => return None,
            }
        }
        // Fewer answers than calls: the CRM stopped at the first error (§11.7.7.3).
        let stopped = replies.last().is_some_and(|reply| reply.status.as_u16() >= 400);
        (rest == calls.len() || stopped).then_some(replies)
    }

    /// The batch for the caller.
    pub(super) fn response(&self, calls: &[Inner], replies: &[Viewed]) -> (String, Vec<u8>) {
        let part = |viewed: &Viewed| {
            let reason = viewed.status.canonical_reason().unwrap_or_default();
            let body = write_response(viewed.status.as_u16(), reason, &pairs(&viewed.headers), &viewed.body);
            let (set, id) = match &viewed.of {
                Of::Call(at) => {
                    let item = calls.get(*at).map(|inner| &inner.item);
                    (item.and_then(|item| item.set), item.and_then(|item| item.id.as_deref()))
                }
                Of::Set(_) => (None, None),
            };
            (set, (part_headers(id), body))
        };
        wrap(replies.iter().map(part))
    }
}

fn is_in(calls: &[Inner], at: usize, set: usize) -> bool {
    calls.get(at).is_some_and(|inner| inner.item.set == Some(set))
}

/// The answers of a change set that happened: by `Content-ID`; without it in order, where it makes no difference.
fn set_of(calls: &[Inner], parts: &[Part<'_>], set: usize, of: &[usize], replies: &mut Vec<Reply>) -> Option<()> {
    let named = parts.iter().any(|part| content_id(part, None).is_some());
    let route = |at: &usize| calls.get(*at).map(|inner| inner.call.matched.route.index);
    if !named && of.iter().any(|at| route(at) != of.first().and_then(route)) {
        return None;
    }
    let mut taken: Vec<usize> = Vec::new();
    for (part, at) in parts.iter().zip(of) {
        let at = if named {
            let id = content_id(part, None)?;
            let is_it = |at: &&usize| calls.get(**at).is_some_and(|inner| inner.item.id.as_deref() == Some(id));
            *of.iter().find(is_it)?
        } else {
            *at
        };
        if taken.contains(&at) || !is_in(calls, at, set) {
            return None;
        }
        taken.push(at);
        replies.push(reply(calls, part, Of::Call(at))?);
    }
    Some(())
}

fn failure(calls: &[Inner], part: &Part<'_>, of: Vec<usize>) -> Option<Reply> {
    let only = match of.as_slice() {
        [at] => Of::Call(*at),
        _ => Of::Set(of),
    };
    reply(calls, part, only).filter(|reply| reply.status.as_u16() >= 400)
}

fn reply(calls: &[Inner], part: &Part<'_>, of: Of) -> Option<Reply> {
    is_http(part).then_some(())?;
    let answer = InnerResponse::parse(part.body)?;
    if let (Of::Call(at), Some(id)) = (&of, content_id(part, None)) {
        // An answer to another call has another map.
        (calls.get(*at)?.item.id.as_deref() == Some(id)).then_some(())?;
    }
    let status = StatusCode::from_u16(answer.status).ok()?;
    Some(Reply { of, status, headers: map(&answer.headers)?, body: answer.body.to_vec(), json: None })
}

/// Parts of a batch, those of change sets among them, one level deep.
fn units<'a>(media: &str, body: &'a [u8]) -> Result<Vec<Unit<'a>>, multipart::MultipartError> {
    let boundary = multipart::boundary(media)?;
    let mut units = Vec::new();
    for (index, part) in multipart::read(&boundary, body, MAX_CALLS)?.into_iter().enumerate() {
        let kind = value_of(&part.headers, "content-type").unwrap_or_default();
        let mixed = Parameters::parse(kind).is_some_and(|kind| kind.kind == "multipart/mixed");
        if !mixed {
            units.push(Unit::Single(part));
            continue;
        }
        if !has_plain_headers(&part) {
            return Err(multipart::MultipartError::Header(index + 1));
        }
        units.push(Unit::Set(multipart::read(&multipart::boundary(kind)?, part.body, MAX_CALLS)?));
    }
    Ok(units)
}

/// The call in `part`.
fn item(part: &Part<'_>, number: u32, set: Option<usize>) -> Option<Item> {
    is_http(part).then_some(())?;
    let request = InnerRequest::parse(part.body)?;
    let (id, inside) = (content_id(part, None), value_of(&request.headers, "content-id"));
    if id.is_some() && inside.is_some() && id != inside {
        return None;
    }
    let id = id.or(inside);
    if !id.is_none_or(is_id) {
        return None;
    }
    let mut headers = map(&request.headers)?;
    headers.remove("content-id");
    Some(Item {
        number,
        id: id.map(str::to_owned),
        set,
        method: Method::from_bytes(request.method.as_bytes()).ok()?,
        url: request.target.to_owned(),
        headers,
        body: request.body.to_vec(),
        json: false,
        extra: Vec::new(),
    })
}

/// Letters, digits and `-._~`: nothing that a URL, a header or JSON spells in two ways.
pub(super) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

fn content_id<'p>(part: &'p Part<'_>, none: Option<&'p str>) -> Option<&'p str> {
    value_of(&part.headers, "content-id").or(none)
}

/// Whether the part is one HTTP message, as it is.
fn is_http(part: &Part<'_>) -> bool {
    let kind = value_of(&part.headers, "content-type").and_then(Parameters::parse);
    kind.is_some_and(|kind| kind.kind == "application/http") && has_plain_headers(part)
}

/// Part headers that change nothing about the content.
fn has_plain_headers(part: &Part<'_>) -> bool {
    part.headers.iter().all(|(name, value)| match name.to_ascii_lowercase().as_str() {
        "content-type" | "content-id" | "content-length" => true,
        "content-transfer-encoding" => ["binary", "8bit", "7bit"].iter().any(|known| value.eq_ignore_ascii_case(known)),
        _ => false,
    })
}

fn map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        map.append(name, HeaderValue::from_str(value).ok()?);
    }
    Some(map)
}

fn pairs(headers: &HeaderMap) -> Headers {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    headers.iter().map(|(name, value)| (spelled(name), text(value))).collect()
}

fn part_headers(id: Option<&str>) -> Headers {
    let mut headers = vec![
        ("Content-Type".to_owned(), "application/http".to_owned()),
        ("Content-Transfer-Encoding".to_owned(), "binary".to_owned()),
    ];
    if let Some(id) = id {
        headers.push(("Content-ID".to_owned(), id.to_owned()));
    }
    headers
}

/// Parts in a batch, those with a set in a multipart of their own: its media type and its bytes.
fn wrap(parts: impl Iterator<Item = (Option<usize>, (Headers, Vec<u8>))>) -> (String, Vec<u8>) {
    let mut outer: Vec<(Headers, Vec<u8>)> = Vec::new();
    let mut open: (Option<usize>, Vec<(Headers, Vec<u8>)>) = (None, Vec::new());
    let mixed = |boundary: &str| format!("multipart/mixed; boundary={boundary}");
    let close = |(_, parts): &mut (Option<usize>, Vec<(Headers, Vec<u8>)>), outer: &mut Vec<(Headers, Vec<u8>)>| {
        if !parts.is_empty() {
            let (boundary, body) = multipart::write(&std::mem::take(parts));
            outer.push((vec![("Content-Type".to_owned(), mixed(&boundary))], body));
        }
    };
    for (set, part) in parts {
        if set != open.0 || set.is_none() {
            close(&mut open, &mut outer);
            open.0 = set;
        }
        match set {
            Some(_) => open.1.push(part),
            None => outer.push(part),
        }
    }
    close(&mut open, &mut outer);
    let (boundary, body) = multipart::write(&outer);
    (mixed(&boundary), body)
}
