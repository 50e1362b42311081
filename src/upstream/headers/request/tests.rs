//! Tables of what passes, what does not, and what is set.

use std::sync::Arc;

use super::*;
use crate::{
    model::{ClientAuth, NoCertificate, Protocol},
    tls::testing::Pki,
    upstream::{Settings, pool::tests::settings},
};

fn peer(address: &str) -> Peer {
    Peer {
        address: address.parse().unwrap(),
        listener: Arc::from("main"),
        sni: None,
        tls_version: "1.3",
        protocol: Protocol::Http1,
        client_auth: ClientAuth::None(NoCertificate::NotAsked),
    }
}

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    headers
}

struct Case {
    pki: Pki,
    settings: Settings,
}

impl Case {
    fn new() -> Self {
        Self { pki: Pki::new(), settings: settings("127.0.0.1:8443".parse().unwrap()) }
    }

    fn upstream(&self) -> Upstream {
        Upstream::new(&self.settings, &self.pki.resolve(), "upstream.0").unwrap()
    }

    fn prepare(&self, from: &str, fields: &[(&str, &str)]) -> HeaderMap {
        let trusted = ["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
        let inbound = Inbound::new("https://crm.gateway.example", &trusted, &self.settings).unwrap();
        prepare_request(&map(fields), &self.upstream(), &peer(from), &inbound)
    }
}

fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

const STRANGER: &str = "192.0.2.7:5000";
const BALANCER: &str = "10.1.2.3:5000";

#[test]
fn fields_of_the_connection_claims_and_secrets_are_left_out() {
    let case = Case::new();
    for (name, value) in [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "x"),
        ("proxy-authorization", "Basic x"),
        ("proxy-connection", "close"),
        ("proxy-anything", "x"),
        ("content-length", "5"),
        ("expect", "100-continue"),
        ("authorization", "Bearer x"),
        ("cookie", "a=b"),
        ("fieldgate-key", "fg_x"),
        ("fieldgate-purpose", "x"),
        ("x-real-ip", "1.2.3.4"),
        ("x-forwarded-server", "x"),
        ("x-forwarded-user", "root"),
        ("x-forwarded", "for=1.2.3.4"),
        ("client-ip", "1"),
        ("true-client-ip", "1.2.3.4"),
        ("remote-user", "root"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/a"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
    ] {
        assert!(!case.prepare(STRANGER, &[(name, value)]).contains_key(name), "{name}");
    }
}

#[test]
fn other_fields_pass_as_they_are() {
    let case = Case::new();
    for (name, value) in [
        ("content-type", "application/json"),
        ("accept", "*/*"),
        ("if-none-match", "\"1\""),
        ("range", "bytes=0-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("trailer", "x-sum"),
        ("x-request-id", "7"),
        ("user-agent", "curl"),
        ("idempotency-key", "k"),
    ] {
        assert_eq!(all(&case.prepare(STRANGER, &[(name, value)]), name), [value]);
    }
    assert_eq!(all(&case.prepare(STRANGER, &[("x-a", "1"), ("x-a", "2")]), "x-a"), ["1", "2"]);
}

#[test]
fn what_a_stranger_says_about_hops_is_replaced_and_what_a_balancer_says_is_kept() {
    let case = Case::new();
    let said = [
        ("forwarded", "for=198.51.100.1"),
        ("x-forwarded-for", "198.51.100.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("via", "1.1 lb"),
    ];
    let stranger = case.prepare(STRANGER, &said);
    let balancer = case.prepare(BALANCER, &said);
    for (name, from_stranger, from_balancer) in [
        (
            "forwarded",
            "for=192.0.2.7;host=crm.gateway.example;proto=https",
            "for=198.51.100.1, for=10.1.2.3;host=crm.gateway.example;proto=https",
        ),
        ("x-forwarded-for", "192.0.2.7", "198.51.100.1, 10.1.2.3"),
        ("x-forwarded-proto", "https", "http"),
        ("x-forwarded-host", "crm.gateway.example", "evil.example"),
        ("via", "1.1 fieldgate", "1.1 lb, 1.1 fieldgate"),
    ] {
        assert_eq!(all(&stranger, name), [from_stranger]);
        assert_eq!(all(&balancer, name), [from_balancer]);
    }
    let v6 = case.prepare("[2001:db9::7]:5000", &said);
    assert_eq!(all(&v6, "forwarded"), ["for=\"[2001:db9::7]\";host=crm.gateway.example;proto=https"]);
    assert_eq!(all(&v6, "x-forwarded-for"), ["2001:db9::7"]);
    let mapped = case.prepare("[::ffff:10.1.2.3]:5000", &said);
    assert_eq!(all(&mapped, "x-forwarded-for"), ["198.51.100.1, 10.1.2.3"]);
}

#[test]
fn connection_nominates_its_own_fields_but_none_that_something_depends_on() {
    let case = Case::new();
    let prepared = case.prepare(
        STRANGER,
        &[
            ("connection", "x-hop, If-Match, content-type"),
            ("connection", "x-forwarded-for, host, range"),
            ("x-hop", "1"),
            ("if-match", "\"1\""),
            ("content-type", "application/json"),
            ("range", "bytes=0-1"),
        ],
    );
    assert!(!prepared.contains_key("x-hop"));
    for name in ["if-match", "content-type", "range", "host", "x-forwarded-for"] {
        assert!(prepared.contains_key(name), "{name}");
    }
}

#[test]
fn the_host_is_that_of_the_crm_and_codings_are_those_decoded_here() {
    let case = Case::new();
    let prepared = case.prepare(STRANGER, &[("host", "gateway"), ("accept-encoding", "gzip, compress")]);
    assert_eq!(all(&prepared, "host"), ["localhost:8443"]);
    assert_eq!(all(&prepared, "accept-encoding"), ["gzip"]);
    assert_eq!(all(&case.prepare(STRANGER, &[]), "accept-encoding"), ["identity"]);
}

#[test]
fn authorization_and_cookies_pass_when_the_upstream_says_so() {
    let mut case = Case::new();
    case.settings.pass_authorization = true;
    case.settings.pass_cookies = true;
    let prepared = case.prepare(STRANGER, &[("authorization", "Bearer x"), ("cookie", "a=b"), ("cookie", "c=d")]);
    assert_eq!(all(&prepared, "authorization"), ["Bearer x"]);
    assert_eq!(all(&prepared, "cookie"), ["a=b; c=d"]);
}

#[test]
fn the_credential_replaces_what_the_caller_sent_and_is_not_printed() {
    let mut case = Case::new();
    case.settings.credential_header = Some("X-Api-Token".into());
    case.settings.credential_file = Some("token".into());
    std::fs::write(case.pki.resolve()("token".as_ref()), "  s3cret-token \r\n").unwrap();
    let prepared = case.prepare(STRANGER, &[("x-api-token", "mine"), ("connection", "x-api-token")]);
    assert_eq!(all(&prepared, "x-api-token"), ["s3cret-token"]);
    assert!(!format!("{prepared:?} {:?}", case.upstream()).contains("s3cret"));
}

#[test]
fn mistakes_in_a_credential_are_named_by_their_key() {
    let mut case = Case::new();
    let file = case.pki.resolve()("token".as_ref());
    for (header, content, authorization, key) in [
        (Some("x-api-token"), None, false, "credential_file"),
        (Some("x-api-token"), Some(""), false, "credential_file"),
        (Some("x-api-token"), Some("one\ntwo"), false, "credential_file"),
        (Some("x-api-token"), Some("caf\u{e9}"), false, "credential_file"),
        (None, Some("token"), false, "credential_header"),
        (Some("host"), Some("token"), false, "credential_header"),
        (Some("connection"), Some("token"), false, "credential_header"),
        (Some("fieldgate-key"), Some("token"), false, "credential_header"),
        (Some("a b"), Some("token"), false, "credential_header"),
        (Some("Authorization"), Some("token"), true, "pass_authorization"),
    ] {
        case.settings.credential_header = header.map(Into::into);
        case.settings.credential_file = Some("token".into());
        case.settings.pass_authorization = authorization;
        let _ = std::fs::remove_file(&file);
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let problems = Upstream::new(&case.settings, &case.pki.resolve(), "upstream.3").unwrap_err();
        let paths: Vec<_> = problems.iter().map(|found| found.path.as_str()).collect();
        assert_eq!(paths, [format!("upstream.3.{key}")], "{header:?} {content:?}");
    }
    case.settings.credential_header = Some("x-api-token".into());
    for (length, expected) in [(8 * 1024, true), (8 * 1024 + 1, false)] {
        std::fs::write(&file, "t".repeat(length)).unwrap();
        assert_eq!(Upstream::new(&case.settings, &case.pki.resolve(), "u").is_ok(), expected, "{length}");
    }
}

#[test]
fn mistakes_of_the_gateways_side_are_named_by_their_key() {
    let case = Case::new();
    let new = |url: &str, ranges: &[&str]| {
        let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
        let problems = Inbound::new(url, &ranges, &case.settings).err().unwrap_or_default();
        problems.into_iter().map(|found| found.path).collect::<Vec<_>>()
    };
    assert!(new("https://gateway.example:8443", &["10.0.0.0/8"]).is_empty());
    assert_eq!(new("http://gateway.example", &["10.0.0.0/8", "x"]), ["trusted_proxies.1", "public_url"]);
    for url in ["https://u@gateway.example", "https://gateway.example:x", "https://gateway.example:0", "gateway", ""] {
        assert_eq!(new(url, &[]), ["public_url"], "{url}");
    }
}
