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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::{
        credential::MAX_CREDENTIAL_BYTES,
        tests::{FORGE, NOW, OTHER, claims, message, peer_with, with_issuer},
    };

    #[test]
    fn each_algorithm_is_accepted_with_a_key_of_its_type() {
        let identity = with_issuer("");
        for (alg, kid) in [("RS256", "rsa"), ("PS256", "rsa"), ("ES256", "ec"), ("EdDSA", "ed"), ("Ed25519", "ed")] {
            for typ in ["JWT", "at+jwt", "application/at+JWT"] {
                let token = FORGE.token(json!({"alg": alg, "kid": kid, "typ": typ}), &claims(json!({})));
                assert_eq!(&*identity.of_token(&token).unwrap().id, "anna", "{alg} {typ}");
            }
            let forged = OTHER.token(json!({"alg": alg, "kid": kid}), &claims(json!({})));
            assert_eq!(identity.of_token(&forged), Err(IdentityError::Signature), "{alg} of another key");
        }
    }

    #[test]
    fn an_issuer_has_its_own_list_of_algorithms() {
        let identity = with_issuer("algorithms=['ES256']");
        let token = |alg, kid| FORGE.token(json!({"alg": alg, "kid": kid}), &claims(json!({})));
        assert!(identity.of_token(&token("ES256", "ec")).is_ok());
        assert_eq!(identity.of_token(&token("RS256", "rsa")), Err(IdentityError::Algorithm));
        assert_eq!(identity.of_token(&token("RS512", "rsa")), Err(IdentityError::Algorithm));
    }

    #[test]
    fn unsigned_tokens_are_refused() {
        let identity = with_issuer("");
        for alg in ["none", "None", "NONE", "nOnE", ""] {
            let unsigned = message(&json!({"alg": alg, "kid": "rsa"}), &claims(json!({})));
            assert_eq!(identity.of_token(&format!("{unsigned}.")), Err(IdentityError::Algorithm), "{alg}");
        }
        let stripped = message(&json!({"alg": "EdDSA", "kid": "ed"}), &claims(json!({})));
        assert_eq!(identity.of_token(&format!("{stripped}.")), Err(IdentityError::Signature));
        assert_eq!(identity.of_token(&stripped), Err(IdentityError::Malformed));
    }

    #[test]
    fn hmac_with_the_public_key_as_secret_is_refused() {
        let identity = with_issuer("");
        let public = FORGE.rsa_public_pem.as_bytes();
        for secret in [public, public.trim_ascii(), FORGE.jwks["keys"][0]["n"].as_str().unwrap().as_bytes(), b""] {
            let message = message(&json!({"alg": "HS256", "kid": "rsa"}), &claims(json!({})));
            let key = jsonwebtoken::EncodingKey::from_secret(secret);
            let signature =
                jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
            assert_eq!(identity.of_token(&format!("{message}.{signature}")), Err(IdentityError::Algorithm));
        }
    }

    #[test]
    fn a_key_serves_no_algorithm_of_another_type() {
        let identity = with_issuer("");
        for (alg, kid) in [("ES256", "rsa"), ("RS256", "ec"), ("EdDSA", "ec"), ("PS256", "ed")] {
            let token = FORGE.token(json!({"alg": alg, "kid": kid}), &claims(json!({})));
            assert_eq!(identity.of_token(&token), Err(IdentityError::Key), "{alg} {kid}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_and_keys_in_the_header_are_not_believed() {
        let identity = with_issuer("");
        let token = FORGE.token(json!({"alg": "EdDSA", "kid": "new"}), &claims(json!({})));
        assert_eq!(identity.of_token(&token), Err(IdentityError::Key));
        let jwk = OTHER.jwks["keys"][2].clone();
        let own =
            OTHER.token(json!({"alg": "EdDSA", "kid": "ed", "jwk": jwk, "jku": "https://x/"}), &claims(json!({})));
        assert_eq!(identity.of_token(&own), Err(IdentityError::Signature));
        let nameless = FORGE.token(json!({"alg": "EdDSA"}), &claims(json!({})));
        assert!(identity.of_token(&nameless).is_ok(), "one key fits, so no name is needed");
    }

    #[test]
    fn extensions_and_other_kinds_of_tokens_are_refused() {
        let identity = with_issuer("");
        let with = |more: serde_json::Value| {
            let mut header = json!({"alg": "EdDSA", "kid": "ed"});
            header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            identity.of_token(&FORGE.token(header, &claims(json!({}))))
        };
        assert_eq!(with(json!({"crit": ["b64"], "b64": false})), Err(IdentityError::Critical));
        assert_eq!(with(json!({"crit": []})), Err(IdentityError::Critical));
        for typ in ["dpop+jwt", "logout+jwt", "secevent+jwt", ""] {
            assert_eq!(with(json!({ "typ": typ })), Err(IdentityError::Type), "{typ}");
        }
    }

    #[test]
    fn issuer_and_audience_must_be_ours() {
        let identity = with_issuer("");
        let of = |extra| identity.of_token(&FORGE.usual(extra)).map(|principal| principal.id.to_string());
        for iss in [json!(null), json!("https://id.example"), json!("https://evil.example/"), json!(["x"])] {
            assert_eq!(of(json!({ "iss": iss })), Err(IdentityError::Issuer), "{iss}");
        }
        for aud in
            [json!(null), json!("other"), json!([]), json!(["other"]), json!("Fieldgate"), json!({"a": "fieldgate"})]
        {
            assert_eq!(of(json!({ "aud": aud })), Err(IdentityError::Audience), "{aud}");
        }
        assert_eq!(of(json!({"aud": ["other", "fieldgate"]})).as_deref(), Ok("anna"));
    }

    #[test]
    fn time_is_checked_with_the_leeway_and_not_beyond() {
        let identity = with_issuer("leeway_seconds=60");
        let now = NOW.seconds();
        let of = |extra| identity.of_token(&FORGE.usual(extra)).map(|principal| principal.id.to_string());
        assert!(of(json!({"exp": now - 59})).is_ok());
        assert_eq!(of(json!({"exp": now - 60})), Err(IdentityError::Expired));
        assert!(of(json!({"nbf": now + 60})).is_ok());
        assert_eq!(of(json!({"nbf": now + 61})), Err(IdentityError::NotYetValid));
        for exp in [json!(null), json!("1999999999"), json!(-1), json!(1e300)] {
            assert_eq!(of(json!({ "exp": exp })), Err(IdentityError::Claims), "{exp}");
        }
        assert_eq!(of(json!({"nbf": "soon"})), Err(IdentityError::Claims));
    }

    #[test]
    fn a_remembered_token_stops_at_its_end() {
        let identity = with_issuer("leeway_seconds=0");
        let token = FORGE.usual(json!({"exp": NOW.seconds() + 10}));
        let end = NOW.plus_seconds(10);
        let first = identity.of_token(&token).unwrap();
        let last = identity.of_token_at(&token, Timestamp::from_micros(end.micros() - 1)).unwrap();
        assert!(Arc::ptr_eq(&first, &last));
        assert_eq!(first.expires, Some(end));
        assert_eq!(identity.of_token_at(&token, end), Err(IdentityError::Expired));
    }

    #[test]
    fn damage_anywhere_is_refused_also_after_the_good_token_was_seen() {
        let identity = with_issuer("");
        let token = FORGE.usual(json!({}));
        identity.of_token(&token).unwrap();
        for at in 0..token.len() {
            let mut damaged = token.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let refused = identity.of_token(std::str::from_utf8(&damaged).unwrap());
            assert!(refused.is_err(), "byte {at} was changed");
        }
        for odd in [".", "..", "...", "a.b.c", &format!("{token}."), &format!("{token}.x"), &format!("x.{token}")] {
            assert!(identity.of_token(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_token_bound_to_a_certificate_needs_it_every_time() {
        let identity = with_issuer("");
        let print = BASE64_URL_SAFE_NO_PAD.encode(crypto::sha256(&[b"x:"]));
        let token = FORGE.usual(json!({"cnf": {"x5t#S256": print}}));
        let bearer = format!("Bearer {token}");
        let headers = crate::identity::tests::headers(&[("authorization", &bearer)]);
        assert_eq!(identity.of_token(&token), Err(IdentityError::Bound));
        assert!(identity.identify(&peer_with("x:"), &headers, NOW).is_ok());
        assert_eq!(identity.of_token(&token), Err(IdentityError::Bound), "also when it is remembered");
        for cnf in [json!({"jkt": "x"}), json!({}), json!("x"), json!({"x5t#S256": print, "jkt": "x"})] {
            assert_eq!(identity.of_token(&FORGE.usual(json!({ "cnf": cnf }))), Err(IdentityError::Bound), "{cnf}");
        }
    }

    #[test]
    fn the_length_limit_holds_for_good_tokens_too() {
        let identity = with_issuer("");
        let padded = |count: usize| FORGE.usual(json!({ "pad": "p".repeat(count) }));
        let room = MAX_CREDENTIAL_BYTES - padded(0).len();
        let fitting = (0..room).rev().map(padded).find(|token| token.len() <= MAX_CREDENTIAL_BYTES).unwrap();
        assert!(fitting.len() > MAX_CREDENTIAL_BYTES - 4 && identity.of_token(&fitting).is_ok());
        assert_eq!(identity.of_token(&padded(room)), Err(IdentityError::TooLong));
    }
}
