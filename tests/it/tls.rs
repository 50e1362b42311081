//! TLS of a running gateway: client certificates, names, versions, protocols, and certificates that change under way.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use fieldgate::{
    gateway::now,
    tls::generate::{self, Pair},
};

use crate::harness::{Hello, Session, Setup, World, get};

const CUSTOMER: &str = "/api/v1/customers/C-1001";

/// What `fieldgate init` writes as the listener's certificates.
const CERTIFICATES: &str = r#"certificates = [{ certificate = "certs/gateway.pem", key = "certs/gateway.key" }]"#;

/// Authorities and certificates of a test.
struct Pki {
    servers: Pair,
    clients: Pair,
}

impl Pki {
    fn new() -> Self {
        let ca = |name: &str| generate::ca(name, now()).unwrap();
        Self { servers: ca("test servers"), clients: ca("test clients") }
    }

    fn server(&self, names: &[&str]) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        generate::server(&self.servers, &names, now()).unwrap()
    }

    fn client(&self, id: &str) -> Pair {
        generate::client(&self.clients, &format!("spiffe://test/{id}"), now()).unwrap()
    }

    /// A world whose gateway shows `first` and takes client certificates of this PKI.
    fn setup(&self, first: &Pair) -> Setup {
        Setup::new()
            .file("certs/ca.pem", &self.servers.certificate)
            .file("certs/gateway.pem", &first.certificate)
            .file("certs/gateway.key", first.key.expose())
            .file("certs/clients.pem", &self.clients.certificate)
    }

    /// The same, with client certificates as `mode` says.
    fn asking(&self, mode: &str) -> World {
        let tls = format!("{CERTIFICATES}\nclient_auth = \"{mode}\"\nclient_ca = \"certs/clients.pem\"");
        self.setup(&self.server(&["localhost"]))
            .edit(CERTIFICATES, &tls)
            .append("\n[identity.certificate]\nname = \"uri\"\nprefix = \"spiffe://test/\"\n")
            .start()
    }
}

fn hello(world: &World) -> Hello {
    Hello::new(&world.made.ca)
}

/// The status of one request on a fresh connection; the TLS error when there is none.
fn status(hello: &Hello, world: &World, key: Option<&str>) -> Result<u16, String> {
    let mut session = hello.connect(world.address)?;
    session.ask(&get(CUSTOMER, key)).map(|answer| code(&answer))
}

fn code(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_certificate_that_is_not_asked_for_is_not_looked_at() {
    let pki = Pki::new();
    let world = pki.setup(&pki.server(&["localhost"])).start();
    let with = hello(&world).certificate(&pki.client("agent-anna"));
    assert_eq!(status(&with, &world, None), Ok(401));
    assert_eq!(status(&with, &world, Some(&world.key("agent-anna"))), Ok(200));
}

#[test]
fn an_optional_certificate_names_the_principal_of_its_uri() {
    let pki = Pki::new();
    let world = pki.asking("optional");
    let (plain, anna) = (hello(&world), hello(&world).certificate(&pki.client("agent-anna")));
    assert_eq!(status(&plain, &world, None), Ok(401));
    assert_eq!(status(&plain, &world, Some(&world.key("supervisor-sam"))), Ok(200));
    world.wait_for("access.reveal", 1);
    assert_eq!(status(&anna, &world, None), Ok(200));
    let reveals = world.wait_for("access.reveal", 2);
    let by_certificate = reveals.last().unwrap().to_string();
    assert!(by_certificate.contains("agent-anna") && by_certificate.contains("certificate"), "{by_certificate}");
    // Next to a key, both have to name one principal.
    assert_eq!(status(&anna, &world, Some(&world.key("agent-anna"))), Ok(200));
    let both = status(&anna, &world, Some(&world.key("supervisor-sam"))).unwrap();
    assert!((400..500).contains(&both), "{both}");
    let nobody = hello(&world).certificate(&pki.client("nobody"));
    assert_eq!(status(&nobody, &world, None), Ok(403), "not listed");
    let foreign = hello(&world).certificate(&Pki::new().client("agent-anna"));
    assert!(
        status(&foreign, &world, Some(&world.key("agent-anna"))).is_err(),
        "a bad certificate is not no certificate"
    );
}

#[test]
fn without_a_required_certificate_there_is_no_connection() {
    let pki = Pki::new();
    let world = pki.asking("required");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let plain = hello(&world).version(version);
        assert!(status(&plain, &world, Some(&world.key("agent-anna"))).is_err());
        assert!(status(&plain.clone().certificate(&Pki::new().client("agent-anna")), &world, None).is_err());
        assert_eq!(status(&plain.certificate(&pki.client("agent-anna")), &world, None), Ok(200));
    }
    assert_eq!(world.wait_for("access.outcome", 2).len(), 2, "what failed in the handshake is no access");
}

#[test]
fn the_certificate_follows_the_name_that_is_asked_for() {
    let pki = Pki::new();
    let other = pki.server(&["crm.example", "*.desk.example"]);
    let two = CERTIFICATES.replace("}]", r#"}, { certificate = "certs/other.pem", key = "certs/other.key" }]"#);
    let world = pki
        .setup(&pki.server(&["localhost"]))
        .file("certs/other.pem", &other.certificate)
        .file("certs/other.key", other.key.expose())
        .edit(CERTIFICATES, &two)
        .start();
    for (name, shown) in [("localhost", "localhost"), ("crm.example", "crm.example"), ("a.desk.example", "crm.example")]
    {
        let mut session = hello(&world).name(name).connect(world.address).unwrap();
        assert_eq!(session.names()[0], shown, "{name}");
        let answer = session.ask(&get(CUSTOMER, Some(&world.key("agent-anna")))).unwrap();
        assert_eq!(code(&answer), 200, "{name}");
    }
    // Another name gets the first certificate, which does not carry it.
    for name in ["elsewhere.example", "desk.example", "a.b.desk.example"] {
        assert!(hello(&world).name(name).connect(world.address).is_err(), "{name}");
    }
}

#[test]
fn both_tls_versions_are_spoken_down_to_the_lowest_allowed() {
    let pki = Pki::new();
    let any = pki.setup(&pki.server(&["localhost"])).start();
    let new = pki
        .setup(&pki.server(&["localhost"]))
        .edit(CERTIFICATES, &format!("{CERTIFICATES}\nmin_version = \"1.3\""))
        .start();
    let version = |world: &World, version| -> Result<&'static str, String> {
        let mut session: Session = hello(world).version(version).connect(world.address)?;
        let answer = session.ask(&get(CUSTOMER, Some(&world.key("agent-anna"))))?;
        assert_eq!(code(&answer), 200);
        Ok(session.version())
    };
    assert_eq!(version(&any, &rustls::version::TLS12), Ok("1.2"));
    assert_eq!(version(&any, &rustls::version::TLS13), Ok("1.3"));
    assert!(version(&new, &rustls::version::TLS12).is_err());
    assert_eq!(version(&new, &rustls::version::TLS13), Ok("1.3"));
}

#[test]
fn alpn_chooses_the_protocol_and_an_unknown_one_is_refused() {
    let world = Setup::new().start();
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["spdy/3", "http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let session = hello(&world).alpn(offered).connect(world.address).unwrap();
        assert_eq!(session.protocol().as_deref(), chosen, "{offered:?}");
    }
    assert!(hello(&world).alpn(&["spdy/3"]).connect(world.address).is_err());
    let mut silent = hello(&world).alpn(&[]).connect(world.address).unwrap();
    assert_eq!(code(&silent.ask(&get(CUSTOMER, Some(&world.key("agent-anna")))).unwrap()), 200);
    assert_eq!(world.agent().h2().get(CUSTOMER).json(), world.agent().get(CUSTOMER).json());
}

/// Waits until `done` says yes.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn hang_up(world: &World) {
    assert!(Command::new("kill").args(["-HUP", &world.pid().to_string()]).status().unwrap().success());
}

#[test]
fn sighup_changes_the_certificate_and_drops_no_connection() {
    let pki = Pki::new();
    let mut world = pki.setup(&pki.server(&["localhost", "before.example"])).spawn();
    world.ready().unwrap();
    let certs = world.made.config.parent().unwrap().join("certs");
    let key = world.key("agent-anna");
    let mut kept = hello(&world).connect(world.address).unwrap();
    assert_eq!(code(&kept.ask(&get(CUSTOMER, Some(&key))).unwrap()), 200);
    // An exchange that is under way during the reload.
    let mut slow = hello(&world).connect(world.address).unwrap();
    slow.send(&get(CUSTOMER, Some(&key)).replace("\r\n\r\n", "\r\nX-Sandbox-Quirk: slow\r\n\r\n")).unwrap();

    let after = pki.server(&["localhost", "after.example"]);
    std::fs::write(certs.join("gateway.pem"), &after.certificate).unwrap();
    std::fs::write(certs.join("gateway.key"), after.key.expose()).unwrap();
    hang_up(&world);
    until("the new certificate is shown", || {
        hello(&world).connect(world.address).unwrap().names().contains(&"after.example".to_owned())
    });
    let during = slow.answer().unwrap();
    assert!(code(&during) == 200 && during.contains("C-1001"), "{during}");
    assert_eq!(code(&kept.ask(&get(CUSTOMER, Some(&key))).unwrap()), 200);
    assert!(kept.names().contains(&"before.example".to_owned()));

    // What cannot be loaded changes nothing.
    std::fs::write(certs.join("gateway.pem"), "not a certificate").unwrap();
    hang_up(&world);
    until("the reload is refused", || {
        let metrics = world.admin("/metrics");
        let refused = metrics.lines().find_map(|line| line.strip_prefix("fieldgate_reloads_refused_total "));
        refused.is_some_and(|count| count != "0")
    });
    assert!(world.stderr().contains("gateway.pem"), "{}", world.stderr());
    let mut fresh = hello(&world).connect(world.address).unwrap();
    assert!(fresh.names().contains(&"after.example".to_owned()));
    for session in [&mut fresh, &mut kept] {
        assert_eq!(code(&session.ask(&get(CUSTOMER, Some(&key))).unwrap()), 200);
    }
    world.stop();
    world.verify();
}
