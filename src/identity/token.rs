//! JWTs in compact form (RFC 7519, RFC 8725) in; claims that an issuer of ours signed, for us and for now, out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Algorithm, IdentityError, JwksError, JwtSettings, jwks::KeySet, moment};
use crate::{crypto, model::Timestamp};

/// A token that was taken apart; nothing in it is believed yet.
pub(super) struct Unverified<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    message: &'a [u8],
    signature: &'a str,
    claims: Map<String, Value>,
}

/// Claims with a valid signature, issuer, audience and time. Only [`Issuer::verify`] makes them.
pub(super) struct Verified {
    /// The claims.
    pub(super) claims: Map<String, Value>,
    /// `exp` plus the leeway: from then on the token does not count.
    pub(super) until: Timestamp,
    /// The generation of the keys that verified it.
    pub(super) generation: u64,
    /// SHA-256 of the certificate it is bound to, in hex.
    pub(super) bound_to: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Unverified<'a> {
    /// Takes `token` apart and refuses what no issuer could make acceptable.
    pub(super) fn read(token: &'a str) -> Result<Self, IdentityError> {
        let (message, signature) = token.rsplit_once('.').ok_or(IdentityError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(IdentityError::Malformed)?;
        let header: Header = json(header)?;
        // Before anything else: `none` and HMAC have no name here (RFC 8725 §3.1).
        let algorithm = Algorithm::named(&header.alg).ok_or(IdentityError::Algorithm)?;
        if header.crit.is_some() {
            return Err(IdentityError::Critical);
        }
        if header.typ.as_deref().is_some_and(|typ| !is_access_token(typ)) {
            return Err(IdentityError::Type);
        }
        let claims = json(payload)?;
        Ok(Self { algorithm, kid: header.kid, message: message.as_bytes(), signature, claims })
    }

    /// The claimed issuer.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }
}

/// One configured issuer and its keys.
pub(super) struct Issuer {
    /// Its settings.
    pub(super) settings: JwtSettings,
    /// Its name in records.
    pub(super) name: Arc<str>,
    keys: ArcSwap<KeySet>,
    wanted: AtomicBool,
}

impl Issuer {
    /// An issuer without keys.
    pub(super) fn new(settings: &JwtSettings) -> Self {
        Self {
            name: settings.name.as_deref().unwrap_or(&settings.issuer).into(),
            settings: settings.clone(),
            keys: ArcSwap::default(),
            wanted: AtomicBool::new(false),
        }
    }

    /// The claims of `token`, when everything about it is right at `now`.
    pub(super) fn verify(&self, token: Unverified<'_>, now: Timestamp) -> Result<Verified, IdentityError> {
        let keys = self.keys.load();
        if !self.settings.algorithms.contains(&token.algorithm) {
            return Err(IdentityError::Algorithm);
        }
        let verified = keys.verify(token.algorithm, token.kid.as_deref(), token.message, token.signature);
        if verified == Err(IdentityError::Key) {
            self.wanted.store(true, Ordering::Relaxed);
            return Err(if keys.is_empty() { IdentityError::KeysUnavailable } else { IdentityError::Key });
        }
        verified?;
        self.check_audience(&token.claims)?;
        let until = self.check_time(&token.claims, now)?;
        let bound_to = bound_to(&token.claims)?;
        Ok(Verified { claims: token.claims, until, generation: keys.generation, bound_to })
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), IdentityError> {
        let is_us =
            |value: &Value| value.as_str().is_some_and(|text| self.settings.audience.iter().any(|us| us == text));
        let meant = match claims.get("aud") {
            Some(Value::Array(audiences)) => audiences.iter().any(is_us),
            Some(audience) => is_us(audience),
            None => false,
        };
        if meant { Ok(()) } else { Err(IdentityError::Audience) }
    }

    fn check_time(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, IdentityError> {
        let leeway = i64::from(self.settings.leeway_seconds);
        let exp = claims.get("exp").and_then(moment::numeric).ok_or(IdentityError::Claims)?;
        let until = exp.plus_seconds(leeway);
        if now >= until {
            return Err(IdentityError::Expired);
        }
        if let Some(nbf) = claims.get("nbf") {
            let nbf = moment::numeric(nbf).ok_or(IdentityError::Claims)?;
            if now.plus_seconds(leeway) < nbf {
                return Err(IdentityError::NotYetValid);
            }
        }
        Ok(until)
    }

    /// Takes the keys of `document`, or keeps those it has.
    pub(super) fn install(&self, document: &[u8]) -> Result<usize, JwksError> {
        let fresh = KeySet::parse(document, &self.settings.algorithms)?;
        let count = fresh.len();
        let before = self.keys.load();
        self.keys.store(Arc::new(fresh.after(&before)));
        self.wanted.store(false, Ordering::Relaxed);
        Ok(count)
    }

    /// Takes over what an earlier configuration fetched from the same place.
    pub(super) fn inherit(&self, before: &Self) {
        let same = self.settings.jwks_url.is_some()
            && self.settings.jwks_url == before.settings.jwks_url
            && self.settings.algorithms == before.settings.algorithms;
        if same && !before.keys.load().is_empty() {
            self.keys.store(before.keys.load_full());
        }
    }

    /// The generation of its keys; what an earlier one verified does not count any more.
    pub(super) fn generation(&self) -> u64 {
        self.keys.load().generation
    }

    /// Whether a token named a key that is not there, since the last document.
    pub(super) fn wants_keys(&self) -> bool {
        self.settings.jwks_url.is_some() && self.wanted.load(Ordering::Relaxed)
    }
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, IdentityError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| IdentityError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| IdentityError::Malformed)
}

/// `JWT`, or `at+jwt` (RFC 9068 §2.1), in any case and with or without `application/`.
fn is_access_token(typ: &str) -> bool {
    let name = match typ.split_at_checked("application/".len()) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
        _ => typ,
    };
    name.eq_ignore_ascii_case("jwt") || name.eq_ignore_ascii_case("at+jwt")
}

/// The certificate of `cnf` (RFC 8705 §3.1). Any other confirmation method is one that this gateway cannot check.
fn bound_to(claims: &Map<String, Value>) -> Result<Option<Arc<str>>, IdentityError> {
    let Some(cnf) = claims.get("cnf") else { return Ok(None) };
    let cnf = cnf.as_object().filter(|cnf| cnf.len() == 1).ok_or(IdentityError::Bound)?;
    let print = cnf.get("x5t#S256").and_then(Value::as_str).ok_or(IdentityError::Bound)?;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(print).map_err(|_| IdentityError::Bound)?;
    Ok(Some(crypto::hex(&bytes).into()))
}
