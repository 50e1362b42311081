//! What the tests of this module share: an issuer with fresh keys, a configuration, and requests.

#![expect(clippy::needless_pass_by_value, reason = "tests hand over `json!(…)` literals")]

#[cfg(test)]
use std::{path::Path, sync::LazyLock};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{Algorithm as Jws, EncodingKey, crypto::sign, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::*;
use crate::{
    crypto::{Purpose, RootKey},
    model::{ClientCertificate, NoCertificate, Protocol},
};

/// Now, for the tests: 2026-11-24T09:14:02Z.
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_795_511_642);
pub(super) const ISSUER: &str = "https://id.example/";

/// The keys of an issuer, made once per test run (RSA keys take a while).
pub(super) struct Forge {
    rsa: EncodingKey,
    ec: EncodingKey,
    ed: EncodingKey,
    /// The public RSA key as PEM: what an HMAC-for-RSA attack uses as secret.
    pub(super) rsa_public_pem: String,
    /// Its JWK set, with the `kid`s `rsa`, `ec` and `ed`.
    pub(super) jwks: Value,
}

pub(super) static FORGE: LazyLock<Forge> = LazyLock::new(Forge::new);
pub(super) static OTHER: LazyLock<Forge> = LazyLock::new(Forge::new);

impl Forge {
    fn new() -> Self {
        let [rsa, ec, ed] =
            [&PKCS_RSA_SHA256, &PKCS_ECDSA_P256_SHA256, &PKCS_ED25519].map(|kind| KeyPair::generate_for(kind).unwrap());
        let b64 = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let rsa_key = EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap();
        let mut rsa_jwk = serde_json::to_value(Jwk::from_encoding_key(&rsa_key, Jws::RS256).unwrap()).unwrap();
        rsa_jwk["kid"] = json!("rsa");
        rsa_jwk["use"] = json!("sig");
        rsa_jwk.as_object_mut().unwrap().remove("alg");
        let point = ec.public_key_raw();
        let jwks = json!({"keys": [
            rsa_jwk,
            {"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "x": b64(&point[1..33]), "y": b64(&point[33..])},
            {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "key_ops": ["verify"], "x": b64(ed.public_key_raw())},
        ]});
        Self {
            rsa: rsa_key,
            ec: EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes()).unwrap(),
            ed: EncodingKey::from_ed_der(&ed.serialize_der()),
            rsa_public_pem: rsa.public_key_pem(),
            jwks,
        }
    }

    /// A token with this header and these claims, signed as the header's `alg` and `kid` say.
    pub(super) fn token(&self, header: Value, claims: &Value) -> String {
        let (key, algorithm) = match header["alg"].as_str().unwrap() {
            "RS256" => (&self.rsa, Jws::RS256),
            "RS512" => (&self.rsa, Jws::RS512),
            "PS256" => (&self.rsa, Jws::PS256),
            "ES256" => (&self.ec, Jws::ES256),
            _ => (&self.ed, Jws::EdDSA),
        };
        let message = message(&header, claims);
        let signature = sign(message.as_bytes(), key, algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// An Ed25519 token with these claims on top of the usual ones.
    pub(super) fn usual(&self, extra: Value) -> String {
        self.token(json!({"alg": "EdDSA", "kid": "ed"}), &claims(extra))
    }
}

/// Header and claims, encoded.
pub(super) fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// The claims of a good token; `extra` replaces, and `null` removes.
pub(super) fn claims(extra: Value) -> Value {
    let mut all = json!({
        "iss": ISSUER, "aud": "fieldgate", "sub": "anna", "exp": NOW.seconds() + 600, "roles": ["agent"],
    });
    for (name, value) in extra.as_object().unwrap() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(name),
            value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    all
}

#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    identity: Settings,
    #[serde(default)]
    principal: Vec<PrincipalSettings>,
}

/// The key that hashes API keys in the tests.
pub(super) fn mac() -> MacKey {
    let root = "fieldgate-root-1:BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";
    RootKey::parse(root).unwrap().derive(Purpose::ApiKey, "test").unwrap()
}

/// Builds what `text` says; every file it names is the forge's key set.
pub(super) fn try_build(text: &str) -> Result<Identity, Vec<Problem>> {
    let file: File = toml::from_str(text).unwrap();
    let mut files = |_: &Path| Ok(FORGE.jwks.to_string().into_bytes());
    Identity::new(&file.identity, &file.principal, mac(), &mut files)
}

pub(super) fn build(text: &str) -> Identity {
    try_build(text).unwrap()
}

/// One issuer whose keys are in a file, and `more`.
pub(super) fn with_issuer(more: &str) -> Identity {
    build(&format!("[[identity.jwt]]\nname='id'\nissuer='{ISSUER}'\naudience='fieldgate'\njwks_file='k'\n{more}"))
}

/// The dotted keys of what is wrong with `text`.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    try_build(text).unwrap_err().into_iter().map(|problem| problem.path).collect()
}

/// A connection without a client certificate.
pub(super) fn peer() -> Peer {
    Peer {
        address: "192.0.2.7:4711".parse().unwrap(),
        listener: "main".into(),
        sni: None,
        tls_version: "1.3",
        protocol: Protocol::Http2,
        client_auth: ClientAuth::None(NoCertificate::NotAsked),
    }
}

/// A connection with a client certificate for the URI `uri`.
pub(super) fn peer_with(uri: &str) -> Peer {
    let certificate = ClientCertificate {
        uris: vec![uri.into()],
        sha256: crate::crypto::hex(&sha256(&[uri.as_bytes()])),
        not_after: NOW.seconds() + 3600,
        ..Default::default()
    };
    Peer { client_auth: ClientAuth::Verified(certificate), ..peer() }
}

pub(super) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    lines.iter().map(line).collect()
}

impl Identity {
    /// Who calls with `token`, now.
    pub(super) fn of_token(&self, token: &str) -> Result<Arc<Principal>, IdentityError> {
        self.of_token_at(token, NOW)
    }

    pub(super) fn of_token_at(&self, token: &str, now: Timestamp) -> Result<Arc<Principal>, IdentityError> {
        self.identify(&peer(), &headers(&[("authorization", &format!("Bearer {token}"))]), now)
    }

    /// Who calls with these headers, now.
    pub(super) fn of(&self, lines: &[(&'static str, &str)]) -> Result<Arc<Principal>, IdentityError> {
        self.identify(&peer(), &headers(lines), NOW)
    }
}
