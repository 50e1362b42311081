//! Header hygiene: what of the caller's fields reaches the CRM, what of the CRM's reaches the caller.

mod forwarded;
mod request;
mod response;

pub use forwarded::Inbound;
pub use request::{is_refused_inside, prepare_request};
pub use response::prepare_response;

use http::{HeaderMap, HeaderName, header};

/// Fields of one connection (RFC 9110 §7.6.1), and their unregistered relatives.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-authentication-info"
    ) || name.as_str().starts_with("proxy-")
}

/// The names that `Connection` nominates as fields of this connection only.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(|name| !is_end_to_end(name))
        .collect()
}

/// Fields that `Connection` cannot take away: a check was made on them, or the other side decides by them.
fn is_end_to_end(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "host"
            | "authorization"
            | "cookie"
            | "set-cookie"
            | "content-type"
            | "content-length"
            | "content-encoding"
            | "content-range"
            | "content-disposition"
            | "content-security-policy"
            | "x-content-type-options"
            | "accept"
            | "accept-encoding"
            | "range"
            | "etag"
            | "cache-control"
            | "pragma"
            | "vary"
            | "expect"
            | "origin"
            | "trailer"
            | "location"
            | "forwarded"
            | "via"
            | "www-authenticate"
    ) || name.starts_with("if-")
        || name.starts_with("x-forwarded-")
        || name.starts_with("fieldgate-")
        || name.starts_with("access-control-")
}

/// Whether the gateway may put its credential into this field: it sets or drops the others itself.
pub(crate) fn may_carry_credential(name: &HeaderName) -> bool {
    let set_here = matches!(
        name.as_str(),
        "host"
            | "content-length"
            | "content-type"
            | "content-encoding"
            | "accept-encoding"
            | "forwarded"
            | "via"
            | "trailer"
            | "expect"
            | "cookie"
    );
    !set_here
        && !is_hop_by_hop(name)
        && !name.as_str().starts_with("x-forwarded-")
        && !name.as_str().starts_with("fieldgate-")
}
