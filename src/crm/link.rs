//! Links of responses: absolute links to the CRM are pointed at the gateway, links to anywhere else are named as such.

use std::net::Ipv6Addr;

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkOutcome {
    /// It led to the CRM and now leads to the gateway.
    Rewritten(String),
    /// It is relative: it already leads to the gateway.
    Unchanged,
    /// It leads to another host, or cannot be read with certainty; it must not be followed from here.
    Foreign,
}

/// Rewrites one URI reference (RFC 3986): the value of `Location`, or a link in a body.
///
/// `origins` are the CRM's origins (`https://crm.example`), `public` is the gateway's (`https://gateway.example:8443`).
/// Browsers read a backslash as a slash and drop tabs and line ends (WHATWG URL §4.4), so a reference with any of these
/// before its query counts as foreign, as does one with user information.
#[must_use]
pub fn rewrite_location(text: &str, origins: &[String], public: &str) -> LinkOutcome {
    match split(text) {
        Split::Relative => LinkOutcome::Unchanged,
        Split::Unreadable => LinkOutcome::Foreign,
        Split::Absolute { scheme, host, port, rest } => {
            let ours = origins.iter().any(|origin| match split(origin) {
                Split::Absolute { scheme: theirs, host: their_host, port: their_port, .. } => {
                    scheme.is_none_or(|scheme| theirs == Some(scheme))
                        && host == their_host
                        && port.or(scheme.or(theirs).map(Scheme::port)) == their_port.or(theirs.map(Scheme::port))
                }
                Split::Relative | Split::Unreadable => false,
            });
            if ours {
                LinkOutcome::Rewritten(format!("{}{rest}", public.trim_end_matches('/')))
            } else {
                LinkOutcome::Foreign
            }
        }
    }
}

/// Rewrites a `Link` header (RFC 8288 §3): every target and every `anchor`.
///
/// One foreign link or one that cannot be parsed makes the whole header foreign.
#[must_use]
pub fn rewrite_link(text: &str, origins: &[String], public: &str) -> LinkOutcome {
    match link_header(text, origins, public) {
        None => LinkOutcome::Foreign,
        Some(out) if out == text => LinkOutcome::Unchanged,
        Some(out) => LinkOutcome::Rewritten(out),
    }
}

fn link_header(text: &str, origins: &[String], public: &str) -> Option<String> {
    let (mut rest, mut out) = (text, String::with_capacity(text.len()));
    loop {
        let start = rest.find(|c: char| !matches!(c, ' ' | '\t' | ',')).unwrap_or(rest.len());
        out.push_str(rest.get(..start)?);
        rest = rest.get(start..)?;
        if rest.is_empty() {
            return Some(out);
        }
        let (uri, after) = rest.strip_prefix('<')?.split_once('>')?;
        out.push('<');
        reference(uri, origins, public, &mut out)?;
        out.push('>');
        rest = parameters(after, origins, public, &mut out)?;
    }
}

/// Copies `;name=value` pairs up to the comma that ends the link; what follows the comma is returned.
fn parameters<'a>(text: &'a str, origins: &[String], public: &str, out: &mut String) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        out.push_str(rest.get(..blanks)?);
        rest = rest.get(blanks..)?;
        if rest.is_empty() || rest.starts_with(',') {
            return Some(rest);
        }
        let after = rest.strip_prefix(';')?;
        let length = after.find(['=', ';', ',']).unwrap_or(after.len());
        let name = after.get(..length)?;
        out.push(';');
        out.push_str(name);
        rest = after.get(length..)?;
        let Some(value) = rest.strip_prefix('=') else { continue };
        out.push('=');
        let blanks = value.len() - value.trim_start_matches([' ', '\t']).len();
        out.push_str(value.get(..blanks)?);
        let value = value.get(blanks..)?;
        let is_anchor = name.trim().eq_ignore_ascii_case("anchor");
        if let Some(quoted) = value.strip_prefix('"') {
            let end = closing_quote(quoted)?;
            let inner = quoted.get(..end)?;
            out.push('"');
            if is_anchor {
                reference(inner, origins, public, out)?;
            } else {
                out.push_str(inner);
            }
            out.push('"');
            rest = quoted.get(end + 1..)?;
        } else {
            let end = value.find([';', ',']).unwrap_or(value.len());
            let token = value.get(..end)?;
            if is_anchor {
                reference(token.trim_end(), origins, public, out)?;
            } else {
                out.push_str(token);
            }
            rest = value.get(end..)?;
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

fn reference(uri: &str, origins: &[String], public: &str, out: &mut String) -> Option<()> {
    match rewrite_location(uri, origins, public) {
        LinkOutcome::Rewritten(rewritten) => out.push_str(&rewritten),
        LinkOutcome::Unchanged => out.push_str(uri),
        LinkOutcome::Foreign => return None,
    }
    Some(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// RFC 9110 §4.2.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

enum Split<'a> {
    /// Path, query or fragment only.
    Relative,
    /// With an authority; no scheme for `//host/…`.
    Absolute { scheme: Option<Scheme>, host: String, port: Option<u16>, rest: &'a str },
    /// Anything that two readers could understand differently.
    Unreadable,
}

fn split(text: &str) -> Split<'_> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Split::Unreadable;
    }
    let before_query = text.find(['?', '#']).and_then(|at| text.get(..at)).unwrap_or(text);
    if before_query.contains('\\') {
        return Split::Unreadable;
    }
    let (scheme, rest) = match before_query.split_once(':') {
        // RFC 3986 §4.2: a colon in the first segment is what ends a scheme.
        Some((scheme, _)) if !scheme.contains('/') => {
            let known = if scheme.eq_ignore_ascii_case("https") {
                Scheme::Https
            } else if scheme.eq_ignore_ascii_case("http") {
                Scheme::Http
            } else {
                return Split::Unreadable;
            };
            (Some(known), text.get(scheme.len() + 1..).unwrap_or_default())
        }
        _ => (None, text),
    };
    match rest.strip_prefix("//") {
        Some(rest) => authority(rest, scheme),
        // `https:/path` and `https:path`: browsers and libraries disagree about them.
        None if scheme.is_some() => Split::Unreadable,
        None => Split::Relative,
    }
}

fn authority(text: &str, scheme: Option<Scheme>) -> Split<'_> {
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (Some(authority), Some(rest)) = (text.get(..end), text.get(end..)) else { return Split::Unreadable };
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => match bracketed.split_once(']') {
            Some((address, "")) => (format!("[{address}]"), ""),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (format!("[{address}]"), port),
                None => return Split::Unreadable,
            },
            None => return Split::Unreadable,
        },
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), port),
            None => (authority.to_owned(), ""),
        },
    };
    let Some(host) = canonical_host(&host) else { return Split::Unreadable };
    // An empty port is the default one (RFC 3986 §3.2.3).
    let port = match port {
        "" => None,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => match digits.parse() {
            Ok(port) => Some(port),
            Err(_) => return Split::Unreadable,
        },
        _ => return Split::Unreadable,
    };
    Split::Absolute { scheme, host, port, rest }
}

/// Lower case, without the dot of a fully qualified name; absent for user information, escapes and other spellings.
fn canonical_host(host: &str) -> Option<String> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!name.is_empty() && name.bytes().all(plain)).then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PUBLIC: &str = "https://gw.example:8443";

    fn origins() -> Vec<String> {
        ["https://crm.example", "https://10.0.0.7:8444", "https://[2001:db8::1]:9443", "http://crm.example:8080"]
            .map(String::from)
            .to_vec()
    }

    fn location(text: &str) -> LinkOutcome {
        rewrite_location(text, &origins(), PUBLIC)
    }

    fn rewritten(text: &str) -> LinkOutcome {
        LinkOutcome::Rewritten(text.to_owned())
    }

    #[test]
    fn links_to_the_crm_lead_to_the_gateway() {
        for (text, rest) in [
            ("https://crm.example/a?b=1#c", "/a?b=1#c"),
            ("HTTPS://CRM.Example:443/a", "/a"),
            ("https://crm.example.:/a", "/a"),
            ("https://crm.example", ""),
            ("https://crm.example?x=\\", "?x=\\"),
            ("//crm.example/a", "/a"),
            ("//crm.example:8080/a", "/a"),
            ("https://10.0.0.7:8444/a", "/a"),
            ("https://[2001:DB8:0::1]:9443/a", "/a"),
            ("http://crm.example:8080/a", "/a"),
        ] {
            assert_eq!(location(text), rewritten(&format!("{PUBLIC}{rest}")), "{text}");
        }
    }

    #[test]
    fn relative_links_stay() {
        for text in ["", "/a/b", "a/b", "?page=2", "#top", "../a", "/a:b", "/r?to=https://evil.example"] {
            assert_eq!(location(text), LinkOutcome::Unchanged, "{text}");
        }
    }

    #[test]
    fn links_elsewhere_and_ambiguous_links_are_foreign() {
        for text in [
            "https://evil.example/a",
            "https://crm.example@evil.example/",
            "https://crm@evil/",
            "https://evil@crm.example/",
            "https://crm.example:443@evil.example/",
            "https://crm.example.evil.example/",
            "https://crm.example:8444/",
            "http://crm.example/",
            "//evil.example/a",
            "///evil.example/a",
            "//crm.example:99999/",
            "\\\\evil.example/a",
            "/\\evil.example/a",
            "https:\\\\crm.example/a",
            "https:/crm.example/a",
            "https:evil.example",
            "https://crm.example\\@evil.example/",
            "https://crm%2eexample/",
            "https://crm.example\t/",
            " https://crm.example/",
            "/\t/evil.example",
            "javascript:alert(1)",
            "mailto:jane@example.com",
            "https:///a",
            "https://[::1/",
            "https://[::1]x:1/",
        ] {
            assert_eq!(location(text), LinkOutcome::Foreign, "{text}");
        }
    }

    #[test]
    fn every_target_of_a_link_header_is_rewritten() {
        let header = r#"<https://crm.example/c?page=2>; rel="next", </c?page=1>; rel=prev; title="a, <b>; \" c""#;
        let expected = r#"<https://gw.example:8443/c?page=2>; rel="next", </c?page=1>; rel=prev; title="a, <b>; \" c""#;
        assert_eq!(rewrite_link(header, &origins(), PUBLIC), rewritten(expected));
        let anchored = r#"</c>; rel="self"; Anchor="https://crm.example/x""#;
        let expected = r#"</c>; rel="self"; Anchor="https://gw.example:8443/x""#;
        assert_eq!(rewrite_link(anchored, &origins(), PUBLIC), rewritten(expected));
        assert_eq!(rewrite_link("</a>; rel=next,,</b>;x", &origins(), PUBLIC), LinkOutcome::Unchanged);
    }

    #[test]
    fn one_foreign_or_broken_link_makes_the_header_foreign() {
        for header in [
            r#"</a>; rel="prev", <https://evil.example/>; rel="next""#,
            r#"</a>; anchor="https://evil.example/""#,
            "</a",
            "/a; rel=next",
            r#"</a>; rel="next"#,
            "</a> <https://evil.example/>",
        ] {
            assert_eq!(rewrite_link(header, &origins(), PUBLIC), LinkOutcome::Foreign, "{header}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_not_foreign_stays_at_the_gateway(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "https:", "http:", "HTTPS:", "//", "/", "crm.example", "CRM.EXAMPLE", "evil.example", ":443", ":", "@", ".",
                    "\\", "?", "#", "\t", " ", "a", "%2e", "[::1]", "javascript:", "[2001:db8::1]:9443",
                ]),
                0..8,
            ),
        ) {
            let text = pieces.concat();
            match location(&text) {
                LinkOutcome::Rewritten(link) => {
                    let rest = link.strip_prefix(PUBLIC);
                    prop_assert!(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#'])), "{}", link);
                    prop_assert!(text.ends_with(rest.unwrap_or_default()));
                    prop_assert_eq!(rewrite_location(&link, &[PUBLIC.to_owned()], PUBLIC), LinkOutcome::Rewritten(link));
                }
                LinkOutcome::Unchanged => {
                    prop_assert!(!text.starts_with("//"));
                    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
                    prop_assert!(!first.contains([':', '\\', '\t', ' ']), "{}", text);
                }
                LinkOutcome::Foreign => {}
            }
        }
    }
}
