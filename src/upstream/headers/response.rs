//! The CRM's header fields in, those for the caller out.

use http::{HeaderMap, HeaderName};

use super::{is_hop_by_hop, nominated};

/// Removes from a response what must not reach the caller: fields of the connection to the CRM, offers to reach it by
/// another way, orders to servers in front of the gateway, promises that are the gateway's to make, software versions,
/// and cookies unless `pass_cookies`. `Content-Length`, `Location` and `Link` are the gateway's to set.
pub fn prepare_response(headers: &mut HeaderMap, pass_cookies: bool) {
    let nominated = nominated(headers);
    let removed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name) || nominated.contains(name) || is_kept_back(name, pass_cookies))
        .cloned()
        .collect();
    for name in removed {
        headers.remove(name);
    }
}

fn is_kept_back(name: &HeaderName, pass_cookies: bool) -> bool {
    match name.as_str() {
        "set-cookie" | "set-cookie2" => !pass_cookies,
        // Another way to the CRM, around the gateway.
        "alt-svc" | "alt-used" | "refresh" | "content-location" => true,
        // Promises about a host name that is the gateway's.
        "strict-transport-security" | "public-key-pins" | "expect-ct" | "clear-site-data" | "origin-agent-cluster" => {
            true
        }
        // Reports by the browser to third parties, with URLs in them.
        "nel" | "report-to" | "reporting-endpoints" => true,
        "server" | "x-powered-by" | "x-aspnet-version" | "x-runtime" | "sourcemap" | "x-sourcemap" => true,
        "forwarded" | "x-sendfile" => true,
        name => name.starts_with("x-accel-") || name.starts_with("fieldgate-") || name.starts_with("x-forwarded-"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(fields: &[(&'static str, &'static str)], pass_cookies: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        prepare_response(&mut headers, pass_cookies);
        let mut left: Vec<_> = headers.keys().map(ToString::to_string).collect();
        left.sort();
        left
    }

    #[test]
    fn each_of_these_is_removed() {
        for name in [
            "connection",
            "keep-alive",
            "transfer-encoding",
            "upgrade",
            "te",
            "proxy-authenticate",
            "proxy-status",
            "alt-svc",
            "refresh",
            "content-location",
            "strict-transport-security",
            "clear-site-data",
            "nel",
            "report-to",
            "server",
            "x-powered-by",
            "x-accel-redirect",
            "x-sendfile",
            "set-cookie",
            "fieldgate-view",
            "x-forwarded-for",
        ] {
            assert_eq!(left(&[(name, "x"), ("etag", "\"1\"")], false), ["etag"], "{name}");
        }
    }

    #[test]
    fn each_of_these_stays() {
        for name in [
            "content-type",
            "content-length",
            "content-encoding",
            "location",
            "link",
            "retry-after",
            "trailer",
            "www-authenticate",
            "access-control-allow-origin",
            "vary",
            "cache-control",
            "x-ratelimit-remaining",
        ] {
            assert_eq!(left(&[(name, "x")], false), [name]);
        }
    }

    #[test]
    fn cookies_come_back_only_when_they_are_passed() {
        assert!(left(&[("set-cookie", "a=b")], false).is_empty());
        assert_eq!(left(&[("set-cookie", "a=b"), ("set-cookie", "c=d")], true), ["set-cookie"]);
    }

    #[test]
    fn connection_takes_its_own_fields_away_but_no_security_header() {
        let fields = [
            ("connection", "close, x-hop, Content-Type, Cache-Control"),
            ("x-hop", "1"),
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
        ];
        assert_eq!(left(&fields, false), ["cache-control", "content-type"]);
    }
}
