//! Why a caller was not identified: a code for the record, a status and a text for the caller. Never a byte of a credential.

/// Why nobody was identified. No variant carries anything the caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// No credential at all.
    #[error("the request carries no credential")]
    Missing,
    /// An `Authorization` scheme other than `Bearer`, and nothing else.
    #[error("the authorization scheme is not `Bearer`")]
    Scheme,
    /// More than one credential, or one given twice (RFC 6750 §2: one method per request).
    #[error("the request carries more than one credential")]
    Several,
    /// The client certificate names somebody else than the token or key.
    #[error("the client certificate and the other credential name different principals")]
    Disagree,
    /// Not a JWT in compact form (RFC 7519 §3.1), nor an API key.
    #[error("the credential is malformed")]
    Malformed,
    /// Longer than 16 KiB.
    #[error("the credential is too long")]
    TooLong,
    /// An algorithm the issuer may not use; `none` and every HMAC are among them.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// The `typ` of another kind of JWT (RFC 8725 §3.11).
    #[error("the token is not an access token")]
    Type,
    /// The `crit` header (RFC 7515 §4.1.11).
    #[error("the token demands an extension that is not understood")]
    Critical,
    /// `iss` is not configured.
    #[error("the token's issuer is not accepted")]
    Issuer,
    /// `kid` names no key of the issuer, or is absent and more than one key would fit.
    #[error("the token's key is not known")]
    Key,
    /// No keys of this issuer were read so far.
    #[error("the issuer's keys are not available")]
    KeysUnavailable,
    /// The signature does not verify.
    #[error("the token's signature is not valid")]
    Signature,
    /// `aud` does not name this gateway.
    #[error("the token is for another audience")]
    Audience,
    /// Past `exp`.
    #[error("the token has expired")]
    Expired,
    /// Before `nbf`.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A claim that is needed is absent or has the wrong shape.
    #[error("a claim is missing or has the wrong form")]
    Claims,
    /// The token is bound (`cnf`) to a certificate or key that this connection did not prove (RFC 8705 §3).
    #[error("the token is bound to another client")]
    Bound,
    /// Unknown id or wrong secret; which of them is not told.
    #[error("the API key is not valid")]
    ApiKey,
    /// A right key past its `expires`.
    #[error("the API key has expired")]
    ApiKeyExpired,
    /// No name of the client certificate fits the rule.
    #[error("the client certificate carries no accepted name")]
    CertificateName,
    /// Several names of the client certificate fit the rule.
    #[error("the client certificate carries several accepted names")]
    CertificateNames,
    /// The connection outlived the certificate.
    #[error("the client certificate has expired")]
    CertificateExpired,
    /// Proven, but without a `[[principal]]` entry where one is required.
    #[error("the principal is not registered")]
    NotListed,
    /// The principal, or the human it acts for, is disabled.
    #[error("the principal is disabled")]
    Disabled,
    /// An AI agent for which no human stands.
    #[error("an AI agent must act on behalf of a human")]
    NoHuman,
    /// The human named is unknown, not a human, not the one of the credential, or not one this principal may act for.
    #[error("the principal may not act on behalf of this human")]
    WrongHuman,
}

impl IdentityError {
    /// The problem code, as in problem bodies and records.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing | Self::Scheme => "unauthenticated",
            Self::Several | Self::Disagree => "several_credentials",
            Self::Malformed | Self::TooLong | Self::Algorithm | Self::Type | Self::Critical => "invalid_token",
            Self::Issuer | Self::Key | Self::Signature | Self::Audience | Self::Claims | Self::Bound => "invalid_token",
            Self::NotYetValid => "invalid_token",
            Self::Expired => "expired_token",
            Self::KeysUnavailable => "issuer_keys_unavailable",
            Self::ApiKey => "invalid_key",
            Self::ApiKeyExpired => "expired_key",
            Self::CertificateName | Self::CertificateNames | Self::CertificateExpired => "invalid_certificate",
            Self::NotListed => "unknown_principal",
            Self::Disabled => "principal_disabled",
            Self::NoHuman => "on_behalf_of_required",
            Self::WrongHuman => "on_behalf_of_refused",
        }
    }

    /// The HTTP status: 401 when another credential may help, 403 when it will not, 400 for several, 503 for a wait.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Several | Self::Disagree => 400,
            Self::NotListed | Self::Disabled | Self::NoHuman | Self::WrongHuman => 403,
            Self::KeysUnavailable => 503,
            _ => 401,
        }
    }

    /// What is wrong and what the caller can do about it.
    #[must_use]
    pub fn detail(&self) -> String {
        format!("{self}; {}", self.remedy())
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Missing => {
                "send `Authorization: Bearer` with a token, `Fieldgate-Key` with an API key, or a client certificate"
            }
            Self::Scheme => "send the token or key as `Authorization: Bearer`, or the key as `Fieldgate-Key`",
            Self::Several => "send exactly one credential, once",
            Self::Disagree => "use the certificate alone, or a token or key of the same principal",
            Self::Malformed => "send the token or key unchanged, as it was issued",
            Self::TooLong => "ask for a token with fewer claims, of at most 16384 bytes",
            Self::Algorithm => "ask the issuer to sign with an asymmetric algorithm that the gateway accepts",
            Self::Type => "send an access token, not a token made for another use",
            Self::Critical => "ask for a token without critical header parameters",
            Self::Issuer => "get a token from an issuer that the gateway is configured for",
            Self::Key => "get a fresh token; if that fails too, the issuer's published keys lack the one it signs with",
            Self::KeysUnavailable => "try again in a few seconds",
            Self::Signature | Self::Expired => "get a fresh token",
            Self::Audience => "ask the issuer for a token whose audience is this gateway",
            Self::NotYetValid => "wait, or check the issuer's clock",
            Self::Claims => "ask the administrator which claims the gateway reads from tokens of this issuer",
            Self::Bound => "connect with the client certificate that the token was issued for",
            Self::ApiKey => "check the key, or ask the administrator for a new one",
            Self::ApiKeyExpired => "ask the administrator for a new one",
            Self::CertificateName | Self::CertificateNames => "ask for a certificate that names exactly one principal",
            Self::CertificateExpired => "connect again with a renewed certificate",
            Self::NotListed | Self::Disabled => "ask the administrator for access",
            Self::NoHuman => "name the human in the token, in the configuration, or with `Fieldgate-On-Behalf-Of`",
            Self::WrongHuman => "name a registered human whom this principal may act for, or leave the name out",
        }
    }

    /// The challenge that belongs to the answer (RFC 6750 §3), without anything about the configuration.
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&'static str> {
        match self.status() {
            400 => Some("Bearer realm=\"fieldgate\", error=\"invalid_request\""),
            401 if matches!(self, Self::Missing | Self::Scheme) => Some("Bearer realm=\"fieldgate\""),
            401 => Some("Bearer realm=\"fieldgate\", error=\"invalid_token\""),
            _ => None,
        }
    }
}
