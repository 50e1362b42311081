//! JWK sets (RFC 7517) in, verification keys by id and algorithm out. Fetches nothing.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, crypto::verify};
use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, IdentityError};
use crate::crypto::sha256;

/// Why a document was not taken; the keys that were there stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// Not `{"keys": […]}`.
    #[error("not a JWK set (RFC 7517): a JSON object with a list `keys` is expected")]
    NotASet,
    /// More than 1 MiB or 128 keys.
    #[error("the JWK set is larger than 1 MiB or 128 keys")]
    TooLarge,
    /// Somebody published what signs.
    #[error("the JWK set holds a private or symmetric key; publish public keys only")]
    Private,
    /// Nothing to verify with.
    #[error("the JWK set holds no usable key for the accepted algorithms")]
    NoUsableKey,
    /// The issuer has no `[[identity.jwt]]`.
    #[error("the issuer is not configured")]
    UnknownIssuer,
}

/// The keys of one issuer.
#[derive(Default)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// Grows when a key goes: what older generations verified does not count any more.
    pub(super) generation: u64,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
    print: [u8; 32],
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a document, keeping what can verify one of `accepted`.
    ///
    /// Keys of unknown types and damaged keys are passed over (RFC 7517 §5); without any usable key nothing is taken.
    pub(super) fn parse(document: &[u8], accepted: &[Algorithm]) -> Result<Self, JwksError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(JwksError::TooLarge);
        }
        let document: Document = serde_json::from_slice(document).map_err(|_| JwksError::NotASet)?;
        if document.keys.len() > MAX_KEYS {
            return Err(JwksError::TooLarge);
        }
        if document.keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(JwksError::Private);
        }
        let jwks = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let mut keys: Vec<Key> = Vec::new();
        for key in jwks.filter_map(|jwk| Key::new(&jwk, accepted)) {
            if keys.iter().all(|known| known.print != key.print) {
                keys.push(key);
            }
        }
        if keys.is_empty() { Err(JwksError::NoUsableKey) } else { Ok(Self { keys, generation: 0 }) }
    }

    /// This set as the successor of `before`.
    pub(super) fn after(mut self, before: &Self) -> Self {
        let kept = |old: &Key| self.keys.iter().any(|key| key.print == old.print);
        self.generation = before.generation + u64::from(!before.keys.iter().all(kept));
        self
    }

    /// How many keys can verify.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no document was taken yet.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key called `kid` signed `message`.
    ///
    /// A token without `kid` is checked only when a single key fits its algorithm, so that nobody makes us try them all.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &[u8],
        signature: &str,
    ) -> Result<(), IdentityError> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm) && (kid.is_none() || key.id.as_deref() == kid);
        let candidates: Vec<_> = self.keys.iter().filter(fits).take(MAX_TRIES).collect();
        if candidates.is_empty() || (kid.is_none() && candidates.len() > 1) {
            return Err(IdentityError::Key);
        }
        let signed = |key: &&Key| matches!(verify(signature, message, &key.public, algorithm.into()), Ok(true));
        if candidates.iter().any(signed) { Ok(()) } else { Err(IdentityError::Signature) }
    }
}

impl Key {
    fn new(jwk: &Jwk, accepted: &[Algorithm]) -> Option<Self> {
        if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if jwk.key_ops.as_ref().is_some_and(|operations| operations.iter().all(|operation| operation != "verify")) {
            return None;
        }
        let (public, able) = jwk.material()?;
        let named = |able: &Algorithm| jwk.alg.as_deref().is_none_or(|name| Algorithm::named(name) == Some(*able));
        let algorithms: Vec<_> = able.iter().filter(|able| named(able) && accepted.contains(able)).copied().collect();
        if algorithms.is_empty() {
            return None;
        }
        let parts = serde_json::to_vec(&[&jwk.kid, &jwk.alg, &jwk.n, &jwk.e, &jwk.x, &jwk.y]).ok()?;
        Some(Self { id: jwk.kid.clone(), algorithms, public, print: sha256(&[jwk.kty.as_bytes(), &parts]) })
    }
}

impl Jwk {
    /// The public key and what its type can verify: the type decides, so that no key serves a foreign algorithm.
    fn material(&self) -> Option<(DecodingKey, &'static [Algorithm])> {
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let (n, e) = (decode(&self.n)?, decode(&self.e)?);
                let bits = modulus_bits(&n);
                let odd = e.len() <= MAX_EXPONENT_BYTES && e.last().is_some_and(|byte| byte % 2 == 1);
                let fits = RSA_BITS.contains(&bits) && odd;
                fits.then(|| (DecodingKey::from_rsa_raw_components(&n, &e), &[Algorithm::Rs256, Algorithm::Ps256][..]))
            }
            ("EC", Some("P-256")) => {
                let (x, y) = (decode(&self.x)?, decode(&self.y)?);
                let point = [&[UNCOMPRESSED][..], &x, &y].concat();
                let fits = x.len() == FIELD_BYTES && y.len() == FIELD_BYTES;
                fits.then(|| (DecodingKey::from_ec_der(&point), &[Algorithm::Es256][..]))
            }
            ("OKP", Some("Ed25519")) => {
                let x = decode(&self.x)?;
                (x.len() == FIELD_BYTES).then(|| (DecodingKey::from_ed_der(&x), &[Algorithm::EdDsa][..]))
            }
            _ => None,
        }
    }
}

impl Algorithm {
    /// The algorithm that a header or a key calls `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256 => Self::RS256,
            Algorithm::Ps256 => Self::PS256,
            Algorithm::Es256 => Self::ES256,
            Algorithm::EdDsa => Self::EdDSA,
        }
    }
}

fn decode(member: &Option<String>) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(member.as_ref()?).ok()
}

fn modulus_bits(bytes: &[u8]) -> usize {
    let first = bytes.iter().position(|byte| *byte != 0);
    let number = first.and_then(|at| bytes.get(at..)).unwrap_or_default();
    number.len() * 8 - number.first().map_or(0, |byte| byte.leading_zeros() as usize)
}

const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
const MAX_KEYS: usize = 128;
/// Keys that share one `kid` and one algorithm and are tried in turn.
const MAX_TRIES: usize = 4;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const MAX_EXPONENT_BYTES: usize = 8;
const FIELD_BYTES: usize = 32;
/// SEC 1 §2.3.3.
const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::identity::tests::{FORGE, ISSUER, OTHER, build, claims, with_issuer};

    const ALL: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

    fn count(keys: &Value) -> Result<usize, JwksError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes(), &ALL).map(|set| set.len())
    }

    fn rsa_with(name: &str, value: Value) -> Value {
        let mut key = FORGE.jwks["keys"][0].clone();
        key[name] = value;
        key
    }

    #[test]
    fn keys_that_cannot_verify_are_passed_over() {
        let good = FORGE.jwks["keys"][2].clone();
        for useless in [
            json!({"kty": "unknown"}),
            json!({}),
            json!(7),
            rsa_with("use", json!("enc")),
            rsa_with("key_ops", json!(["encrypt"])),
            rsa_with("alg", json!("RS512")),
            rsa_with("alg", json!("HS256")),
            rsa_with("alg", json!("none")),
            rsa_with("n", json!("AQAB")),
            rsa_with("n", json!("!")),
            rsa_with("e", json!("AAAA")),
            rsa_with("kty", json!("EC")),
            json!({"kty": "EC", "crv": "P-384", "x": "AAAA", "y": "AAAA"}),
            json!({"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
            json!({"kty": "OKP", "crv": "X25519", "x": good["x"]}),
        ] {
            assert_eq!(count(&json!([useless])), Err(JwksError::NoUsableKey), "{useless}");
            assert_eq!(count(&json!([useless, good])), Ok(1), "{useless}");
        }
        assert_eq!(count(&FORGE.jwks["keys"]), Ok(3));
    }

    #[test]
    fn rsa_keys_have_a_range_of_sizes() {
        let modulus = |bytes: usize| rsa_with("n", json!(BASE64_URL_SAFE_NO_PAD.encode(vec![0xff; bytes])));
        assert_eq!(count(&json!([modulus(255)])), Err(JwksError::NoUsableKey));
        assert_eq!(count(&json!([modulus(256)])), Ok(1));
        assert_eq!(count(&json!([modulus(1024)])), Ok(1));
        assert_eq!(count(&json!([modulus(1025)])), Err(JwksError::NoUsableKey));
    }

    #[test]
    fn documents_that_are_not_sets_of_public_keys_are_refused() {
        let parse = |text: &str| KeySet::parse(text.as_bytes(), &ALL).err();
        for text in ["", "{}", "[]", "null", "{\"keys\":{}}", "<html>", "{\"keys\":[]"] {
            assert_eq!(parse(text), Some(JwksError::NotASet), "{text}");
        }
        assert_eq!(parse("{\"keys\":[]}"), Some(JwksError::NoUsableKey));
        let good = FORGE.jwks["keys"][2].clone();
        assert_eq!(count(&json!([good, {"kty": "oct", "k": "AAAA"}])), Err(JwksError::Private));
        assert_eq!(count(&json!([rsa_with("d", json!("AAAA"))])), Err(JwksError::Private));
    }

    #[test]
    fn a_document_has_limits() {
        let many = |count: usize| vec![FORGE.jwks["keys"][2].clone(); count];
        assert_eq!(count(&json!(many(MAX_KEYS))), Ok(1), "equal keys count once");
        assert_eq!(count(&json!(many(MAX_KEYS + 1))), Err(JwksError::TooLarge));
        let text = FORGE.jwks.to_string();
        let padded = |bytes: usize| {
            KeySet::parse(format!("{text}{}", " ".repeat(bytes - text.len())).as_bytes(), &ALL).map(|set| set.len())
        };
        assert_eq!(padded(MAX_DOCUMENT_BYTES), Ok(3));
        assert_eq!(padded(MAX_DOCUMENT_BYTES + 1), Err(JwksError::TooLarge));
    }

    #[test]
    fn a_bad_document_keeps_the_keys_that_were_there() {
        let identity = with_issuer("");
        for bad in ["", "{}", "{\"keys\":[]}"] {
            assert!(identity.install_keys(ISSUER, bad.as_bytes()).is_err());
        }
        assert!(identity.of_token(&FORGE.usual(json!({}))).is_ok());
        let stranger = identity.install_keys("https://evil.example/", OTHER.jwks.to_string().as_bytes());
        assert_eq!(stranger, Err(JwksError::UnknownIssuer));
    }

    #[test]
    fn tokens_of_a_key_that_went_are_forgotten_and_others_stay() {
        let identity = with_issuer("");
        let (ed, ec) = (FORGE.usual(json!({})), FORGE.token(json!({"alg": "ES256", "kid": "ec"}), &claims(json!({}))));
        let before = identity.of_token(&ec).unwrap();
        identity.of_token(&ed).unwrap();
        let mut keys = FORGE.jwks.clone();
        assert_eq!(identity.install_keys(ISSUER, keys.to_string().as_bytes()), Ok(3));
        assert!(std::sync::Arc::ptr_eq(&before, &identity.of_token(&ec).unwrap()), "the same keys change nothing");
        keys["keys"].as_array_mut().unwrap().pop();
        assert_eq!(identity.install_keys(ISSUER, keys.to_string().as_bytes()), Ok(2));
        assert_eq!(identity.of_token(&ed), Err(IdentityError::Key));
        assert!(identity.of_token(&ec).is_ok());
    }

    #[test]
    fn keys_of_a_url_are_wanted_until_they_come_and_are_inherited() {
        let text =
            format!("[[identity.jwt]]\nissuer='{ISSUER}'\naudience=['fieldgate']\njwks_url='https://id.example/k'\n");
        let (identity, next) = (build(&text), build(&text));
        let token = FORGE.usual(json!({}));
        assert!(!identity.keys_wanted());
        assert_eq!(identity.of_token(&token), Err(IdentityError::KeysUnavailable));
        assert!(identity.keys_wanted());
        assert_eq!(identity.key_sources()[0].url, "https://id.example/k");
        identity.install_keys(ISSUER, FORGE.jwks.to_string().as_bytes()).unwrap();
        assert!(!identity.keys_wanted() && identity.of_token(&token).is_ok());
        let rotated = FORGE.token(json!({"alg": "ES256", "kid": "new"}), &claims(json!({})));
        assert_eq!(identity.of_token(&rotated), Err(IdentityError::Key));
        assert!(identity.keys_wanted());
        next.inherit_keys(&identity);
        assert!(next.of_token(&token).is_ok());
        let moved = build(&text.replace("/k'", "/other'"));
        moved.inherit_keys(&identity);
        assert_eq!(moved.of_token(&token), Err(IdentityError::KeysUnavailable), "keys of another place are not ours");
    }

    #[test]
    fn a_token_without_a_key_id_is_refused_when_two_keys_fit() {
        let identity = with_issuer("");
        let mut keys = FORGE.jwks.clone();
        let mut second = OTHER.jwks["keys"][2].clone();
        second["kid"] = json!("ed-2");
        keys["keys"].as_array_mut().unwrap().push(second);
        identity.install_keys(ISSUER, keys.to_string().as_bytes()).unwrap();
        let nameless = FORGE.token(json!({"alg": "EdDSA"}), &claims(json!({})));
        assert_eq!(identity.of_token(&nameless), Err(IdentityError::Key));
        let second = OTHER.token(json!({"alg": "EdDSA", "kid": "ed-2"}), &claims(json!({})));
        assert!(identity.of_token(&second).is_ok());
    }
}
