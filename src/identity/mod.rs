//! A connection and request headers in, the caller's `Principal` out. Does no I/O: keys of issuers are handed in.

mod api_key;
mod certificate;
mod check;
mod claims;
mod credential;
mod error;
mod jwks;
mod moment;
mod principal;
mod remembered;
mod settings;
mod token;

use std::{fmt, path::Path, sync::Arc};

use http::HeaderMap;

pub use api_key::{IdError, NewApiKey, new_api_key};
pub use credential::own_headers;
pub use error::IdentityError;
pub use jwks::JwksError;
pub use settings::{
    Algorithm, Alongside, ApiKeySettings, CertificateName, CertificateRule, ClaimSettings, JwtSettings,
    PrincipalSettings, Settings, TrainingSettings,
};

use crate::{
    crypto::{MacKey, sha256},
    model::{ClientAuth, ClientCertificate, Peer, Principal, Problem, Timestamp, Via},
};
use api_key::ApiKeys;
use credential::{Credential, Offered};
use principal::{Directory, Proven};
use remembered::{Fingerprint, Proof, Remembered};
use token::{Issuer, Unverified};

/// Everything that can tell who calls.
pub struct Identity {
    certificate: Option<CertificateRule>,
    issuers: Vec<Issuer>,
    api_keys: ApiKeys,
    directory: Directory,
    remembered: Remembered,
}

/// Where the keys of an issuer are to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySource {
    /// The issuer, for [`Identity::install_keys`].
    pub issuer: String,
    /// `https`, or `http` on loopback.
    pub url: String,
    /// How often, in seconds.
    pub refresh_seconds: u64,
}

impl Identity {
    /// Builds it from the `[identity]` section and the `[[principal]]` tables; `files` reads the key files they name.
    ///
    /// # Errors
    /// Every mistake at once, each with its dotted key.
    pub fn new(
        settings: &Settings,
        principals: &[PrincipalSettings],
        api_keys: MacKey,
        files: &mut dyn FnMut(&Path) -> Result<Vec<u8>, String>,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let directory = Directory::new(principals, &mut problems);
        let api_keys = ApiKeys::new(api_keys, &settings.api_key, &directory, &mut problems);
        check::section(settings, &mut problems);
        let issuers: Vec<_> = settings.jwt.iter().map(Issuer::new).collect();
        for (index, issuer) in issuers.iter().enumerate() {
            let Some(path) = &issuer.settings.jwks_file else { continue };
            let read = files(path).map_err(|error| format!("the key file cannot be read: {error}"));
            let taken = read.and_then(|document| issuer.install(&document).map_err(|error| error.to_string()));
            if let Err(what) = taken {
                let help = "give the path of the issuer's JWK set (RFC 7517) with its public keys";
                problems.push(Problem::new(format!("identity.jwt.{index}.jwks_file"), what, help));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let remembered = Remembered::new(settings.remembered);
        Ok(Self { certificate: settings.certificate.clone(), issuers, api_keys, directory, remembered })
    }

    /// Who calls over `peer` with `headers` at `now`. The same proof gives the same `Arc` while it is remembered.
    ///
    /// # Errors
    /// When nothing, too much or nothing valid is offered, or the principal may not call.
    pub fn identify(&self, peer: &Peer, headers: &HeaderMap, now: Timestamp) -> Result<Arc<Principal>, IdentityError> {
        let offered = Offered::read(headers)?;
        let asked = offered.on_behalf_of;
        let certificate = match &peer.client_auth {
            ClientAuth::Verified(certificate) => Some(certificate),
            ClientAuth::None(_) => None,
        };
        let principal = match offered.credential {
            Credential::Token(token) => self.by_token(token, asked, certificate, now)?,
            Credential::Key(key) => self.by_key(key, asked, now)?,
            nothing => {
                return match (&self.certificate, certificate) {
                    (Some(rule), Some(certificate)) => self.by_certificate(rule, certificate, asked, now),
                    _ if nothing == Credential::Foreign => Err(IdentityError::Scheme),
                    _ => Err(IdentityError::Missing),
                };
            }
        };
        match (&self.certificate, certificate) {
            (Some(rule), Some(certificate)) if rule.alongside == Alongside::Same => match rule.id(certificate, now) {
                Ok(id) if id == *principal.id => Ok(principal),
                // A certificate whose names the rule does not know is the machine's, not the caller's.
                Err(IdentityError::CertificateName) => Ok(principal),
                Ok(_) => Err(IdentityError::Disagree),
                Err(error) => Err(error),
            },
            _ => Ok(principal),
        }
    }

    fn by_token(
        &self,
        token: &str,
        asked: Option<&str>,
        certificate: Option<&ClientCertificate>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, IdentityError> {
        let print = fingerprint("jwt", token, asked);
        if let Some(proof) = self.remembered.get(&print, now).filter(|proof| self.is_current(proof)) {
            return if is_bound(&proof, certificate) { Ok(proof.principal) } else { Err(IdentityError::Bound) };
        }
        let unverified = Unverified::read(token)?;
        let named = |issuer: &Issuer| unverified.issuer() == Some(issuer.settings.issuer.as_str());
        let index = self.issuers.iter().position(named).ok_or(IdentityError::Issuer)?;
        let issuer = self.issuers.get(index).ok_or(IdentityError::Issuer)?;
        let verified = issuer.verify(unverified, now)?;
        let principal = Arc::new(self.directory.complete(issuer.proven(&verified)?, asked)?);
        let keys = Some((index, verified.generation));
        let proof = Proof { principal, until: verified.until, keys, bound_to: verified.bound_to };
        if !is_bound(&proof, certificate) {
            return Err(IdentityError::Bound);
        }
        Ok(self.remembered.keep(print, proof, now))
    }

    fn by_key(&self, text: &str, asked: Option<&str>, now: Timestamp) -> Result<Arc<Principal>, IdentityError> {
        let key = self.api_keys.check(text, now)?;
        let print = fingerprint("key", &key.id, asked);
        if let Some(proof) = self.remembered.get(&print, now) {
            return Ok(proof.principal);
        }
        let mut proven = Proven::bare(Arc::clone(&key.principal), Via::ApiKey(Arc::clone(&key.id)));
        proven.listed_only = true;
        proven.expires = key.expires;
        self.keep(print, proven, asked, now)
    }

    fn by_certificate(
        &self,
        rule: &CertificateRule,
        certificate: &ClientCertificate,
        asked: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, IdentityError> {
        let print = fingerprint("certificate", &certificate.sha256, asked);
        if let Some(proof) = self.remembered.get(&print, now) {
            return Ok(proof.principal);
        }
        let id = rule.id(certificate, now)?;
        let name = certificate.sha256.get(..CERTIFICATE_NAME_DIGITS).unwrap_or(&certificate.sha256);
        let mut proven = Proven::bare(id.into(), Via::Certificate(name.into()));
        proven.listed_only = rule.listed_only;
        proven.expires = Some(certificate::end(certificate));
        self.keep(print, proven, asked, now)
    }

    fn keep(
        &self,
        print: Fingerprint,
        proven: Proven,
        asked: Option<&str>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, IdentityError> {
        let until = proven.expires.unwrap_or(Timestamp::from_micros(i64::MAX));
        let principal = Arc::new(self.directory.complete(proven, asked)?);
        Ok(self.remembered.keep(print, Proof { principal, until, keys: None, bound_to: None }, now))
    }

    fn is_current(&self, proof: &Proof) -> bool {
        let current = |(index, generation): (usize, u64)| {
            self.issuers.get(index).is_some_and(|issuer| issuer.generation() == generation)
        };
        proof.keys.is_none_or(current)
    }

    /// The enabled `[[principal]]` called `id`, with its fixed human: who it would be, proven by nobody.
    #[must_use]
    pub fn configured(&self, id: &str) -> Option<&Arc<Principal>> {
        self.directory.configured(id)
    }

    /// The issuers whose keys are to be fetched.
    #[must_use]
    pub fn key_sources(&self) -> Vec<KeySource> {
        let source = |issuer: &Issuer| {
            Some(KeySource {
                issuer: issuer.settings.issuer.clone(),
                url: issuer.settings.jwks_url.clone()?,
                refresh_seconds: issuer.settings.refresh_seconds,
            })
        };
        self.issuers.iter().filter_map(source).collect()
    }

    /// Whether a token named a key that its issuer does not have, since that issuer's last document.
    #[must_use]
    pub fn keys_wanted(&self) -> bool {
        self.issuers.iter().any(Issuer::wants_keys)
    }

    /// Takes the JWK set of `issuer`, and says how many keys it holds. Tokens of keys that went are forgotten.
    ///
    /// # Errors
    /// When the document holds no usable keys; the keys that were there stay in force.
    pub fn install_keys(&self, issuer: &str, document: &[u8]) -> Result<usize, JwksError> {
        let known = self.issuers.iter().find(|known| known.settings.issuer == issuer);
        known.ok_or(JwksError::UnknownIssuer)?.install(document)
    }

    /// Takes over the keys that `before` fetched, where issuer, URL and algorithms are the same.
    pub fn inherit_keys(&self, before: &Self) {
        for issuer in &self.issuers {
            if let Some(old) = before.issuers.iter().find(|old| old.settings.issuer == issuer.settings.issuer) {
                issuer.inherit(old);
            }
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Identity");
        shown.field("certificate", &self.certificate.is_some()).field("issuers", &self.issuers.len());
        shown.field("api_keys", &self.api_keys.len()).finish_non_exhaustive()
    }
}

fn is_bound(proof: &Proof, certificate: Option<&ClientCertificate>) -> bool {
    proof.bound_to.as_deref().is_none_or(|print| certificate.is_some_and(|certificate| certificate.sha256 == print))
}

/// `method` has a fixed set of values and a header holds no NUL, so no two credentials share a fingerprint.
fn fingerprint(method: &str, credential: &str, asked: Option<&str>) -> Fingerprint {
    let separator: &[u8] = if asked.is_some() { b"\0for\0" } else { b"\0" };
    let asked = asked.unwrap_or_default().as_bytes();
    sha256(&[method.as_bytes(), separator, asked, b"\0", credential.as_bytes()])
}

/// Hex digits of a certificate's hash that name it in records.
const CERTIFICATE_NAME_DIGITS: usize = 16;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod promises;
