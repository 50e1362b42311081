//! The `[identity]` section in, its mistakes out: what serde cannot see.

use super::{JwtSettings, Settings};
use crate::model::Problem;

/// Adds the mistakes of `settings`, but for those of its files, to `problems`.
pub(super) fn section(settings: &Settings, problems: &mut Vec<Problem>) {
    if settings.remembered < MIN_REMEMBERED {
        let help = "write a number of at least 32, or remove the key";
        problems.push(Problem::new("identity.remembered", "too few proofs are remembered", help));
    }
    for (index, jwt) in settings.jwt.iter().enumerate() {
        let mut wrong = |field: &str, what: &str, help: &str| {
            problems.push(Problem::new(format!("identity.jwt.{index}.{field}"), what, help));
        };
        issuer(jwt, &mut wrong);
        let others = settings.jwt.iter().take(index);
        for other in others {
            against(jwt, other, &mut wrong);
        }
    }
}

fn issuer(jwt: &JwtSettings, wrong: &mut dyn FnMut(&str, &str, &str)) {
    if jwt.issuer.is_empty() {
        wrong("issuer", "the issuer is empty", "write the exact `iss` of its tokens");
    }
    if jwt.audience.is_empty() || jwt.audience.iter().any(String::is_empty) {
        let help = "write the `aud` by which tokens name this gateway; without it tokens for others would pass";
        wrong("audience", "the audience is empty", help);
    }
    if jwt.algorithms.is_empty() {
        wrong("algorithms", "no algorithm is accepted", "name some of RS256, PS256, ES256, EdDSA, or remove the key");
    }
    if jwt.jwks_file.is_none() && jwt.jwks_url.is_none() {
        wrong("issuer", "this issuer has no keys", "give `jwks_file` or `jwks_url`");
    }
    if jwt.jwks_url.as_deref().is_some_and(|url| !is_key_url(url)) {
        let help = "write an absolute `https` URL (`http` is accepted for loopback)";
        wrong("jwks_url", "keys cannot be fetched safely from this URL", help);
    }
    if !REFRESH_SECONDS.contains(&jwt.refresh_seconds) {
        wrong("refresh_seconds", "out of range", "write a number from 10 to 86400");
    }
    if jwt.leeway_seconds > MAX_LEEWAY_SECONDS {
        wrong("leeway_seconds", "more than five minutes", "write at most 300, and set the clocks");
    }
    if jwt.claims.id.is_empty() {
        wrong("claims.id", "the claim has no name", "write the claim that names the caller, such as `sub`");
    }
}

fn against(jwt: &JwtSettings, other: &JwtSettings, wrong: &mut dyn FnMut(&str, &str, &str)) {
    if jwt.issuer == other.issuer {
        wrong("issuer", "this issuer is configured twice", "merge the two entries");
    } else if !(jwt.shares_ids && other.shares_ids) {
        let (mine, theirs) = (&jwt.id_prefix, &other.id_prefix);
        if mine.starts_with(theirs.as_str()) || theirs.starts_with(mine.as_str()) {
            let help = "give each issuer an `id_prefix` of its own, or write `shares_ids = true` for both";
            wrong("id_prefix", "this issuer could name principals of another one", help);
        }
    }
}

fn is_key_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let scheme = uri.scheme_str();
    !host.is_empty() && !user && (scheme == Some("https") || (scheme == Some("http") && loopback))
}

const MIN_REMEMBERED: usize = 32;
const REFRESH_SECONDS: std::ops::RangeInclusive<u64> = 10..=86_400;
const MAX_LEEWAY_SECONDS: u32 = 300;
