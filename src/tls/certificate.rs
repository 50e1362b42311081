//! Reads the names in a certificate.

use rustls::ServerConnection;
use x509_parser::{extensions::GeneralName, prelude::FromDer, prelude::X509Certificate};

use crate::model::{ClientAuth, ClientCertificate, NoCertificate};

/// A certificate cannot be read.
#[derive(Debug, Clone, Copy, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    /// Not DER of RFC 5280.
    #[error("the certificate is not valid DER of RFC 5280")]
    Malformed,
    /// The subject alternative names are malformed or given twice.
    #[error("the subject alternative names of the certificate are malformed")]
    Names,
}

/// Reads what the records and the identity rules need from a certificate in DER.
///
/// # Errors
/// When the certificate or its names cannot be parsed.
pub fn read_certificate(der: &[u8]) -> Result<ClientCertificate, CertificateError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
    if !rest.is_empty() {
        return Err(CertificateError::Malformed);
    }
    let mut read = ClientCertificate {
        sha256: sha256_hex(der),
        not_after: certificate.validity().not_after.timestamp(),
        ..ClientCertificate::default()
    };
    let names = certificate.subject_alternative_name().map_err(|_| CertificateError::Names)?;
    for name in names.iter().flat_map(|extension| &extension.value.general_names) {
        // A control character could fake another name where names are printed or compared.
        let clean = |name: &str| {
            if name.is_empty() || name.chars().any(char::is_control) {
                Err(CertificateError::Names)
            } else {
                Ok(name.to_owned())
            }
        };
        match name {
            GeneralName::URI(uri) => read.uris.push(clean(uri)?),
            GeneralName::RFC822Name(email) => read.emails.push(clean(email)?),
            GeneralName::DNSName(dns) => read.dns.push(clean(dns)?),
            GeneralName::Invalid(..) => return Err(CertificateError::Names),
            _ => {}
        }
    }
    // Two common names would let a reader and a rule pick different ones.
    let mut common = certificate.subject().iter_common_name();
    read.common_name = match (common.next(), common.next()) {
        (Some(only), None) => only.as_str().ok().filter(|name| !name.chars().any(char::is_control)).map(str::to_owned),
        _ => None,
    };
    Ok(read)
}

/// The outcome of client authentication of a finished handshake; `asked` says whether a certificate was requested.
///
/// # Errors
/// When rustls verified a certificate whose names cannot be read.
pub fn client_auth(connection: &ServerConnection, asked: bool) -> Result<ClientAuth, CertificateError> {
    match connection.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => read_certificate(certificate).map(ClientAuth::Verified),
        None if asked => Ok(ClientAuth::None(NoCertificate::NotSent)),
        None => Ok(ClientAuth::None(NoCertificate::NotAsked)),
    }
}

fn sha256_hex(der: &[u8]) -> String {
    use std::fmt::Write;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
