//! What HTTP/2 requests are refused for before the handler serves them. The h2 codec itself resets malformed ones.

use http::{HeaderMap, Method, header, request::Parts, uri::Scheme};

use super::{
    Limits, Refusal,
    guard::{is_authority, same_authority},
    refusal,
};

/// Checks one request (RFC 9113 §8.3.1, §8.2.2).
pub(crate) fn check(parts: &Parts, limits: &Limits) -> Result<(), Refusal> {
    let headers = &parts.headers;
    if headers.len() > limits.headers {
        return Err(refusal::TOO_MANY_HEADERS);
    }
    if list_bytes(parts) > limits.header_bytes {
        return Err(refusal::HEADERS_TOO_LARGE);
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(refusal::METHOD_REFUSED);
    }
    if headers.contains_key(header::UPGRADE) {
        return Err(refusal::UPGRADE_REFUSED);
    }
    if CONNECTION_SPECIFIC.iter().any(|name| headers.contains_key(*name)) || bad_te(headers) {
        return Err(refusal::CONNECTION_HEADER);
    }
    check_host(parts)?;
    if parts.uri.scheme() != Some(&Scheme::HTTPS) || !parts.uri.path().starts_with('/') {
        return Err(refusal::BAD_TARGET);
    }
    if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > limits.target_bytes) {
        return Err(refusal::TARGET_TOO_LONG);
    }
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (Some(_), Some(_)) => return Err(refusal::SEVERAL_LENGTHS),
        (Some(length), None) if !length.as_bytes().iter().all(u8::is_ascii_digit) => return Err(refusal::BAD_LENGTH),
        _ => {}
    }
    match headers.get(header::EXPECT) {
        Some(expect) if !expect.as_bytes().eq_ignore_ascii_case(b"100-continue") => Err(refusal::EXPECTATION_REFUSED),
        _ => Ok(()),
    }
}

/// The size of the header list as RFC 9113 §10.5.1 counts it, pseudo-header fields by their values.
fn list_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD_BYTES);
    target + authority + fields.sum::<usize>()
}

fn check_host(parts: &Parts) -> Result<(), Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return Err(refusal::SEVERAL_HOSTS),
        (host, None) => host,
    };
    let authority = parts.uri.authority().map(|authority| authority.as_str());
    let named = [authority.map(str::as_bytes), host.map(|host| host.as_bytes())];
    if named.into_iter().flatten().any(|name| !is_authority(name)) {
        return Err(refusal::BAD_HOST);
    }
    match (authority, host) {
        (None, None) => Err(refusal::MISSING_HOST),
        (Some(authority), Some(host)) if !same_authority(authority.as_bytes(), host.as_bytes()) => {
            Err(refusal::HOST_DISAGREES)
        }
        _ => Ok(()),
    }
}

fn bad_te(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|te| !te.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

/// What each field counts beside its name and value.
const FIELD_BYTES: usize = 32;
const CONNECTION_SPECIFIC: [&str; 4] = ["connection", "keep-alive", "proxy-connection", "transfer-encoding"];

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::listener::LimitSettings;

    fn code(request: http::request::Builder) -> &'static str {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let limits = LimitSettings { headers: 8, target_bytes: 64, header_bytes: 1024, ..LimitSettings::default() }
            .limits("l")
            .unwrap();
        check(&parts, &limits).err().map_or("", |refusal| refusal.code)
    }

    fn get(uri: &str) -> http::request::Builder {
        Request::get(uri)
    }

    #[test]
    fn ordinary_requests_pass() {
        assert_eq!(code(get("https://crm.example/a?b=c")), "");
        assert_eq!(code(get("https://crm.example/").header("host", "CRM.example:443")), "");
        assert_eq!(code(get("https://crm.example/").header("te", "trailers").header("expect", "100-continue")), "");
        assert_eq!(code(get(&format!("https://crm.example/{}", "a".repeat(63)))), "");
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for (request, expected) in [
            (get("https://crm.example/").header("host", "other.example"), "host_disagrees"),
            (get("https://crm.example/").header("host", "crm.example").header("host", "crm.example"), "several_hosts"),
            (get("https://user@crm.example/"), "bad_host"),
            (get("https://crm.example:x/"), "bad_host"),
            (get("https://crm.example/").header("host", "crm.example, other"), "bad_host"),
            (get("/"), "missing_host"),
            (get("http://crm.example/"), "bad_target"),
            (get("https://crm.example/").header("connection", "close"), "connection_header"),
            (get("https://crm.example/").header("te", "gzip"), "connection_header"),
            (get("https://crm.example/").header("transfer-encoding", "chunked"), "connection_header"),
            (get("https://crm.example/").header("upgrade", "websocket"), "upgrade_refused"),
            (
                get("https://crm.example/").header("content-length", "1").header("content-length", "1"),
                "several_lengths",
            ),
            (get("https://crm.example/").header("content-length", "+1"), "bad_length"),
            (get("https://crm.example/").header("expect", "tea"), "expectation_refused"),
            (get("https://crm.example/").method("TRACE"), "method_refused"),
            (get("https://crm.example/").method("CONNECT"), "method_refused"),
            (get(&format!("https://crm.example/{}", "a".repeat(64))), "target_too_long"),
        ] {
            assert_eq!(code(request), expected);
        }
    }

    #[test]
    fn eight_headers_pass_and_one_more_does_not() {
        let with = |count: usize| (0..count).fold(get("https://crm.example/"), |r, n| r.header(format!("x-{n}"), "v"));
        assert_eq!(code(with(8)), "");
        assert_eq!(code(with(9)), "too_many_headers");
    }

    #[test]
    fn a_header_list_passes_at_its_limit_and_not_one_past_it() {
        let with = |length: usize| {
            let used = "/".len() + "crm.example".len() + "x".len() + FIELD_BYTES;
            get("https://crm.example/").header("x", "y".repeat(length - used))
        };
        assert_eq!(code(with(1024)), "");
        assert_eq!(code(with(1025)), "headers_too_large");
    }
}
