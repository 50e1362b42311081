//! What is generated is what it says, and mistakes in settings are named by their key.

use std::path::Path;

use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    testing::{Pki, now},
    *,
};
use crate::model::Timestamp;

fn der(pair: &generate::Pair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap().to_vec()
}

fn days(pair: &generate::Pair) -> i64 {
    let der = der(pair);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let validity = certificate.validity();
    (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400
}

#[test]
fn server_certificates_carry_their_names_and_usages_for_less_than_398_days() {
    let ca = generate::ca("Authority", now()).unwrap();
    let names = ["crm.example".to_owned(), "*.crm.example".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let pair = generate::server(&ca, &names, now()).unwrap();
    let der = der(&pair);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(read_certificate(&der).unwrap().dns, ["crm.example", "*.crm.example"]);
    assert!(days(&pair) < 398 && days(&pair) > 390, "{}", days(&pair));
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign() && !usage.key_encipherment());
    let extended = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(extended.server_auth && !extended.client_auth && !extended.any);
    assert!(!certificate.basic_constraints().unwrap().unwrap().value.ca);
}

#[test]
fn an_authority_signs_certificates_and_no_further_authority() {
    let ca = generate::ca("Authority", now()).unwrap();
    let der = der(&ca);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let constraints = certificate.basic_constraints().unwrap().unwrap().value;
    assert!(constraints.ca && constraints.path_len_constraint == Some(0));
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    assert_eq!(days(&ca), generate::CA_DAYS);
}

#[test]
fn a_client_certificate_is_read_back_as_it_was_made() {
    let ca = generate::ca("Authority", now()).unwrap();
    let pair = generate::client(&ca, "spiffe://example/agent", now()).unwrap();
    let read = read_certificate(&der(&pair)).unwrap();
    assert_eq!(read.uris, ["spiffe://example/agent"]);
    assert_eq!(read.common_name.as_deref(), Some("spiffe://example/agent"));
    assert_eq!((read.dns.len(), read.emails.len(), read.sha256.len()), (0, 0, 64));
    assert!(read.not_after > now().seconds() + 390 * 86_400);
}

#[test]
fn names_that_a_certificate_cannot_carry_are_refused() {
    let ca = generate::ca("Authority", now()).unwrap();
    for names in [&[][..], &[""], &["a b"], &["a..b"], &["-a"], &["*"], &["caf\u{e9}"], &["a\nb"]] {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        assert_eq!(generate::server(&ca, &names, now()), Err(generate::GenerateError::Name), "{names:?}");
    }
    for uri in ["", "agent", ":agent", "urn:", "urn:a b", "urn:caf\u{e9}"] {
        assert_eq!(generate::client(&ca, uri, now()), Err(generate::GenerateError::Name), "{uri}");
    }
    assert_eq!(generate::ca("", now()), Err(generate::GenerateError::Name));
    let leaf = generate::server(&ca, &["a.example".to_owned()], now()).unwrap();
    let crossed = generate::Pair { certificate: "no PEM".into(), key: leaf.key };
    assert_eq!(generate::client(&crossed, "urn:a", now()), Err(generate::GenerateError::Authority));
    assert_eq!(generate::ca("x", Timestamp::from_seconds(-1_000_000)), Err(generate::GenerateError::Key));
}

#[test]
fn every_mistake_of_a_listener_is_named_by_its_key() {
    let pki = Pki::new();
    let good = pki.server("good", &["good.example"]);
    let other = pki.server("other", &["other.example"]);
    let crossed = CertificateFiles { certificate: good.certificate.clone(), key: other.key };
    let missing = CertificateFiles { certificate: "missing.pem".into(), key: "missing.key".into() };
    let swapped = CertificateFiles { certificate: good.key.clone(), key: good.certificate.clone() };
    let settings = |certificates: Vec<CertificateFiles>, client_auth, client_ca: Option<&str>| ServerSettings {
        certificates,
        client_auth,
        client_ca: client_ca.map(Into::into),
        min_version: MinVersion::Tls12,
    };
    let none = ClientAuthMode::None;
    for (settings, expected) in [
        (settings(vec![], none, None), &["certificates"][..]),
        (settings(vec![good.clone(), crossed], none, None), &["certificates.1.key"]),
        (settings(vec![missing], none, None), &["certificates.0.certificate", "certificates.0.key"]),
        (settings(vec![swapped], none, None), &["certificates.0.certificate", "certificates.0.key"]),
        (settings(vec![good.clone()], none, Some("ca.pem")), &["client_ca"]),
        (settings(vec![good.clone()], ClientAuthMode::Required, None), &["client_ca"]),
        (settings(vec![good.clone()], ClientAuthMode::Optional, Some("missing.pem")), &["client_ca"]),
        (settings(vec![good.clone()], ClientAuthMode::Optional, Some("good.key")), &["client_ca"]),
    ] {
        let problems = server_config(&settings, &pki.resolve(), "listener.tls").unwrap_err();
        let paths: Vec<_> = problems.iter().map(|found| found.path.as_str()).collect();
        let expected: Vec<_> = expected.iter().map(|key| format!("listener.tls.{key}")).collect();
        assert_eq!(paths, expected, "{problems:?}");
        assert!(problems.iter().all(|found| !found.what.contains("PRIVATE") && !found.help.is_empty()));
    }
    assert!(server_config(&settings(vec![good], none, None), &pki.resolve(), "listener.tls").is_ok());
}

#[test]
fn every_mistake_of_an_upstream_is_named_by_its_key() {
    let pki = Pki::new();
    pki.client("client", "urn:gateway");
    let settings = |ca: Option<&str>, certificate: Option<&str>, key: Option<&str>| ClientSettings {
        ca: ca.map(Into::into),
        client_certificate: certificate.map(Into::into),
        client_key: key.map(Into::into),
        http2: false,
    };
    for (settings, expected) in [
        (settings(Some("missing.pem"), Some("client.pem"), None), &["ca", "client_key"][..]),
        (settings(Some("ca.pem"), None, Some("client.key")), &["client_certificate"]),
        (settings(Some("ca.pem"), Some("client.pem"), Some("ca.key")), &["client_key"]),
    ] {
        let problems = client_config(&settings, &pki.resolve(), "upstream.0").unwrap_err();
        let paths: Vec<_> = problems.iter().map(|found| found.path.as_str()).collect();
        let expected: Vec<_> = expected.iter().map(|key| format!("upstream.0.{key}")).collect();
        assert_eq!(paths, expected, "{problems:?}");
    }
    let good = settings(Some("ca.pem"), Some("client.pem"), Some("client.key"));
    assert!(client_config(&good, &pki.resolve(), "upstream.0").is_ok());
}

#[test]
fn a_pem_file_is_read_at_its_limit_and_not_one_past_it() {
    let pki = Pki::new();
    let ca = std::fs::read(pki.resolve()(Path::new("ca.pem"))).unwrap();
    for (length, expected) in [(pem::PEM_BYTES, true), (pem::PEM_BYTES + 1, false)] {
        let mut padded = ca.clone();
        padded.resize(usize::try_from(length).unwrap(), b'\n');
        std::fs::write(pki.resolve()(Path::new("padded.pem")), padded).unwrap();
        let settings = ClientSettings { ca: Some("padded.pem".into()), ..ClientSettings::default() };
        assert_eq!(client_config(&settings, &pki.resolve(), "u").is_ok(), expected, "{length}");
    }
}

#[test]
fn what_is_no_certificate_is_not_read() {
    let ca = generate::ca("Authority", now()).unwrap();
    let mut der = der(&ca);
    assert!(read_certificate(&der).is_ok());
    der.push(0);
    assert_eq!(read_certificate(&der), Err(CertificateError::Malformed));
    assert_eq!(read_certificate(&[]), Err(CertificateError::Malformed));
}
