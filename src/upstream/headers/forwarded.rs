//! What the CRM learns of the caller's connection (RFC 7239 and its unregistered predecessors).

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::Scheme};

use crate::{
    model::{Peer, Problem},
    upstream::{Settings, cidr::Cidr, target::is_plain},
};

/// What the gateway believes of callers and passes to one CRM.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// What follows the caller's address in `Forwarded`.
    forwarded_tail: String,
    host_value: HeaderValue,
    trusted: Vec<Cidr>,
    /// Whether the caller's `Authorization` goes to the CRM.
    pub pass_authorization: bool,
    /// Whether cookies go to the CRM and back.
    pub pass_cookies: bool,
}

impl Inbound {
    /// `public_url` is the origin under which callers reach the gateway; `trusted` are the addresses whose `Forwarded`,
    /// `X-Forwarded-*` and `Via` are believed: load balancers in front of the gateway. Paths of problems are
    /// `public_url` and `trusted_proxies.N`, below the caller's prefix.
    ///
    /// # Errors
    /// When the URL is not an https origin, or a range is none.
    pub fn new(public_url: &str, trusted: &[String], settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut ranges = Vec::new();
        for (index, range) in trusted.iter().enumerate() {
            match range.parse() {
                Ok(range) => ranges.push(range),
                Err(error) => problems.push(Problem::new(
                    format!("trusted_proxies.{index}"),
                    format!("`{range}` is {error}"),
                    "list the addresses of the load balancers in front of the gateway",
                )),
            }
        }
        let uri = public_url.parse::<Uri>().ok().filter(|uri| uri.scheme() == Some(&Scheme::HTTPS));
        let authority = uri.as_ref().and_then(Uri::authority).filter(|authority| is_plain(authority));
        let host = authority.and_then(|authority| {
            let authority = authority.as_str();
            let host = authority.strip_suffix(":443").unwrap_or(authority).to_ascii_lowercase();
            HeaderValue::from_str(&host).ok().map(|value| (host, value))
        });
        match host {
            Some((host, host_value)) if problems.is_empty() => Ok(Self {
                forwarded_tail: forwarded_tail(&host),
                host_value,
                trusted: ranges,
                pass_authorization: settings.pass_authorization,
                pass_cookies: settings.pass_cookies,
            }),
            host => {
                if host.is_none() {
                    problems.push(Problem::new(
                        "public_url",
                        "the public URL is not an https origin",
                        "write `https://host` or `https://host:port` as callers use it",
                    ));
                }
                Err(problems)
            }
        }
    }

    /// Whether what `address` says about the hops before it is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|range| range.contains(address))
    }

    /// Adds this hop to `out`; what a trusted peer said in `inbound` stands before it.
    pub(super) fn add(&self, inbound: &HeaderMap, peer: &Peer, out: &mut HeaderMap) {
        let address = peer.address.ip().to_canonical();
        let trusted = self.trusts(address);
        let said = |name: &HeaderName| trusted.then(|| joined(inbound, name)).flatten();

        let for_node = address.to_string();
        let (open, close) = if address.is_ipv6() { ("\"[", "]\"") } else { ("", "") };
        let text = ["for=", open, &for_node, close, &self.forwarded_tail].concat();
        put(out, header::FORWARDED, said(&header::FORWARDED), &text);
        put(out, X_FORWARDED_FOR, said(&X_FORWARDED_FOR), &for_node);

        let proto = said(&X_FORWARDED_PROTO).and_then(|said| HeaderValue::from_str(&said).ok());
        out.insert(X_FORWARDED_PROTO, proto.unwrap_or(HeaderValue::from_static("https")));
        let host = said(&X_FORWARDED_HOST).and_then(|said| HeaderValue::from_str(&said).ok());
        out.insert(X_FORWARDED_HOST, host.unwrap_or_else(|| self.host_value.clone()));
        // RFC 9110 §7.6.3: a gateway names itself to the inner server.
        match said(&header::VIA) {
            Some(before) => put(out, header::VIA, Some(before), VIA),
            None => drop(out.insert(header::VIA, HeaderValue::from_static(VIA))),
        }
    }
}

/// A host with a port is no token and has to be quoted (RFC 7239 §4).
fn forwarded_tail(host: &str) -> String {
    let quote = if host.contains([':', '[']) { "\"" } else { "" };
    format!(";host={quote}{host}{quote};proto=https")
}

/// Whether a field claims something about the hops before the gateway.
pub(super) fn is_claim(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "forwarded"
            | "via"
            | "x-real-ip"
            | "x-client-ip"
            | "x-cluster-client-ip"
            | "x-original-forwarded-for"
            | "x-original-host"
            | "x-host"
            | "x-remote-addr"
            | "x-remote-user"
            | "remote-user"
            | "true-client-ip"
            | "client-ip"
            | "cf-connecting-ip"
            | "fastly-client-ip"
    ) || name.as_str().starts_with("x-forwarded")
}

fn put(out: &mut HeaderMap, name: HeaderName, before: Option<String>, own: &str) {
    let text = match before {
        Some(before) => HeaderValue::from_str(&format!("{before}, {own}")),
        None => HeaderValue::from_str(own),
    };
    if let Ok(value) = text {
        out.insert(name, value);
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// How the gateway names itself.
const VIA: &str = "1.1 fieldgate";
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
