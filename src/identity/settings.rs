//! The `[identity]` section and the `[[principal]]` tables, as they are written.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::moment;
use crate::model::{Kind, Timestamp};

/// `[identity]`: the ways to prove who calls. Without any, every call is refused.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How a client certificate names a principal; absent: certificates protect the channel and name nobody.
    pub certificate: Option<CertificateRule>,
    /// The issuers whose JWTs are accepted.
    pub jwt: Vec<JwtSettings>,
    /// The API keys.
    pub api_key: Vec<ApiKeySettings>,
    /// Proofs remembered at most (default 65536, at least 32): one verified token costs one signature check.
    pub remembered: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { certificate: None, jwt: Vec::new(), api_key: Vec::new(), remembered: 65_536 }
    }
}

/// Which name of a certificate is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateName {
    /// URI subject alternative names (SPIFFE).
    Uri,
    /// E-mail subject alternative names.
    Email,
    /// DNS subject alternative names.
    Dns,
    /// The subject's common name.
    CommonName,
}

/// What a certificate means next to a token or key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alongside {
    /// Both must name the same principal.
    #[default]
    Same,
    /// The token or key names the caller, the certificate only the machine it calls from.
    Channel,
}

/// `[identity.certificate]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRule {
    /// The names to look at.
    pub name: CertificateName,
    /// What the name must start with; not part of the principal's id.
    #[serde(default)]
    pub prefix: String,
    /// What the name must end with; not part of the principal's id.
    #[serde(default)]
    pub suffix: String,
    /// What is put before the rest to make the principal's id.
    #[serde(default)]
    pub id_prefix: String,
    /// Refuse who has no `[[principal]]` entry (default true: a certificate carries no roles).
    #[serde(default = "yes")]
    pub listed_only: bool,
    /// What a certificate means next to a token or key.
    #[serde(default)]
    pub alongside: Alongside,
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037). There is no `none` and no HMAC to name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 8192 bits.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSASSA-PSS with SHA-256, keys of 2048 to 8192 bits.
    #[serde(rename = "PS256")]
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519; tokens may also call it `Ed25519` (RFC 9864).
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
}

/// `[[identity.jwt]]`: one issuer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtSettings {
    /// The name in records; default: the issuer.
    pub name: Option<String>,
    /// The exact `iss`.
    pub issuer: String,
    /// The `aud` values that mean this gateway; one of them must be in the token. One text or a list.
    #[serde(deserialize_with = "one_or_many")]
    pub audience: Vec<String>,
    /// The accepted algorithms.
    #[serde(default = "all_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The issuer's keys (RFC 7517) in a file; with `jwks_url`: until the first fetch.
    pub jwks_file: Option<PathBuf>,
    /// Where the issuer publishes its keys: `https`, or `http` on loopback.
    pub jwks_url: Option<String>,
    /// How often `jwks_url` is read, in seconds (10 to 86400, default 300).
    #[serde(default = "five_minutes")]
    pub refresh_seconds: u64,
    /// How far the clocks may differ for `exp` and `nbf`, in seconds (at most 300, default 60).
    #[serde(default = "one_minute")]
    pub leeway_seconds: u32,
    /// What is put before the id claim; keeps the names of several issuers apart.
    #[serde(default)]
    pub id_prefix: String,
    /// Several issuers speak of the same people: their ids may be equal.
    #[serde(default)]
    pub shares_ids: bool,
    /// Refuse who has no `[[principal]]` entry.
    #[serde(default)]
    pub listed_only: bool,
    /// The kind of a principal whose token and entry do not say (default `human`).
    #[serde(default, deserialize_with = "kind")]
    pub kind: Option<Kind>,
    /// The issuer's role names and ours. When given, roles that are not listed are dropped.
    #[serde(default)]
    pub role_map: BTreeMap<String, String>,
    /// Which claim says what.
    #[serde(default)]
    pub claims: ClaimSettings,
}

/// Claim names; one that starts with `/` is a JSON Pointer (RFC 6901), such as `/realm_access/roles`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClaimSettings {
    /// The principal's id.
    pub id: String,
    /// `human`, `service` or `ai`.
    pub kind: String,
    /// A list of roles, or one text with spaces between them.
    pub roles: String,
    /// The team.
    pub team: String,
    /// A list of course names or of `{course, valid_until}`.
    pub training: String,
    /// The human an AI agent acts for: the id of a `[[principal]]`, or an object with claims of its own.
    ///
    /// The claim `act` (RFC 8693 §4.1) is always understood: the token is the human's, `act` the agent that acts.
    pub on_behalf_of: String,
    /// Further attributes and their claims.
    pub attributes: BTreeMap<String, String>,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            id: text("sub"),
            kind: text("kind"),
            roles: text("roles"),
            team: text("team"),
            training: text("training"),
            on_behalf_of: text("on_behalf_of"),
            attributes: BTreeMap::new(),
        }
    }
}

/// `[[identity.api_key]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeySettings {
    /// The public part: 1–64 letters, digits, `.`, `_` and `-`.
    pub id: String,
    /// `hmac-sha256:` and 64 hex digits, as `fieldgate identity new-key` prints it.
    pub hash: String,
    /// The `[[principal]]` who calls with it.
    pub principal: String,
    /// The last day (UTC) or the instant it ends; absent: it does not expire.
    #[serde(default, deserialize_with = "moment_or_none")]
    pub expires: Option<Timestamp>,
}

/// `[[principal]]`: what is known of somebody besides what the proof says.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct PrincipalSettings {
    /// The id the proofs lead to: 1–256 bytes, no control characters.
    pub id: String,
    /// Human, service or AI; absent: what the proof says, else human. `ai` from either side stays `ai`.
    #[serde(default, deserialize_with = "kind")]
    pub kind: Option<Kind>,
    /// Roles, added to those of the proof.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The team; replaces that of the proof.
    pub team: Option<String>,
    /// Attributes; replace those of the same name in the proof.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Courses; replace those of the same name in the proof.
    #[serde(default)]
    pub training: Vec<TrainingSettings>,
    /// The fixed human of an AI agent: the id of another `[[principal]]`.
    pub on_behalf_of: Option<String>,
    /// The humans an AI agent may name in `Fieldgate-On-Behalf-Of`; `*` is every human that has an entry.
    #[serde(default)]
    pub may_act_for: Vec<String>,
    /// Refuse every call of this principal and of agents on its behalf.
    #[serde(default)]
    pub disabled: bool,
}

/// A course in a `[[principal]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSettings {
    /// The course's code.
    pub course: String,
    /// The last day (UTC) or the instant it ends; absent: it does not expire.
    #[serde(default, deserialize_with = "moment_or_none")]
    pub valid_until: Option<Timestamp>,
}

fn yes() -> bool {
    true
}

fn five_minutes() -> u64 {
    300
}

fn one_minute() -> u32 {
    60
}

fn all_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]
}

fn kind<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Kind>, D::Error> {
    String::deserialize(input)?.parse().map(Some).map_err(D::Error::custom)
}

fn one_or_many<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<String>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = items.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }
    input.deserialize_any(Texts)
}

/// A date in quotes or a TOML date (which serde sees as a table with one text).
fn moment_or_none<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    struct Moment;
    impl<'de> Visitor<'de> for Moment {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a date such as 2027-03-31, or a date and time with an offset (RFC 3339)")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
            moment::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Timestamp, A::Error> {
            let entry = map.next_entry::<String, String>()?;
            let text = entry.map(|(_, text)| text).unwrap_or_default();
            self.visit_str(&text)
        }
    }
    input.deserialize_any(Moment).map(Some)
}
