//! Makes an authority and certificates for first use, for the demo and for tests: ECDSA P-256, one year.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd, string::Ia5String,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::{extensions::ParsedExtension, prelude::FromDer, prelude::X509Certificate};

use crate::model::{Sensitive, Timestamp};

/// Validity of server and client certificates, days; clients refuse server certificates of 398 days and more.
pub const LEAF_DAYS: i64 = 397;
/// Validity of an authority, days.
pub const CA_DAYS: i64 = 3650;

/// A certificate and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// `BEGIN CERTIFICATE`.
    pub certificate: String,
    /// `BEGIN PRIVATE KEY` (PKCS #8).
    pub key: Sensitive<String>,
}

/// A certificate cannot be made.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum GenerateError {
    /// No name, or a name that a certificate cannot carry.
    #[error("a certificate needs names of ASCII letters: DNS names, IP addresses, or one URI")]
    Name,
    /// The authority cannot be read, or was not made here (its subject is not one UTF-8 common name).
    #[error("the authority is not one that `fieldgate` made; give its own certificate and key")]
    Authority,
    /// Key generation or signing failed.
    #[error("the key cannot be made or used")]
    Key,
}

/// An authority called `name`, valid from the day before `now`. It signs end-entity certificates only.
///
/// # Errors
/// When the name is empty or the random source fails.
pub fn ca(name: &str, now: Timestamp) -> Result<Pair, GenerateError> {
    let mut params = params(name, now, CA_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = new_key()?;
    let certificate = params.self_signed(&key).map_err(|_| GenerateError::Key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem().into() })
}

/// A server certificate for `names`: DNS names (also `*.example.com`) and IP addresses.
///
/// # Errors
/// Without names, with a name a certificate cannot carry, or when the authority is unusable.
pub fn server(authority: &Pair, names: &[String], now: Timestamp) -> Result<Pair, GenerateError> {
    let first = names.first().ok_or(GenerateError::Name)?;
    let mut params = params(first, now, LEAF_DAYS)?;
    for name in names {
        params.subject_alt_names.push(match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if is_dns_name(name) => SanType::DnsName(ia5(name)?),
            Err(_) => return Err(GenerateError::Name),
        });
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(authority, params)
}

/// A client certificate whose one subject alternative name is `uri` (`spiffe://…`, `urn:…`).
///
/// # Errors
/// When `uri` is not a URI a certificate can carry, or when the authority is unusable.
pub fn client(authority: &Pair, uri: &str, now: Timestamp) -> Result<Pair, GenerateError> {
    let has_scheme = uri.split_once(':').is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
    if !has_scheme || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(GenerateError::Name);
    }
    let mut params = params(uri, now, LEAF_DAYS)?;
    params.subject_alt_names.push(SanType::URI(ia5(uri)?));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(authority, params)
}

fn sign(authority: &Pair, mut params: CertificateParams) -> Result<Pair, GenerateError> {
    params.is_ca = IsCa::ExplicitNoCa;
    // An ECDSA key only ever signs; key encipherment belongs to RSA key exchange.
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let issuer_params = authority_params(authority)?;
    let issuer_key = KeyPair::from_pem(authority.key.expose()).map_err(|_| GenerateError::Authority)?;
    let key = new_key()?;
    let issuer = Issuer::from_params(&issuer_params, issuer_key);
    let certificate = params.signed_by(&key, &issuer).map_err(|_| GenerateError::Key)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem().into() })
}

fn params(name: &str, now: Timestamp, days: i64) -> Result<CertificateParams, GenerateError> {
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(GenerateError::Name);
    }
    // One day back, so that a client whose clock is behind accepts the certificate at once.
    let (start, end) = (date(now.plus_seconds(-DAY))?, date(now.plus_seconds((days - 1) * DAY))?);
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(start.0, start.1, start.2);
    params.not_after = date_time_ymd(end.0, end.1, end.2);
    params.distinguished_name = common_name(name);
    Ok(params)
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    // X.520 ub-common-name: 64 characters.
    subject.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    subject
}

/// What signing needs to know of the authority: its subject, byte for byte, and its key identifier.
fn authority_params(authority: &Pair) -> Result<CertificateParams, GenerateError> {
    let der = CertificateDer::from_pem_slice(authority.certificate.as_bytes()).map_err(|_| GenerateError::Authority)?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| GenerateError::Authority)?;
    let mut attributes = certificate.subject().iter_attributes();
    let name = match (attributes.next(), attributes.next()) {
        (Some(only), None) if certificate.subject().iter_common_name().count() == 1 => {
            only.as_str().map_err(|_| GenerateError::Authority)?.to_owned()
        }
        _ => return Err(GenerateError::Authority),
    };
    let identifier = certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(identifier) => Some(identifier.0.to_vec()),
        _ => None,
    });
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = common_name(&name);
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.ok_or(GenerateError::Authority)?);
    Ok(params)
}

fn new_key() -> Result<KeyPair, GenerateError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| GenerateError::Key)
}

fn ia5(text: &str) -> Result<Ia5String, GenerateError> {
    Ia5String::try_from(text).map_err(|_| GenerateError::Name)
}

fn date(at: Timestamp) -> Result<(i32, u8, u8), GenerateError> {
    let (year, month, day) = at.date();
    // Years outside the range have no UTCTime or GeneralizedTime.
    i32::try_from(year)
        .ok()
        .filter(|year| (1970..9999).contains(year))
        .map(|year| (year, month, day))
        .ok_or(GenerateError::Key)
}

fn is_dns_name(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

const DAY: i64 = 86_400;
