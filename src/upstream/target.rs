//! One CRM: where it is, how it is verified, what is added to every request.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Uri, header,
    uri::{Authority, PathAndQuery, Scheme},
};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;

use super::{
    Settings,
    credential::{self, Credential},
};
use crate::{
    model::{Problem, Sensitive},
    tls::{self, ClientSettings},
};

/// A checked `[[upstream]]` with its files loaded.
#[derive(Debug)]
pub struct Upstream {
    name: Arc<str>,
    authority: Authority,
    host: HeaderValue,
    base: String,
    origins: Vec<String>,
    pub(crate) server_name: ServerName<'static>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) credential: Option<Credential>,
    pub(crate) times: Times,
    pub(crate) max_connections: usize,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) idle: Duration,
    pub(crate) lifetime: Duration,
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) read: Duration,
    /// A connection that rested for longer is looked at before it is used.
    pub(crate) stale: Duration,
}

impl Upstream {
    /// Checks `settings` and loads its files. `resolve` makes paths absolute; `at` is the dotted key (`upstream.0`).
    ///
    /// # Errors
    /// Every mistake found, each with its key.
    pub fn new(settings: &Settings, resolve: &dyn Fn(&Path) -> PathBuf, at: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        check_ranges(settings, at, &mut problems);
        let origins = origins(settings, at, &mut problems);
        let client = ClientSettings {
            ca: settings.ca.clone(),
            client_certificate: settings.client_certificate.clone(),
            client_key: settings.client_key.clone(),
            http2: settings.http2,
        };
        let tls = tls::client_config(&client, resolve, at).map_err(|found| problems.extend(found)).ok();
        let credential = credential::load(settings, resolve, at).map_err(|problem| problems.push(problem)).ok();
        let url = parse_url(&settings.url);
        if url.is_none() {
            problems.push(Problem::new(
                format!("{at}.url"),
                "the URL of the upstream is not `https://host[:port][/base]`",
                "write an https URL without user, query, fragment or dot segments",
            ));
        }
        let named = url.as_ref().map(|url| settings.server_name.as_deref().unwrap_or(url.authority.host()));
        let server_name = named.and_then(tls::server_name);
        if named.is_some() && server_name.is_none() {
            problems.push(Problem::new(
                format!("{at}.server_name"),
                "the server name is neither a DNS name nor an IP address",
                "write the name that the certificate of the CRM carries",
            ));
        }
        match (tls, credential, url, server_name) {
            (Some(tls), Some(credential), Some(url), Some(server_name)) if problems.is_empty() => Ok(Self {
                name: settings.name.as_str().into(),
                host: url.host,
                authority: url.authority,
                base: url.base,
                origins,
                server_name,
                tls,
                credential,
                times: Times {
                    idle: Duration::from_secs(settings.idle_seconds),
                    lifetime: Duration::from_secs(settings.lifetime_seconds),
                    connect: Duration::from_secs(settings.connect_seconds),
                    response: Duration::from_secs(settings.response_seconds),
                    read: Duration::from_secs(settings.read_seconds),
                    stale: STALE,
                },
                max_connections: settings.max_connections,
            }),
            _ => Err(problems),
        }
    }

    /// The gateway's own credential and its last word: an error body must not echo either.
    #[must_use]
    pub fn secrets(&self) -> Vec<Sensitive<String>> {
        let value = self.credential.as_ref().and_then(|credential| credential.value.to_str().ok()).unwrap_or_default();
        let mut secrets = vec![value, value.rsplit(' ').next().unwrap_or_default()];
        secrets.retain(|secret| !secret.is_empty());
        secrets.dedup();
        secrets.into_iter().map(|secret| Sensitive::new(secret.to_owned())).collect()
    }

    /// The configured name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The origins under which the CRM links to itself: that of `url`, with and without the default port, and the
    /// aliases. No trailing slash.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        self.origins.clone()
    }

    /// The URL of `target`, an origin-form target below the base path; nothing when it is none.
    #[must_use]
    pub fn uri(&self, target: &str) -> Option<Uri> {
        if !target.starts_with('/') || target.contains('#') {
            return None;
        }
        let path = match self.base.is_empty() {
            true => PathAndQuery::try_from(target).ok()?,
            false => PathAndQuery::try_from(format!("{}{target}", self.base)).ok()?,
        };
        Some(self.absolute(path))
    }

    /// The target below the base path that `link` names: an absolute link to this CRM, or a target of its own.
    #[must_use]
    pub fn target_of(&self, link: &str) -> Option<String> {
        let rest = if link.starts_with('/') && !link.starts_with("//") {
            link
        } else {
            let lower = link.to_ascii_lowercase();
            // The longest one first: `https://crm` is the beginning of `https://crm:443`.
            let origins = self.origins.iter().filter(|origin| lower.starts_with(origin.as_str()));
            link.get(origins.map(String::len).max()?..)?
        };
        let target = rest.strip_prefix(self.base.as_str()).filter(|below| below.starts_with('/')).unwrap_or(rest);
        target.starts_with('/').then(|| target.to_owned()).filter(|target| self.uri(target).is_some())
    }

    /// The headers of a request that the gateway makes for itself: JSON without a content coding, and the credential.
    #[must_use]
    pub fn own_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("fieldgate/", env!("CARGO_PKG_VERSION"))));
        if let Some(credential) = &self.credential {
            headers.insert(credential.name.clone(), credential.value.clone());
        }
        headers
    }

    /// Whether the gateway has a credential of its own.
    #[must_use]
    pub fn has_credential(&self) -> bool {
        self.credential.is_some()
    }

    /// `path` at this CRM.
    pub(crate) fn absolute(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        // Scheme, authority and path together are always a URI.
        Uri::from_parts(parts).unwrap_or_default()
    }

    /// The value of `Host`.
    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Host without brackets, and port, to connect to.
    pub(crate) fn address(&self) -> (&str, u16) {
        let host = self.authority.host();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        (bare, self.authority.port_u16().unwrap_or(443))
    }
}

struct Url {
    authority: Authority,
    host: HeaderValue,
    base: String,
}

fn parse_url(text: &str) -> Option<Url> {
    let uri: Uri = text.parse().ok()?;
    let authority = uri.authority()?.clone();
    let base = uri.path().trim_end_matches('/');
    let plain = uri.scheme() == Some(&Scheme::HTTPS)
        && uri.query().is_none()
        && !text.contains('#')
        && is_plain(&authority)
        && !base.split('/').any(|segment| matches!(segment, "." | "..") || segment.contains('%'))
        && !base.contains("//");
    let bare = authority.as_str().strip_suffix(":443").unwrap_or(authority.as_str());
    let host = HeaderValue::from_str(bare).ok()?;
    plain.then(|| Url { host, base: base.to_owned(), authority })
}

/// Host, or host and port: no user, and nothing after the colon that is no port.
pub(crate) fn is_plain(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    !text.contains('@') && (text.len() == host.len() || authority.port_u16().is_some_and(|port| port > 0))
}

/// The origins of the URL and its aliases, in lower case, each with and without `:443`.
fn origins(settings: &Settings, at: &str, problems: &mut Vec<Problem>) -> Vec<String> {
    let mut origins = Vec::new();
    for (index, text) in std::iter::once(&settings.url).chain(&settings.aliases).enumerate() {
        let uri = text.parse::<Uri>().ok();
        let authority = uri.as_ref().and_then(Uri::authority).filter(|authority| is_plain(authority));
        let scheme = uri.as_ref().and_then(Uri::scheme_str);
        // A CRM that does not know that it is behind TLS links to itself with http.
        let (Some(authority), Some(scheme @ ("https" | "http"))) = (authority, scheme) else {
            if let Some(alias) = index.checked_sub(1) {
                problems.push(Problem::new(
                    format!("{at}.aliases.{alias}"),
                    "an alias is not an origin",
                    "write `https://host` or `https://host:port`",
                ));
            }
            continue;
        };
        let default_port = if scheme == "https" { 443 } else { 80 };
        let host = authority.host().to_ascii_lowercase();
        match authority.port_u16() {
            Some(port) if port != default_port => origins.push(format!("{scheme}://{host}:{port}")),
            _ => origins.extend([format!("{scheme}://{host}"), format!("{scheme}://{host}:{default_port}")]),
        }
    }
    origins
}

/// Well below the idle time of any server, well above the pause between requests of a busy worker.
const STALE: Duration = Duration::from_millis(500);

fn check_ranges(settings: &Settings, at: &str, problems: &mut Vec<Problem>) {
    if settings.name.is_empty() {
        problems.push(Problem::new(format!("{at}.name"), "the upstream has no name", "give it one"));
    }
    for (key, value, low, high) in [
        ("idle_seconds", settings.idle_seconds, 1, 3_600),
        ("lifetime_seconds", settings.lifetime_seconds, 1, 86_400),
        ("connect_seconds", settings.connect_seconds, 1, 300),
        ("response_seconds", settings.response_seconds, 1, 86_400),
        ("read_seconds", settings.read_seconds, 1, 86_400),
        ("max_connections", settings.max_connections as u64, 1, 100_000),
    ] {
        if !(low..=high).contains(&value) {
            problems.push(Problem::new(
                format!("{at}.{key}"),
                format!("`{key}` is {value}"),
                format!("use a value from {low} to {high}"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{tls::testing::Pki, upstream::pool::tests::settings};

    fn upstream(url: &str, aliases: &[&str]) -> Result<Upstream, Vec<String>> {
        let settings = Settings {
            url: url.into(),
            aliases: aliases.iter().map(ToString::to_string).collect(),
            ..settings("127.0.0.1:1".parse().unwrap())
        };
        Upstream::new(&settings, &Pki::new().resolve(), "upstream.0")
            .map_err(|problems| problems.into_iter().map(|found| found.path).collect())
    }

    #[test]
    fn targets_stay_below_the_base_of_the_url() {
        for (url, target, expected) in [
            ("https://crm", "/a?b=c", Some("https://crm/a?b=c")),
            ("https://crm/", "/a", Some("https://crm/a")),
            ("https://crm:8443/base/", "/a", Some("https://crm:8443/base/a")),
            ("https://[::1]:8443", "/", Some("https://[::1]:8443/")),
            ("https://crm", "a", None),
            ("https://crm", "", None),
            ("https://crm", "https://other/", None),
            ("https://crm", "/a#b", None),
            ("https://crm", "/a b", None),
        ] {
            let uri = upstream(url, &[]).unwrap().uri(target).map(|uri| uri.to_string());
            assert_eq!(uri.as_deref(), expected, "{url} {target}");
        }
    }

    #[test]
    fn links_to_the_crm_become_targets_and_others_do_not() {
        let upstream = upstream("https://crm.example/rest", &["http://old:8080"]).unwrap();
        for (link, target) in [
            ("https://crm.example/rest/a?page=2", Some("/a?page=2")),
            ("https://CRM.example:443/rest/a", Some("/a")),
            ("http://old:8080/rest/a", Some("/a")),
            ("/rest/a?b", Some("/a?b")),
            ("/a", Some("/a")),
            ("/restaurant", Some("/restaurant")),
            ("https://crm.example", None),
            ("https://crm.example.evil/a", None),
            ("https://crm.example@evil/a", None),
            ("//evil/a", None),
            ("https://evil/a", None),
            ("a", None),
        ] {
            assert_eq!(upstream.target_of(link).as_deref(), target, "{link}");
        }
    }

    #[test]
    fn a_url_that_is_not_the_base_of_a_crm_is_refused() {
        for url in [
            "",
            "crm",
            "http://crm",
            "https://",
            "https://u@crm",
            "https://crm?a",
            "https://crm#a",
            "https://crm:0",
            "https://crm/a/../b",
            "https://crm/%2e",
            "https://crm/a//b",
            "https://crm:x",
        ] {
            assert_eq!(upstream(url, &[]).unwrap_err(), ["upstream.0.url"], "{url}");
        }
    }

    #[test]
    fn origins_are_known_with_and_without_the_default_port() {
        let origins = |url, aliases: &[&str]| upstream(url, aliases).unwrap().origins();
        assert_eq!(origins("https://CRM.example/base", &[]), ["https://crm.example", "https://crm.example:443"]);
        assert_eq!(
            origins("https://crm.example:8443", &["http://crm", "https://old.example"]),
            [
                "https://crm.example:8443",
                "http://crm",
                "http://crm:80",
                "https://old.example",
                "https://old.example:443"
            ]
        );
        assert_eq!(
            upstream("https://crm", &["crm", "ftp://crm"]).unwrap_err(),
            ["upstream.0.aliases.0", "upstream.0.aliases.1"]
        );
    }

    #[test]
    fn times_and_counts_have_their_ranges() {
        let pki = Pki::new();
        let zero = Settings { idle_seconds: 0, max_connections: 0, ..settings("127.0.0.1:1".parse().unwrap()) };
        let problems = Upstream::new(&zero, &pki.resolve(), "u").unwrap_err();
        let paths: Vec<_> = problems.into_iter().map(|found| found.path).collect();
        assert_eq!(paths, ["u.idle_seconds", "u.max_connections"]);
    }
}
