//! A verified client certificate in, the principal's id out, by the configured rule.

use super::{CertificateName, CertificateRule, IdentityError, principal::is_id};
use crate::model::{ClientCertificate, Timestamp};

impl CertificateRule {
    /// The id that `certificate` gives its holder: exactly one of its names must fit.
    pub(super) fn id(&self, certificate: &ClientCertificate, now: Timestamp) -> Result<String, IdentityError> {
        let names = match self.name {
            CertificateName::Uri => certificate.uris.as_slice(),
            CertificateName::Email => &certificate.emails,
            CertificateName::Dns => &certificate.dns,
            CertificateName::CommonName => certificate.common_name.as_slice(),
        };
        let mut ids = names.iter().filter_map(|name| self.strip(name));
        let id = ids.next().ok_or(IdentityError::CertificateName)?;
        if ids.any(|other| other != id) {
            return Err(IdentityError::CertificateNames);
        }
        // It was valid when the connection began; a connection may outlive its certificate.
        if now >= end(certificate) {
            return Err(IdentityError::CertificateExpired);
        }
        Ok(id)
    }

    fn strip(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let id = format!("{}{rest}", self.id_prefix);
        (!rest.is_empty() && is_id(&id)).then_some(id)
    }
}

/// The first instant that is too late: `notAfter` is the last valid second (RFC 5280 §4.1.2.5).
pub(super) fn end(certificate: &ClientCertificate) -> Timestamp {
    Timestamp::from_seconds(certificate.not_after).plus_seconds(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Alongside;

    fn rule(prefix: &str, suffix: &str) -> CertificateRule {
        CertificateRule {
            name: CertificateName::Uri,
            prefix: prefix.into(),
            suffix: suffix.into(),
            id_prefix: "tool:".into(),
            listed_only: true,
            alongside: Alongside::Same,
        }
    }

    fn certificate(uris: &[&str]) -> ClientCertificate {
        let uris = uris.iter().map(|uri| (*uri).to_owned()).collect();
        ClientCertificate { uris, dns: vec!["spiffe://crm/desk".into()], not_after: 100, ..Default::default() }
    }

    fn id(rule: &CertificateRule, uris: &[&str]) -> Result<String, IdentityError> {
        rule.id(&certificate(uris), Timestamp::from_seconds(100))
    }

    #[test]
    fn the_rest_of_the_one_name_that_fits_is_the_id() {
        let rule = rule("spiffe://crm/", "/v1");
        assert_eq!(id(&rule, &["https://x", "spiffe://crm/desk-7/v1"]).as_deref(), Ok("tool:desk-7"));
        for none in ["spiffe://crm//v1x", "spiffe://crm/v1", "spiffe://crm//v1", "spiffe://CRM/desk/v1"] {
            assert_eq!(id(&rule, &[none]), Err(IdentityError::CertificateName), "{none}");
        }
        assert_eq!(id(&rule, &[]), Err(IdentityError::CertificateName));
    }

    #[test]
    fn two_different_names_that_fit_are_refused() {
        let rule = rule("spiffe://crm/", "");
        assert_eq!(id(&rule, &["spiffe://crm/a", "spiffe://crm/b"]), Err(IdentityError::CertificateNames));
        assert_eq!(id(&rule, &["spiffe://crm/a", "spiffe://crm/a"]).as_deref(), Ok("tool:a"));
    }

    #[test]
    fn overlapping_prefix_and_suffix_do_not_fit() {
        assert_eq!(id(&rule("abc", "cde"), &["abcde"]), Err(IdentityError::CertificateName));
    }

    #[test]
    fn a_certificate_that_ended_during_the_connection_is_refused() {
        let late = rule("spiffe://", "").id(&certificate(&["spiffe://a"]), Timestamp::from_seconds(101));
        assert_eq!(late, Err(IdentityError::CertificateExpired));
    }
}
