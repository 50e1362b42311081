//! A world to test in: the sample CRM, a gateway in front of it, and callers. Everything on loopback, in a folder of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use fieldgate::{
    cli::{Init, Made, write_configuration},
    config::Config,
    gateway::Gateway,
    sandbox::{self, Crm},
    tls::{self, generate},
};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use tokio::sync::watch;

/// The CRM's own credential.
pub(crate) const TOKEN: &str = "crm-credential-for-tests";

/// How a world is made.
pub struct Setup {
    crm: Crm,
    edit: Vec<(String, String)>,
    append: String,
}

impl Setup {
    /// Three hundred synthetic customers.
    pub fn new() -> Self {
        Self::of(Crm::generate(7, 300))
    }

    /// This CRM.
    pub fn of(crm: Crm) -> Self {
        Self { crm, edit: Vec::new(), append: String::new() }
    }

    #[allow(dead_code, reason = "not every change of the tests needs it")]
    /// Replaces `from`, which has to be there, in the configuration.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edit.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Adds sections to the configuration.
    pub fn append(mut self, text: &str) -> Self {
        self.append.push_str(text);
        self
    }

    /// Starts CRM and gateway in this process.
    pub fn start(self) -> World {
        let mut world = self.world();
        world.start();
        world
    }

    /// Starts the CRM, and the gateway as a process of its own.
    pub fn spawn(self) -> World {
        let mut world = self.world();
        world.spawn();
        world
    }

    fn world(self) -> World {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("crm-side");
        std::fs::create_dir(&folder).unwrap();
        let ca = generate::ca("test CRM", fieldgate::gateway::now()).unwrap();
        let server =
            generate::server(&ca, &["localhost".to_owned(), "127.0.0.1".to_owned()], fieldgate::gateway::now())
                .unwrap();
        std::fs::write(folder.join("ca.pem"), &ca.certificate).unwrap();
        std::fs::write(folder.join("server.pem"), &server.certificate).unwrap();
        std::fs::write(folder.join("server.key"), server.key.expose()).unwrap();
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let crm_address = socket.local_addr().unwrap();
        let origin = format!("https://localhost:{}", crm_address.port());
        let crm = Arc::new(self.crm.with_token(TOKEN.to_owned()).with_public_origin(origin.clone()));
        let settings = tls::ServerSettings {
            certificates: vec![tls::CertificateFiles { certificate: "server.pem".into(), key: "server.key".into() }],
            client_auth: tls::ClientAuthMode::None,
            client_ca: None,
            min_version: tls::MinVersion::Tls12,
        };
        let config = Arc::clone(&tls::server_config(&settings, &|path| folder.join(path), "test").unwrap().config);
        let (curtain, closing) = watch::channel(false);
        let serving = Arc::clone(&crm);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(sandbox::serve(socket, config, serving, closing)).unwrap();
        });
        let listen = free_port();
        let init = Init {
            upstream: origin,
            map: "sandbox".to_owned(),
            dir: dir.path().join("gate"),
            listen,
            public_url: None,
            admin: free_port(),
            upstream_ca: Some(folder.join("ca.pem")),
            upstream_server_name: None,
            alias: Vec::new(),
            credential_header: Some("X-Api-Token".to_owned()),
            credential: Some(folder.join("token")),
            pass_authorization: false,
        };
        let made = write_configuration(&init).unwrap();
        let mut text = std::fs::read_to_string(&made.config).unwrap();
        for (from, to) in &self.edit {
            assert!(text.contains(from.as_str()), "`{from}` is not in the configuration");
            text = text.replace(from, to);
        }
        text.push_str(&self.append);
        std::fs::write(&made.config, text).unwrap();
        World {
            crm,
            made,
            address: listen,
            admin: init.admin,
            crm_address,
            crm_ca: folder.join("ca.pem"),
            running: Running::No,
            stderr: dir.path().join("stderr.log"),
            _curtain: curtain,
            dir,
        }
    }
}

enum Running {
    No,
    Here(Box<Gateway>),
    Process(Child),
}

/// A CRM and a gateway.
pub struct World {
    pub crm: Arc<Crm>,
    pub made: Made,
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub crm_address: SocketAddr,
    crm_ca: PathBuf,
    running: Running,
    pub stderr: PathBuf,
    _curtain: watch::Sender<bool>,
    #[allow(dead_code, reason = "kept until the world ends")]
    pub dir: tempfile::TempDir,
}

impl World {
    pub fn start(&mut self) {
        let gateway = Gateway::start(&Config::load(&self.made.config).unwrap()).unwrap();
        self.running = Running::Here(Box::new(gateway));
    }

    pub fn spawn(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.stderr).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fieldgate"))
            .args(["serve", "--config"])
            .arg(&self.made.config)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.running = Running::Process(child);
    }

    /// Waits until a process answers `/readyz`, or gives its exit code.
    pub fn ready(&mut self) -> Result<(), i32> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Running::Process(child) = &mut self.running
                && let Some(status) = child.try_wait().unwrap()
            {
                return Err(status.code().unwrap_or(-1));
            }
            if self.admin("/readyz").starts_with("HTTP/1.1 200") {
                return Ok(());
            }
            assert!(Instant::now() < until, "the gateway is not ready: {}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn gateway(&self) -> &Gateway {
        match &self.running {
            Running::Here(gateway) => gateway,
            _ => panic!("the gateway does not run in this process"),
        }
    }

    pub fn pid(&self) -> u32 {
        match &self.running {
            Running::Process(child) => child.id(),
            _ => panic!("the gateway is not a process"),
        }
    }

    /// Stops the gateway as an operator would.
    pub fn stop(&mut self) {
        match std::mem::replace(&mut self.running, Running::No) {
            Running::No => {}
            Running::Here(gateway) => gateway.stop().unwrap(),
            Running::Process(mut child) => {
                Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
                let status = child.wait().unwrap();
                assert!(status.success(), "{status}: {}", self.stderr());
            }
        }
    }

    /// Kills the process.
    pub fn kill(&mut self) {
        if let Running::Process(child) = &mut self.running {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.running = Running::No;
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// `GET target` of the admin listener, raw.
    pub fn admin(&self, target: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(self.admin) else { return String::new() };
        let _ = write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    }

    fn client(&self, principal: &str) -> Client {
        let mut client = Client::new(self.address, &self.made.ca);
        if let Some((_, key)) = self.made.callers.iter().find(|(id, _)| *id == principal) {
            client.headers.push(("fieldgate-key".to_owned(), key.expose().clone()));
        }
        client
    }

    pub fn agent(&self) -> Client {
        self.client("agent-anna")
    }

    pub fn supervisor(&self) -> Client {
        self.client("supervisor-sam")
    }

    pub fn ai(&self) -> Client {
        self.client("ai-aria")
    }

    pub fn stranger(&self) -> Client {
        self.client("")
    }

    /// Past the gateway, with the CRM's credential.
    pub fn direct(&self) -> Client {
        Client::new(self.crm_address, &self.crm_ca).with("x-api-token", TOKEN)
    }

    /// The records of the log, each with its index as `idx`.
    pub fn records(&self) -> Vec<Value> {
        let rows = fieldgate::audit::query(&self.made.audit, &fieldgate::audit::Query::default()).unwrap();
        let record = |row: &fieldgate::audit::Row| {
            let mut record = row.record();
            assert!(record.is_object(), "{}", row.line);
            record["idx"] = row.index.into();
            record
        };
        rows.iter().map(record).collect()
    }

    /// Waits until the log holds `count` records of `kind`.
    pub fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let mut found = self.records();
            found.retain(|record| record["kind"] == kind);
            if found.len() >= count || Instant::now() > until {
                assert_eq!(found.len(), count, "records of {kind}");
                return found;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asserts that the log verifies.
    pub fn verify(&self) {
        let key = std::fs::read_to_string(&self.made.verification_key).unwrap();
        let report = fieldgate::audit::verify(&self.made.audit, key.trim()).unwrap();
        assert!(report.is_sound(), "{}", report.to_text());
    }

    /// TLS bytes in, everything that comes back out, until the gateway closes or is silent for `patience`.
    pub fn raw(&self, bytes: &[u8]) -> String {
        raw(self.address, &self.made.ca, bytes)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Running::Process(child) = &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Every file below `dir`.
pub fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

pub fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// TLS settings of a client that trusts `ca`.
pub fn client_tls(ca: &Path, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    let settings = tls::ClientSettings { ca: Some(ca.to_path_buf()), ..tls::ClientSettings::default() };
    let config = tls::client_config(&settings, &|path| path.to_path_buf(), "test").unwrap();
    let mut config = (*config).clone();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

/// Writes `bytes` on a fresh TLS connection and reads until it closes or is silent for two seconds.
pub fn raw(address: SocketAddr, ca: &Path, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client_tls(ca, &[b"http/1.1"]), name).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    stream.write_all(bytes).unwrap();
    stream.flush().unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count) = stream.read(&mut buffer) {
        if count == 0 {
            break;
        }
        out.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a run of the binary said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs the binary with `arguments` to its end.
pub fn fieldgate<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(arguments: I) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldgate"));
    let done = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Said { code: done.status.code().unwrap_or(-1), out: text(&done.stdout), err: text(&done.stderr) }
}

/// A caller with its headers.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    ca: PathBuf,
    pub headers: Vec<(String, String)>,
    h2: bool,
}

/// What came back; an exchange that was cut has no text.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// Whether the body ended as its framing says.
    pub whole: bool,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The values of a header, joined.
    pub fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default());
        values.collect::<Vec<_>>().join(", ")
    }
}

impl Client {
    pub fn new(address: SocketAddr, ca: &Path) -> Self {
        Self { address, ca: ca.to_path_buf(), headers: Vec::new(), h2: false }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same caller over HTTP/2.
    pub fn h2(mut self) -> Self {
        self.h2 = true;
        self
    }

    pub fn get(&self, target: &str) -> Answer {
        self.call(Method::GET, target, None)
    }

    pub fn send(&self, method: Method, target: &str, body: &Value) -> Answer {
        self.call(method, target, Some(body.to_string()))
    }

    pub fn call(&self, method: Method, target: &str, body: Option<String>) -> Answer {
        self.try_call(method, target, body).unwrap_or_else(|error| panic!("{target}: {error}"))
    }

    pub fn try_call(&self, method: Method, target: &str, body: Option<String>) -> Result<Answer, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(self.exchange(method, target, body)).map_err(|error| error.to_string())
    }

    pub async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Option<String>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = tokio::net::TcpStream::connect(self.address).await?;
        let name = rustls_pki_types::ServerName::try_from("localhost")?;
        let alpn: &[&[u8]] = if self.h2 { &[b"h2"] } else { &[b"http/1.1"] };
        let stream = tokio_rustls::TlsConnector::from(client_tls(&self.ca, alpn)).connect(name, stream).await?;
        let port = self.address.port();
        let uri = if self.h2 { format!("https://localhost:{port}{target}") } else { target.to_owned() };
        let mut request = Request::builder().method(method).uri(uri);
        if !self.h2 {
            request = request.header("host", format!("localhost:{port}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if body.is_some() && !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let response = if self.h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let (head, mut body) = response.into_parts();
        let (mut bytes, mut whole) = (Vec::new(), true);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => bytes.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    whole = false;
                    break;
                }
            }
        }
        Ok(Answer { status: head.status, headers: head.headers, bytes: Bytes::from(bytes), whole })
    }
}
