//! Which certificate is shown, and what clients show.

use super::*;
use crate::tls::read_certificate;

async fn shown(server: &Server, pki: &Pki, name: &'static str) -> Vec<String> {
    let mut config = (*pki.connector(None, false)).clone();
    config.enable_sni = true;
    let client = server.connect_as(Arc::new(config), name).await;
    let client = client.unwrap();
    let chain = client.get_ref().1.peer_certificates().unwrap();
    read_certificate(&chain[0]).unwrap().dns
}

#[tokio::test]
async fn the_certificate_follows_the_name_the_client_asks_for() {
    let pki = Pki::new();
    let mut options = options(&pki);
    options.certificates = vec![
        pki.server("first", &["first.example", "127.0.0.1"]),
        pki.server("wild", &["*.wild.example"]),
        pki.server("exact", &["exact.wild.example"]),
    ];
    let server = start(&pki, options);
    for (name, expected) in [
        ("first.example", "first.example"),
        ("FIRST.example", "first.example"),
        ("a.wild.example", "*.wild.example"),
        ("exact.wild.example", "exact.wild.example"),
        // No SNI is sent for an address.
        ("127.0.0.1", "first.example"),
    ] {
        assert_eq!(shown(&server, &pki, name).await, [expected], "{name}");
    }
    for name in ["wild.example", "a.b.wild.example", "other.example"] {
        // The first certificate is shown, which does not carry the name: the client refuses.
        assert!(server.connect_as(pki.connector(None, false), name).await.is_err(), "{name}");
    }
}

async fn who_is(server: &Server, config: Arc<ClientConfig>) -> Option<String> {
    let mut client = server.connect_as(config, "localhost").await.ok()?;
    // In TLS 1.3 the client learns only by reading that its certificate was refused.
    client.write_all(get("/who").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).await.ok()?;
    let response = rest(&mut client).await;
    response.split_once("\r\n\r\n").and_then(|(_, body)| body.rsplit(' ').next()).map(str::to_owned)
}

#[tokio::test]
async fn client_certificates_are_none_optional_or_required() {
    let pki = Pki::new();
    pki.client("agent", "urn:fieldgate:agent");
    let other = Pki::new();
    other.client("agent", "urn:fieldgate:agent");
    let stranger = {
        let settings = ClientSettings {
            ca: Some(pki.resolve()(Path::new("ca.pem"))),
            client_certificate: Some("agent.pem".into()),
            client_key: Some("agent.key".into()),
            http2: false,
        };
        tls::client_config(&settings, &other.resolve(), "test").unwrap()
    };
    for (mode, without, with, strange) in [
        (ClientAuthMode::None, Some("NotAsked"), Some("NotAsked"), Some("NotAsked")),
        (ClientAuthMode::Optional, Some("NotSent"), Some("urn:fieldgate:agent"), None),
        (ClientAuthMode::Required, None, Some("urn:fieldgate:agent"), None),
    ] {
        let mut options = options(&pki);
        options.client_auth = mode;
        let server = start(&pki, options);
        assert_eq!(who_is(&server, pki.connector(None, false)).await.as_deref(), without, "{mode:?}");
        assert_eq!(who_is(&server, pki.connector(Some("agent"), false)).await.as_deref(), with, "{mode:?}");
        // From an authority that is not trusted; rustls does not offer it unless the authority matches by name.
        let strangers = who_is(&server, Arc::clone(&stranger)).await;
        assert_eq!(strangers.as_deref(), strange, "{mode:?}");
    }
}

#[tokio::test]
async fn resumption_keeps_the_client_certificate() {
    let pki = Pki::new();
    pki.client("agent", "urn:fieldgate:agent");
    let mut options = options(&pki);
    options.client_auth = ClientAuthMode::Required;
    let server = start(&pki, options);
    let config = pki.connector(Some("agent"), false);
    assert_eq!(who_is(&server, Arc::clone(&config)).await.as_deref(), Some("urn:fieldgate:agent"));
    let mut second = server.connect_as(config, "localhost").await.unwrap();
    let kind = second.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(rustls::HandshakeKind::Resumed));
    assert!(ask(&mut second, &get("/who")).await.ends_with("urn:fieldgate:agent"));
}

#[tokio::test]
async fn a_listener_for_1_3_does_not_speak_1_2() {
    let pki = Pki::new();
    for (min_version, expected) in [(MinVersion::Tls12, true), (MinVersion::Tls13, false)] {
        let mut options = options(&pki);
        options.min_version = min_version;
        let server = start(&pki, options);
        let mut roots = rustls::RootCertStore::empty();
        let ca = std::fs::read(pki.resolve()(Path::new("ca.pem"))).unwrap();
        roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&ca).unwrap()).unwrap();
        let old = ClientConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        assert_eq!(server.connect_as(Arc::new(old), "localhost").await.is_ok(), expected, "{min_version:?}");
    }
}
