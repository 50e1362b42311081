//! The caller's header fields in, those for the CRM out.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    super::{Upstream, coding},
    forwarded::{self, Inbound},
    is_hop_by_hop, nominated,
};
use crate::model::Peer;

/// The header fields of a request to `upstream`.
///
/// Fields of the caller's connection, claims about hops before the gateway (unless `peer` is trusted), the gateway's own
/// fields, fields that make a CRM serve another method or path than the one that was mapped, and credentials that were
/// not to be passed are left out. `Host`, `Forwarded`, `X-Forwarded-For/Proto/Host`, `Via`, `Accept-Encoding` and the
/// credential are set. `Content-Length` is left out: it belongs to the body that is sent.
#[must_use]
pub fn prepare_request(headers: &HeaderMap, upstream: &Upstream, peer: &Peer, inbound: &Inbound) -> HeaderMap {
    let nominated = nominated(headers);
    let credential = upstream.credential.as_ref();
    let mut out = HeaderMap::with_capacity(headers.len() + OWN_FIELDS);
    for (name, value) in headers {
        let is_passed = match name.as_str() {
            "host" | "content-length" | "accept-encoding" | "expect" | "cookie" => false,
            "authorization" => inbound.pass_authorization,
            _ => !is_hop_by_hop(name) && !forwarded::is_claim(name) && !is_override(name),
        };
        let is_own = credential.is_some_and(|credential| credential.name == *name);
        if is_passed && !is_own && !nominated.contains(name) {
            out.append(name, value.clone());
        }
    }
    if inbound.pass_cookies
        && let Some(cookies) = cookies(headers)
    {
        out.insert(header::COOKIE, cookies);
    }
    out.insert(header::HOST, upstream.host().clone());
    out.insert(header::ACCEPT_ENCODING, coding::acceptable(headers));
    inbound.add(headers, peer, &mut out);
    if let Some(credential) = credential {
        out.insert(credential.name.clone(), credential.value.clone());
    }
    out
}

/// Whether a request inside of a batch may not have this field: it would make the CRM serve another method, path or caller than
/// the one that was looked at, or another part or coding of a body.
#[must_use]
pub fn is_refused_inside(name: &HeaderName) -> bool {
    let of_the_batch = matches!(
        name.as_str(),
        "authorization"
            | "cookie"
            | "forwarded"
            | "via"
            | "expect"
            | "range"
            | "if-range"
            | "trailer"
            | "content-encoding"
            | "content-location"
            | "content-transfer-encoding"
            | "x-original-host"
    );
    of_the_batch || is_override(name) || is_hop_by_hop(name) || forwarded::is_claim(name)
}

/// Fields for the gateway, and fields by which frameworks serve another method or path than the request line says.
fn is_override(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "x-http-method"
            | "x-http-method-override"
            | "x-method-override"
            | "x-original-url"
            | "x-original-uri"
            | "x-rewrite-url"
            | "x-sendfile-type"
            | "x-accel-mapping"
    ) || name.starts_with("fieldgate-")
}

/// HTTP/2 may split cookies over fields; elsewhere they are one (RFC 9113 §8.2.3).
fn cookies(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(header::COOKIE).iter();
    let first = values.next()?;
    let mut joined = first.as_bytes().to_vec();
    for value in values {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(value.as_bytes());
    }
    let mut value = HeaderValue::from_bytes(&joined).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Fields that are set here, for the capacity of the map.
const OWN_FIELDS: usize = 8;

#[cfg(test)]
mod tests;
